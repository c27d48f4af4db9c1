//! Workers that are called for by Cloud Tasks: a task for each job, at once or when it is due.

use std::time::Duration;

use nova_testkit::{
    cloud_tasks::CloudTasks,
    cloudsql::CloudSql,
    providers::{Effect, Fault},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::long::{PAGES, Setup};

const ACCOUNT: &str = "bell@acme.iam.gserviceaccount.com";
const QUEUE: &str = "projects/acme/locations/europe-west1/queues/jobs";

/// A function with a queue, and Google's metadata server for its tokens.
struct InCloud {
    setup: Setup,
    tasks: CloudTasks,
    _google: CloudSql,
}

impl InCloud {
    async fn start() -> Self {
        let google = CloudSql::start().await.unwrap();
        let metadata = google.metadata_host();
        let (told, tasks) = tokio::sync::oneshot::channel();
        let setup = Setup::with_settings(async |issuer, own_address| {
            let tasks = CloudTasks::start(issuer).await.unwrap();
            let settings = [
                ("CLOUD_TASKS_QUEUE", QUEUE.to_owned()),
                ("CLOUD_TASKS_SERVICE_ACCOUNT", ACCOUNT.to_owned()),
                ("CLOUD_TASKS_TARGET_URL", format!("http://{own_address}")),
                ("CLOUD_TASKS_BASE_URL", tasks.url().to_owned()),
                ("GCE_METADATA_HOST", metadata),
            ];
            assert!(told.send(tasks).is_ok());
            settings.to_vec()
        });
        Self {
            setup: setup.await,
            tasks: tasks.await.unwrap(),
            _google: google,
        }
    }

    /// Sent to Cloud Tasks: the names of the tasks.
    fn named(&self) -> Vec<String> {
        let received = self.tasks.received();
        let names = received.iter().map(|it| it.json()["task"]["name"].clone());
        names.map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    async fn is_rung(&self) -> bool {
        self.setup
            .count("SELECT count(*) FROM jobs WHERE rung_at IS NOT NULL")
            .await
            == 1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_makes_one_task_and_its_worker_does_the_job() {
    let nova = InCloud::start().await;
    let (status, answer) = nova.setup.call(&PAGES, "20").await;
    assert_eq!((status, &answer["read"]), (200, &json!(4)), "{answer}");
    let (status, _again) = nova.setup.call(&PAGES, "20").await;
    assert_eq!(status, 200);
    assert_eq!(nova.setup.kept_charged_jobs().await, (4, 1, 1));
    let [name] = &nova.named()[..] else {
        panic!("{:?}", nova.named())
    };
    let (queue, name) = name.split_once("/tasks/").unwrap();
    assert_eq!(queue, QUEUE);
    assert!(name.starts_with("job-") && name.ends_with("-0"), "{name}");
    assert!(nova.is_rung().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_when_cloud_tasks_is_down_and_the_job_is_left_to_the_sweeper() {
    let nova = InCloud::start().await;
    nova.tasks.inject(Fault::new(Effect::Status(503)).times(2));
    let (status, answer) = nova.setup.call(&PAGES, "0").await;
    assert_eq!((status, &answer["status"]), (202, &json!("running")));
    assert!(!nova.is_rung().await);
    let names = nova.named();
    assert!(names.len() == 2 && names[0] == names[1], "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_made_though_its_answer_was_lost_is_as_good_as_any() {
    let nova = InCloud::start().await;
    nova.tasks.inject(Fault::new(Effect::CutAfter(1)));
    let (status, answer) = nova.setup.call(&PAGES, "20").await;
    assert_eq!((status, &answer["read"]), (200, &json!(4)), "{answer}");
    assert_eq!(nova.named().len(), 2, "the second was there already");
    assert_eq!(nova.tasks.called().len(), 1);
    assert!(nova.is_rung().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_put_off_is_called_for_again_when_it_is_due() {
    let nova = InCloud::start().await;
    nova.setup.job(&["down"]).await;
    let begun = Instant::now();
    while nova.tasks.called().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(50)).await;
    }
    assert!(
        begun.elapsed() > Duration::from_secs(2),
        "a pause of 2.5 to 5 s"
    );
    let calls = nova.tasks.called();
    let tasks: Vec<&str> = calls.iter().map(|call| call.task.as_str()).collect();
    assert!(
        tasks[0].ends_with("-0") && tasks[1].ends_with("-1"),
        "{tasks:?}"
    );
    assert!(
        calls.iter().all(|call| call.status.unwrap() == 200),
        "{calls:?}"
    );
    assert_eq!(nova.setup.asked("down"), 2);
}
