//! Whether the live schema is the one that the migrations make.
//!
//! Checksums only prove that the files have not changed. Somebody may still have added a column by
//! hand or dropped an index in the night. So the schema itself is written down as sorted lines, one
//! for each object, in `migrations/schema.txt`, and a live database is compared with it line by
//! line. A second database to compare with would be simpler, and is not to be had in the cloud.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::error::Error;
use super::{Migration, Migrator, close, history, plan, session};

const QUERY: &str = include_str!("fingerprint.sql");

/// One object that differs between the live schema and the committed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its kind and name, such as `column articles.title`.
    pub object: String,
    /// How the migrations make it; none if they do not.
    pub expected: Option<String>,
    /// How it is; none if it is not there.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            expected,
            found,
        } = self;
        match (expected, found) {
            (Some(expected), None) => write!(formatter, "missing: {object}: {expected}"),
            (None, Some(found)) => write!(formatter, "unexpected: {object}: {found}"),
            (expected, found) => {
                let [expected, found] =
                    [expected, found].map(|text| text.as_deref().unwrap_or("nothing"));
                write!(
                    formatter,
                    "changed: {object}: expected {expected}; found {found}"
                )
            }
        }
    }
}

impl Migrator {
    /// Describes the live schema, one object on a line, sorted; `migrations/schema.txt` is this.
    pub fn fingerprint(&self) -> BoxFuture<'_, Result<String, Error>> {
        Box::pin(async move {
            let mut connection = session::open(&self.settings).await?;
            let lines = fingerprint(&mut connection).await;
            close(connection).await;
            let mut text = String::new();
            for (object, definition) in lines? {
                text.extend([object.as_str(), ": ", definition.as_str(), "\n"]);
            }
            Ok(text)
        })
    }

    /// Compares the live schema with `expected`, such as [`SCHEMA`](super::SCHEMA), and answers the
    /// version that was compared. The database must be at this build's newest version: there is one
    /// description, of that.
    pub fn check<'a>(&'a self, expected: &'a str) -> BoxFuture<'a, Result<i32, Error>> {
        Box::pin(async move {
            let migrations = Migration::list(&self.sources)?;
            let mut connection = session::open(&self.settings).await?;
            let result = check(&mut connection, &migrations, expected).await;
            close(connection).await;
            result
        })
    }
}

async fn check(
    connection: &mut PgConnection,
    migrations: &[Migration],
    expected: &str,
) -> Result<i32, Error> {
    let history = history::read(connection).await?;
    let plan = plan::up(migrations, &history, None, false)?;
    if let Some(newest) = plan.newer.last() {
        return Err(Error::Refused(format!(
            "a newer build brought {}; check with that build, which knows what it made",
            newest.name
        )));
    }
    if let Some(step) = plan.steps.first() {
        return Err(Error::Refused(format!(
            "{} is not applied; run up first",
            step.migration.up.file
        )));
    }
    let differences = compare(&parse(expected), &fingerprint(connection).await?);
    if differences.is_empty() {
        Ok(plan.found)
    } else {
        Err(Error::SchemaDiffers(differences))
    }
}

type Objects = BTreeMap<String, String>;

async fn fingerprint(connection: &mut PgConnection) -> Result<Objects, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(QUERY)
        .fetch_all(connection)
        .await
        .map_err(Error::database("reading the catalogue"))?;
    Ok(rows
        .into_iter()
        .map(|(object, definition)| (object, definition.replace('\n', " ")))
        .collect())
}

/// No kind or name contains a colon followed by a blank.
fn parse(text: &str) -> Objects {
    let split = |line: &str| {
        let (object, definition) = line.split_once(": ")?;
        Some((object.to_owned(), definition.to_owned()))
    };
    text.lines().filter_map(split).collect()
}

fn compare(expected: &Objects, found: &Objects) -> Vec<Difference> {
    let mut objects: Vec<&String> = expected.keys().chain(found.keys()).collect();
    objects.sort();
    objects.dedup();
    objects
        .into_iter()
        .filter(|object| expected.get(*object) != found.get(*object))
        .map(|object| Difference {
            object: object.clone(),
            expected: expected.get(object).cloned(),
            found: found.get(object).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_object() {
        let expected = parse("column a.b: text not null\nindex i: create\ntable a: owner x\n");
        let found = parse("column a.b: text\ncolumn a.c: text\ntable a: owner x\n");
        let lines: Vec<String> = compare(&expected, &found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "changed: column a.b: expected text not null; found text",
                "unexpected: column a.c: text",
                "missing: index i: create",
            ]
        );
        assert!(compare(&found, &found).is_empty());
    }
}
