//! The pool: connects when a request first needs it, and checks what slept.
//!
//! Cloud Run stops the processor between requests, so a connection may be dead when the next
//! request comes. One that was idle for more than a few seconds is pinged before it is lent; one
//! that was just used is not, which saves a round trip on a busy instance.

use std::time::Duration;

use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config::{ConfigError, DatabaseConfig, DatabaseTarget};

const PING_AFTER_IDLE: Duration = Duration::from_secs(5);
const CLOSE_AFTER_IDLE: Duration = Duration::from_mins(5);
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// A pool that has not connected yet.
///
/// # Errors
///
/// When the target is one that this build cannot reach.
pub(crate) fn pool(function: &str, config: &DatabaseConfig) -> Result<PgPool, ConfigError> {
    let options = PgPoolOptions::new()
        .min_connections(0)
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(CLOSE_AFTER_IDLE)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for > PING_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    Ok(options.connect_lazy_with(connect_options(function, &config.target)?))
}

fn connect_options(
    function: &str,
    target: &DatabaseTarget,
) -> Result<PgConnectOptions, ConfigError> {
    match target {
        DatabaseTarget::Url(url) => Ok((*url.0)
            .clone()
            .application_name(function)
            // A dropped query future does not stop the query: the server has to.
            .options([
                ("statement_timeout", "30s"),
                ("lock_timeout", "5s"),
                ("idle_in_transaction_session_timeout", "10s"),
            ])),
        DatabaseTarget::CloudSql { instance, .. } => Err(ConfigError::new(format!(
            "CLOUD_SQL_INSTANCE={instance}: this build has no Cloud SQL connector; set DATABASE_URL"
        ))),
    }
}
