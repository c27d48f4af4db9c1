//! What `up` would do, without doing it: as SQL that `psql` can run, or rehearsed in a transaction
//! that is rolled back, to learn which tables the people who use the system would have to wait for.

use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::error::Error;
use super::file::{Phase, Role};
use super::step::{execute, run_statements};
use super::{Goal, Migration, Migrator, OWNER, Plan, Step, bootstrap, close, lock, plan, session};

/// What one migration would do to tables that exist already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The file.
    pub file: String,
    /// Locks that stop writers or readers, such as `ACCESS EXCLUSIVE on articles`; none when the
    /// step cannot be rehearsed because it runs outside of a transaction.
    pub strong_locks: Option<Vec<String>>,
}

impl Migrator {
    /// The SQL that `up` would run, in order, for `psql`.
    pub fn plan_sql(&self, to: Option<i32>) -> BoxFuture<'_, Result<String, Error>> {
        Box::pin(async move {
            let migrations = Migration::list(&self.sources)?;
            let mut connection = session::open(&self.settings).await?;
            let sql = self.ask_for_sql(&mut connection, &migrations, to).await;
            close(connection).await;
            sql
        })
    }

    /// The same without asking a database: the SQL from version `from`, 0 being an empty database.
    pub fn plan_sql_offline(&self, from: i32, to: Option<i32>) -> Result<String, Error> {
        let migrations = Migration::list(&self.sources)?;
        let plan = plan::up(&migrations, &[], to, self.settings.hold_back_contract)?;
        let steps: Vec<_> = plan
            .steps
            .iter()
            .filter(|step| step.migration.version > from)
            .copied()
            .collect();
        Ok(sql(&steps, from == 0))
    }

    /// Runs what `up` would run in one transaction, rolls it back, and says which locks each
    /// migration took. The locks are real for that moment.
    pub fn rehearse(&self, to: Option<i32>) -> BoxFuture<'_, Result<Vec<Rehearsal>, Error>> {
        Box::pin(async move {
            let migrations = Migration::list(&self.sources)?;
            let mut connection = session::open(&self.settings).await?;
            let rehearsals = self.rehearse_all(&mut connection, &migrations, to).await;
            close(connection).await;
            rehearsals
        })
    }

    async fn ask_for_sql(
        &self,
        connection: &mut PgConnection,
        migrations: &[Migration],
        to: Option<i32>,
    ) -> Result<String, Error> {
        let plan = self.plan(connection, migrations, Goal::Up { to }).await?;
        let is_new = !plan.steps.is_empty() && !bootstrap::is_done(connection).await?;
        Ok(sql(&plan.steps, is_new))
    }

    async fn rehearse_all(
        &self,
        connection: &mut PgConnection,
        migrations: &[Migration],
        to: Option<i32>,
    ) -> Result<Vec<Rehearsal>, Error> {
        lock::acquire(connection, &self.settings).await?;
        let plan: Plan<'_> = self.plan(connection, migrations, Goal::Up { to }).await?;
        let before: Vec<i64> = sqlx::query_scalar(
            "-- migrate_relations()
             select oid::bigint from pg_class
             where relkind in ('r', 'p', 'v', 'm') and relnamespace = 'public'::regnamespace",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(Error::database("listing the tables"))?;
        execute(connection, "begin").await?;
        bootstrap::ensure(connection, &self.settings).await?;
        let mut seen = Vec::new();
        let mut rehearsals = Vec::new();
        for step in &plan.steps {
            let script = step.script();
            let mut strong_locks = None;
            if script.in_transaction {
                let role = if script.role == Role::Owner {
                    OWNER
                } else {
                    "none"
                };
                execute(connection, &format!("set local role {role}")).await?;
                run_statements(connection, script).await?;
                let held = strong_locks_on(connection, &before).await?;
                strong_locks = Some(
                    held.iter()
                        .filter(|lock| !seen.contains(*lock))
                        .cloned()
                        .collect(),
                );
                seen = held;
            }
            rehearsals.push(Rehearsal {
                file: script.file.clone(),
                strong_locks,
            });
        }
        execute(connection, "rollback").await?;
        Ok(rehearsals)
    }
}

/// Locks that this transaction holds and that stop others from writing or reading.
async fn strong_locks_on(
    connection: &mut PgConnection,
    relations: &[i64],
) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "-- migrate_strong_locks()
         select format('%s on %s', case mode when 'AccessExclusiveLock' then 'ACCESS EXCLUSIVE'
                                             when 'ExclusiveLock' then 'EXCLUSIVE'
                                             when 'ShareRowExclusiveLock' then 'SHARE ROW EXCLUSIVE'
                                             else 'SHARE' end, relation::regclass) as lock
         from pg_locks
         where pid = pg_backend_pid() and relation::bigint = any ($1)
           and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
         order by lock",
    )
    .bind(relations)
    .fetch_all(connection)
    .await
    .map_err(Error::database("reading the locks"))
}

/// The steps as a script.
fn sql(steps: &[Step<'_>], with_bootstrap: bool) -> String {
    let mut sql = String::new();
    if with_bootstrap && !steps.is_empty() {
        sql.push_str(&bootstrap::sql());
    }
    for step in steps {
        let (migration, script) = (step.migration, step.script());
        let phase = match migration.phase {
            Phase::Expand => "expand",
            Phase::Contract => "contract",
        };
        // Writing to a String cannot fail.
        let _infallible = write!(sql, "\n-- {} ({phase})\n", script.file);
        let text = script.text.trim_end();
        let end = if text.ends_with(';') { "" } else { "\n;" };
        let become_owner = if script.role == Role::Owner {
            OWNER
        } else {
            "none"
        };
        let record = format!(
            "insert into public.nova_schema_migrations (version, name, checksum, state)\n\
             values ({}, '{}', '{}', 'applied');",
            migration.version, migration.name, migration.checksum
        );
        let _infallible = if script.in_batches {
            write!(
                sql,
                "set role {become_owner};\ndo $batches$ begin loop\n{text}{end}\n\
                 exit when not found;\ncommit;\nend loop; end $batches$;\n\
                 set role {OWNER};\n{record}\nreset role;\n"
            )
        } else if script.in_transaction {
            write!(
                sql,
                "begin;\nset local lock_timeout = '500ms';\nset local role {become_owner};\n\
                 {text}{end}\nset local role {OWNER};\n{record}\ncommit;\n"
            )
        } else {
            write!(
                sql,
                "set role {become_owner};\n{text}{end}\nset role {OWNER};\n{record}\nreset role;\n"
            )
        };
    }
    sql
}
