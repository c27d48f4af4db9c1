//! Standard output for what was asked for, standard error for how it went. A reader
//! that hung up is no reason to stop a migration, so a failed write is ignored.

use std::error::Error as _;
use std::io::Write as _;

use nova_store::migrate::Error;

/// What was asked for.
pub(crate) fn result(text: &str) {
    let text = text.trim_end_matches('\n');
    if !text.is_empty() {
        drop(writeln!(std::io::stdout().lock(), "{text}"));
    }
}

/// How it is going.
pub(crate) fn progress(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// What is wrong.
pub(crate) fn problem(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "migrate: {line}"));
}

/// An error with its causes, and what the server remarked on it.
pub(crate) fn failure(error: &Error) {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    problem(&line);
    for remark in error.remarks() {
        progress(&format!("  {remark}"));
    }
}
