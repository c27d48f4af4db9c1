//! What a caller may say about the reading.

use nova_runtime::Problem;
use serde::{Deserialize, Serialize};

/// How many pages are read at once, unless the caller says otherwise.
const AT_ONCE: i64 = 4;
/// More are not read faster, and take memory from others.
const MOST_AT_ONCE: i64 = 16;

/// The arguments beside the article.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReadArguments {
    /// How many pages are read at once: 1 to 16.
    #[serde(default = "at_once")]
    concurrency_limit: i64,
}

const fn at_once() -> i64 {
    AT_ONCE
}

impl ReadArguments {
    pub(crate) fn check(&self) -> Result<(), Problem> {
        match self.concurrency_limit {
            1..=MOST_AT_ONCE => Ok(()),
            _ => Err(Problem::out_of_range(
                "concurrency_limit",
                &(1..=MOST_AT_ONCE),
            )),
        }
    }

    pub(crate) fn at_once(&self) -> usize {
        usize::try_from(self.concurrency_limit).unwrap_or(1)
    }
}
