//! Code of hosts that the settings name: what is fetched, and where each token goes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use nova_providers::code::{CodeError, CodeHost, Known, Outcome};
use nova_runtime::{
    config::{self, Endpoint, FetchConfig, Secret},
    fetch::Fetcher,
    http_client::HttpClient,
    jobs::Failure,
};
use nova_testkit::providers::{
    Answer, Effect, Fault, StandIn,
    bitbucket::{self, Bitbucket},
    bitbucket_data_center::{self, BitbucketDataCenter},
    github::{self, Github},
    gitlab::{self, Gitlab, Repository},
};
use nova_web::CodeSite;
use serde_json::json;

fn widgets() -> Repository {
    Repository::new([
        ("README.md", "# Widgets\n"),
        (
            "src/lib.rs",
            "//! Widgets.\npub fn one() {}\npub fn two() {}\n",
        ),
        ("a folder/notes.txt", "Spaces.\n"),
    ])
    .branch("feature")
    .branch("feature/x")
    .tag("v1.0")
}

/// One whose token may read all that it shows.
fn client(site: CodeSite, at: &StandIn, token: Option<&str>) -> CodeHost {
    careful(site, at, token).with_private()
}

fn careful(site: CodeSite, at: &StandIn, token: Option<&str>) -> CodeHost {
    let host = config::CodeHost {
        name: "code.acme.example".to_owned(),
        site,
        endpoint: Endpoint {
            key: token.map(Secret::new),
            base_url: at.url().parse().unwrap(),
        },
    };
    let fetch = FetchConfig::default();
    CodeHost::named(&HttpClient::new(), &host, &fetch, &Fetcher::new(&fetch))
}

async fn read(host: &CodeHost, url: &str) -> (String, Known) {
    match host.read(url, &Known::default()).await.unwrap() {
        Outcome::Read(code) => (code.digest.markdown, code.known),
        Outcome::Unchanged => panic!("there was nothing before"),
    }
}

async fn failure(host: &CodeHost, url: &str) -> CodeError {
    host.read(url, &Known::default()).await.unwrap_err()
}

/// Reads what a URL names, and what it names once more.
async fn assert_read(host: &CodeHost, url: &str, has: &str, has_not: &str) {
    let (markdown, known) = read(host, url).await;
    assert!(markdown.contains(has), "{url}: {has} in {markdown}");
    assert!(
        !markdown.contains(has_not),
        "{url}: {has_not} in {markdown}"
    );
    assert_eq!(known.revision, Some(widgets().commit()), "{url}");
    let again = host.read(url, &known).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged), "{url}");
}

#[tokio::test]
async fn a_project_of_gitlab_is_read_by_every_url_that_names_code() {
    let at = Gitlab::start().await.unwrap();
    let project = widgets().described("All of them", "MIT").private();
    at.put("acme/team/widgets", project);
    let host = client(CodeSite::Gitlab, &at, Some(gitlab::TOKEN));
    let at_host = "https://code.acme.example/acme/team/widgets";
    for (url, has, has_not) in [
        ("", "- Description: All of them\n", "nothing of the kind"),
        ("/-/tree/feature/x/src", "(feature/x)", "Spaces."),
        ("/-/tree/v1.0", "(v1.0)", "nothing of the kind"),
        (
            "/-/blob/feature/x/src/lib.rs",
            "- Path: src/lib.rs",
            "# Widgets",
        ),
        (
            "/-/blob/feature%2Fx/src/lib.rs",
            "- Path: src/lib.rs",
            "# Widgets",
        ),
        (
            "/-/blob/main/src/lib.rs#L2-3",
            "(lines 2–3 of 3)\n\n```rust\npub fn one",
            "# Widgets",
        ),
        ("/-/raw/main/a%20folder/notes.txt", "Spaces.", "# Widgets"),
    ] {
        assert_read(&host, &format!("{at_host}{url}"), has, has_not).await;
    }
    assert!(
        at.received()
            .iter()
            .all(|it| it.bearer() == Some(gitlab::TOKEN))
    );

    let error = failure(&host, &format!("{at_host}/-/tree/nobranch")).await;
    assert_eq!(
        error.to_string(),
        "GitLab has no acme/team/widgets at nobranch, or the token of this deployment may not read it"
    );
    let error = failure(&host, &format!("{at_host}/-/blob/main/nowhere.rs")).await;
    assert_eq!(
        error.to_string(),
        "there is no file nowhere.rs in the repository"
    );
    let error = failure(&client(CodeSite::Gitlab, &at, None), at_host).await;
    assert_eq!(
        error.to_string(),
        "GitLab has no acme/team/widgets, or it is private: CODE_HOST_TOKENS has no token for \
         code.acme.example"
    );
    let error = failure(&client(CodeSite::Gitlab, &at, Some("old")), at_host).await;
    let Failure::Never(reason) = error.into() else {
        panic!("other hosts have other tokens")
    };
    assert!(reason.contains("401 Unauthorized") && reason.contains("CODE_HOST_TOKENS"));
    at.put("acme/empty", Repository::default());
    let error = failure(&host, "https://code.acme.example/acme/empty").await;
    assert!(matches!(error, CodeError::EmptyRepository), "{error}");
}

#[tokio::test]
async fn a_repository_of_bitbucket_is_read_by_every_url_that_names_code() {
    let at = Bitbucket::start().await.unwrap();
    let repository = widgets().described("All of them", "MIT").private();
    at.put("acme/widgets", repository);
    let host = client(CodeSite::Bitbucket, &at, Some(bitbucket::TOKEN));
    let at_host = "https://code.acme.example/acme/widgets";
    let commit = widgets().commit();
    for (url, has, has_not) in [
        (
            String::new(),
            "- Description: All of them\n",
            "nothing of the kind",
        ),
        ("/src/feature/x/src".to_owned(), "(feature/x)", "Spaces."),
        ("/src/v1.0/".to_owned(), "(v1.0)", "nothing of the kind"),
        (
            format!("/src/{commit}/src/lib.rs"),
            "- Path: src/lib.rs",
            "Spaces.",
        ),
        (
            "/src/main/src/lib.rs#lines-2:3".to_owned(),
            "(lines 2–3 of 3)\n\n```rust\npub fn one",
            "# Widgets",
        ),
        (
            "/raw/feature/x/a%20folder/notes.txt".to_owned(),
            "Spaces.",
            "# Widgets",
        ),
    ] {
        assert_read(&host, &format!("{at_host}{url}"), has, has_not).await;
    }
    let error = failure(&client(CodeSite::Bitbucket, &at, None), at_host).await;
    assert_eq!(
        error.to_string(),
        "Bitbucket has no acme/widgets, or it is private: CODE_HOST_TOKENS has no token for \
         code.acme.example"
    );
    let error = failure(&host, &format!("{at_host}/src/nobranch")).await;
    assert!(error.to_string().contains("acme/widgets at nobranch"));
    at.put("acme/empty", Repository::default());
    let error = failure(&host, "https://code.acme.example/acme/empty").await;
    assert!(matches!(error, CodeError::EmptyRepository), "{error}");
}

#[tokio::test]
async fn a_repository_of_bitbucket_data_center_is_read_by_every_url_that_names_code() {
    let at = BitbucketDataCenter::start().await.unwrap();
    let repository = widgets().described("All of them", "MIT").private();
    at.put("ACME/widgets", repository.clone());
    at.put("~who/widgets", repository);
    let site = CodeSite::BitbucketDataCenter;
    let host = client(site, &at, Some(bitbucket_data_center::TOKEN));
    let at_host = "https://code.acme.example/projects/ACME/repos/widgets";
    let commit = widgets().commit();
    for (url, has, has_not) in [
        ("", "- Description: All of them\n", "nothing of the kind"),
        (
            "/browse/src?at=refs%2Fheads%2Ffeature%2Fx",
            "(feature/x)",
            "Spaces.",
        ),
        ("/browse?at=v1.0", "(v1.0)", "nothing of the kind"),
        (
            &format!("/browse/src/lib.rs?at={commit}"),
            "- Path: src/lib.rs",
            "Spaces.",
        ),
        (
            "/browse/src/lib.rs#2-3",
            "(lines 2–3 of 3)\n\n```rust\npub fn one",
            "# Widgets",
        ),
        (
            "/raw/a%20folder/notes.txt?at=refs%2Fheads%2Ffeature%2Fx",
            "Spaces.",
            "# Widgets",
        ),
    ] {
        assert_read(&host, &format!("{at_host}{url}"), has, has_not).await;
    }
    let of_a_person = "https://code.acme.example/bitbucket/projects/~who/repos/widgets";
    assert_read(&host, of_a_person, "# Widgets", "nothing of the kind").await;
    let bearers = at.received();
    assert!(
        bearers
            .iter()
            .all(|it| it.bearer() == Some(bitbucket_data_center::TOKEN))
    );

    let error = failure(&host, &format!("{at_host}/browse?at=nobranch")).await;
    assert_eq!(
        error.to_string(),
        "Bitbucket has no ACME/widgets at nobranch, or the token of this deployment may not read it"
    );
    let error = failure(&host, &format!("{at_host}/raw/nowhere.rs")).await;
    assert_eq!(
        error.to_string(),
        "there is no file nowhere.rs in the repository"
    );
    let error = failure(&client(site, &at, None), at_host).await;
    assert_eq!(
        error.to_string(),
        "Bitbucket has no ACME/widgets, or it is private: CODE_HOST_TOKENS has no token for \
         code.acme.example"
    );
    let stranger = client(site, &at, Some(bitbucket_data_center::STRANGER));
    let error = failure(&stranger, at_host).await;
    assert_eq!(
        error.to_string(),
        "Bitbucket has no ACME/widgets, or the token of this deployment may not read it"
    );
    let error = failure(&client(site, &at, Some("old")), at_host).await;
    let Failure::Never(reason) = error.into() else {
        panic!("other hosts have other tokens")
    };
    for words in [
        "401 Unauthorized",
        "Authentication failed",
        "CODE_HOST_TOKENS",
    ] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    at.put("ACME/empty", Repository::default());
    let error = failure(&host, "https://code.acme.example/projects/ACME/repos/empty").await;
    assert!(matches!(error, CodeError::EmptyRepository), "{error}");
}

#[tokio::test]
async fn github_enterprise_is_a_github_at_another_address() {
    let at = Github::start().await.unwrap();
    at.put("acme/widgets", widgets().private());
    at.put_gist(
        "0123456789abcdef0123",
        "A list",
        &[("list.py", "print([])\n")],
    );
    let host = client(CodeSite::Github, &at, Some(github::TOKEN));
    let at_host = "https://code.acme.example";
    assert_read(
        &host,
        &format!("{at_host}/acme/widgets/tree/feature/x/src"),
        "(feature/x)",
        "Spaces.",
    )
    .await;
    for raw in [
        "https://raw.code.acme.example",
        "https://code.acme.example/raw",
    ] {
        let url = format!("{raw}/acme/widgets/main/src/lib.rs");
        assert_read(&host, &url, "pub fn one", "# Widgets").await;
    }
    for gist in [
        "https://gist.code.acme.example",
        "https://code.acme.example/gist",
    ] {
        let (markdown, _) = read(&host, &format!("{gist}/acme/0123456789abcdef0123")).await;
        assert!(markdown.contains("print([])"));
    }
    for received in at.archives().received() {
        assert!(received.header("authorization").is_none(), "{received:?}");
    }
}

/// Whoever answers may say where to go on; nobody takes the token there.
#[tokio::test]
async fn a_token_stays_with_the_host_that_it_is_for() {
    let elsewhere = StandIn::start(|_| Answer::new(200, "application/x-gzip", "no archive"));
    let elsewhere = elsewhere.await.unwrap();
    let leads_away = |to: &str| {
        let answer =
            Answer::new(302, "", "").header("location", &format!("{}{to}", elsewhere.url()));
        Effect::Answer(answer)
    };

    let at = Gitlab::start().await.unwrap();
    at.put("acme/widgets", widgets().private());
    let host = client(CodeSite::Gitlab, &at, Some(gitlab::TOKEN));
    let url = "https://code.acme.example/acme/widgets";
    at.inject(Fault::new(leads_away(
        "/api/v4/projects/acme%2Fwidgets/repository/commits/HEAD",
    )));
    let error = failure(&host, url).await.to_string();
    assert!(
        error.contains("a redirect that leads away from it"),
        "{error}"
    );
    assert_eq!(elsewhere.received().len(), 0);
    at.inject(Fault::new(leads_away("/archive.tar.gz")).on("/archive.tar.gz"));
    failure(&host, url).await;

    let at = Bitbucket::start().await.unwrap();
    at.put("acme/widgets", widgets().private());
    let host = client(CodeSite::Bitbucket, &at, Some(bitbucket::TOKEN));
    at.inject(Fault::new(leads_away("/get")).on("/get/"));
    failure(&host, url).await;

    let received = elsewhere.received();
    assert_eq!(received.len(), 2);
    for received in received {
        assert!(received.header("authorization").is_none(), "{received:?}");
    }
}

#[tokio::test]
async fn what_a_host_cannot_do_now_is_tried_again_when_it_says() {
    let at = Gitlab::start().await.unwrap();
    at.put("acme/widgets", widgets());
    let host = client(CodeSite::Gitlab, &at, None);
    let url = "https://code.acme.example/acme/widgets";
    at.inject(Fault::new(Effect::RetryAfter(429, 60)));
    let Failure::Again { reason, after } = failure(&host, url).await.into() else {
        panic!("it passes")
    };
    assert_eq!(after.unwrap().as_secs(), 60);
    assert!(
        reason.starts_with("GitLab's rate limit is reached, again in a minute; with a token"),
        "{reason}"
    );
    at.inject(Fault::new(Effect::Status(502)));
    assert!(matches!(
        failure(&host, url).await.into(),
        Failure::Again { .. }
    ));
    at.inject(Fault::new(Effect::Garbage).on("/commits/"));
    assert!(matches!(
        failure(&host, url).await.into(),
        Failure::Never(_)
    ));
    assert!(at.faults_are_used_up());
    read(&host, url).await;
}

/// It would become a part of the next address.
#[tokio::test]
async fn what_is_no_commit_is_believed_of_no_host() {
    const NONE: &str = "../../elsewhere";
    let (github, gitlab) = (Github::start().await, Gitlab::start().await);
    let (github, gitlab) = (github.unwrap(), gitlab.unwrap());
    let bitbucket = Bitbucket::start().await.unwrap();
    github.put("acme/widgets", widgets());
    gitlab.put("acme/widgets", widgets());
    bitbucket.put("acme/widgets", widgets());
    let data_center = BitbucketDataCenter::start().await.unwrap();
    data_center.put("acme/widgets", widgets());
    let found = json!({"values": [{"name": "main", "target": {"hash": NONE}}]});
    let commits = json!({"values": [{"id": NONE}]});
    for (site, at, asked, answer) in [
        (
            CodeSite::Github,
            &*github,
            "/commits/",
            Answer::new(200, "application/vnd.github.sha", NONE),
        ),
        (
            CodeSite::Gitlab,
            &*gitlab,
            "/commits/",
            Answer::json(200, &json!({"id": NONE})),
        ),
        (
            CodeSite::Bitbucket,
            &*bitbucket,
            "/refs",
            Answer::json(200, &found),
        ),
        (
            CodeSite::BitbucketDataCenter,
            &*data_center,
            "/commits",
            Answer::json(200, &commits),
        ),
    ] {
        let host = client(site, at, None);
        at.inject(Fault::new(Effect::Answer(answer)).on(asked));
        let url = match site {
            CodeSite::BitbucketDataCenter => {
                "https://code.acme.example/projects/acme/repos/widgets"
            }
            _ => "https://code.acme.example/acme/widgets",
        };
        let error = failure(&host, url).await;
        let error = error.to_string();
        assert!(error.contains("no hash of a commit"), "{site:?}: {error}");
        let received = at.received();
        let asked_for_it = received
            .iter()
            .any(|it| it.uri.to_string().contains("elsewhere"));
        assert!(!asked_for_it, "{site:?}: {received:?}");
    }
}

#[tokio::test]
async fn what_the_operators_token_alone_shows_is_to_users_as_if_it_were_not_there() {
    let (github, gitlab, bitbucket, data_center) = (
        Github::start().await.unwrap(),
        Gitlab::start().await.unwrap(),
        Bitbucket::start().await.unwrap(),
        BitbucketDataCenter::start().await.unwrap(),
    );
    for (name, repository) in [
        ("acme/open", widgets()),
        ("acme/closed", widgets().private()),
    ] {
        github.put(name, repository.clone());
        gitlab.put(name, repository.clone());
        bitbucket.put(name, repository.clone());
        data_center.put(name, repository);
    }
    let hosts = [
        (
            CodeSite::Github,
            &*github,
            github::TOKEN,
            "/blob/main/README.md",
        ),
        (
            CodeSite::Gitlab,
            &*gitlab,
            gitlab::TOKEN,
            "/-/blob/main/README.md",
        ),
        (
            CodeSite::Bitbucket,
            &*bitbucket,
            bitbucket::TOKEN,
            "/src/main/README.md",
        ),
        (
            CodeSite::BitbucketDataCenter,
            &*data_center,
            bitbucket_data_center::TOKEN,
            "/raw/README.md",
        ),
    ];
    for (site, at, token, file) in hosts {
        let host = careful(site, at, Some(token));
        let at_host = match site {
            CodeSite::BitbucketDataCenter => "https://code.acme.example/projects/acme/repos",
            _ => "https://code.acme.example/acme",
        };
        for below in ["", file] {
            let (markdown, _) = read(&host, &format!("{at_host}/open{below}")).await;
            assert!(markdown.contains("# Widgets"), "{site:?}: {markdown}");
            let of = async |name: &str| {
                let reason = failure(&host, &format!("{at_host}/{name}{below}"))
                    .await
                    .to_string();
                reason.replace(name, "…")
            };
            let closed = of("closed").await;
            assert!(closed.contains("NOVA_ALLOW_PRIVATE_CODE"), "{closed}");
            assert_eq!(closed, of("missing").await, "{site:?} {below}");
        }
        assert!(
            at.ledger()
                .iter()
                .all(|paid| !format!("{paid:?}").contains("closed"))
        );
    }
}
