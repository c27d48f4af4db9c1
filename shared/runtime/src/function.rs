//! What a binary is: a service that answers routes, or a job that runs once.

mod arguments;
mod once;

use std::{process::ExitCode, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;

use self::arguments::Mode;
use crate::{
    app::App,
    config::{Config, ConfigError, Environment},
    dispatch::Dispatcher,
    jobs::LongTool,
    log, probes,
    routes::{Access, Routes},
    serve::{self, Patience},
};

/// The exit code for wrong arguments or settings (`EX_USAGE` and `EX_CONFIG` in one).
pub const EXIT_USAGE: u8 = 64;

/// One binary, as it describes itself.
#[derive(Clone)]
pub struct Function {
    /// The name: of the folder, the crate, the binary, and the entry in `functions/manifest.json`.
    pub name: &'static str,
    /// What it is for, in one sentence; `--help` begins with it.
    pub about: &'static str,
    needs_database: bool,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Service(Setup),
    Job(JobMain),
}

/// Makes a service's routes; runs once, before the port is opened.
pub type Setup = fn(&Arc<App>) -> Result<Routes, ConfigError>;
/// A job's work: gets its arguments and settings and gives the exit code.
pub type JobMain = fn(Vec<String>, Environment) -> BoxFuture<'static, ExitCode>;

impl Function {
    /// A service.
    pub const fn service(name: &'static str, about: &'static str, setup: Setup) -> Self {
        Self {
            name,
            about,
            needs_database: false,
            kind: Kind::Service(setup),
        }
    }

    /// A job with a command line of its own.
    pub const fn job(name: &'static str, about: &'static str, main: JobMain) -> Self {
        Self {
            name,
            about,
            needs_database: false,
            kind: Kind::Job(main),
        }
    }

    /// This function needs the database, and is not started when none is configured.
    #[must_use]
    pub const fn with_database(mut self) -> Self {
        self.needs_database = true;
        self
    }

    /// The same function where it takes calls of its long tool and does none of the work.
    #[must_use]
    pub const fn calls_of<T: LongTool>(mut self) -> Self {
        self.kind = Kind::Service(|app| Ok(Routes::new().calls_of::<T>(app)));
        self
    }

    /// Whether it was declared by [`Function::with_database`].
    pub const fn needs_database(&self) -> bool {
        self.needs_database
    }

    /// Prints what is wrong with the arguments or the settings, and gives the exit code that says so too.
    #[expect(
        clippy::print_stderr,
        reason = "logging is not started yet, and a person reads this"
    )]
    pub fn complain(&self, error: &str) -> ExitCode {
        for line in error.lines() {
            eprintln!("{}: {line}", self.name);
        }
        ExitCode::from(EXIT_USAGE)
    }

    /// The routes of a service in surroundings that it shares with others; a job has none.
    ///
    /// # Errors
    ///
    /// Settings that are missing or wrong.
    pub fn routes(&self, app: &Arc<App>) -> Result<Routes, ConfigError> {
        match self.kind {
            Kind::Service(setup) => setup(app),
            Kind::Job(_) => Ok(Routes::new()),
        }
    }

    /// The surroundings and routes of a service; a job has none.
    ///
    /// # Errors
    ///
    /// Settings that are missing or wrong.
    pub fn set_up(&self, config: Config) -> Result<Option<(Arc<App>, Routes)>, ConfigError> {
        let Kind::Service(setup) = self.kind else {
            return Ok(None);
        };
        if self.needs_database && config.database.is_none() {
            return Err(ConfigError::new(format!(
                "{} needs a database: set DATABASE_URL or CLOUD_SQL_INSTANCE",
                self.name
            )));
        }
        let has_issuer = config.identity.is_some();
        let app = App::new(self.name, config)?;
        let routes = setup(&app)?;
        if !has_issuer
            && routes
                .list()
                .iter()
                .any(|route| route.access != Access::Public)
        {
            return Err(ConfigError::new(format!(
                "{} needs to know who vouches for users: set OIDC_ISSUER or DESCOPE_PROJECT_ID",
                self.name
            )));
        }
        Ok(Some((app, routes)))
    }
}

/// The `main` of every binary.
///
/// It is a plain function, and the runtime is started in this crate: an `async fn main` would
/// compile all of its dependencies once more in each binary.
pub fn run(function: Function) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            function.complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(Box::pin(start(function)));
    // What still hangs on a blocking thread must not hold up the exit.
    runtime.shutdown_background();
    exit
}

async fn start(function: Function) -> ExitCode {
    let environment = Environment::of_process();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Kind::Job(main) = function.kind {
        return main(arguments, environment).await;
    }
    let usage = |error: String| function.complain(&error);
    let mode = match Mode::parse(arguments) {
        Ok(mode) => mode,
        Err(error) => return usage(error),
    };
    match mode {
        Mode::Help => return say(&arguments::help(&function)),
        Mode::Version => return say(&format!("{} {}", function.name, env!("CARGO_PKG_VERSION"))),
        Mode::Serve | Mode::Once(_) => {}
    }
    let config = match Config::read(&environment) {
        Ok(config) => config,
        Err(error) => return usage(error.to_string()),
    };
    log::start(&config);
    let (port, job) = (config.port, config.job.clone());
    let (app, routes) = match function.set_up(config) {
        Ok(Some(set_up)) => set_up,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return usage(error.to_string()),
    };
    let once = match (mode, job) {
        (Mode::Once(once), _) => Some(once),
        (_, Some(job)) => Some(once::Once::of_job(job)),
        _ => None,
    };
    if let Some(once) = once {
        return once.run(&app, &routes).await;
    }
    let routes = routes.and(probes::routes(function.needs_database));
    listen_and_serve(&app, &routes, port).await
}

async fn listen_and_serve(app: &Arc<App>, routes: &Routes, port: u16) -> ExitCode {
    let function = app.function();
    let stop = match serve::stop_signal() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!(%error, "{function} cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let listener = match serve::listen(port).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "{function} cannot listen on port {port}; set PORT to a free one");
            return ExitCode::FAILURE;
        }
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        "{function} listens on port {port}"
    );
    let answer = Dispatcher::new().with(app, routes).into_answer();
    let mut told = Instant::now();
    let stop = async {
        stop.await;
        told = Instant::now();
        app.stop();
    };
    let cut = serve::serve(listener, answer, Patience::default(), stop).await;
    app.finished(told).await;
    if cut > 0 {
        tracing::warn!(cut, "{function} stops; connections were still busy");
    } else {
        tracing::info!("{function} stops; nothing was under way any more");
    }
    ExitCode::SUCCESS
}

/// Prints what was asked for.
#[expect(clippy::print_stdout, reason = "what --help and --version are for")]
pub fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
