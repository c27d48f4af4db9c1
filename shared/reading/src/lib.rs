//! Pages of the web, read for an article.
//!
//! Two tools read pages: those that a guideline names, and those that research found. What they
//! share is [`ReadPages`], a long tool over [`PageList`], which says where the URLs come from.
//!
//! A page is kept once for each article, kind and normalised URL. When a tool runs again, what was
//! read before is asked for anew only if it has changed; a page that has not, or that cannot be had
//! today, stays as it is and counts as read. What cannot be read at all is a failure with its
//! reason, and the others go on.
//!
//! Where a language model cleans pages, a page is two pieces of the work: it is kept as it was read,
//! and then cleaned from there. So whatever becomes of the worker while a model thinks, the page is
//! not paid for again, and until it is clean the article has it as it is.

mod answer;
mod arguments;
mod cleaned;
mod cleaning;
mod list;
mod page;
mod text;

use std::{marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::scrape::{PageReader, Scraper};
use nova_runtime::{
    App, ConfigError, Problem,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{Article, JobItem, Tenant};
use serde_json::Value;

pub use self::{arguments::ReadArguments, cleaned::Cleaned, list::PageList, page::Outcome};
use self::{cleaning::Cleaner, list::Piece};

/// What came of a piece.
#[derive(Debug)]
pub enum Done {
    /// Of a page that was to be read.
    Read {
        /// What came of it.
        outcome: Outcome,
        /// The article has it as it was read now, and it is to be cleaned.
        is_to_be_cleaned: bool,
    },
    /// Of a page that was to be cleaned.
    Cleaned(Cleaned),
}

/// A tool that reads the pages of a list.
pub struct ReadPages<L> {
    list: PhantomData<L>,
    blobs: Blobs,
    reader: Arc<dyn Scraper>,
    cleaner: Cleaner,
}

impl<L: PageList> ReadPages<L> {
    /// Reads as the function's settings say. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// When the settings name a language model and not how to reach it.
    pub fn new(app: &App, blobs: Blobs) -> Result<Self, ConfigError> {
        Ok(Self {
            list: PhantomData,
            blobs,
            reader: PageReader::from_app(app),
            cleaner: Cleaner::from_app(app, L::TOOL)?,
        })
    }
}

impl<L: PageList> LongTool for ReadPages<L> {
    const NAME: &'static str = L::TOOL;
    type Arguments = ReadArguments;
    type Paid = Done;

    fn check(arguments: &ReadArguments) -> Result<(), Problem> {
        arguments.check()
    }

    fn at_once(&self, arguments: &ReadArguments) -> usize {
        arguments.at_once()
    }

    fn revision<'a>(
        _: &'a App,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move { Ok(L::urls(tenant, article).await?.join("\n")) })
    }

    fn pieces<'a>(
        &'a self,
        work: &'a Work<ReadArguments>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async move {
            let (app, user) = (&work.app, &work.user);
            let mut tenant = app.tenant_in_call(user, L::TOOL, work.job_id).await?;
            tenant.advance(work.article.id, L::STATUS).await?;
            let urls = L::urls(&mut tenant, &work.article).await?;
            tenant.commit().await?;
            let reach = app.config().fetch.reach();
            Ok(list::pieces(urls, reach))
        })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<ReadArguments>,
        piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Done, Failure>> {
        let (blobs, cleaner) = (&self.blobs, &self.cleaner);
        match Piece::of(piece) {
            Piece::Read(url) => {
                let reader = &*self.reader;
                Box::pin(page::read::<L>(blobs, reader, cleaner, work, url, receipts))
            }
            Piece::Clean(url) => Box::pin(async move {
                let cleaned = cleaned::clean::<L>(blobs, cleaner, work, url, receipts);
                cleaned.await.map(Done::Cleaned)
            }),
        }
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<ReadArguments>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        done: &'a Done,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        match done {
            Done::Read { outcome, .. } => Box::pin(page::keep::<L>(work, tenant, piece, outcome)),
            Done::Cleaned(cleaned) => Box::pin(cleaned::keep::<L>(work, tenant, cleaned)),
        }
    }

    fn further(&self, piece: &JobItem, done: &Done) -> Vec<String> {
        match done {
            Done::Read {
                is_to_be_cleaned: true,
                ..
            } => vec![Piece::cleaning(&piece.key)],
            _ => Vec::new(),
        }
    }

    fn answer(&self, work: &Work<ReadArguments>, pieces: &[JobItem]) -> Result<Value, Problem> {
        answer::answer::<L>(&work.article, pieces)
    }
}
