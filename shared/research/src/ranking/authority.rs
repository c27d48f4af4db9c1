//! How far a publisher is to be believed, by its address alone.

use url::Url;

use super::publisher::domain;

/// Who writes standards.
const STANDARDS: &[&str] = &[
    "ecma-international.org",
    "ietf.org",
    "iso.org",
    "itu.int",
    "nist.gov",
    "oasis-open.org",
    "owasp.org",
    "rfc-editor.org",
    "unicode.org",
    "w3.org",
    "whatwg.org",
];

/// Who publishes what was reviewed, or keeps it.
const SCHOLARLY: &[&str] = &[
    "aclanthology.org",
    "acm.org",
    "arxiv.org",
    "biorxiv.org",
    "cell.com",
    "doi.org",
    "ieee.org",
    "jmlr.org",
    "medrxiv.org",
    "mlr.press",
    "nature.com",
    "neurips.cc",
    "openreview.net",
    "plos.org",
    "pnas.org",
    "science.org",
    "sciencedirect.com",
    "semanticscholar.org",
    "springer.com",
    "ssrn.com",
    "usenix.org",
    "wiley.com",
];

/// Who documents what they make, and encyclopedias.
const REFERENCE: &[&str] = &[
    "docs.rs",
    "mozilla.org",
    "python.org",
    "postgresql.org",
    "kernel.org",
    "readthedocs.io",
    "rust-lang.org",
    "stanford.edu",
    "wikipedia.org",
];

/// Where anybody writes anything.
const ANYBODY: &[&str] = &[
    "blogspot.com",
    "dev.to",
    "medium.com",
    "substack.com",
    "wordpress.com",
    "hashnode.dev",
    "stackexchange.com",
    "stackoverflow.com",
    "youtube.com",
];

/// Where talk is, and pictures of talk.
const TALK: &[&str] = &[
    "facebook.com",
    "instagram.com",
    "linkedin.com",
    "pinterest.com",
    "quora.com",
    "reddit.com",
    "threads.net",
    "tiktok.com",
    "twitter.com",
    "x.com",
    "ycombinator.com",
];

/// From 0 to 1; 0.4 for a publisher of whom nothing is known.
pub(super) fn authority(address: &str, is_cited: bool) -> f64 {
    // The author of the guideline knows the publisher, and chose it.
    if is_cited {
        return 1.0;
    }
    let Ok(url) = Url::parse(address) else {
        return 0.2;
    };
    let host = url.host_str().unwrap_or_default();
    let domain = domain(host);
    let is_in = |list: &[&str]| list.contains(&domain.as_str());
    let mut labels = host.split('.');
    let first = labels.next().unwrap_or_default();
    let is_public_body = host
        .split('.')
        .rev()
        .take(2)
        .any(|label| matches!(label, "edu" | "gov" | "mil" | "ac" | "gouv" | "gob" | "int"))
        || domain == "europa.eu";
    if is_in(STANDARDS) || is_in(SCHOLARLY) || is_public_body {
        1.0
    } else if is_in(REFERENCE)
        || matches!(
            first,
            "docs" | "doc" | "developer" | "developers" | "learn" | "api"
        )
    {
        0.85
    } else if is_in(TALK) {
        0.1
    } else if is_in(ANYBODY) {
        0.25
    } else if has_documentation(&url) {
        0.75
    } else if domain == "github.com" || domain == "gitlab.com" {
        0.6
    } else {
        0.4
    }
}

/// `/docs/` in a path is what makers call the description of what they make.
fn has_documentation(url: &Url) -> bool {
    let parts = url.path_segments();
    parts.is_some_and(|mut parts| {
        parts.any(|part| {
            matches!(
                part,
                "docs" | "doc" | "documentation" | "reference" | "spec"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_stand_in_an_order() {
        let of = |url: &str| authority(url, false);
        let order = [
            "https://www.rfc-editor.org/rfc/rfc9457",
            "https://docs.example.com/guide",
            "https://example.com/docs/guide",
            "https://github.com/acme/widgets",
            "https://example.com/blog/guide",
            "https://medium.com/@alice/guide",
            "https://www.reddit.com/r/guide",
        ];
        for pair in order.windows(2) {
            assert!(of(pair[0]) > of(pair[1]), "{pair:?}");
        }
        for equal in [
            "https://cs.cmu.edu/a",
            "https://www.cl.cam.ac.uk/a",
            "https://www.gouvernement.gouv.fr/a",
            "https://arxiv.org/abs/1",
        ] {
            assert!(of(equal) > 0.99, "{equal}");
        }
        assert!(authority("https://example.com/blog", true) > 0.99);
        assert!(
            of("https://edu.example.com/a") < 0.5,
            "anybody can have such a name"
        );
    }
}
