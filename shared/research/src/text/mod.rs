//! Words and what they say about each other: the common ground of coverage, questions and ranking.

mod common;
mod index;
mod similar;
mod tokens;
mod words;

pub(crate) use self::common::{is_common, is_english};
pub(crate) use self::index::{Field, Index, Term};
pub(crate) use self::similar::Fingerprint;
pub use self::tokens::tokens;
pub(crate) use self::tokens::within;
pub(crate) use self::words::{for_each_word, normal, words};
