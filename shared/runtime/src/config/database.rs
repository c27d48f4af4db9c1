//! Where the rows are: the settings of the way to the database.

use std::{fmt, str::FromStr as _, time::Duration};

use cloudsql_connector::{IpType, Refresh};
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::{Secret, environment::Reader, web_address};

/// One database, reached in one of two ways.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// How to reach it.
    pub target: DatabaseTarget,
    /// `DB_POOL_MAX`: connections that one instance holds at most. Default 4.
    pub max_connections: u32,
    /// `DB_ACQUIRE_TIMEOUT_SECONDS`: how long a request waits for a connection. Default 5 s.
    pub acquire_timeout: Duration,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseTarget {
    /// `DATABASE_URL`.
    Url(DatabaseUrl),
    /// `CLOUD_SQL_INSTANCE`: reached by the Cloud SQL connector.
    CloudSql(CloudSqlConfig),
}

/// A database in Cloud SQL. Two settings more are read by the connector itself, as all connectors of
/// Google's do: `GOOGLE_CLOUD_UNIVERSE_DOMAIN` and `GOOGLE_CLOUD_QUOTA_PROJECT`.
#[derive(Clone, Debug)]
pub struct CloudSqlConfig {
    /// `CLOUD_SQL_INSTANCE`: `project:region:instance`, or a DNS name that leads to one.
    pub instance: String,
    /// `DB_USER`: a database or IAM user; the function's own service account when not set.
    pub user: Option<String>,
    /// `DB_PASS`: only for users with a password; all others log in by IAM.
    pub password: Option<Secret>,
    /// `DB_NAME`. Default `nova_research`.
    pub database: String,
    /// `CLOUD_SQL_IP_TYPE`: `PUBLIC`, `PRIVATE`, `PSC` or `AUTO`. Default `PUBLIC`.
    pub ip_type: IpType,
    /// `CLOUD_SQL_REFRESH`: `lazy` or `background`. Default `lazy`.
    pub refresh: Refresh,
    /// `SQLADMIN_BASE_URL`: another address of Google's Admin API.
    pub endpoint: Option<Url>,
}

/// A database's address, taken apart. The driver's own type would print the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub Box<PgConnectOptions>);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.0.get_host(), self.0.get_port());
        write!(
            formatter,
            "postgres://{host}:{port}/{}",
            self.0.get_database().unwrap_or_default()
        )
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<DatabaseConfig> {
    let url = reader.parse(
        "DATABASE_URL",
        "a PostgreSQL address, postgres://user@host/database",
        |value| {
            // SQLAlchemy's spelling of the scheme is what some deployments have set.
            let value = value.replacen("postgresql+asyncpg://", "postgresql://", 1);
            let postgres = ["postgres://", "postgresql://"]
                .iter()
                .any(|one| value.starts_with(one));
            PgConnectOptions::from_str(&value).ok().filter(|_| postgres)
        },
    );
    let instance = reader.parse(
        "CLOUD_SQL_INSTANCE",
        "project:region:instance, or a DNS name that leads to one",
        |value| cloudsql_connector::is_instance(value).then(|| value.to_owned()),
    );
    let target = match (url, instance) {
        (Some(_), Some(_)) => {
            reader.refuse("DATABASE_URL and CLOUD_SQL_INSTANCE are both set: keep one of them");
            return None;
        }
        (Some(url), None) => DatabaseTarget::Url(DatabaseUrl(Box::new(url))),
        (None, Some(instance)) => DatabaseTarget::CloudSql(CloudSqlConfig {
            instance,
            user: reader.text("DB_USER"),
            password: reader.text("DB_PASS").map(Secret::new),
            database: reader
                .text("DB_NAME")
                .unwrap_or_else(|| "nova_research".to_owned()),
            ip_type: reader
                .parse(
                    "CLOUD_SQL_IP_TYPE",
                    "PUBLIC, PRIVATE, PSC or AUTO",
                    |value| value.parse().ok(),
                )
                .unwrap_or_default(),
            refresh: reader
                .parse("CLOUD_SQL_REFRESH", "lazy or background", |value| {
                    value.parse().ok()
                })
                .unwrap_or_default(),
            endpoint: reader.parse(
                "SQLADMIN_BASE_URL",
                "an http or https address without query",
                web_address,
            ),
        }),
        (None, None) => return None,
    };
    Some(DatabaseConfig {
        target,
        max_connections: reader
            .parse(
                "DB_POOL_MAX",
                "connections per instance, 1 to 100",
                |value| value.parse().ok().filter(|count| (1..=100).contains(count)),
            )
            .unwrap_or(4),
        acquire_timeout: reader
            .parse("DB_ACQUIRE_TIMEOUT_SECONDS", "seconds, 1 to 120", |value| {
                value
                    .parse()
                    .ok()
                    .filter(|seconds| (1..=120).contains(seconds))
            })
            .map_or(Duration::from_secs(5), Duration::from_secs),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Config, Environment},
        *,
    };

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Config, String> {
        Config::read(&Environment::from(pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn two_databases_at_once_are_refused() {
        let error = read([
            ("DATABASE_URL", "postgres://nova@localhost/nova"),
            ("CLOUD_SQL_INSTANCE", "acme:europe-west1:nova"),
        ])
        .unwrap_err();
        assert!(error.contains("keep one of them"), "{error}");
    }

    #[test]
    fn an_instance_alone_is_reached_publicly_and_lazily_by_iam() {
        let config = read([("CLOUD_SQL_INSTANCE", "acme:europe-west1:nova")]).unwrap();
        let DatabaseTarget::CloudSql(cloud) = config.database.unwrap().target else {
            panic!("not Cloud SQL");
        };
        assert!(cloud.user.is_none() && cloud.password.is_none() && cloud.endpoint.is_none());
        assert_eq!(cloud.database, "nova_research");
        assert_eq!(
            (cloud.ip_type, cloud.refresh),
            (IpType::Public, Refresh::Lazy)
        );
    }

    #[test]
    fn a_wrong_setting_of_cloud_sql_is_named_with_what_is_accepted() {
        let error = read([
            ("CLOUD_SQL_INSTANCE", "acme:europe-west1:nova"),
            ("CLOUD_SQL_IP_TYPE", "INTERNAL"),
            ("CLOUD_SQL_REFRESH", "eager"),
            ("SQLADMIN_BASE_URL", "sqladmin.example"),
        ])
        .unwrap_err();
        for expected in [
            "CLOUD_SQL_IP_TYPE=INTERNAL: PUBLIC, PRIVATE, PSC or AUTO",
            "CLOUD_SQL_REFRESH=eager: lazy or background",
            "SQLADMIN_BASE_URL=sqladmin.example: an http or https address",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        let error = read([("CLOUD_SQL_INSTANCE", "nova")]).unwrap_err();
        assert!(
            error.contains("CLOUD_SQL_INSTANCE=nova: project:region:instance, or a DNS name"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_of_a_secret_is_not_repeated() {
        let error = read([("DATABASE_URL", "postgre://nova:hunter2@localhost/nova")]).unwrap_err();
        assert!(
            error.contains("DATABASE_URL: a PostgreSQL address"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
