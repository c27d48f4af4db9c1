//! From a URL to a connection, by an address that was checked.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use nova_web::{Reach, Refusal, WebUrl};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use url::Host;

use super::{
    error::{FetchError, Wait},
    limits::{CONNECT, Deadline, RESOLVE},
    network::Network,
};

/// A name with more addresses than these has them for balance, not for our patience.
const ADDRESSES_TRIED: usize = 4;

/// A connection, in clear or by TLS.
pub(super) type Connection = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// TLS as all of Nova speaks it, with Mozilla's roots.
pub(super) fn tls(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Opens a connection to the URL's host: resolves once, checks every address, and connects to one
/// of those.
pub(super) async fn connect(
    network: &dyn Network,
    tls: &Arc<ClientConfig>,
    url: &WebUrl,
    reach: Reach,
    deadline: Deadline,
) -> Result<Connection, FetchError> {
    let host = url.host_str();
    let addresses = addresses(network, url, reach, deadline).await?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.into_iter().take(ADDRESSES_TRIED) {
        let connecting = network.connect(SocketAddr::new(address, url.port()));
        match deadline
            .wait(host, Wait::Connection, CONNECT, connecting)
            .await
        {
            Ok(Ok(stream)) => {
                // A request is one write; it need not wait for another.
                let _best_effort = stream.set_nodelay(true);
                if !url.is_https() {
                    return Ok(Box::new(stream));
                }
                let name = server_name(url)?;
                let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                let agreed = deadline
                    .wait(host, Wait::Connection, CONNECT, handshake)
                    .await?;
                return match agreed {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(source) => Err(FetchError::Tls {
                        host: host.to_owned(),
                        source,
                    }),
                };
            }
            Ok(Err(error)) => last = error,
            Err(
                timeout @ FetchError::Timeout {
                    wait: Wait::Total, ..
                },
            ) => return Err(timeout),
            Err(_slow) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    let host = host.to_owned();
    if last.kind() == io::ErrorKind::TimedOut {
        let wait = Wait::Connection;
        Err(FetchError::Timeout { host, wait })
    } else {
        Err(FetchError::Unreachable { host, source: last })
    }
}

/// The addresses that may be connected to: all that the host has, or none.
pub(super) async fn addresses(
    network: &dyn Network,
    url: &WebUrl,
    reach: Reach,
    deadline: Deadline,
) -> Result<Vec<IpAddr>, FetchError> {
    let name = match url.host() {
        // Checked with the URL; asked again, because this is where it counts.
        Host::Ipv4(address) => return checked(vec![address.into()], url, reach),
        Host::Ipv6(address) => return checked(vec![address.into()], url, reach),
        Host::Domain(name) => name,
    };
    let resolving = network.resolve(name);
    let found = deadline.wait(name, Wait::Name, RESOLVE, resolving).await?;
    let failed = |source| FetchError::Dns {
        host: name.to_owned(),
        source,
    };
    let found = found.map_err(failed)?;
    if found.is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    checked(found, url, reach)
}

fn checked(addresses: Vec<IpAddr>, url: &WebUrl, reach: Reach) -> Result<Vec<IpAddr>, FetchError> {
    if let Some(address) = addresses.iter().find(|address| !reach.allows(**address)) {
        // For the operator only: what a name means inside is not the user's to learn.
        tracing::warn!(host = url.host_str(), %address, "a URL leads to a private address: refused");
        return Err(Refusal::PrivateAddress.into());
    }
    Ok(addresses)
}

fn server_name(url: &WebUrl) -> Result<ServerName<'static>, FetchError> {
    match url.host() {
        Host::Ipv4(address) => Ok(IpAddr::from(address).into()),
        Host::Ipv6(address) => Ok(IpAddr::from(address).into()),
        Host::Domain(name) => {
            ServerName::try_from(name.to_owned()).map_err(|_no_dns_name| Refusal::InvalidUrl.into())
        }
    }
}
