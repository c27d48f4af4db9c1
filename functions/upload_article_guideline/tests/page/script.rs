//! What the page does by its script.

use anyhow::Result;
use http::StatusCode;
use nova_testkit::chromium::{Browser, Key};

use crate::stand_in::{Answer, ID, LIMIT, MESSAGE};
use crate::{GUIDELINE, file, open};

async fn focused(browser: &Browser) -> Result<String> {
    browser
        .evaluate("return document.activeElement.id || document.activeElement.textContent;")
        .await
}

#[tokio::test]
async fn a_file_is_uploaded_and_its_id_is_handed_over() -> Result<()> {
    let (server, browser) = open().await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.wait_for_text(".chosen label", "stars.md").await?;
    browser.wait_for_text("#status", "can be uploaded").await?;
    browser.click("#send").await?;

    assert_eq!(browser.wait_for("#article-id").await?, ID);
    assert_eq!(browser.wait_for("#message").await?, MESSAGE);
    assert_eq!(focused(&browser).await?, "done-title");
    assert_eq!(browser.title().await?, "Guideline uploaded · Nova");
    assert_eq!(browser.visible_text("#compose").await?, None);
    assert!(browser.wait_for("#extract").await?.contains(ID));
    let download = browser.attribute("#download", "href").await?.unwrap();
    assert!(
        download.ends_with(&format!("/download_research?article_guideline_id={ID}")),
        "{download}"
    );

    let posts = server.posts();
    let [post] = &posts[..] else {
        panic!("{} uploads", posts.len())
    };
    assert_eq!(post.header("accept"), "application/json");
    assert_eq!(post.header("sec-fetch-site"), "same-origin");
    assert!(
        post.header("origin").starts_with("http://127.0.0.1:"),
        "{:?}",
        post.headers
    );
    assert!(
        post.header("idempotency-key").len() > 20,
        "{:?}",
        post.headers
    );
    let (csrf, content) = post
        .body
        .split_once("name=\"file\"; filename=\"stars.md\"")
        .unwrap();
    assert!(
        csrf.contains("name=\"csrf_token\"") && csrf.contains("a-token"),
        "{csrf}"
    );
    assert!(content.contains(GUIDELINE), "{content}");
    assert_eq!(browser.console_errors().await?, [""; 0]);
    browser.close().await
}

#[tokio::test]
async fn the_id_and_the_commands_are_copied() -> Result<()> {
    let (_server, browser) = open().await?;
    browser.allow_clipboard().await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    for copied in ["article-id", "extract", "create"] {
        let button = format!("[data-copies={copied}]");
        browser.click(&button).await?;
        browser.wait_for_text(&button, "Copied").await?;
        let clipboard: String = browser
            .evaluate("return navigator.clipboard.readText();")
            .await?;
        assert_eq!(
            Some(clipboard),
            browser.visible_text(&format!("#{copied}")).await?
        );
    }
    browser.close().await
}

#[tokio::test]
async fn what_the_server_would_refuse_is_said_before_anything_is_sent() -> Result<()> {
    let (server, browser) = open().await?;
    let large = "x".repeat(usize::try_from(LIMIT)? + 1);
    for (file, reason) in [
        (
            file("photo.png", GUIDELINE),
            "neither Markdown nor plain text",
        ),
        (file("large.md", large), "is 1.01 MiB large; at most 1 MiB"),
        (file("nothing.md", ""), "nothing.md is empty"),
        (file("blank.md", "\u{feff} \n\t\n"), "blank.md is empty"),
        (file("latin.md", b"# \xe9"), "is not UTF-8"),
        (file("binary.md", "a\0b"), "NUL"),
    ] {
        browser.set_file("#file", &file).await?;
        browser.wait_for_text("#failure", reason).await?;
        assert_eq!(
            browser.attribute("#file", "aria-invalid").await?.as_deref(),
            Some("true")
        );
        browser.click("#send").await?;
        browser.wait_for_text("#failure", reason).await?;
    }
    browser.click("#remove").await?;
    assert_eq!(browser.visible_text("#failure").await?, None);
    assert_eq!(focused(&browser).await?, "file");
    browser.click("#send").await?;
    browser
        .wait_for_text("#failure", "Choose a file first")
        .await?;
    assert_eq!(server.posts().len(), 0);
    browser.close().await
}

#[tokio::test]
async fn a_guideline_of_exactly_the_limit_is_sent() -> Result<()> {
    let (server, browser) = open().await?;
    let content = "é".repeat(usize::try_from(LIMIT)? / 2);
    browser
        .set_file("#file", &file("largest.markdown", &content))
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    assert!(server.posts()[0].body.contains(&content));
    browser.close().await
}

#[tokio::test]
async fn a_file_dropped_anywhere_is_chosen() -> Result<()> {
    let (server, browser) = open().await?;
    let (one, two) = (file("one.md", GUIDELINE), file("two.md", GUIDELINE));
    browser.drag_files(".zone", &[&one]).await?;
    browser.wait_for(".zone.over").await?;
    browser.drop_files(".zone", &[&one, &two]).await?;
    browser.wait_for_text("#failure", "one guideline").await?;
    browser.drop_files(".zone", &[&one]).await?;
    browser.wait_for_text(".chosen label", "one.md").await?;
    browser.drop_files(".lead", &[&two]).await?;
    browser.wait_for_text(".chosen label", "two.md").await?;
    assert_eq!(browser.visible_text(".zone.over").await?, None);
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    assert!(server.posts()[0].body.contains("filename=\"two.md\""));
    browser.close().await
}

#[tokio::test]
async fn a_text_is_pasted_instead() -> Result<()> {
    let (server, browser) = open().await?;
    browser.click("summary").await?;
    browser.type_into("#text", "  ").await?;
    browser.click("#send").await?;
    browser
        .wait_for_text("#failure", "The text is empty")
        .await?;
    browser.type_into("#text", "# Pasted ♥").await?;
    assert_eq!(browser.visible_text("#failure").await?, None);
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    let posts = server.posts();
    assert!(
        posts[0].body.contains("filename=\"pasted.md\""),
        "{}",
        posts[0].body
    );
    assert!(posts[0].body.contains("# Pasted ♥"), "{}", posts[0].body);
    browser.close().await
}

#[tokio::test]
async fn a_refusal_is_readable_and_trying_again_makes_no_second_article() -> Result<()> {
    let (server, browser) = open().await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    let mut keys = Vec::new();
    for (answer, said) in [
        (
            Answer::Problem(StatusCode::SERVICE_UNAVAILABLE, "The database rests."),
            "The database rests.",
        ),
        (
            Answer::ProxyPage(StatusCode::BAD_GATEWAY),
            "The server answered 502.",
        ),
        (Answer::Cut, "Nova cannot be reached."),
        (
            Answer::Problem(StatusCode::UNAUTHORIZED, "Your session ended."),
            "Sign in again",
        ),
    ] {
        server.will_answer(answer);
        browser.click("#send").await?;
        browser.wait_for_text("#failure", said).await?;
        assert_eq!(focused(&browser).await?, "send");
        keys.extend(
            server
                .posts()
                .iter()
                .map(|post| post.header("idempotency-key").to_owned()),
        );
    }
    browser.wait_for_text("#failure-request", "7f3a9c").await?;
    server.will_answer(Answer::Problem(StatusCode::BAD_REQUEST, "No."));
    browser
        .set_file("#file", &file("other.md", GUIDELINE))
        .await?;
    browser.wait_for_text("label", "other.md").await?;
    browser.click("#send").await?;
    browser.wait_for_text("#failure", "No.").await?;
    assert_eq!(browser.visible_text("#failure-sign-in").await?, None);
    assert_ne!(server.posts()[0].header("idempotency-key"), keys[0]);
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
    browser.close().await
}

#[tokio::test]
async fn a_slow_upload_shows_its_progress_and_can_be_cancelled() -> Result<()> {
    let (server, browser) = open().await?;
    browser.slow_uploads(200_000).await?;
    browser
        .set_file("#file", &file("large.md", "x".repeat(1_000_000)))
        .await?;
    browser.wait_for_text("#status", "can be uploaded").await?;
    browser.click("#send").await?;
    browser
        .wait_for_text("#sending", "Uploading large.md")
        .await?;
    assert_eq!(focused(&browser).await?, "cancel");
    // Somewhere between nothing and everything.
    let half_way = "return new Promise((done) => { const timer = setInterval(() => {
        const percent = document.querySelector('#bar').value;
        if (percent > 0 && percent < 100) { clearInterval(timer); done(percent); } }, 5); });";
    let percent: f64 = browser.evaluate(half_way).await?;
    assert!((1.0..100.0).contains(&percent), "{percent}");
    browser.press(Key::Enter).await?;
    browser.wait_for_text("#status", "cancelled").await?;
    assert_eq!(focused(&browser).await?, "send");
    assert_eq!(server.posts().len(), 0);
    assert_eq!(browser.visible_text("#failure").await?, None);
    browser.close().await
}

#[tokio::test]
async fn the_keyboard_reaches_everything_in_the_order_of_the_page() -> Result<()> {
    let (_server, browser) = open().await?;
    let mut order = Vec::new();
    for _ in 0..5 {
        browser.press(Key::Tab).await?;
        order.push(focused(&browser).await?);
    }
    assert_eq!(
        order,
        [
            "Skip to the content",
            "Sign out",
            "file",
            "Paste the text instead",
            "send"
        ]
    );
    browser.press(Key::Enter).await?;
    browser
        .wait_for_text("#failure", "Choose a file first")
        .await?;
    assert_eq!(focused(&browser).await?, "file");
    browser.close().await
}
