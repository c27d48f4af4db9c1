//! What `--help` says.

const OVERVIEW: &str = "\
Brings the database to this build's schema, and says how it stands.

Usage: migrate <command> [options]

Commands:
  up           apply what is missing
  down         take back what is above a version
  status       this build beside the database
  history      what the database remembers
  plan         the SQL that up would run
  baseline     record a schema that exists as migrated
  check        compare the live schema with what the migrations make
  fingerprint  describe the live schema, one object on a line
  grants       put logins into the families of NOVA_DB_GRANTS

`migrate <command> --help` tells more. Any number of runners may start at once: one works, the
others wait for it. Started as a Cloud Run job without arguments, it runs up and then grants.

Options of every command:
  --connect-timeout 60s  how long to try while the database is away

Environment:
  DATABASE_URL     postgres://user@host/database; a direct connection, not a transaction pooler
                   or CLOUD_SQL_INSTANCE=project:region:instance, with DB_NAME; logs in by IAM as the
                   job's service account, or as DB_USER, with DB_PASS if that is set
  NOVA_DB_GRANTS   login=family,login=family

Exit codes: 0 done; 1 SQL failed; 64 something to repair in files, arguments or settings;
69 database out of reach; 75 somebody else is in the way, or stopped on request: run it again";

const UP: &str = "\
Applies what is missing, in order. Each migration is one transaction together with its row in the
history; an index build beside traffic is resumed if an earlier run was killed in it.

Usage: migrate up [options]

  --to N               stop after version N
  --phase expand       stop before the first migration that older code would not survive
  --lock-timeout 10m   how long to wait for other runners, and in each migration for tables in
                       use; single attempts last half a second, so that nobody queues behind

A database that a newer build has been to is left alone, and that is said; the exit code is 0.";

const DOWN: &str = "\
Takes back every migration above a version, newest first. Data in what is dropped is gone.

Usage: migrate down --to N [--lock-timeout 10m]

  --to N   the version to keep; 0 takes back everything";

const STATUS: &str = "\
Prints the version of the database, the version of this build, and what is pending. Fails with 64
when the history does not fit this build: a file was changed after it was applied, or came too late.

Usage: migrate status";

const HISTORY: &str = "\
Prints what the database remembers: which migration, when, how long, by whom.

Usage: migrate history";

const PLAN: &str = "\
Prints the SQL that up would run, for psql, and nothing else. Nothing is changed.

Usage: migrate plan [options]

  --to N           as far as version N
  --phase expand   as for up
  --from N         do not ask the database; print from version N on (0: an empty database)
  --locks          first run it all in a transaction that is rolled back, and print as comments
                   which existing tables are locked against readers or writers. The locks are
                   real for that moment";

const BASELINE: &str = "\
Records the versions 1 to N as applied without running them, in a database whose schema was made
without a history. Run check afterwards.

Usage: migrate baseline N";

const CHECK: &str = "\
Compares the live schema with what this build's migrations make, object by object: tables, columns,
defaults, constraints, indexes, views, functions, triggers, policies, grants, roles. Differences
are named and the exit code is 64.

Usage: migrate check";

const FINGERPRINT: &str = "\
Describes the live schema, one object on a line, sorted. The committed one is
migrations/schema.txt.

Usage: migrate fingerprint > migrations/schema.txt";

const GRANTS: &str = "\
Makes each login of NOVA_DB_GRANTS a member of its family and of no other nova_ role. Logins in
nova_analytics get a statement_timeout and become read only. Nothing is printed twice: a second run
changes nothing. A login that is missing is named with the remedy.

Usage: migrate grants [--create-local-logins]

  --create-local-logins   make missing logins, without a password: for a database of one's own";

/// The help of one command, or the overview.
pub(crate) fn text(command: Option<&str>) -> String {
    let text = match command {
        Some("up") => UP,
        Some("down") => DOWN,
        Some("status") => STATUS,
        Some("history") => HISTORY,
        Some("plan") => PLAN,
        Some("baseline") => BASELINE,
        Some("check") => CHECK,
        Some("fingerprint") => FINGERPRINT,
        Some("grants") => GRANTS,
        _ => OVERVIEW,
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::COMMANDS;

    #[test]
    fn every_command_has_a_help_of_its_own() {
        for command in COMMANDS {
            let usage = format!("Usage: migrate {command}");
            assert!(text(Some(command)).contains(&usage), "{command}");
            assert!(OVERVIEW.contains(&format!("\n  {command} ")), "{command}");
        }
    }
}
