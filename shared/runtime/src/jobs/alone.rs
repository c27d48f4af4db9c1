//! Jobs done in this process, without a server: `--once`, tasks of a Cloud Run job, and whoever does
//! several steps of the workflow one after the other.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_store::{Enqueued, Error, Job, JobState, UserId};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    call::{NewCall, cancelled, failure},
    registered::Registered,
    waiting,
    worker::Outcome,
};
use crate::{config::TaskConfig, problem::Problem};

/// How often it is looked whether a job can be done, and how far it has come.
const LOOK: Duration = Duration::from_secs(1);

/// Whoever calls tools in this process: hears how far a long one has come, and may end it early.
pub trait Follow: Send + Sync {
    /// Whether one more piece may be begun. After a no the job ends as cancelled: what was begun is
    /// waited for and kept.
    fn may_go_on(&self) -> BoxFuture<'_, bool>;

    /// The job as it is now; told about once a second.
    fn has_come_to(&self, job: &Job);
}

impl Registered {
    /// Does the work in this process, as a worker, and gives the answer. Where another worker has the
    /// job, its end is waited for.
    pub(crate) async fn once(
        &self,
        user: &UserId,
        arguments: Value,
        task: Option<&TaskConfig>,
    ) -> Result<String, Problem> {
        let call = NewCall {
            id: Uuid::now_v7(),
            task,
            works: true,
        };
        let (enqueued, _usage) = self.calls.enqueue(user, arguments, call).await?;
        let (Enqueued::Created(job) | Enqueued::Attached(job)) = enqueued;
        self.finish(user, job, None).await
    }

    /// The same under an id of the caller's, for whom the job of this id is the same call, however
    /// long ago it was made.
    pub(crate) async fn once_as(
        &self,
        user: &UserId,
        id: Uuid,
        arguments: Value,
        follow: Arc<dyn Follow>,
    ) -> Result<String, Problem> {
        let begun = self.calls.app.tenant(user).await?.job(id).await;
        let job = match begun {
            Ok(job) => job,
            Err(Error::NotFound { .. }) => {
                let call = NewCall {
                    id,
                    task: None,
                    works: true,
                };
                let (enqueued, _usage) = self.calls.enqueue(user, arguments, call).await?;
                let (Enqueued::Created(job) | Enqueued::Attached(job)) = enqueued;
                job
            }
            Err(error) => return Err(error.into()),
        };
        let (id, follows) = (job.id, Arc::clone(&follow));
        tokio::select! {
            answer = self.finish(user, job, Some(follow)) => answer,
            never = self.watch(user, id, &*follows) => never,
        }
    }

    async fn finish(
        &self,
        user: &UserId,
        mut job: Job,
        follow: Option<Arc<dyn Follow>>,
    ) -> Result<String, Problem> {
        while !job.state.has_ended() {
            if self.calls.app.is_stopping() {
                return Err(Problem::unavailable(
                    "Stopped. What was done is kept; start it again for the rest.",
                    LOOK,
                ));
            }
            match (self.run)(Arc::clone(&self.calls.app), job.id, follow.clone()).await? {
                Outcome::Ended => {}
                _ => sleep(LOOK).await,
            }
            job = waiting::wait(&self.calls.app, user, job.id, Duration::ZERO).await?;
        }
        match (job.state, job.result, job.error) {
            (JobState::Succeeded, Some(result), _) => Ok(String::from(Box::<str>::from(result))),
            (JobState::Failed, _, Some(document)) => Err(failure(&document)),
            _ => Err(cancelled(job.id)),
        }
    }

    /// Tells how far the job has come, for as long as somebody waits.
    async fn watch(&self, user: &UserId, id: Uuid, follow: &dyn Follow) -> Result<String, Problem> {
        loop {
            // What cannot be seen now is seen the next time.
            if let Ok(job) = waiting::wait(&self.calls.app, user, id, Duration::ZERO).await {
                follow.has_come_to(&job);
            }
            sleep(LOOK).await;
        }
    }
}
