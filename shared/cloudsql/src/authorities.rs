//! The certificates in `serverCaCert`, and the servers that they vouch for.
//!
//! webpki checks chains, and is stricter than the libraries under Google's own connectors: it reads
//! no certificate of X.509 version 1 (`openssl x509 -req` makes them), takes none of an authority for
//! a server's (`openssl req -x509` makes those), and none for its own authority. Where such a one
//! stands in `serverCaCert` itself, or was signed by one that does, it is checked here.

use std::time::SystemTime;

use rustls::{
    CertificateError, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer as _, X509Certificate, X509Version},
};

use crate::{
    error::{Error, ErrorKind, Step},
    pem,
};

/// Who vouches for one instance's server.
#[derive(Debug)]
pub(crate) struct Authorities {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

/// A certificate as it came, and what it says.
pub(crate) struct Shown<'a> {
    pub(crate) der: &'a CertificateDer<'a>,
    pub(crate) says: X509Certificate<'a>,
}

impl<'a> Shown<'a> {
    pub(crate) fn read(der: &'a CertificateDer<'a>) -> Result<Self, rustls::Error> {
        match X509Certificate::from_der(der) {
            Ok(([], says)) => Ok(Self { der, says }),
            _ => Err(CertificateError::BadEncoding.into()),
        }
    }
}

impl Authorities {
    /// One or several PEM blocks: several while a CA is rotated, and with a CA of many instances,
    /// where the intermediate and the root are given. One that has ended vouches for nobody; webpki
    /// would not notice.
    pub(crate) fn read(text: &str, now: SystemTime) -> Result<Self, Error> {
        let failed = |what: &str| Error::new(ErrorKind::Protocol, Step::Settings, what);
        let mut certificates = pem::certificates(text)
            .map_err(|error| failed("serverCaCert is not PEM").caused_by(error.to_string()))?;
        if certificates.is_empty() {
            return Err(failed("serverCaCert holds no certificate"));
        }
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = UnixTime::since_unix_epoch(since.unwrap_or_default());
        certificates.retain(|certificate| !has_ended(certificate, now));
        if certificates.is_empty() {
            let message = "the certificates of the instance's server CA have ended";
            return Err(
                Error::new(ErrorKind::Configuration, Step::Settings, message).remedy(
                    "rotate the server CA: gcloud sql ssl server-ca-certs create, then rotate; \
                     and check this machine's clock",
                ),
            );
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| {
                failed("serverCaCert holds something else than certificates").caused_by(error)
            })?;
        }
        Ok(Self {
            roots,
            certificates,
        })
    }

    /// Whether a server's certificate leads to one of these; its name is not looked at.
    pub(crate) fn vouch_for(
        &self,
        server: &Shown<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), rustls::Error> {
        let stands_here = self.certificates.contains(server.der);
        if !stands_here && server.says.version() == X509Version::V3 && !server.says.is_ca() {
            return verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(server.der)?,
                &self.roots,
                intermediates,
                now,
                algorithms.all,
            );
        }
        is_current(&server.says, now)?;
        if !is_for_servers(&server.says) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        let mut others = self.certificates.iter();
        if stands_here || others.any(|it| signed(it, &server.says, algorithms)) {
            Ok(())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }
}

fn is_current(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else if now > validity.not_after.timestamp() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

fn has_ended(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    let read = X509Certificate::from_der(certificate);
    read.is_ok_and(|(_, says)| is_current(&says, now) == Err(CertificateError::Expired))
}

/// It is for nothing else, and asks for nothing that is not understood here.
fn is_for_servers(certificate: &X509Certificate<'_>) -> bool {
    let purpose = match certificate.extended_key_usage() {
        Ok(purpose) => purpose.is_none_or(|it| it.value.server_auth || it.value.any),
        Err(_several) => false,
    };
    let mut extensions = certificate.extensions().iter();
    purpose
        && extensions.all(|it| {
            !it.critical
                || matches!(
                    it.parsed_extension(),
                    ParsedExtension::BasicConstraints(_)
                        | ParsedExtension::KeyUsage(_)
                        | ParsedExtension::ExtendedKeyUsage(_)
                        | ParsedExtension::SubjectAlternativeName(_)
                )
        })
}

/// Whether this authority, which may sign what it likes, has signed that.
fn signed(
    authority: &CertificateDer<'_>,
    certificate: &X509Certificate<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let Ok((_, authority)) = X509Certificate::from_der(authority) else {
        return false;
    };
    let key = &authority.public_key().subject_public_key.data;
    let text = certificate.tbs_certificate.as_ref();
    let signature = &certificate.signature_value.data;
    // Whichever algorithm it is by: what one of them verifies, the key's owner has signed.
    certificate.issuer().as_raw() == authority.subject().as_raw()
        && matches!(authority.name_constraints(), Ok(None))
        && algorithms
            .all
            .iter()
            .any(|it| it.verify_signature(key, text, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension,
        ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, NameConstraints,
    };

    use super::*;

    /// A root until the first day of this year.
    fn root(until: i32) -> String {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().pem()
    }

    /// In 2020.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50)
    }

    #[test]
    fn an_authority_that_has_ended_vouches_for_nobody() {
        let both = format!("{}{}", root(2015), root(2030));
        let left = Authorities::read(&both, now()).unwrap();
        assert_eq!((left.roots.len(), left.certificates.len()), (1, 1));
        let error = Authorities::read(&root(2015), now()).unwrap_err();
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Configuration, Step::Settings)
        );
        assert!(error.hint().unwrap().starts_with("rotate the server CA"));
    }

    #[test]
    fn what_holds_no_certificate_is_told_from_what_has_ended() {
        for text in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ] {
            let error = Authorities::read(text, now()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{text:?}: {error}");
        }
    }
    /// All have one name; it has no end before the year 4096.
    fn authority(change: impl FnOnce(&mut CertificateParams)) -> CertifiedIssuer<'static, KeyPair> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut parameters);
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
    }

    fn vouched(told: &str, shown: &CertificateDer<'_>, year: u64) -> Result<(), rustls::Error> {
        let now = Duration::from_hours(24 * 365 * (year - 1970));
        let algorithms =
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let authorities = Authorities::read(told, SystemTime::UNIX_EPOCH + now).unwrap();
        let shown = Shown::read(shown)?;
        authorities.vouch_for(&shown, &[], UnixTime::since_unix_epoch(now), &algorithms)
    }

    #[test]
    fn a_certificate_that_stands_there_itself_is_still_for_servers_and_for_now() {
        let refused = |error: CertificateError| Err(error.into());
        let own = authority(|_| {});
        assert_eq!(vouched(&own.pem(), own.der(), 2020), Ok(()));
        let purpose =
            |purpose| move |it: &mut CertificateParams| it.extended_key_usages = vec![purpose];
        let own = authority(purpose(ExtendedKeyUsagePurpose::ServerAuth));
        assert_eq!(vouched(&own.pem(), own.der(), 2020), Ok(()));
        let own = authority(purpose(ExtendedKeyUsagePurpose::ClientAuth));
        assert_eq!(
            vouched(&own.pem(), own.der(), 2020),
            refused(CertificateError::InvalidPurpose)
        );
        let own = authority(|it| {
            let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            unknown.set_criticality(true);
            it.custom_extensions.push(unknown);
        });
        assert_eq!(
            vouched(&own.pem(), own.der(), 2020),
            refused(CertificateError::InvalidPurpose)
        );
        let own = authority(|it| it.not_before = rcgen::date_time_ymd(2030, 1, 1));
        assert_eq!(
            vouched(&own.pem(), own.der(), 2020),
            refused(CertificateError::NotValidYet)
        );
    }

    #[test]
    fn an_authority_signs_for_another_unless_it_is_bound_to_names() {
        let names = NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".to_owned())],
            excluded_subtrees: Vec::new(),
        };
        for (constraints, outcome) in [
            (None, Ok(())),
            (Some(names), Err(CertificateError::UnknownIssuer.into())),
        ] {
            let above = authority(|it| it.name_constraints = constraints);
            let mut below = CertificateParams::new(Vec::new()).unwrap();
            below.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let below = below
                .signed_by(&KeyPair::generate().unwrap(), &above)
                .unwrap();
            assert_eq!(vouched(&above.pem(), below.der(), 2020), outcome);
            // Nobody who has its name only.
            let stranger = authority(|_| {});
            assert_eq!(
                vouched(&stranger.pem(), below.der(), 2020),
                Err(CertificateError::UnknownIssuer.into())
            );
        }
    }
}
