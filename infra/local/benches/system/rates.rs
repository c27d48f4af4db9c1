//! Upload, extract, download and charge, each beside the same SQL by pgbench.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use nova_local::local::{Local, Parts};
use nova_store::{Charge, Store, UserId};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Database, Postgres, Settings},
};
use serde::Serialize;
use tokio::{net::TcpStream, sync::Mutex};
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
            "upload" => (system.upload()?, "upload@nova.local"),
            "extract" => (system.extract()?, "research@nova.local"),
            "download" => (system.download()?, "download@nova.local"),
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

/// Calls the system over HTTP, on one connection of its own, as a client of pgbench has one.
struct Caller {
    /// Host and port.
    address: String,
    token: String,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

/// A whole system in this process, on a database that synchronises its log, as a real one does.
struct System {
    local: Local,
    database: Database,
    /// One for each client, with an article of its own.
    callers: Vec<(Arc<Caller>, Uuid)>,
    /// What extraction finds in them, as JSON.
    urls: String,
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
        for (name, value) in [
            ("MONTHLY_TOOL_CALL_LIMIT", "0"),
            ("LOG_LEVEL", "error"),
            // As many as pgbench has.
            ("DB_POOL_MAX", CLIENTS.to_string().as_str()),
        ] {
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
        let address = local.url.strip_prefix("http://").context("plain HTTP")?;
        let mut callers = Vec::new();
        for client in 0..CLIENTS {
            let caller = Caller {
                address: address.to_owned(),
                token: local.token(&format!("u{client}"), "research:run"),
                connection: Mutex::default(),
            };
            let article = caller.prepare().await?;
            for_pgbench(&database, client, article).await?;
            callers.push((Arc::new(caller), article));
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
            callers,
            urls,
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

    /// The same request from each client, about its own article. It is made beforehand: what is measured
    /// is how it is answered.
    fn step(
        &self,
        request: impl Fn(&Caller, Uuid) -> Result<Request<Full<Bytes>>>,
    ) -> Result<Step> {
        let prepared = self.callers.iter().map(|(caller, article)| {
            let request = request(caller, *article)?;
            Ok((Arc::clone(caller), request))
        });
        let prepared = prepared.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(move |client| {
            let prepared = prepared.get(client).cloned();
            Box::pin(async move {
                let (caller, request) = prepared.context("no such client")?;
                caller.send(request).await.map(drop)
            })
        }))
    }

    fn upload(&self) -> Result<Step> {
        self.step(|caller, _| caller.upload())
    }

    fn extract(&self) -> Result<Step> {
        self.step(|caller, article| caller.tool("extract_guidelines_urls", article))
    }

    fn download(&self) -> Result<Step> {
        self.step(|caller, article| {
            let path = format!("/download_research?article_guideline_id={article}");
            caller.request(Method::GET, &path, "text/plain", Bytes::new())
        })
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
    async fn prepare(&self) -> Result<Uuid> {
        let answer = self.send(self.upload()?).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let id: Uuid = answer["article_id"].as_str().context("no id")?.parse()?;
        for tool in ["extract_guidelines_urls", "create_research_file"] {
            self.send(self.tool(tool, id)?).await?;
        }
        Ok(id)
    }

    fn upload(&self) -> Result<Request<Full<Bytes>>> {
        let path = "/upload_article_guideline";
        self.request(Method::POST, path, "text/markdown", guideline())
    }

    fn tool(&self, tool: &str, article: Uuid) -> Result<Request<Full<Bytes>>> {
        let arguments = format!("{{\"article_guideline_id\": \"{article}\"}}");
        let path = format!("/tools/{tool}");
        self.request(Method::POST, &path, "application/json", arguments.into())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type);
        Ok(request.body(Full::new(body))?)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Bytes> {
        let mut connection = self.connection.lock().await;
        let open = match connection.take() {
            Some(open) if !open.is_closed() => open,
            _ => self.connect().await?,
        };
        let sender = connection.insert(open);
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let good = matches!(status, StatusCode::OK | StatusCode::CREATED);
        ensure!(good, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
        // It ends with its sender, or when the server closes it.
        tokio::spawn(connection);
        Ok(sender)
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
