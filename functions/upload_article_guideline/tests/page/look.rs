//! The page to the eye: every state in light, in dark and on a phone.

use std::path::PathBuf;

use anyhow::Result;
use http::StatusCode;
use nova_testkit::chromium::Browser;

use crate::stand_in::{Answer, StandIn};
use crate::{GUIDELINE, file};

/// The texts whose contrast is too low, by WCAG 2.2: 4.5 : 1 for what is not large.
const FAINT_TEXTS: &str = r#"
    const rgb = (text) => {
        const numbers = text.match(/[\d.]+/g).map(Number);
        return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 };
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((it) => it / 255).map((it) => it <= .04045 ? it / 12.92 : ((it + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const ground = (element) => {
        for (let it = element; it; it = it.parentElement) {
            const colour = rgb(getComputedStyle(it).backgroundColor);
            if (colour.alpha === 1) return colour.rgb;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.body.querySelectorAll("*")) {
        const own = Array.from(element.childNodes).some((it) => it.nodeType === 3 && it.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const [a, b] = [light(rgb(getComputedStyle(element).color).rgb), light(ground(element))];
        const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.textContent.trim()}`);
    }
    return faint;
"#;

async fn look(browser: &Browser, state: &str) -> Result<()> {
    let views = [
        ("light", 900, false),
        ("dark", 900, true),
        ("phone", 320, false),
        ("phone-dark", 320, true),
    ];
    for (view, width, dark) in views {
        browser.viewport(width, 900).await?;
        browser.prefer_dark(dark).await?;
        // Colours change over 150 ms.
        browser.evaluate::<()>("return Promise.all(document.getAnimations().map((it) => it.finished)).then(() => {});").await?;
        let picture =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{state}-{view}.png"));
        browser.screenshot(&picture).await?;
        let faint: Vec<String> = browser.evaluate(FAINT_TEXTS).await?;
        assert_eq!(faint, [""; 0], "{state}, {view}");
        let wide: u32 = browser
            .evaluate("return document.documentElement.scrollWidth;")
            .await?;
        assert!(wide <= width, "{state}, {view}: {wide} pixels wide");
    }
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
        "heading: Write the research file",
        "button: Copy the command of step 2",
        "heading: Download it",
        "link: research.md",
    ];
    assert_eq!(browser.heard(&ROLES).await?, uploaded);
    browser.close().await
}
