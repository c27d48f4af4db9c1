//! The real function, with a real database and an object store, and a visitor who is signed in.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nova_runtime::serve::{Patience, serve};
use nova_runtime::{Config, Dispatcher, Environment};
use nova_store::migrate::Migrator;
use nova_testkit::chromium::Browser;
use nova_testkit::issuer::{Issuer, RunningIssuer};
use nova_testkit::objects::{self, ObjectStore};
use nova_testkit::postgres::{Database, Postgres};
use tokio::net::TcpListener;
use upload_article_guideline::FUNCTION;

const BUCKET: &str = "guidelines";

pub(crate) struct Nova {
    pub(crate) url: String,
    pub(crate) database: Database,
    pub(crate) objects: ObjectStore,
    issuer: RunningIssuer,
    origin: String,
}

impl Nova {
    pub(crate) async fn start() -> Result<Self> {
        let prepare = async |url: String| {
            Migrator::new(url.parse()?).up(None).await?;
            let pool = sqlx::PgPool::connect(&url).await?;
            sqlx::query("CREATE ROLE page_upload LOGIN IN ROLE nova_upload")
                .execute(&pool)
                .await?;
            Ok(())
        };
        let database = Postgres::shared().await.database("page", prepare).await;
        let objects = ObjectStore::start(objects::Config::default()).await?;
        let issuer = Issuer::start().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let environment = Environment::from([
            ("SERVER_URL", origin.as_str()),
            ("OIDC_ISSUER", issuer.url()),
            ("DATABASE_URL", &database.url_as("page_upload")),
            ("BLOB_BUCKET", BUCKET),
            ("STORAGE_EMULATOR_HOST", &objects.url),
        ]);
        let set_up = FUNCTION.set_up(Config::read(&environment)?)?;
        let (app, routes) = set_up.context("the function is no service")?;
        let answer = Dispatcher::new().with(&app, &routes).into_answer();
        let never = std::future::pending::<()>();
        tokio::spawn(serve(listener, answer, Patience::default(), never));
        let url = format!("{origin}/upload_article_guideline");
        Ok(Self {
            url,
            database,
            objects,
            issuer,
            origin,
        })
    }

    /// A browser in which this user has signed in, on the page.
    pub(crate) async fn visit(&self, user: &str) -> Result<Browser> {
        let browser = Browser::start().await?;
        // Cookies are given on the site; this address needs no session.
        browser.go_to(&format!("{}/nothing", self.origin)).await?;
        let hour = Duration::from_hours(1);
        let token = self
            .issuer
            .token(user, &["research:run"], &self.origin, hour);
        browser.set_cookie("nova-session", &token).await?;
        browser.go_to(&self.url).await?;
        browser.console_errors().await?;
        Ok(browser)
    }

    /// The articles there are: owner, title, id.
    pub(crate) async fn articles(&self) -> Result<Vec<(String, String, String)>> {
        let query = "SELECT user_id, title, id::text FROM articles ORDER BY id";
        Ok(sqlx::query_as(query)
            .fetch_all(&self.database.pool())
            .await?)
    }

    /// The contents of all objects.
    pub(crate) fn contents(&self) -> usize {
        self.objects.objects(BUCKET).len()
    }
}
