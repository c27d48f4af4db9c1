//! The command line.

/// As long as a charge can be given back by anything that still runs, and a month with room.
const DAYS: u16 = 35;
/// Ten years.
const MOST_DAYS: u16 = 3653;

pub(crate) const HELP: &str = "\
Copies the usage rows of each day that is over to BigQuery, with salted hashes in place of users' ids:
a file in the bucket, exports/usage/day=YYYY-MM-DD/part-0000.ndjson.gz, and from it the partition of
that day of the table tool_call_usage. Days that have not changed since are left alone. Any number may
run at once, and one that was killed is succeeded by the next.

Usage:
  export_analytics [--days N]    the last N days, 35 where not said; more for a first time
  export_analytics --help | --version

Without BQ_DATASET_ID nothing is exported, which is said and no error.

Exit codes: 0 done, or not configured; 1 something failed and is left to the next run, the log says
what; 64 wrong arguments or settings, and a dataset that is not there.

Settings (environment): BQ_DATASET_ID, USER_ID_SALT, GOOGLE_CLOUD_PROJECT or GCP_PROJECT_ID,
DATABASE_URL or CLOUD_SQL_INSTANCE, BLOB_BUCKET; BIGQUERY_BASE_URL for a stand-in.

To load a day once more, delete its file.";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    Run { days: u16 },
    Help,
    Version,
}

impl Invocation {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match *arguments.as_slice() {
            [] => Ok(Self::Run { days: DAYS }),
            ["--help" | "-h"] => Ok(Self::Help),
            ["--version" | "-V"] => Ok(Self::Version),
            ["--days", days] => {
                let days = days.parse().ok().filter(|it| (1..=MOST_DAYS).contains(it));
                let days = days.ok_or_else(|| format!("--days is a number from 1 to {MOST_DAYS}"));
                Ok(Self::Run { days: days? })
            }
            ["--days"] => Err("--days needs a number".to_owned()),
            [other, ..] => Err(format!("unknown argument {other:?}; see --help")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_option_and_it_has_limits() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Invocation::parse(&words)
        };
        assert_eq!(parse(""), Ok(Invocation::Run { days: 35 }));
        assert_eq!(parse("--days 400"), Ok(Invocation::Run { days: 400 }));
        assert_eq!(parse("-h"), Ok(Invocation::Help));
        for wrong in [
            "--days",
            "--days 0",
            "--days 3654",
            "--days -1",
            "all",
            "--help me",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
