//! Decides what to run: the build's list beside the database's history, and nothing else. No
//! database is asked here, so every rule can be tried with a few rows.

use super::error::Error;
use super::file::{Migration, Phase};
use super::history::{Record, State};

/// What a command would run, and what it noticed on the way.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The steps in the order in which they run.
    pub steps: Vec<Step<'a>>,
    /// The newest version that the database has; 0 for an empty one.
    pub found: i32,
    /// Migrations that the database has and this build does not know: a newer build was here.
    pub newer: Vec<Record>,
    /// The first contract migration, if the plan stops before it.
    pub held_back: Option<&'a Migration>,
}

/// One migration to run, up or down.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Which one.
    pub migration: &'a Migration,
    /// Which way.
    pub direction: Direction,
    /// What an earlier runner left unfinished.
    pub unfinished: Option<State>,
}

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Applies the migration.
    Up,
    /// Takes it back.
    Down,
}

/// Plans `up`, as far as version `to` or the end, and not into a contract phase that is held back.
pub(super) fn up<'a>(
    migrations: &'a [Migration],
    history: &[Record],
    to: Option<i32>,
    hold_back_contract: bool,
) -> Result<Plan<'a>, Error> {
    let known = Known::compare(migrations, history)?;
    if let Some(to) = to {
        known.has_version(to)?;
    }
    let mut steps = Vec::new();
    let mut held_back = None;
    for migration in migrations {
        let record = history
            .iter()
            .find(|record| record.version == migration.version);
        let unfinished = match record.map(|record| record.state) {
            Some(State::Applied) => continue,
            other => other,
        };
        if to.is_some_and(|to| migration.version > to) {
            break;
        }
        if hold_back_contract && migration.phase == Phase::Contract {
            held_back = Some(migration);
            break;
        }
        steps.push(Step {
            migration,
            direction: Direction::Up,
            unfinished,
        });
    }
    Ok(Plan {
        steps,
        found: known.found,
        newer: known.newer,
        held_back,
    })
}

/// Plans `down`: everything above version `to`, newest first.
pub(super) fn down<'a>(
    migrations: &'a [Migration],
    history: &[Record],
    to: i32,
) -> Result<Plan<'a>, Error> {
    let known = Known::compare(migrations, history)?;
    known.has_version(to)?;
    if let Some(newest) = known.newer.last() {
        return Err(Error::Refused(format!(
            "this build does not know {}; take it back with the build that brought it",
            newest.name
        )));
    }
    let steps = history
        .iter()
        .rev()
        .filter(|record| record.version > to)
        .filter_map(|record| {
            let migration = migrations
                .iter()
                .find(|one| one.version == record.version)?;
            let unfinished = Some(record.state).filter(|state| *state != State::Applied);
            Some(Step {
                migration,
                direction: Direction::Down,
                unfinished,
            })
        })
        .collect();
    Ok(Plan {
        steps,
        found: known.found,
        newer: Vec::new(),
        held_back: None,
    })
}

/// The versions that `baseline` would record: all up to `to` on a database without a history.
pub(super) fn baseline<'a>(
    migrations: &'a [Migration],
    history: &[Record],
    to: i32,
) -> Result<Vec<&'a Migration>, Error> {
    let known = Known::compare(migrations, history)?;
    known.has_version(to)?;
    let wanted: Vec<&Migration> = migrations
        .iter()
        .take_while(|one| one.version <= to)
        .collect();
    if history.is_empty() {
        return Ok(wanted);
    }
    let same = history.len() == wanted.len()
        && history.iter().all(|record| record.state == State::Applied);
    if same {
        return Ok(Vec::new());
    }
    Err(Error::Refused(format!(
        "this database has a history (version {:04}); baseline is for one whose schema was made without it",
        known.found
    )))
}

/// What the comparison of list and history found when nothing is wrong.
struct Known {
    found: i32,
    head: i32,
    newer: Vec<Record>,
}

impl Known {
    /// Refuses a history that this list cannot have made.
    fn compare(migrations: &[Migration], history: &[Record]) -> Result<Self, Error> {
        let head = migrations.last().map_or(0, |migration| migration.version);
        let applied = history
            .iter()
            .filter(|record| record.state == State::Applied);
        let newest = applied.max_by_key(|record| record.version);
        let found = newest.map_or(0, |record| record.version);
        for migration in migrations {
            let record = history
                .iter()
                .find(|record| record.version == migration.version);
            match (record, newest) {
                (Some(record), _) if record.state == State::Applied => same(migration, record)?,
                (_, Some(newest)) if newest.version > migration.version => {
                    return Err(Error::Order {
                        pending: migration.up.file.clone(),
                        applied: newest.name.clone(),
                    });
                }
                _ => {}
            }
        }
        let newer = history
            .iter()
            .filter(|record| record.version > head)
            .cloned()
            .collect();
        Ok(Self { found, head, newer })
    }

    fn has_version(&self, version: i32) -> Result<(), Error> {
        if (0..=self.head).contains(&version) {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "there is no version {version}; this build has 0 to {}",
            self.head
        )))
    }
}

fn same(migration: &Migration, record: &Record) -> Result<(), Error> {
    let difference = if migration.name != record.name {
        format!("the database calls it {}", record.name)
    } else if migration.checksum != record.checksum {
        let short = |checksum: &str| checksum.chars().take(12).collect::<String>();
        format!(
            "checksum {} then, {} now",
            short(&record.checksum),
            short(&migration.checksum)
        )
    } else {
        return Ok(());
    };
    Err(Error::Drift {
        file: migration.up.file.clone(),
        applied_at: record.applied_at.to_string(),
        difference,
    })
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn migrations() -> Vec<Migration> {
        let names = ["0001_a", "0002_b", "0003_c", "0004_d"];
        let parse = |name: &&str| {
            let phase = if *name == "0003_c" {
                "\n-- nova:phase=contract"
            } else {
                ""
            };
            Migration::parse(
                name,
                &format!("-- nova: up{phase}\nselect '{name}';"),
                "-- nova: down\nselect 1;",
            )
        };
        names.iter().map(parse).collect::<Result<_, _>>().unwrap()
    }

    fn applied(migrations: &[Migration]) -> Vec<Record> {
        let record = |migration: &Migration| Record {
            version: migration.version,
            name: migration.name.clone(),
            checksum: migration.checksum.clone(),
            state: State::Applied,
            applied_at: OffsetDateTime::UNIX_EPOCH,
            duration_ms: None,
            applied_by: "someone".to_owned(),
        };
        migrations.iter().map(record).collect()
    }

    fn versions(plan: Result<Plan<'_>, Error>) -> Vec<i32> {
        plan.unwrap()
            .steps
            .iter()
            .map(|step| step.migration.version)
            .collect()
    }

    #[test]
    fn up_runs_what_is_missing_in_order() {
        let all = migrations();
        assert_eq!(versions(up(&all, &[], None, false)), [1, 2, 3, 4]);
        assert_eq!(versions(up(&all, &[], Some(2), false)), [1, 2]);
        assert_eq!(
            versions(up(&all, &applied(&all[..1]), Some(3), false)),
            [2, 3]
        );
        assert_eq!(versions(up(&all, &applied(&all), None, false)), [0; 0]);
        assert!(matches!(
            up(&all, &[], Some(5), false),
            Err(Error::Refused(_))
        ));
    }

    #[test]
    fn a_contract_migration_can_be_held_back() {
        let all = migrations();
        let plan = up(&all, &[], None, true).unwrap();
        assert_eq!(plan.held_back.map(|migration| migration.version), Some(3));
        assert_eq!(versions(Ok(plan)), [1, 2]);
        assert_eq!(versions(up(&all, &applied(&all[..3]), None, true)), [4]);
    }

    #[test]
    fn down_runs_backwards() {
        let all = migrations();
        assert_eq!(versions(down(&all, &applied(&all[..3]), 0)), [3, 2, 1]);
        assert_eq!(versions(down(&all, &applied(&all), 3)), [4]);
        assert_eq!(versions(down(&all, &[], 0)), [0; 0]);
    }

    #[test]
    fn a_changed_file_is_named() {
        let all = migrations();
        let mut history = applied(&all);
        history[1].checksum = "0".repeat(64);
        let error = up(&all, &history, None, false).unwrap_err();
        assert!(
            matches!(&error, Error::Drift { file, .. } if file == "0002_b.up.sql"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 64);
        "0002_other".clone_into(&mut history[1].name);
        let error = down(&all, &history, 0).unwrap_err().to_string();
        assert!(
            error.contains("the database calls it 0002_other"),
            "{error}"
        );
    }

    #[test]
    fn a_migration_below_an_applied_one_is_refused() {
        let all = migrations();
        let mut history = applied(&all);
        history.remove(2);
        let error = up(&all, &history, None, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "0003_c.up.sql is not applied, but the later 0004_d is; give the new migration the next number"
        );
        assert_eq!(error.exit_code(), 64);
    }

    #[test]
    fn newer_versions_are_tolerated_on_the_way_up_only() {
        let all = migrations();
        let history = applied(&all);
        let plan = up(&all[..2], &history, None, false).unwrap();
        assert!(plan.steps.is_empty());
        assert_eq!(plan.found, 4);
        assert_eq!(
            plan.newer
                .iter()
                .map(|record| record.version)
                .collect::<Vec<_>>(),
            [3, 4]
        );
        let error = down(&all[..2], &history, 0).unwrap_err().to_string();
        assert!(error.contains("does not know 0004_d"), "{error}");
    }

    #[test]
    fn an_unfinished_step_is_run_again_even_if_its_file_was_repaired() {
        let all = migrations();
        let mut history = applied(&all[..2]);
        history[1].state = State::Applying;
        history[1].checksum = "0".repeat(64);
        let plan = up(&all, &history, None, false).unwrap();
        assert_eq!(plan.found, 1);
        assert_eq!(plan.steps[0].unfinished, Some(State::Applying));
        assert_eq!(versions(Ok(plan)), [2, 3, 4]);
        assert_eq!(versions(down(&all, &history, 0)), [2, 1]);
    }

    #[test]
    fn baseline_is_for_a_database_without_a_history() {
        let all = migrations();
        assert_eq!(baseline(&all, &[], 2).unwrap().len(), 2);
        assert_eq!(baseline(&all, &applied(&all[..2]), 2).unwrap().len(), 0);
        assert!(baseline(&all, &applied(&all[..2]), 3).is_err());
    }
}
