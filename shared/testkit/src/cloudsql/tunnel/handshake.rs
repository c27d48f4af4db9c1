//! TLS 1.3 with a client certificate that was issued for this instance.

use std::io;
use std::sync::Arc;

use rustls::server::{Acceptor, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::certificates::Origin;
use super::super::fault::Step;
use super::super::instance::Inner;
use super::super::journal::Event;
use super::{Connection, survives};

/// A connection whose client has shown a certificate of ours.
pub(super) struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) origin: Arc<Origin>,
}

/// What a client says first.
#[derive(Default)]
struct Hello {
    server_name: Option<String>,
    alpn: Vec<String>,
}

impl Connection {
    /// `None` when it failed; in TLS 1.3 the client believes in success until it reads.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Option<Secured> {
        let mut hello = Hello::default();
        let outcome = self.try_handshake(stream, &mut hello).await;
        let version = outcome.as_ref().ok().and_then(|secured| {
            let (_, session) = secured.stream.get_ref();
            session.protocol_version()
        });
        self.note(Event::Handshake {
            connection: self.number,
            version: version.and_then(|it| it.as_str()).map(str::to_owned),
            server_name: hello.server_name,
            alpn: hello.alpn,
            error: outcome.as_ref().err().map(ToString::to_string),
        });
        outcome.ok()
    }

    async fn try_handshake(&self, stream: TcpStream, hello: &mut Hello) -> io::Result<Secured> {
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        *hello = {
            let said = start.client_hello();
            let alpn = said.alpn().into_iter().flatten();
            Hello {
                server_name: said.server_name().map(str::to_owned),
                alpn: alpn
                    .map(|it| String::from_utf8_lossy(it).into_owned())
                    .collect(),
            }
        };
        let fault = self.instance.cloud.fault(Step::Tls);
        if !survives(fault, &mut start.io).await {
            return Err(io::Error::other("cut by a fault"));
        }
        let config = config(&self.instance).map_err(io::Error::other)?;
        let stream = start.into_stream(Arc::new(config)).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let origin = certificate.and_then(|it| self.instance.issued.origin(it));
        let origin = origin.ok_or_else(|| io::Error::other("a certificate of unknown origin"))?;
        Ok(Secured { stream, origin })
    }
}

/// Made for each connection: what is shown and what is trusted may have changed since the last.
fn config(instance: &Inner) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(instance.issued.root())?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let shown = Arc::clone(&instance.trust().shown);
    let key = provider.key_provider.load_private_key(shown.key())?;
    // Unread: rustls would not show a certificate that it does not read itself.
    let shown = SingleCertAndKey::from(CertifiedKey::new(shown.chain.clone(), key));
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier.build()?)
        .with_cert_resolver(Arc::new(shown)))
}
