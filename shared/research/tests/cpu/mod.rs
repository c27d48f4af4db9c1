//! The time that a test itself has worked, however busy the machine is.

use std::time::{Duration, Instant};

/// Runs something and says how long the processor was busy with it. Where the system does not
/// tell (only Linux does), it is the time that has passed.
pub(crate) fn time<Value>(work: impl FnOnce() -> Value) -> (Value, Duration) {
    let (started, before) = (Instant::now(), busy());
    let value = work();
    let passed = started.elapsed();
    (
        value,
        busy()
            .zip(before)
            .map_or(passed, |(after, before)| after.saturating_sub(before)),
    )
}

fn busy() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ')
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}
