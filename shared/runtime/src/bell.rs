//! The bell: who is called for when there is a job to do, and who may call.
//!
//! A job's row is the truth, and a ring says no more than "look at it": it carries the job's id and
//! nothing else, may come twice, late or never, and who answers it claims the job or finds that
//! there is nothing to do. In the cloud Cloud Tasks rings, for which a task is made after the job
//! was committed; what was committed and never rung is rung by `sweep`. On one machine nobody is
//! asked to ring: `nova-local` watches the jobs itself, as a sweeper that never sleeps.
//!
//! Who rings shows a token of one service account, with the function's own address as its
//! audience: signed by Google in the cloud, and locally by the issuer there, so that the same check
//! stands at both doors. Without [`TasksConfig`] nobody is let in on Cloud Run; elsewhere the door
//! is open, for tests and for who starts a function by hand.

mod cloud_tasks;

use std::sync::Arc;

use http::request::Parts;

use crate::{
    clock::Clock,
    config::TasksConfig,
    http_client::HttpClient,
    identity::{self, TokenError, Verifier, VerifierConfig},
    problem::Problem,
};

pub use self::cloud_tasks::{Bell, Ring, RingError};

/// The door at which workers are called for.
pub(crate) enum Door {
    /// Only the service account comes in.
    Guarded {
        verifier: Box<Verifier>,
        account: String,
    },
    /// Nobody comes in: it is not known who may.
    Shut,
    /// Everybody comes in.
    Open,
}

impl Door {
    /// The door of a function, which may stand on Cloud Run.
    pub(crate) fn new(
        function: &str,
        tasks: Option<&TasksConfig>,
        is_in_cloud: bool,
        http: &HttpClient,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        match tasks {
            Some(tasks) => Self::Guarded {
                verifier: Box::new(Verifier::new(
                    VerifierConfig::oidc(tasks.issuer.as_str(), vec![tasks.target(function)]),
                    http.clone(),
                    Arc::clone(clock),
                )),
                account: tasks.service_account.clone(),
            },
            None if is_in_cloud => Self::Shut,
            None => Self::Open,
        }
    }

    /// Lets the caller in or says why not.
    pub(crate) async fn admit(&self, parts: &Parts) -> Result<(), Problem> {
        let refused = |error: TokenError| {
            let problem = Problem::unauthorized(error.public_text());
            problem.caused_by(error)
        };
        match self {
            Self::Open => Ok(()),
            Self::Shut => Err(Problem::forbidden(
                "It is not known who may call for workers: set CLOUD_TASKS_SERVICE_ACCOUNT and CLOUD_TASKS_TARGET_URL.",
            )),
            Self::Guarded { verifier, account } => {
                let token = identity::bearer_token(&parts.headers).map_err(refused)?;
                let token = token.ok_or_else(|| {
                    Problem::unauthorized("This address is for whoever calls for workers.")
                })?;
                match verifier.verify_service_account(token, account).await {
                    Err(error) if error.is_unavailable() => Err(Problem::unavailable(
                        "Tokens cannot be checked at the moment.",
                        std::time::Duration::from_secs(5),
                    )
                    .caused_by(error)),
                    checked => checked.map_err(refused),
                }
            }
        }
    }
}
