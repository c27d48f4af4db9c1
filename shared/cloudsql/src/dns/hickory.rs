//! DNS by `hickory-resolver`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{DnsError as AnswerError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{RData, Record, RecordType},
    },
};

use super::{DnsError, Resolver};

/// How long one server is given for one answer. It is asked once more; by then it has looked up what
/// it did not know.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the DNS servers of this machine, or a given one.
///
/// Nothing is kept between questions: no cache, so that an instance that was replaced is seen at
/// once, and neither socket nor task. The DNS server that is asked caches.
#[derive(Clone, Default)]
pub struct DnsResolver {
    server: Option<SocketAddr>,
}

impl DnsResolver {
    /// The servers that the system's settings name (`/etc/resolv.conf`, `/etc/hosts`).
    pub fn system() -> Self {
        Self { server: None }
    }

    /// This server. Names in `localhost` and `invalid` it is not asked for: they are known to lead to
    /// this machine and nowhere (RFC 6761).
    pub fn at(server: SocketAddr) -> Self {
        Self {
            server: Some(server),
        }
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = match self.server {
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let connections = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.into());
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio()?,
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.cache_size = 0;
        options.timeout = PATIENCE.min(options.timeout);
        options.attempts = 1;
        builder.build()
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&Record) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let resolver = self.resolver().map_err(failed)?;
        let answer = resolver.lookup(rooted(name), kind).await.map_err(failed)?;
        let found: Vec<T> = answer.answers().iter().filter_map(pick).collect();
        if found.is_empty() {
            Err(DnsError::NoRecord)
        } else {
            Ok(found)
        }
    }
}

/// With the last dot, which keeps the search list out.
fn rooted(name: &str) -> String {
    format!("{}.", name.strip_suffix('.').unwrap_or(name))
}

fn failed(error: NetError) -> DnsError {
    match &error {
        NetError::Dns(AnswerError::NoRecordsFound(none))
            if matches!(
                none.response_code,
                ResponseCode::NoError | ResponseCode::NXDomain
            ) =>
        {
            DnsError::NoRecord
        }
        _ => DnsError::Unanswered(error.into()),
    }
}

impl Resolver for DnsResolver {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(
            self.ask(name, RecordType::TXT, |record| match &record.data {
                // A text of more than 255 bytes comes in pieces.
                RData::TXT(text) => {
                    Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
                }
                _ => None,
            }),
        )
    }

    fn cname<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, DnsError>> {
        Box::pin(async move {
            let found = self.ask(name, RecordType::CNAME, |record| match &record.data {
                RData::CNAME(target) => Some(target.to_utf8()),
                _ => None,
            });
            found.await?.into_iter().next().ok_or(DnsError::NoRecord)
        })
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async move {
            let resolver = self.resolver().map_err(failed)?;
            let found = resolver.lookup_ip(rooted(name)).await.map_err(failed)?;
            Ok(found.iter().collect())
        })
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server {
            Some(server) => write!(formatter, "DnsResolver({server})"),
            None => formatter.write_str("DnsResolver(system)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    /// Labels of a name as they go over the wire.
    fn wire(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes
    }

    fn record(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        // The name is the one of the question, at offset 12.
        let mut bytes = vec![0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60];
        bytes.extend(length);
        bytes.extend(data);
        bytes
    }

    fn text(pieces: &[&str]) -> Vec<u8> {
        let mut data = Vec::new();
        for piece in pieces {
            data.push(u8::try_from(piece.len()).unwrap());
            data.extend(piece.as_bytes());
        }
        record(16, &data)
    }

    /// Knows a few names, and fails on `broken`.
    async fn server() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut question = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut question).await.unwrap();
                let question = &question[..length];
                let name_end = 12 + question[12..].iter().position(|it| *it == 0).unwrap() + 1;
                let (name, kind) = (&question[12..name_end], question[name_end + 1]);
                let is = |text: &str| name.eq_ignore_ascii_case(&wire(text));
                let (code, records) = if is("broken.test") {
                    (2, vec![])
                } else if is("db.test") && kind == 16 {
                    (0, vec![text(&["v=spf1"]), text(&["p:europe-", "west1:i"])])
                } else if is("alias.test") && kind == 5 {
                    (0, vec![record(5, &wire("db.test"))])
                } else if is("db.test") && kind == 1 {
                    (0, vec![record(1, &[127, 0, 0, 9])])
                } else if is("db.test") {
                    (0, vec![])
                } else {
                    (3, vec![])
                };
                let mut answer = question[..2].to_vec();
                let count = u8::try_from(records.len()).unwrap();
                answer.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
                answer.extend(&question[12..name_end + 4]);
                answer.extend(records.concat());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn texts_aliases_and_addresses_are_asked_of_the_given_server() {
        let resolver = DnsResolver::at(server().await);
        let mut texts = resolver.txt("db.test").await.unwrap();
        texts.sort();
        assert_eq!(texts, ["p:europe-west1:i", "v=spf1"]);
        let alias = resolver.cname("alias.test").await.unwrap();
        assert_eq!(alias.trim_end_matches('.'), "db.test");
        let addresses = resolver.addresses("db.test").await.unwrap();
        assert_eq!(addresses, [IpAddr::from([127, 0, 0, 9])]);
    }

    #[tokio::test]
    async fn a_record_that_is_not_there_is_told_from_a_server_in_trouble() {
        let resolver = DnsResolver::at(server().await);
        for name in ["db.test", "nowhere.test"] {
            let answer = resolver.cname(name).await;
            assert!(
                matches!(answer, Err(DnsError::NoRecord)),
                "{name}: {answer:?}"
            );
        }
        let answer = resolver.txt("broken.test").await;
        assert!(matches!(answer, Err(DnsError::Unanswered(_))), "{answer:?}");
        let answer = DnsResolver::at("127.0.0.1:1".parse().unwrap())
            .txt("db.test")
            .await;
        assert!(matches!(answer, Err(DnsError::Unanswered(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn nothing_is_left_behind_by_a_question() {
        let resolver = DnsResolver::at(server().await);
        let before = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        resolver.txt("db.test").await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let after = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        assert_eq!(before, after);
    }
}
