//! What the environment says to this job.

use nova_runtime::database::Route;
use nova_runtime::tokens::TokenSource;
use nova_runtime::{Config, ConfigError, Environment};
use nova_store::migrate::ConnectOptions;

/// The settings of a command that needs the database.
pub(crate) struct Settings {
    database: Route,
    grants: Option<String>,
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: route(&Config::read(environment)?)?,
            grants: environment.get("NOVA_DB_GRANTS").map(str::to_owned),
        })
    }

    /// How to connect.
    pub(crate) fn database(&self) -> ConnectOptions {
        self.database.options().clone()
    }

    /// `NOVA_DB_GRANTS`, if set.
    pub(crate) fn grants(&self) -> Option<&str> {
        self.grants.as_deref()
    }
}

/// One direct session, not the functions' pool: its limits are for requests, and a migration may
/// take as long as it takes.
fn route(config: &Config) -> Result<Route, ConfigError> {
    let database = config.database.as_ref().ok_or_else(|| {
        ConfigError::new("set DATABASE_URL to postgres://user@host/database, or CLOUD_SQL_INSTANCE")
    })?;
    Route::new(&database.target, &TokenSource::new(&config.google)?)
}
