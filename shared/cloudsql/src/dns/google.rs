//! Instances' DNS names of Google's own, which the Admin API knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::OnceCell, time::Instant};

use crate::{admin::AdminApi, error::Error, instance::InstanceName};

/// Keeps what the Admin API said of such names, until the settings of the instance are asked for
/// anew: both come from there, and one is no older than the other then. However many ask for one
/// name, the question is put once.
pub(crate) struct GoogleNames {
    api: AdminApi,
    known: Mutex<HashMap<String, Arc<OnceCell<InstanceName>>>>,
}

impl GoogleNames {
    pub(crate) fn new(api: AdminApi) -> Self {
        Self {
            api,
            known: Mutex::default(),
        }
    }

    pub(super) async fn instance(
        &self,
        region: &str,
        name: &str,
        deadline: Instant,
    ) -> Result<InstanceName, Error> {
        let known = Arc::clone(self.known().entry(name.to_owned()).or_default());
        let ask = || self.api.instance_of_dns_name(region, name, deadline);
        known.get_or_try_init(ask).await.cloned()
    }

    /// Asks again for the names of this instance.
    pub(crate) fn forget(&self, instance: &InstanceName) {
        self.known()
            .retain(|_, known| known.get().is_none_or(|known| known != instance));
    }

    /// Asks again for all names.
    #[cfg(feature = "doctor")]
    pub(crate) fn forget_all(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<InstanceName>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The region in an instance's DNS name of Google's: `uid.hash.region.sql.goog` and its kin for
/// private services access and Private Service Connect. Names in `global` are those of clusters,
/// which have records like any other.
pub(super) fn region_of(name: &str) -> Option<&str> {
    let labels: Vec<&str> = name.split('.').collect();
    let [first, second, region, zone, "goog"] = *labels.as_slice() else {
        return None;
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-')
    };
    let fits = matches!(zone, "sql" | "sql-psa" | "sql-psc")
        && [first, second, region].into_iter().all(is_label)
        && region != "global";
    fits.then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_third_label_of_googles_names() {
        for (name, region) in [
            ("a.b.us-central1.sql.goog", Some("us-central1")),
            ("a.b.us-central1.sql-psa.goog", Some("us-central1")),
            ("a.b.us-central1.sql-psc.goog", Some("us-central1")),
            ("a.b.global.sql.goog", None),
            ("a.b.us-central1.sql-xyz.goog", None),
            ("a.us-central1.sql.goog", None),
            ("x.a.b.us-central1.sql.goog", None),
            ("-a.b.us-central1.sql.goog", None),
            ("a.b.us-central1.sql.goog.example.com", None),
            ("a.b_c.us-central1.sql.goog", None),
        ] {
            assert_eq!(region_of(name), region, "{name}");
        }
    }
}
