//! What the Admin API answers. Any field may be missing or `null`.

use serde::{Deserialize, de::DeserializeOwned};

use crate::json::or_default;

/// What one of its methods answers.
pub(super) trait Answer: DeserializeOwned {
    /// Whether it holds what was asked for.
    fn is_whole(&self) -> bool;
}

/// What `connectSettings` answers, as far as it is documented and of use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConnectSettings {
    #[serde(deserialize_with = "or_default")]
    pub(crate) region: String,
    /// As Google writes it: `POSTGRES_16`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) database_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) server_ca_cert: Pem,
    #[serde(deserialize_with = "or_default")]
    pub(crate) ip_addresses: Vec<IpMapping>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) psc_enabled: bool,
    /// Of the time before `dns_names`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) dns_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) dns_names: Vec<DnsName>,
}

impl Answer for ConnectSettings {
    fn is_whole(&self) -> bool {
        !self.server_ca_cert.cert.is_empty()
    }
}

/// One or several PEM blocks: those of the CA that signs the server's certificate, or the
/// certificate for our key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Pem {
    #[serde(deserialize_with = "or_default")]
    pub(crate) cert: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IpMapping {
    /// `PRIMARY`, `PRIVATE`, `OUTGOING`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) ip_address: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DnsName {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    /// `PUBLIC`, `PRIVATE_SERVICES_ACCESS`, `PRIVATE_SERVICE_CONNECT`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) connection_type: String,
    /// `INSTANCE`, `CLUSTER`.
    #[serde(deserialize_with = "or_default")]
    pub(crate) dns_scope: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Issued {
    #[serde(deserialize_with = "or_default")]
    pub(super) ephemeral_cert: Pem,
}

impl Answer for Issued {
    fn is_whole(&self) -> bool {
        !self.ephemeral_cert.cert.is_empty()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Resolved {
    #[serde(deserialize_with = "or_default")]
    pub(super) connection_name: String,
}

impl Answer for Resolved {
    fn is_whole(&self) -> bool {
        !self.connection_name.is_empty()
    }
}
