//! What a client may read: the caller's own articles and their texts, and how this deployment is set up.

use nova_runtime::{Problem, rfc3339};
use nova_store::{ArticleId, BlobRef, REQUIRED_VERSION, Source};
use rmcp::{
    ErrorData,
    model::{
        CacheScope, CompletionInfo, ListResourceTemplatesResult, ListResourcesResult,
        ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    caller::Caller,
    nova::{Ask, Nova},
};

const STATUS: &str = "system://status";
const RECENT_ARTICLES: &str = "articles://recent";
const RECENT_FILES: &str = "files://recent";
/// As many as existing users know from them.
const RECENT: u32 = 5;
/// Articles on a page of the list.
const PAGE: u32 = 50;
/// The largest text that is read in one piece; agents cut far below it.
const TEXT_LIMIT_BYTES: u64 = 4 << 20;

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";

/// The address of an article's document.
pub(crate) fn research_uri(article: &str) -> String {
    format!("article://{article}/research.md")
}

/// What an address names.
enum Place {
    Status,
    RecentArticles,
    RecentFiles,
    Article(ArticleId),
    Guideline(ArticleId),
    Research(ArticleId),
    /// In the order of the document, from 1.
    Source(ArticleId, usize),
}

impl Place {
    fn parse(uri: &str) -> Option<Self> {
        match uri {
            STATUS => return Some(Self::Status),
            RECENT_ARTICLES => return Some(Self::RecentArticles),
            RECENT_FILES => return Some(Self::RecentFiles),
            _ => {}
        }
        let mut path = uri.strip_prefix("article://")?.split('/');
        let id = Uuid::try_parse(path.next()?).ok()?;
        let place = match (path.next(), path.next()) {
            (None, _) => Self::Article(id),
            (Some("guideline.md"), None) => Self::Guideline(id),
            (Some("research.md"), None) => Self::Research(id),
            (Some("sources"), Some(number)) => Self::Source(id, number.parse().ok()?),
            _ => return None,
        };
        path.next().is_none().then_some(place)
    }
}

/// One page of what there is: the fixed ones first, then the caller's articles.
pub(crate) async fn list(
    nova: &Nova,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let before = cursor.map(str::parse).transpose();
    let before = before.map_err(|_not_ours| no_cursor())?;
    let page = async {
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        Ok::<_, Problem>(tenant.articles(before, PAGE).await?)
    };
    let page = page.await.map_err(|problem| caller.error(&problem))?;
    let mut resources = if cursor.is_none() {
        fixed()
    } else {
        Vec::new()
    };
    for article in page.articles {
        let title = article.title.unwrap_or_else(|| "Untitled".to_owned());
        let uri = format!("article://{}", article.id);
        let about = format!("Status: {}.", article.status.as_str());
        let resource = Resource::new(uri, article.id.to_string())
            .with_title(title)
            .with_description(about)
            .with_mime_type(JSON);
        resources.push(resource);
    }
    let mut result = ListResourcesResult::with_all_items(resources)
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private);
    result.next_cursor = page.next.map(|cursor| cursor.to_string());
    Ok(result)
}

pub(crate) fn no_cursor() -> ErrorData {
    ErrorData::invalid_params("The cursor is not one of this list.", None)
}

fn fixed() -> Vec<Resource> {
    let one = |uri, name, title, about| {
        Resource::new(uri, name)
            .with_title(title)
            .with_description(about)
            .with_mime_type(JSON)
    };
    vec![
        one(
            RECENT_ARTICLES,
            "recent_article_guidelines",
            "Recent articles",
            "Your five newest articles.",
        ),
        one(
            RECENT_FILES,
            "recent_local_files",
            "Recent files",
            "The five local files that you uploaded last.",
        ),
        one(
            STATUS,
            "system_status",
            "Status",
            "Version of this deployment, and which providers it is set up with.",
        ),
    ]
}

/// The addresses that have an article's id in them.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let one = |uri, name, title, about, mime_type| {
        ResourceTemplate::new(uri, name)
            .with_title(title)
            .with_description(about)
            .with_mime_type(mime_type)
    };
    let templates = vec![
        one(
            "article://{id}",
            "article",
            "Article",
            "How far an article has come, and what is stored for it.",
            JSON,
        ),
        one(
            "article://{id}/guideline.md",
            "guideline",
            "Guideline",
            "An article's guideline.",
            MARKDOWN,
        ),
        one(
            "article://{id}/research.md",
            "research",
            "Research file",
            "The compiled document of an article.",
            MARKDOWN,
        ),
        one(
            "article://{id}/sources/{n}",
            "source",
            "Source",
            "The text of an article's nth stored source, in the order of the document.",
            MARKDOWN,
        ),
    ];
    ListResourceTemplatesResult::with_all_items(templates)
        .with_ttl_ms(60 * 60 * 1000)
        .with_cache_scope(CacheScope::Public)
}

/// Reads one.
pub(crate) async fn read(
    nova: &Nova,
    caller: &Caller,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let place = Place::parse(uri).ok_or_else(|| not_found(uri))?;
    let read = match place {
        Place::Status => Ok(of_json(uri, &status(nova).await)),
        Place::RecentArticles => recent_articles(nova, caller, uri).await,
        Place::RecentFiles => recent_files(nova, caller, uri).await,
        Place::Article(id) => show(nova, caller, id, uri).await,
        Place::Guideline(id) => text(nova, caller, id, Text::Guideline, uri).await,
        Place::Research(id) => text(nova, caller, id, Text::Research, uri).await,
        Place::Source(id, number) => text(nova, caller, id, Text::Source(number), uri).await,
    };
    match read {
        Ok(contents) => Ok(ReadResourceResult::new(vec![contents])
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private)),
        Err(problem) if problem.status() == http::StatusCode::NOT_FOUND => Err(not_found(uri)),
        Err(problem) => Err(caller.error(&problem)),
    }
}

/// The caller's articles whose id begins so.
pub(crate) async fn complete(
    nova: &Nova,
    caller: &Caller,
    beginning: &str,
) -> Result<CompletionInfo, ErrorData> {
    let most = u32::try_from(CompletionInfo::MAX_VALUES).unwrap_or_default();
    let page = async {
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        Ok::<_, Problem>(tenant.articles(None, most).await?)
    };
    let page = page.await.map_err(|problem| caller.error(&problem))?;
    let ids = page.articles.iter().map(|article| article.id.to_string());
    let ids = ids.filter(|id| id.starts_with(beginning)).collect();
    CompletionInfo::new(ids).map_err(|error| ErrorData::internal_error(error, None))
}

async fn status(nova: &Nova) -> Value {
    let config = nova.app.config();
    let providers = &config.providers;
    let database = nova.app.require_schema().await;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "schema_required": REQUIRED_VERSION,
        "database": if database.is_ok() { "ready" } else { "unavailable" },
        "providers": {
            "firecrawl": providers.firecrawl.is_some(),
            "github_token": providers.github.key.is_some(),
            "gemini": providers.gemini.key.is_some(),
            // A project alone is set for other reasons, too.
            "vertex": providers.models.vertex.is_some() && providers.models.vertex_is_wanted,
            "openai": providers.openai.is_some(),
            "perplexity": providers.search.perplexity.is_some(),
            "tavily": providers.search.tavily.is_some(),
            "searxng": providers.search.searxng.is_some(),
            "youtube_captions": providers.captions.is_some(),
        },
        // Of which code is read like GitHub's.
        "code_hosts": providers.code_hosts.iter().map(|host| &host.name).collect::<Vec<_>>(),
        "monthly_tool_call_limit": config.monthly_tool_call_limit,
    })
}

async fn recent_articles(
    nova: &Nova,
    caller: &Caller,
    uri: &str,
) -> Result<ResourceContents, Problem> {
    let ask = Ask::get(format!("/articles?limit={RECENT}"));
    let (_, list) = nova.ask(caller, ask).await?;
    let articles = &list["articles"];
    let count = articles.as_array().map_or(0, Vec::len);
    let user = caller.identity.user.as_str();
    Ok(of_json(
        uri,
        &json!({"user_id": user, "count": count, "articles": articles}),
    ))
}

async fn recent_files(
    nova: &Nova,
    caller: &Caller,
    uri: &str,
) -> Result<ResourceContents, Problem> {
    let mut tenant = nova.app.tenant(&caller.identity.user).await?;
    let files = tenant.recent_files(RECENT).await?;
    drop(tenant);
    let files: Vec<Value> = files
        .iter()
        .map(|file| {
            json!({
                "local_file_id": file.id, "filename": file.filename, "bytes": file.size,
                "article_guideline_id": file.article, "created_at": rfc3339(file.created_at),
            })
        })
        .collect();
    Ok(of_json(uri, &json!({"count": files.len(), "files": files})))
}

async fn show(
    nova: &Nova,
    caller: &Caller,
    id: ArticleId,
    uri: &str,
) -> Result<ResourceContents, Problem> {
    let ask = Ask::get(format!("/articles/{id}"));
    let (_, article) = nova.ask(caller, ask).await?;
    Ok(of_json(uri, &article))
}

/// Which text of an article.
enum Text {
    Guideline,
    Research,
    Source(usize),
}

async fn text(
    nova: &Nova,
    caller: &Caller,
    id: ArticleId,
    which: Text,
    uri: &str,
) -> Result<ResourceContents, Problem> {
    let none = || Problem::not_found("There is no such text.");
    let mut tenant = nova.app.tenant(&caller.identity.user).await?;
    let article = tenant.article(id).await?;
    let blob = match which {
        Text::Guideline => article.guideline,
        Text::Research => article.research.ok_or_else(none)?,
        Text::Source(number) => {
            let sources: Vec<Source> = tenant.document_sources(id).await?;
            let place = number.checked_sub(1).ok_or_else(none)?;
            sources.into_iter().nth(place).ok_or_else(none)?.blob
        }
    };
    drop(tenant);
    let text = whole(nova, &blob, &nova.app.download_url(id)).await?;
    // All are Markdown but a document that was compiled as something else.
    let kind = blob.content_type.split(';').next().unwrap_or(MARKDOWN);
    Ok(ResourceContents::text(text, uri).with_mime_type(kind))
}

async fn whole(nova: &Nova, blob: &BlobRef, download_url: &str) -> Result<String, Problem> {
    if blob.size > TEXT_LIMIT_BYTES {
        return Err(Problem::bad_request(format!(
            "It has {} bytes, more than an agent can read at once ({TEXT_LIMIT_BYTES}). The whole \
             document is at {download_url}.",
            blob.size
        )));
    }
    let bytes = nova.blobs.read_whole(blob).await?;
    String::from_utf8(bytes).map_err(Problem::internal)
}

fn of_json(uri: &str, value: &Value) -> ResourceContents {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    ResourceContents::text(text, uri).with_mime_type(JSON)
}

fn not_found(uri: &str) -> ErrorData {
    let detail = format!("There is no resource {uri}.");
    ErrorData::resource_not_found(detail, Some(json!({"uri": uri})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_addresses_of_the_templates_are_places() {
        let id = "018f3c7e-0000-7000-8000-000000000001";
        for rest in ["", "/guideline.md", "/research.md", "/sources/1"] {
            assert!(
                Place::parse(&format!("article://{id}{rest}")).is_some(),
                "{rest}"
            );
        }
        for rest in [
            "/",
            "/x",
            "/sources",
            "/sources/a",
            "/sources/1/2",
            "/research.md/x",
        ] {
            assert!(
                Place::parse(&format!("article://{id}{rest}")).is_none(),
                "{rest}"
            );
        }
        for uri in ["article://1", "articles://all", "file:///etc/passwd", ""] {
            assert!(Place::parse(uri).is_none(), "{uri}");
        }
    }
}
