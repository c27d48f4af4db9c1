//! What the Admin API answers.

use serde::Deserialize;

/// What `connectSettings` answers, as far as it is documented and of use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectSettings {
    pub(crate) region: String,
    /// As Google writes it: `POSTGRES_16`.
    pub(crate) database_version: String,
    #[serde(default)]
    pub(crate) server_ca_cert: Option<ServerCaCert>,
    #[serde(default)]
    pub(crate) ip_addresses: Vec<IpMapping>,
    #[serde(default)]
    pub(crate) psc_enabled: bool,
    /// Of the time before `dns_names`.
    #[serde(default)]
    pub(crate) dns_name: Option<String>,
    #[serde(default)]
    pub(crate) dns_names: Vec<DnsName>,
}

/// The CA that signs the server's certificate: one or several PEM blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerCaCert {
    #[serde(default)]
    pub(crate) cert: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpMapping {
    /// `PRIMARY`, `PRIVATE`, `OUTGOING`.
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) ip_address: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DnsName {
    #[serde(default)]
    pub(crate) name: String,
    /// `PUBLIC`, `PRIVATE_SERVICES_ACCESS`, `PRIVATE_SERVICE_CONNECT`.
    #[serde(default)]
    pub(crate) connection_type: String,
    /// `INSTANCE`, `CLUSTER`.
    #[serde(default)]
    pub(crate) dns_scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issued {
    pub(super) ephemeral_cert: Certificate,
}

#[derive(Deserialize)]
pub(super) struct Certificate {
    pub(super) cert: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resolved {
    pub(super) connection_name: String,
}
