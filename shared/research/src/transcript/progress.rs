//! How far a video is transcribed.

use std::{fmt, str::FromStr};

/// How far a video is transcribed; kept as the revision of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Up to this second; it goes on.
    Until(u64),
    /// To its end.
    Whole,
}

impl Progress {
    /// Nothing of it is.
    pub const NONE: Self = Self::Until(0);
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until(second) => write!(formatter, "until {second} s"),
            Self::Whole => formatter.write_str("whole"),
        }
    }
}

/// It is not how a progress is written.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("that is no progress of a transcript")]
pub struct NoProgress;

impl FromStr for Progress {
    type Err = NoProgress;

    fn from_str(text: &str) -> Result<Self, NoProgress> {
        if text == "whole" {
            return Ok(Self::Whole);
        }
        let second = text.strip_prefix("until ");
        let second = second.and_then(|text| text.strip_suffix(" s"));
        let second = second.and_then(|text| text.parse().ok());
        second.map(Self::Until).ok_or(NoProgress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        for progress in [Progress::NONE, Progress::Until(5400), Progress::Whole] {
            assert_eq!(progress.to_string().parse(), Ok(progress));
        }
        assert_eq!("until x s".parse::<Progress>(), Err(NoProgress));
    }
}
