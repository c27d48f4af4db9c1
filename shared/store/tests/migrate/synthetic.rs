//! A small list of migrations that has one of each kind, and the way to run it.

use nova_store::migrate::{Migrator, Source};
use nova_testkit::postgres::{Database, Postgres};
use sqlx::PgPool;

/// A table, its content, an index that is built beside traffic, a function.
pub(crate) const LIST: &[Source] = &[
    Source {
        name: "0001_extension",
        up: "-- nova: as the session\n-- nova:as=session\ncreate schema side;\n",
        down: "-- nova: as the session\n-- nova:as=session\ndrop schema side;\n",
    },
    Source {
        name: "0002_things",
        up: "-- nova: things\ncreate table things (id bigint primary key, note text not null);\n\
             insert into things select n, 'note ' || n from generate_series(1, 1000) n;\n",
        down: "-- nova: things\ndrop table things;\n",
    },
    Source {
        name: "0003_things_note",
        up: "-- nova: find things by note\n-- nova:no-transaction\n\
             create index concurrently things_note on things (note);\n",
        down: "-- nova: no index\n-- nova:no-transaction\ndrop index concurrently things_note;\n",
    },
    Source {
        name: "0004_count",
        up: "-- nova: a function\ncreate function thing_count() returns bigint language sql stable\n\
             begin atomic select count(*) from things; end;\ngrant execute on function thing_count() to public;\n",
        down: "-- nova: no function\ndrop function thing_count();\n",
    },
];

/// A database of its own for one test.
pub(crate) async fn database() -> Database {
    Postgres::shared().await.empty_database().await
}

/// A runner of the list on a database.
pub(crate) fn migrator(database: &Database) -> Migrator {
    migrator_of(database, LIST)
}

/// A runner of some list on a database.
pub(crate) fn migrator_of(database: &Database, list: &[Source]) -> Migrator {
    Migrator::with(database.url.parse().unwrap(), list.to_vec())
}

/// One value from the database.
pub(crate) async fn value<T>(pool: &PgPool, query: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// What the history holds, as `version name state`.
pub(crate) async fn history(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select format('%s %s', name, state) from nova_schema_migrations order by version",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// The history of a complete run of the list.
pub(crate) const COMPLETE: [&str; 4] = [
    "0001_extension applied",
    "0002_things applied",
    "0003_things_note applied",
    "0004_count applied",
];
