//! Pages by both readers: what they ask for, what they give, and why they give nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use nova_providers::{
    Api, Credentials,
    scrape::{
        BuiltIn, Firecrawl as Client, KnownPage, PageReader, PageRequest, ScrapeError, Scraped,
        ScrapedPage, Scraper,
    },
};
use nova_research::page::PageError;
use nova_runtime::{
    config::{FetchConfig, Secret},
    fetch::{Fetcher, Initiative, Validators},
    http_client::HttpClient,
    jobs::Failure,
    receipts::{CallOutcome, Receipts},
};
use nova_testkit::providers::{
    Answer, Effect, Fault,
    firecrawl::{Firecrawl, KEY, Scraped as Says},
    site::{Site, article},
};
use serde_json::json;
use time::OffsetDateTime;

fn fetcher(allow_private_urls: bool) -> Fetcher {
    Fetcher::new(&FetchConfig {
        allow_private_urls,
        ..FetchConfig::default()
    })
}

fn client(firecrawl: &Firecrawl, key: &str, fetcher: Fetcher) -> Client {
    let key = Credentials::Bearer(Secret::new(key.to_owned()));
    let base = firecrawl.url().parse().unwrap();
    Client::new(
        Api::new("Firecrawl", HttpClient::new(), &base, key),
        fetcher,
    )
}

fn request(url: &str) -> PageRequest {
    PageRequest {
        url: url.to_owned(),
        initiative: Initiative::User,
        known: None,
    }
}

fn page(read: Result<Scraped, ScrapeError>) -> ScrapedPage {
    match read.unwrap() {
        Scraped::Page(page) => *page,
        other => panic!("{other:?}"),
    }
}

async fn read_by(
    reader: &(impl Scraper + ?Sized),
    request: &PageRequest,
) -> Result<Scraped, ScrapeError> {
    reader.read(request, &Receipts::default()).await
}

async fn reason(reader: &dyn Scraper, url: &str) -> String {
    let error = read_by(reader, &request(url)).await.unwrap_err();
    error.reason().into_owned()
}

#[tokio::test]
async fn the_built_in_reader_gives_what_a_page_says_of_itself_and_where_it_is() {
    let site = Site::start().await.unwrap();
    let html = article("Planning", "Agents plan before they act.").replace(
        "<head>",
        "<head><meta name=author content=\"Ada\"><meta property=\"article:published_time\" content=\"2026-03-01T10:00:00Z\">",
    );
    let answer = Answer::new(200, "text/html", html).header("etag", "\"1\"");
    site.put("/new", answer);
    site.put("/old", Answer::new(301, "", "").header("location", "/new"));
    let reader = BuiltIn::new(fetcher(true));
    let read = page(read_by(&reader, &request(&site.page_url("/old"))).await);
    assert!(
        read.markdown.starts_with("Agents plan before they act."),
        "{read:?}"
    );
    assert_eq!(read.metadata.title.as_deref(), Some("Planning"));
    assert_eq!(read.metadata.author.as_deref(), Some("Ada"));
    assert_eq!(read.metadata.published.as_deref(), Some("2026-03-01"));
    assert_eq!(read.metadata.language.as_deref(), Some("en"));
    assert_eq!(read.final_url, Some(site.page_url("/new")));
    assert_eq!((read.provider, read.credits), ("built_in", 0));

    let mut again = request(&site.page_url("/old"));
    again.known = Some(KnownPage {
        validators: read.validators,
        fetched_at: None,
    });
    assert!(matches!(
        read_by(&reader, &again).await,
        Ok(Scraped::Unchanged)
    ));
}

#[tokio::test]
async fn the_charset_is_found_where_only_the_page_says_it() {
    let site = Site::start().await.unwrap();
    let words = "Привет, это страница. ".repeat(30);
    let (text, padding) = (format!("<p>{words}</p>"), " ".repeat(1500));
    let html = format!(
        "<html><head>{padding}<meta charset=\"windows-1251\"><title>П</title></head><body>{text}"
    );
    let bytes: Vec<u8> = html
        .chars()
        .map(|it| match u32::from(it) {
            low @ ..0x80 => u8::try_from(low).unwrap(),
            letter => u8::try_from(letter - 0x410 + 0xC0).unwrap(),
        })
        .collect();
    site.put("/", Answer::new(200, "text/html", bytes));
    let read = BuiltIn::new(fetcher(true))
        .read(&request(&site.page_url("/")), &Receipts::default())
        .await;
    assert!(page(read).markdown.contains("Привет"));
}

#[tokio::test]
async fn a_page_that_is_none_is_a_failure_with_its_reason() {
    let site = Site::start().await.unwrap();
    let long = "x".repeat(1 << 16);
    for (path, answer) in [
        (
            "/empty",
            Answer::new(
                200,
                "text/html",
                "<nav>Home</nav><footer>Imprint</footer>Twelve words.",
            ),
        ),
        ("/image", Answer::new(200, "image/png", "png")),
        (
            "/large",
            Answer::new(200, "application/json", long).repeated(400),
        ),
        (
            "/loop",
            Answer::new(302, "", "").header("location", "/loop"),
        ),
        (
            "/wall",
            Answer::new(
                200,
                "text/html",
                "<title>Just a moment...</title>Verify you are human",
            ),
        ),
        (
            "/paid",
            Answer::new(
                200,
                "text/html",
                "<title>News</title><p>Subscribe to continue reading.",
            ),
        ),
    ] {
        site.put(path, answer);
    }
    let reader = BuiltIn::new(fetcher(true));
    for (path, expected) in [
        ("/empty", "no_content"),
        ("/image", "unsupported_type"),
        ("/large", "too_large"),
        ("/loop", "too_many_redirects"),
        ("/wall", "blocked_by_site"),
        ("/paid", "paywalled"),
        ("/gone", "http_404"),
    ] {
        assert_eq!(
            reason(&reader, &site.page_url(path)).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn firecrawl_is_asked_as_its_protocol_says_and_for_nothing_private() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let reader = client(&firecrawl, KEY, fetcher(false));
    let read = page(read_by(&reader, &request("https://93.184.216.34/p")).await);
    assert_eq!((read.provider, read.credits), ("firecrawl", 1));
    assert_eq!(
        read.metadata.title.as_deref(),
        Some("Title of https://93.184.216.34/p")
    );
    let asked = firecrawl.received()[0].json();
    let expected = json!({
        "url": "https://93.184.216.34/p", "formats": ["markdown"], "onlyMainContent": true, "maxAge": 604_800_000,
        "timeout": 60_000, "parsers": ["pdf"], "blockAds": true, "removeBase64Images": true,
        "skipTlsVerification": false, "storeInCache": true,
    });
    assert_eq!(asked, expected);
    for url in [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "https://u:p@a.example/",
    ] {
        let refused = read_by(&reader, &request(url)).await;
        assert!(matches!(refused, Err(ScrapeError::Fetch(_))), "{url}");
    }
    assert_eq!(firecrawl.received().len(), 1, "nobody heard of the others");
}

#[tokio::test]
async fn what_firecrawl_says_of_a_page_is_told_from_what_it_says_of_us() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let reader = client(&firecrawl, KEY, fetcher(false));
    let url = "https://93.184.216.34/";
    let of = async |effect: Effect| {
        firecrawl.inject(Fault::new(effect));
        Failure::from(read_by(&reader, &request(url)).await.unwrap_err())
    };
    let says = |status, code: &str| {
        let said = json!({"success": false, "code": code, "error": "words"});
        Effect::Answer(Answer::json(status, &said))
    };
    for (status, code) in [
        (200, "SCRAPE_DNS_RESOLUTION_ERROR"),
        (500, "SCRAPE_ALL_ENGINES_FAILED"),
        (500, "SCRAPE_SSL_ERROR"),
        (403, ""),
    ] {
        let failure = of(says(status, code)).await;
        assert!(
            matches!(&failure, Failure::Never(why) if why.starts_with("unread: ")),
            "{failure:?}"
        );
    }
    for effect in [
        Effect::RetryAfter(429, 7),
        Effect::Status(503),
        says(408, "SCRAPE_TIMEOUT"),
        Effect::CutBefore,
    ] {
        let failure = of(effect.clone()).await;
        assert!(
            matches!(failure, Failure::Again { .. }),
            "{effect:?}: {failure:?}"
        );
    }
    assert!(matches!(of(says(402, "")).await, Failure::Settings(_)));
    assert!(
        matches!(of(Effect::Garbage).await, Failure::Never(_)),
        "what was paid for is not asked again"
    );
    let stranger = client(&firecrawl, "other", fetcher(false));
    let refused = Failure::from(read_by(&stranger, &request(url)).await.unwrap_err());
    assert!(matches!(refused, Failure::Settings(_)), "{refused:?}");
}

#[tokio::test]
async fn a_success_of_firecrawls_that_is_an_error_of_the_sites_is_no_page() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let reader = client(&firecrawl, KEY, fetcher(false));
    let text = "Words that make a page. ".repeat(20);
    let url = |name: &str| format!("https://93.184.216.34/{name}");
    firecrawl.knows(url("gone"), Says::page(&text).with("statusCode", 404));
    firecrawl.knows(url("empty"), Says::page("  "));
    firecrawl.knows(
        url("wall"),
        Says::page("Verify you are human").with("title", "Just a moment..."),
    );
    firecrawl.knows(
        url("soft"),
        Says::page("Try the search.").with("title", "Page not found"),
    );
    for (name, expected) in [
        ("gone", "http_404"),
        ("empty", "no_content"),
        ("wall", "blocked_by_site"),
        ("soft", "error_page"),
    ] {
        let receipts = Receipts::default();
        let error = reader.read(&request(&url(name)), &receipts).await;
        assert_eq!(error.unwrap_err().reason(), expected, "{name}");
        let [call] = &receipts.all()[..] else {
            panic!("one call, one receipt")
        };
        assert_eq!(
            (call.outcome, call.usage.credits),
            (CallOutcome::Unusable, Some(1)),
            "{name}: no page, and paid all the same"
        );
    }
    let odd = Says::page(&text)
        .with("title", json!(["First", "Second"]))
        .with("creditsUsed", 5);
    firecrawl.knows(url("odd"), odd.with("url", "https://93.184.216.34/there"));
    let odd = page(read_by(&reader, &request(&url("odd"))).await);
    assert_eq!(
        (odd.metadata.title.as_deref(), odd.credits),
        (Some("First"), 5)
    );
    assert_eq!(
        odd.final_url.as_deref(),
        Some("https://93.184.216.34/there")
    );
}

#[tokio::test]
async fn what_firecrawl_read_this_week_is_not_paid_for_again() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let reader = client(&firecrawl, KEY, fetcher(false));
    let known = |days: u64| {
        let ago = Duration::from_hours(24 * days);
        PageRequest {
            known: Some(KnownPage {
                validators: Validators::default(),
                fetched_at: Some(OffsetDateTime::now_utc() - ago),
            }),
            ..request("https://93.184.216.34/")
        }
    };
    assert!(matches!(
        read_by(&reader, &known(6)).await,
        Ok(Scraped::Unchanged)
    ));
    assert_eq!(firecrawl.ledger(), []);
    assert!(matches!(
        read_by(&reader, &known(8)).await,
        Ok(Scraped::Page(_))
    ));
}

#[tokio::test]
async fn robots_count_for_pages_that_no_person_named_whoever_reads_them() {
    let (firecrawl, site) = (
        Firecrawl::start().await.unwrap(),
        Site::start().await.unwrap(),
    );
    let robots = "User-agent: *\nDisallow: /private";
    site.put("/robots.txt", Answer::new(200, "text/plain", robots));
    site.put_article("/private", "Private", "Not for programs.");
    let mut wanted = request(&site.page_url("/private"));
    wanted.initiative = Initiative::Program;
    for reader in [
        Box::new(BuiltIn::new(fetcher(true))) as Box<dyn Scraper>,
        Box::new(client(&firecrawl, KEY, fetcher(true))),
    ] {
        let refused = read_by(&*reader, &wanted).await.unwrap_err();
        assert_eq!(refused.reason(), "robots");
    }
    assert_eq!(
        (firecrawl.received().len(), site.visits("/private")),
        (0, 0)
    );
}

#[tokio::test]
async fn a_browser_is_asked_only_for_what_wants_one() {
    let (firecrawl, site) = (
        Firecrawl::start().await.unwrap(),
        Site::start().await.unwrap(),
    );
    site.put("/forbidden", Answer::new(403, "text/html", "no"));
    site.put("/empty", Answer::new(200, "text/html", "<p>Soon."));
    site.put(
        "/wall",
        Answer::new(
            200,
            "text/html",
            "<title>Just a moment...</title>Verify you are human",
        ),
    );
    let reader = PageReader::new(
        Box::new(BuiltIn::new(fetcher(true))),
        Some(Box::new(client(&firecrawl, KEY, fetcher(true)))),
    );
    for path in ["/forbidden", "/wall"] {
        let read = page(read_by(&reader, &request(&site.page_url(path))).await);
        assert_eq!(read.provider, "firecrawl");
    }
    let empty = read_by(&reader, &request(&site.page_url("/empty"))).await;
    assert!(matches!(
        empty,
        Err(ScrapeError::Page(PageError::NoContent { .. }))
    ));
    assert_eq!(reason(&reader, &site.page_url("/gone")).await, "http_404");
    assert_eq!(firecrawl.ledger().len(), 2);

    // Firecrawl first: when it fails, nobody reads the page without a browser instead.
    let first = PageReader::new(Box::new(client(&firecrawl, KEY, fetcher(true))), None);
    site.put_article("/fine", "Fine", "The built-in reader could.");
    firecrawl.inject(Fault::new(Effect::Status(503)));
    assert_eq!(reason(&first, &site.page_url("/fine")).await, "provider");
    assert_eq!(site.visits("/fine"), 0);
}
