//! The job that does the whole workflow for one article, without an agent: guideline in, `research.md`
//! out.
//!
//! It calls the tools one after the other ([`workflow`](nova_research::workflow) says which comes
//! next), does their work in this process, and remembers nothing: what is done is told by rows alone
//! ([`rows`]). So it may be killed at any moment and started again, which goes on where it stopped and
//! pays for nothing twice. To read on: [`Research`] is one run, [`budget`] what ends it early,
//! [`arguments`] the command line, [`console`] what people and logs see of it.

mod arguments;
mod budget;
mod console;
mod document;
mod outcome;
mod rows;
mod run;
mod tools;

use std::{process::ExitCode, sync::Arc};

use futures_util::future::BoxFuture;
use nova_runtime::{App, Config, ConfigError, EXIT_USAGE, Environment, Function, log, serve};

use self::{
    arguments::{HELP, Invocation},
    console::{complain, say},
};
pub use self::{
    arguments::{Order, Subject},
    budget::{Limits, Spending},
    console::lines,
    outcome::{LeftOut, Outcome, Why},
    run::{Event, Research, Tell},
};

/// The job.
pub const FUNCTION: Function = Function::job(
    "research",
    "Does the whole workflow for one article: guideline in, research.md out.",
    main,
);

/// What the program does with these arguments and settings.
pub fn main(arguments: Vec<String>, environment: Environment) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move { ExitCode::from(start(arguments, environment).await) })
}

async fn start(arguments: Vec<String>, environment: Environment) -> u8 {
    let order = match Invocation::parse(arguments, environment.get("NOVA_USER")) {
        Ok(Invocation::Run(order)) => order,
        Ok(Invocation::Help) => return say(HELP),
        Ok(Invocation::Version) => return say(concat!("research ", env!("CARGO_PKG_VERSION"))),
        Err(error) => return complain(&error, EXIT_USAGE),
    };
    let console = console::Console::of_process();
    // Where a person watches, what goes well is told by the steps themselves.
    let quiet = console.is_watched() && environment.get("LOG_LEVEL").is_none();
    let environment = if quiet {
        environment.with("LOG_LEVEL", "warn")
    } else {
        environment
    };
    let research = match set_up(&environment, &order) {
        Ok(research) => research,
        Err(error) => return complain(&error.to_string(), EXIT_USAGE),
    };
    if let Ok(stop) = serve::stop_signal() {
        let app = Arc::clone(research.app());
        tokio::spawn(async move {
            stop.await;
            app.stop();
        });
    }
    let tell: Arc<Tell> = Arc::new(move |event| console.show(&event));
    match research.run(&order, &tell).await {
        Ok(outcome) => {
            console.end(&outcome);
            outcome.exit_code()
        }
        Err(_) if research.app().is_stopping() => {
            let told = "stopped on request; start it again to go on";
            complain(told, outcome::STOPPED)
        }
        Err(problem) => {
            let error = problem.causes();
            tracing::error!(error, "there is no document: {}", problem.detail());
            complain(problem.detail(), outcome::NO_DOCUMENT)
        }
    }
}

fn set_up(environment: &Environment, order: &Order) -> Result<Research, ConfigError> {
    let config = Config::read(environment)?;
    if config.database.is_none() {
        return Err(ConfigError::new(
            "research needs a database: set DATABASE_URL or CLOUD_SQL_INSTANCE",
        ));
    }
    log::start(&config);
    Research::new(App::new("research", config)?, order.user.clone())
}
