//! The whole system, put together from its parts.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use http::StatusCode;
use nova_runtime::{
    App, Config, Dispatcher, Environment,
    serve::{self, Patience},
};
use nova_testkit::{
    issuer::{self, Client, Issuer},
    objects::ObjectStore,
};
use tokio::{net::TcpListener, process::Command, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::{
    bell::{self, Bell},
    database::{as_sweeper, login, migrated},
    functions::services,
    gateway::{Functions, ISSUER_PATH, gateway},
    manifest::Manifest,
    processes::Processes,
    scheduler::Scheduler,
};

/// The bucket that the object store offers.
pub const BUCKET: &str = "nova-local";

/// The functions as the bell's tokens name them. Nothing is sent there: the bell knows the way.
const TARGET: &str = "http://{function}.nova.local";

/// What a system is made of; the parts live as long as this value or longer.
pub struct Parts<'a> {
    /// The database's address for an administrator.
    pub database_url: String,
    /// The settings that lead a login to the database.
    pub database_as: &'a (dyn Fn(&str) -> Vec<(&'static str, String)> + Send + Sync),
    /// Where file contents are.
    pub objects: ObjectStore,
    /// Where the issuer's key is kept; a new key when not given.
    pub issuer_key: Option<PathBuf>,
    /// The port of the gateway on 127.0.0.1; 0 for any.
    pub port: u16,
    /// Whether each function runs as a process of its own.
    pub processes: bool,
    /// Further settings of the functions; they win over those made here.
    pub settings: BTreeMap<String, String>,
}

/// A running system.
pub struct Local {
    /// Its address, without a slash at the end.
    pub url: String,
    /// Who signs tokens that it accepts.
    pub issuer: Issuer,
    /// Where file contents are.
    pub objects: ObjectStore,
    /// The functions of this process.
    apps: Vec<Arc<App>>,
    processes: Option<Arc<Processes>>,
    ring: bell::Ring,
    bell: Bell,
    scheduler: Scheduler,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<usize>,
}

impl Local {
    /// Migrates the database, starts everything, and returns when it answers.
    ///
    /// # Errors
    ///
    /// When the port is taken, the schema cannot be brought up to date, or a setting is wrong.
    pub async fn start(parts: Parts<'_>) -> Result<Self> {
        let manifest = Manifest::of_this_build()?;
        migrated(parts.database_url.clone()).await?;

        let address = SocketAddr::from(([127, 0, 0, 1], parts.port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("port {} is taken: choose another with PORT=…", parts.port))?;
        let url = format!("http://{}", listener.local_addr()?);
        let issuer = issuer(&url, parts.issuer_key)?;

        let environment_of = |name: &str| {
            let entry = manifest.services.get(name);
            let family = entry.and_then(|entry| entry.database.as_deref());
            let database = family.map(|family| (parts.database_as)(&login(family)));
            settings_of(&url, &issuer, &parts.objects, database, &parts.settings)
        };
        let (functions, apps, processes) = if parts.processes {
            let processes = Arc::new(Processes::start(&manifest, environment_of).await?);
            let functions = Functions::Processes(Arc::clone(&processes));
            (functions, Vec::new(), Some(processes))
        } else {
            let (here, apps) = in_this_process(environment_of)?;
            (Functions::Here(Arc::new(here)), apps, None)
        };
        let ring = ring(functions.clone(), issuer.clone());
        let bell = Bell::start(&parts.database_url, Arc::clone(&ring))?;
        let database = Some(vec![("DATABASE_URL", as_sweeper(&parts.database_url))]);
        let settings = settings_of(&url, &issuer, &parts.objects, database, &parts.settings);
        let scheduler = Scheduler::start(&manifest, settings)?;

        let (stop, stopped) = oneshot::channel::<()>();
        let answer = gateway(&manifest, issuer.clone(), functions);
        let served = tokio::spawn(serve::serve(
            listener,
            answer,
            Patience::default(),
            async move {
                // A dropped sender means the same as a sent word.
                drop(stopped.await);
            },
        ));
        Ok(Self {
            url,
            issuer,
            objects: parts.objects,
            apps,
            processes,
            ring,
            bell,
            scheduler,
            stop: Some(stop),
            served,
        })
    }

    /// A token of this system's issuer, for its own audience.
    pub fn token(&self, user: &str, scopes: &str) -> String {
        let scopes: Vec<&str> = scopes.split_whitespace().collect();
        self.issuer
            .token(user, &scopes, &self.url, Duration::from_hours(1))
    }

    /// Calls a tool's function to do a job, as the bell does, and waits until it is done with it.
    pub async fn ring(&self, tool: &str, job: Uuid) -> StatusCode {
        (self.ring)(tool.to_owned(), job).await
    }

    /// Ends the processes of a function as a crash would.
    ///
    /// # Errors
    ///
    /// When the functions are not processes of their own, or none has this name.
    pub async fn kill(&self, function: &str) -> Result<()> {
        self.processes()?.kill(function).await
    }

    /// Starts a process of a function: again after a crash, or one more beside those that run.
    /// Requests go to each in turn.
    ///
    /// # Errors
    ///
    /// As for [`Local::kill`], and when it does not listen.
    pub async fn start_one(&self, function: &str) -> Result<()> {
        self.processes()?.start_one(function).await
    }

    /// A function's binary with its settings, to be started as Cloud Run starts a job.
    ///
    /// # Errors
    ///
    /// As for [`Local::kill`].
    pub fn command(&self, function: &str) -> Result<Command> {
        self.processes()?.command(function)
    }

    /// Puts a new process in the place of each, as a release does: requests go to the new ones
    /// before the old ones are asked to end.
    ///
    /// # Errors
    ///
    /// When the functions are not processes of their own, or one does not listen.
    pub async fn redeploy(&self) -> Result<()> {
        self.processes()?.redeploy().await
    }

    /// The process of a function.
    ///
    /// # Errors
    ///
    /// As for [`Local::kill`].
    pub fn process_id(&self, function: &str) -> Result<u32> {
        self.processes()?.id(function)
    }

    fn processes(&self) -> Result<&Processes> {
        let processes = self.processes.as_deref();
        processes.context("the functions are not processes")
    }

    /// Finishes what is under way and stops everything that this value started.
    pub async fn stop(mut self) {
        self.bell.stop().await;
        self.scheduler.stop().await;
        for app in &self.apps {
            app.stop();
        }
        let told = Instant::now();
        drop(self.stop.take());
        match self.served.await {
            Ok(0) => {}
            cut => tracing::warn!(?cut, "connections were still busy"),
        }
        join_all(self.apps.iter().map(|app| app.finished(told))).await;
        if let Some(processes) = &self.processes {
            processes.stop().await;
        }
    }
}

/// The issuer of the system at `url`.
pub(crate) fn issuer(url: &str, key_file: Option<PathBuf>) -> Result<Issuer> {
    Issuer::new(issuer::Config {
        url: format!("{url}{ISSUER_PATH}").parse()?,
        key_file,
        audience: url.to_owned(),
        clients: vec![Client::public("nova", "Nova")],
    })
}

fn in_this_process(
    environment_of: impl Fn(&str) -> BTreeMap<String, String>,
) -> Result<(Dispatcher, Vec<Arc<App>>)> {
    let (mut dispatcher, mut apps) = (Dispatcher::new(), Vec::new());
    for function in services() {
        let environment = environment_of(function.name)
            .into_iter()
            .fold(Environment::default(), |all, (name, value)| {
                all.with(&name, value)
            });
        let config = Config::read(&environment).context(function.name)?;
        if let Some((app, routes)) = function.set_up(config).context(function.name)? {
            dispatcher = dispatcher.with(&app, &routes);
            apps.push(app);
        }
    }
    Ok((dispatcher, apps))
}

/// Calls functions to work as Cloud Tasks does: with a token for the function and for nobody else.
fn ring(functions: Functions, issuer: Issuer) -> bell::Ring {
    Arc::new(move |tool, job| {
        let (functions, issuer) = (functions.clone(), issuer.clone());
        Box::pin(async move {
            let audience = TARGET.replace("{function}", &tool.replace('_', "-"));
            let mut claims = issuer.claims(bell::ACCOUNT, &[], &audience, Duration::from_mins(5));
            claims["email"] = bell::ACCOUNT.into();
            claims["email_verified"] = true.into();
            let token = issuer.sign(&issuer.header(), &claims);
            functions.work(&tool, job, &token).await
        })
    })
}

/// What a function is told, in the cloud by Terraform.
fn settings_of(
    url: &str,
    issuer: &Issuer,
    objects: &ObjectStore,
    database: Option<Vec<(&'static str, String)>>,
    more: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([
        ("SERVER_URL".to_owned(), url.to_owned()),
        ("OIDC_ISSUER".to_owned(), issuer.url().to_owned()),
        ("STORAGE_EMULATOR_HOST".to_owned(), objects.url.clone()),
        ("BLOB_BUCKET".to_owned(), BUCKET.to_owned()),
        (
            "CLOUD_TASKS_SERVICE_ACCOUNT".to_owned(),
            bell::ACCOUNT.to_owned(),
        ),
        ("CLOUD_TASKS_TARGET_URL".to_owned(), TARGET.to_owned()),
        ("CLOUD_TASKS_ISSUER".to_owned(), issuer.url().to_owned()),
    ]);
    let database = database.into_iter().flatten();
    settings.extend(database.map(|(name, value)| (name.to_owned(), value)));
    settings.extend(more.clone());
    settings
}
