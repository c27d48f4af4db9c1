//! TLS 1.3 to an instance, and the proof that it is the instance that was asked for.
//!
//! The rule is the same for all CA modes: the certificate leads to the roots that the Admin API
//! named for this instance, and it carries the instance's name. A regional CA signs for many
//! instances, so the name is what tells one from its neighbours.

use std::{fmt, net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use crate::{
    authorities::{Authorities, Shown},
    settings::trim_dot,
};

/// How to know an instance.
#[derive(Clone, Debug)]
pub(crate) struct ServerIdentity {
    pub(crate) authorities: Arc<Authorities>,
    /// The DNS name that the certificate is expected to have; of lower case, without the last dot.
    pub(crate) name: Option<String>,
    /// `project:instance`, for certificates without that name.
    pub(crate) common_name: String,
}

impl ServerIdentity {
    /// What to call the server in the handshake: its name, or the address when it has none.
    pub(crate) fn server_name(&self, address: IpAddr) -> ServerName<'static> {
        let name = self.name.clone().and_then(|name| name.try_into().ok());
        name.unwrap_or_else(|| ServerName::from(address))
    }

    /// Checks the name, after the chain.
    fn check_name(&self, certificate: &X509Certificate<'_>) -> Result<(), WrongServer> {
        let names = dns_names(certificate);
        let wanted = self.name.as_deref();
        if wanted.is_some_and(|wanted| names.iter().any(|name| same_name(name, wanted))) {
            return Ok(());
        }
        let common_name = common_name(certificate);
        if common_name == Some(self.common_name.as_str()) {
            return Ok(());
        }
        let given = names
            .iter()
            .copied()
            .chain(common_name)
            .map(str::to_owned)
            .collect();
        Err(WrongServer {
            wanted: wanted.unwrap_or(&self.common_name).to_owned(),
            given,
        })
    }
}

fn dns_names<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice());
    names
        .unwrap_or_default()
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
        .collect()
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    let mut names = certificate.subject().iter_common_name();
    let first = names.next()?.as_str().ok()?;
    // Two could be read one way here and another way elsewhere.
    names.next().is_none().then_some(first)
}

/// Google writes a dot at the end of some names; DNS knows no case. Wildcards match nothing.
fn same_name(one: &str, other: &str) -> bool {
    trim_dot(one).eq_ignore_ascii_case(trim_dot(other))
}

/// A server that proved to be somebody, but not the instance that was asked for.
#[derive(Debug)]
pub(crate) struct WrongServer {
    pub(crate) wanted: String,
    pub(crate) given: Vec<String>,
}

impl fmt::Display for WrongServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = if self.given.is_empty() {
            "no name".to_owned()
        } else {
            self.given.join(", ")
        };
        write!(
            formatter,
            "the server's certificate is for {given}, not for {}",
            self.wanted
        )
    }
}

impl std::error::Error for WrongServer {}

/// Checks a server's certificate against an identity.
#[derive(Debug)]
struct Verifier {
    identity: ServerIdentity,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let server = Shown::read(end_entity)?;
        let authorities = &self.identity.authorities;
        authorities.vouch_for(&server, intermediates, now, &self.algorithms)?;
        // Not webpki's own check: it refuses names that end in a dot, and never reads a common name.
        self.identity.check_name(&server.says).map_err(|wrong| {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(wrong))))
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // By its key alone: webpki does not read every certificate that was vouched for.
        let server = Shown::read(certificate)?;
        let key = SubjectPublicKeyInfoDer::from(server.says.public_key().raw);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Shows the server the one certificate that there is.
#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for OneCertificate {
    fn resolve(
        &self,
        _issuers: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes)?;
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A configuration for one instance and one certificate of ours.
pub(crate) fn client_config(
    provider: &Arc<CryptoProvider>,
    identity: &ServerIdentity,
    certificate: Arc<CertifiedKey>,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = Verifier {
        identity: identity.clone(),
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(OneCertificate(certificate)));
    // A resumed session would skip the check of who the server is now.
    config.resumption = Resumption::disabled();
    Ok(config)
}
