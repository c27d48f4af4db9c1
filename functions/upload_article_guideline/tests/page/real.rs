//! The page and the real function, from the click to the row and the object.

use anyhow::Result;

use crate::nova::Nova;
use crate::{GUIDELINE, file};

#[tokio::test]
async fn a_guideline_that_was_chosen_is_an_article_of_the_visitor() -> Result<()> {
    let nova = Nova::start().await?;
    let browser = nova.visit("alice").await?;
    assert!(browser.wait_for(".who").await?.ends_with("alice"));
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    let id = browser.wait_for("#article-id").await?;
    assert_eq!(
        nova.articles().await?,
        [("alice".into(), "The life of stars".into(), id)]
    );
    assert_eq!(nova.contents(), 1);
    assert_eq!(browser.console_errors().await?, [""; 0], "the policy holds");
    browser.close().await
}

#[tokio::test]
async fn without_scripts_a_file_and_a_text_arrive_too() -> Result<()> {
    let nova = Nova::start().await?;
    let browser = nova.visit("alice").await?;
    browser.allow_scripts(false).await?;
    browser.go_to(&nova.url).await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    let first = browser.wait_for("#article-id").await?;

    browser.click("#done .button").await?;
    browser.click("summary").await?;
    browser.type_into("#text", "# Pasted\n\nText.").await?;
    browser.click("#send").await?;
    let second = browser.wait_for("#article-id").await?;
    let articles = [
        ("alice".into(), "The life of stars".into(), first),
        ("alice".into(), "Pasted".into(), second),
    ];
    assert_eq!(nova.articles().await?, articles);
    browser.close().await
}

#[tokio::test]
async fn without_scripts_each_refusal_is_a_page_with_its_reason() -> Result<()> {
    let nova = Nova::start().await?;
    let browser = nova.visit("alice").await?;
    browser.allow_scripts(false).await?;
    browser.go_to(&nova.url).await?;
    for (file, reason) in [
        (file("photo.png", GUIDELINE), ".md, .markdown or .txt"),
        (file("blank.md", " \n"), "is empty"),
        (file("latin.md", b"# \xe9"), "not UTF-8"),
        (file("binary.md", "# a\0b"), "NUL"),
        (file("large.md", "x".repeat(3 << 20)), "At most 1 MiB"),
    ] {
        browser.set_file("#file", &file).await?;
        browser.click("#send").await?;
        browser.wait_for_text("#failure", reason).await?;
    }
    browser.click("#send").await?;
    browser
        .wait_for_text("#failure", "choose a Markdown file")
        .await?;
    assert_eq!(nova.articles().await?.len(), 0);
    browser.close().await
}

#[tokio::test]
async fn an_upload_that_failed_once_succeeds_again_as_one_article() -> Result<()> {
    let nova = Nova::start().await?;
    let browser = nova.visit("alice").await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    let refuse = nova.database.pool();
    sqlx::query("ALTER TABLE articles ADD CONSTRAINT planted CHECK (false) NOT VALID")
        .execute(&refuse)
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#failure-request").await?;
    sqlx::query("ALTER TABLE articles DROP CONSTRAINT planted")
        .execute(&refuse)
        .await?;
    browser.click("#send").await?;
    let id = browser.wait_for("#article-id").await?;
    assert_eq!(
        nova.articles().await?,
        [("alice".into(), "The life of stars".into(), id)]
    );
    browser.close().await
}

#[tokio::test]
async fn a_form_of_another_session_is_refused() -> Result<()> {
    let nova = Nova::start().await?;
    let browser = nova.visit("alice").await?;
    browser
        .evaluate::<()>("document.querySelector('#upload [name=csrf_token]').value = 'AAAA';")
        .await?;
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    browser.wait_for_text("#failure", "CSRF token").await?;
    assert_eq!(nova.articles().await?.len(), 0);
    browser.close().await
}
