//! Walks the way to an instance step by step, and says of each what it took and what it found.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::timeout_at;

use crate::{
    connector::Connector,
    error::{Error, ErrorKind, Step},
    instance::Target,
    refresh::Refresher,
    tokens::{ADMIN_SCOPE, LOGIN_SCOPE},
};

/// What one step found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The step.
    pub step: Step,
    /// How long it took.
    pub took: Duration,
    /// What was found, in words, or what is wrong.
    pub outcome: Result<String, Error>,
}

impl Connector {
    /// Walks the way to an instance, one step after the other, until one fails: its error is the
    /// last finding. Nothing is used that an earlier connection fetched, except tokens and the key.
    pub async fn examine(&self, instance: &str) -> Vec<Finding> {
        let mut walk = Walk {
            connector: self,
            instance,
            findings: Vec::new(),
        };
        // What is wrong is the last finding.
        let _error = walk.go().await;
        walk.findings
    }
}

struct Walk<'a> {
    connector: &'a Connector,
    instance: &'a str,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    /// Does a step within the connector's time, and writes down what it found.
    async fn step<T>(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<(T, String), Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + self.connector.timeout();
        let done = timeout_at(deadline, work).await.unwrap_or_else(|_late| {
            Err(Error::new(
                ErrorKind::Timeout,
                step,
                "no answer within the time that a connection may take",
            ))
        });
        let took = started.elapsed();
        let (result, outcome) = match done {
            Ok((found, said)) => (Ok(found), Ok(said)),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        self.findings.push(Finding {
            step,
            took,
            outcome,
        });
        result
    }

    async fn go(&mut self) -> Result<(), Error> {
        let inner = Arc::clone(&self.connector.0);
        let deadline = || tokio::time::Instant::now() + inner.means.timeout;
        let name = self.instance;
        inner.means.google.forget_all();

        let target = self
            .step(Step::Configuration, async {
                let target: Target = name.parse()?;
                let said = match &target {
                    Target::Instance(name) => format!(
                        "instance {} of project {} in {}",
                        name.name(),
                        name.project(),
                        name.region()
                    ),
                    Target::Domain(domain) => format!("the DNS name {domain}"),
                };
                Ok((target, said))
            })
            .await?;
        let (instance, domain) = match &target {
            Target::Instance(name) => (name.clone(), None),
            Target::Domain(domain) => {
                let found = self
                    .step(Step::Dns, async {
                        let found = inner.resolve(domain, deadline()).await?;
                        let said = format!("leads to {found}");
                        Ok((found, said))
                    })
                    .await?;
                (found, Some(domain.clone()))
            }
        };
        let principal = timeout_at(deadline(), inner.tokens.principal()).await;
        let principal = principal
            .ok()
            .flatten()
            .unwrap_or_else(|| "whoever the credentials are of".to_owned());
        for (scope, what) in [(ADMIN_SCOPE, "the Admin API"), (LOGIN_SCOPE, "the login")] {
            if scope == LOGIN_SCOPE && !self.connector.iam_login() {
                continue;
            }
            self.step(Step::Token, async {
                let token = inner.tokens.token(&[scope]).await?;
                let left = minutes_until(token.expires_at());
                Ok(((), format!("for {what}, of {principal}, {left}")))
            })
            .await?;
        }
        self.step(Step::Key, async {
            let (_key, took) = inner.means.key.wait().await?;
            let said = format!("RSA 2048, made in {} ms beside all else", took.as_millis());
            Ok(((), said))
        })
        .await?;
        let refresher = Refresher::new(instance, domain, Arc::clone(&inner.means));
        let settings = self
            .step(Step::Settings, async {
                let settings = refresher.fetch_settings(deadline()).await?;
                let said = settings.to_string();
                Ok((settings, said))
            })
            .await?;
        let certificate = self
            .step(Step::Certificate, async {
                let certificate = refresher.fetch_certificate(deadline()).await?;
                let said = minutes_until(certificate.ends);
                Ok((certificate, said))
            })
            .await?;
        let hosts = self
            .step(Step::Address, async {
                let hosts = settings.hosts(inner.ip_type)?;
                let mut addresses = Vec::new();
                for host in &hosts {
                    addresses.extend(inner.addresses(host, deadline()).await?);
                }
                let said = addresses
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ");
                Ok((addresses, said))
            })
            .await?;
        let session = refresher.session_of(settings, &certificate)?;
        for address in hosts {
            let tcp = self
                .step(Step::Tcp, async {
                    let tcp = inner.tcp(address, deadline()).await?;
                    Ok((tcp, format!("{address} answers")))
                })
                .await?;
            self.step(Step::Tls, async {
                let _tls = inner.tls(&session, address, tcp, deadline()).await?;
                let identity = &session.settings.identity;
                let known = identity.name.as_deref().unwrap_or(&identity.common_name);
                Ok(((), format!("TLS 1.3; the server is {known}")))
            })
            .await?;
        }
        Ok(())
    }
}

fn minutes_until(end: SystemTime) -> String {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    format!("good for {} min", left.as_secs() / 60)
}
