//! `cloudsql doctor`: what is between this machine and an instance, step by step.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command that talks to a person"
)]

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use cloudsql_connector::{Connector, Error, IpType};

const HELP: &str = "\
Walks the way to a Cloud SQL instance step by step, with the time each step takes and, where one
fails, what to do about it.

Usage:
  cloudsql doctor INSTANCE [options]

INSTANCE is project:region:instance, or a DNS name whose TXT record says that.

Options:
  --ip-type TYPE       public (default), private, psc or auto
  --iam                log in as an IAM principal, by certificate
  --user USER          log in as this database user (PostgreSQL) and ask `select version()`
  --database NAME      the database to log in to (postgres)
  --endpoint URL       another address of the Admin API
  --quota-project ID   the project whose quota pays for calls of the Admin API
  --timeout SECONDS    for each step (10)
  --help, --version

A password is taken from PGPASSWORD. Credentials are those of GOOGLE_APPLICATION_CREDENTIALS, of
`gcloud auth application-default login`, or of the metadata server (GCE_METADATA_HOST).
Exit codes: 0 healthy, 1 something is wrong, 64 wrong arguments.";

struct Options {
    instance: String,
    ip_type: IpType,
    iam: bool,
    user: Option<String>,
    database: String,
    endpoint: Option<String>,
    quota_project: Option<String>,
    timeout: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() || arguments.iter().any(|it| it == "--help" || it == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|it| it == "--version" || it == "-V") {
        println!("cloudsql {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let options = match parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("cloudsql: {error}; see --help");
            return ExitCode::from(64);
        }
    };
    match examine(&options).await {
        Ok(true) => {
            println!("\n{} is well.", options.instance);
            ExitCode::SUCCESS
        }
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell("configuration", Duration::ZERO, &Err(error));
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: Vec<String>) -> Result<Options, String> {
    let mut arguments = arguments.into_iter();
    if arguments.next().as_deref() != Some("doctor") {
        return Err("the command is `doctor`".to_owned());
    }
    let mut instance = None;
    let mut options = Options {
        instance: String::new(),
        ip_type: IpType::Public,
        iam: false,
        user: None,
        database: "postgres".to_owned(),
        endpoint: None,
        quota_project: None,
        timeout: Duration::from_secs(10),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--ip-type" => {
                options.ip_type = value()?.parse().map_err(|it: Error| it.to_string())?;
            }
            "--iam" => options.iam = true,
            "--user" => options.user = Some(value()?),
            "--database" => options.database = value()?,
            "--endpoint" => options.endpoint = Some(value()?),
            "--quota-project" => options.quota_project = Some(value()?),
            "--timeout" => {
                let seconds = value()?;
                let seconds = seconds
                    .parse()
                    .map_err(|_it| "--timeout takes whole seconds")?;
                options.timeout = Duration::from_secs(seconds);
            }
            other if other.starts_with('-') => return Err(format!("unknown option {other}")),
            _ if instance.is_some() => return Err("one instance at a time".to_owned()),
            _ => instance = Some(argument),
        }
    }
    options.instance = instance.ok_or("which instance?")?;
    Ok(options)
}

async fn examine(options: &Options) -> Result<bool, Error> {
    let mut builder = Connector::builder()
        .ip_type(options.ip_type)
        .iam_login(options.iam)
        .timeout(options.timeout)
        .user_agent(concat!("cloudsql-doctor/", env!("CARGO_PKG_VERSION")));
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint(endpoint);
    }
    if let Some(project) = &options.quota_project {
        builder = builder.quota_project(project);
    }
    let connector = builder.build()?;
    let findings = connector.examine(&options.instance).await;
    for finding in &findings {
        tell(&finding.step.to_string(), finding.took, &finding.outcome);
    }
    if findings.iter().any(|finding| finding.outcome.is_err()) {
        return Ok(false);
    }
    match &options.user {
        Some(user) => log_in(&connector, options, user).await,
        None => Ok(true),
    }
}

async fn log_in(connector: &Connector, options: &Options, user: &str) -> Result<bool, Error> {
    use sqlx::Connection as _;
    let bridge = cloudsql_connector::PgBridge::start(connector, &options.instance)?;
    let mut to = bridge.options(user).database(&options.database);
    if let Ok(password) = env::var("PGPASSWORD") {
        to = to.password(&password);
    }
    let started = Instant::now();
    let asked = async {
        let mut connection = sqlx::PgConnection::connect_with(&to).await?;
        let answer = "select current_user || ', ' || split_part(version(), ' on ', 1)";
        sqlx::query_scalar::<_, String>(answer)
            .fetch_one(&mut connection)
            .await
    };
    let asked: Result<String, sqlx::Error> = asked.await;
    let took = started.elapsed().as_millis();
    match asked {
        Ok(answer) => println!("ok    login          {took:>6} ms  {answer}"),
        Err(error) => {
            println!("FAIL  login          {took:>6} ms  {error}");
            let hint = if options.iam {
                format!(
                    "create the IAM user in the instance and grant roles/cloudsql.instanceUser: gcloud sql users create {user} --type=cloud_iam_service_account …"
                )
            } else {
                "check the user, its password (PGPASSWORD) and the database".to_owned()
            };
            println!("      do: {hint}");
            return Ok(false);
        }
    }
    Ok(true)
}

fn tell(step: &str, took: Duration, outcome: &Result<String, Error>) {
    let took = took.as_millis();
    match outcome {
        Ok(said) => println!("ok    {step:<14} {took:>6} ms  {said}"),
        Err(error) => {
            let answer = match (error.status(), error.reason()) {
                (Some(status), Some(reason)) => format!(" (HTTP {status}, {reason})"),
                (Some(status), None) => format!(" (HTTP {status})"),
                _ => String::new(),
            };
            println!("FAIL  {step:<14} {took:>6} ms  {}{answer}", error.detail());
            if let Some(hint) = error.hint() {
                println!("      do: {hint}");
            }
        }
    }
}
