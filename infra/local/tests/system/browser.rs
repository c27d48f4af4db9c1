//! A person with a browser: from the upload page through sign-in to the downloaded file.

use http::Method;
use nova_testkit::chromium::Browser;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_uploads_downloads_and_signs_out() -> anyhow::Result<()> {
    let system = System::start().await;
    let browser = Browser::start().await?;
    // By another name of this machine than the one in the links: people type either.
    let page = format!("{}/upload_article_guideline", system.local.url);
    browser
        .go_to(&page.replace("127.0.0.1", "localhost"))
        .await?;
    browser.wait_for("#user").await?;
    browser
        .evaluate::<bool>("document.querySelector('#user').value = ''; return true")
        .await?;
    browser.type_into("#user", "alice").await?;
    browser.click("button[type=submit]").await?;

    browser.wait_for("input[type=file]").await?;
    let address = browser.address().await?;
    assert_eq!(address, page, "back where it began");
    let folder = std::env::temp_dir().join(format!("nova-browser-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("guideline.md");
    std::fs::write(&file, "# Planets\n\nSee https://example.com/planets\n")?;
    browser.set_file("input[type=file]", &file).await?;
    browser.click("#send").await?;
    let message = browser
        .wait_for_text("#message", "ready for research")
        .await?;
    assert_eq!(message, "“Planets” is ready for research.");
    std::fs::remove_dir_all(&folder)?;

    let list = system.get("alice", "/articles").await.json();
    let article = list["articles"][0]["article_guideline_id"]
        .as_str()
        .unwrap()
        .to_owned();
    system
        .tool("alice", "create_research_file", article.parse()?)
        .await;
    let path = format!("/download_research?article_guideline_id={article}");
    let fetched: String = browser
        .call(
            "return fetch(arguments[0]).then(answer => answer.text())",
            serde_json::json!([path]),
        )
        .await?;
    assert!(fetched.starts_with("# Research\n"), "{fetched}");

    browser.click(".visitor button").await?;
    browser.wait_for_text("h1", "Signed out").await?;
    browser.go_to(&page).await?;
    browser.wait_for("#user").await?;
    assert_eq!(browser.console_errors().await?, Vec::<String>::new());
    browser.close().await
}

/// What another site can make a browser send: the cookie, but neither our origin nor the form's token.
#[tokio::test]
async fn a_forged_post_with_somebodys_cookie_is_refused() {
    let system = System::start().await;
    let cookie = format!("nova-session={}", system.token("alice"));
    let path = "/upload_article_guideline";
    let page = [("cookie", cookie.as_str()), ("accept", "text/html")];
    let shown = system.send(Method::GET, path, &page, "").await;
    assert_eq!(shown.status, http::StatusCode::OK, "{shown:?}");
    let own = system.local.url.as_str();
    for (origin, site) in [("https://evil.example", "cross-site"), (own, "same-origin")] {
        let headers = [
            ("cookie", cookie.as_str()),
            ("origin", origin),
            ("sec-fetch-site", site),
            ("content-type", "text/markdown"),
        ];
        let answer = system.send(Method::POST, path, &headers, "# Forged").await;
        assert_eq!(
            answer.status,
            http::StatusCode::FORBIDDEN,
            "{origin}: {answer:?}"
        );
    }
    let list = system.get("alice", "/articles").await.json();
    assert_eq!(list["articles"].as_array().unwrap().len(), 0);
}
