//! [Firecrawl](https://docs.firecrawl.dev/api-reference/endpoint/scrape), version 2: reads pages with
//! a browser, for a credit or more each.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_research::page::{Metadata, judge, pictures_as_addresses};
use nova_runtime::{
    fetch::{Fetcher, Validators, WebUrl},
    receipts::{CallOutcome, CallUsage, Receipts},
};
use nova_web::Reach;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{PageRequest, ScrapeError, Scraped, ScrapedPage, Scraper};
use crate::{Api, ProviderError};

/// How old a page may be that it has in its store; also how long a page that it read is not asked
/// for again, because a further credit would give what is here already.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
/// How long it may take over a page.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Until it answers that it gave up.
const DEADLINE: Duration = Duration::from_secs(90);

/// Reads pages with a browser, for credits.
#[derive(Clone, Debug)]
pub struct Firecrawl {
    api: Api,
    /// Checks the URLs. The pages come from the other side.
    fetcher: Fetcher,
}

impl Firecrawl {
    /// The service behind `api`, which is asked for URLs that this client would fetch.
    pub fn new(api: Api, fetcher: Fetcher) -> Self {
        Self {
            api: api.deadline(DEADLINE),
            fetcher,
        }
    }

    async fn scrape(&self, url: &WebUrl, receipts: &Receipts) -> Result<ScrapedPage, ScrapeError> {
        let call = receipts.begin(self.api.provider(), None);
        let data = self.ask(url).await;
        let credits = data.as_ref().ok().map(Data::credits);
        let page = data.and_then(|data| page(data, url));
        // A page that gives no text is paid for too.
        let outcome = match &page {
            Ok(_) => CallOutcome::Answered,
            Err(error) => error.outcome(),
        };
        let usage = CallUsage {
            credits,
            ..CallUsage::default()
        };
        call.end(outcome, usage);
        page
    }

    async fn ask(&self, url: &WebUrl) -> Result<Data, ScrapeError> {
        let request = self
            .api
            .request("/v2/scrape", &Arguments::of(url.as_str()))?;
        let response = self.api.exchange(request).await?;
        let answer = match self.api.json::<Answer>(&response) {
            Ok(answer) => answer,
            Err(unusable) if response.status().is_success() => return Err(unusable.into()),
            Err(_no_answer_of_its_own) => Answer::default(),
        };
        if !response.status().is_success() || !answer.success {
            return Err(self.failure(answer, self.api.refusal(&response), response.status()));
        }
        Ok(answer.data.ok_or_else(|| self.api.unusable("no page"))?)
    }

    /// What an answer means that is no page. Its codes `SCRAPE_…` speak of the page, a status alone
    /// of Firecrawl and us; but 403 is what it says of sites that it reads for nobody.
    fn failure(&self, answer: Answer, refusal: ProviderError, status: StatusCode) -> ScrapeError {
        let code = answer.code.unwrap_or_default();
        let is_of_the_page = code.starts_with("SCRAPE_")
            && !matches!(&*code, "SCRAPE_TIMEOUT" | "SCRAPE_PROXY_SELECTION_ERROR");
        if !is_of_the_page && !status.is_success() && status != StatusCode::FORBIDDEN {
            return refusal.into();
        }
        let error = answer.error.unwrap_or_else(|| "no reason given".to_owned());
        ScrapeError::Unread {
            provider: self.api.provider(),
            message: [code, error]
                .iter()
                .filter(|it| !it.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join(": ")
                .chars()
                .take(300)
                .collect(),
        }
    }
}

impl Scraper for Firecrawl {
    fn read<'a>(
        &'a self,
        request: &'a PageRequest,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Scraped, ScrapeError>> {
        Box::pin(async move {
            let fetched = request.known.as_ref().and_then(|known| known.fetched_at);
            if fetched.is_some_and(|at| OffsetDateTime::now_utc() - at < MAX_AGE) {
                return Ok(Scraped::Unchanged);
            }
            let url = self.fetcher.check(&request.url, request.initiative).await?;
            Ok(Scraped::Page(Box::new(self.scrape(&url, receipts).await?)))
        })
    }
}

/// What is asked. Keys that Firecrawl does not know are refused by it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Arguments<'a> {
    url: &'a str,
    formats: [&'static str; 1],
    only_main_content: bool,
    /// In milliseconds, as is `timeout`.
    max_age: u64,
    timeout: u64,
    parsers: [&'static str; 1],
    block_ads: bool,
    remove_base64_images: bool,
    /// It would skip it by itself.
    skip_tls_verification: bool,
    store_in_cache: bool,
}

impl<'a> Arguments<'a> {
    const fn of(url: &'a str) -> Self {
        Self {
            url,
            formats: ["markdown"],
            only_main_content: true,
            max_age: MAX_AGE.as_secs() * 1000,
            timeout: TIMEOUT.as_secs() * 1000,
            parsers: ["pdf"],
            block_ads: true,
            remove_base64_images: true,
            skip_tls_verification: false,
            store_in_cache: true,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    success: bool,
    code: Option<String>,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    markdown: Option<String>,
    #[serde(default)]
    metadata: Value,
}

impl Data {
    fn credits(&self) -> u64 {
        self.metadata["creditsUsed"].as_u64().unwrap_or(1)
    }
}

/// The page, if it is one: a success of Firecrawl's may be an error of the site's.
fn page(data: Data, url: &WebUrl) -> Result<ScrapedPage, ScrapeError> {
    let credits = data.credits();
    let Data { markdown, metadata } = data;
    let status = metadata["statusCode"].as_u64();
    let status = status.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
    let markdown = markdown.unwrap_or_default().trim().to_owned();
    let title = text(&metadata, &["title", "ogTitle"]);
    match status {
        Some(status) if !status.is_success() => return Err(ScrapeError::Status { status }),
        _ => judge(title.as_deref().unwrap_or_default(), &markdown)?,
    }
    let published = text(&metadata, &["publishedTime", "article:published_time"]);
    let final_url =
        text(&metadata, &["url"]).and_then(|it| WebUrl::parse(&it, Reach::OwnNetwork).ok());
    let final_url = final_url.as_ref().unwrap_or(url);
    Ok(ScrapedPage {
        markdown: pictures_as_addresses(&markdown, final_url.url()),
        metadata: Metadata {
            title,
            author: text(&metadata, &["author", "article:author"]),
            published: published.and_then(|it| it.get(..10).map(str::to_owned)),
            language: text(&metadata, &["language"]),
            canonical_url: None,
        },
        final_url: Some(final_url.as_str().to_owned()),
        validators: Validators::default(),
        provider: "firecrawl",
        credits,
    })
}

/// The first of these fields that says something. Where a page has a tag twice, it is a list.
fn text(metadata: &Value, names: &[&str]) -> Option<String> {
    let of = |value: &Value| value.as_str().map(|it| it.trim().to_owned());
    names.iter().find_map(|name| {
        let value = &metadata[*name];
        let first = value.as_array().and_then(|all| all.first());
        of(first.unwrap_or(value)).filter(|it| !it.is_empty())
    })
}
