//! The page for local files in a real browser. Photographs of it are left in `target/tmp/files-*.png`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nova_testkit::chromium::{Browser, Key};
use nova_testkit::objects::{Action, Effect, Fault};
use uuid::Uuid;

use crate::system::System;

const GUIDELINE: &str = "# Agents with memory

Explain `code/memory.py`, then \"notes.ipynb\", and see notes.md.
";

/// A system with an article of alice's, and a browser in which she has signed in and sees its page.
struct Visit {
    system: System,
    browser: Browser,
    article: Uuid,
    page: String,
}

impl Visit {
    async fn begin(guideline: &str) -> Result<Self> {
        let system = System::start().await;
        let article = system.upload("alice", guideline.to_owned()).await;
        let browser = Browser::start().await?;
        // Cookies are given on the site; this address needs no session.
        browser
            .go_to(&format!("{}/nothing", system.local.url))
            .await?;
        browser
            .set_cookie("nova-session", &system.token("alice"))
            .await?;
        let page = format!(
            "{}/upload_local_files?article_guideline_id={article}",
            system.local.url
        );
        browser.go_to(&page).await?;
        browser.console_errors().await?;
        Ok(Self {
            system,
            browser,
            article,
            page,
        })
    }

    /// What the server has: the names with the sizes.
    async fn kept(&self) -> Vec<(String, u64)> {
        let path = format!(
            "/upload_local_files/status?article_guideline_id={}",
            self.article
        );
        let status = self.system.get("alice", &path).await.json();
        let files = status["uploaded"].as_array().unwrap().iter();
        let row = |file: &serde_json::Value| {
            let name = file["filename"].as_str().unwrap().to_owned();
            (name, file["size"].as_u64().unwrap())
        };
        files.map(row).collect()
    }

    async fn names(&self) -> Vec<String> {
        self.kept()
            .await
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    async fn end(self) -> Result<()> {
        assert_eq!(
            self.browser.console_errors().await?,
            [""; 0],
            "the policy holds"
        );
        self.browser.close().await
    }
}

/// A file of this name in a directory of the test that asks.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let test = std::thread::current().name().unwrap().replace("::", "-");
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join(name);
    std::fs::write(&file, content).unwrap();
    file
}

async fn focused(browser: &Browser) -> Result<String> {
    browser
        .evaluate("const it = document.activeElement; return it.getAttribute('aria-label') || it.id || it.textContent;")
        .await
}

/// Presses Tab until something of this name has the focus.
async fn tab_to(browser: &Browser, wanted: &str) -> Result<()> {
    let mut passed = Vec::new();
    for _ in 0..20 {
        browser.press(Key::Tab).await?;
        passed.push(focused(browser).await?);
        if passed.last().is_some_and(|it| it == wanted) {
            return Ok(());
        }
    }
    anyhow::bail!("{wanted} is not among {passed:?}")
}

#[tokio::test]
async fn two_files_come_at_once_then_one_is_replaced_and_one_refused_with_its_reason() -> Result<()>
{
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    browser
        .wait_for_text("#files", "0 of 3 files that the guideline names are here.")
        .await?;
    let (code, notes) = (
        file("memory.py", "keep = []\n"),
        file("notes.md", "# Notes\n"),
    );
    browser.set_files("#file", &[&code, &notes]).await?;
    let list = browser
        .wait_for_text("#files", "2 of 3 files that the guideline names are here.")
        .await?;
    assert!(list.contains("for code/memory.py"), "{list}");
    browser
        .wait_for_text("#status", "2 files were uploaded.")
        .await?;
    assert_eq!(visit.names().await, ["memory.py", "notes.md"]);

    let photo = file("photo.png", b"\x89PNG");
    let notes = file("notes.md", "# Notes\n\nMore of them.\n");
    browser.set_files("#file", &[&notes, &photo]).await?;
    let refused = browser.wait_for(".failed").await?;
    assert!(refused.starts_with("photo.png"), "{refused}");
    assert!(
        refused.contains("This type of file is not taken"),
        "{refused}"
    );
    let said = browser
        .wait_for_text("#status", "notes.md was uploaded.")
        .await?;
    assert!(
        said.contains("Not uploaded: photo.png: This type"),
        "{said}"
    );
    assert_eq!(
        visit.kept().await,
        [("memory.py".to_owned(), 24), ("notes.md".to_owned(), 23)]
    );
    browser.click(".failed .stop").await?;
    assert_eq!(browser.visible_text("#queue").await?, None);
    visit.end().await
}

#[tokio::test]
async fn what_only_the_server_can_know_is_said_of_each_file() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    let (bytes, broken) = (file("bytes.py", b"# a\0b"), file("a.ipynb", "{\"cells\": "));
    let latin = file("latin.md", b"# caf\xe9\n");
    browser
        .drop_files(".lead", &[&bytes, &latin, &broken])
        .await?;
    browser
        .wait_for_text("#status", "latin.md was uploaded.")
        .await?;
    let guessed = browser.wait_for("#done").await?;
    assert!(
        guessed.contains("latin.md was read as windows-1252: if its letters look wrong"),
        "{guessed}"
    );
    let refused = browser.wait_for("#queue").await?;
    assert!(
        refused.contains("bytes.py\nIt holds a NUL character in line 1"),
        "{refused}"
    );
    assert!(
        refused.contains("a.ipynb\nThis is not a notebook"),
        "{refused}"
    );
    assert_eq!(
        browser.visible_text(".again").await?,
        None,
        "the same again is no help"
    );
    assert_eq!(visit.names().await, ["latin.md"]);
    let errors = browser.console_errors().await?;
    assert!(
        errors.iter().all(|it| it.contains("status of 400")),
        "{errors:?}"
    );
    visit.end().await
}

#[tokio::test]
async fn a_name_is_text_wherever_it_stands() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    let name = "<img src=x onerror='document.title=1'>&amp;\".md";
    browser.set_file("#file", &file(name, "# Evil\n")).await?;
    let list = browser.wait_for_text("#files", "<img src=x").await?;
    assert!(list.contains(name), "{list}");
    assert_eq!(visit.names().await, [name]);
    browser.click(".rows [data-delete]").await?;
    let question = browser.wait_for("#sure").await?;
    assert!(question.contains(&format!("Delete {name}?")), "{question}");
    browser.click("#sure .danger").await?;
    browser.wait_for_text("#status", "was deleted.").await?;
    assert_eq!(visit.names().await, [""; 0]);
    assert_eq!(browser.title().await?, "Upload local files · Nova");
    visit.end().await
}

#[tokio::test]
async fn a_row_takes_a_file_of_another_name_for_its_own() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    // The chooser is the system's and not the page's.
    browser
        .evaluate::<()>("HTMLInputElement.prototype.showPicker = () => {};")
        .await?;
    browser.click("[data-as='code/memory.py']").await?;
    browser
        .set_file("#file", &file("memory-2.py", "keep = {}\n"))
        .await?;
    browser.wait_for_text("#files", "1 of 3").await?;
    assert_eq!(visit.names().await, ["code/memory.py"]);
    browser.click("[data-as='code/memory.py']").await?;
    browser
        .set_file("#file", &file("wrong.md", "# Wrong\n"))
        .await?;
    browser
        .wait_for_text(".failed", "This is wrong.md, another type of file.")
        .await?;
    // A chooser that was opened for a row says nothing about the next file.
    browser.click("[data-as='code/memory.py']").await?;
    browser.click("h1").await?;
    browser
        .set_file("#file", &file("free.md", "# Free\n"))
        .await?;
    browser.wait_for_text("#files", "free.md").await?;
    assert_eq!(visit.names().await, ["code/memory.py", "free.md"]);
    visit.end().await
}

#[tokio::test]
async fn the_keyboard_alone_does_everything() -> Result<()> {
    let visit = Visit::begin("# One\n\nSee `a.md`.\n").await?;
    let browser = &visit.browser;
    browser.set_file("#file", &file("a.md", "# A\n")).await?;
    browser.wait_for_text("#files", "is here").await?;
    browser.go_to(&visit.page).await?;
    let mut order = Vec::new();
    for _ in 0..5 {
        browser.press(Key::Tab).await?;
        order.push(focused(browser).await?);
    }
    assert_eq!(
        order,
        [
            "Skip to the content",
            "Sign out",
            "file",
            "Replace a.md",
            "Delete a.md"
        ]
    );
    browser.press(Key::Enter).await?;
    browser.wait_for("#sure").await?;
    assert_eq!(
        focused(browser).await?,
        "Keep it",
        "the way back comes first"
    );
    browser.press(Key::Enter).await?;
    assert_eq!(
        focused(browser).await?,
        "Delete a.md",
        "back where it began"
    );
    assert_eq!(visit.names().await, ["a.md"]);
    browser.press(Key::Enter).await?;
    browser.wait_for("#sure").await?;
    tab_to(browser, "Delete").await?;
    browser.press(Key::Enter).await?;
    browser.wait_for_text("#files", "is missing").await?;
    browser
        .wait_for_text("#status", "a.md was deleted.")
        .await?;
    assert_eq!(focused(browser).await?, "files-title");
    assert_eq!(visit.names().await, [""; 0]);
    visit.end().await
}

#[tokio::test]
async fn a_slow_upload_shows_how_far_it_is_and_can_be_cancelled() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    browser.slow_uploads(200_000).await?;
    let large = "x".repeat(1_000_000);
    browser.set_file("#file", &file("large.md", large)).await?;
    let half_way = "return new Promise((done) => { const timer = setInterval(() => {
        const bar = document.querySelector('#queue progress');
        if (bar && bar.value > 0 && bar.value < 100) { clearInterval(timer); done(bar.getAttribute('aria-label')); } }, 5); });";
    assert_eq!(browser.evaluate::<String>(half_way).await?, "large.md");
    browser.click("#queue .stop").await?;
    assert_eq!(browser.visible_text("#queue").await?, None);
    assert_eq!(visit.names().await, [""; 0]);
    visit.end().await
}

#[tokio::test]
async fn what_failed_for_a_moment_is_tried_again() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    let fails = Fault::new(Effect::Status(403)).times(1);
    visit
        .system
        .local
        .objects
        .inject(fails.on(Action::UploadMultipart));
    browser.set_file("#file", &file("a.md", "# A\n")).await?;
    let failed = browser
        .wait_for_text(".failed", "went wrong on our side")
        .await?;
    assert!(failed.contains("Request "), "{failed}");
    browser.click(".failed .again").await?;
    browser.wait_for_text("#files", "a.md").await?;
    assert_eq!(browser.visible_text("#queue").await?, None);
    assert_eq!(visit.names().await, ["a.md"]);
    let errors = browser.console_errors().await?;
    assert!(
        errors.iter().all(|it| it.contains("status of 500")),
        "{errors:?}"
    );
    visit.end().await
}

#[tokio::test]
async fn without_scripts_files_are_sent_refused_and_deleted_by_forms() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    browser.allow_scripts(false).await?;
    browser.go_to(&visit.page).await?;
    assert_eq!(browser.visible_text(".scripted").await?, None);
    let notes = file("notes.md", "# Notes\n");
    let photo = file("photo.png", b"\x89PNG");
    browser.set_files("#file", &[&notes, &photo]).await?;
    browser.click("#send").await?;
    browser
        .wait_for_text("#done", "notes.md was uploaded.")
        .await?;
    browser
        .wait_for_text("#failure", "photo.png: this type of file is not taken")
        .await?;
    browser.wait_for_text("#files", "1 of 3").await?;
    assert_eq!(browser.title().await?, "Not all files were uploaded · Nova");

    // Another name than on the page before, so that it is known which of the two is looked at.
    let film = file("film.mp4", b"\0\0\0\x18ftyp");
    browser.set_file("#file", &film).await?;
    browser.click("#send").await?;
    browser.wait_for_text("#failure", "film.mp4").await?;
    assert_eq!(browser.visible_text("#done").await?, None);
    browser.click("#send").await?;
    browser
        .wait_for_text("#failure", "choose at least one file")
        .await?;

    browser.click("[data-delete='notes.md']").await?;
    browser.wait_for_text("#ask", "Delete notes.md?").await?;
    assert_eq!(
        visit.names().await,
        ["notes.md"],
        "a question changes nothing"
    );
    browser.click("#ask .quiet").await?;
    browser.wait_for_text("#files", "1 of 3").await?;
    browser.click("[data-delete='notes.md']").await?;
    browser.wait_for("#ask").await?;
    browser.click("#ask .danger").await?;
    browser.wait_for_text("#files", "0 of 3").await?;
    assert_eq!(
        browser.address().await?,
        visit.page,
        "reloading asks nothing again"
    );
    assert_eq!(visit.names().await, [""; 0]);
    // Pages with a status of 400 are reported, and nothing else may be.
    let errors = browser.console_errors().await?;
    assert!(
        errors.iter().all(|it| it.contains("status of 4")),
        "{errors:?}"
    );
    visit.end().await
}

async fn look(browser: &Browser, state: &str) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let findings = browser.look(folder, &format!("files-{state}")).await?;
    assert_eq!(findings, [""; 0], "{state}");
    Ok(())
}

#[tokio::test]
async fn every_state_is_legible_in_light_in_dark_and_on_a_phone() -> Result<()> {
    let visit = Visit::begin(GUIDELINE).await?;
    let browser = &visit.browser;
    look(browser, "1-nothing").await?;
    let long = "the-long-name-of-a-file-that-goes-on-and-on-and-never-comes-to-an-end.md";
    let files = [
        file("memory.py", "keep = []\n"),
        file(long, "# Long\n"),
        file("notes.md", "# Notes\n"),
        file("photo.png", b"\x89PNG"),
        file("latin.py", b"# caf\xe9"),
    ];
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    browser.set_files("#file", &files).await?;
    browser.wait_for_text("#files", "2 of 3").await?;
    look(browser, "2-some-refused").await?;
    browser.slow_uploads(40_000).await?;
    browser
        .set_file("#file", &file("slow.md", "x".repeat(1_000_000)))
        .await?;
    browser.wait_for("#queue progress").await?;
    look(browser, "3-sending").await?;
    browser.click("#queue .stop").await?;
    browser.click("[data-delete='notes.md']").await?;
    browser.wait_for("#sure").await?;
    look(browser, "4-sure").await?;
    browser.press(Key::Enter).await?;
    browser.allow_scripts(false).await?;
    browser
        .go_to(&format!("{}&delete=notes.md", visit.page))
        .await?;
    look(browser, "5-without-script").await?;
    visit.browser.close().await
}

#[tokio::test]
async fn whoever_cannot_see_the_page_hears_all_of_it() -> Result<()> {
    let visit = Visit::begin("# One\n\nSee `a.md` and `b.md`.\n").await?;
    let browser = &visit.browser;
    browser.set_file("#file", &file("a.md", "# A\n")).await?;
    browser.wait_for_text("#files", "1 of 2").await?;
    let roles = [
        "banner", "main", "region", "heading", "link", "button", "list", "listitem", "status",
    ];
    let mut heard = browser.heard(&roles).await?;
    heard.sort();
    let mut expected = [
        "link: Skip to the content",
        "banner: ",
        "main: ",
        "button: Sign out",
        "heading: Upload local files",
        "button: Choose files or drop them here",
        "region: Files",
        "heading: Files",
        "list: ",
        "listitem: ",
        "listitem: ",
        "button: Replace a.md",
        "link: Delete a.md",
        "button: Upload b.md",
        "status: ",
    ];
    expected.sort_unstable();
    assert_eq!(heard, expected);
    visit.end().await
}
