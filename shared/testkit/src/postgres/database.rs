//! One test's own database.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::dropper::Dropper;

/// Where a server listens: the directory of its unix socket and the port in the socket's name.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
}

impl Address {
    /// The file of the unix socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join(format!(".s.PGSQL.{}", self.port))
    }

    /// `localhost` is there for libpq and sqlx to have a host; both then take the one of the query.
    pub(super) fn url(&self, user: &str, database: &str) -> String {
        let user: String = url::form_urlencoded::byte_serialize(user.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        format!(
            "postgres://{user}@localhost/{database}?host={}&port={}",
            self.directory.display(),
            self.port
        )
    }
}

/// A database of its own for one test, on a throw-away server.
///
/// It is dropped with this value, whoever is still connected: hold on to it.
#[derive(Debug)]
pub struct Database {
    /// Its name on the server.
    pub name: String,
    /// Its address for the superuser `postgres`, through the unix socket.
    pub url: String,
    pub(super) address: Address,
    pub(super) dropper: Dropper,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.dropper.drop_later(&self.name);
    }
}

impl Database {
    /// Its address for another role; the socket asks for no password.
    pub fn url_as(&self, user: &str) -> String {
        self.address.url(user, &self.name)
    }

    /// Its address for the superuser at another place, such as a proxy before the server's socket.
    pub fn url_at(&self, proxy: SocketAddr) -> String {
        format!("postgres://postgres@{proxy}/{}", self.name)
    }

    /// The unix socket of its server, as the upstream of a proxy.
    pub fn socket(&self) -> PathBuf {
        self.address.socket()
    }

    /// A small pool of the superuser's connections.
    pub fn pool(&self) -> PgPool {
        small_pool(&self.url)
    }

    /// A small pool of another role's connections.
    pub fn pool_as(&self, user: &str) -> PgPool {
        small_pool(&self.url_as(user))
    }
}

/// Many tests run at once against one server's hundred connections.
fn small_pool(url: &str) -> PgPool {
    let options = url
        .parse::<PgConnectOptions>()
        .expect("Address makes valid URLs")
        .disable_statement_logging();
    PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options)
}

/// Runs one statement on a connection of its own.
pub(super) async fn execute(url: &str, statement: String) -> Result<()> {
    let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
    let mut connection = options
        .connect()
        .await
        .context("cannot connect to the test server")?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await?;
    Ok(())
}
