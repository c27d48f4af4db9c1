//! Long tools: what is paid for is kept at once, done once, and never lost.

mod interrupted;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use nova_runtime::{
    App, ConfigError, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::{CallOutcome, CallUsage, Receipts},
};
use nova_store::{
    AnsweredQuery, Article, CommittedBlob, FoundSource, ItemState, JobItem, NewBlob, NewSource,
    Origin, Purpose, SourceKind, Tenant,
};
use nova_testkit::issuer::Issuer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::sleep};
use uuid::Uuid;

use crate::support::{Instance, Nova, Settings, ring};

pub(crate) const TOOL: &str = "read_pages";

/// Somebody who is paid for each page, and says what was paid.
#[derive(Default)]
struct Provider {
    paid: Mutex<BTreeMap<String, u32>>,
    asked: Mutex<BTreeMap<String, u32>>,
    /// Each page takes one; none are given while it has none.
    gate: Option<Semaphore>,
}

impl Provider {
    fn with_gate(pages: usize) -> Arc<Self> {
        Arc::new(Self {
            gate: Some(Semaphore::new(pages)),
            ..Self::default()
        })
    }

    fn open(&self) {
        self.gate.as_ref().unwrap().add_permits(1000);
    }

    fn paid(&self) -> BTreeMap<String, u32> {
        self.paid.lock().unwrap().clone()
    }

    fn asked(&self, page: &str) -> u32 {
        *self.asked.lock().unwrap().get(page).unwrap_or(&0)
    }

    async fn get(&self, page: &str) -> Result<String, Failure> {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(page.to_owned()).or_default();
            *count += 1;
            *count
        };
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        match page {
            "busy" if asked < 3 => {
                return Err(Failure::Again {
                    reason: "the provider is busy".to_owned(),
                    after: Some(Duration::from_millis(10)),
                });
            }
            "always-busy" => {
                return Err(Failure::Again {
                    reason: "the provider is busy".to_owned(),
                    after: Some(Duration::from_millis(10)),
                });
            }
            "gone" => return Err(Failure::Never("HTTP\0 404".to_owned())),
            "slow" => sleep(Duration::from_millis(300)).await,
            "defect" => panic!("on purpose"),
            "no-key" => {
                return Err(Failure::Job(Problem::new(
                    StatusCode::CONFLICT,
                    "not-configured",
                    "Not configured",
                    "Set PROVIDER_KEY.",
                )));
            }
            "wrong-key" => {
                return Err(Failure::Settings(Problem::new(
                    StatusCode::BAD_GATEWAY,
                    "provider-credentials",
                    "Refused",
                    "Look after PROVIDER_KEY.",
                )));
            }
            "down" => return Err(Failure::Job(Problem::internal("the provider is down"))),
            _ => {}
        }
        *self
            .paid
            .lock()
            .unwrap()
            .entry(page.to_owned())
            .or_default() += 1;
        Ok(format!("text of {page}"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    pages: Vec<String>,
}

struct ReadPages(Arc<Provider>);

impl LongTool for ReadPages {
    const NAME: &'static str = TOOL;
    type Arguments = Pages;
    type Paid = String;

    fn check(arguments: &Pages) -> Result<(), Problem> {
        match arguments.pages.len() {
            0 => Err(Problem::bad_field("pages", "at least one")),
            _ => Ok(()),
        }
    }

    fn at_once(&self, _: &Pages) -> usize {
        2
    }

    fn revision<'a>(
        _: &'a App,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move {
            let found = tenant.research_results(article.id).await?.len();
            Ok(found.to_string())
        })
    }

    fn pieces<'a>(&'a self, work: &'a Work<Pages>) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async { Ok(work.arguments.pages.clone()) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Work<Pages>,
        piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            // Dropped in the middle, it says that it broke off.
            let call = receipts.begin("Example", None);
            let got = self.0.get(piece).await;
            let outcome = match &got {
                Ok(_) => CallOutcome::Answered,
                Err(Failure::Again { .. }) => CallOutcome::Busy,
                Err(_) => CallOutcome::Refused,
            };
            call.end(outcome, CallUsage::default());
            got
        })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<Pages>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        paid: &'a String,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let id = Uuid::now_v7();
            let blob = NewBlob {
                id,
                purpose: Purpose::Scraped,
                bucket: "files".to_owned(),
                object_name: format!("v1/{id}"),
                content_type: "text/markdown".to_owned(),
                declared_size: None,
            };
            tenant.begin_blob(&blob).await?;
            let written = CommittedBlob {
                id,
                size: 1,
                crc32c: 0,
                sha256: None,
                generation: 1,
            };
            tenant.commit_blob(&written).await?;
            let source = NewSource {
                id: Uuid::now_v7(),
                kind: SourceKind::ScrapedUrl,
                key: piece.key.clone(),
                title: piece.key.clone(),
                position: i64::try_from(piece.position).unwrap(),
                blob_id: id,
                origin: Origin {
                    title: Some(format!("\0{paid}")),
                    ..Origin::default()
                },
            };
            tenant.upsert_source(work.article.id, &source).await?;
            if piece.key == "unfit" {
                // A list where the schema wants an object.
                let list = serde_json::value::to_raw_value(&[1]).unwrap();
                tenant.save_extracted_urls(work.article.id, &list).await?;
            }
            Ok(json!({"characters": paid.len(), "begins": "\0"}))
        })
    }

    fn further(&self, piece: &JobItem, _: &String) -> Vec<String> {
        part_after(&piece.key).into_iter().collect()
    }

    fn answer(&self, _: &Work<Pages>, pieces: &[JobItem]) -> Result<Value, Problem> {
        let done = pieces.iter().filter(|one| one.state == ItemState::Done);
        let failures: Vec<Value> = pieces
            .iter()
            .filter_map(|one| Some(json!({"url": one.key, "reason": one.error.as_ref()?})))
            .collect();
        Ok(json!({"status": "success", "read": done.count(), "failures": failures}))
    }
}

/// `serial 2/3` after `serial 1/3`: only who has a part sees that there is another.
fn part_after(page: &str) -> Option<String> {
    let (name, part) = page.split_once(' ')?;
    let (part, of) = part.split_once('/')?;
    let (part, of): (u32, u32) = (part.parse().ok()?, of.parse().ok()?);
    (part < of).then(|| format!("{name} {}/{of}", part + 1))
}

/// Nova with this tool, and an article.
pub(crate) struct Setup {
    pub(crate) nova: Nova,
    pub(crate) article: Uuid,
    provider: Arc<Provider>,
}

fn tools(provider: &Arc<Provider>) -> impl Fn(&Arc<App>) -> Result<Routes, ConfigError> + use<> {
    let provider = Arc::clone(provider);
    move |app| Ok(Routes::new().long_tool(app, ReadPages(Arc::clone(&provider))))
}

impl Setup {
    async fn new(provider: Arc<Provider>) -> Self {
        Self::of(provider, async |_, _| Settings::new()).await
    }

    /// With further settings of the function.
    pub(crate) async fn with_settings(
        settings: impl AsyncFnOnce(Issuer, SocketAddr) -> Settings,
    ) -> Self {
        Self::of(Arc::default(), settings).await
    }

    async fn of(
        provider: Arc<Provider>,
        settings: impl AsyncFnOnce(Issuer, SocketAddr) -> Settings,
    ) -> Self {
        let nova = Nova::start_with(settings, tools(&provider)).await;
        let article = nova.article().await;
        Self {
            nova,
            article,
            provider,
        }
    }

    /// The tools, set up once more in these surroundings.
    pub(crate) fn tools(&self, app: &Arc<App>) -> Routes {
        tools(&self.provider)(app).unwrap()
    }

    pub(crate) fn asked(&self, page: &str) -> u32 {
        self.provider.asked(page)
    }

    pub(crate) fn paid(&self, page: &str) -> u32 {
        *self.provider.paid().get(page).unwrap_or(&0)
    }

    pub(crate) async fn call(&self, pages: &[&str], patience: &str) -> (u16, Value) {
        let arguments = json!({"pages": pages});
        self.nova
            .answer(TOOL, self.article, arguments, patience)
            .await
    }

    /// Makes the job and does not wait for it: its id.
    pub(crate) async fn job(&self, pages: &[&str]) -> String {
        let (status, answer) = self.call(pages, "0").await;
        assert_eq!((status, &answer["status"]), (202, &json!("running")));
        answer["job_id"].as_str().unwrap().to_owned()
    }

    /// Makes the job, does it and gives the answer.
    pub(crate) async fn done(&self, pages: &[&str]) -> (u16, Value) {
        let job = self.job(pages).await;
        self.nova.ring(TOOL, &job).await;
        self.call(pages, "0").await
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        let pool = self.nova.database.pool();
        sqlx::query_scalar(query).fetch_one(&pool).await.unwrap()
    }

    /// Sources kept, units charged, jobs made.
    pub(crate) async fn kept_charged_jobs(&self) -> (i64, i64, i64) {
        (
            self.count("SELECT count(*) FROM sources").await,
            self.count("SELECT count(*) FROM tool_call_usage").await,
            self.count("SELECT count(*) FROM jobs").await,
        )
    }

    /// Receipts, as `item outcome`, in their order.
    async fn receipts(&self) -> Vec<String> {
        let all = "SELECT c.item_position || ' ' || c.outcome FROM provider_calls c ORDER BY c.item_position, c.id";
        let pool = self.nova.database.pool();
        sqlx::query_scalar(all).fetch_all(&pool).await.unwrap()
    }

    async fn wait_until_kept(&self, pages: i64) {
        for _ in 0..500 {
            if self.count("SELECT count(*) FROM sources").await == pages {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{pages} pages were not kept in 5 s");
    }

    /// As after a minute in which the worker said nothing.
    async fn worker_is_given_up(&self) {
        let late = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'";
        sqlx::query(late)
            .execute(&self.nova.database.pool())
            .await
            .unwrap();
    }
}

pub(crate) const PAGES: [&str; 4] = ["a", "b", "c", "d"];

fn once_each() -> BTreeMap<String, u32> {
    PAGES.map(|page| (page.to_owned(), 1)).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_after_some_pieces_costs_none_twice() {
    for before in [0, 1, 3] {
        let setup = Setup::new(Provider::with_gate(before)).await;
        let job = setup.job(&PAGES).await;
        let first = setup.nova.instance(&tools(&setup.provider));
        let ringing = {
            let (address, job) = (first.address, job.clone());
            tokio::spawn(async move { ring(address, TOOL, &job).await })
        };
        setup.wait_until_kept(i64::try_from(before).unwrap()).await;
        // The next two are being waited for.
        while setup.provider.asked.lock().unwrap().len() < (before + 2).min(PAGES.len()) {
            sleep(Duration::from_millis(5)).await;
        }
        first.kill();
        assert_ne!(ringing.await.unwrap(), 200, "whoever rang rings again");
        setup.provider.open();
        assert_eq!(setup.nova.ring(TOOL, &job).await, 200);
        assert_eq!(
            setup.kept_charged_jobs().await,
            (i64::try_from(before).unwrap(), 1, 1),
            "the claim still runs"
        );
        setup.worker_is_given_up().await;
        assert_eq!(setup.nova.ring(TOOL, &job).await, 200);
        let (status, answer) = setup.call(&PAGES, "0").await;
        assert_eq!((status, &answer["read"]), (200, &json!(4)), "{answer}");
        assert_eq!(setup.kept_charged_jobs().await, (4, 1, 1));
        assert_eq!(setup.provider.paid(), once_each());
        let answered = ["0 answered", "1 answered", "2 answered", "3 answered"];
        assert_eq!(
            setup.receipts().await,
            answered,
            "those of the dead are not known"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_was_paying_for_when_it_lost_its_job_is_written_down_too() {
    let setup = Setup::new(Provider::with_gate(0)).await;
    let job = setup.job(&["a"]).await;
    let (first, second) = (
        setup.nova.instance(&tools(&setup.provider)),
        setup.nova.instance(&tools(&setup.provider)),
    );
    let called = |worker: &Instance| {
        let (address, job) = (worker.address, job.clone());
        tokio::spawn(async move { ring(address, TOOL, &job).await })
    };
    let loses = called(&first);
    while setup.provider.asked("a") < 1 {
        sleep(Duration::from_millis(5)).await;
    }
    setup.worker_is_given_up().await;
    let wins = called(&second);
    // The first ends when it hears with its heartbeat that it has lost; then the second is let through.
    loses.await.unwrap();
    assert_eq!(setup.provider.asked("a"), 2);
    setup.provider.open();
    assert_eq!(wins.await.unwrap(), 200);
    assert_eq!(setup.kept_charged_jobs().await, (1, 1, 1));
    assert_eq!(setup.receipts().await, ["0 unreachable", "0 answered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_are_called_for_the_same_job_do_it_once() {
    let setup = Setup::new(Arc::default()).await;
    let second = setup.nova.instance(&tools(&setup.provider));
    let job = setup.job(&PAGES).await;
    let rings = [
        setup.nova.ring(TOOL, &job).await,
        ring(second.address, TOOL, &job).await,
    ];
    assert_eq!(rings, [200, 200]);
    assert_eq!(setup.kept_charged_jobs().await, (4, 1, 1));
    assert_eq!(setup.provider.paid(), once_each());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_identical_calls_are_one_job_and_all_get_its_answer() {
    let setup = Setup::new(Arc::default()).await;
    let job = setup.job(&PAGES).await;
    let calls = join_all((0..10).map(|_| setup.call(&PAGES, "20")));
    let work = setup.nova.ring(TOOL, &job);
    let (answers, _) = tokio::join!(calls, work);
    for (status, answer) in answers {
        assert_eq!((status, &answer["read"]), (200, &json!(4)), "{answer}");
    }
    assert_eq!(setup.kept_charged_jobs().await, (4, 1, 1));
    let (status, _) = setup.call(&["a"], "0").await;
    assert_eq!(status, 202, "another list of pages is another job");
    assert_eq!(setup.kept_charged_jobs().await, (4, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_make_no_sense_are_refused_before_anything_is_charged() {
    let setup = Setup::new(Arc::default()).await;
    let (status, answer) = setup.call(&[], "0").await;
    assert_eq!(
        (status, &answer["field"]),
        (400, &json!("pages")),
        "{answer}"
    );
    assert_eq!(setup.kept_charged_jobs().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_is_another_job_when_the_rows_that_it_goes_by_are_others() {
    let setup = Setup::new(Arc::default()).await;
    let (status, _) = setup.done(&["a"]).await;
    assert_eq!(status, 200);
    let research = setup.nova.store("tools_research");
    let mut tenant = research.tenant(&"alice".parse().unwrap()).await.unwrap();
    let found = AnsweredQuery {
        query: "q".to_owned(),
        provider: None,
        sources: vec![FoundSource {
            identity: "example.com".to_owned(),
            url: "https://example.com/".to_owned(),
            title: None,
            published: None,
            answer: "yes".to_owned(),
        }],
    };
    let call = Uuid::now_v7();
    tenant
        .add_research(setup.article, call, 0, &found)
        .await
        .unwrap();
    tenant.commit().await.unwrap();
    let (status, _) = setup.call(&["a"], "0").await;
    assert_eq!(status, 202, "the answer of before is not served again");
    assert_eq!(setup.kept_charged_jobs().await.2, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refuses_costs_that_piece_only_and_says_why() {
    let setup = Setup::new(Arc::default()).await;
    let (status, answer) = setup
        .done(&["a", "busy", "always-busy", "gone", "defect"])
        .await;
    assert_eq!((status, &answer["read"]), (200, &json!(2)), "{answer}");
    assert_eq!(
        answer["failures"],
        json!([
            {"url": "always-busy", "reason": "the provider is busy (tried 4 times)"},
            {"url": "gone", "reason": "HTTP 404"},
            {"url": "defect", "reason": "failed on our side"},
        ])
    );
    assert_eq!(setup.provider.asked("busy"), 3);
    assert_eq!(setup.provider.asked("gone"), 1);
    let receipts = setup.receipts().await;
    assert_eq!(
        receipts,
        [
            "0 answered",
            "1 busy",
            "1 busy",
            "1 answered",
            "2 busy",
            "2 busy",
            "2 busy",
            "2 busy",
            "3 refused",
            "4 unreachable",
        ],
        "one for each call, whatever came of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_configured_is_told_and_one_that_is_down_is_tried_again() {
    let setup = Setup::new(Arc::default()).await;
    let (status, answer) = setup.done(&["no-key"]).await;
    assert_eq!(
        (status, &answer["detail"]),
        (409, &json!("Set PROVIDER_KEY."))
    );

    let job = setup.job(&["down"]).await;
    assert_eq!(setup.nova.ring(TOOL, &job).await, 503, "ring again");
    assert_eq!(setup.nova.ring(TOOL, &job).await, 200, "but not yet");
    assert_eq!(setup.provider.asked("down"), 1);
    for _ in 0..4 {
        let now = "UPDATE jobs SET due_at = now() WHERE state = 'queued'";
        sqlx::query(now)
            .execute(&setup.nova.database.pool())
            .await
            .unwrap();
        setup.nova.ring(TOOL, &job).await;
    }
    assert_eq!(setup.provider.asked("down"), 5);
    assert_eq!(
        setup.receipts().await,
        ["0 refused"; 6],
        "also of what was never settled: once of the one job, five times of the other"
    );
    let (status, answer) = setup.call(&["down"], "0").await;
    assert_eq!((status, &answer["title"]), (500, &json!("Internal error")));
    assert_eq!(
        setup.count("SELECT count(*) FROM tool_call_refunds").await,
        1,
        "our fault is given back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_ends_the_job_at_once_and_the_call_is_given_back() {
    let setup = Setup::new(Arc::default()).await;
    let (status, answer) = setup.done(&["wrong-key"]).await;
    assert_eq!(
        (status, &answer["detail"]),
        (502, &json!("Look after PROVIDER_KEY."))
    );
    assert_eq!(setup.provider.asked("wrong-key"), 1);
    assert_eq!(setup.receipts().await, ["0 refused"]);
    assert_eq!(setup.kept_charged_jobs().await, (0, 0, 1), "given back");
    let failed = "SELECT count(*) FROM articles a JOIN article_status_history h ON h.article_id = a.id AND h.to_status = a.status
                   WHERE a.status = 'failed' AND h.tool_name = 'read_pages'";
    assert_eq!(
        setup.count(failed).await,
        1,
        "operators look for such articles"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_paid_for_is_kept_when_another_piece_ends_the_job() {
    let setup = Setup::new(Arc::default()).await;
    let (status, answer) = setup.done(&["slow", "no-key", "a", "b"]).await;
    assert_eq!(
        (status, &answer["detail"]),
        (409, &json!("Set PROVIDER_KEY."))
    );
    let paid = BTreeMap::from([("slow".to_owned(), 1)]);
    assert_eq!(setup.provider.paid(), paid, "and no other was begun");
    assert_eq!(setup.kept_charged_jobs().await, (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_begins_nothing_new_and_keeps_what_is_done() {
    let setup = Setup::new(Provider::with_gate(1)).await;
    let job = setup.job(&PAGES).await;
    let cancel = "UPDATE jobs SET cancel_requested = true";
    let worker = setup.nova.ring(TOOL, &job);
    let user = async {
        setup.wait_until_kept(1).await;
        sqlx::query(cancel)
            .execute(&setup.nova.database.pool())
            .await
            .unwrap();
        // The worker hears of it with its next heartbeat; this one is given up and another told.
        setup.worker_is_given_up().await;
        let second = setup.nova.instance(&tools(&setup.provider));
        assert_eq!(ring(second.address, TOOL, &job).await, 200);
        setup.provider.open();
    };
    tokio::join!(worker, user);
    assert_eq!(setup.kept_charged_jobs().await, (1, 1, 1));
    let cancelled = "SELECT count(*) FROM jobs WHERE state = 'cancelled'";
    assert_eq!(setup.count(cancelled).await, 1);
}

/// All parts of these serials, each paid once.
fn parts_once(serials: &[&str], parts: u32) -> BTreeMap<String, u32> {
    let all = serials.iter().flat_map(|name| {
        let parts = 1..=parts;
        parts.map(move |part| (format!("{name} {part}/3"), 1))
    });
    all.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_come_of_pieces_are_paid_once_wherever_the_worker_is_killed() {
    for before in [0, 1, 2] {
        let setup = Setup::new(Provider::with_gate(before)).await;
        let job = setup.job(&["serial 1/3"]).await;
        let first = setup.nova.instance(&tools(&setup.provider));
        let ringing = {
            let (address, job) = (first.address, job.clone());
            tokio::spawn(async move { ring(address, TOOL, &job).await })
        };
        // The next one is being waited for.
        while setup.provider.asked.lock().unwrap().len() < before + 1 {
            sleep(Duration::from_millis(5)).await;
        }
        first.kill();
        assert_ne!(ringing.await.unwrap(), 200, "whoever rang rings again");
        let (_, running) = setup.call(&["serial 1/3"], "0").await;
        assert_eq!(
            (&running["done"], &running["total"]),
            (&json!(before), &json!(before + 1)),
            "listed with what told of it: {running}"
        );
        setup.provider.open();
        setup.worker_is_given_up().await;
        assert_eq!(setup.nova.ring(TOOL, &job).await, 200);
        let (status, answer) = setup.call(&["serial 1/3"], "0").await;
        assert_eq!((status, &answer["read"]), (200, &json!(3)), "{answer}");
        assert_eq!(setup.kept_charged_jobs().await, (3, 1, 1));
        assert_eq!(setup.provider.paid(), parts_once(&["serial"], 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_grow_side_by_side_do_not_get_into_each_others_way() {
    let setup = Setup::new(Arc::default()).await;
    let second = setup.nova.instance(&tools(&setup.provider));
    let pages = ["one 1/3", "two 1/3", "three 1/3", "four 1/3"];
    let job = setup.job(&pages).await;
    let rings = tokio::join!(
        setup.nova.ring(TOOL, &job),
        ring(second.address, TOOL, &job)
    );
    assert_eq!(rings, (200, 200));
    let (status, answer) = setup.call(&pages, "20").await;
    assert_eq!((status, &answer["read"]), (200, &json!(12)), "{answer}");
    assert_eq!(setup.kept_charged_jobs().await, (12, 1, 1));
    let names = ["one", "two", "three", "four"];
    assert_eq!(setup.provider.paid(), parts_once(&names, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_does_not_begin_the_pieces_that_have_come_of_others() {
    let setup = Setup::new(Provider::with_gate(0)).await;
    let pool = setup.nova.database.pool();
    let job = setup.job(&["serial 1/3"]).await;
    let user = async {
        while setup.provider.asked.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let cancel = "UPDATE jobs SET cancel_requested = true, lease_until = 'infinity'";
        sqlx::query(cancel).execute(&pool).await.unwrap();
        // The worker hears of it with its heartbeat, which is what sets the lease anew.
        let unheard = "SELECT count(*) FROM jobs WHERE lease_until = 'infinity'";
        while setup.count(unheard).await == 1 {
            sleep(Duration::from_millis(20)).await;
        }
        setup.provider.open();
    };
    let (rung, ()) = tokio::join!(setup.nova.ring(TOOL, &job), user);
    assert_eq!(rung, 200);
    assert_eq!(setup.kept_charged_jobs().await, (1, 1, 1));
    assert_eq!(setup.provider.paid(), parts_once(&["serial"], 1));
    let cancelled = "SELECT count(*) FROM jobs WHERE state = 'cancelled'";
    assert_eq!(setup.count(cancelled).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_slow_pages_hold_no_connection_and_nobody_up() {
    let setup = Setup::new(Provider::with_gate(0)).await;
    let mut jobs = Vec::new();
    for number in 0..50 {
        let pages = [format!("{number} a"), format!("{number} b")];
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        jobs.push(setup.job(&pages).await);
    }
    let work = join_all(jobs.iter().map(|job| setup.nova.ring(TOOL, job)));
    let watch = async {
        while setup.provider.asked.lock().unwrap().len() < 100 {
            sleep(Duration::from_millis(10)).await;
        }
        // A connection that was given back answers the pool's ping.
        sleep(Duration::from_millis(500)).await;
        let busy = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND usename = 'tools_research' AND state <> 'idle'";
        assert_eq!(setup.count(busy).await, 0);
        let mut times = Vec::new();
        for number in 0..5 {
            let begun = Instant::now();
            let (status, _) = setup.call(&[&format!("quick {number}")], "0").await;
            assert_eq!(status, 202);
            times.push(begun.elapsed());
        }
        times.sort();
        setup.provider.open();
        times[2]
    };
    let (_, took) = tokio::join!(work, watch);
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(setup.kept_charged_jobs().await.0, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_learns_of_the_end_at_once_and_by_one_connection_that_is_closed_afterwards() {
    let setup = Setup::new(Provider::with_gate(0)).await;
    let job = setup.job(&PAGES).await;
    let listening = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    let calls = join_all((0..20).map(|_| async {
        let (status, answer) = setup.call(&PAGES, "30").await;
        assert_eq!((status, &answer["read"]), (200, &json!(4)), "{answer}");
        Instant::now()
    }));
    let work = async {
        let work = setup.nova.ring(TOOL, &job);
        let user = async {
            // Longer than until the first looks, so that only what is heard is quick.
            sleep(Duration::from_millis(2500)).await;
            assert_eq!(setup.count(listening).await, 1);
            setup.provider.open();
        };
        tokio::join!(work, user);
        Instant::now()
    };
    let (mut told, done) = tokio::join!(calls, work);
    told.sort();
    let median = told[10].saturating_duration_since(done);
    assert!(median < Duration::from_millis(300), "{median:?}");
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(setup.count(listening).await, 0);
}
