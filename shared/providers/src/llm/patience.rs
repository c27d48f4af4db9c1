//! Asks again while that may help, for a while. For whoever has a way without a model: in a job whose
//! pieces are nothing without their provider, its engine does that.

use std::time::Duration;

use nova_runtime::{http_client::HttpError, jobs::pause, receipts::Receipts};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Llm, Prompt};
use crate::ProviderError;

/// How long a caller who waits for the answer is kept waiting, all tries and pauses together.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// The pause before the second try, and the longest one, where the provider does not say.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Asks until there is an answer, or an error that another try would not change, or until `limit`
/// (at most [`PATIENCE`]) would be over before the provider wants to be asked again.
///
/// # Errors
///
/// The last one; [`ProviderError::Unreachable`] when the time was over in the middle of a call.
pub async fn ask_patiently(
    llm: &dyn Llm,
    prompt: &Prompt,
    receipts: &Receipts,
    limit: Duration,
) -> Result<Value, ProviderError> {
    let limit = limit.min(PATIENCE);
    let deadline = Instant::now() + limit;
    let mut tries = 0;
    loop {
        let Ok(answer) = timeout_at(deadline, llm.ask(prompt, receipts)).await else {
            let host = llm.provider().to_owned();
            return Err(ProviderError::Unreachable {
                provider: llm.provider(),
                source: HttpError::Deadline {
                    host,
                    deadline: limit,
                },
            });
        };
        let error = match answer {
            Err(error) if error.is_retryable() => error,
            answer => return answer,
        };
        let wanted = match &error {
            ProviderError::Busy { after, .. } => *after,
            _ => None,
        };
        let wait = wanted.unwrap_or_else(|| pause(tries, FIRST_PAUSE, LONGEST_PAUSE));
        tries += 1;
        match Instant::now().checked_add(wait) {
            Some(then) if then < deadline => sleep_until(then).await,
            _ => return Err(error),
        }
    }
}
