//! The client: one fetch is a few hops, each of them checked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use nova_web::{Reach, Refusal, WebUrl};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::time::Instant;

use super::{
    body::{Body, Meter},
    connect::{addresses, connect, tls},
    decode::{ACCEPT_ENCODING, Decoder},
    error::FetchError,
    exchange::{Answer, exchange},
    limits::{Deadline, REDIRECTS, RESOLVE},
    network::{Internet, Network},
    politeness::{Politeness, Site, Sites, Turn},
    request::{FetchRequest, Initiative},
    response::{Document, Fetched, text},
    retry_after,
    robots::RobotsFiles,
};
use crate::{
    clock::{Clock, SystemClock},
    config::FetchConfig,
};

/// What the client calls itself, and what sites write into their robots.txt to mean it.
pub const PRODUCT: &str = "nova-research";

/// Fetches what strangers name. Clones share what is known of the sites.
#[derive(Clone, Debug)]
pub struct Fetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reach: Reach,
    user_agent: HeaderValue,
    network: Arc<dyn Network>,
    tls: Arc<ClientConfig>,
    clock: Arc<dyn Clock>,
    sites: Sites,
    robots: RobotsFiles,
}

/// Where one hop led.
enum Hop {
    Arrived(Fetched),
    Redirected(WebUrl),
}

impl Fetcher {
    /// A client for the network that the machine is in.
    pub fn new(config: &FetchConfig) -> Self {
        let network: Arc<dyn Network> = if config.allow_private_urls {
            Arc::new(Internet::with_search_domains())
        } else {
            Arc::new(Internet::new())
        };
        Self::over(network, config, Politeness::default(), &[], SystemClock)
    }

    /// A client over another network, which may have certificates of its own: for tests.
    pub fn over(
        network: Arc<dyn Network>,
        config: &FetchConfig,
        politeness: Politeness,
        trusted: &[CertificateDer<'static>],
        clock: impl Clock,
    ) -> Self {
        let mozilla = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        let mut roots: RootCertStore = mozilla.collect();
        roots.add_parsable_certificates(trusted.iter().cloned());
        Self(Arc::new(Inner {
            reach: config.reach(),
            user_agent: user_agent(config),
            network,
            tls: Arc::new(tls(roots)),
            clock: Arc::new(clock),
            sites: Sites::new(politeness),
            robots: RobotsFiles::default(),
        }))
    }

    /// Fetches a URL. The header has come when this returns, the body comes as it is read.
    ///
    /// # Errors
    ///
    /// Any [`FetchError`]: a URL that is not fetched, a site that does not answer, a status that
    /// is not success.
    pub fn fetch<'a>(
        &'a self,
        request: &'a FetchRequest,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let outcome = self.follow(request).await;
            if let Err(error) = &outcome {
                let reason = error.reason();
                tracing::debug!(reason = &*reason, error = %error, "a page was not fetched");
            }
            outcome
        })
    }

    /// Whether a URL may be fetched, for whoever has it fetched by somebody else: the URL itself,
    /// every address of its host, and for a program what its robots.txt says.
    ///
    /// # Errors
    ///
    /// As for [`Fetcher::fetch`], without asking for the page.
    pub fn check<'a>(
        &'a self,
        url: &'a str,
        initiative: Initiative,
    ) -> BoxFuture<'a, Result<WebUrl, FetchError>> {
        Box::pin(async move {
            let url = WebUrl::parse(url, self.0.reach)?;
            let deadline = Deadline::after(RESOLVE);
            addresses(&*self.0.network, &url, self.0.reach, deadline).await?;
            self.permission(&url, initiative).await?;
            Ok(url)
        })
    }

    pub(super) fn robots(&self) -> &RobotsFiles {
        &self.0.robots
    }

    /// Goes where redirects lead.
    async fn follow(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let mut url = WebUrl::parse(&request.url, self.0.reach)?;
        let mut authorization = request.authorization.as_ref();
        let mut deadline = Deadline::after(request.limits.total);
        let mut is_downgraded = false;
        for _hop in 0..=REDIRECTS {
            let waiting = Instant::now();
            let site = self.0.sites.site(url.host_str());
            let crawl_delay = self.permission(&url, request.initiative).await?;
            let turn = site.turn(crawl_delay).await?;
            deadline.postpone(waiting.elapsed());

            let headers = self.headers(&url, request, authorization)?;
            let answer = self.ask(&url, headers, request, deadline).await?;
            let next = match self.hop(&url, &site, answer, turn, request, deadline)? {
                Hop::Arrived(Fetched::Document(mut document)) => {
                    document.is_downgraded = is_downgraded;
                    return Ok(Fetched::Document(document));
                }
                Hop::Arrived(other) => return Ok(other),
                Hop::Redirected(next) => next,
            };
            if url.is_https() && !next.is_https() {
                if request.authorization.is_some() {
                    return Err(FetchError::InsecureRedirect {
                        host: url.host_str().to_owned(),
                    });
                }
                // A public page without credentials: browsers follow as well. Whoever keeps the
                // page is told.
                is_downgraded = true;
            }
            // They do not come back either, should the way lead home again.
            authorization = authorization.filter(|_| next.is_same_origin(&url));
            url = next;
        }
        Err(FetchError::TooManyRedirects {
            host: url.host_str().to_owned(),
        })
    }

    /// Whether the site lets the page be read, and with what pause before it.
    async fn permission(
        &self,
        url: &WebUrl,
        initiative: Initiative,
    ) -> Result<Option<Duration>, FetchError> {
        if initiative == Initiative::User {
            return Ok(None);
        }
        let rules = self.rules(url).await?;
        if rules.allows(url.path_and_query()) {
            Ok(rules.crawl_delay())
        } else {
            Err(FetchError::Robots {
                host: url.host_str().to_owned(),
            })
        }
    }

    fn headers(
        &self,
        url: &WebUrl,
        request: &FetchRequest,
        authorization: Option<&HeaderValue>,
    ) -> Result<Request<Empty<Bytes>>, FetchError> {
        let host = match url.url().port() {
            Some(port) => format!("{}:{port}", url.host_str()),
            None => url.host_str().to_owned(),
        };
        let mut head = Request::get(url.path_and_query())
            .header(header::HOST, host)
            .header(header::USER_AGENT, &self.0.user_agent)
            .header(header::ACCEPT, &request.accept)
            .header(header::ACCEPT_ENCODING, ACCEPT_ENCODING)
            .header(header::CONNECTION, "close");
        for (name, value) in request.validators.conditions() {
            head = head.header(name, value);
        }
        if let Some(value) = authorization {
            head = head.header(header::AUTHORIZATION, value);
        }
        head.body(Empty::new())
            .map_err(|_not_for_http| Refusal::InvalidUrl.into())
    }

    async fn ask(
        &self,
        url: &WebUrl,
        head: Request<Empty<Bytes>>,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<Answer, FetchError> {
        let Inner {
            network,
            tls,
            reach,
            ..
        } = &*self.0;
        let connection = connect(&**network, tls, url, *reach, deadline).await?;
        exchange(connection, head, url.host_str(), request.limits, deadline).await
    }

    /// What an answer means.
    fn hop(
        &self,
        url: &WebUrl,
        site: &Site,
        answer: Answer,
        turn: Turn,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<Hop, FetchError> {
        let status = answer.response.status();
        let headers = answer.response.headers();
        if is_redirect(status)
            && let Some(location) = headers.get(header::LOCATION)
        {
            let location = std::str::from_utf8(location.as_bytes());
            let location = location.map_err(|_not_text| Refusal::InvalidUrl)?;
            return Ok(Hop::Redirected(url.redirect(location, self.0.reach)?));
        }
        if status == StatusCode::NOT_MODIFIED && !request.validators.is_empty() {
            return Ok(Hop::Arrived(Fetched::NotModified));
        }
        if !status.is_success() {
            return Err(self.failure(url, site, status, headers));
        }
        let decoder = acceptable(headers, request)?;
        let (parts, incoming) = answer.response.into_parts();
        let body = Body {
            incoming,
            connection: answer.connection,
            _turn: turn,
            decoder,
            meter: Meter::new(url.host_str(), request.limits, deadline),
            packed: Bytes::new(),
            is_over: false,
        };
        Ok(Hop::Arrived(Fetched::Document(Box::new(Document {
            url: url.clone(),
            headers: parts.headers,
            is_downgraded: false,
            body,
        }))))
    }

    /// A status that is neither success nor a redirect.
    fn failure(
        &self,
        url: &WebUrl,
        site: &Site,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> FetchError {
        let host = url.host_str().to_owned();
        if headers
            .get("cf-mitigated")
            .is_some_and(|it| it == "challenge")
        {
            return FetchError::BlockedBySite { host };
        }
        let retry_after = text(headers, &header::RETRY_AFTER)
            .and_then(|value| retry_after::parse(value, self.0.clock.now()));
        let is_asked_to_wait = status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some();
        if !is_asked_to_wait {
            return FetchError::Status { host, status };
        }
        if let Some(duration) = retry_after {
            site.rest(status, duration);
        }
        FetchError::RateLimited {
            host,
            status,
            retry_after,
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// Decides by the header whether the body is worth receiving, and how it is unpacked.
fn acceptable(headers: &HeaderMap, request: &FetchRequest) -> Result<Decoder, FetchError> {
    let announced = text(headers, &header::CONTENT_LENGTH).and_then(|it| it.parse::<u64>().ok());
    let limit = request.limits.bytes;
    if announced.is_some_and(|it| it > limit) {
        return Err(FetchError::TooLarge { limit });
    }
    let content_type = text(headers, &header::CONTENT_TYPE);
    if !request.content_types.accepts(content_type) {
        return Err(FetchError::UnsupportedType {
            content_type: content_type.unwrap_or_default().to_owned(),
        });
    }
    let encodings: Vec<_> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|it| String::from_utf8_lossy(it.as_bytes()))
        .collect();
    let encoding = encodings.join(", ");
    Decoder::for_encoding(&encoding).ok_or(FetchError::UnsupportedEncoding { encoding })
}

/// Says who asks, and where to complain.
fn user_agent(config: &FetchConfig) -> HeaderValue {
    let version = env!("CARGO_PKG_VERSION");
    let name = match &config.contact_url {
        Some(contact) => format!("{PRODUCT}/{version} (+{contact})"),
        None => format!("{PRODUCT}/{version}"),
    };
    HeaderValue::try_from(name).expect("a parsed URL is ASCII")
}
