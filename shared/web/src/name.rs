//! Names that can only mean something inside one network.
//!
//! Such a name is refused before anybody asks DNS. Names that merely resolve to a private address
//! are the fetcher's business: it sees the answer, and asks [`super::is_global`].

/// Last labels that are never delegated on the internet, or that clouds and routers use inside.
const PRIVATE_SUFFIXES: &[&str] = &[
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "metadata.goog",
    "private",
    "svc",
];

/// Whether a host name (lower case, without a dot at the end) can be a site on the internet.
#[must_use]
pub fn is_public_name(name: &str) -> bool {
    name.contains('.')
        && name.split('.').all(|label| !label.is_empty())
        && !PRIVATE_SUFFIXES
            .iter()
            .any(|suffix| is_within(name, suffix))
}

/// Whether a name is a domain or a name below it: the host decides, never a part of the text.
#[must_use]
pub fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_network_are_not_public() {
        for name in [
            "localhost",
            "sub.localhost",
            "printer.local",
            "metadata.google.internal",
            "metadata.goog",
            "intranet",
            "wiki.corp",
            "kubernetes.default.svc",
            "router.home.arpa",
            "a..b",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
        for name in [
            "example.com",
            "local.example",
            "notlocalhost.io",
            "internal.example.org",
        ] {
            assert!(is_public_name(name), "{name}");
        }
    }

    #[test]
    fn a_look_alike_is_not_within_the_domain() {
        assert!(is_within("gist.github.com", "github.com"));
        assert!(is_within("github.com", "github.com"));
        assert!(!is_within("evilgithub.com", "github.com"));
        assert!(!is_within("github.com.evil.example", "github.com"));
    }
}
