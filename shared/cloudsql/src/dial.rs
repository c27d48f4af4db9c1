//! From a target to an open tunnel: address, TCP, TLS, and a second try.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    connector::Inner,
    error::{Error, ErrorKind, Step},
    instance::Target,
    refresh::{Refresher, Session},
    settings::trim_dot,
    stream::{Socket, Stream},
    tls::WrongServer,
};

/// The port of the server side of Cloud SQL's TLS tunnels.
const PORT: u16 = 3307;

impl Inner {
    #[tracing::instrument(name = "dial", level = "debug", skip_all, fields(instance = instance))]
    pub(crate) async fn dial(
        self: &Arc<Self>,
        instance: &str,
        stale: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Stream, Error> {
        if self.registry.is_closed() {
            return Err(closed());
        }
        let target: Target = instance.parse()?;
        let refresher = self.refresher(&target, deadline).await?;
        let (refresher, session) = if let Some(stale) = stale {
            self.renewed(&target, refresher, stale, deadline).await?
        } else {
            let session = refresher.session(deadline).await?;
            (refresher, session)
        };
        match self
            .open(&target, &refresher, &session, stale.is_none(), deadline)
            .await
        {
            Err(error) if stale.is_none() && is_worth_a_refresh(&error) => {
                if Instant::now() >= deadline {
                    refresher.distrust(&session);
                    return Err(error);
                }
                tracing::debug!(%error, "trying again with new settings and a new certificate");
                // What is told is why there is no connection; a refresh that fails is a reason, too.
                let (refresher, renewed) =
                    self.renewed(&target, refresher, &session, deadline).await?;
                self.open(&target, &refresher, &renewed, false, deadline)
                    .await
            }
            done => done,
        }
    }

    /// Another session than this, which did not work: of the same instance, or of the one that the
    /// name leads to by now.
    async fn renewed(
        self: &Arc<Self>,
        target: &Target,
        refresher: Arc<Refresher>,
        stale: &Arc<Session>,
        deadline: Instant,
    ) -> Result<(Arc<Refresher>, Arc<Session>), Error> {
        let renewed = refresher.renewed(stale, deadline).await;
        if let Target::Domain(_) = target {
            let current = self.refresher(target, deadline).await?;
            if !Arc::ptr_eq(&current, &refresher) {
                let session = current.session(deadline).await?;
                return Ok((current, session));
            }
        }
        Ok((refresher, renewed?))
    }

    async fn open(
        &self,
        target: &Target,
        refresher: &Arc<Refresher>,
        session: &Arc<Session>,
        is_first: bool,
        deadline: Instant,
    ) -> Result<Stream, Error> {
        let hosts = self.hosts(target, session, deadline).await?;
        let mut failure = None;
        for (index, host) in hosts.iter().enumerate() {
            let others = hosts.len() - index - 1;
            // An address that swallows packets must not eat the time of the next one, nor that of the
            // second try with new settings.
            let slice = share(deadline, others + 1 + usize::from(is_first));
            let addresses = match self.addresses(host, slice).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    failure = failure.or(Some(error));
                    continue;
                }
            };
            for (index, address) in addresses.iter().enumerate() {
                let more = addresses.len() - index - 1;
                let tcp_limit = share(slice, more + 1);
                // Who has taken the call may be slow to answer it, as long as no other is waiting.
                let tls_limit = share(deadline, others + more + 1);
                match self
                    .handshake(session, *address, tcp_limit, tls_limit)
                    .await
                {
                    Ok(tls) => {
                        let stream = Stream::new(
                            tls,
                            refresher,
                            Arc::clone(&self.means.observer),
                            Arc::clone(session),
                            &self.registry,
                        );
                        return self.still_there(target, stream.ok_or_else(closed)?);
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        Err(failure.unwrap_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                Step::Address,
                "the instance's name has no address",
            )
        }))
    }

    /// A name that the caller gave and that has addresses of its own goes before Google's answer.
    async fn hosts(
        &self,
        target: &Target,
        session: &Session,
        deadline: Instant,
    ) -> Result<Vec<String>, Error> {
        if let Target::Domain(domain) = target {
            let resolver = self.resolver()?;
            let limit = deadline.min(Instant::now() + Duration::from_secs(2));
            let own = timeout_at(limit, resolver.addresses(domain)).await;
            if own.is_ok_and(|own| own.is_ok_and(|found| !found.is_empty())) {
                return Ok(vec![domain.clone()]);
            }
        }
        session.settings.hosts(self.ip_type)
    }

    pub(crate) async fn addresses(
        &self,
        host: &str,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, Error> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        if let Some(resolver) = &self.resolver
            && let Ok(Ok(found)) = timeout_at(deadline, resolver.addresses(host)).await
            && !found.is_empty()
        {
            return Ok(found);
        }
        let failed = || {
            Error::new(
                ErrorKind::Unavailable,
                Step::Address,
                format!("{host} has no address"),
            )
            .remedy(
                "make the name resolve in this network: Private Service Connect needs a DNS record",
            )
        };
        let found = timeout_at(deadline, tokio::net::lookup_host((trim_dot(host), PORT))).await;
        let found = found.map_err(|_late| failed())?;
        let found = found.map_err(|error| failed().caused_by(error))?;
        Ok(found.map(|address| address.ip()).collect())
    }

    async fn handshake(
        &self,
        session: &Session,
        address: IpAddr,
        tcp_limit: Instant,
        tls_limit: Instant,
    ) -> Result<TlsStream<Socket>, Error> {
        let tcp = self.tcp(address, tcp_limit).await?;
        // A machine that slept since the session was checked would show a certificate that is over.
        if session.ends <= self.means.clock.now() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                Step::Tls,
                "the certificate ended before it was used",
            ));
        }
        self.tls(session, address, tcp, tls_limit).await
    }

    pub(crate) async fn tcp(&self, address: IpAddr, deadline: Instant) -> Result<Socket, Error> {
        let address = SocketAddr::new(address, PORT);
        let remedy = "check that the instance runs and that this network reaches it (VPC, firewall, type of address)";
        let tcp = timeout_at(deadline, TcpStream::connect(address)).await;
        let tcp = tcp.map_err(|_late| {
            let message = format!("{address} does not answer");
            Error::new(ErrorKind::Timeout, Step::Tcp, message).remedy(remedy)
        })?;
        tcp.and_then(Socket::new).map_err(|error| {
            let message = format!("{address} cannot be reached");
            Error::new(ErrorKind::Unavailable, Step::Tcp, message)
                .remedy(remedy)
                .caused_by(error)
        })
    }

    pub(crate) async fn tls(
        &self,
        session: &Session,
        address: IpAddr,
        tcp: Socket,
        deadline: Instant,
    ) -> Result<TlsStream<Socket>, Error> {
        let name = session.settings.identity.server_name(address);
        let connect = TlsConnector::from(Arc::clone(&session.tls)).connect(name, tcp);
        let tls = timeout_at(deadline, connect).await.map_err(|_late| {
            Error::new(
                ErrorKind::Timeout,
                Step::Tls,
                "the TLS handshake took too long",
            )
        })?;
        tls.map_err(handshake_error)
    }
}

pub(crate) fn closed() -> Error {
    Error::new(
        ErrorKind::Closed,
        Step::Configuration,
        "the connector was closed",
    )
}

/// The end of the first of so many equal parts of what is left.
fn share(deadline: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    now + deadline.saturating_duration_since(now) / parts
}

/// Wrong addresses, certificates and roots get better by asking again; a missing type of address
/// does not.
fn is_worth_a_refresh(error: &Error) -> bool {
    matches!(error.step(), Step::Tcp | Step::Tls)
}

fn handshake_error(error: std::io::Error) -> Error {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(refused)) => {
            let message = match refused {
                rustls::CertificateError::Other(other) => other
                    .0
                    .downcast_ref::<WrongServer>()
                    .map(ToString::to_string),
                _ => None,
            };
            let message = message
                .unwrap_or_else(|| format!("the server's certificate is not good: {refused:?}"));
            Error::new(ErrorKind::Identity, Step::Tls, message)
                .remedy("something else than the instance answers at its address; do not trust it")
        }
        Some(rustls::Error::AlertReceived(alert)) => Error::new(
            ErrorKind::Denied,
            Step::Tls,
            format!("the server refused the handshake: {alert:?}"),
        ),
        _ => Error::new(
            ErrorKind::Unavailable,
            Step::Tls,
            "the connection broke in the TLS handshake",
        )
        .caused_by(error),
    }
}
