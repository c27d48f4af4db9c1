//! What the local cloud needs beside migrations: a database, and logins to try the roles with.
//!
//! In the cloud both are Terraform's.

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::error::{Error, sqlstate};
use super::grants::{self, quoted};
use super::{Migrator, close};

/// Makes the database `name` on the server behind `url`, unless it is there.
pub fn create_database<'a>(url: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), Error>> {
    Box::pin(async move {
        let mut connection = PgConnection::connect_with(&options(url)?)
            .await
            .map_err(Error::database("connecting"))?;
        let statement = format!("create database {}", quoted(name));
        let created = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await;
        close(connection).await;
        match created {
            Err(error) if !matches!(sqlstate(&error).as_deref(), Some("42P04" | "23505")) => {
                Err(Error::database("creating the database")(error))
            }
            _ => Ok(()),
        }
    })
}

/// Brings the database behind `url` to this build's schema, and makes the logins of
/// `login=family,login=family` where they are missing.
pub fn prepare<'a>(url: &'a str, grants: &'a str) -> BoxFuture<'a, Result<(), Error>> {
    Box::pin(async move {
        let migrator = Migrator::new(options(url)?);
        migrator.up(None).await?;
        migrator.grants(&grants::parse(grants)?, true).await?;
        Ok(())
    })
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    // The address may hold a password: it is not repeated.
    url.parse().map_err(|error: sqlx::Error| {
        Error::Refused(format!("the database's address is wrong: {error}"))
    })
}
