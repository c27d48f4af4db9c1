//! A throw-away server and the databases that tests get from it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::database::{Address, execute};
use super::dropper::Dropper;
use super::{Cluster, Database, Settings, Stop, place};

/// A throw-away server.
///
/// All its methods panic where they cannot do their work, with every cause: a test without its
/// database has nothing to go on with.
pub struct Postgres {
    cluster: Cluster,
    dropper: Dropper,
    /// By key; the value is the name of a database that nobody can connect to any more.
    templates: Mutex<HashMap<String, Arc<OnceCell<String>>>>,
}

impl Postgres {
    /// The server that all tests of this process share. It is gone when the process ends.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> BoxFuture<'static, &'static Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        Box::pin(SHARED.get_or_init(|| Self::start(Settings::default())))
    }

    /// A server of the caller's own, which it may stop, restart or overload.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(settings: Settings) -> BoxFuture<'static, Self> {
        Box::pin(async move {
            let cluster = async {
                let mut cluster = Cluster::throw_away(settings).await?;
                cluster.start().await?;
                anyhow::Ok(cluster)
            };
            let cluster = expect("cannot start a PostgreSQL server", cluster.await);
            let dropper = Dropper::of(cluster.url("postgres", "postgres"));
            Self {
                cluster,
                dropper,
                templates: Mutex::default(),
            }
        })
    }

    /// Stops the server and starts it again with the same data at the same address.
    ///
    /// # Panics
    ///
    /// When it does not stop or start.
    pub fn restart(&mut self, how: Stop) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let restarted = async {
                self.cluster.stop(how).await?;
                self.cluster.start().await
            };
            expect("cannot restart the PostgreSQL server", restarted.await);
        })
    }

    /// The server itself.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// The address of the database `postgres` for the superuser.
    pub fn url(&self) -> String {
        self.cluster.url("postgres", "postgres")
    }

    /// A new database with nothing in it.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn empty_database(&self) -> BoxFuture<'_, Database> {
        Box::pin(async { expect("cannot make a database", self.copy_of("template0").await) })
    }

    /// A new database with what `prepare` makes, given the URL of an empty one.
    ///
    /// `prepare` runs once for each key in this process, whoever comes first; everybody gets a
    /// copy of the outcome. Connections that it leaves open are ended.
    ///
    /// # Panics
    ///
    /// When the server refuses or `prepare` fails; the next caller then tries again.
    pub async fn database(
        &self,
        key: &str,
        prepare: impl AsyncFnOnce(String) -> Result<()>,
    ) -> Database {
        let cell = {
            let mut templates = self
                .templates
                .lock()
                .expect("nothing panics while it holds this lock");
            Arc::clone(templates.entry(key.to_owned()).or_default())
        };
        let prepared = cell
            .get_or_try_init(async || self.prepare(prepare).await)
            .await;
        let template = expect(&format!("cannot prepare the database `{key}`"), prepared);
        expect("cannot copy a database", self.copy_of(template).await)
    }

    /// Makes the database that others are copied from.
    async fn prepare(&self, prepare: impl AsyncFnOnce(String) -> Result<()>) -> Result<String> {
        let name = self.create("template0").await?;
        let prepared = prepare(self.cluster.url("postgres", &name)).await;
        if prepared.is_err() {
            self.dropper.drop_later(&name);
        }
        prepared?;
        self.close(&name).await?;
        Ok(name)
    }

    /// Ends what is connected to a database, for good: it can be copied only while nobody is.
    fn close<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let close = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
            execute(&self.url(), close).await?;
            let end = format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            );
            execute(&self.url(), end).await
        })
    }

    /// A copy that is dropped with the value.
    fn copy_of<'a>(&'a self, template: &'a str) -> BoxFuture<'a, Result<Database>> {
        Box::pin(async move {
            let name = self.create(template).await?;
            let address = Address {
                directory: self.cluster.socket_directory().to_path_buf(),
                port: self.cluster.port(),
            };
            Ok(Database {
                url: address.url("postgres", &name),
                name,
                address,
                dropper: self.dropper.clone(),
            })
        })
    }

    /// A copy under a new name.
    fn create<'a>(&'a self, template: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let name = format!("nova_{}", place::random_name()?);
            // Copying files beats logging every page (the default) where nothing is synchronised.
            let statement =
                format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
            execute(&self.url(), statement)
                .await
                .with_context(|| format!("CREATE DATABASE … TEMPLATE {template}"))?;
            Ok(name)
        })
    }
}

fn expect<T>(what: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error:#}"))
}
