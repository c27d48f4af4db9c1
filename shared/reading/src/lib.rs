//! Pages of the web, read for an article.
//!
//! Two tools read pages: those that a guideline names, and those that research found. What they
//! share is [`ReadPages`], a long tool over [`PageList`], which says where the URLs come from.
//!
//! A page is kept once for each article, kind and normalised URL. When a tool runs again, what was
//! read before is asked for anew only if it has changed; a page that has not, or that cannot be had
//! today, stays as it is and counts as read. What cannot be read at all is a failure with its
//! reason, and the others go on.

mod answer;
mod arguments;
mod cleaning;
mod list;
mod page;
mod text;

use std::sync::Arc;

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

use self::cleaning::Cleaner;
pub use self::{arguments::ReadArguments, cleaning::Cleaning, list::PageList, page::Outcome};

/// A tool that reads the pages of a list.
pub struct ReadPages<L> {
    list: L,
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
    pub fn new(list: L, app: &App, blobs: Blobs) -> Result<Self, ConfigError> {
        Ok(Self {
            list,
            blobs,
            reader: PageReader::from_app(app),
            cleaner: Cleaner::from_app(app, L::TOOL)?,
        })
    }
}

impl<L: PageList> LongTool for ReadPages<L> {
    const NAME: &'static str = L::TOOL;
    type Arguments = ReadArguments;
    type Paid = Outcome;

    fn check(&self, arguments: &ReadArguments) -> Result<(), Problem> {
        arguments.check()
    }

    fn at_once(&self, arguments: &ReadArguments) -> usize {
        arguments.at_once()
    }

    fn revision<'a>(
        &'a self,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move { Ok(self.list.urls(tenant, article).await?.join("\n")) })
    }

    fn pieces<'a>(
        &'a self,
        work: &'a Work<ReadArguments>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async move {
            let (app, user) = (&work.app, &work.user);
            let mut tenant = app.tenant_in_call(user, L::TOOL, work.job_id).await?;
            tenant.advance(work.article.id, L::STATUS).await?;
            let urls = self.list.urls(&mut tenant, &work.article).await?;
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
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(page::read::<L>(
            &self.blobs,
            &*self.reader,
            &self.cleaner,
            work,
            piece,
            receipts,
        ))
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<ReadArguments>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(page::keep::<L>(work, tenant, piece, outcome))
    }

    fn answer(&self, work: &Work<ReadArguments>, pieces: &[JobItem]) -> Result<Value, Problem> {
        answer::answer::<L>(&work.article, pieces)
    }
}
