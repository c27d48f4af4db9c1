//! What all parts of a fake Cloud SQL share.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::certificates::Regions;
use super::dns::Zone;
use super::fault::{Effect, Step};
use super::instance;
use super::journal::Journal;
use super::tokens::Tokens;
use crate::fault::Faults;

pub(super) struct Cloud {
    /// Where the HTTP server listens.
    pub(super) address: SocketAddr,
    pub(super) settings: Mutex<Settings>,
    pub(super) tokens: Tokens,
    pub(super) journal: Journal,
    pub(super) faults: Faults<Step, Effect>,
    pub(super) zone: Zone,
    pub(super) regions: Regions,
    pub(super) instances: Instances,
    connections: AtomicU64,
}

/// What a test may change while the fake runs.
pub(super) struct Settings {
    pub(super) principal: String,
    /// Everybody who ever was the principal: their keys still work.
    pub(super) known_principals: HashSet<String>,
    pub(super) refresh_token: String,
    /// What another cloud gave its workload, to be exchanged here.
    pub(super) subject_token: String,
    pub(super) token_lifetime: Duration,
    pub(super) certificate_lifetime: Duration,
    /// Who may get tokens of whom.
    pub(super) impersonators: HashSet<(String, String)>,
    /// What the metadata server handed out last, for each set of scopes.
    pub(super) metadata_tokens: HashMap<(String, Vec<String>), String>,
}

impl Cloud {
    pub(super) fn new(address: SocketAddr, settings: Settings) -> Self {
        Self {
            address,
            settings: Mutex::new(settings),
            tokens: Tokens::default(),
            journal: Journal::default(),
            faults: Faults::default(),
            zone: Zone::default(),
            regions: Regions::default(),
            instances: Instances::default(),
            connections: AtomicU64::new(0),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with a step, this time.
    pub(super) fn fault(&self, step: Step) -> Option<Effect> {
        self.faults.take(|it| *it == step)
    }

    /// The number of a new connection to an instance.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The instances there are, by project and name: the region is not part of what has to be unique, and
/// does not stand in the paths of the Admin API.
#[derive(Default)]
pub(super) struct Instances(Mutex<HashMap<Key, Arc<instance::Inner>>>);

type Key = (String, String);

impl Instances {
    /// The instance that was there before ends.
    pub(super) fn add(&self, instance: Arc<instance::Inner>) {
        let former = self.lock().insert(key(&instance), instance);
        if let Some(former) = former {
            former.stop();
        }
    }

    /// Leaves alone what has taken its place.
    pub(super) fn remove(&self, instance: &Arc<instance::Inner>) {
        let mut instances = self.lock();
        let key = key(instance);
        if instances
            .get(&key)
            .is_some_and(|it| Arc::ptr_eq(it, instance))
        {
            instances.remove(&key);
        }
    }

    pub(super) fn find(&self, project: &str, instance: &str) -> Option<Arc<instance::Inner>> {
        let key = (project.to_owned(), instance.to_owned());
        self.lock().get(&key).map(Arc::clone)
    }

    /// The instance that announces a DNS name.
    pub(super) fn announcing(&self, dns_name: &str) -> Option<Arc<instance::Inner>> {
        let wanted = dns_name.trim_end_matches('.');
        let is_wanted = |name: &String| name.trim_end_matches('.').eq_ignore_ascii_case(wanted);
        let instances = self.lock();
        let mut all = instances.values();
        all.find(|it| {
            let names = it.options.dns_names.iter().map(|it| &it.name);
            names.chain(&it.options.dns_name).any(is_wanted)
        })
        .map(Arc::clone)
    }

    pub(super) fn stop_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        for instance in all.into_values() {
            instance.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<instance::Inner>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(instance: &instance::Inner) -> Key {
    let name = &instance.name;
    (name.project.clone(), name.instance.clone())
}
