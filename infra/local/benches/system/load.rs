//! As many calls at once as there are clients, one after the other, for a while.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::BoxFuture;

use crate::report::percentile;

/// Calls under way at once, here and in pgbench.
pub(crate) const CLIENTS: usize = 16;
/// How long each figure is measured, after a warm-up of a fifth of it.
pub(crate) const DURATION: Duration = Duration::from_secs(5);

/// What a client does; the number tells one client from another.
pub(crate) type Step = Arc<dyn Fn(usize) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// What came of it.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

pub(crate) async fn run(step: Step) -> Result<Load> {
    clients(&step, DURATION / 5).await?;
    let begun = Instant::now();
    let mut times = clients(&step, DURATION).await?;
    let seconds = begun.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "some thousands of calls")]
    let count = times.len() as f64;
    Ok(Load {
        per_second: count / seconds,
        p50_ms: percentile(&times, 0.5),
        p99_ms: percentile(&times, 0.99),
    })
}

/// The time of each call in milliseconds.
async fn clients(step: &Step, duration: Duration) -> Result<Vec<f64>> {
    let end = Instant::now() + duration;
    let running: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let step = Arc::clone(step);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < end {
                    let begun = Instant::now();
                    step(client).await?;
                    times.push(begun.elapsed().as_secs_f64() * 1000.0);
                }
                Ok::<_, anyhow::Error>(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for client in running {
        all.extend(client.await??);
    }
    Ok(all)
}
