//! When two URLs are the same source, and when they are not.

use nova_research::identity::identity;
use nova_research::url::SourceUrl;
use proptest::prelude::*;

fn key(url: &str) -> String {
    identity(&SourceUrl::parse(url).unwrap_or_else(|refusal| panic!("{url}: {refusal}")))
}

#[track_caller]
fn all_are(expected: &str, urls: &[&str]) {
    for url in urls {
        assert_eq!(key(url), expected, "{url}");
    }
}

#[test]
fn a_paper_on_arxiv_is_one_source_in_every_form_and_version() {
    all_are(
        "arxiv:2310.11511",
        &[
            "https://arxiv.org/abs/2310.11511",
            "http://arxiv.org/abs/2310.11511v1",
            "https://arxiv.org/pdf/2310.11511",
            "https://arxiv.org/pdf/2310.11511v2.pdf",
            "https://arxiv.org/html/2310.11511v3#S2",
            "https://www.arxiv.org/abs/2310.11511?context=cs.CL",
            "https://export.arxiv.org/abs/2310.11511",
            "https://ar5iv.labs.arxiv.org/html/2310.11511",
            "https://ar5iv.org/abs/2310.11511",
            "https://www.alphaxiv.org/overview/2310.11511v1",
            "https://huggingface.co/papers/2310.11511",
            "https://doi.org/10.48550/arXiv.2310.11511",
            "https://dx.doi.org/10.48550/ARXIV.2310.11511",
        ],
    );
    all_are(
        "arxiv:math/0309136",
        &[
            "https://arxiv.org/abs/math/0309136",
            "https://arxiv.org/abs/math.GT/0309136v2",
            "https://arxiv.org/pdf/math/0309136v1.pdf",
        ],
    );
    for other in [
        "https://arxiv.org/list/cs.CL/recent",
        "https://arxiv.org/abs/2310.11512",
        "https://arxiv.org/abs/not-an-id",
        "https://huggingface.co/papers/trending",
        "https://huggingface.co/models/2310.11511",
        "https://arxiv.org.evil.example/abs/2310.11511",
    ] {
        assert_ne!(key(other), "arxiv:2310.11511", "{other}");
    }
}

#[test]
fn what_has_a_doi_is_one_source_at_its_publisher_and_at_the_resolver() {
    all_are(
        "doi:10.1145/3292500.3330701",
        &[
            "https://doi.org/10.1145/3292500.3330701",
            "https://dl.acm.org/doi/10.1145/3292500.3330701",
            "https://dl.acm.org/doi/abs/10.1145/3292500.3330701",
            "https://dl.acm.org/doi/pdf/10.1145/3292500.3330701?download=true",
            "https://dl.acm.org/doi/fullHtml/10.1145/3292500.3330701",
        ],
    );
    all_are(
        "doi:10.1007/s10994-021-05946-3",
        &[
            "https://link.springer.com/article/10.1007/s10994-021-05946-3",
            "https://link.springer.com/content/pdf/10.1007/s10994-021-05946-3.pdf",
            "https://doi.org/10.1007/S10994-021-05946-3",
        ],
    );
    all_are(
        "doi:10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o",
        &[
            "https://doi.org/10.1002/(SICI)1097-4571(199806)49:8%3C693::AID-ASI4%3E3.0.CO;2-O",
            "https://onlinelibrary.wiley.com/doi/abs/10.1002/(SICI)1097-4571(199806)49:8%3C693::AID-ASI4%3E3.0.CO;2-O",
        ],
    );
    all_are(
        "doi:10.1038/s41586-021-03819-2",
        &[
            "https://www.nature.com/articles/s41586-021-03819-2",
            "https://www.nature.com/articles/s41586-021-03819-2.pdf",
            "https://doi.org/10.1038/s41586-021-03819-2",
        ],
    );
    all_are(
        "doi:10.1371/journal.pone.0000217",
        &["https://journals.plos.org/plosone/article?id=10.1371/journal.pone.0000217"],
    );
    all_are(
        "doi:10.1101/2020.01.30.927871",
        &[
            "https://www.biorxiv.org/content/10.1101/2020.01.30.927871v1",
            "https://www.biorxiv.org/content/10.1101/2020.01.30.927871v2.full.pdf",
        ],
    );
    all_are(
        "doi:10.18653/v1/2023.acl-long.1",
        &[
            "https://aclanthology.org/2023.acl-long.1/",
            "https://aclanthology.org/2023.acl-long.1.pdf",
            "https://doi.org/10.18653/v1/2023.acl-long.1",
        ],
    );
    all_are(
        "openreview:hSyW5go0v8",
        &[
            "https://openreview.net/forum?id=hSyW5go0v8",
            "https://openreview.net/pdf?id=hSyW5go0v8",
        ],
    );
}

#[test]
fn no_page_takes_the_place_of_a_paper_by_its_path() {
    for url in [
        "https://evil.example/doi/10.1145/3292500.3330701",
        "https://dl.acm.org.evil.example/doi/10.1145/3292500.3330701",
        "https://evil.example/?doi=10.1145/3292500.3330701",
        "https://evilacm.org/doi/10.1145/3292500.3330701",
    ] {
        assert!(!key(url).starts_with("doi:"), "{url}");
    }
}

#[test]
fn a_page_for_phones_or_from_a_cache_is_the_page() {
    all_are(
        "example.com/story",
        &[
            "https://example.com/story",
            "http://www.example.com/story/",
            "https://m.example.com/story?utm_source=x#top",
            "https://mobile.example.com/story",
            "https://amp.example.com/story",
            "https://example.com/story/amp/",
            "https://example.com/story.amp.html",
            "https://example.com/story?amp=1",
            "https://www.google.com/amp/s/example.com/story",
            "https://example-com.cdn.ampproject.org/c/s/example.com/story?amp=1",
        ],
    );
    all_are(
        "en.wikipedia.org/wiki/BM25",
        &[
            "https://en.wikipedia.org/wiki/BM25",
            "https://en.m.wikipedia.org/wiki/BM25",
        ],
    );
    all_are(
        "example.com",
        &["https://example.com", "http://www.example.com/"],
    );
}

#[test]
fn other_pages_stay_other_sources() {
    let pages = [
        "https://example.com/story",
        "https://example.com/Story",
        "https://example.com/story?page=2",
        "https://example.com/story?page=2&sort=asc",
        "https://example.com/#/story",
        "https://docs.example.com/story",
        "https://example.com:8443/story",
        "https://amp.dev/story",
        "https://m.co/story",
        "https://www.google.com/amp/s/127.0.0.1/story",
        "https://github.com/acme/story",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ];
    let mut keys: Vec<String> = pages.iter().map(|url| key(url)).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), pages.len(), "{keys:?}");
}

#[test]
fn videos_and_code_are_what_their_url_says() {
    all_are(
        "youtube.com/watch?v=dQw4w9WgXcQ",
        &[
            "https://youtu.be/dQw4w9WgXcQ?t=4",
            "https://m.youtube.com/watch?v=dQw4w9WgXcQ",
        ],
    );
    all_are(
        "github.com/acme/widgets",
        &[
            "https://github.com/Acme/Widgets.git",
            "https://www.github.com/acme/widgets#readme",
        ],
    );
}

proptest! {
    #[test]
    fn any_url_has_a_key_that_the_canonical_spelling_shares(
        host in "(www\\.|m\\.|)(arxiv|doi|acm|biorxiv|nature|example|google)\\.(org|com)",
        path in "[a-zA-Z0-9/.%:?&=#v-]{0,60}",
    ) {
        if let Ok(url) = SourceUrl::parse(&format!("https://{host}/{path}")) {
            let first = identity(&url);
            prop_assert!(!first.is_empty());
            let again = SourceUrl::parse(url.as_str()).unwrap();
            prop_assert_eq!(first, identity(&again));
        }
    }
}
