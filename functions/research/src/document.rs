//! Where a run begins and ends: a guideline's file, and that of the document.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use nova_blobs::Blobs;
use nova_runtime::{
    App, Identity, Problem, RequestContext, Routes, Scope, body::full, identity::Scopes,
};
use nova_store::{ArticleId, BlobRef, UserId};
use serde::Deserialize;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

/// What an upload answers.
#[derive(Deserialize)]
struct Uploaded {
    article_id: ArticleId,
}

/// Uploads a guideline as its user would. The same file is the same article, so that a run which is
/// started again goes on with it.
pub(crate) async fn upload(
    app: &Arc<App>,
    routes: &Routes,
    user: &UserId,
    file: &Path,
) -> Result<ArticleId, Problem> {
    let text = tokio::fs::read(file).await;
    let text = text.map_err(|error| {
        Problem::bad_request(format!("{} cannot be read: {error}", file.display()))
    })?;
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, &text);
    let request = Request::builder()
        .method(Method::POST)
        .uri("/upload_article_guideline")
        .header(header::CONTENT_TYPE, "text/markdown")
        .header("idempotency-key", format!("research {key}"))
        .body(full(text))
        .map_err(Problem::internal)?;
    let scopes = Scopes::from_iter([Scope::ResearchRead, Scope::ResearchRun]);
    let identity = Identity::named(user.clone(), scopes);
    let context = RequestContext::new();
    let answer = routes.answer(app, identity, &context, request).await?;
    let answer = answer.into_body().collect().await;
    let answer = answer.map_err(Problem::internal)?.to_bytes();
    let uploaded: Uploaded = serde_json::from_slice(&answer).map_err(Problem::internal)?;
    Ok(uploaded.article_id)
}

/// Writes the document beside its place and then into it: a file of that name is always whole.
pub(crate) async fn save(blobs: &Blobs, document: &BlobRef, file: &Path) -> Result<(), Problem> {
    let unwritable = |error: std::io::Error| {
        Problem::bad_request(format!("{} cannot be written: {error}", file.display()))
    };
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    let mut out = tokio::fs::File::create(&part).await.map_err(unwritable)?;
    let mut content = blobs.read(document, None).await?.stream.boxed();
    while let Some(bytes) = content.try_next().await? {
        out.write_all(&bytes).await.map_err(unwritable)?;
    }
    out.sync_all().await.map_err(unwritable)?;
    tokio::fs::rename(&part, file).await.map_err(unwritable)
}
