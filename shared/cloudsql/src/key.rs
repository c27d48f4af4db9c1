//! The client's RSA key: made in memory, used in memory, gone with the process.
//!
//! The private key never leaves the library that made it: it is not written to disk, not encoded
//! and not copied, and its memory is zeroed when it is freed. TLS signs through [`ClientKey`].

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{self, KeyPair as _, RsaEncoding},
};
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    pki_types::SubjectPublicKeyInfoDer,
    sign::{Signer, SigningKey},
};
use tokio::sync::watch;

use crate::{
    error::{Error, ErrorKind, Step},
    pem,
};

/// A private key that signs TLS handshakes.
pub(crate) struct ClientKey {
    pair: Arc<KeyPair>,
    /// The public half, in the form the Admin API takes.
    pub(crate) public_pem: String,
    spki: Vec<u8>,
}

impl ClientKey {
    /// Makes a key of 2048 bits; it takes 40 to 100 ms of CPU.
    fn generate() -> Result<Self, Error> {
        let failed = |what: &str| Error::new(ErrorKind::Unavailable, Step::Key, what);
        let pair = KeyPair::generate(KeySize::Rsa2048)
            .map_err(|_opaque| failed("the client key could not be made"))?;
        let spki: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_opaque| failed("the public key could not be encoded"))?;
        let spki = spki.as_ref().to_vec();
        Ok(Self {
            pair: Arc::new(pair),
            public_pem: pem::encode("PUBLIC KEY", &spki),
            spki,
        })
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientKey(hidden)")
    }
}

/// What TLS 1.3 allows with RSA.
const SCHEMES: [(SignatureScheme, &dyn RsaEncoding); 3] = [
    (SignatureScheme::RSA_PSS_SHA256, &signature::RSA_PSS_SHA256),
    (SignatureScheme::RSA_PSS_SHA384, &signature::RSA_PSS_SHA384),
    (SignatureScheme::RSA_PSS_SHA512, &signature::RSA_PSS_SHA512),
];

impl SigningKey for ClientKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let index = SCHEMES
            .iter()
            .position(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(KeySigner {
            pair: Arc::clone(&self.pair),
            index,
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

struct KeySigner {
    pair: Arc<KeyPair>,
    /// Into [`SCHEMES`].
    index: usize,
}

impl Signer for KeySigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let failed = || rustls::Error::General("signing with the client key failed".to_owned());
        let (_, encoding) = SCHEMES.get(self.index).ok_or_else(failed)?;
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(*encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_opaque| failed())?;
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEMES
            .get(self.index)
            .map_or(SignatureScheme::RSA_PSS_SHA256, |(scheme, _)| *scheme)
    }
}

impl fmt::Debug for KeySigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeySigner(hidden)")
    }
}

/// The connector's one key: made on a thread of its own from the moment the connector is built,
/// while everything else that a first connection needs is fetched.
#[derive(Clone, Debug)]
pub(crate) struct PendingKey(watch::Receiver<Option<Made>>);

#[derive(Clone, Debug)]
struct Made {
    key: Result<Arc<ClientKey>, Error>,
    took: Duration,
}

impl PendingKey {
    pub(crate) fn start() -> Self {
        let (made, pending) = watch::channel(None);
        // Made here: the other thread has no subscriber of the caller's, nor its span.
        let span = tracing::debug_span!("key");
        let make = move || {
            let started = std::time::Instant::now();
            let key = span.in_scope(ClientKey::generate).map(Arc::new);
            let took = started.elapsed();
            // Nobody waits any more when the connector is gone.
            made.send_replace(Some(Made { key, took }));
        };
        // A plain thread: a connector may be built where no runtime is.
        let spawned = std::thread::Builder::new()
            .name("cloudsql-key".to_owned())
            .spawn(make);
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the client key");
        }
        Self(pending)
    }

    /// The key, and how long it took to make.
    pub(crate) async fn wait(&self) -> Result<(Arc<ClientKey>, Duration), Error> {
        let mut pending = self.0.clone();
        let made = pending.wait_for(Option::is_some).await;
        let made = made.ok().and_then(|made| made.clone()).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                Step::Key,
                "the thread that makes the client key could not be started, or failed",
            )
        })?;
        Ok((made.key?, made.took))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_lc_rs::signature::UnparsedPublicKey;
    use tracing::{
        Metadata, Subscriber,
        span::{Attributes, Id, Record},
    };

    use super::*;

    #[tokio::test]
    async fn a_key_signs_what_its_public_half_verifies() {
        let (key, _took) = PendingKey::start().wait().await.unwrap();
        let signer = key
            .choose_scheme(&[
                SignatureScheme::ECDSA_NISTP256_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
            ])
            .unwrap();
        assert_eq!(signer.scheme(), SignatureScheme::RSA_PSS_SHA384);
        let signed = signer.sign(b"hello").unwrap();
        let public = UnparsedPublicKey::new(
            &signature::RSA_PSS_2048_8192_SHA384,
            key.public_key().unwrap().to_vec(),
        );
        assert!(public.verify(b"hello", &signed).is_ok());
        assert!(public.verify(b"hullo", &signed).is_err());
    }

    /// Writes down which spans were entered, on whichever thread.
    #[derive(Clone, Default)]
    struct Spans(Arc<Mutex<Vec<&'static str>>>);

    impl Subscriber for Spans {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            let mut names = self.0.lock().unwrap();
            names.push(attributes.metadata().name());
            Id::from_u64(u64::try_from(names.len()).unwrap())
        }

        fn enter(&self, span: &Id) {
            let mut names = self.0.lock().unwrap();
            let index = usize::try_from(span.into_u64()).unwrap() - 1;
            let name = names[index];
            names.push(name);
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn how_long_the_key_took_is_seen_in_a_span() {
        let spans = Spans::default();
        let pending = tracing::subscriber::with_default(spans.clone(), PendingKey::start);
        pending.wait().await.unwrap();
        assert_eq!(*spans.0.lock().unwrap(), ["key", "key"]);
    }

    #[tokio::test]
    async fn a_key_has_the_size_and_the_form_that_google_takes_and_hides_itself() {
        let (key, _took) = PendingKey::start().wait().await.unwrap();
        assert_eq!(key.pair.public_modulus_len() * 8, 2048);
        let lines: Vec<&str> = key.public_pem.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PUBLIC KEY-----"));
        assert_eq!(lines.last(), Some(&"-----END PUBLIC KEY-----"));
        assert!(lines.iter().all(|line| line.len() <= 64));
        assert_eq!(format!("{key:?}"), "ClientKey(hidden)");
        assert!(
            key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
                .is_none()
        );
    }
}
