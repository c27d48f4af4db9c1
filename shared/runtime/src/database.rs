//! The way to the database: connected when a request first needs it.

use cloudsql_connector::{Connector, PgBridge};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    config::{CloudSqlConfig, ConfigError, DatabaseConfig, DatabaseTarget},
    tokens::TokenSource,
};

/// How to reach the database; keep it as long as there are connections. Nothing is connected yet.
#[derive(Debug)]
pub struct Route {
    options: PgConnectOptions,
    /// The way into Cloud SQL, if that is where the database is.
    _bridge: Option<PgBridge>,
}

impl Route {
    /// The route to a target; within a runtime, since the bridge into Cloud SQL listens from now on.
    ///
    /// # Errors
    ///
    /// When the target's settings cannot work.
    pub fn new(target: &DatabaseTarget, tokens: &TokenSource) -> Result<Self, ConfigError> {
        match target {
            DatabaseTarget::Url(url) => Ok(Self {
                options: (*url.0).clone(),
                _bridge: None,
            }),
            DatabaseTarget::CloudSql(config) => cloud_sql(config, tokens).map_err(|error| {
                ConfigError::new(format!("CLOUD_SQL_INSTANCE={}: {error}", config.instance))
            }),
        }
    }

    /// The driver's options.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

fn cloud_sql(
    config: &CloudSqlConfig,
    tokens: &TokenSource,
) -> Result<Route, cloudsql_connector::Error> {
    let mut builder = Connector::builder()
        .iam_login(config.password.is_none())
        .ip_type(config.ip_type)
        .refresh(config.refresh)
        .user_agent(concat!("nova/", env!("CARGO_PKG_VERSION")));
    if let Some(tokens) = tokens.shared() {
        builder = builder.shared_tokens(tokens);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.endpoint(endpoint.as_str());
    }
    let bridge = PgBridge::start(&builder.build()?, &config.instance)?;
    let options = match &config.user {
        Some(user) => bridge.options(user),
        None => bridge.options_of_principal(),
    };
    let options = options.database(&config.database);
    Ok(Route {
        options: match &config.password {
            Some(password) => options.password(password.reveal()),
            None => options,
        },
        _bridge: Some(bridge),
    })
}

/// What connects for the store, as often as it may at once. Nothing is connected yet.
pub(crate) fn pool(function: &str, config: &DatabaseConfig, route: &Route) -> PgPool {
    let options = route
        .options
        .clone()
        .application_name(function)
        // A dropped query future does not stop the query: the server has to.
        .options([
            ("statement_timeout", "30s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
            // What is written for this is run in nothing stricter, whatever the database says.
            ("default_transaction_isolation", "read committed"),
        ]);
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use nova_testkit::postgres::Postgres;

    use super::*;
    use crate::config::{Config, Environment};

    #[tokio::test]
    async fn every_session_has_its_limits_whatever_the_database_says() {
        let database = Postgres::shared().await.empty_database().await;
        let defaults = format!(
            "ALTER DATABASE {0} SET default_transaction_isolation = 'serializable';
             ALTER DATABASE {0} SET idle_in_transaction_session_timeout = 0",
            database.name
        );
        let alter = sqlx::raw_sql(sqlx::AssertSqlSafe(defaults));
        alter.execute(&database.pool()).await.unwrap();
        let environment = Environment::from([("DATABASE_URL", &*database.url)]);
        let config = Config::read(&environment).unwrap().database.unwrap();
        let route = Route::new(&config.target, &TokenSource::anonymous()).unwrap();
        let pool = pool("sample", &config, &route);
        for (setting, value) in [
            ("transaction_isolation", "read committed"),
            ("statement_timeout", "30s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("application_name", "sample"),
        ] {
            let shown = sqlx::query_scalar::<_, String>("SELECT current_setting($1)");
            let shown = shown.bind(setting).fetch_one(&pool).await.unwrap();
            assert_eq!(shown, value, "{setting}");
        }
    }
}
