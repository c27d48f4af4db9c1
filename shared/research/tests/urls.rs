//! Which URLs may be sources, what they are, and when two are the same.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use nova_research::url::{CodeHosts, CodeSite, Kind, Reach, Refusal, SourceUrl};
use serde_json::Value;

/// The address and URL cases of the fetcher; what can be decided without a network is decided here.
#[test]
fn no_address_of_a_private_network_is_a_source() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/addresses.json")).unwrap();
    let mut decided = 0;
    for case in &cases {
        let url = case["url"].as_str().unwrap();
        let expected = match case["expected"].as_str().unwrap() {
            "refuse:blocked_address" | "refuse:blocked_name" => Err(Refusal::PrivateAddress),
            "refuse:invalid_url" => Err(Refusal::InvalidUrl),
            "refuse:scheme" => Err(Refusal::UnsupportedScheme),
            "refuse:credentials" => Err(Refusal::CredentialsInUrl),
            // Which ports may be asked is the fetcher's own rule.
            "refuse:port" => continue,
            allowed => Ok(allowed.strip_prefix("allow:").unwrap()),
        };
        let parsed = SourceUrl::parse(url);
        let found = parsed
            .as_ref()
            .map(|it| it.identity().split('/').next().unwrap());
        assert_eq!(
            found.map_err(|it| *it),
            expected,
            "{}: {url}: {}",
            case["id"],
            case["why"]
        );
        decided += 1;
    }
    assert!(decided > 30, "only {decided} cases were decided");
}

#[test]
fn an_address_with_dots_behind_it_is_still_an_address() {
    for url in [
        "http://127.0.0.1./",
        "http://127.0.0.1../",
        "http://0x7f.1.../",
    ] {
        assert_eq!(SourceUrl::parse(url), Err(Refusal::PrivateAddress), "{url}");
    }
}

fn kind(url: &str) -> Kind {
    SourceUrl::parse(url).unwrap().kind()
}

#[test]
fn only_urls_that_name_code_are_code() {
    for (url, canonical) in [
        ("http://www.github.com/O/r.git", "https://github.com/O/r"),
        (
            "https://github.com/o/r/?tab=readme-ov-file#install",
            "https://github.com/o/r",
        ),
        (
            "https://github.com/o/r/tree/main/src/",
            "https://github.com/o/r/tree/main/src",
        ),
        (
            "https://github.com/o/r/blob/main/a.py?plain=1#L10-L20",
            "https://github.com/o/r/blob/main/a.py#L10-L20",
        ),
        (
            "https://github.com/o/r/blob/main/README.md#usage",
            "https://github.com/o/r/blob/main/README.md",
        ),
        (
            "https://github.com/o/r/raw/main/x.py",
            "https://github.com/o/r/raw/main/x.py",
        ),
        (
            "https://raw.githubusercontent.com/o/r/main/b.py",
            "https://raw.githubusercontent.com/o/r/main/b.py",
        ),
        (
            "https://gist.github.com/u/0123456789abcdef0123456789abcdef.git",
            "https://gist.github.com/u/0123456789abcdef0123456789abcdef",
        ),
        (
            "https://gist.github.com/0123456789abcdef0123#file-a-py",
            "https://gist.github.com/0123456789abcdef0123",
        ),
        ("https://github.com./o/r", "https://github.com/o/r"),
    ] {
        let parsed = SourceUrl::parse(url).unwrap();
        assert_eq!(
            (parsed.as_str(), parsed.kind()),
            (canonical, Kind::Github),
            "{url}"
        );
    }
    for url in [
        "https://github.com",
        "https://github.com/octo",
        "https://github.com/features/actions",
        "https://github.com/Topics/rust",
        "https://github.com/o/r/issues/1",
        "https://github.com/o/r/pull/2/files",
        "https://github.com/o/r/wiki",
        "https://github.com/o/r/releases",
        "https://github.com/o/r/blob/main",
        "https://docs.github.com/o/r",
        "https://api.github.com/o/r",
        "https://raw.githubusercontent.com/o/r/main",
        "https://gist.github.com/u",
        "https://octo.github.io/o/r",
        "https://github.com.evil.example/o/r",
        "https://github.com:8443/o/r",
        "https://evilgithub.com/o/r",
        "https://a.example/?u=github.com/o/r",
        "https://github.com/o/..%2f..",
        "https://github.com/o r/x",
    ] {
        assert_eq!(kind(url), Kind::Web, "{url}");
    }
}

fn named_hosts() -> CodeHosts {
    [
        ("gitlab.com", CodeSite::Gitlab),
        ("git.corp:8443", CodeSite::Gitlab),
        ("ghe.acme.example", CodeSite::Github),
        ("bitbucket.org", CodeSite::Bitbucket),
        ("bitbucket.corp", CodeSite::BitbucketDataCenter),
    ]
    .map(|(name, site)| (name.to_owned(), site))
    .into_iter()
    .collect()
}

#[test]
fn urls_of_other_hosts_are_code_where_the_host_is_named() {
    let hosts = named_hosts();
    for (url, canonical) in [
        (
            "http://GitLab.com/Acme/team/Widgets.git",
            "https://gitlab.com/Acme/team/Widgets",
        ),
        (
            "https://gitlab.com/acme/widgets/-/tree/main/src/?ref_type=heads",
            "https://gitlab.com/acme/widgets/-/tree/main/src",
        ),
        (
            "https://gitlab.com/acme/widgets/blob/main/a.py#L3-5",
            "https://gitlab.com/acme/widgets/-/blob/main/a.py#L3-5",
        ),
        (
            "https://git.corp:8443/acme/widgets/-/raw/feature%2Fx/a.py",
            "https://git.corp:8443/acme/widgets/-/raw/feature%2Fx/a.py",
        ),
        (
            "https://ghe.acme.example/acme/widgets/blob/main/a.py#L3",
            "https://ghe.acme.example/acme/widgets/blob/main/a.py#L3",
        ),
        (
            "https://raw.ghe.acme.example/acme/widgets/main/a.py",
            "https://raw.ghe.acme.example/acme/widgets/main/a.py",
        ),
        (
            "https://ghe.acme.example/gist/acme/0123456789abcdef0123",
            "https://ghe.acme.example/gist/acme/0123456789abcdef0123",
        ),
        (
            "https://bitbucket.org/acme/widgets/src/",
            "https://bitbucket.org/acme/widgets",
        ),
        (
            "https://bitbucket.org/acme/widgets/src/main/a.py?at=main#lines-3:5",
            "https://bitbucket.org/acme/widgets/src/main/a.py#lines-3:5",
        ),
        (
            "https://bitbucket.org/acme/widgets/raw/main/a.py",
            "https://bitbucket.org/acme/widgets/raw/main/a.py",
        ),
        (
            "https://bitbucket.corp/projects/ACME/repos/widgets/browse",
            "https://bitbucket.corp/projects/ACME/repos/widgets",
        ),
        (
            "https://bitbucket.corp/projects/ACME/repos/widgets/browse?at=refs/heads/feature/x",
            "https://bitbucket.corp/projects/ACME/repos/widgets/browse?at=refs%2Fheads%2Ffeature%2Fx",
        ),
        (
            "https://bitbucket.corp/projects/ACME/repos/widgets/browse/src/a.py?until=1&at=v1#3-5,9",
            "https://bitbucket.corp/projects/ACME/repos/widgets/browse/src/a.py?at=v1#3-5,9",
        ),
        (
            "https://bitbucket.corp/users/Who/repos/widgets/raw/a.py?at=",
            "https://bitbucket.corp/projects/~Who/repos/widgets/raw/a.py",
        ),
        (
            "https://bitbucket.corp/scm/acme/widgets.git",
            "https://bitbucket.corp/projects/acme/repos/widgets",
        ),
        (
            "https://bitbucket.corp/stash/projects/ACME/repos/widgets/",
            "https://bitbucket.corp/stash/projects/ACME/repos/widgets",
        ),
        ("https://github.com/o/r", "https://github.com/o/r"),
    ] {
        let parsed = SourceUrl::parse_among(url, Reach::Public, &hosts).unwrap();
        assert_eq!(
            (parsed.as_str(), parsed.kind()),
            (canonical, Kind::Github),
            "{url}"
        );
        let again = SourceUrl::parse_among(canonical, Reach::Public, &hosts);
        assert_eq!(again, Ok(parsed), "{url}");
        // Nobody else's repositories are code, whatever they look like.
        let unnamed = SourceUrl::parse(url).map(|it| it.kind());
        if url.contains("corp") {
            assert_eq!(unnamed, Err(Refusal::PrivateAddress), "{url}");
        } else {
            let is_code = unnamed == Ok(Kind::Github);
            assert_eq!(is_code, url.contains("github.com"), "{url}");
        }
    }
    for url in [
        "https://gitlab.com/acme",
        "https://gitlab.com/explore/projects",
        "https://gitlab.com/acme/widgets/-/issues/1",
        "https://gitlab.com/acme/widgets/-/blob/main",
        "https://gitlab.com/groups/acme/-/wikis/home",
        "https://about.gitlab.com/acme/widgets",
        "https://gitlab.com.evil.example/acme/widgets",
        "https://gitlab.com:8443/acme/widgets",
        "https://bitbucket.org/acme/widgets/pull-requests/1",
        "https://bitbucket.org/product/features",
        "https://ghe.acme.example/acme/widgets/issues/1",
        "https://evil.example/?u=gitlab.com/acme/widgets",
    ] {
        let parsed = SourceUrl::parse_among(url, Reach::Public, &hosts).unwrap();
        assert_eq!(parsed.kind(), Kind::Web, "{url}");
    }
    // A named host of one's own network gives code and nothing else.
    for url in [
        "https://git.corp:8443/explore/projects",
        "https://git.corp/acme/widgets",
        "https://bitbucket.corp/projects/ACME",
        "https://bitbucket.corp/projects/ACME/repos/widgets/pull-requests/1",
        "https://bitbucket.corp/projects/ACME/repos/widgets/commits/HEAD",
        "https://bitbucket.corp/acme/widgets",
    ] {
        let refused = SourceUrl::parse_among(url, Reach::Public, &hosts);
        assert_eq!(refused, Err(Refusal::PrivateAddress), "{url}");
    }
}

#[test]
fn a_repository_of_a_named_host_is_the_same_in_any_case_and_its_paths_are_not() {
    let hosts = named_hosts();
    let identity = |url: &str| {
        let parsed = SourceUrl::parse_among(url, Reach::Public, &hosts).unwrap();
        parsed.identity().to_owned()
    };
    assert_eq!(
        identity("https://gitlab.com/Acme/Widgets"),
        identity("https://gitlab.com/acme/widgets.git")
    );
    assert_ne!(
        identity("https://gitlab.com/acme/widgets/-/tree/Main"),
        identity("https://gitlab.com/acme/widgets/-/tree/main")
    );
}

#[test]
fn the_cases_of_videos_come_out_as_expected() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/videos.json")).unwrap();
    assert!(cases.len() >= 2);
    for case in &cases {
        let parsed = SourceUrl::parse(case["input"]["url"].as_str().unwrap()).unwrap();
        let id = parsed.as_str().rsplit('=').next().unwrap();
        assert_eq!(id, case["expected"]["equals"], "{}", case["id"]);
    }
}

#[test]
fn every_shape_of_a_video_has_one_canonical_form() {
    for url in [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1&t=42s",
        "http://youtube.com/watch?list=PL1&v=dQw4w9WgXcQ",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ/?si=x",
        "https://youtu.be/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ?t=42",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ%26t=42",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "https://www.youtube.com/v/dQw4w9WgXcQ",
        "HTTPS://WWW.YOUTUBE.COM/embed/dQw4w9WgXcQ/",
    ] {
        let parsed = SourceUrl::parse(url).unwrap();
        assert_eq!(
            parsed.as_str(),
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "{url}"
        );
        assert_eq!(
            (parsed.identity(), parsed.kind()),
            ("youtube.com/watch?v=dQw4w9WgXcQ", Kind::Youtube)
        );
    }
    for url in [
        "https://www.youtube.com/",
        "https://www.youtube.com/@channel",
        "https://www.youtube.com/playlist?list=PL1",
        "https://www.youtube.com/watch?v=abc",
        "https://www.youtube.com/watch",
        "https://youtu.be/",
        "https://youtu.be/a/b",
        "https://www.youtube.com/shorts/",
        "https://www.youtube.com/embed/videoseries?list=PL1",
        "https://www.youtube.com/embed/live_stream?channel=x",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQQ",
    ] {
        assert_eq!(
            SourceUrl::parse(url).unwrap_err(),
            Refusal::YoutubeNotAVideo,
            "{url}"
        );
    }
    for url in [
        "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
        "https://blog.youtube/x",
    ] {
        assert_eq!(kind(url), Kind::Web, "{url}");
    }
}

#[test]
fn spellings_of_one_page_have_one_identity() {
    for same in [
        &[
            "https://example.com/p?id=7",
            "http://example.com/p?id=7",
            "https://EXAMPLE.com:443/p?id=7#intro",
            "https://example.com./p?utm_source=x&id=7",
            "https://example.com/p?id=7&fbclid=1&UTM_medium=y",
            "https://example.com/%70?id=7&",
        ] as &[&str],
        &[
            "https://example.com",
            "https://example.com/",
            "https://example.com/#top",
            "http://example.com:80?utm_source=x",
        ],
        &[
            "https://github.com/O/R",
            "https://github.com/o/r.git",
            "http://www.github.com/o/r/",
        ],
        &[
            "https://bücher.example/ä",
            "https://xn--bcher-kva.example/%C3%A4",
            "https://XN--BCHER-KVA.example/%c3%a4",
        ],
    ] {
        let identities: Vec<_> = same
            .iter()
            .map(|it| SourceUrl::parse(it).unwrap().identity().to_owned())
            .collect();
        assert!(
            identities.iter().all(|it| *it == identities[0]),
            "{identities:?}"
        );
    }
    let different = [
        "https://example.com/p",
        "https://example.com/P",
        "https://example.com/p/",
        "https://example.com:8443/p",
        "https://www.example.com/p",
        "https://example.com/p?a=1&b=2",
        "https://example.com/p?b=2&a=1",
        "https://example.com/p#!/a",
        "https://example.com/p#!/b",
        "https://example.com/a%2Fb",
        "https://example.com/a/b",
        "https://github.com/o/r/blob/main/a.py",
        "https://github.com/o/r/blob/main/a.py#L1",
        "https://github.com/o/r/blob/main/A.py",
    ];
    let identities: std::collections::HashSet<_> = different
        .iter()
        .map(|it| SourceUrl::parse(it).unwrap().identity().to_owned())
        .collect();
    assert_eq!(identities.len(), different.len(), "{identities:?}");
}

#[test]
fn the_url_to_fetch_is_what_the_author_meant() {
    for (written, url) in [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com/"),
        (
            "https://example.com/p?utm_source=x&id=7#intro",
            "https://example.com/p?id=7",
        ),
        ("https://example.com/#/route", "https://example.com/#/route"),
        ("http://example.com/?utm_source=x", "http://example.com/"),
        (
            "https://example.com/?q=a+b%20c&utm_id=1&x",
            "https://example.com/?q=a+b%20c&x",
        ),
    ] {
        assert_eq!(
            SourceUrl::parse(written).unwrap().as_str(),
            url,
            "{written}"
        );
    }
    assert_eq!(
        SourceUrl::parse(&format!("https://example.com/{}", "a".repeat(9000))),
        Err(Refusal::TooLong)
    );
}
