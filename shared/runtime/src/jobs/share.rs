//! Shares of a long tool's work: the tasks of one Cloud Run job execution, side by side.
//!
//! Each task has a job of its own with every n-th piece, so that each holds its own claim and a task
//! that is tried again goes on with its own job. Together they are charged once, under an id that
//! all of them can name: of the execution, the tool and the article, and so of its owner.
//!
//! One that fails by our fault gives that one call back, for all of them; whichever begins, or is tried
//! again, after that is charged for them once more. So an execution costs one call, or none where a
//! share of it was never done; never more than one.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{config::TaskConfig, problem::Problem};

/// Which pieces a job is about: those at `index`, `index + of`, and so on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    index: u64,
    of: u64,
    /// The id under which all shares are charged.
    pub(crate) call_id: Uuid,
}

/// A job's arguments as they are kept: the tool's, and which share of the work the job is.
#[derive(Deserialize, Serialize)]
struct Kept<'a> {
    #[serde(rename = "$share")]
    share: Share,
    #[serde(borrow)]
    arguments: &'a RawValue,
}

impl Share {
    /// The share of one task of an execution; `None` when there are no others.
    pub(crate) fn of_task(task: &TaskConfig, tool: &str, article: Uuid) -> Option<Self> {
        let name = format!("{}\n{tool}\n{article}", task.execution);
        (task.count > 1).then(|| Self {
            index: task.index,
            of: task.count,
            call_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        })
    }

    /// The pieces of this share, of all in their order.
    pub(super) fn take(&self, pieces: Vec<String>) -> Vec<String> {
        let mine = (0..).zip(pieces);
        let mine = mine.filter(|(nth, _): &(u64, _)| nth % self.of == self.index);
        mine.map(|(_, piece)| piece).collect()
    }
}

/// The arguments as a job keeps them.
pub(super) fn keep(
    arguments: Box<RawValue>,
    share: Option<Share>,
) -> Result<Box<RawValue>, Problem> {
    match share {
        None => Ok(arguments),
        Some(share) => {
            let arguments = &arguments;
            to_raw_value(&Kept { share, arguments }).map_err(Problem::internal)
        }
    }
}

/// The tool's arguments, and the share that the job is.
pub(super) fn read(kept: &RawValue) -> (&str, Option<Share>) {
    match serde_json::from_str::<Kept<'_>>(kept.get()) {
        Ok(Kept { share, arguments }) => (arguments.get(), Some(share)),
        Err(_no_share) => (kept.get(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(index: u64) -> Share {
        let task = TaskConfig {
            execution: "nova-x7".to_owned(),
            index,
            count: 3,
        };
        Share::of_task(&task, "tool", Uuid::nil()).unwrap()
    }

    #[test]
    fn shares_have_every_piece_once_and_are_charged_under_one_id() {
        let pieces: Vec<String> = (0..8).map(|number| number.to_string()).collect();
        let shares: Vec<_> = (0..3)
            .map(|index| share(index).take(pieces.clone()))
            .collect();
        assert_eq!(
            shares,
            [vec!["0", "3", "6"], vec!["1", "4", "7"], vec!["2", "5"]]
        );
        assert_eq!(share(0).call_id, share(2).call_id);
    }

    #[test]
    fn what_is_kept_reads_back_and_arguments_without_a_share_are_left_alone() {
        let arguments = to_raw_value(&serde_json::json!({"a": [1]})).unwrap();
        let kept = keep(arguments.clone(), Some(share(1))).unwrap();
        assert_eq!(read(&kept), (arguments.get(), Some(share(1))));
        let kept = keep(arguments.clone(), None).unwrap();
        assert_eq!(read(&kept), (arguments.get(), None));
    }
}
