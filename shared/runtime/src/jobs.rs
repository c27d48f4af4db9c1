//! Long tools: steps of the workflow that wait for a provider, and are paid for piece by piece.
//!
//! A call makes a job, or finds the one that does the same, and waits for it a while; the work is
//! done by whoever claims the job ([`worker`]). So a caller that hangs up stops nothing, the same
//! call again attaches, and a process that dies loses what it was just waiting for and no more:
//! each piece is kept, in one transaction with the mark that it is done, as soon as it is paid for.
//! No connection to the database is held while a provider is waited for.
//!
//! Receipts of what was paid go into the same transaction, whatever came of the piece; those of
//! pieces that are not settled go with the end of the worker's claim. Only a process that dies takes
//! those with it that it had not written down.
//!
//! # What may be paid twice
//!
//! A provider that is asked has been paid when its answer is on its way, and none of them takes a key by
//! which the same question is known again. So what a process that dies had been answered and had not
//! committed is paid for once more by the next worker: at most one answer for each piece that was being
//! fetched. The engine does nothing between an answer and the commit but keep it: `keep` is called with
//! what `fetch` gives, on the next line; again and again while the database is away, for as long as the
//! claim lasts; and a worker that is told to stop waits for it for as long as it may. What tools do with
//! an answer before they give it is the rest:
//!
//! - questions, choices and answers of a search engine: they are read, in memory;
//! - Google's search: where its redirects lead is asked of Google, all at once, ten seconds at most and
//!   twice at most, because the redirects themselves must not be kept;
//! - transcripts: the object is written, which has to be there before the row. What comes before it is
//!   read before anything is paid;
//! - pages: the object as well. Cleaning by a model is a piece of its own;
//! - code: nobody is paid.
//!
//! An answer that cannot be used ends its piece and is not asked for again, since it was paid; only a
//! language model is shown once what is wrong with its JSON.

mod alone;
mod backoff;
mod call;
mod ledger;
mod note;
mod registered;
mod share;
mod waiting;
mod worker;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_store::{Article, JobItem, Tenant, UserId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use self::note::Note;
pub use self::{
    alone::Follow,
    backoff::pause,
    call::{patience, told},
    waiting::wait,
};
pub(crate) use self::{call::Calls, registered::Registered, waiting::Waiting};
use crate::{app::App, problem::Problem, receipts::Receipts};

/// A step of the workflow that takes long, in pieces that are paid for one by one.
///
/// What takes calls needs none but the functions without `self`; so it can stand where none of the work is
/// done ([`crate::Routes::calls_of`]).
///
/// `pieces`, `fetch` and `answer` may run several times for the same job, after a crash; `keep` has
/// an effect once for each piece.
pub trait LongTool: Send + Sync + 'static {
    /// The name that agents know.
    const NAME: &'static str;
    /// Whether a call replaces what calls with other arguments did before, as a choice does. The
    /// same call again then does its work again once another has come between.
    const REPLACES: bool = false;
    /// The arguments beside `article_guideline_id`. Derive `deny_unknown_fields`, so that a typing
    /// error is told and not ignored. What they are written as tells one job from another.
    type Arguments: Serialize + DeserializeOwned + Send + Sync;
    /// What a provider gave for a piece.
    type Paid: Send + Sync;

    /// Refuses arguments that can be read and make no sense: a problem that names the field.
    fn check(_arguments: &Self::Arguments) -> Result<(), Problem> {
        Ok(())
    }

    /// What else the work goes by, such as the links that were found in the guideline, or rows of
    /// the article: another text is another job. What stands in the way is told here, before anything
    /// is charged.
    fn revision<'a>(
        app: &'a App,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>>;

    /// How many pieces are fetched at once.
    fn at_once(&self, _arguments: &Self::Arguments) -> usize {
        4
    }

    /// Lists the pieces: normalised URLs, questions. The same each time, whatever came of them. Where
    /// all is thought out at once it is one, which needs no list.
    fn pieces<'a>(
        &'a self,
        _work: &'a Work<Self::Arguments>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async { Ok(vec![Self::NAME.to_owned()]) })
    }

    /// Gets one piece from the provider, and writes what is large to the bucket. Every call of a
    /// provider leaves its receipt: they are kept with the piece, and when there is none, too.
    fn fetch<'a>(
        &'a self,
        work: &'a Work<Self::Arguments>,
        piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Self::Paid, Failure>>;

    /// Keeps a piece in the transaction that marks it as done; gives what the answer needs to know
    /// of it. It is called again when the transaction fails.
    fn keep<'a>(
        &'a self,
        work: &'a Work<Self::Arguments>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        paid: &'a Self::Paid,
    ) -> BoxFuture<'a, Result<Value, Problem>>;

    /// The pieces that come after one, where only what was had of it tells that there are any: the
    /// next part of a video whose length nobody says. They are listed behind all others, in the
    /// transaction that marks this one as done. None, unless a tool says otherwise.
    fn further(&self, _piece: &JobItem, _paid: &Self::Paid) -> Vec<String> {
        Vec::new()
    }

    /// The result object, when every piece is done or was given up. Of one piece it is what was kept
    /// of it; whoever has more says what they come to.
    ///
    /// # Errors
    ///
    /// When too little came of it to call it a success.
    fn answer(&self, _work: &Work<Self::Arguments>, pieces: &[JobItem]) -> Result<Value, Problem> {
        let kept = pieces.iter().find_map(|piece| piece.result.as_ref());
        let Some(kept) = kept else {
            let why: Vec<&str> = pieces.iter().filter_map(|it| it.error.as_deref()).collect();
            return Err(Problem::internal(why.join("; ")));
        };
        serde_json::from_str(kept.get()).map_err(Problem::internal)
    }
}

/// What a job is about.
pub struct Work<A> {
    /// The function's surroundings.
    pub app: Arc<App>,
    /// The article, as it was when the job was claimed.
    pub article: Article,
    /// On whose behalf.
    pub user: UserId,
    /// The job; also the id under which it was charged.
    pub job_id: Uuid,
    /// The tool's arguments.
    pub arguments: A,
    note: Note,
}

impl<A> Work<A> {
    /// Says to whoever waits what is being done, in a few words.
    pub fn note(&self, words: impl Into<String>) {
        self.note.say(words.into());
    }
}

/// Why a piece could not be had.
#[derive(Debug)]
pub enum Failure {
    /// It may be had a little later: the provider is busy, or the connection broke.
    Again {
        /// Why, in words for the user.
        reason: String,
        /// When the provider asks to be left alone this long.
        after: Option<Duration>,
    },
    /// It cannot be had, for this reason, in words for the user. The other pieces go on.
    Never(String),
    /// None can be had, for now or at all: the database is away, or no provider is configured.
    Job(Problem),
    /// None can be had until the operator mends a setting: a key is wrong, or its credit used up.
    /// The job ends at once; where that is our fault, the call is given back.
    Settings(Problem),
}

/// Parts why a piece was given up into a word that stays the same, for programs, and words for the
/// user: who gives a piece up writes `word: words`. Where there is no such word it is `internal`.
///
/// ```
/// use nova_runtime::jobs::reason;
///
/// assert_eq!(reason("http_404: the page is gone"), ("http_404", "the page is gone"));
/// assert_eq!(reason("failed on our side"), ("internal", "failed on our side"));
/// ```
pub fn reason(error: &str) -> (&str, &str) {
    let is_word = |it: &str| {
        let mut bytes = it.bytes();
        !it.is_empty()
            && bytes.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
    };
    let parts = error.split_once(": ").filter(|(word, _)| is_word(word));
    parts.unwrap_or(("internal", error))
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Job(problem)
    }
}
