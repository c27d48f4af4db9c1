//! One migration: two SQL files and what their headers say.
//!
//! `migrations/0007_name.up.sql` and `.down.sql` begin with a title and, where the defaults do not
//! fit, with options; nothing else in a file is special:
//!
//! ```sql
//! -- nova: an index for the list of failed articles
//! -- nova:phase=contract       only once no older code runs (default: expand)
//! -- nova:no-transaction       exactly one statement, such as CREATE INDEX CONCURRENTLY
//! -- nova:in-batches           exactly one statement with a LIMIT, until it changes nothing more
//! -- nova:as=session           as the user who is logged in (default: as nova_owner)
//! create index concurrently articles_failed on articles (user_id) where status = 'failed';
//! ```
//!
//! Whatever could be noticed before a database is touched is refused here: an unknown option, a
//! `commit`, a setting that would leak into the next migration.

use aws_lc_rs::digest::{SHA256, digest};

use super::error::Error;
use super::statements::{self, Statement};

/// The text of one migration as it lies in the folder; made by the `migration!` list.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// `0007_name`
    pub name: &'static str,
    /// The content of `0007_name.up.sql`.
    pub up: &'static str,
    /// The content of `0007_name.down.sql`.
    pub down: &'static str,
}

/// One migration, read and checked.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The number in front of the name; versions run from 1 without a gap.
    pub version: i32,
    /// The files' name without `.up.sql`, such as `0007_name`.
    pub name: String,
    /// Whether code that is already running must be gone first.
    pub phase: Phase,
    /// SHA-256 of the up file with LF line ends, in hexadecimal; the history remembers it.
    pub checksum: String,
    /// What brings the change.
    pub up: Script,
    /// What takes it back.
    pub down: Script,
}

/// When a migration may run during a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The running code does not notice: run before the new code gets traffic.
    Expand,
    /// The previous code would break: run once the new code has all traffic.
    Contract,
}

/// One of the two files of a migration.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file's name, for messages.
    pub file: String,
    /// The title in the first line.
    pub title: String,
    /// The whole text with LF line ends.
    pub text: String,
    /// The role its statements run as.
    pub role: Role,
    /// False for the one statement that cannot run in a transaction, or that is run in many.
    pub in_transaction: bool,
    /// Whether its statement changes some rows at a time, and is run until none is left.
    pub in_batches: bool,
    /// Its statements in order.
    pub(super) statements: Vec<Statement>,
}

/// The role that a script's statements run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `nova_owner`, which owns everything and may create no roles.
    Owner,
    /// Whoever logged in, for what only that user may do: roles and extensions.
    Session,
}

impl Migration {
    /// Reads a migration called `0007_name` from the text of its two files.
    pub fn parse(name: &str, up: &str, down: &str) -> Result<Self, Error> {
        let (up, phase) = Script::parse(format!("{name}.up.sql"), up)?;
        let (down, _) = Script::parse(format!("{name}.down.sql"), down)?;
        let version = name
            .split_once('_')
            .filter(|(number, rest)| number.len() == 4 && !rest.is_empty())
            .and_then(|(number, _)| number.parse().ok())
            .filter(|version| *version > 0)
            .ok_or_else(|| up.refuse(1, "a file is called NNNN_name.up.sql, from 0001 on"))?;
        let checksum = checksum(&up.text);
        Ok(Self {
            version,
            name: name.to_owned(),
            phase,
            checksum,
            up,
            down,
        })
    }

    /// Reads a whole list, whose versions must be 1, 2, 3 … in this order.
    pub fn list(sources: &[Source]) -> Result<Vec<Self>, Error> {
        let mut migrations = Vec::with_capacity(sources.len());
        for (expected, source) in (1..).zip(sources) {
            let migration = Self::parse(source.name, source.up, source.down)?;
            if migration.version != expected {
                let problem = format!("this file should be number {expected:04}");
                return Err(migration.up.refuse(1, &problem));
            }
            migrations.push(migration);
        }
        Ok(migrations)
    }
}

/// SHA-256 in hexadecimal.
fn checksum(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    let bytes = digest.as_ref().iter();
    bytes
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

impl Script {
    fn parse(file: String, text: &str) -> Result<(Self, Phase), Error> {
        let mut phase = Phase::Expand;
        let mut script = Self {
            file,
            title: String::new(),
            text: text.replace("\r\n", "\n"),
            role: Role::Owner,
            in_transaction: true,
            in_batches: false,
            statements: Vec::new(),
        };
        let mut in_header = true;
        for (line, content) in (1..).zip(script.text.clone().lines()) {
            in_header &= content.starts_with("--");
            let Some(word) = content.strip_prefix("-- nova:") else {
                if line == 1 {
                    return Err(script.refuse(1, "the first line is `-- nova: <title>`"));
                }
                continue;
            };
            // A remark may follow an option; the title is everything after `-- nova: `.
            let option = word.split_whitespace().next().unwrap_or_default();
            match option {
                _ if !in_header => {
                    return Err(script.refuse(line, "options stand above the first statement"));
                }
                _ if line == 1 => word.trim().clone_into(&mut script.title),
                _ if word.starts_with(' ') => {
                    return Err(script.refuse(line, "there is one title, in the first line"));
                }
                "phase=expand" => phase = Phase::Expand,
                "phase=contract" => phase = Phase::Contract,
                "no-transaction" => script.in_transaction = false,
                "in-batches" => (script.in_transaction, script.in_batches) = (false, true),
                "as=session" => script.role = Role::Session,
                _ => {
                    return Err(script.refuse(
                        line,
                        "options are phase=expand, phase=contract, no-transaction, in-batches and as=session",
                    ));
                }
            }
        }
        if script.title.is_empty() {
            return Err(script.refuse(1, "the first line is `-- nova: <title>`"));
        }
        script.statements = statements::split(&script.text)
            .map_err(|unfinished| script.refuse(unfinished.line, unfinished.problem))?;
        script.check_statements()?;
        Ok((script, phase))
    }

    fn check_statements(&self) -> Result<(), Error> {
        for statement in &self.statements {
            if let Some(problem) = statement.not_for_a_migration() {
                return Err(self.refuse(statement.line, problem));
            }
        }
        match self.statements.as_slice() {
            [] => Err(self.refuse(1, "there is no statement")),
            [_, second, ..] if !self.in_transaction => {
                let problem = "a file that is no-transaction or in-batches holds one statement, so that it can be resumed";
                Err(self.refuse(second.line, problem))
            }
            [statement, ..] if self.in_batches && !statement.has_word("limit") => {
                let problem = "a batch says by LIMIT how many rows it changes at most";
                Err(self.refuse(statement.line, problem))
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, line: usize, problem: &str) -> Error {
        Error::File {
            file: self.file.clone(),
            line,
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(up: &str) -> String {
        Migration::parse("0001_a", up, "-- nova: down\nselect 1;")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn options_are_read_from_the_header() {
        let up = "-- nova: an index\n-- nova:phase=contract  when the old code is gone\n\
                  -- nova:no-transaction\n-- why\n-- nova:as=session\nvacuum;\n";
        let migration = Migration::parse("0042_index", up, "-- nova: none\nselect 1;").unwrap();
        assert_eq!(migration.version, 42);
        assert_eq!(migration.phase, Phase::Contract);
        assert_eq!(migration.up.title, "an index");
        assert_eq!(migration.up.role, Role::Session);
        assert!(!migration.up.in_transaction);
        assert!(migration.down.in_transaction);
    }

    #[test]
    fn line_ends_do_not_change_the_checksum() {
        let unix = Migration::parse("0001_a", "-- nova: a\nselect 1;\n", "-- nova: b\nselect 1;");
        let dos = Migration::parse(
            "0001_a",
            "-- nova: a\r\nselect 1;\r\n",
            "-- nova: b\nselect 1;",
        );
        let unix = unix.unwrap();
        assert_eq!(unix.checksum, dos.unwrap().checksum);
        assert_eq!(
            unix.checksum,
            // printf -- '-- nova: a\nselect 1;\n' | sha256sum
            "4b0cd98e136714e784bcbe6e4b70ad5119fb0563ec7d468782fd9712001af3d7"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_line() {
        assert_eq!(
            problem("select 1;"),
            "0001_a.up.sql:1: the first line is `-- nova: <title>`"
        );
        assert!(
            problem("-- nova: a\n-- nova:trnasaction\nselect 1;").starts_with("0001_a.up.sql:2: ")
        );
        assert!(
            problem("-- nova: a\nselect 1;\n-- nova:as=session\n").starts_with("0001_a.up.sql:3: ")
        );
        assert!(
            problem("-- nova: a\n-- nova:no-transaction\nselect 1;\n\nselect 2;").contains(":5: ")
        );
        let batches = |statement| problem(&format!("-- nova: a\n-- nova:in-batches\n{statement}"));
        assert!(batches("update a set b = 1 where b = 2; -- no limit\n").contains(":3: "));
        assert!(batches("delete from a limit 1;\ndelete from b limit 1;").contains(":4: "));
        assert!(problem("-- nova: a\nselect 1;\ncommit;\n").contains(":3: "));
        assert!(problem("-- nova: a\nset lock_timeout = 0;\n").contains(":2: "));
        assert!(problem("-- nova: a\n-- nothing\n").contains("no statement"));
        assert!(problem("-- nova: a\nselect 'x;\n").contains(":2: "));
    }

    #[test]
    fn versions_run_from_one_without_a_gap() {
        let source = |name| Source {
            name,
            up: "-- nova: a\nselect 1;",
            down: "-- nova: b\nselect 1;",
        };
        assert!(Migration::list(&[source("0001_a"), source("0002_b")]).is_ok());
        for wrong in ["0003_c", "0001_c", "2_c", "0002c", "zwei_c"] {
            let list = [source("0001_a"), source(wrong)];
            assert!(Migration::list(&list).is_err(), "{wrong}");
        }
    }
}
