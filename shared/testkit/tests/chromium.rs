//! Drives a real Chromium against a page that reports what happened to it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nova_testkit::chromium::{Browser, Key};
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html><html lang="en"><title>A page</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>
    #phone, #dark { display: none } @media (max-width: 400px) { #phone { display: block } }
    @media (prefers-color-scheme: dark) { #dark { display: block } }
    #zone { height: 100px } #tall { height: 3000px }
</style>
<form><input id="name"><input type="file" id="file"><button id="go" type="button">Go</button></form>
<p id="zone">Drop</p><p id="said"></p><p id="later" hidden>now</p>
<p id="phone">phone</p><p id="dark">dark</p><noscript><p id="plain">plain</p></noscript>
<script>
    const the = (id) => document.getElementById(id);
    the("go").onclick = () => {
        the("said").textContent = `hello ${the("name").value}`;
        setTimeout(() => { the("later").hidden = false; }, 100);
    };
    the("file").onchange = async () => { the("said").textContent = await the("file").files[0].text(); };
    the("zone").ondragover = (event) => event.preventDefault();
    the("zone").ondrop = async (event) => {
        event.preventDefault();
        the("said").textContent = await event.dataTransfer.files[0].text();
    };
</script><p id="tall"></p>"#;

/// Serves the page on a free port and answers its address.
async fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|request: Request<Incoming>| async move {
                let mut response = Response::new(Full::new(Bytes::from_static(PAGE.as_bytes())));
                response.headers_mut().insert(
                    header::CONTENT_TYPE,
                    "text/html; charset=utf-8".parse().unwrap(),
                );
                if request.uri().path() == "/strict" {
                    let policy = "script-src 'none'; style-src 'unsafe-inline'";
                    response
                        .headers_mut()
                        .insert(header::CONTENT_SECURITY_POLICY, policy.parse().unwrap());
                }
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer),
            );
        }
    });
    Ok(address)
}

async fn browser_on_the_page() -> Result<Browser> {
    let browser = Browser::start().await?;
    browser.go_to(&serve().await?).await?;
    Ok(browser)
}

fn file_with(text: &str) -> Result<PathBuf> {
    let file = std::env::temp_dir().join(format!("nova-{}.txt", uuid::Uuid::now_v7()));
    std::fs::write(&file, text)?;
    Ok(file)
}

#[tokio::test]
async fn a_visitor_types_clicks_and_waits() -> Result<()> {
    let browser = browser_on_the_page().await?;
    assert_eq!(browser.title().await?, "A page");
    assert_eq!(browser.visible_text("#later").await?, None);
    browser.type_into("#name", "Zoë").await?;
    browser.click("#go").await?;
    assert_eq!(browser.wait_for("#later").await?, "now");
    assert_eq!(browser.wait_for("#said").await?, "hello Zoë");
    assert_eq!(
        browser.attribute("#file", "type").await?.as_deref(),
        Some("file")
    );
    assert_eq!(browser.attribute("#file", "name").await?, None);
    browser.close().await
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() -> Result<()> {
    let browser = browser_on_the_page().await?;
    for (key, reached) in [
        (Key::Tab, "name"),
        (Key::Tab, "file"),
        (Key::Tab, "go"),
        (Key::Enter, "go"),
    ] {
        browser.press(key).await?;
        assert_eq!(
            browser
                .evaluate::<String>("return document.activeElement.id;")
                .await?,
            reached
        );
    }
    assert_eq!(browser.wait_for_text("#said", "hello").await?, "hello");
    browser.close().await
}

#[tokio::test]
async fn files_are_chosen_and_dropped() -> Result<()> {
    let browser = browser_on_the_page().await?;
    let (chosen, dropped) = (file_with("chosen")?, file_with("dropped")?);
    browser.set_file("#file", &chosen).await?;
    browser.wait_for_text("#said", "chosen").await?;
    browser.drop_files("#zone", &[&dropped]).await?;
    browser.wait_for_text("#said", "dropped").await?;
    std::fs::remove_file(chosen)?;
    std::fs::remove_file(dropped)?;
    browser.close().await
}

#[tokio::test]
async fn a_phone_in_the_dark_and_a_visitor_without_scripts_see_their_page() -> Result<()> {
    let browser = browser_on_the_page().await?;
    for hidden in ["#phone", "#dark", "#plain"] {
        assert_eq!(browser.visible_text(hidden).await?, None, "{hidden}");
    }
    browser.viewport(320, 640).await?;
    browser.wait_for("#phone").await?;
    browser.prefer_dark(true).await?;
    browser.wait_for("#dark").await?;
    browser.prefer_dark(false).await?;
    assert_eq!(browser.visible_text("#dark").await?, None);
    browser.allow_scripts(false).await?;
    browser.go_to(&browser.address().await?).await?;
    browser.wait_for("#plain").await?;
    browser.close().await
}

#[tokio::test]
async fn what_goes_wrong_in_the_page_is_told_once() -> Result<()> {
    let browser = browser_on_the_page().await?;
    assert_eq!(browser.console_errors().await?, [""; 0]);
    browser
        .evaluate::<()>("setTimeout(() => { throw Error('planted'); });")
        .await?;
    browser
        .evaluate::<()>("return new Promise((done) => setTimeout(done, 50));")
        .await?;
    let errors = browser.console_errors().await?;
    assert!(
        matches!(&errors[..], [one] if one.contains("planted")),
        "{errors:?}"
    );
    assert_eq!(browser.console_errors().await?, [""; 0]);

    browser
        .go_to(&format!("{}strict", browser.address().await?))
        .await?;
    let errors = browser.console_errors().await?;
    assert!(
        errors
            .iter()
            .any(|it| it.contains("Content Security Policy")),
        "{errors:?}"
    );
    browser.close().await
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error_that_names_it() -> Result<()> {
    let browser = browser_on_the_page().await?;
    let error = format!("{:#}", browser.click("#nowhere").await.unwrap_err());
    assert!(
        error.contains("#nowhere") && error.contains("no such element"),
        "{error}"
    );
    browser
        .evaluate::<()>("document.querySelector('#zone').style.cssText = 'position:fixed;inset:0';")
        .await?;
    let error = format!("{:#}", browser.click("#go").await.unwrap_err());
    assert!(
        error.contains("click on #go") && error.contains("intercepted"),
        "{error}"
    );
    browser.close().await
}

#[tokio::test]
async fn a_photograph_shows_the_whole_page() -> Result<()> {
    let browser = browser_on_the_page().await?;
    browser.viewport(800, 600).await?;
    let file = std::env::temp_dir().join(format!("nova-{}.png", uuid::Uuid::now_v7()));
    browser.screenshot(&file).await?;
    let picture = std::fs::read(&file)?;
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(number(16), 800);
    assert!(number(20) > 3000, "{} pixels high", number(20));
    std::fs::remove_file(file)?;
    browser.close().await
}

/// The processes, of the whole machine, that carry this text in their command.
fn processes_with(text: &str) -> Vec<String> {
    let output = Command::new("ps")
        .args(["-axww", "-o", "pid=,command="])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    output
        .lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}

/// The profile of this browser, by which its processes are known.
async fn profile_of(browser: &Browser) -> Result<PathBuf> {
    browser.go_to("chrome://version").await?;
    let shown = browser.wait_for("#profile_path").await?;
    Ok(Path::new(&shown)
        .ancestors()
        .nth(2)
        .context("no profile")?
        .to_owned())
}

async fn assert_gone(profile: &Path) {
    let name = profile.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("nova-chromium-"), "{name}");
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let left = processes_with(&name);
        if left.is_empty() && !profile.exists() {
            return;
        }
        assert!(
            Instant::now() < end,
            "{} exists: {}; {left:#?}",
            profile.display(),
            profile.exists()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_browser_that_was_dropped() -> Result<()> {
    let browser = Browser::start().await?;
    let profile = profile_of(&browser).await?;
    let name = profile.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        !processes_with(&name).is_empty(),
        "the browser is not known by {name}"
    );
    drop(browser);
    assert_gone(&profile).await;
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_when_the_test_itself_is_killed() -> Result<()> {
    const CHILD: &str = "NOVA_TEST_PRINTS_PROFILE";
    if std::env::var_os(CHILD).is_some() {
        let browser = Browser::start().await?;
        println!("\nprofile={}", profile_of(&browser).await?.display());
        return std::future::pending().await;
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args([
            "--exact",
            "nothing_is_left_when_the_test_itself_is_killed",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = std::io::BufReader::new(child.stdout.take().context("no output")?);
    let profile = std::io::BufRead::lines(output)
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("profile=").map(PathBuf::from));
    let profile = profile.context("the child printed no profile")?;
    assert!(profile.exists());
    child.kill()?;
    child.wait()?;
    assert_gone(&profile).await;
    Ok(())
}
