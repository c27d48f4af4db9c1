//! What it costs to know who is calling: a token seen for the first time, and one seen before.
//!
//! `cargo bench -p nova-runtime` prints the median of each, in microseconds.

#![expect(clippy::print_stdout, reason = "the figures are the result")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use nova_runtime::clock::SystemClock;
use nova_runtime::http_client::HttpClient;
use nova_runtime::identity::{Verifier, VerifierConfig};
use nova_testkit::issuer::{Issuer, SigningKey};

const AUDIENCE: &str = "https://nova.test";
const TOKENS: usize = 500;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let issuer = Issuer::start().await.unwrap();
        measure(&issuer, "ES256").await;
        issuer.rotate_to(SigningKey::test_only_rs256().unwrap());
        measure(&issuer, "RS256").await;
    });
}

async fn measure(issuer: &Issuer, algorithm: &str) {
    let config = VerifierConfig::oidc(issuer.url(), vec![AUDIENCE.to_owned()]);
    let verifier = Verifier::new(config, HttpClient::new(), Arc::new(SystemClock));
    let scopes = ["research:read", "research:run"];
    let token = || issuer.token("alice", &scopes, AUDIENCE, Duration::from_hours(1));
    verifier.verify(&token()).await.unwrap();
    let tokens: Vec<String> = (0..TOKENS).map(|_| token()).collect();
    let bytes = tokens.first().map_or(0, String::len);
    for what in ["first time", "seen before"] {
        let mut times = Vec::with_capacity(TOKENS);
        for token in &tokens {
            let started = Instant::now();
            verifier.verify(token).await.unwrap();
            times.push(started.elapsed());
        }
        times.sort();
        let median = times.get(TOKENS / 2).copied().unwrap_or_default();
        let micros = median.as_secs_f64() * 1e6;
        println!("{algorithm}, {bytes} bytes, {what}: {micros:.1} us");
    }
}
