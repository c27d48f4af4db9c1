//! Nobody makes the client connect to what is not on the public internet.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use nova_runtime::{
    clock::SystemClock,
    config::FetchConfig,
    fetch::{FetchRequest, Fetcher, Initiative, Network, Politeness, Refusal},
};
use proptest::prelude::*;
use tokio::net::TcpStream;

use crate::internet::{Answer, Internet, PUBLIC, document, page};

/// Resolves every name to the same, and accepts no connection.
#[derive(Debug)]
struct Tempting {
    addresses: Vec<IpAddr>,
    connected: Mutex<Vec<SocketAddr>>,
}

impl Network for Tempting {
    fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(self.addresses.clone()) })
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.connected.lock().unwrap().push(address);
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

/// Addresses of every kind; half of them near a border of what is special.
fn address() -> impl Strategy<Value = IpAddr> {
    let special = prop::sample::select(vec![
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd20:ce::254",
        "fe80::1",
    ]);
    prop_oneof![
        special.prop_map(|it| it.parse().unwrap()),
        any::<u32>().prop_map(|it| IpAddr::V4(Ipv4Addr::from(it))),
        any::<u128>().prop_map(|it| IpAddr::V6(Ipv6Addr::from(it))),
        any::<u128>().prop_map(|it| IpAddr::V6(Ipv6Addr::from(it >> 3 | 1 << 125))),
        Just(PUBLIC.parse().unwrap()),
    ]
}

fn url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        address().prop_map(|it| match it {
            IpAddr::V4(it) => it.to_string(),
            IpAddr::V6(it) => format!("[{it}]"),
        }),
        address().prop_map(|it| match it {
            IpAddr::V4(it) => format!("{:#x}", u32::from(it)),
            IpAddr::V6(it) => format!("{it}.nip.io"),
        }),
        "[a-z0-9.。ⓔ@%:]{1,20}",
        Just("a.example".to_owned()),
    ];
    let port = prop_oneof![Just(String::new()), "(:[0-9]{1,5})?"];
    (
        "(https?|ftp|file|HTTP):[/\\\\]{0,3}",
        host,
        port,
        "[/?#\\\\]?[ -~]{0,12}",
    )
        .prop_map(|(scheme, host, port, rest)| format!("{scheme}{host}{port}{rest}"))
}

proptest! {
    #[test]
    fn no_url_and_no_answer_of_dns_leads_to_a_private_address(
        url in url(),
        addresses in prop::collection::vec(address(), 0..4),
    ) {
        let network = Arc::new(Tempting { addresses: addresses.clone(), connected: Mutex::default() });
        let config = FetchConfig::default();
        let over: Arc<dyn Network> = Arc::<Tempting>::clone(&network);
        let fetcher = Fetcher::over(over, &config, Politeness::default(), &[], SystemClock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = FetchRequest::new(&url, Initiative::User);
        let outcome = runtime.block_on(async { fetcher.fetch(&request).await.map(|_| ()) });
        prop_assert!(outcome.is_err());
        let connected = network.connected.lock().unwrap();
        for address in connected.iter() {
            prop_assert!(nova_web::is_global(address.ip()), "{url}: {address}");
            prop_assert!([80, 443, 8080, 8443].contains(&address.port()), "{url}: {address}");
        }
    }
}

#[tokio::test]
async fn one_private_address_among_others_refuses_them_all() {
    for private in ["10.0.0.1", "::1", "fd20:ce::254", "0.0.0.0"] {
        let internet = Internet::new(|_| page("", b"hello")).await;
        let mixed = [PUBLIC, private].map(|it| it.parse().unwrap());
        internet.answer("mixed.test", [Answer::Addresses(mixed.to_vec())]);
        let error = internet.get("http://mixed.test/").await.unwrap_err();
        assert_eq!(error.reason(), "private_address");
        // What the name resolves to inside is not the user's to learn.
        assert!(!error.to_string().contains(private), "{error}");
        assert!(internet.connected.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_a_failure_of_dns() {
    let internet = Internet::new(|_| page("", b"hello")).await;
    internet.answer("none.test", [Answer::Addresses(Vec::new())]);
    let error = internet.get("http://none.test/").await.unwrap_err();
    assert_eq!(error.reason(), "dns");
}

#[tokio::test]
async fn the_operator_may_open_their_own_network_but_not_its_metadata_server() {
    let internet = Internet::new(|_| page("", b"hello")).await;
    let config = FetchConfig {
        allow_private_urls: true,
        ..FetchConfig::default()
    };
    let fetcher = internet.fetcher_with(&config);
    internet.answer(
        "wiki",
        [Answer::Addresses(vec!["10.0.0.7".parse().unwrap()])],
    );
    let metadata = "169.254.169.254".parse().unwrap();
    internet.answer("sly", [Answer::Addresses(vec![metadata])]);
    for url in [
        "http://wiki:9000/",
        "http://127.0.0.1/",
        "http://[::1]:8080/",
    ] {
        let request = FetchRequest::new(url, Initiative::User);
        assert!(fetcher.fetch(&request).await.is_ok(), "{url}");
    }
    for url in [
        "http://sly/",
        "http://169.254.169.254/",
        "http://metadata.google.internal/",
    ] {
        let request = FetchRequest::new(url, Initiative::User);
        let error = fetcher.fetch(&request).await.unwrap_err();
        let is_private = matches!(
            error,
            nova_runtime::fetch::FetchError::Refused(Refusal::PrivateAddress)
        );
        assert!(is_private, "{url}: {error}");
    }
}

#[tokio::test]
async fn the_machines_own_network_is_used_when_nothing_else_is_given() {
    let internet = Internet::new(|_| page("", b"hello")).await;
    let url = format!("http://localhost:{}/", internet.plain.port());
    let request = FetchRequest::new(url, Initiative::User);
    let open = FetchConfig {
        allow_private_urls: true,
        ..FetchConfig::default()
    };
    let page = document(Fetcher::new(&open).fetch(&request).await).unwrap();
    assert_eq!(&page.into_body().collect().await.unwrap()[..], b"hello");
    let closed = Fetcher::new(&FetchConfig::default());
    let error = closed.fetch(&request).await.unwrap_err();
    assert_eq!(error.reason(), "private_address");
}

#[tokio::test]
async fn the_server_is_told_the_name_and_who_asks_and_no_more() {
    let internet = Internet::new(|_| page("", b"hello")).await;
    let document = internet
        .get("https://Example.com.:8443/a?b#c")
        .await
        .unwrap();
    assert_eq!(document.url().as_str(), "https://example.com:8443/a?b");
    let seen = internet.seen.lock().unwrap();
    assert_eq!(seen[0].path(), "/a?b");
    assert_eq!(seen[0].header("host"), Some("example.com:8443"));
    assert!(
        seen[0]
            .header("user-agent")
            .unwrap()
            .starts_with("nova-research/")
    );
    for name in ["cookie", "authorization", "referer", "x-forwarded-for"] {
        assert_eq!(seen[0].header(name), None);
    }
}
