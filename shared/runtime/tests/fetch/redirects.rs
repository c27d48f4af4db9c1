//! Redirects: each hop is a request like the first.

use http::HeaderValue;
use nova_runtime::fetch::{FetchRequest, Initiative};

use crate::internet::{Answer, Internet, document, page, redirect, status};

#[tokio::test]
async fn five_redirects_are_followed_and_no_more() {
    for (hops, is_followed) in [(5, true), (6, false)] {
        let internet = Internet::new(move |seen| {
            let hop: u32 = seen.path().trim_start_matches('/').parse().unwrap_or(0);
            if hop < hops {
                redirect(&format!("/{}", hop + 1))
            } else {
                page("", b"hello")
            }
        })
        .await;
        let outcome = internet.get("https://a.test/0").await;
        assert_eq!(outcome.is_ok(), is_followed);
        if let Err(error) = outcome {
            assert_eq!(error.reason(), "too_many_redirects");
        }
    }
}

#[tokio::test]
async fn a_name_that_turns_private_between_two_hops_is_refused() {
    let internet = Internet::new(|_| redirect("/again")).await;
    let answers = ["93.184.216.34", "127.0.0.1"];
    let answers = answers.map(|it| Answer::Addresses(vec![it.parse().unwrap()]));
    internet.answer("rebind.test", answers);
    let error = internet.get("http://rebind.test/").await.unwrap_err();
    assert_eq!(error.reason(), "private_address");
    assert_eq!(internet.connected.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn credentials_stay_with_their_origin_and_do_not_come_back() {
    let internet = Internet::new(|seen| match (seen.header("host").unwrap(), seen.path()) {
        ("a.test", "/1") => redirect("/2"),
        ("a.test", "/2") => redirect("https://b.test/3"),
        ("b.test", _) => redirect("https://a.test/4"),
        _ => page("", b"hello"),
    })
    .await;
    let token = HeaderValue::from_static("Bearer secret");
    let request = FetchRequest::new("https://a.test/1", Initiative::User).authorization(token);
    assert!(internet.fetcher().fetch(&request).await.is_ok());
    let seen = internet.seen.lock().unwrap();
    let with_token = seen.iter().map(|it| it.header("authorization").is_some());
    assert_eq!(with_token.collect::<Vec<_>>(), [true, true, false, false]);
    assert!(!format!("{request:?}").contains("secret"));
}

#[tokio::test]
async fn every_hop_is_a_get_and_every_target_is_checked() {
    for (target, reason) in [
        ("http://169.254.169.254/", "private_address"),
        ("//[::1]/", "private_address"),
        ("http://b.test:22/", "unsupported_port"),
        ("file:///etc/passwd", "unsupported_scheme"),
        ("https://user:secret@b.test/", "credentials_in_url"),
        ("http://[", "invalid_url"),
    ] {
        let internet = Internet::new(move |_| {
            status(
                "307 Temporary Redirect",
                &format!("location: {target}\r\n"),
                b"",
            )
        })
        .await;
        let error = internet.get("https://a.test/").await.unwrap_err();
        assert_eq!(error.reason(), reason, "{target}");
        let seen = internet.seen.lock().unwrap();
        assert!(seen.iter().all(|it| it.head.starts_with("GET ")));
        assert_eq!(seen.len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_a_status() {
    let internet = Internet::new(|_| status("302 Found", "", b"")).await;
    let request = FetchRequest::new("https://a.test/", Initiative::User);
    let outcome = document(internet.fetcher().fetch(&request).await);
    assert_eq!(outcome.unwrap_err().reason(), "http_302");
}
