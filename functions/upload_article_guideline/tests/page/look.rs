//! The page to the eye: every state in light, in dark and on a phone.

use std::path::Path;

use anyhow::Result;
use http::StatusCode;
use nova_testkit::chromium::Browser;

use crate::stand_in::{Answer, StandIn};
use crate::{GUIDELINE, file};

async fn look(browser: &Browser, state: &str) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let findings = browser.look(folder, &format!("page-{state}")).await?;
    assert_eq!(findings, [""; 0], "{state}");
    Ok(())
}

#[tokio::test]
async fn every_state_is_legible_in_light_in_dark_and_on_a_phone() -> Result<()> {
    let server = StandIn::start().await?;
    let browser = Browser::start().await?;
    browser.go_to(&server.url).await?;
    look(&browser, "1-form").await?;

    browser.click("summary").await?;
    look(&browser, "2-paste").await?;

    browser
        .set_file(
            "#file",
            &file(
                "photo-of-a-very-long-name-that-goes-on-and-on.png",
                GUIDELINE,
            ),
        )
        .await?;
    browser.wait_for("#failure").await?;
    look(&browser, "3-refused-here").await?;

    browser
        .set_file("#file", &file("the-life-of-stars.md", GUIDELINE))
        .await?;
    browser.wait_for_text(".chosen label", "stars").await?;
    look(&browser, "4-chosen").await?;

    server.will_answer(Answer::Problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "The database cannot be reached. Try again in 5 seconds.",
    ));
    browser.click("#send").await?;
    browser.wait_for("#failure").await?;
    look(&browser, "5-refused-there").await?;

    server.will_answer(Answer::Created);
    browser.slow_uploads(40_000).await?;
    browser
        .set_file("#file", &file("slow.md", "x".repeat(1_000_000)))
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#sending").await?;
    look(&browser, "6-sending").await?;
    browser.click("#cancel").await?;

    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    look(&browser, "7-uploaded").await?;

    browser.allow_scripts(false).await?;
    browser.go_to(&server.url).await?;
    look(&browser, "8-without-script").await?;
    browser.close().await
}

/// What a screen reader can jump to or operate.
const ROLES: [&str; 10] = [
    "banner",
    "main",
    "region",
    "heading",
    "link",
    "button",
    "textbox",
    "alert",
    "status",
    "progressbar",
];

#[tokio::test]
async fn whoever_cannot_see_the_page_hears_all_of_it() -> Result<()> {
    let server = StandIn::start().await?;
    let browser = Browser::start().await?;
    browser.go_to(&server.url).await?;
    browser.click("summary").await?;
    let form = [
        "link: Skip to the content",
        "banner: ",
        "main: ",
        "region: Upload an article guideline",
        "status: ",
        "button: Sign out",
        "heading: Upload an article guideline",
        "button: Upload guideline",
        "button: Choose a Markdown file or drop it here",
        "textbox: Guideline in Markdown",
    ];
    assert_eq!(browser.heard(&ROLES).await?, form);

    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    browser.wait_for("#article-id").await?;
    let uploaded = [
        "link: Skip to the content",
        "banner: ",
        "main: ",
        "region: Guideline uploaded",
        "status: ",
        "button: Sign out",
        "heading: Guideline uploaded",
        "heading: Article id",
        "button: Copy the article id",
        "heading: What next",
        "link: Upload another",
        "heading: Find the sources it names",
        "button: Copy the command of step 1",
        "heading: Upload the files it names",
        "heading: Write the research file",
        "button: Copy the command of step 3",
        "heading: Download it",
        "link: Local files",
        "link: research.md",
    ];
    assert_eq!(browser.heard(&ROLES).await?, uploaded);
    browser.close().await
}
