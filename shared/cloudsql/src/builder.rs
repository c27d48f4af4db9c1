//! How a connector is set up.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{ClientConfig, crypto::CryptoProvider};

use crate::{
    admin::AdminApi,
    clock::{Clock, SystemClock},
    connector::{Connector, Inner},
    dns::{GoogleNames, Resolver},
    error::{Error, ErrorKind, Step},
    http::usual_provider,
    key::PendingKey,
    observe::{Nobody, Observer},
    refresh::{Means, Refresh},
    settings::IpType,
    stream::Registry,
    tokens::{CachedTokens, GOOGLES_UNIVERSE, TokenSource},
};

/// Settings of a [`Connector`].
pub struct ConnectorBuilder {
    tokens: Option<Tokens>,
    iam_login: bool,
    refresh: Refresh,
    ip_type: IpType,
    timeout: Duration,
    endpoint: Option<String>,
    universe_domain: Option<String>,
    quota_project: Option<String>,
    user_agent: Option<String>,
    resolver: Option<Arc<dyn Resolver>>,
    failover_period: Option<Duration>,
    provider: Option<Arc<CryptoProvider>>,
    observer: Option<Arc<dyn Observer>>,
    clock: Arc<dyn Clock>,
}

/// Where access tokens come from.
enum Tokens {
    Fresh(Arc<dyn TokenSource>),
    Kept(CachedTokens),
}

impl Default for ConnectorBuilder {
    fn default() -> Self {
        Self {
            tokens: None,
            iam_login: false,
            refresh: Refresh::default(),
            ip_type: IpType::default(),
            timeout: Duration::from_secs(30),
            endpoint: None,
            universe_domain: None,
            quota_project: None,
            user_agent: None,
            resolver: None,
            failover_period: None,
            provider: None,
            observer: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl ConnectorBuilder {
    /// Where access tokens come from. The default is [`crate::tokens::default_source`]: the file
    /// in `GOOGLE_APPLICATION_CREDENTIALS`, else what `gcloud auth application-default login` left,
    /// else the metadata server.
    ///
    /// They are kept until shortly before they end.
    #[must_use]
    pub fn tokens(mut self, tokens: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(Tokens::Fresh(tokens));
        self
    }

    /// Takes access tokens out of a cache that other clients of the process use, too.
    #[must_use]
    pub fn shared_tokens(mut self, tokens: CachedTokens) -> Self {
        self.tokens = Some(Tokens::Kept(tokens));
        self
    }

    /// Whether database users are IAM principals that log in with the certificate, without a
    /// password (off).
    #[must_use]
    pub fn iam_login(mut self, iam_login: bool) -> Self {
        self.iam_login = iam_login;
        self
    }

    /// When settings and certificates are renewed ([`Refresh::Lazy`]).
    #[must_use]
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// Which of an instance's addresses to use ([`IpType::Public`]).
    #[must_use]
    pub fn ip_type(mut self, ip_type: IpType) -> Self {
        self.ip_type = ip_type;
        self
    }

    /// For everything that a connection needs together: tokens, Admin API, TCP, TLS (30 s).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        // A day is for ever here, and can be added to any moment.
        self.timeout = timeout.min(Duration::from_hours(24));
        self
    }

    /// The address of the Admin API, for private endpoints and tests.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The domain of Google's services in another cloud of its kind (`GOOGLE_CLOUD_UNIVERSE_DOMAIN`,
    /// else `googleapis.com`). Credentials in a file must be for the same.
    #[must_use]
    pub fn universe_domain(mut self, domain: impl Into<String>) -> Self {
        self.universe_domain = Some(domain.into());
        self
    }

    /// The project whose quota pays for calls of the Admin API (`GOOGLE_CLOUD_QUOTA_PROJECT`, else
    /// what the credentials say).
    #[must_use]
    pub fn quota_project(mut self, project: impl Into<String>) -> Self {
        self.quota_project = Some(project.into());
        self
    }

    /// What to add to the `User-Agent` of calls of the Admin API, such as `app/1.0`.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Who answers questions about DNS names (the system's resolver).
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Asks this often where DNS names lead, and cuts the connections to an instance that was
    /// replaced (never: only new connections ask). It takes a task for each name.
    #[must_use]
    pub fn failover_period(mut self, period: Duration) -> Self {
        self.failover_period = Some(period);
        self
    }

    /// Which cryptography TLS uses, to instances and to the Admin API (the process's default, else
    /// aws-lc). Sources of tokens use that default, whatever is given here.
    #[must_use]
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Who is told what happens, such as [`crate::Counters`].
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What time it is, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the connector, and begins to make its key.
    ///
    /// # Errors
    ///
    /// Settings that cannot work, and credentials that cannot be read.
    pub fn build(self) -> Result<Connector, Error> {
        let key = PendingKey::start();
        let clock = self.clock;
        let keep = |source| CachedTokens::with_clock(source, Arc::clone(&clock));
        let tokens: Arc<dyn TokenSource> = Arc::new(match self.tokens {
            Some(Tokens::Kept(tokens)) => tokens,
            Some(Tokens::Fresh(source)) => keep(source),
            None => keep(crate::tokens::default_source()?),
        });
        let provider = self.provider.unwrap_or_else(usual_provider);
        let tls = ClientConfig::builder_with_provider(Arc::clone(&provider));
        if let Err(error) = tls.with_protocol_versions(&[&rustls::version::TLS13]) {
            let message = "the cryptography provider cannot do TLS 1.3";
            let error = Error::new(ErrorKind::Configuration, Step::Configuration, message)
                .remedy("use one that can, such as that of aws-lc")
                .caused_by(error);
            return Err(error);
        }
        let universe = self
            .universe_domain
            .or_else(|| variable("GOOGLE_CLOUD_UNIVERSE_DOMAIN"))
            .unwrap_or_else(|| GOOGLES_UNIVERSE.to_owned());
        if let Some(theirs) = tokens.universe_domain().filter(|it| *it != universe) {
            let message = format!("the credentials are for {theirs}, the connector for {universe}");
            return Err(
                Error::new(ErrorKind::Configuration, Step::Configuration, message).remedy(format!(
                    "use credentials of {universe}, or set GOOGLE_CLOUD_UNIVERSE_DOMAIN={theirs}"
                )),
            );
        }
        let api = AdminApi::new(
            self.endpoint.as_deref(),
            &universe,
            Arc::clone(&tokens),
            self.quota_project
                .or_else(|| variable("GOOGLE_CLOUD_QUOTA_PROJECT")),
            self.user_agent.as_deref(),
            Arc::clone(&provider),
        )?;
        let means = Means {
            google: GoogleNames::new(api.clone()),
            api,
            login: self.iam_login.then(|| Arc::clone(&tokens)),
            key,
            provider,
            clock,
            observer: self.observer.unwrap_or_else(|| Arc::new(Nobody)),
            timeout: self.timeout,
            mode: self.refresh,
        };
        Ok(Connector(Arc::new(Inner {
            means: Arc::new(means),
            tokens,
            resolver: self.resolver,
            ip_type: self.ip_type,
            failover_period: self.failover_period,
            refreshers: Mutex::default(),
            domains: Mutex::default(),
            registry: Registry::new(),
        })))
    }
}

/// Without the sources of tokens, which have secrets.
impl fmt::Debug for ConnectorBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectorBuilder")
            .field("iam_login", &self.iam_login)
            .field("refresh", &self.refresh)
            .field("ip_type", &self.ip_type)
            .field("timeout", &self.timeout)
            .field("endpoint", &self.endpoint)
            .field("universe_domain", &self.universe_domain)
            .field("quota_project", &self.quota_project)
            .field("user_agent", &self.user_agent)
            .field("failover_period", &self.failover_period)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "where Google's tools look, too")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustls::crypto::{GetRandomFailed, SecureRandom, aws_lc_rs};

    use super::*;
    use crate::tokens::Fixed;

    /// Counts how often it is asked for random bytes.
    #[derive(Debug)]
    struct Counted(AtomicUsize);

    impl SecureRandom for Counted {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
            self.0.fetch_add(1, Ordering::SeqCst);
            aws_lc_rs::default_provider().secure_random.fill(bytes)
        }
    }

    #[tokio::test]
    async fn the_cryptography_that_was_given_speaks_to_google_too() {
        static RANDOM: Counted = Counted(AtomicUsize::new(0));
        let provider = CryptoProvider {
            secure_random: &RANDOM,
            ..aws_lc_rs::default_provider()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let connector = Connector::builder()
            .tokens(Arc::new(Fixed::new("t")))
            .endpoint(endpoint)
            .crypto_provider(Arc::new(provider))
            .timeout(Duration::from_secs(1))
            .build()
            .unwrap();
        let (_open, _error) = tokio::join!(listener.accept(), connector.warm_up("p:r:i"));
        assert!(RANDOM.0.load(Ordering::SeqCst) > 0);
    }

    #[test]
    fn cryptography_without_tls_1_3_is_refused_at_once() {
        let provider = CryptoProvider {
            cipher_suites: Vec::new(),
            ..aws_lc_rs::default_provider()
        };
        let tokens = Arc::new(Fixed::new("t"));
        let builder = Connector::builder().tokens(tokens);
        let error = builder.crypto_provider(Arc::new(provider)).build();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);
    }
}
