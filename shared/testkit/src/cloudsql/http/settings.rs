//! What an instance is and where: `connectSettings`, and which one a DNS name leads to.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use super::super::certificates::rfc3339;
use super::super::instance::Inner;
use super::super::options::{Connection, DnsName};
use super::super::tokens::{ADMIN_SCOPE, CLOUD_SCOPE};
use super::Call;
use super::reply::{self, Reply};

pub(super) fn describe(call: &Call, project: &str, instance: &str) -> Reply {
    match call.instance(project, instance) {
        Ok(instance) => reply::json(200, &connect_settings(&instance)),
        Err(refusal) => *refusal,
    }
}

pub(super) fn resolve(call: &Call, location: &str, dns_name: &str) -> Reply {
    if let Err(refusal) = call.authorized(&[ADMIN_SCOPE, CLOUD_SCOPE]) {
        return *refusal;
    }
    if !dns_name.ends_with('.') {
        return reply::error(400, "invalid", "The DNS name must end with a dot.");
    }
    let found = call.cloud.instances.announcing(dns_name);
    match found.filter(|it| it.name.region == location) {
        Some(instance) => {
            let mut settings = connect_settings(&instance);
            settings["connectionName"] = json!(instance.name.to_string());
            reply::json(200, &settings)
        }
        None => reply::error(404, "notFound", "No instance has this DNS name."),
    }
}

fn connect_settings(instance: &Inner) -> Value {
    let options = &instance.options;
    let ip_addresses: Vec<Value> = instance
        .ip_addresses()
        .map(|(kind, address)| json!({"type": kind, "ipAddress": address}))
        .collect();
    let mut settings = json!({
        "kind": "sql#connectSettings",
        "region": instance.name.region,
        "databaseVersion": options.database_version,
        "backendType": "SECOND_GEN",
        "pscEnabled": options.psc,
        "serverCaMode": options.ca_mode.name(),
        "serverCaCert": server_ca(instance),
        "ipAddresses": ip_addresses,
    });
    if let Some(name) = &options.dns_name {
        settings["dnsName"] = json!(name);
    }
    if !options.dns_names.is_empty() {
        settings["dnsNames"] = options.dns_names.iter().map(announced).collect();
    }
    if !options.custom_names.is_empty() {
        settings["customSubjectAlternativeNames"] = json!(options.custom_names);
    }
    settings
}

fn announced(name: &DnsName) -> Value {
    let connection = match name.connection {
        Connection::Public => "PUBLIC",
        Connection::Private => "PRIVATE_SERVICES_ACCESS",
        Connection::Psc => "PRIVATE_SERVICE_CONNECT",
    };
    json!({
        "name": name.name,
        "connectionType": connection,
        "dnsScope": name.scope,
        "recordManager": "CLOUD_SQL_AUTOMATION",
    })
}

fn server_ca(instance: &Inner) -> Value {
    let trust = instance.trust();
    let now = std::time::SystemTime::now();
    let fingerprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, trust.authority.der());
    let fingerprint: Vec<String> = fingerprint
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({
        "kind": "sql#sslCert",
        "certSerialNumber": "0",
        "cert": trust.pem(),
        "commonName": trust.authority.name(),
        "sha1Fingerprint": fingerprint.concat(),
        "instance": instance.name.instance,
        "createTime": rfc3339(now),
        "expirationTime": rfc3339(now + Duration::from_hours(24 * 3650)),
    })
}
