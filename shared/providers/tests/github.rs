//! Code of GitHub: what is fetched, what is not, and where the token goes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::Duration;

use nova_providers::code::{CodeError, CodeHost, Known, Mirrors, Outcome};
use nova_runtime::{
    config::{Endpoint, FetchConfig, Secret},
    fetch::Fetcher,
    http_client::HttpClient,
    jobs::Failure,
};
use nova_testkit::providers::{
    Answer, Effect, Fault,
    github::{self, Repository, TOKEN},
};

const URL: &str = "https://github.com/acme/widgets";

fn widgets() -> Repository {
    Repository::new([
        ("README.md", "# Widgets\n"),
        (
            "src/lib.rs",
            "//! Widgets.\npub fn one() {}\npub fn two() {}\n",
        ),
        ("a folder/notes.txt", "Spaces.\n"),
    ])
}

async fn stand_in() -> github::Github {
    github::Github::start().await.unwrap()
}

fn client(at: &github::Github, token: Option<&str>) -> CodeHost {
    let endpoint = Endpoint {
        key: token.map(|it| Secret::new(it.to_owned())),
        base_url: at.url().parse().unwrap(),
    };
    let fetch = FetchConfig::default();
    CodeHost::github(&HttpClient::new(), &endpoint, &fetch, &Fetcher::new(&fetch)).with_private()
}

/// As without a token and without a base of one's own.
fn anonymous(at: &github::Github) -> CodeHost {
    let place: url::Url = at.archives().url().parse().unwrap();
    client(at, None).with_mirrors(Mirrors {
        archives: place.clone(),
        files: place,
    })
}

async fn read(github: &CodeHost, url: &str) -> (String, Known) {
    match github.read(url, &Known::default()).await.unwrap() {
        Outcome::Read(code) => (code.digest.markdown, code.known),
        Outcome::Unchanged => panic!("there was nothing before"),
    }
}

async fn failure(github: &CodeHost, url: &str) -> CodeError {
    github.read(url, &Known::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_repository_in_which_nothing_has_changed_is_not_fetched_again() {
    let at = stand_in().await;
    at.put("acme/widgets", widgets().described("All of them", "MIT"));
    let github = client(&at, Some(TOKEN));
    let (markdown, known) = read(&github, URL).await;
    for piece in [
        "# Widgets\n",
        "- Description: All of them\n",
        "- Licence: MIT\n",
        &widgets().commit(),
    ] {
        assert!(markdown.contains(piece), "{piece} in {markdown}");
    }
    assert_eq!(known.revision, Some(widgets().commit()));

    let (asked, archives) = (at.received().len(), at.archives().received().len());
    assert_eq!((asked, archives), (3, 1));
    let again = github.read(URL, &known).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged));
    assert_eq!(
        (at.received().len(), at.archives().received().len()),
        (asked + 1, archives)
    );

    at.put(
        "acme/widgets",
        Repository::new([("README.md", "# Other\n")]),
    );
    let Outcome::Read(code) = github.read(URL, &known).await.unwrap() else {
        panic!("it has changed")
    };
    assert!(code.digest.markdown.contains("# Other"));
}

#[tokio::test]
async fn a_private_repository_is_read_with_a_token_that_stays_with_the_interface() {
    let at = stand_in().await;
    at.put("acme/widgets", widgets().private());
    let (markdown, _) = read(&client(&at, Some(TOKEN)), URL).await;
    assert!(markdown.contains("pub fn one"));
    assert!(at.received().iter().all(|it| it.bearer() == Some(TOKEN)));
    let elsewhere = at.archives().received();
    assert_eq!(elsewhere.len(), 1);
    for received in elsewhere {
        assert!(received.header("authorization").is_none(), "{received:?}");
        assert!(!format!("{received:?}").contains(TOKEN));
    }

    let error = failure(&client(&at, None), URL).await.to_string();
    assert_eq!(
        error,
        "GitHub has no acme/widgets, or it is private: GITHUB_TOKEN is not set"
    );
    let error = failure(&client(&at, Some("old")), URL).await;
    assert!(
        matches!(Failure::from(error), Failure::Settings(_)),
        "the token is wrong for all"
    );
}

#[tokio::test]
async fn branches_with_slashes_folders_and_files_are_found() {
    let at = stand_in().await;
    at.put(
        "acme/widgets",
        widgets().branch("feature").branch("feature/x").tag("v1.0"),
    );
    let github = client(&at, Some(TOKEN));
    for (url, has, has_not) in [
        ("tree/feature/x/src", "(feature/x)", "Spaces."),
        ("tree/v1.0", "(v1.0)", "nothing of the kind"),
        (
            "blob/feature/x/src/lib.rs",
            "- Path: src/lib.rs",
            "# Widgets",
        ),
        (
            "blob/main/src/lib.rs#L2-L3",
            "(lines 2–3 of 3)\n\n```rust\npub fn one",
            "# Widgets",
        ),
        ("blob/main/a%20folder/notes.txt", "Spaces.", "# Widgets"),
    ] {
        let (markdown, _) = read(&github, &format!("{URL}/{url}")).await;
        assert!(markdown.contains(has), "{url}: {has} in {markdown}");
        assert!(
            !markdown.contains(has_not),
            "{url}: {has_not} in {markdown}"
        );
    }
    for (url, reason) in [
        ("tree/main/nowhere", "there is no nowhere in the repository"),
        (
            "blob/main/nowhere.rs",
            "there is no file nowhere.rs in the repository",
        ),
        (
            "tree/nobranch",
            "GitHub has no acme/widgets at nobranch, or the token of this deployment may not read it",
        ),
    ] {
        let error = failure(&github, &format!("{URL}/{url}")).await;
        assert_eq!(error.to_string(), reason);
        assert!(matches!(Failure::from(error), Failure::Never(_)));
    }
}

#[tokio::test]
async fn without_a_token_archives_and_files_come_from_where_everybody_gets_them() {
    let at = stand_in().await;
    at.put("acme/widgets", widgets().branch("feature/x"));
    let github = anonymous(&at);
    let (markdown, known) = read(&github, URL).await;
    assert!(markdown.contains("# Widgets") && markdown.contains(&widgets().commit()));
    assert!(
        at.received().is_empty(),
        "nothing of the sixty an hour is spent"
    );
    assert!(matches!(
        github.read(URL, &known).await.unwrap(),
        Outcome::Unchanged
    ));

    let (file, known) = read(&github, &format!("{URL}/blob/feature/x/src/lib.rs")).await;
    assert!(file.contains("pub fn one") && !file.contains("# Widgets"));
    let again = github
        .read(&format!("{URL}/blob/feature/x/src/lib.rs"), &known)
        .await
        .unwrap();
    assert!(matches!(again, Outcome::Unchanged));

    at.inject(Fault::new(Effect::Answer(github::rate_limited(3000))));
    let (folder, _) = read(&github, &format!("{URL}/tree/main/src")).await;
    assert!(
        folder.contains("pub fn one"),
        "a branch without slashes is found all the same"
    );
    let error = failure(&github, "https://github.com/acme/other")
        .await
        .to_string();
    assert!(
        error.contains("or it is private: GITHUB_TOKEN is not set"),
        "{error}"
    );
}

#[tokio::test]
async fn a_gist_is_read_and_read_again_when_it_has_changed() {
    let at = stand_in().await;
    let (id, url) = (
        "0123456789abcdef0123",
        "https://gist.github.com/acme/0123456789abcdef0123",
    );
    at.put_gist(
        id,
        "A list",
        &[("list.py", "print([])\n"), ("more.md", "# More\n")],
    );
    let github = client(&at, None);
    let (markdown, known) = read(&github, url).await;
    assert!(
        markdown.contains("print([])")
            && markdown.contains("# More")
            && markdown.contains("A list")
    );
    assert!(matches!(
        github.read(url, &known).await.unwrap(),
        Outcome::Unchanged
    ));
    at.put_gist(id, "A list", &[("list.py", "print([1])\n")]);
    assert!(matches!(
        github.read(url, &known).await.unwrap(),
        Outcome::Read(_)
    ));
    let missing = failure(&github, "https://gist.github.com/acme/ffffffffffffffffffff").await;
    assert!(missing.to_string().contains("gist ffffffffffffffffffff"));
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_again() {
    let at = stand_in().await;
    at.put("acme/widgets", widgets());
    let github = client(&at, None);
    at.inject(Fault::new(Effect::Answer(github::rate_limited(600))));
    let Failure::Again { reason, after } = failure(&github, URL).await.into() else {
        panic!("it passes")
    };
    assert!(
        reason.contains("rate limit is reached, again in 10 minutes; with GITHUB_TOKEN"),
        "{reason}"
    );
    let after = after.unwrap();
    assert!(
        after > Duration::from_secs(590) && after <= Duration::from_mins(10),
        "{after:?}"
    );

    at.inject(Fault::new(Effect::RetryAfter(403, 7)));
    let again = Failure::from(failure(&github, URL).await);
    assert!(
        matches!(again, Failure::Again { after: Some(it), .. } if it == Duration::from_secs(7))
    );
    at.inject(Fault::new(Effect::Status(403)));
    assert!(matches!(
        failure(&github, URL).await.into(),
        Failure::Never(_)
    ));
}

#[tokio::test]
async fn what_breaks_on_the_way_is_tried_again_and_what_is_no_archive_is_not() {
    let at = stand_in().await;
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    })
    .take(300_000)
    .collect();
    at.put("acme/widgets", Repository::new([("noise.txt", noise)]));
    let github = client(&at, Some(TOKEN));
    at.inject(Fault::new(Effect::Status(503)));
    assert!(matches!(
        failure(&github, URL).await.into(),
        Failure::Again { .. }
    ));
    at.inject(Fault::new(Effect::CutBefore));
    assert!(matches!(
        failure(&github, URL).await.into(),
        Failure::Again { .. }
    ));
    at.archives().inject(Fault::new(Effect::CutAfter(100_000)));
    let error = failure(&github, URL).await;
    assert!(matches!(error, CodeError::Fetch(_)), "{error:?}");
    assert!(matches!(error.into(), Failure::Again { .. }));
    at.archives().inject(Fault::new(Effect::Garbage));
    let error = failure(&github, URL).await;
    assert!(matches!(error, CodeError::Ingest(_)), "{error:?}");
    assert!(matches!(error.into(), Failure::Never(_)));
    assert!(at.faults_are_used_up() && at.archives().faults_are_used_up());
    read(&github, URL).await;
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_followed_and_nobody_else_is() {
    let at = stand_in().await;
    at.put("acme/widgets", widgets());
    let github = client(&at, Some(TOKEN));
    let moved = |to: String| {
        let answer = Answer::new(301, "", "").header("location", &to);
        at.inject(Fault::new(Effect::Answer(answer)).on("/commits/"));
    };
    moved("/repos/acme/widgets/commits/HEAD".to_owned());
    read(&github, URL).await;
    assert_eq!(at.archives().received().len(), 1);
    moved(format!(
        "{}/repos/acme/widgets/commits/HEAD",
        at.archives().url()
    ));
    let error = failure(&github, URL).await.to_string();
    assert!(
        error.contains("a redirect that leads away from it"),
        "{error}"
    );
    assert_eq!(at.archives().received().len(), 1);
}
