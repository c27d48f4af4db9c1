//! The local database: started, migrated, and with one login for each family of functions.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use nova_store::migrate;

use crate::manifest::Manifest;

/// The name of the database, as in the cloud.
pub(crate) const DATABASE: &str = "nova_research";

/// The login of a family's functions, spelled like a service account's, so that quoting is tried too.
pub(crate) fn login(family: &str) -> String {
    format!("{}@nova.local", family.trim_start_matches("nova_"))
}

/// The address with the rights of a sweeper, given an administrator's.
pub(crate) fn as_sweeper(database_url: &str) -> String {
    as_family(database_url, "nova_sweeper")
}

/// The address with the rights of a family, given an administrator's.
pub(crate) fn as_family(database_url: &str, family: &str) -> String {
    let more = if database_url.contains('?') { '&' } else { '?' };
    format!("{database_url}{more}options[role]={family}")
}

/// Brings the schema of the database at `url` up to date and makes the logins that this build's
/// functions use.
///
/// # Errors
///
/// When the database cannot be reached or its schema has drifted.
pub async fn migrated(url: String) -> Result<()> {
    let families: BTreeSet<String> = Manifest::of_this_build()?
        .services
        .into_values()
        .filter_map(|entry| entry.database)
        .collect();
    let grants: Vec<String> = families
        .iter()
        .map(|family| format!("{}={family}", login(family)))
        .collect();
    migrate::local::prepare(&url, &grants.join(","))
        .await
        .context("the schema could not be prepared")
}
