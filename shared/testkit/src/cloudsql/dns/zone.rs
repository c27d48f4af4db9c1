//! The names that are known, and what they say.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::message::{A, CNAME, Question, Response, TXT};

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A text, such as an instance's connection name.
    Txt(String),
    /// Another name that speaks for this one.
    Cname(String),
    /// An address.
    A(Ipv4Addr),
}

#[derive(Default)]
pub(in crate::cloudsql) struct Zone(Mutex<HashMap<String, Vec<Record>>>);

impl Zone {
    /// Replaces all that the name said.
    pub(in crate::cloudsql) fn set(&self, name: &str, records: Vec<Record>) {
        self.lock().insert(key(name), records);
    }

    pub(in crate::cloudsql) fn set_address(&self, name: &str, address: Ipv4Addr) {
        self.set(name, vec![Record::A(address)]);
    }

    pub(in crate::cloudsql) fn forget(&self, name: &str) {
        self.lock().remove(&key(name));
    }

    /// What a recursive resolver answers: the aliases on the way, and what the last name says.
    pub(super) fn answer(&self, question: &Question) -> Response {
        let zone = self.lock();
        let mut response = Response::found();
        let mut name = question.name.clone();
        // Aliases may lead in a circle: each name is said once, and clients find out.
        let mut said = HashSet::new();
        while said.insert(key(&name)) {
            let Some(records) = zone.get(&key(&name)) else {
                // Only a name that was asked for and is unknown does not exist.
                if response.is_empty() {
                    return Response::unknown_name();
                }
                break;
            };
            let alias = records.iter().find_map(|record| match record {
                Record::Cname(target) => Some(target.clone()),
                Record::Txt(_) | Record::A(_) => None,
            });
            for record in records {
                if record.kind() == question.kind || record.kind() == CNAME {
                    response.add(&name, record);
                }
            }
            match alias {
                Some(target) if question.kind != CNAME => name = target,
                _ => break,
            }
        }
        response
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Record>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Self::A(_) => A,
            Self::Cname(_) => CNAME,
            Self::Txt(_) => TXT,
        }
    }
}

/// Names are compared without case, and all of them are absolute.
fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
