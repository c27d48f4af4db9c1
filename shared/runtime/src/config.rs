//! Settings: every environment variable is read once, at start, into a type.
//!
//! A value that does not fit stops the program before it listens, with one line for each
//! wrong variable that names it and says what is accepted:
//!
//! ```
//! use nova_runtime::config::{Config, Environment};
//!
//! let environment = Environment::from([("PORT", "eighty"), ("MONTHLY_TOOL_CALL_LIMIT", "-1")]);
//! let error = Config::read(&environment).unwrap_err().to_string();
//! assert!(error.contains("PORT=eighty: a port number, 1 to 65535"));
//! assert!(error.contains("MONTHLY_TOOL_CALL_LIMIT=-1: calls per month, 0 for no limit"));
//! ```

mod bigquery;
mod code_hosts;
mod database;
mod environment;
mod fetch;
mod models;
mod names;
mod providers;
mod search;
mod secret;
mod tasks;

use std::{path::PathBuf, str::FromStr as _};

use url::Url;

use crate::identity::VerifierConfig;

pub use self::{
    bigquery::BigQueryConfig,
    code_hosts::CodeHost,
    database::{CloudSqlConfig, DatabaseConfig, DatabaseTarget, DatabaseUrl},
    environment::{ConfigError, Environment},
    fetch::FetchConfig,
    models::{LlmProvider, ModelsConfig, VertexConfig},
    names::names_of,
    providers::{Endpoint, PageReaderChoice, ProvidersConfig},
    search::{SearchConfig, SearchProvider},
    secret::Secret,
    tasks::TasksConfig,
};

/// Everything that a function is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// `PORT`: where to listen; Cloud Run sets it. Default 8080.
    pub port: u16,
    /// `SERVER_URL`: the address that users know, without a trailing slash in its path.
    /// Links, cookies and token audiences are made from it. Default `http://localhost:PORT`.
    pub server_url: Url,
    /// Where the rows are; `None` when nothing is set.
    pub database: Option<DatabaseConfig>,
    /// Who vouches for users; `None` when nothing is set.
    pub identity: Option<IdentityConfig>,
    /// Where file contents are.
    pub blobs: BlobsConfig,
    /// Where usage is exported to; `None` when nothing is set.
    pub bigquery: Option<BigQueryConfig>,
    /// Whose Google access tokens this process uses.
    pub google: GoogleCredentials,
    /// How pages of others are fetched.
    pub fetch: FetchConfig,
    /// Who is paid for what.
    pub providers: ProvidersConfig,
    /// Who calls for workers; `None` when nothing is set.
    pub tasks: Option<TasksConfig>,
    /// `MONTHLY_TOOL_CALL_LIMIT`: tool calls a user may make in a month, 0 for no limit. Default 100.
    pub monthly_tool_call_limit: u32,
    /// `USAGE_MONTHS`: months of usage that are kept beside the present one, 0 for all. Default 0. The
    /// export looks back on five weeks.
    pub usage_months: u32,
    /// `LOG_LEVEL`: a `tracing` filter such as `info` or `warn,nova_store=debug`. Default `info`. Programs that are
    /// built for release have no lines of `trace`.
    pub log_level: String,
    /// `LOG_FORMAT`: `json`, `text`, or `auto` (text on a terminal). Default `auto`.
    pub log_format: LogFormat,
    /// `GOOGLE_CLOUD_PROJECT` (or `GCP_PROJECT_ID`): names the traces that log lines belong to, and who
    /// pays for models and loads.
    pub project: Option<String>,
    /// `K_SERVICE`: set by Cloud Run for services.
    pub service: Option<String>,
    /// What to do once and exit, when started as a Cloud Run job.
    pub job: Option<JobConfig>,
}

/// Who vouches for users.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// Whose tokens are accepted. `OIDC_ISSUER`, or `DESCOPE_PROJECT_ID` with `DESCOPE_BASE_URL`;
    /// `OIDC_AUDIENCE`, comma-separated (default: `SERVER_URL` and its `/mcp`);
    /// `OIDC_JWKS_URL` for issuers without a discovery document.
    pub verifier: VerifierConfig,
    /// `OIDC_CLIENT_ID`: what the sign-in page calls itself. Default `nova`.
    pub client_id: String,
    /// `OIDC_CLIENT_SECRET`: for issuers that demand one although PKCE is used.
    pub client_secret: Option<Secret>,
}

/// Where file contents are.
#[derive(Clone, Debug)]
pub struct BlobsConfig {
    /// `BLOB_BUCKET`: the Cloud Storage bucket.
    pub bucket: Option<String>,
    /// `STORAGE_EMULATOR_HOST`: a stand-in for Cloud Storage, `http://host:port`; no credentials are sent to it.
    pub emulator: Option<Url>,
}

/// Whose Google access tokens this process uses. Nothing is probed: that takes seconds to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoogleCredentials {
    /// Those of the service account that the process runs as, from the metadata server
    /// (`GCE_METADATA_HOST`; Google's own when not set).
    MetadataServer(Option<String>),
    /// `GOOGLE_APPLICATION_CREDENTIALS`: those of a service account whose key is in this file.
    KeyFile(PathBuf),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, as Cloud Logging reads it.
    Json,
    /// For people.
    Text,
}

/// What a Cloud Run job execution asks for.
#[derive(Clone, Debug)]
pub struct JobConfig {
    /// `NOVA_ONCE`: the JSON that `--once` would be given.
    pub once: Option<String>,
    /// `NOVA_USER`: in whose name.
    pub user: Option<String>,
    /// Which of the execution's tasks this is; `None` when that was not said.
    pub task: Option<TaskConfig>,
}

/// One of the tasks of a Cloud Run job execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskConfig {
    /// `CLOUD_RUN_EXECUTION`: the execution's name; all its tasks have the same.
    pub execution: String,
    /// `CLOUD_RUN_TASK_INDEX`: from 0.
    pub index: u64,
    /// `CLOUD_RUN_TASK_COUNT`.
    pub count: u64,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// One line for each variable that is wrong or contradicts another.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = environment.reader();
        let port = reader.parse("PORT", "a port number, 1 to 65535", |value| {
            value.parse::<u16>().ok().filter(|port| *port != 0)
        });
        let port = port.unwrap_or(8080);
        let server_url = reader
            .parse(
                "SERVER_URL",
                "an http or https address without query",
                web_address,
            )
            .or_else(|| Url::parse(&format!("http://localhost:{port}")).ok());
        let (Some(server_url), Some(providers)) = (server_url, providers::read(&mut reader)) else {
            return Err(reader.finish().err().unwrap_or_default());
        };
        let config = Self {
            port,
            database: database::read(&mut reader),
            identity: identity(&mut reader, &server_url),
            blobs: BlobsConfig {
                bucket: reader.text("BLOB_BUCKET"),
                emulator: reader.parse(
                    "STORAGE_EMULATOR_HOST",
                    "the address of a storage emulator, such as http://127.0.0.1:9023",
                    emulator_address,
                ),
            },
            bigquery: bigquery::read(&mut reader),
            google: match reader.text("GOOGLE_APPLICATION_CREDENTIALS") {
                Some(path) => GoogleCredentials::KeyFile(path.into()),
                None => GoogleCredentials::MetadataServer(reader.text("GCE_METADATA_HOST")),
            },
            fetch: fetch::read(&mut reader),
            providers,
            tasks: tasks::read(&mut reader),
            monthly_tool_call_limit: reader
                .parse(
                    "MONTHLY_TOOL_CALL_LIMIT",
                    "calls per month, 0 for no limit",
                    |value| value.parse().ok(),
                )
                .unwrap_or(100),
            usage_months: reader
                .parse(
                    "USAGE_MONTHS",
                    "months, 3 to 1200, or 0 to keep all",
                    |value| value.parse().ok().filter(|it| matches!(it, 0 | 3..=1200)),
                )
                .unwrap_or(0),
            log_level: reader
                .parse(
                    "LOG_LEVEL",
                    "error, warn, info, debug, trace, or a tracing filter",
                    |value| {
                        let filter = value.to_ascii_lowercase().replace("warning", "warn");
                        tracing_subscriber::filter::Targets::from_str(&filter)
                            .ok()
                            .map(|_| filter)
                    },
                )
                .unwrap_or_else(|| "info".to_owned()),
            log_format: log_format(&mut reader),
            project: reader
                .text("GOOGLE_CLOUD_PROJECT")
                .or_else(|| reader.text("GCP_PROJECT_ID")),
            service: reader.text("K_SERVICE"),
            job: reader.text("CLOUD_RUN_JOB").map(|_| JobConfig {
                once: reader.text("NOVA_ONCE"),
                user: reader.text("NOVA_USER"),
                task: task(&mut reader),
            }),
            server_url,
        };
        reader.finish()?;
        Ok(config)
    }
}

fn identity(reader: &mut environment::Reader<'_>, server_url: &Url) -> Option<IdentityConfig> {
    let issuer = reader.parse(
        "OIDC_ISSUER",
        "the issuer's http or https address",
        web_address,
    );
    let base = reader.parse("DESCOPE_BASE_URL", "an http or https address", web_address);
    let base = base.or_else(|| Url::parse("https://api.descope.com").ok());
    let mut verifier = match (issuer, reader.text("DESCOPE_PROJECT_ID"), base) {
        (Some(issuer), _, _) => {
            let names = names_of(server_url);
            let audiences = names.iter().flat_map(|name| {
                let server = name.as_str().trim_end_matches('/');
                [server.to_owned(), format!("{server}/mcp")]
            });
            VerifierConfig::oidc(issuer, audiences.collect())
        }
        (None, Some(project), Some(base)) => VerifierConfig::descope(&base, &project).ok()?,
        _ => return None,
    };
    if let Some(list) = reader.text("OIDC_AUDIENCE") {
        let audiences = list.split(',').map(str::trim).filter(|one| !one.is_empty());
        verifier.audiences = audiences.map(str::to_owned).collect();
    }
    if let Some(url) = reader.parse("OIDC_JWKS_URL", "an http or https address", web_address) {
        verifier.jwks_url = Some(url);
    }
    Some(IdentityConfig {
        verifier,
        client_id: reader
            .text("OIDC_CLIENT_ID")
            .unwrap_or_else(|| "nova".to_owned()),
        client_secret: reader.text("OIDC_CLIENT_SECRET").map(Secret::new),
    })
}

fn task(reader: &mut environment::Reader<'_>) -> Option<TaskConfig> {
    let number = |value: &str| value.parse().ok();
    let index = reader.parse("CLOUD_RUN_TASK_INDEX", "a number", number);
    let count = reader.parse("CLOUD_RUN_TASK_COUNT", "a number", number);
    Some(TaskConfig {
        execution: reader.text("CLOUD_RUN_EXECUTION")?,
        index: index?,
        count: count?,
    })
}

fn log_format(reader: &mut environment::Reader<'_>) -> LogFormat {
    use std::io::IsTerminal as _;
    let wanted = reader.parse("LOG_FORMAT", "json, text or auto", |value| match value {
        "json" => Some(Some(LogFormat::Json)),
        "text" => Some(Some(LogFormat::Text)),
        "auto" => Some(None),
        _ => None,
    });
    wanted.flatten().unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    })
}

/// An absolute http or https address with a host and without query or fragment.
fn web_address(value: &str) -> Option<Url> {
    let url = Url::parse(value).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (plain && web).then_some(url)
}

/// Google's own clients accept `host:port` as well.
fn emulator_address(value: &str) -> Option<Url> {
    if value.contains("://") {
        web_address(value)
    } else {
        web_address(&format!("http://{value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Config, String> {
        Config::read(&Environment::from(pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_gives_the_documented_defaults() {
        let config = read([]).unwrap();
        assert_eq!(config.port, 8080);
        assert_eq!(config.server_url.as_str(), "http://localhost:8080/");
        assert_eq!(config.monthly_tool_call_limit, 100);
        assert_eq!(config.usage_months, 0);
        assert!(config.database.is_none() && config.identity.is_none() && config.job.is_none());
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        assert_eq!(read([("PORT", "")]).unwrap().port, 8080);
    }

    #[test]
    fn every_wrong_variable_is_named_in_one_go() {
        let error = read([
            ("PORT", "0"),
            ("LOG_FORMAT", "xml"),
            ("OIDC_ISSUER", "acme"),
        ])
        .unwrap_err();
        for expected in [
            "PORT=0: a port number, 1 to 65535",
            "LOG_FORMAT=xml: json, text or auto",
            "OIDC_ISSUER=acme: the issuer's http or https address",
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let config = read([
            ("CLOUD_SQL_INSTANCE", "acme:europe-west1:nova"),
            ("DB_PASS", "hunter2"),
            ("OIDC_ISSUER", "https://issuer.example"),
            ("OIDC_CLIENT_SECRET", "hunter3"),
        ])
        .unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter"), "{printed}");
        let config = read([("DATABASE_URL", "postgres://nova:hunter2@localhost/nova")]).unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn private_urls_are_opened_by_one_clear_word() {
        assert!(!read([]).unwrap().fetch.allow_private_urls);
        let open = read([("NOVA_ALLOW_PRIVATE_URLS", "True")]).unwrap();
        assert!(open.fetch.allow_private_urls);
        let error = read([("NOVA_ALLOW_PRIVATE_URLS", "1")]).unwrap_err();
        assert_eq!(error, "NOVA_ALLOW_PRIVATE_URLS=1: true or false");
    }

    #[test]
    fn descope_is_an_issuer_like_any_other() {
        let identity = read([("DESCOPE_PROJECT_ID", "P2abc")])
            .unwrap()
            .identity
            .unwrap();
        assert_eq!(
            identity.verifier.issuer,
            "https://api.descope.com/v1/apps/P2abc"
        );
        assert_eq!(identity.verifier.audiences, ["P2abc"]);
    }
}
