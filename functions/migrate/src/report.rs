//! Tables for people.

use std::fmt::Write as _;

use nova_store::migrate::file::Phase;
use nova_store::migrate::history::{Record, State};
use nova_store::migrate::{Rehearsal, Status};

/// The database beside this build.
pub(crate) fn status(status: &Status) -> String {
    let mut lines = vec![
        format!("database    version {:04}", status.version),
        format!("this build  version {:04}", status.head),
    ];
    for record in &status.unfinished {
        lines.push(format!("unfinished  {} ({})", record.name, state(record)));
    }
    for migration in &status.pending {
        let phase = if migration.phase == Phase::Contract {
            ", once all older code is gone"
        } else {
            ""
        };
        lines.push(format!(
            "pending     {}: {}{phase}",
            migration.name, migration.up.title
        ));
    }
    for record in &status.newer {
        lines.push(format!(
            "newer       {}, which this build leaves alone",
            record.name
        ));
    }
    lines.join("\n")
}

/// What the database remembers.
pub(crate) fn history(records: &[Record]) -> String {
    let mut text = String::new();
    for record in records {
        let at = record
            .applied_at
            .replace_nanosecond(0)
            .unwrap_or(record.applied_at);
        let took = record.duration_ms.map_or_else(
            || "baseline".to_owned(),
            |duration| format!("{duration} ms"),
        );
        let (name, by) = (&record.name, &record.applied_by);
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            text,
            "{name:<32}  {at}  {took:>10}  {by}  {}",
            state(record)
        );
    }
    text
}

fn state(record: &Record) -> &'static str {
    match record.state {
        State::Applied => "applied",
        State::Applying => "begun, not finished; up goes on",
        State::Reverting => "begun to be taken back; down goes on",
    }
}

/// What a rehearsal found, as SQL comments.
pub(crate) fn locks(rehearsals: &[Rehearsal]) -> String {
    let line = |rehearsal: &Rehearsal| {
        let found = match &rehearsal.strong_locks {
            None => "not rehearsed, because it runs outside of a transaction".to_owned(),
            Some(locks) if locks.is_empty() => "no strong lock on an existing table".to_owned(),
            Some(locks) => locks.join(", "),
        };
        format!("-- {}: {found}\n", rehearsal.file)
    };
    rehearsals.iter().map(line).collect::<Vec<_>>().concat()
}
