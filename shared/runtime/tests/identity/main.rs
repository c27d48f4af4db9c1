//! The verifier against an issuer that rotates, fails and lies, and against forged tokens.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod arbitrary_bytes;
mod hostile_tokens;
mod issuer_keys;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nova_runtime::clock::{Clock, ManualClock};
use nova_runtime::http_client::HttpClient;
use nova_runtime::identity::{Verifier, VerifierConfig};
use nova_testkit::issuer::{Issuer, RunningIssuer};

pub(crate) const AUDIENCE: &str = "https://nova.test";
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const KEY_SET: &str = "/jwks.json";

/// A verifier that trusts an issuer of this machine, and a clock to turn.
pub(crate) struct Trust {
    pub(crate) issuer: RunningIssuer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) verifier: Verifier,
}

impl Trust {
    pub(crate) async fn new() -> Self {
        let issuer = Issuer::start().await.expect("an issuer");
        let clock = Arc::new(ManualClock::at(SystemTime::now()));
        let config = VerifierConfig::oidc(issuer.url(), vec![AUDIENCE.to_owned()]);
        let verifier = verifier(config, &clock);
        Self {
            issuer,
            clock,
            verifier,
        }
    }

    /// A good token of Alice.
    pub(crate) fn token(&self) -> String {
        self.issuer
            .token("alice", &["research:run"], AUDIENCE, HOUR)
    }

    /// The user of a token, or why there is none, in a word.
    pub(crate) async fn judge(&self, token: &str) -> Result<String, String> {
        judge(&self.verifier, token).await
    }

    pub(crate) async fn accepts(&self, token: &str) -> bool {
        self.judge(token).await.is_ok()
    }
}

pub(crate) fn verifier(config: VerifierConfig, clock: &Arc<ManualClock>) -> Verifier {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Verifier::new(config, HttpClient::new(), clock)
}

pub(crate) async fn judge(verifier: &Verifier, token: &str) -> Result<String, String> {
    match verifier.verify(token).await {
        Ok(identity) => Ok(identity.user.to_string()),
        Err(error) => {
            // Whatever happens, the token itself is told to nobody. (A text of a few letters is in
            // every sentence.)
            let told = [
                error.public_text().to_owned(),
                error.to_string(),
                format!("{error:?}"),
            ];
            let is_told = token.len() > 80 && told.iter().any(|text| text.contains(token));
            assert!(!is_told, "{told:?}");
            let word = format!("{error:?}");
            Err(word.split(['(', ' ']).next().unwrap_or_default().to_owned())
        }
    }
}
