//! A system whose functions are processes, the providers around it, and one job in it.

use std::{collections::BTreeSet, time::Duration};

use http::{Method, StatusCode};
use nova_testkit::{
    Gate,
    objects::{self, Action},
    postgres::{Database, Postgres, Settings, Stop},
    providers::{
        Effect, Fault, StandIn, firecrawl::Firecrawl, github::Github, google::Google,
        perplexity::Perplexity, site::Site,
    },
};
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::table::{Asked, LongTool};
use crate::system::{Answer, System};

/// Longer than anything takes here on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct World {
    pub(super) system: System,
    pub(super) site: Site,
    pub(super) firecrawl: Firecrawl,
    pub(super) github: Github,
    pub(super) google: Google,
    pub(super) perplexity: Perplexity,
    pub(super) pool: PgPool,
    /// The last, so that it outlives those that are connected to it.
    pub(super) server: Mutex<Postgres>,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::start_as(true).await
    }

    /// With each function as a process of its own, or all in this one.
    pub(super) async fn start_as(processes: bool) -> Self {
        let settings = Settings {
            max_connections: 300,
            ..Settings::default()
        };
        let server = Postgres::start(settings).await;
        let database = server.database("nova", nova_local::migrated).await;
        let pool = database.pool();
        let site = Site::start().await.unwrap();
        let firecrawl = Firecrawl::start().await.unwrap();
        let github = Github::start().await.unwrap();
        let google = Google::start().await.unwrap();
        let perplexity = Perplexity::start().await.unwrap();
        let settings = [
            ("NOVA_ALLOW_PRIVATE_URLS", "true"),
            ("FIRECRAWL_BASE_URL", firecrawl.url()),
            ("FIRECRAWL_API_KEY", nova_testkit::providers::firecrawl::KEY),
            ("GITHUB_BASE_URL", github.url()),
            ("GITHUB_TOKEN", nova_testkit::providers::github::TOKEN),
            // Videos are transcribed, and all else goes without a model.
            ("LLM_PROVIDER", "none"),
            ("GOOGLE_BASE_URL", google.url()),
            ("GOOGLE_API_KEY", nova_testkit::providers::google::KEY),
            ("PPLX_BASE_URL", perplexity.url()),
            ("PPLX_API_KEY", nova_testkit::providers::perplexity::KEY),
        ];
        let by_url =
            |database: &Database, login: &str| vec![("DATABASE_URL", database.url_as(login))];
        let system = System::start_on(database, &by_url, &settings, processes).await;
        Self {
            system,
            site,
            firecrawl,
            github,
            google,
            perplexity,
            pool,
            server: Mutex::new(server),
        }
    }

    /// The database server is killed, and starts again.
    pub(super) async fn restart_database(&self) {
        self.server.lock().await.restart(Stop::Immediate).await;
    }

    /// An article of somebody who has no other, for a call of this tool.
    pub(super) async fn call<'w>(&'w self, tool: &'w LongTool, why: &str) -> Call<'w> {
        let tag = format!("{why}-{}", tool.name);
        let (article, arguments) = (tool.prepare)(self, tool, &tag).await;
        Call {
            world: self,
            tool,
            word: (tool.word)(&tag),
            tag,
            article,
            arguments,
        }
    }
}

/// A call of a long tool.
pub(super) struct Call<'w> {
    world: &'w World,
    pub(super) tool: &'w LongTool,
    /// The user.
    pub(super) tag: String,
    /// What its pieces have in common.
    pub(super) word: String,
    pub(super) article: Uuid,
    pub(super) arguments: Value,
}

impl Call<'_> {
    /// Whoever is asked for pieces answers so many, and the others when the gate is opened.
    pub(super) async fn hold_after(&self, pieces: usize) -> Gate {
        let (gate, after) = (Gate::new(), u32::try_from(pieces).unwrap());
        match self.tool.asked {
            Asked::Provider(provider) => {
                let hold = Fault::new(Effect::Hold(gate.clone())).on(&self.word);
                provider(self.world).inject(hold.after(after).times(1000));
            }
            Asked::Bucket => {
                let name = "SELECT b.object_name FROM blobs b JOIN articles a ON a.guideline_blob_id = b.id WHERE a.id = $1";
                let name: String = sqlx::query_scalar(name)
                    .bind(self.article)
                    .fetch_one(&self.world.pool)
                    .await
                    .unwrap();
                let hold = objects::Fault::new(objects::Effect::Hold(gate.clone()));
                let hold = hold.on(Action::Download).object(name).times(1000);
                self.world.system.local.objects.inject(hold);
            }
        }
        gate
    }

    pub(super) fn provider(&self) -> Option<&StandIn> {
        match self.tool.asked {
            Asked::Provider(provider) => Some(provider(self.world)),
            Asked::Bucket => None,
        }
    }

    pub(super) async fn send(&self, patience: &str) -> Answer {
        let (system, arguments) = (&self.world.system, self.arguments.clone());
        let headers = [("x-nova-max-wait", patience)];
        system
            .tool_with(&self.tag, self.tool.name, arguments, &headers)
            .await
    }

    /// Makes the job and does not wait for it.
    pub(super) async fn begin(&self) -> Uuid {
        let answer = self.send("0").await;
        assert_eq!(
            answer.status,
            StatusCode::ACCEPTED,
            "{}: {answer:?}",
            self.tag
        );
        answer.json()["job_id"].as_str().unwrap().parse().unwrap()
    }

    /// Calls as an agent does, again and again, until there is an answer.
    pub(super) async fn answer(&self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send("5").await;
            match answer.status {
                StatusCode::OK => return answer.json(),
                StatusCode::ACCEPTED | StatusCode::SERVICE_UNAVAILABLE => {}
                _ => panic!("{}: {answer:?}", self.tag),
            }
            assert!(Instant::now() < deadline, "{}: {answer:?}", self.tag);
            sleep(LOOK).await;
        }
    }

    /// The job as its owner sees it.
    pub(super) async fn job(&self, id: Uuid, method: Method) -> Value {
        let path = format!("/jobs/{id}");
        let (user, system) = (&self.tag, &self.world.system);
        let answer = system.send_as(user, method, &path, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}: {answer:?}", self.tag);
        answer.json()
    }

    /// Returns when so many pieces are kept, and so many are waited for at the gate.
    pub(super) async fn reaches(&self, job: Uuid, kept: usize, gate: &Gate, held: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let done = self.job(job, Method::GET).await["done"].clone();
            if done == kept && gate.held() == held {
                return;
            }
            let seen = format!("{}: {done} done, {} held", self.tag, gate.held());
            assert!(
                Instant::now() < deadline,
                "{seen}; waited for {kept}, {held}"
            );
            sleep(LOOK).await;
        }
    }

    /// The job, once it has ended.
    pub(super) async fn end_of(&self, job: Uuid) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.job(job, Method::GET).await;
            if !seen["finished_at"].is_null() {
                return seen;
            }
            assert!(Instant::now() < deadline, "{}: {seen}", self.tag);
            sleep(LOOK).await;
        }
    }

    /// Returns when the job's worker has said once more that it is alive, and has heard then what
    /// there was to hear.
    pub(super) async fn worker_has_spoken(&self, job: Uuid) {
        let lease = async || {
            let lease = "SELECT extract(epoch FROM lease_until)::float8 FROM jobs WHERE id = $1";
            let lease = sqlx::query_scalar(lease).bind(job);
            let lease: Option<f64> = lease.fetch_one(&self.world.pool).await.unwrap();
            lease.unwrap_or_default()
        };
        let (before, deadline) = (lease().await, Instant::now() + PATIENCE);
        while lease().await <= before {
            assert!(
                Instant::now() < deadline,
                "{}: its worker is silent",
                self.tag
            );
            sleep(LOOK).await;
        }
    }

    /// As after the minute in which a worker that died said nothing.
    pub(super) async fn worker_is_given_up(&self, job: Uuid) {
        let late = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = $1 AND state = 'running'";
        let late = sqlx::query(late).bind(job).execute(&self.world.pool);
        late.await.unwrap();
    }

    async fn stored(&self) -> i64 {
        let stored = sqlx::query_scalar(self.tool.stored).bind(self.article);
        stored.fetch_one(&self.world.pool).await.unwrap()
    }

    async fn units_and_jobs(&self) -> (i64, i64) {
        let both =
            "SELECT (SELECT count(*) FROM tool_call_usage WHERE user_id = $1 AND tool_name = $2),
                           (SELECT count(*) FROM jobs WHERE user_id = $1 AND tool = $2)";
        let both = sqlx::query_as(both).bind(&self.tag).bind(self.tool.name);
        both.fetch_one(&self.world.pool).await.unwrap()
    }

    /// What was paid for, in order.
    pub(super) fn paid(&self) -> Vec<String> {
        let ledger = self.provider().map(StandIn::ledger).unwrap_or_default();
        let paid = ledger.into_iter().map(|payment| payment.what);
        paid.filter(|what| what.contains(&self.word)).collect()
    }

    /// One job, charged once; so many pieces stored, and each paid for once.
    pub(super) async fn is_accounted_for(&self, pieces: usize) {
        let tag = &self.tag;
        assert_eq!(
            self.stored().await,
            i64::try_from(pieces).unwrap(),
            "{tag}: stored"
        );
        if self.provider().is_some() {
            let paid = self.paid();
            let different: BTreeSet<&String> = paid.iter().collect();
            assert_eq!(
                (paid.len(), different.len()),
                (pieces, pieces),
                "{tag}: {paid:?}"
            );
        }
        assert_eq!(self.units_and_jobs().await, (1, 1), "{tag}: units, jobs");
    }
}
