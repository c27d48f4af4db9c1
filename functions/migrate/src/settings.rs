//! What the environment says to this job.

use nova_runtime::config::DatabaseTarget;
use nova_runtime::{Config, ConfigError, Environment};
use nova_store::migrate::ConnectOptions;

/// The settings of a command that needs the database.
pub(crate) struct Settings {
    database: ConnectOptions,
    grants: Option<String>,
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: connect_options(&Config::read(environment)?)?,
            grants: environment.get("NOVA_DB_GRANTS").map(str::to_owned),
        })
    }

    /// How to connect.
    pub(crate) fn database(&self) -> ConnectOptions {
        self.database.clone()
    }

    /// `NOVA_DB_GRANTS`, if set.
    pub(crate) fn grants(&self) -> Option<&str> {
        self.grants.as_deref()
    }
}

/// One direct session, not the functions' pool: its limits are for requests, and a migration may
/// take as long as it takes.
fn connect_options(config: &Config) -> Result<ConnectOptions, ConfigError> {
    match config.database.as_ref().map(|database| &database.target) {
        Some(DatabaseTarget::Url(url)) => Ok((*url.0).clone()),
        Some(DatabaseTarget::CloudSql { instance, .. }) => Err(ConfigError::new(format!(
            "CLOUD_SQL_INSTANCE={instance}: this build has no Cloud SQL connector; set DATABASE_URL"
        ))),
        None => Err(ConfigError::new(
            "set DATABASE_URL to postgres://user@host/database, or CLOUD_SQL_INSTANCE",
        )),
    }
}
