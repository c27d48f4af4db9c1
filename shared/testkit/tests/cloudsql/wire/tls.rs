//! A TLS client with a certificate from the Admin API, which checks the server's chain and no name.

use std::sync::{Arc, Mutex};

use nova_testkit::cloudsql::{ADMIN_SCOPE, CloudSql, Instance};
use rcgen::KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{get, post};
use crate::SERVICE_ACCOUNT;

/// A client's key and the certificate that was issued for it.
pub(crate) struct Key {
    pair: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Key {
    /// Asks the Admin API; with a login token for automatic IAM.
    pub(crate) async fn issued(
        cloud: &CloudSql,
        instance: &Instance,
        login_token: Option<&str>,
    ) -> Self {
        let pair = KeyPair::generate().unwrap();
        let mut body = json!({"public_key": pair.public_key_pem()});
        if let Some(token) = login_token {
            body["access_token"] = json!(token);
        }
        let url = format!("{}:generateEphemeralCert", instance_url(cloud, instance));
        let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
        let answer = post(&url, &token, &body).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        let pem = answer.json()["ephemeralCert"]["cert"].clone();
        let certificate = CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes());
        Self {
            pair,
            certificate: certificate.unwrap(),
        }
    }
}

/// `connectSettings`, as an authorized client reads them.
pub(crate) async fn settings(cloud: &CloudSql, instance: &Instance) -> Value {
    let url = format!("{}/connectSettings", instance_url(cloud, instance));
    let token = format!("Bearer {}", cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]));
    let answer = get(&url, &[("authorization", &token)]).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn instance_url(cloud: &CloudSql, instance: &Instance) -> String {
    let name = instance.name();
    let (rest, id) = name.rsplit_once(':').unwrap();
    let (project, _region) = rest.rsplit_once(':').unwrap();
    format!(
        "{}/sql/v1beta4/projects/{project}/instances/{id}",
        cloud.url()
    )
}

/// What a server showed.
pub(crate) type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

type Shaken = std::io::Result<TlsStream<TcpStream>>;

/// Shakes hands with the instance, trusting what it says is to be trusted now.
pub(crate) async fn connect(instance: &Instance, key: Option<&Key>) -> Shaken {
    let config = config(&instance.server_ca(), key, &Seen::default());
    shake_hands(instance, instance.address().ip().into(), config).await
}

/// The same, trusting `roots`; `seen` gets the server's certificate.
pub(crate) async fn connect_with(
    instance: &Instance,
    key: &Key,
    roots: &str,
    seen: &Seen,
) -> Shaken {
    let config = config(roots, Some(key), seen);
    shake_hands(instance, instance.address().ip().into(), config).await
}

/// The same, asking for a name and a protocol.
pub(crate) async fn connect_for(
    instance: &Instance,
    key: &Key,
    name: &'static str,
    protocol: &str,
) -> Shaken {
    let mut config = config(&instance.server_ca(), Some(key), &Seen::default());
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    shake_hands(instance, name.try_into().unwrap(), config).await
}

/// The same, by a client that knows nothing newer than TLS 1.2.
pub(crate) async fn connect_by_tls12(instance: &Instance) -> Shaken {
    let verifier = verifier(&instance.server_ca(), &Seen::default());
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    shake_hands(instance, instance.address().ip().into(), config).await
}

async fn shake_hands(
    instance: &Instance,
    name: ServerName<'static>,
    config: ClientConfig,
) -> Shaken {
    let stream = TcpStream::connect(instance.address()).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

fn verifier(roots: &str, seen: &Seen) -> ChainOnly {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root.unwrap()).unwrap();
    }
    ChainOnly {
        roots: store,
        provider: Arc::new(aws_lc_rs::default_provider()),
        seen: Arc::clone(seen),
    }
}

fn config(roots: &str, key: Option<&Key>, seen: &Seen) -> ClientConfig {
    let verifier = verifier(roots, seen);
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match key {
        None => config.with_no_client_auth(),
        Some(key) => {
            let secret = PrivatePkcs8KeyDer::from(key.pair.serialize_der());
            let chain = vec![key.certificate.clone()];
            config.with_client_auth_cert(chain, secret.into()).unwrap()
        }
    }
}

/// Google's connector for Python checks no more.
#[derive(Debug)]
struct ChainOnly {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.seen.lock().unwrap().push(end_entity.to_vec());
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The common name of the last certificate that was seen, and its DNS names.
pub(crate) fn subject(seen: &Seen) -> (Option<String>, Vec<String>) {
    let seen = seen.lock().unwrap();
    let (_, certificate) = X509Certificate::from_der(seen.last().unwrap()).unwrap();
    let common = certificate.subject().iter_common_name().next();
    let common = common.map(|it| it.as_str().unwrap().to_owned());
    let names = certificate.subject_alternative_name().unwrap();
    let names = names.into_iter().flat_map(|it| &it.value.general_names);
    let names = names.filter_map(|name| match name {
        x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    (common, names.collect())
}
