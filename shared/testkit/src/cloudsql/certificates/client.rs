//! The certificates of clients: short-lived, for a key that they sent, and perhaps for a login token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose,
    SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;

use super::authority::serial_number;
use super::{Authority, Validity};

/// What was issued to a client.
pub(in crate::cloudsql) struct ClientCertificate {
    pub(in crate::cloudsql) pem: String,
    pub(in crate::cloudsql) serial_number: String,
    pub(in crate::cloudsql) created: SystemTime,
}

/// What the proxy has to know of a certificate that it meets again.
pub(in crate::cloudsql) struct Origin {
    /// The text of the login token that came with the key.
    pub(in crate::cloudsql) login_token: Option<String>,
}

/// The clients' authority of one instance. Rotation is about servers: it changes only when all clients'
/// certificates are taken back.
pub(in crate::cloudsql) struct Issued {
    name: String,
    authority: Mutex<Arc<Authority>>,
    by_digest: Mutex<HashMap<Vec<u8>, Arc<Origin>>>,
}

impl Issued {
    pub(in crate::cloudsql) fn new(instance: &str) -> anyhow::Result<Self> {
        let name = format!("Fake Cloud SQL Client CA {instance}");
        Ok(Self {
            authority: Mutex::new(Arc::new(Authority::root(&name)?)),
            name,
            by_digest: Mutex::default(),
        })
    }

    /// What client certificates are checked against.
    pub(in crate::cloudsql) fn root(&self) -> CertificateDer<'static> {
        self.authority().der().clone()
    }

    /// What was issued so far is signed by a stranger from now on.
    pub(in crate::cloudsql) fn take_back(&self) -> anyhow::Result<()> {
        let next = Arc::new(Authority::root(&self.name)?);
        *self
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn authority(&self) -> Arc<Authority> {
        Arc::clone(
            &self
                .authority
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Signs a client's key.
    pub(in crate::cloudsql) fn issue(
        &self,
        key: &SubjectPublicKeyInfo,
        login_token: Option<String>,
        lifetime: Duration,
    ) -> anyhow::Result<ClientCertificate> {
        let validity = Validity::of(lifetime);
        let serial_number = serial_number()?;
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, "Fake Cloud SQL Client");
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.not_before = validity.from;
        parameters.not_after = validity.until;
        parameters.serial_number = Some(serial_number.clone());
        parameters.distinguished_name = subject;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = self.authority().sign(parameters, key)?;
        self.lock().insert(
            fingerprint(certificate.der()),
            Arc::new(Origin { login_token }),
        );
        Ok(ClientCertificate {
            pem: certificate.pem(),
            serial_number: serial_number.to_string(),
            created: SystemTime::now(),
        })
    }

    /// Where a certificate comes from, if it was issued here.
    pub(in crate::cloudsql) fn origin(&self, certificate: &[u8]) -> Option<Arc<Origin>> {
        self.lock().get(&fingerprint(certificate)).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Origin>>> {
        self.by_digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprint(certificate: &[u8]) -> Vec<u8> {
    digest(&SHA256, certificate).as_ref().to_vec()
}

/// The key of a request. Connectors put the same bytes under two labels: those for Python and Node say
/// `PUBLIC KEY`, which is right; those for Go and Java say `RSA PUBLIC KEY`, which is not.
pub(in crate::cloudsql) fn public_key(pem: &str) -> Option<SubjectPublicKeyInfo> {
    let body = ["PUBLIC KEY", "RSA PUBLIC KEY"].iter().find_map(|label| {
        pem.trim()
            .strip_prefix(&format!("-----BEGIN {label}-----"))?
            .strip_suffix(&format!("-----END {label}-----"))
    })?;
    let body: String = body.split_ascii_whitespace().collect();
    SubjectPublicKeyInfo::from_der(&STANDARD.decode(body).ok()?).ok()
}
