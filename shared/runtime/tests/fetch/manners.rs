//! How sites are treated: conditions, pauses, robots.txt.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nova_runtime::fetch::{
    FetchError, FetchRequest, Fetched, Initiative, Limits, Politeness, Validators,
};

use crate::internet::{Internet, Reply, Seen, Step, document, open_page, page, redirect, status};

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let internet = Internet::new(|seen| {
        if seen.header("if-none-match") == Some("\"v1\"") {
            status("304 Not Modified", "etag: \"v1\"\r\n", b"")
        } else {
            let date = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
            page(&format!("etag: \"v1\"\r\n{date}"), b"hello")
        }
    })
    .await;
    let first = internet.get("https://a.test/").await.unwrap();
    let kept = first.validators();
    let kept = Validators::new(kept.etag(), kept.last_modified());
    assert_eq!(kept, first.validators());
    let request = FetchRequest::new("https://a.test/", Initiative::User).unless_unchanged(kept);
    let outcome = internet.fetcher().fetch(&request).await;
    assert!(matches!(outcome, Ok(Fetched::NotModified)), "{outcome:?}");
    let seen = internet.seen.lock().unwrap();
    let since = seen[1].header("if-modified-since");
    assert_eq!(since, Some("Sun, 06 Nov 1994 08:49:37 GMT"));
}

#[tokio::test]
async fn a_site_that_asks_for_time_is_left_alone() {
    let internet = Internet::new(|seen| match seen.path() {
        "/busy" => status("429 Too Many Requests", "retry-after: 40\r\n", b""),
        "/down" => status("503 Service Unavailable", "", b""),
        _ => page("", b"hello"),
    })
    .await;
    let fetcher = internet.fetcher();
    let fetch = async |url: &str| {
        let request = FetchRequest::new(url, Initiative::User);
        document(fetcher.fetch(&request).await)
    };
    let error = fetch("https://b.test/down").await.unwrap_err();
    assert!(matches!(error, FetchError::Status { .. }), "{error}");
    let error = fetch("https://a.test/busy").await.unwrap_err();
    assert_eq!(error.reason(), "http_429");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(40)));
    assert!(error.is_retryable());
    // Another page of the same site is not even asked for; another site is.
    let error = fetch("https://a.test/").await.unwrap_err();
    assert!(error.retry_after().unwrap() > Duration::from_secs(30));
    assert!(fetch("https://b.test/").await.is_ok());
    assert_eq!(internet.paths(), ["/down", "/busy", "/"]);
}

#[tokio::test]
async fn a_site_gets_few_requests_at_once_and_a_pause_between_them() {
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counted, highest) = (Arc::clone(&open), Arc::clone(&most));
    let internet = Internet::new(move |_| {
        highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        page("", b"hello")
    })
    .await;
    let fetcher = internet.polite_fetcher(Politeness {
        at_once: 2,
        pause: Duration::from_millis(50),
        patience: Duration::from_secs(10),
    });
    let started = Instant::now();
    let pages = (0..8).map(|_| async {
        let request = FetchRequest::new("http://a.test/", Initiative::User);
        let document = document(fetcher.fetch(&request).await).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let body = document.into_body();
        open.fetch_sub(1, Ordering::SeqCst);
        drop(body);
    });
    futures_util::future::join_all(pages).await;
    assert!(started.elapsed() >= Duration::from_millis(7 * 50));
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_turn_is_told() {
    let internet = Internet::new(|_| vec![open_page(""), Step::Wait(Duration::from_secs(5))]).await;
    let fetcher = internet.polite_fetcher(Politeness {
        at_once: 1,
        pause: Duration::ZERO,
        patience: Duration::from_millis(100),
    });
    let request = FetchRequest::new("http://a.test/", Initiative::User);
    let held = fetcher.fetch(&request).await.unwrap();
    let error = fetcher.fetch(&request).await.unwrap_err();
    assert_eq!(error.reason(), "busy");
    drop(held);
    assert!(fetcher.fetch(&request).await.is_ok());
}

#[tokio::test]
async fn waiting_for_a_turn_is_not_the_sites_time() {
    let internet = Internet::new(|_| page("", b"hello")).await;
    let fetcher = internet.polite_fetcher(Politeness {
        at_once: 1,
        pause: Duration::from_millis(600),
        patience: Duration::from_secs(5),
    });
    let limits = Limits {
        total: Duration::from_millis(500),
        ..Limits::default()
    };
    let request = FetchRequest::new("http://a.test/", Initiative::User).limits(limits);
    for _ in 0..2 {
        assert!(fetcher.fetch(&request).await.is_ok());
    }
}

/// A site with this robots.txt.
async fn site(robots: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Arc<Internet> {
    Internet::new(move |seen| match seen.path() {
        "/robots.txt" => robots(seen),
        "/moved" => redirect("https://b.test/private/1"),
        _ => page("", b"hello"),
    })
    .await
}

const RULES: &[u8] = b"User-agent: nova-research\nDisallow: /private/\n";

#[tokio::test]
async fn a_program_obeys_robots_txt_and_a_person_does_not_have_to() {
    let internet = site(|_| page("", RULES)).await;
    let fetcher = internet.fetcher();
    let fetch = async |url: &str, initiative| {
        let request = FetchRequest::new(url, initiative);
        document(fetcher.fetch(&request).await).map_err(|error| error.reason().into_owned())
    };
    let by_program = fetch("https://a.test/private/1", Initiative::Program).await;
    assert_eq!(by_program.unwrap_err(), "robots");
    assert!(
        fetch("https://a.test/public", Initiative::Program)
            .await
            .is_ok()
    );
    assert!(
        fetch("https://a.test/private/1", Initiative::User)
            .await
            .is_ok()
    );
    // The file is asked for once, and again for every other origin, also behind a redirect.
    assert_eq!(internet.paths(), ["/robots.txt", "/public", "/private/1"]);
    let moved = fetch("https://a.test/moved", Initiative::Program).await;
    assert_eq!(moved.unwrap_err(), "robots");
}

#[tokio::test]
async fn what_a_site_without_rules_means_depends_on_why() {
    for (line, expected) in [
        ("404 Not Found", None),
        ("403 Forbidden", None),
        ("500 Internal Server Error", Some("robots_unavailable")),
        ("503 Service Unavailable", Some("robots_unavailable")),
        ("429 Too Many Requests", Some("http_429")),
    ] {
        let internet = site(move |_| status(line, "", b"")).await;
        let request = FetchRequest::new("https://a.test/page", Initiative::Program);
        let outcome = document(internet.fetcher().fetch(&request).await);
        let reason = outcome.err().map(|it| it.reason().into_owned());
        assert_eq!(reason.as_deref(), expected, "{line}");
    }
    let internet = site(|_| redirect("http://10.0.0.1/robots.txt")).await;
    let request = FetchRequest::new("https://a.test/page", Initiative::Program);
    let error = internet.fetcher().fetch(&request).await.unwrap_err();
    assert_eq!(error.reason(), "private_address");
}

#[tokio::test]
async fn a_robots_txt_without_end_is_read_as_far_as_it_counts() {
    let internet = site(|_| {
        vec![
            open_page(""),
            Step::Send(RULES.to_vec()),
            Step::Repeat(vec![b'#'; 1 << 16], 1 << 16),
        ]
    })
    .await;
    let request = FetchRequest::new("https://a.test/private/1", Initiative::Program);
    let error = internet.fetcher().fetch(&request).await.unwrap_err();
    assert_eq!(error.reason(), "robots");
}

#[tokio::test]
async fn many_pages_of_one_site_ask_for_its_rules_once() {
    let internet = site(|_| page("", RULES)).await;
    let fetcher = internet.fetcher();
    let pages = (0..10).map(|number| {
        let fetcher = fetcher.clone();
        async move {
            let url = format!("https://a.test/{number}");
            let request = FetchRequest::new(url, Initiative::Program);
            fetcher.fetch(&request).await.unwrap();
        }
    });
    futures_util::future::join_all(pages).await;
    let asked = internet
        .paths()
        .iter()
        .filter(|it| *it == "/robots.txt")
        .count();
    assert_eq!(asked, 1);
}
