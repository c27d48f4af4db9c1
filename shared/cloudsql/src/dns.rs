//! From DNS names to instances.

mod google;
#[cfg(feature = "dns")]
mod hickory;

use std::{collections::HashSet, error::Error as StdError, fmt, net::IpAddr, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use crate::{
    error::{Error, ErrorKind, Step},
    instance::InstanceName,
};

pub(crate) use self::google::GoogleNames;
use self::google::region_of;
#[cfg(feature = "dns")]
pub use self::hickory::DnsResolver;

/// Answers questions about DNS names.
///
/// Names are given without the last dot and meant from the root: no search list is used.
pub trait Resolver: Send + Sync + 'static {
    /// The texts of a name, each in one piece.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>>;

    /// What a name is an alias of.
    fn cname<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, DnsError>>;

    /// The addresses of a name, aliases followed.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>>;
}

/// Why a question about a name has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum DnsError {
    /// The name has no such record, or there is no such name.
    NoRecord,
    /// It could not be asked: no server, no answer, or one that makes no sense.
    Unanswered(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for DnsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoRecord => "there is no such record",
            Self::Unanswered(_) => "no DNS server gave an answer",
        })
    }
}

impl StdError for DnsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NoRecord => None,
            Self::Unanswered(source) => Some(&**source),
        }
    }
}

/// The resolver of a connector that was given none.
#[cfg(feature = "dns")]
pub(crate) fn system_resolver() -> Result<Arc<dyn Resolver>, Error> {
    Ok(Arc::new(DnsResolver::system()))
}

/// The resolver of a connector that was given none.
#[cfg(not(feature = "dns"))]
pub(crate) fn system_resolver() -> Result<Arc<dyn Resolver>, Error> {
    let message = "DNS names of instances cannot be looked up";
    Err(Error::new(ErrorKind::Configuration, Step::Dns, message)
        .remedy("switch on the feature `dns`, or give the connector a resolver"))
}

/// Further than this nobody is sent in good faith.
const MOST_ALIASES: usize = 10;

/// The instance that a domain leads to: the first of its texts, in order, that names one; else what
/// the name that it is an alias of leads to. Names of Google's own have no records.
pub(crate) async fn instance_behind(
    domain: &str,
    resolver: &dyn Resolver,
    google: &GoogleNames,
    deadline: Instant,
) -> Result<InstanceName, Error> {
    let mut name = normal(domain);
    let mut seen = HashSet::new();
    let mut texts_seen = Vec::new();
    loop {
        if let Some(region) = region_of(&name) {
            return google.instance(region, &name, deadline).await;
        }
        let texts = within(deadline, &name, resolver.txt(&name)).await?;
        let unanswered = match texts {
            Ok(mut texts) => {
                texts.sort();
                if let Some(found) = texts.iter().find_map(|text| text.trim().parse().ok()) {
                    return Ok(found);
                }
                texts_seen.extend(texts);
                None
            }
            Err(DnsError::NoRecord) => None,
            Err(error) => Some(error),
        };
        // Also when texts cannot be asked for, which a server says of aliases that go in circles.
        let alias = match within(deadline, &name, resolver.cname(&name)).await? {
            Ok(alias) => normal(&alias),
            Err(error) => {
                return Err(match (unanswered, error) {
                    (None, DnsError::NoRecord) => nowhere(domain, &name, &texts_seen),
                    (Some(error), _) | (None, error) => {
                        let message =
                            format!("the TXT and CNAME records of {name} could not be asked for");
                        Error::new(ErrorKind::Unavailable, Step::Dns, message)
                            .remedy("check the DNS server of this machine")
                            .caused_by(error)
                    }
                });
            }
        };
        tracing::debug!(name, alias, "the name is an alias");
        seen.insert(name);
        if seen.contains(&alias) {
            return Err(circular(domain, &format!("{alias} leads back to itself")));
        }
        if seen.len() > MOST_ALIASES {
            let what = format!("there are more than {MOST_ALIASES} aliases, one of another");
            return Err(circular(domain, &what));
        }
        name = alias;
    }
}

async fn within<T>(
    deadline: Instant,
    name: &str,
    question: BoxFuture<'_, Result<T, DnsError>>,
) -> Result<Result<T, DnsError>, Error> {
    timeout_at(deadline, question).await.map_err(|_elapsed| {
        let message = format!("questions about {name} were not answered in time");
        Error::new(ErrorKind::Timeout, Step::Dns, message)
            .remedy("check the DNS server of this machine")
    })
}

fn nowhere(domain: &str, name: &str, texts: &[String]) -> Error {
    let place = if domain == name {
        domain.to_owned()
    } else {
        format!("{domain}, an alias of {name},")
    };
    let message = if texts.is_empty() {
        format!("{place} has neither a TXT nor a CNAME record")
    } else {
        let texts: Vec<_> = texts.iter().take(3).map(|it| shortened(it)).collect();
        format!(
            "{place} has TXT records, but none names an instance: {}",
            texts.join(", ")
        )
    };
    let kind = if texts.is_empty() {
        ErrorKind::NotFound
    } else {
        ErrorKind::Configuration
    };
    Error::new(kind, Step::Dns, message).remedy(format!(
        "add a TXT record to {domain} with the text project:region:instance, or a CNAME record with \
         the instance's DNS name"
    ))
}

fn circular(domain: &str, what: &str) -> Error {
    let message = format!("the CNAME records of {domain} lead nowhere: {what}");
    Error::new(ErrorKind::Configuration, Step::Dns, message)
        .remedy("let the CNAME record name the instance's DNS name or a name with a TXT record")
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

/// In lower case and without the last dot.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use super::*;
    use crate::{
        admin::AdminApi,
        fake::{Answer, Fake},
        http::usual_provider,
        tokens::Fixed,
    };

    #[derive(Default)]
    struct Zone {
        txt: HashMap<&'static str, Vec<&'static str>>,
        cname: HashMap<&'static str, &'static str>,
        broken: bool,
        hangs: bool,
    }

    impl Zone {
        fn txt(mut self, name: &'static str, texts: &[&'static str]) -> Self {
            self.txt.insert(name, texts.to_vec());
            self
        }

        fn cname(mut self, name: &'static str, target: &'static str) -> Self {
            self.cname.insert(name, target);
            self
        }

        async fn answer<T>(&self, found: Option<T>) -> Result<T, DnsError> {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            match found {
                _ if self.broken => Err(DnsError::Unanswered("SERVFAIL".into())),
                Some(found) => Ok(found),
                None => Err(DnsError::NoRecord),
            }
        }
    }

    impl Resolver for Zone {
        fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
            let found = self.txt.get(name);
            let found = found.map(|texts| texts.iter().map(ToString::to_string).collect());
            Box::pin(self.answer(found))
        }

        fn cname<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, DnsError>> {
            Box::pin(self.answer(self.cname.get(name).map(ToString::to_string)))
        }

        fn addresses<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
            Box::pin(self.answer(None))
        }
    }

    fn google(endpoint: &str) -> GoogleNames {
        let tokens = Arc::new(Fixed::new("t"));
        let provider = usual_provider();
        let api = AdminApi::new(
            Some(endpoint),
            "googleapis.com",
            tokens,
            None,
            None,
            provider,
        );
        GoogleNames::new(api.unwrap())
    }

    async fn behind(domain: &str, zone: &Zone) -> Result<InstanceName, Error> {
        let deadline = Instant::now() + Duration::from_secs(5);
        instance_behind(domain, zone, &google("http://127.0.0.1:1"), deadline).await
    }

    #[tokio::test]
    async fn the_first_text_in_order_that_names_an_instance_is_taken() {
        let zone = Zone::default().txt("db.example.com", &["v=spf1", "p:r:two", "p:r:one", "a:b"]);
        let found = behind("DB.example.com.", &zone).await.unwrap();
        assert_eq!(found.to_string(), "p:r:one");
    }

    #[tokio::test]
    async fn aliases_are_followed_until_one_has_a_text() {
        let zone = Zone::default()
            .cname("db.example.com", "Blue.example.com.")
            .cname("blue.example.com", "x.example.net")
            .txt("x.example.net", &["d.com:p:r:i"]);
        let found = behind("db.example.com", &zone).await.unwrap();
        assert_eq!(found.to_string(), "d.com:p:r:i");
    }

    #[tokio::test]
    async fn ten_aliases_are_followed_and_not_eleven() {
        let names: Vec<&'static str> = (0..12)
            .map(|number| &*format!("n{number}.example.com").leak())
            .collect();
        let mut zone = Zone::default();
        for pair in names.windows(2) {
            zone = zone.cname(pair[0], pair[1]);
        }
        let zone = zone.txt("n11.example.com", &["p:r:i"]);
        let error = behind("n0.example.com", &zone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(behind("n1.example.com", &zone).await.is_ok());
    }

    #[tokio::test]
    async fn aliases_in_a_circle_are_refused() {
        let zone = Zone::default()
            .cname("a.example.com", "b.example.com")
            .cname("b.example.com", "A.example.com.");
        let error = behind("a.example.com", &zone).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Configuration, Step::Dns)
        );
        assert!(error.message().contains("leads back"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_says_what_to_set() {
        let error = behind("db.example.com", &Zone::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error
                .hint()
                .unwrap()
                .contains("TXT record to db.example.com"),
            "{error}"
        );
        let zone = Zone::default().txt("db.example.com", &["v=spf1 -all"]);
        let error = behind("db.example.com", &zone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("v=spf1 -all"), "{error}");
    }

    #[tokio::test]
    async fn a_server_in_trouble_is_no_missing_record() {
        let zone = Zone {
            broken: true,
            ..Zone::default()
        };
        let error = behind("db.example.com", &zone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.detail().contains("SERVFAIL"), "{}", error.detail());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
        let zone = Zone {
            hangs: true,
            ..Zone::default()
        };
        let started = Instant::now();
        let error = behind("db.example.com", &zone).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Timeout, Step::Dns)
        );
        assert_eq!(started.elapsed().as_secs(), 5);
    }

    #[tokio::test]
    async fn googles_own_names_are_asked_of_the_admin_api() {
        let answer = r#"{"connectionName": "p:europe-west1:i", "kind": "x"}"#;
        let fake = Fake::start([Answer::new(200, answer)]).await;
        let zone = Zone::default().cname("db.example.com", "abc.def.europe-west1.sql-psc.goog.");
        let deadline = Instant::now() + Duration::from_secs(5);
        let found =
            instance_behind("db.example.com", &zone, &google(&fake.url("")), deadline).await;
        assert_eq!(found.unwrap().to_string(), "p:europe-west1:i");
        assert_eq!(
            fake.question(0).uri().path(),
            "/sql/v1beta4/locations/europe-west1/dns/abc.def.europe-west1.sql-psc.goog.:resolveConnectSettings"
        );
    }
}
