//! Reads the code that a guideline names: repositories, folders, files and gists of GitHub, and of the
//! hosts that the settings name besides.

mod answer;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::{Blobs, Upload, whole};
use nova_providers::code::{Code, CodeHosts, Known, Outcome};
use nova_research::{guideline::Extraction, url::SourceUrl};
use nova_runtime::{
    App, ConfigError, Function, NoArguments, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{
    Article, ArticleStatus, CommittedBlob, JobItem, NewSource, Origin, Purpose, SourceKind, Tenant,
};
use serde_json::Value;
use uuid::Uuid;

use self::answer::{Answer, Kept};

/// The function.
pub const FUNCTION: Function = Function::service(
    "process_github_urls",
    "Reads the code that an article guideline names, and keeps it as Markdown.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<ProcessGithubUrls>();

const KIND: SourceKind = SourceKind::GithubIngest;
/// The budget keeps a text far below this; other scripts than Latin need more bytes for a token.
const MAX_TEXT_BYTES: u64 = 4 << 20;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = ProcessGithubUrls {
        blobs: Blobs::from_app(app)?,
        hosts: CodeHosts::from_app(app),
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct ProcessGithubUrls {
    blobs: Blobs,
    hosts: CodeHosts,
}

/// What a URL gave.
enum Paid {
    /// The article has it already.
    Unchanged,
    /// Something that is in the bucket now.
    Written(Box<Code>, CommittedBlob),
}

impl LongTool for ProcessGithubUrls {
    const NAME: &'static str = "process_github_urls";
    type Arguments = NoArguments;
    type Paid = Paid;

    /// Archives are large and mostly of one host, which is asked two things at once in any case.
    fn at_once(&self, _: &NoArguments) -> usize {
        2
    }

    fn revision<'a>(
        _: &'a App,
        _: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async { Ok(urls(article)?.join("\n")) })
    }

    fn pieces<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async { urls(&work.article) })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
        url: &'a str,
        _: &'a Receipts,
    ) -> BoxFuture<'a, Result<Paid, Failure>> {
        Box::pin(async move {
            let known = known(work, self.identity(work, url)?).await?;
            let code = match self.hosts.read(url, &known).await? {
                Outcome::Unchanged => return Ok(Paid::Unchanged),
                Outcome::Read(code) => code,
            };
            let upload = Upload::new(Purpose::Github, "text/markdown; charset=utf-8");
            let text = whole(code.digest.markdown.clone());
            let written = self.blobs.write(&work.user, upload, text, MAX_TEXT_BYTES);
            let written = written.await.map_err(|error| Failure::Job(error.into()))?;
            Ok(Paid::Written(code, written))
        })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<NoArguments>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        paid: &'a Paid,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let article = work.article.id;
            let key = self.identity(work, &piece.key)?;
            let position = i64::try_from(piece.position).map_err(Problem::internal)?;
            tenant
                .advance(article, ArticleStatus::ProcessingSources)
                .await?;
            let (code, written) = match paid {
                Paid::Unchanged => {
                    // Erased meanwhile it is no more; then the next call fetches it.
                    tenant.confirm_source(article, KIND, &key, position).await?;
                    return Kept::unchanged();
                }
                Paid::Written(code, written) => (code, written),
            };
            tenant.commit_blob(written).await?;
            let source = NewSource {
                id: Uuid::now_v7(),
                kind: KIND,
                key,
                title: piece.key.clone(),
                position,
                blob_id: written.id,
                origin: Origin {
                    title: Some(code.title.clone()),
                    etag: code.known.etag.clone(),
                    revision: code.known.revision.clone(),
                    provider: Some(code.provider.to_owned()),
                    ..Origin::default()
                },
            };
            tenant.upsert_source(article, &source).await?;
            Kept::code(code)
        })
    }

    fn answer(&self, work: &Work<NoArguments>, pieces: &[JobItem]) -> Result<Value, Problem> {
        let is_extracted = work.article.extracted_urls.is_some();
        let answer = Answer::new(work.article.id, is_extracted, pieces)?;
        serde_json::to_value(answer).map_err(Problem::internal)
    }
}

impl ProcessGithubUrls {
    /// What makes a URL the same thing again.
    fn identity(&self, work: &Work<NoArguments>, url: &str) -> Result<String, Problem> {
        let reach = work.app.config().fetch.reach();
        let url = SourceUrl::parse_among(url, reach, self.hosts.known());
        Ok(url.map_err(Problem::internal)?.identity().to_owned())
    }
}

/// The code that the guideline names, each once.
fn urls(article: &Article) -> Result<Vec<String>, Problem> {
    let found: Option<Extraction> = article.extracted().map_err(Problem::internal)?;
    Ok(found.unwrap_or_default().github_urls)
}

/// What the article has of a URL already. No connection is held afterwards.
async fn known(work: &Work<NoArguments>, key: String) -> Result<Known, Problem> {
    let mut tenant = work.app.tenant(&work.user).await?;
    let known = tenant.known_source(work.article.id, KIND, &key).await?;
    Ok(known.map_or_else(Known::default, |known| Known {
        revision: known.origin.revision,
        etag: known.origin.etag,
    }))
}
