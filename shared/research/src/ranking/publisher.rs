//! Who answers for a page: the domain, or whoever has a part of it where a domain is lent to many.

use url::Url;

/// Below these, each name is somebody else.
const LENT_BY_NAME: &[&str] = &[
    "blogspot.com",
    "bearblog.dev",
    "ghost.io",
    "github.io",
    "gitlab.io",
    "hashnode.dev",
    "medium.com",
    "netlify.app",
    "pages.dev",
    "readthedocs.io",
    "substack.com",
    "tumblr.com",
    "vercel.app",
    "web.app",
    "wordpress.com",
    "hf.space",
];

/// On these, each first part of a path is somebody else.
const LENT_BY_PATH: &[&str] = &[
    "bitbucket.org",
    "dev.to",
    "github.com",
    "gitlab.com",
    "huggingface.co",
    "medium.com",
    "npmjs.com",
    "pypi.org",
];

/// On these, each page is: they keep what others publish.
const ARCHIVES: &[&str] = &[
    "arxiv.org",
    "doi.org",
    "openreview.net",
    "aclanthology.org",
    "youtube.com",
];

/// Second parts of names that are not anybody's own: `bbc.co.uk`, `unam.edu.mx`.
const SECOND_LEVEL: &[&str] = &[
    "ac", "co", "com", "edu", "gob", "gouv", "gov", "net", "nhs", "or", "org",
];

/// Who answers for the page at an address; the address itself where it cannot be read.
pub(crate) fn publisher(address: &str) -> String {
    let Ok(url) = Url::parse(address) else {
        return address.to_owned();
    };
    let Some(host) = url.host_str() else {
        return address.to_owned();
    };
    let domain = domain(host);
    if ARCHIVES.contains(&domain.as_str()) {
        return format!("{domain}{}?{}", url.path(), url.query().unwrap_or_default());
    }
    if LENT_BY_NAME.contains(&domain.as_str()) && host.trim_start_matches("www.") != domain {
        return host.to_owned();
    }
    if LENT_BY_PATH.contains(&domain.as_str()) {
        let first = url.path_segments().and_then(|mut it| it.next());
        let first = first.unwrap_or_default().to_lowercase();
        return format!("{domain}/{first}");
    }
    domain
}

/// The part of a host's name that is registered: its last two labels, or three where the second is
/// nobody's own.
pub(super) fn domain(host: &str) -> String {
    if host.ends_with(']') || host.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.split('.').collect();
    let is_second_level = |label: &&str| SECOND_LEVEL.contains(label);
    let keep = match labels.as_slice() {
        [.., second, country] if country.len() == 2 && is_second_level(second) => 3,
        _ => 2,
    };
    let from = labels.len().saturating_sub(keep);
    labels.get(from..).unwrap_or_default().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_for_a_page_is_told_by_its_address() {
        for (url, expected) in [
            ("https://www.ibm.com/think", "ibm.com"),
            ("https://docs.ibm.com/a", "ibm.com"),
            ("https://news.bbc.co.uk/1", "bbc.co.uk"),
            ("https://www.unam.edu.mx/", "unam.edu.mx"),
            ("https://alice.substack.com/p/1", "alice.substack.com"),
            ("https://github.com/Acme/widgets", "github.com/acme"),
            ("https://medium.com/@alice/x", "medium.com/@alice"),
            (
                "https://arxiv.org/abs/2309.02427",
                "arxiv.org/abs/2309.02427?",
            ),
            ("https://8.8.8.8/x", "8.8.8.8"),
            ("Some title", "Some title"),
        ] {
            assert_eq!(publisher(url), expected);
        }
    }
}
