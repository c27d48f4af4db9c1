//! The certificate that an instance shows, right or wrong, and what clients are told to trust.

use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::authority::serial_number;
use super::{Authority, Validity};

/// What an instance shows instead of its own certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongCertificate {
    /// Nothing is wrong.
    #[default]
    None,
    /// The right names, by an authority that has the right name and another key.
    Ca,
    /// The right authority, and names of a stranger.
    Name,
    /// The right authority, and no name at all.
    NoName,
    /// All is right, but it ended yesterday.
    Expired,
    /// The certificate of another instance of the region. Under [`CaMode::Cas`](super::CaMode::Cas)
    /// it is of the same authority; where each instance has its own, that differs too.
    Sibling,
}

/// What a server certificate says of who it is for.
#[derive(Clone, Debug, Default)]
pub(in crate::cloudsql) struct Names {
    /// `project:instance`.
    pub(in crate::cloudsql) common: String,
    /// DNS names, with a trailing dot where Google has one.
    pub(in crate::cloudsql) alternative: Vec<String>,
}

impl Names {
    fn other(&self, prefix: &str) -> Self {
        Self {
            common: match self.common.rsplit_once(':') {
                Some((project, instance)) => format!("{project}:{prefix}-{instance}"),
                None => prefix.to_owned(),
            },
            alternative: self
                .alternative
                .iter()
                .map(|name| format!("{prefix}-{name}"))
                .collect(),
        }
    }
}

/// A key and the certificates that a server shows for it.
pub(in crate::cloudsql) struct ServerCertificate {
    pub(in crate::cloudsql) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl ServerCertificate {
    pub(in crate::cloudsql) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    fn sign(authority: &Authority, names: &Names, validity: Validity) -> anyhow::Result<Self> {
        let mut subject = DistinguishedName::new();
        if !names.common.is_empty() {
            subject.push(DnType::CommonName, names.common.as_str());
        }
        subject.push(DnType::OrganizationName, "Fake Cloud SQL");
        let alternative = names.alternative.iter().map(|name| {
            let name = name.as_str().try_into();
            Ok(SanType::DnsName(name.context("a DNS name is ASCII")?))
        });
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.not_before = validity.from;
        parameters.not_after = validity.until;
        parameters.serial_number = Some(serial_number()?);
        parameters.subject_alt_names = alternative.collect::<anyhow::Result<_>>()?;
        parameters.distinguished_name = subject;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = authority.sign(parameters, &key)?;
        let mut chain = vec![certificate.der().clone()];
        chain.extend(authority.intermediates());
        Ok(Self {
            chain,
            key: key.serialize_der(),
        })
    }
}

/// What clients are told to trust, and the certificate that they get to see.
pub(in crate::cloudsql) struct Trust {
    pub(in crate::cloudsql) names: Names,
    pub(in crate::cloudsql) authority: Arc<Authority>,
    /// Those before it that are still trusted.
    pub(in crate::cloudsql) former: Vec<Arc<Authority>>,
    pub(in crate::cloudsql) shown: Arc<ServerCertificate>,
}

impl Trust {
    pub(in crate::cloudsql) fn new(
        names: Names,
        authority: Arc<Authority>,
    ) -> anyhow::Result<Self> {
        let shown = ServerCertificate::sign(&authority, &names, Validity::long())?;
        Ok(Self {
            names,
            authority,
            former: Vec::new(),
            shown: Arc::new(shown),
        })
    }

    /// What `serverCaCert.cert` holds.
    pub(in crate::cloudsql) fn pem(&self) -> String {
        let all = self.former.iter().chain([&self.authority]);
        all.map(|authority| authority.pem_chain()).collect()
    }

    /// Shows another certificate from now on. `sibling` signs for the instance next door.
    pub(in crate::cloudsql) fn show(
        &mut self,
        wrong: WrongCertificate,
        sibling: &Authority,
    ) -> anyhow::Result<()> {
        let sign = |authority: &Authority, names: &Names| {
            ServerCertificate::sign(authority, names, Validity::long())
        };
        let shown = match wrong {
            WrongCertificate::None => sign(&self.authority, &self.names),
            WrongCertificate::Ca => sign(&Authority::root(self.authority.name())?, &self.names),
            WrongCertificate::Name => sign(&self.authority, &self.names.other("stranger")),
            WrongCertificate::NoName => sign(&self.authority, &Names::default()),
            WrongCertificate::Expired => {
                ServerCertificate::sign(&self.authority, &self.names, Validity::past())
            }
            WrongCertificate::Sibling => sign(sibling, &self.names.other("sibling")),
        };
        self.shown = Arc::new(shown?);
        Ok(())
    }
}
