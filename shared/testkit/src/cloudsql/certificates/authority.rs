//! Certificate authorities: a key, and the certificate that says it may sign.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls::pki_types::CertificateDer;

use super::Validity;

/// An authority, with those above it.
pub(in crate::cloudsql) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: String,
    above: Option<Arc<Self>>,
}

impl Authority {
    /// One that signs itself.
    pub(in crate::cloudsql) fn root(name: &str) -> anyhow::Result<Self> {
        let issuer = CertifiedIssuer::self_signed(parameters(name)?, KeyPair::generate()?)?;
        Ok(Self {
            issuer,
            name: name.to_owned(),
            above: None,
        })
    }

    /// One that this one vouches for.
    pub(in crate::cloudsql) fn intermediate(self: &Arc<Self>, name: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let issuer = CertifiedIssuer::signed_by(parameters(name)?, key, &self.issuer)?;
        Ok(Self {
            issuer,
            name: name.to_owned(),
            above: Some(Arc::clone(self)),
        })
    }

    pub(in crate::cloudsql) fn name(&self) -> &str {
        &self.name
    }

    /// What it signs with.
    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// Its certificate.
    pub(in crate::cloudsql) fn der(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// Its certificate and those above, as `serverCaCert` lists them: the root comes last.
    pub(in crate::cloudsql) fn pem_chain(&self) -> String {
        let above = self.above.as_deref().map(Self::pem_chain);
        format!("{}{}", self.issuer.pem(), above.unwrap_or_default())
    }

    /// What a server presents after its own certificate: everything but the root.
    pub(in crate::cloudsql) fn intermediates(&self) -> Vec<CertificateDer<'static>> {
        match &self.above {
            None => Vec::new(),
            Some(above) => {
                let mut chain = vec![self.der().clone()];
                chain.extend(above.intermediates());
                chain
            }
        }
    }

    /// Vouches for somebody's key.
    pub(in crate::cloudsql) fn sign(
        &self,
        mut parameters: CertificateParams,
        key: &impl PublicKeyData,
    ) -> anyhow::Result<rcgen::Certificate> {
        // OpenSSL's strict mode, the default of newer Pythons, asks for it.
        parameters.use_authority_key_identifier_extension = true;
        Ok(parameters.signed_by(key, &self.issuer)?)
    }
}

fn parameters(name: &str) -> anyhow::Result<CertificateParams> {
    let validity = Validity::long();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject.push(DnType::OrganizationName, "Fake Cloud SQL");
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.not_before = validity.from;
    parameters.not_after = validity.until;
    parameters.serial_number = Some(serial_number()?);
    parameters.distinguished_name = subject;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// A number that no other certificate has.
pub(super) fn serial_number() -> anyhow::Result<SerialNumber> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(anyhow::Error::msg)?;
    // Positive, and without a zero in front, which DER would drop.
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// The authorities that the instances of a region share.
#[derive(Default)]
pub(in crate::cloudsql) struct Regions(Mutex<HashMap<String, Arc<Authority>>>);

impl Regions {
    pub(in crate::cloudsql) fn authority(&self, region: &str) -> anyhow::Result<Arc<Authority>> {
        let mut regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = regions.get(region) {
            return Ok(Arc::clone(known));
        }
        let root = Arc::new(Authority::root(&format!(
            "Fake Cloud SQL {region} Root CA"
        ))?);
        let shared = root.intermediate(&format!("Fake Cloud SQL {region} CA"))?;
        let shared = Arc::new(shared);
        regions.insert(region.to_owned(), Arc::clone(&shared));
        Ok(shared)
    }
}
