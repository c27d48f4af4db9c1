//! The page in a browser that runs no scripts.

use anyhow::Result;
use http::StatusCode;

use crate::stand_in::{Answer, ID};
use crate::{GUIDELINE, file, open};

#[tokio::test]
async fn a_plain_form_is_refused_and_then_accepted() -> Result<()> {
    let (server, browser) = open().await?;
    browser.allow_scripts(false).await?;
    browser.go_to(&server.url).await?;
    assert_eq!(browser.visible_text(".scripted").await?, None);

    server.will_answer(Answer::Problem(StatusCode::BAD_REQUEST, "It is empty."));
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    browser.wait_for_text("#failure", "It is empty.").await?;
    assert_eq!(browser.title().await?, "Not uploaded · Nova");
    assert_eq!(
        browser
            .evaluate::<String>("return document.querySelector('#text').value;")
            .await?,
        "# Kept"
    );

    server.will_answer(Answer::Created);
    browser
        .set_file("#file", &file("stars.md", GUIDELINE))
        .await?;
    browser.click("#send").await?;
    assert_eq!(browser.wait_for("#article-id").await?, ID);
    assert_eq!(
        browser.visible_text(".copy").await?,
        None,
        "copying needs a script"
    );

    let posts = server.posts();
    assert_eq!(posts.len(), 2);
    for post in posts {
        assert!(
            post.header("origin").starts_with("http://127.0.0.1:"),
            "{:?}",
            post.headers
        );
        let fields =
            ["csrf_token", "file", "text"].map(|name| post.body.find(&format!("name=\"{name}\"")));
        assert!(fields.is_sorted() && fields[0].is_some(), "{fields:?}");
    }
    // A page with a status of 400 is reported, and nothing else may be.
    let errors = browser.console_errors().await?;
    assert!(
        errors.iter().all(|it| it.contains("status of 400")),
        "{errors:?}"
    );
    browser.close().await
}
