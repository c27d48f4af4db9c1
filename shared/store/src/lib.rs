//! Everything Nova says to its database.
//!
//! All SQL lives here, one file per noun, checked by the compiler against the schema in
//! `migrations/` (through the committed `.sqlx/`, so that no database is needed to build). A
//! function never sees a query or a connection. It asks a [`Store`] for a [`Tenant`], which is
//! one transaction on behalf of one user, and reads and writes that user's rows through its
//! methods:
//!
//! ```no_run
//! # use serde_json::{json, value::to_raw_value};
//! # async fn example(store: nova_store::Store, user: nova_store::UserId, id: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
//! let mut tenant = store.tenant(&user).await?;
//! let article = tenant.article(id).await?;
//! let urls = to_raw_value(&json!({"other_urls": []}))?;
//! tenant.save_extracted_urls(id, &urls).await?;
//! tenant.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Three rules hold everywhere:
//!
//! - Tenancy twice. Every statement names the owner, and row level security refuses what a
//!   statement forgets. A row of somebody else and a row that does not exist are the same
//!   [`Error::NotFound`].
//! - No transaction waits for anything but the database. Load, commit; think; begin, save, commit.
//! - Whatever is written is checked to have been written.
//!
//! Public methods return boxed futures, so that they are compiled once, here, and not in every
//! binary that awaits them.

mod analytics;
mod articles;
mod blobs;
mod connections;
mod error;
mod jobs;
pub mod migrate;
mod origins;
mod provider_calls;
mod remarks;
mod research;
pub mod schema;
mod selection;
mod sources;
mod store;
mod sweep;
mod tenant;
mod text;
mod text_enum;
mod upload_grants;
mod usage;
mod usage_export;
mod user;

pub use analytics::{
    Completion, MonthlyCalls, NearLimit, PopularTool, ProviderCosts, ToolsPerArticle,
};
pub use articles::{
    Article, ArticleId, ArticleStatus, ArticleSummary, Cursor, InvalidCursor, NewArticle, Page,
    StatusChange,
};
pub use blobs::{BlobRef, CommittedBlob, NewBlob, Purpose};
pub use connections::PoolStatus;
pub use error::Error;
pub use jobs::{
    Announcements, ClaimedJob, Ended, Enqueued, Heartbeat, ItemState, JOBS_CHANNEL, Job, JobItem,
    JobState, NewJob, Settled, Settlement,
};
pub use origins::{KnownSource, Origin};
pub use provider_calls::{CallOutcome, CallUsage, CalledFor, ProviderCall, Spent};
pub use research::{
    Added, AnsweredBefore, AnsweredQuery, FoundReference, FoundSource, ResearchResult,
};
pub use schema::REQUIRED_VERSION;
pub use selection::{ResearchCounts, ResearchSource};
pub use sources::{NewSource, RecentFile, Source, SourceKind};
pub use store::Store;
pub use sweep::DeadBlob;
pub use tenant::Tenant;
pub use upload_grants::{NewUploadGrant, UploadGrant};
pub use usage::{Charge, Charged, RefusedBecause, Usage};
pub use usage_export::UsageRow;
pub use user::{InvalidUserId, UserId};

use futures_util::future::BoxFuture;

/// What every method here returns: a boxed future of a value or an [`Error`].
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;
