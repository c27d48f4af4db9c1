//! Firecrawl, as far as pages are read with it: `POST /v2/scrape`.
//!
//! The shapes are those of its version 2 of August 2025. A page costs a credit when it is had, also
//! when the page is an error page of the site: that comes as a success with the site's status in
//! `data.metadata.statusCode`. A key of the request that it does not know is refused.

use std::{collections::HashMap, io, ops::Deref};

use serde_json::{Value, json};

use super::{Answer, Received, StandIn, knowing::Knowing};

/// The key that it knows.
pub const KEY: &str = "fc-test";

/// What it takes as arguments.
const ARGUMENTS: &[&str] = &[
    "url",
    "formats",
    "onlyMainContent",
    "includeTags",
    "excludeTags",
    "headers",
    "waitFor",
    "timeout",
    "mobile",
    "parsers",
    "actions",
    "location",
    "skipTlsVerification",
    "removeBase64Images",
    "fastMode",
    "blockAds",
    "proxy",
    "maxAge",
    "storeInCache",
    "zeroDataRetention",
    "origin",
    "integration",
];

/// What it has to say about one URL.
#[derive(Clone, Debug)]
pub struct Scraped {
    markdown: String,
    metadata: Value,
}

impl Scraped {
    /// A page that was read.
    pub fn page(markdown: impl Into<String>) -> Self {
        Self {
            markdown: markdown.into(),
            metadata: json!({"statusCode": 200, "contentType": "text/html", "cacheState": "miss", "creditsUsed": 1}),
        }
    }

    /// With a field of the page's metadata: `title`, `url`, `statusCode`, `language`, ….
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata[name] = value.into();
        self
    }
}

/// A Firecrawl on loopback.
#[derive(Clone)]
pub struct Firecrawl(Knowing<HashMap<String, Scraped>>);

impl Firecrawl {
    /// One that knows no page in particular: each says that it is the page of its URL.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(scrape).await?))
    }

    /// Says what it has to say about a URL.
    pub fn knows(&self, url: impl Into<String>, page: Scraped) {
        self.0.known().insert(url.into(), page);
    }
}

impl Deref for Firecrawl {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

fn scrape(received: &Received, known: &HashMap<String, Scraped>) -> Answer {
    if received.path() != "/v2/scrape" || received.method != "POST" {
        return Answer::new(404, "text/html", "<pre>Cannot POST</pre>");
    }
    if received.bearer() != Some(KEY) {
        return Answer::json(401, &json!({"error": "Unauthorized: Invalid token"}));
    }
    let arguments = received.json();
    let Some((url, arguments)) = arguments["url"].as_str().zip(arguments.as_object()) else {
        return bad_request("Invalid URL");
    };
    if arguments.keys().any(|it| !ARGUMENTS.contains(&it.as_str())) {
        return bad_request("Unrecognized key in body -- please review the v2 API documentation");
    }
    let page = known.get(url).cloned().unwrap_or_else(|| page_of(url));
    let mut metadata = page.metadata;
    for (name, value) in [("sourceURL", url), ("url", url), ("scrapeId", "x")] {
        let fields = metadata.as_object_mut().expect("metadata is an object");
        fields.entry(name).or_insert_with(|| value.into());
    }
    let credits = metadata["creditsUsed"].as_u64().unwrap_or(1);
    let data = json!({"markdown": page.markdown, "metadata": metadata});
    Answer::json(200, &json!({"success": true, "data": data})).paid(url, credits)
}

fn bad_request(error: &str) -> Answer {
    Answer::json(
        400,
        &json!({"success": false, "code": "BAD_REQUEST", "error": error}),
    )
}

/// What is said of a URL that nothing is known about.
fn page_of(url: &str) -> Scraped {
    let sentence =
        format!("This is one of the sentences on the page {url}, of which it has many. ");
    let text = format!("# Page {url}\n\n{}\n", sentence.repeat(8).trim_end());
    Scraped::page(text).with("title", format!("Title of {url}"))
}
