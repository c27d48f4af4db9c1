//! The variables that this job reads.

use nova_store::migrate::{ConnectOptions, Error};

/// What the environment says.
pub(crate) struct Settings {
    database_url: Option<String>,
    grants: Option<String>,
    is_job: bool,
}

impl Settings {
    /// Reads the environment; an empty variable counts as not set.
    pub(crate) fn read(environment: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| environment(name).filter(|value| !value.trim().is_empty());
        Self {
            database_url: text("DATABASE_URL"),
            grants: text("NOVA_DB_GRANTS"),
            is_job: text("CLOUD_RUN_JOB").is_some(),
        }
    }

    /// How to connect. A direct session is needed, so this is not the functions' pool; the Cloud
    /// SQL connector gives the same type.
    pub(crate) fn database(&self) -> Result<ConnectOptions, Error> {
        let Some(url) = &self.database_url else {
            return Err(Error::Refused(
                "set DATABASE_URL to postgres://user@host/database".to_owned(),
            ));
        };
        // SQLAlchemy's spelling of the scheme is what some deployments have set.
        let url = url
            .trim()
            .replacen("postgresql+asyncpg://", "postgresql://", 1);
        // The value may hold a password: it is not repeated.
        url.parse().map_err(|error| {
            Error::Refused(format!("DATABASE_URL is no PostgreSQL address: {error}"))
        })
    }

    /// `NOVA_DB_GRANTS`, if set.
    pub(crate) fn grants(&self) -> Option<&str> {
        self.grants.as_deref()
    }

    /// Whether Cloud Run started this as a job.
    pub(crate) fn is_job(&self) -> bool {
        self.is_job
    }
}
