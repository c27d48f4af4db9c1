//! What a function stands on: settings, rows, identity, the outgoing client. Made once, at start.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nova_store::{Answer, PoolStatus, Store, Tenant, UserId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bell::{Bell, Door},
    clock::{Clock, SystemClock},
    config::{Config, ConfigError},
    database,
    fetch::Fetcher,
    http_client::HttpClient,
    identity::Verifier,
    jobs::Waiting,
    problem::Problem,
    tokens::TokenSource,
    trace,
};

/// From the word to stop to the end: Cloud Run takes the processor away after ten seconds.
const TIME_TO_END: Duration = Duration::from_secs(9);

/// A transaction begins within milliseconds, or within some hundred when it has to connect.
const LATE: Duration = Duration::from_secs(1);

/// A function's surroundings, shared by all its calls.
pub struct App {
    function: &'static str,
    config: Config,
    store: Option<Store>,
    /// What the store's connections go by.
    _route: Option<database::Route>,
    verifier: Option<Verifier>,
    door: Door,
    bell: Option<Bell>,
    waiting: Waiting,
    http: HttpClient,
    fetcher: OnceLock<Fetcher>,
    tokens: TokenSource,
    clock: Arc<dyn Clock>,
    schema_is_ready: AtomicBool,
    /// What goes on without its caller.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl App {
    /// Puts a function's surroundings together. Nothing is connected or fetched yet.
    ///
    /// # Errors
    ///
    /// A setting that contradicts what the function needs.
    pub fn new(function: &'static str, config: Config) -> Result<Arc<Self>, ConfigError> {
        let http = HttpClient::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let verifier = config.identity.as_ref().map(|identity| {
            Verifier::new(identity.verifier.clone(), http.clone(), Arc::clone(&clock))
        });
        let is_in_cloud = config.service.is_some();
        let door = Door::new(function, config.tasks.as_ref(), is_in_cloud, &http, &clock);
        let tokens = TokenSource::new(&config.google)?;
        let route = match &config.database {
            Some(settings) => Some(database::Route::new(&settings.target, &tokens)?),
            None => None,
        };
        let store = config.database.as_ref().zip(route.as_ref());
        let store =
            store.map(|(settings, route)| Store::new(database::pool(function, settings, route)));
        let bell = Bell::new(config.tasks.as_ref(), &http, &tokens);
        Ok(Arc::new(Self {
            function,
            config,
            store,
            _route: route,
            verifier,
            door,
            bell,
            waiting: Waiting::default(),
            http,
            fetcher: OnceLock::new(),
            tokens,
            clock,
            schema_is_ready: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// The function's name.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The outgoing client for machine calls.
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// The outgoing client for what users and search name. Made when it is first asked for: most
    /// functions fetch nothing.
    pub fn fetcher(&self) -> &Fetcher {
        self.fetcher
            .get_or_init(|| Fetcher::new(&self.config.fetch))
    }

    /// Google access tokens; nothing is fetched before the first is needed.
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Where users fetch an article's research file.
    pub fn download_url(&self, article: uuid::Uuid) -> String {
        self.address_of("download_research", article)
    }

    /// Where users upload the files that an article's guideline names.
    pub fn local_files_url(&self, article: uuid::Uuid) -> String {
        self.address_of("upload_local_files", article)
    }

    fn address_of(&self, page: &str, article: uuid::Uuid) -> String {
        let server = self.config.server_url.as_str().trim_end_matches('/');
        format!("{server}/{page}?article_guideline_id={article}")
    }

    /// Who checks tokens; `None` when no issuer is configured.
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// Calls for workers; `None` where somebody watches the jobs and calls.
    pub fn bell(&self) -> Option<&Bell> {
        self.bell.as_ref()
    }

    /// Those who wait for jobs.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Says that the process is about to end: workers let go of their jobs.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Returns when the process is about to end.
    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the process is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Where workers are called for.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// The rows.
    ///
    /// # Panics
    ///
    /// In a function that did not declare [`crate::Function::with_database`]; those that did are
    /// not started without one.
    pub fn store(&self) -> &Store {
        self.store
            .as_ref()
            .expect("the function declares that it needs the database")
    }

    /// Opens a transaction in which only this user's rows exist.
    ///
    /// # Errors
    ///
    /// 503 when the database cannot be reached in time, or when its schema is older than this build
    /// needs.
    pub async fn tenant(&self, user: &UserId) -> Result<Tenant, Problem> {
        self.require_schema().await?;
        self.timely(self.store().tenant(user)).await
    }

    /// As [`App::tenant`], for a tool's call: what it does to the article's status is recorded under
    /// the tool's name and the call's id.
    ///
    /// # Errors
    ///
    /// As for [`App::tenant`].
    pub async fn tenant_in_call(
        &self,
        user: &UserId,
        tool: &str,
        call_id: uuid::Uuid,
    ) -> Result<Tenant, Problem> {
        self.require_schema().await?;
        self.timely(self.store().tenant_in_call(user, tool, call_id))
            .await
    }

    /// Tells the log when a transaction begins late, and whether that is because all connections are
    /// in use.
    async fn timely(&self, begins: Answer<'_, Tenant>) -> Result<Tenant, Problem> {
        let asked = Instant::now();
        let begun = begins.await;
        let waited = asked.elapsed();
        if waited > LATE {
            let PoolStatus { lent, idle, most } = self.store().pool_status();
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(waited_ms, lent, idle, most, "a transaction began late");
        }
        Ok(begun?)
    }

    /// Does work to its end, also when the caller hangs up meanwhile: what was charged is done.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let context = trace::CURRENT.try_with(Clone::clone).unwrap_or_default();
        let work = self.tasks.spawn(trace::CURRENT.scope(context, work));
        work.await
            .unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => Err(Problem::panicked(&*panic)),
                Err(stopped) => Err(Problem::internal(stopped)),
            })
    }

    /// Waits for the work that callers left behind, as long as there is time: a worker that was
    /// told to stop ([`App::stop`]) puts its job back.
    pub async fn finished(&self, told_to_stop: Instant) {
        self.tasks.close();
        let end = told_to_stop + TIME_TO_END;
        let patience = end.saturating_duration_since(Instant::now());
        if tokio::time::timeout(patience, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = self.tasks.len(),
                "work of callers that hung up is cut off"
            );
        }
    }

    /// Compares the schema with what this build needs, until it once was good.
    ///
    /// # Errors
    ///
    /// 503 that names both versions.
    pub async fn require_schema(&self) -> Result<(), Problem> {
        if self.schema_is_ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.store().health().await?;
        self.schema_is_ready.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl From<nova_store::Error> for Problem {
    fn from(error: nova_store::Error) -> Self {
        use nova_store::Error;
        match error {
            Error::NotFound { what } => {
                Self::not_found(format!("There is no {what} with this id."))
            }
            Error::Conflict { what, source } => {
                let problem = Self::conflict(what);
                match source {
                    Some(cause) => problem.caused_by(cause),
                    None => problem,
                }
            }
            Error::Schema { expected, found } => {
                let has = found.map_or("none yet".to_owned(), |found| format!("version {found}"));
                Self::unavailable(
                    format!(
                        "This build needs schema version {expected}, the database has {has}. \
                         The operator has to run the migration job (`migrate up`)."
                    ),
                    Duration::from_secs(30),
                )
                .with("schema_required", expected)
                .with("schema_found", found)
            }
            error if error.is_retryable() => Self::unavailable(
                "The database is not available at the moment. Try again shortly.",
                Duration::from_secs(5),
            )
            .caused_by(error),
            error => Self::internal(error),
        }
    }
}
