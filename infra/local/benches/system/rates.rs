//! Upload, extract, download and charge, each beside the same SQL by pgbench.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_local::local::{Local, Parts};
use nova_store::{Charge, Store, UserId};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Database, Postgres, Settings},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    load::{self, CLIENTS, Load, Step},
    pgbench,
    report::{median, say, write},
};

/// What is measured, in this order.
pub(crate) const RATES: [&str; 4] = ["upload", "extract", "download", "charge"];

/// Rounds of ours and theirs in turn; the medians are told.
const ROUNDS: usize = 3;

/// Above the lines of [`Figures::of`].
pub(crate) const HEAD: &str =
    "                per second  p50 ms  p99 ms   pgbench: per second  p50 ms  p99 ms   ratio";

/// A rate of ours beside that of pgbench.
#[derive(Serialize)]
pub(crate) struct Figures {
    what: &'static str,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    pgbench_per_second: f64,
    pgbench_p50_ms: f64,
    pgbench_p99_ms: f64,
    /// Our rate divided by pgbench's.
    ratio: f64,
}

pub(crate) async fn measure(rates: &[&'static str]) -> Result<()> {
    let system = System::start().await?;
    say(HEAD);
    let mut all = Vec::new();
    for &what in rates {
        let (step, login) = match what {
            "upload" => (system.upload(), "upload@nova.local"),
            "extract" => (system.extract(), "research@nova.local"),
            "download" => (system.download(), "download@nova.local"),
            _ => (system.charge(), "research@nova.local"),
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            system.tidy().await?;
            ours.push(load::run(Arc::clone(&step)).await.context(what)?);
            system.tidy().await?;
            theirs.push(
                pgbench::run(&system.database, login, what, &system.urls)
                    .await
                    .context(what)?,
            );
        }
        all.push(Figures::of(what, &ours, &theirs));
    }
    system.local.stop().await;
    write("rates", &all)
}

impl Figures {
    /// The medians of some rounds; prints them as a line of the table.
    pub(crate) fn of(what: &'static str, ours: &[Load], theirs: &[Load]) -> Self {
        let middle =
            |loads: &[Load], figure: fn(&Load) -> f64| median(loads.iter().map(figure).collect());
        let per_second = middle(ours, |load| load.per_second);
        let pgbench_per_second = middle(theirs, |load| load.per_second);
        let figures = Self {
            what,
            per_second,
            p50_ms: middle(ours, |load| load.p50_ms),
            p99_ms: middle(ours, |load| load.p99_ms),
            pgbench_per_second,
            pgbench_p50_ms: middle(theirs, |load| load.p50_ms),
            pgbench_p99_ms: middle(theirs, |load| load.p99_ms),
            ratio: per_second / pgbench_per_second,
        };
        say(&format!(
            "{:<14} {:>11.0} {:>7.2} {:>7.2} {:>21.0} {:>7.2} {:>7.2} {:>6.0}%",
            figures.what,
            figures.per_second,
            figures.p50_ms,
            figures.p99_ms,
            figures.pgbench_per_second,
            figures.pgbench_p50_ms,
            figures.pgbench_p99_ms,
            figures.ratio * 100.0
        ));
        figures
    }
}

/// Calls the system over HTTP.
#[derive(Clone)]
struct Caller {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole system in this process, on a database that synchronises its log, as a real one does.
struct System {
    local: Local,
    database: Database,
    /// One article and one token for each client.
    articles: Arc<Vec<(Uuid, String)>>,
    /// What extraction finds in them, as JSON.
    urls: String,
    caller: Caller,
    store: Store,
}

impl System {
    async fn start() -> Result<Self> {
        let settings = Settings {
            more: vec![("fsync".to_owned(), "on".to_owned())],
            ..Settings::default()
        };
        // It lives as long as this process.
        let server: &'static Postgres = Box::leak(Box::new(Postgres::start(settings).await));
        let database = server.database("nova", nova_local::migrated).await;
        let pool = database.pool();
        sqlx::raw_sql(include_str!("sql/others.sql"))
            .execute(&pool)
            .await?;
        pool.close().await;
        let objects = objects::Config::default();
        let mut settings = BTreeMap::new();
        for (name, value) in [("MONTHLY_TOOL_CALL_LIMIT", "0"), ("LOG_LEVEL", "error")] {
            settings.insert(name.to_owned(), value.to_owned());
        }
        let local = Local::start(Parts {
            database_url: database.url.clone(),
            database_as: &|login| vec![("DATABASE_URL", database.url_as(login))],
            objects: ObjectStore::start(objects).await?,
            issuer_key: None,
            port: 0,
            processes: false,
            settings,
        })
        .await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let caller = Caller {
            url: local.url.clone(),
            client,
        };
        let mut articles = Vec::new();
        for client in 0..CLIENTS {
            let token = local.token(&format!("u{client}"), "research:run");
            let article = caller.prepare(&token).await?;
            for_pgbench(&database, client, article).await?;
            articles.push((article, token));
        }
        let urls = sqlx::query_scalar(
            "SELECT extracted_urls::text FROM articles WHERE extracted_urls IS NOT NULL LIMIT 1",
        )
        .fetch_one(&database.pool())
        .await?;
        let store = Store::new(database.pool_as("research@nova.local"));
        Ok(Self {
            local,
            database,
            articles: Arc::new(articles),
            urls,
            caller,
            store,
        })
    }

    /// What autovacuum, which is off here, does on a real server. Without it our connections, which
    /// live through all rounds, keep plans made for tables that were empty then, while those of
    /// pgbench are new in each round and plan for the tables as they are.
    async fn tidy(&self) -> Result<()> {
        let pool = self.database.pool();
        sqlx::query("VACUUM ANALYZE").execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    /// The same request from each client, about its own article.
    fn request(&self, method: Method, path: fn(Uuid) -> String, body: fn(Uuid) -> Bytes) -> Step {
        let (caller, articles) = (self.caller.clone(), Arc::clone(&self.articles));
        Arc::new(move |client| {
            let Some((article, token)) = articles.get(client) else {
                return Box::pin(std::future::ready(Err(anyhow::anyhow!("no such client"))));
            };
            let sent = caller.send(method.clone(), &path(*article), token, body(*article));
            Box::pin(async move { sent.await.map(drop) })
        })
    }

    fn upload(&self) -> Step {
        self.request(
            Method::POST,
            |_| "/upload_article_guideline".to_owned(),
            |_| guideline(),
        )
    }

    fn extract(&self) -> Step {
        self.request(
            Method::POST,
            |_| "/tools/extract_guidelines_urls".to_owned(),
            |article| format!("{{\"article_guideline_id\": \"{article}\"}}").into(),
        )
    }

    fn download(&self) -> Step {
        self.request(
            Method::GET,
            |article| format!("/download_research?article_guideline_id={article}"),
            |_| Bytes::new(),
        )
    }

    /// The limiter without HTTP: what every tool call pays for it.
    fn charge(&self) -> Step {
        let store = self.store.clone();
        Arc::new(move |client| {
            let store = store.clone();
            Box::pin(async move {
                let user = UserId::try_from(format!("u{client}"))?;
                let mut tenant = store.tenant(&user).await?;
                let charge = Charge {
                    tool: "extract_guidelines_urls",
                    call_id: Uuid::now_v7(),
                    article: None,
                    default_limit: 0,
                };
                tenant.charge(&charge).await?;
                Ok(tenant.commit().await?)
            })
        })
    }
}

impl Caller {
    /// An article with a research file.
    async fn prepare(&self, token: &str) -> Result<Uuid> {
        let answer = self
            .send(
                Method::POST,
                "/upload_article_guideline",
                token,
                guideline(),
            )
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let id: Uuid = answer["article_id"].as_str().context("no id")?.parse()?;
        let arguments = format!("{{\"article_guideline_id\": \"{id}\"}}");
        for tool in ["extract_guidelines_urls", "create_research_file"] {
            let path = format!("/tools/{tool}");
            self.send(Method::POST, &path, token, arguments.clone().into())
                .await?;
        }
        Ok(id)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Bytes,
    ) -> BoxFuture<'static, Result<Bytes>> {
        let tool = path.starts_with("/tools/");
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header(
                "content-type",
                if tool {
                    "application/json"
                } else {
                    "text/markdown"
                },
            )
            .body(Full::new(body));
        let client = self.client.clone();
        Box::pin(async move {
            let response = client.request(request?).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            let good = matches!(status, StatusCode::OK | StatusCode::CREATED);
            ensure!(good, "{status}: {}", String::from_utf8_lossy(&body));
            Ok(body)
        })
    }
}

/// A copy of the article under an id that pgbench can compute.
async fn for_pgbench(database: &Database, client: usize, article: Uuid) -> Result<()> {
    let pool = database.pool();
    sqlx::query(
        "INSERT INTO articles (id, user_id, title, guideline_blob_id, research_blob_id)
         SELECT ('00000000-0000-7000-8002-' || lpad(to_hex($1), 12, '0'))::uuid,
                user_id, title, guideline_blob_id, research_blob_id
           FROM articles WHERE id = $2",
    )
    .bind(i64::try_from(client)?)
    .bind(article)
    .execute(&pool)
    .await?;
    pool.close().await;
    Ok(())
}

/// 10 KB of Markdown with some links.
fn guideline() -> Bytes {
    let words = "Some words that say what the article is about. ".repeat(10);
    let paragraphs: Vec<String> = (0..20)
        .map(|number| format!("Read https://example.com/page/{number} before writing. {words}"))
        .collect();
    format!(
        "# A guideline of ordinary size\n\n{}\n",
        paragraphs.join("\n\n")
    )
    .into()
}
