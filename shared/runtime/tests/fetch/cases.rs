//! The list of examples: each of them, as far as it is the client's to decide.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nova_runtime::{
    config::FetchConfig,
    fetch::{FetchError, FetchRequest, Initiative, Limits},
};
use serde_json::Value;

use crate::internet::{
    Answer, Internet, Reply, Step, document, drain, open_page, page, redirect, status,
};

fn cases(category: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/ssrf.json")).unwrap();
    let of_category = |case: &Value| case["category"] == category;
    cases.into_iter().filter(of_category).collect()
}

/// The word of the list for an outcome.
fn word(outcome: Result<String, FetchError>) -> String {
    match outcome {
        Ok(host) => format!("allow:{host}"),
        Err(error) => {
            let reason = error.reason();
            match &*reason {
                "private_address" => "refuse:blocked_address".to_owned(),
                "unsupported_scheme" => "refuse:scheme".to_owned(),
                "unsupported_port" => "refuse:port".to_owned(),
                "credentials_in_url" => "refuse:credentials".to_owned(),
                "unsupported_type" => "refuse:content_type".to_owned(),
                "invalid_url" => "refuse:invalid_url".to_owned(),
                other => format!("error:{other}"),
            }
        }
    }
}

async fn get(internet: &Arc<Internet>, url: &str) -> String {
    let outcome = internet.get(url).await;
    word(outcome.map(|it| it.url().host_str().to_owned()))
}

#[tokio::test]
async fn every_url_of_the_list_is_refused_or_fetched_as_it_says() {
    for case in cases("address").iter().chain(&cases("url")) {
        let internet = Internet::new(|_| page("", b"hello")).await;
        let url = case["input"]["url"].as_str().unwrap();
        // A name and an address are one to the user.
        let expected = case["expect"].as_str().unwrap();
        let expected = expected.replace("blocked_name", "blocked_address");
        assert_eq!(get(&internet, url).await, expected, "{case}");
        if expected.starts_with("refuse") {
            assert!(internet.resolved.lock().unwrap().is_empty(), "{case}");
            assert!(internet.connected.lock().unwrap().is_empty(), "{case}");
        }
    }
}

fn answers(case: &Value) -> Vec<Answer> {
    let Some(answers) = case["input"]["answers"].as_array() else {
        return vec![Answer::Never];
    };
    let addresses = |answer: &Value| {
        let addresses = answer.as_array().unwrap().iter();
        addresses
            .map(|it| it.as_str().unwrap().parse().unwrap())
            .collect()
    };
    answers
        .iter()
        .map(|it| Answer::Addresses(addresses(it)))
        .collect()
}

#[tokio::test]
async fn every_answer_of_dns_on_the_list_is_taken_as_it_says() {
    for case in cases("dns") {
        let internet = Internet::new(|_| page("", b"hello")).await;
        let host = case["input"]["host"].as_str().unwrap();
        internet.answer(host, answers(&case));
        let started = Instant::now();
        let outcome = get(&internet, &format!("http://{host}/")).await;
        let connected = internet.connected.lock().unwrap().clone();
        match case["expect"].as_str().unwrap() {
            "connects only to the first checked address" => {
                assert_eq!(outcome, format!("allow:{host}"), "{case}");
                let first = case["input"]["answers"][0][0].as_str().unwrap();
                assert_eq!(connected, [format!("{first}:80").parse().unwrap()]);
                assert_eq!(internet.resolved.lock().unwrap().len(), 1, "{case}");
            }
            "error:dns_timeout within 5 s" => {
                assert_eq!(outcome, "error:dns_timeout", "{case}");
                assert!(started.elapsed() < Duration::from_millis(5500), "{case}");
                assert!(connected.is_empty());
            }
            expected => {
                assert_eq!(outcome, expected, "{case}");
                assert!(connected.is_empty(), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn every_redirect_of_the_list_is_followed_or_not_as_it_says() {
    for case in cases("redirect") {
        let location = case["input"]["location"].as_str().map(str::to_owned);
        let internet = Internet::new(move |seen| match &location {
            Some(location) if seen.is_tls => redirect(location),
            Some(_) => page("", b"hello"),
            None => redirect("/on"),
        })
        .await;
        let start = case["input"]["start"].as_str().unwrap_or("https://a.test/");
        let expected = case["expect"].as_str().unwrap();
        if expected.starts_with("allow with warning downgrade") {
            assert!(internet.get(start).await.unwrap().is_downgraded(), "{case}");
            let token = http::HeaderValue::from_static("Bearer secret");
            let request = FetchRequest::new(start, Initiative::User).authorization(token);
            let outcome = document(internet.fetcher().fetch(&request).await);
            assert_eq!(outcome.unwrap_err().reason(), "insecure_redirect", "{case}");
        } else {
            assert_eq!(get(&internet, start).await, expected, "{case}");
        }
    }
}

/// What the servers of the list do.
fn server(input: &Value) -> Option<Reply> {
    if let Some(content_type) = input["content_type"].as_str() {
        let body = input["body"].as_str().unwrap_or("...");
        let header = format!("content-type: {content_type}\r\n");
        return Some(page(&header, body.as_bytes()));
    }
    Some(match input["server"].as_str()? {
        "Content-Length: 5 GB" => vec![
            open_page("content-length: 5000000000\r\n"),
            Step::Wait(Duration::from_mins(1)),
        ],
        "gzip bomb 10 KB -> 1 GB" => page("content-encoding: gzip\r\n", &bomb(1 << 30)),
        "1 byte per 5 s" => trickle(Duration::from_millis(50)),
        "HTTP 401 + WWW-Authenticate" => {
            status("401 Unauthorized", "www-authenticate: Basic\r\n", b"")
        }
        _ => return None,
    })
}

fn trickle(pause: Duration) -> Reply {
    let mut reply = vec![open_page("content-type: text/html\r\n")];
    for _ in 0..200 {
        reply.extend([Step::Send(b"a".to_vec()), Step::Wait(pause)]);
    }
    reply
}

/// Zeros, packed; a gzip file may have several parts.
pub(crate) fn bomb(unpacked: usize) -> Vec<u8> {
    use std::io::Write as _;
    const PART: usize = 1 << 20;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; PART]).unwrap();
    encoder.finish().unwrap().repeat(unpacked / PART)
}

#[tokio::test]
async fn every_answer_of_the_list_is_taken_as_it_says() {
    let mut decided = 0;
    for case in cases("response") {
        if case["input"]["tls"] == "self-signed certificate" {
            let internet = Internet::new(|_| page("", b"hello")).await;
            let request = FetchRequest::new("https://a.test/", Initiative::User);
            let fetcher = internet.fetcher_with(&FetchConfig::default());
            let outcome = document(fetcher.fetch(&request).await);
            assert_eq!(
                word(outcome.map(|_| String::new())),
                case["expect"],
                "{case}"
            );
            decided += 1;
            continue;
        }
        // Trees, archives and what a page says are for those who read them.
        if server(&case["input"]).is_none() {
            continue;
        }
        let input = case["input"].clone();
        let internet = Internet::new(move |_| server(&input).unwrap()).await;
        // One hundredth of the time.
        let limits = Limits {
            total: Duration::from_millis(300),
            idle: Duration::from_millis(100),
            ..Limits::default()
        };
        let is_slow = case["expect"].as_str().unwrap().contains("timeout");
        let limits = if is_slow { limits } else { Limits::default() };
        let request = FetchRequest::new("http://a.test/", Initiative::User).limits(limits);
        let outcome = document(internet.fetcher().fetch(&request).await);
        let outcome = match outcome {
            Ok(document) => drain(document.into_body()).await,
            Err(error) => Err(error),
        };
        let found = word(outcome.map(|length| length.to_string()));
        let expected = match case["expect"].as_str().unwrap() {
            "refuse:too_large before reading" | "error:too_large; peak memory < 2x limit" => {
                "error:too_large"
            }
            "error:timeout at 30 s total" => "error:timeout",
            "error:http_401, no retry" => "error:http_401",
            // Whoever reads the page looks at its bytes.
            "handled as PDF" => "allow:8",
            other => other,
        };
        assert_eq!(found, expected, "{case}");
        assert_eq!(internet.paths().len(), 1, "{case}");
        decided += 1;
    }
    assert!(decided >= 7, "only {decided} cases were decided");
}
