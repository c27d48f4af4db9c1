//! Which URLs may be fetched.

use nova_web::{MAX_URL_BYTES, Reach, Refusal, WebUrl};
use proptest::prelude::*;
use url::Host;

fn refusal(url: &str) -> Option<Refusal> {
    WebUrl::parse(url, Reach::Public).err()
}

#[test]
fn each_rule_refuses_for_its_own_reason() {
    let private = Some(Refusal::PrivateAddress);
    let port = |port| Some(Refusal::UnsupportedPort { port });
    for (url, expected) in [
        ("https://example.com/", None),
        ("http://example.com:8080/", None),
        ("https://example.com:8443/", None),
        ("http://example.com:443/", None),
        ("https://8.8.8.8/", None),
        ("https://[2606:4700::1111]/", None),
        ("example.com", Some(Refusal::InvalidUrl)),
        ("", Some(Refusal::InvalidUrl)),
        ("http://", Some(Refusal::InvalidUrl)),
        ("http://a b/", Some(Refusal::InvalidUrl)),
        ("http://1.2.3.4.5/", Some(Refusal::InvalidUrl)),
        ("gopher://example.com/", Some(Refusal::UnsupportedScheme)),
        ("data:text/html,x", Some(Refusal::UnsupportedScheme)),
        ("http://example.com:0/", port(0)),
        ("http://example.com:6379/", port(6379)),
        ("https://user@example.com/", Some(Refusal::CredentialsInUrl)),
        (
            "https://:secret@example.com/",
            Some(Refusal::CredentialsInUrl),
        ),
        ("http://2130706433/", private),
        ("http://017700000001/", private),
        ("http://127。0。0。1/", private),
        ("http://[::ffff:7f00:1]/", private),
        ("http://intranet/", private),
        ("http://localhost./", private),
        ("http://LOCALHOST:22/", private),
        ("http://a.internal./", private),
        ("http://../", Some(Refusal::InvalidUrl)),
        ("http://127.0.0.1./", private),
        ("http://127.0.0.1../", private),
        ("http://0x7f.1.../", private),
    ] {
        assert_eq!(refusal(url), expected, "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
    assert_eq!(refusal(&long), Some(Refusal::TooLong));
}

#[test]
fn ones_own_network_can_be_opened_but_not_its_metadata_server() {
    let open = |url: &str| WebUrl::parse(url, Reach::OwnNetwork).is_ok();
    assert!(open("http://wiki.corp:9000/") && open("http://intranet/") && open("http://[::1]:1/"));
    for url in [
        "http://metadata.google.internal/",
        "http://metadata/",
        "http://169.254.169.254/",
        "http://[fd20:ce::254]/",
        "http://user@intranet/",
        "file:///etc/passwd",
    ] {
        assert!(!open(url), "{url}");
    }
}

#[test]
fn a_redirect_is_read_beside_the_url_that_answered_it() {
    let url = WebUrl::parse("https://a.example/b/c?d#e", Reach::Public).unwrap();
    let to = |location: &str| url.redirect(location, Reach::Public);
    assert_eq!(to("../x#y").unwrap().as_str(), "https://a.example/x");
    assert_eq!(to("//b.example").unwrap().as_str(), "https://b.example/");
    assert_eq!(to("?q").unwrap().path_and_query(), "/b/c?q");
    assert_eq!(to("").unwrap(), url);
    assert_eq!(to("http://[::1]/"), Err(Refusal::PrivateAddress));
    assert_eq!(to("javascript:1"), Err(Refusal::UnsupportedScheme));
    assert_eq!(to("//x@a.example"), Err(Refusal::CredentialsInUrl));
    assert!(url.is_same_origin(&to("/x").unwrap()));
    assert!(!url.is_same_origin(&to("http://a.example/").unwrap()));
    assert_eq!(url.robots().as_str(), "https://a.example/robots.txt");
}

proptest! {
    #[test]
    fn no_url_that_passes_names_a_private_address(
        url in r"(https?|HTTP|ftp):[/\\]{0,3}([a-z0-9@:%\[\]]{0,6}@)?(0x7f|127|10|0|192\.168|[0-9]{1,10}|\[[0-9a-f:.]{2,20}\]|[a-z]{1,9})([.。][0-9a-fx]{1,4}){0,4}(\.(local|internal|com))?(:[0-9]{0,5})?([/?#\\].{0,9})?"
    ) {
        if let Ok(url) = WebUrl::parse(&url, Reach::Public) {
            match url.host() {
                Host::Ipv4(address) => prop_assert!(nova_web::is_global(address.into())),
                Host::Ipv6(address) => prop_assert!(nova_web::is_global(address.into())),
                Host::Domain(name) => prop_assert!(nova_web::is_public_name(name)),
            }
            prop_assert!([80, 443, 8080, 8443].contains(&url.port()));
        }
    }
}
