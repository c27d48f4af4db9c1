//! The certificate that an instance shows, right or wrong, and what clients are told to trust.

use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::authority::serial_number;
use super::version_one::version_one;
use super::{Authority, Validity};

/// What a server's certificate looks like. All but the first are what hands and older tools make, and
/// what Google's own connectors take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// X.509 version 3, for servers, signed by the authority.
    #[default]
    Usual,
    /// X.509 version 1, which has no extensions: what `openssl x509 -req -CA …` makes.
    VersionOne,
    /// As the usual one, but an authority besides (`CA:TRUE`).
    Authority,
    /// An authority that signed itself: what `openssl req -x509` makes. It is all that `serverCaCert` holds.
    SelfSigned,
    /// As the usual one, by an authority that is told to nobody: `serverCaCert` holds the certificate itself.
    Pinned,
}

impl Shape {
    /// Whether clients are told the certificate itself, and not who signed it.
    const fn is_told_itself(self) -> bool {
        matches!(self, Self::SelfSigned | Self::Pinned)
    }
}

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
    pem: String,
    key: Vec<u8>,
}

impl ServerCertificate {
    pub(in crate::cloudsql) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    fn sign(
        authority: &Authority,
        names: &Names,
        validity: Validity,
        shape: Shape,
    ) -> anyhow::Result<Self> {
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
        if matches!(shape, Shape::Authority | Shape::SelfSigned) {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate()?;
        let certificate = match shape {
            Shape::SelfSigned => parameters.self_signed(&key)?,
            Shape::Pinned => Authority::root(authority.name())?.sign(parameters, &key)?,
            Shape::Usual | Shape::VersionOne | Shape::Authority => {
                authority.sign(parameters, &key)?
            }
        };
        let mut chain = vec![match shape {
            Shape::VersionOne => version_one(certificate.der(), authority.key())?,
            _ => certificate.der().clone(),
        }];
        if !shape.is_told_itself() {
            chain.extend(authority.intermediates());
        }
        Ok(Self {
            chain,
            pem: certificate.pem(),
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
    /// What clients are told to trust where that is the certificate itself.
    told: Arc<ServerCertificate>,
    shape: Shape,
}

impl Trust {
    pub(in crate::cloudsql) fn new(
        names: Names,
        authority: Arc<Authority>,
        shape: Shape,
    ) -> anyhow::Result<Self> {
        let shown = ServerCertificate::sign(&authority, &names, Validity::long(), shape)?;
        let shown = Arc::new(shown);
        Ok(Self {
            names,
            authority,
            former: Vec::new(),
            told: Arc::clone(&shown),
            shown,
            shape,
        })
    }

    /// What `serverCaCert.cert` holds.
    pub(in crate::cloudsql) fn pem(&self) -> String {
        if self.shape.is_told_itself() {
            return self.told.pem.clone();
        }
        let all = self.former.iter().chain([&self.authority]);
        all.map(|authority| authority.pem_chain()).collect()
    }

    /// Shows another certificate from now on. `sibling` signs for the instance next door.
    pub(in crate::cloudsql) fn show(
        &mut self,
        wrong: WrongCertificate,
        sibling: &Authority,
    ) -> anyhow::Result<()> {
        let sign = |authority: &Authority, names: &Names, validity| {
            ServerCertificate::sign(authority, names, validity, self.shape)
        };
        let long = Validity::long();
        let shown = match wrong {
            WrongCertificate::None => sign(&self.authority, &self.names, long),
            WrongCertificate::Ca => {
                let stranger = Authority::root(self.authority.name())?;
                sign(&stranger, &self.names, long)
            }
            WrongCertificate::Name => sign(&self.authority, &self.names.other("stranger"), long),
            WrongCertificate::NoName => sign(&self.authority, &Names::default(), long),
            WrongCertificate::Expired => sign(&self.authority, &self.names, Validity::past()),
            WrongCertificate::Sibling => sign(sibling, &self.names.other("sibling"), long),
        };
        self.shown = Arc::new(shown?);
        // What is wrong is one thing at a time: nobody is told a stranger's certificate.
        if !matches!(wrong, WrongCertificate::Ca | WrongCertificate::Sibling) {
            self.told = Arc::clone(&self.shown);
        }
        Ok(())
    }
}
