//! Opens connections over one connector, asks each who it is, and prints one line of JSON.
//!
//! It is what our own tests and comparisons with other connectors start as a process; everything is
//! said by environment variables:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CSQL_INSTANCE` | `project:region:instance`, or a DNS name |
//! | `CSQL_USER`, `CSQL_PASSWORD`, `CSQL_DB` | the database user, its password if it has one, the database (`postgres`) |
//! | `CSQL_IAM` | 1: the user is an IAM principal and logs in by certificate |
//! | `CSQL_IP_TYPE` | `PUBLIC`, `PRIVATE`, `PSC`, `AUTO` |
//! | `CSQL_REFRESH` | `lazy`, `background` |
//! | `CSQL_CONNECTIONS` | how many (1) |
//! | `CSQL_SEQUENTIAL` | 1: one after the other; else all at once |
//! | `CSQL_HOLD_MS` | how long each is kept open after its query (0) |
//! | `CSQL_TIMEOUT_MS` | for each connection, its query included (30000) |
//! | `CSQL_ENDPOINT` | the address of the Admin API |
//! | `CSQL_DNS` | `host:port` of a DNS server, for instances named by DNS names |
//! | `CSQL_QUOTA_PROJECT` | who pays for calls of the Admin API |
//!
//! Credentials are found as usual: `GOOGLE_APPLICATION_CREDENTIALS`, `GCE_METADATA_HOST`.

use std::{env, io, net::SocketAddr, process::ExitCode, str::FromStr, sync::Arc, time::Duration};

use cloudsql_connector::{Connector, DnsResolver, Error, IpType, PgBridge, Refresh};
use futures_util::future::try_join_all;
use serde_json::json;
use sqlx::{
    Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgDatabaseError},
};
use tokio::time::{Instant, timeout_at};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread");
    let outcome = runtime.block_on(probe());
    // A name that the system still looks up must not keep the result back.
    runtime.shutdown_background();
    let (line, exit) = match outcome {
        Ok((rows, user)) => (
            json!({"ok": true, "rows": rows, "user": user}),
            ExitCode::SUCCESS,
        ),
        Err(failure) => (
            json!({"ok": false, "class": failure.class, "error": failure.error}),
            ExitCode::FAILURE,
        ),
    };
    #[expect(
        clippy::print_stdout,
        reason = "the result is what this program is for"
    )]
    {
        println!("{line}");
    }
    exit
}

struct Failure {
    class: String,
    error: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            class: error.class(),
            error: error.to_string(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let database = error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        let Some(database) = database else {
            return Self {
                class: "database".to_owned(),
                error: error.to_string(),
            };
        };
        // The bridge says here what went wrong on the way to the server.
        let routine = database.routine().unwrap_or_default();
        let class = routine.strip_prefix("cloudsql::");
        let class = class.map_or_else(|| format!("database/{}", database.code()), str::to_owned);
        let mut said = database.message().to_owned();
        for (name, more) in [("detail", database.detail()), ("hint", database.hint())] {
            if let Some(more) = more {
                said = format!("{said}; {name}: {more}");
            }
        }
        Self { class, error: said }
    }
}

async fn probe() -> Result<(usize, String), Failure> {
    let timeout = Duration::from_millis(read("CSQL_TIMEOUT_MS", 30_000)?);
    let mut builder = Connector::builder()
        .iam_login(read("CSQL_IAM", 0)? == 1)
        .ip_type(read("CSQL_IP_TYPE", IpType::default())?)
        .refresh(read("CSQL_REFRESH", Refresh::default())?)
        .timeout(timeout)
        .user_agent("cloudsql-probe/1.0");
    if let Some(endpoint) = text("CSQL_ENDPOINT") {
        builder = builder.endpoint(endpoint);
    }
    if let Some(project) = text("CSQL_QUOTA_PROJECT") {
        builder = builder.quota_project(project);
    }
    if let Some(server) = text("CSQL_DNS") {
        let server = address_of(&server).await.map_err(|error| Failure {
            class: "configuration".to_owned(),
            error: format!("CSQL_DNS: {error}"),
        })?;
        builder = builder.resolver(Arc::new(DnsResolver::at(server)));
    }
    let connector = builder.build()?;
    let instance = text("CSQL_INSTANCE").unwrap_or_default();
    let bridge = PgBridge::start(&connector, &instance)?;
    let mut options = bridge
        .options(&text("CSQL_USER").unwrap_or_default())
        .database(text("CSQL_DB").as_deref().unwrap_or("postgres"));
    if let Some(password) = text("CSQL_PASSWORD") {
        options = options.password(&password);
    }
    let hold = Duration::from_millis(read("CSQL_HOLD_MS", 0)?);
    let connections = read("CSQL_CONNECTIONS", 1)?;
    let users = if read("CSQL_SEQUENTIAL", 0)? == 1 {
        let mut users = Vec::new();
        for _ in 0..connections {
            users.push(ask(&options, timeout, hold).await?);
        }
        users
    } else {
        try_join_all((0..connections).map(|_| ask(&options, timeout, hold))).await?
    };
    connector.close(Duration::from_secs(1)).await;
    Ok((users.len(), users.into_iter().next().unwrap_or_default()))
}

/// Of a `host:port`; a host with addresses of both kinds is asked by IPv4.
async fn address_of(server: &str) -> io::Result<SocketAddr> {
    let found = tokio::net::lookup_host(server).await?;
    let first = found.min_by_key(SocketAddr::is_ipv6);
    first.ok_or_else(|| io::Error::other(format!("{server} has no address")))
}

async fn ask(
    options: &PgConnectOptions,
    timeout: Duration,
    hold: Duration,
) -> Result<String, Failure> {
    // The connector, which can say more about it, is late first.
    let deadline = Instant::now() + timeout + Duration::from_millis(100);
    let connecting = PgConnection::connect_with(options);
    let mut connection = within(deadline, "login", connecting).await?;
    let query = sqlx::query_scalar("select current_user::text").fetch_one(&mut connection);
    let user = within(deadline, "query", query).await?;
    // A timer that is due at once still takes a millisecond.
    if !hold.is_zero() {
        tokio::time::sleep(hold).await;
    }
    within(Instant::now() + timeout, "close", connection.close()).await?;
    Ok(user)
}

async fn within<T>(
    deadline: Instant,
    step: &str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    match timeout_at(deadline, work).await {
        Ok(done) => Ok(done?),
        Err(_late) => Err(Failure {
            class: format!("{step}/timeout"),
            error: "the time for a connection is over".to_owned(),
        }),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this program is told everything that way"
)]
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn read<T>(name: &str, default: T) -> Result<T, Failure>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let Some(value) = text(name) else {
        return Ok(default);
    };
    value.parse().map_err(|error| Failure {
        class: "configuration".to_owned(),
        error: format!("{name}: {error}"),
    })
}
