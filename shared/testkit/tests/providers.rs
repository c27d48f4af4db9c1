//! Stand-ins for providers: they answer as those do, go wrong as told, and say what was paid.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_testkit::{
    Gate,
    providers::{
        Answer, Effect, Fault, Payment, StandIn,
        firecrawl::{Firecrawl, KEY, Scraped},
        site::Site,
    },
};
use serde_json::{Value, json};

type Http = Client<HttpConnector, Full<Bytes>>;

/// Status, header and body; `None` when the connection broke before all of it was there.
async fn ask(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Option<(StatusCode, HeaderMap, Bytes)> {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Value::Null => Bytes::new(),
        json => Bytes::from(json.to_string()),
    };
    let response = http.request(request.body(Full::new(body)).unwrap()).await;
    let (parts, body) = response.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some((parts.status, parts.headers, body))
}

async fn scrape(firecrawl: &Firecrawl, arguments: Value) -> (u16, Value) {
    let url = format!("{}/v2/scrape", firecrawl.url());
    let key = format!("Bearer {KEY}");
    let answer = ask(Method::POST, &url, &[("authorization", &key)], &arguments).await;
    let (status, _, body) = answer.unwrap();
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn get(url: &str, headers: &[(&str, &str)]) -> Option<(StatusCode, HeaderMap, Bytes)> {
    ask(Method::GET, url, headers, &Value::Null).await
}

/// A provider that is paid a unit for each address that it is asked for.
async fn provider() -> StandIn {
    let script = |asked: &nova_testkit::providers::Received| {
        Answer::new(200, "text/plain", "0123456789").paid(asked.path(), 1)
    };
    StandIn::start(script).await.unwrap()
}

#[tokio::test]
async fn what_is_held_waits_for_the_gate_and_is_not_paid_when_its_client_leaves() {
    let provider = provider().await;
    let gate = Gate::new();
    let hold = Fault::new(Effect::Hold(gate.clone()));
    provider.inject(hold.on("/held").times(2));
    let [leaves, stays] = [(); 2].map(|()| {
        let url = format!("{}/held", provider.url());
        tokio::spawn(async move { get(&url, &[]).await })
    });
    let held = async |count| {
        while gate.held() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, held(2)).await.unwrap();
    leaves.abort();
    tokio::time::timeout(patience, held(1)).await.unwrap();
    assert_eq!(provider.paid("/held"), 0);
    gate.open();
    let (status, ..) = stays.await.unwrap().unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!((provider.paid("/held"), gate.held()), (1, 0));
}

#[tokio::test]
async fn what_is_done_is_paid_and_what_goes_wrong_before_is_not() {
    let provider = provider().await;
    for (path, effect) in [
        ("/busy", Effect::RetryAfter(429, 7)),
        ("/down", Effect::Status(503)),
        ("/cut", Effect::CutBefore),
        ("/lost", Effect::CutAfter(3)),
        ("/garbage", Effect::Garbage),
    ] {
        provider.inject(Fault::new(effect).on(path));
    }
    let of = async |path: &str| get(&format!("{}{path}", provider.url()), &[]).await;
    let (status, headers, _) = of("/busy").await.unwrap();
    assert_eq!(
        (status.as_u16(), &headers["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(of("/down").await.unwrap().0, 503);
    assert!(of("/cut").await.is_none());
    assert!(of("/lost").await.is_none());
    assert!(of("/garbage").await.unwrap().2.starts_with(b"<html>"));
    assert_eq!(&of("/fine").await.unwrap().2[..], b"0123456789");
    let paid = ["/lost", "/garbage", "/fine"].map(|what| Payment {
        what: what.to_owned(),
        units: 1,
    });
    assert_eq!(provider.ledger(), paid);
    assert_eq!(provider.received().len(), 6);
    assert!(provider.faults_are_used_up());
}

#[tokio::test]
async fn a_fault_waits_for_its_turn_and_for_its_subject() {
    let provider = provider().await;
    let fault = Fault::new(Effect::Status(500)).on("/a");
    provider.inject(fault.after(1).times(2));
    let of = async |path: &str| {
        let answer = get(&format!("{}{path}", provider.url()), &[]).await;
        answer.unwrap().0.as_u16()
    };
    let statuses = [
        of("/a").await,
        of("/b").await,
        of("/a").await,
        of("/a").await,
        of("/a").await,
    ];
    assert_eq!(statuses, [200, 200, 500, 500, 200]);
}

#[tokio::test]
async fn a_provider_that_hangs_says_nothing() {
    let provider = provider().await;
    provider.inject(Fault::new(Effect::Hang));
    let asking = get(provider.url(), &[]);
    let waited = tokio::time::timeout(Duration::from_millis(200), asking).await;
    assert!(waited.is_err());
    assert_eq!(provider.ledger(), []);
}

#[tokio::test]
async fn firecrawl_answers_in_the_recorded_shape() {
    let firecrawl = Firecrawl::start().await.unwrap();
    firecrawl.knows(
        "https://example.com/gone",
        Scraped::page("gone").with("statusCode", 404),
    );
    let page = "https://example.com/page2";
    let arguments = json!({"url": page, "formats": ["markdown"], "skipTlsVerification": false});
    let (status, answer) = scrape(&firecrawl, arguments).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    let markdown = answer["data"]["markdown"].as_str().unwrap();
    assert!(markdown.starts_with("# Page https://example.com/page2\n"));
    let expected = json!({
        "title": "Title of https://example.com/page2", "sourceURL": page, "url": page, "statusCode": 200,
        "contentType": "text/html", "scrapeId": "x", "cacheState": "miss", "creditsUsed": 1,
    });
    assert_eq!(answer["data"]["metadata"], expected);

    let (status, gone) = scrape(&firecrawl, json!({"url": "https://example.com/gone"})).await;
    assert_eq!((status, &gone["success"]), (200, &json!(true)));
    assert_eq!(gone["data"]["metadata"]["statusCode"], 404);
    assert_eq!((firecrawl.paid(page), firecrawl.ledger().len()), (1, 2));
}

#[tokio::test]
async fn firecrawl_refuses_what_its_schema_does_not_know_and_who_has_no_key() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let unknown = json!({"url": "https://example.com/", "max_age": 1});
    assert_eq!(scrape(&firecrawl, unknown).await.0, 400);
    assert_eq!(scrape(&firecrawl, json!({})).await.0, 400);
    let url = format!("{}/v2/scrape", firecrawl.url());
    let stranger = ask(
        Method::POST,
        &url,
        &[],
        &json!({"url": "https://example.com/"}),
    )
    .await;
    assert_eq!(stranger.unwrap().0, 401);
    assert_eq!(firecrawl.ledger(), []);
}

#[tokio::test]
async fn a_site_knows_what_its_visitors_have() {
    let site = Site::start().await.unwrap();
    let page = site.put_article("/a?b=c", "Title", "Text.");
    site.put("/a?b=c", page.header("etag", "\"1\""));
    let url = site.page_url("/a?b=c");
    let (status, headers, body) = get(&url, &[]).await.unwrap();
    assert_eq!(
        (status.as_u16(), &headers["etag"]),
        (200, &"\"1\"".parse().unwrap())
    );
    assert!(String::from_utf8_lossy(&body).contains("<h1>Title</h1>"));
    let (status, _, body) = get(&url, &[("if-none-match", "\"1\"")]).await.unwrap();
    assert_eq!((status.as_u16(), body.len()), (304, 0));
    assert_eq!(
        get(&url, &[("if-none-match", "\"2\"")]).await.unwrap().0,
        200
    );
    assert_eq!(get(&site.page_url("/"), &[]).await.unwrap().0, 404);
    assert_eq!(site.visits("/a?b=c"), 3);
}

#[tokio::test]
async fn a_page_may_be_as_long_as_one_wants() {
    let site = Site::start().await.unwrap();
    site.put(
        "/",
        Answer::new(200, "text/plain", "0123456789").repeated(100_000),
    );
    let (_, headers, body) = get(&site.page_url("/"), &[]).await.unwrap();
    assert_eq!(
        (headers.get("content-length"), body.len()),
        (None, 1_000_000)
    );
}
