//! Tokens that were verified before: a signature costs a hundred times what a look-up costs, and
//! an agent sends the same token hundreds of times.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::Identity;
use super::claims::accepted_until;
use crate::sha256;

/// Entries of one half; the cache holds at most twice as many.
const HALF: usize = 512;

/// SHA-256 of the token, so that the memory of the process holds no table of credentials, and so
/// that no one can choose where an entry falls.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        Self(sha256(token))
    }
}

#[derive(Clone)]
struct Entry {
    identity: Identity,
    /// Of the key set that verified it.
    generation: u64,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Fingerprint, Entry>,
    old: HashMap<Fingerprint, Entry>,
}

/// A bounded cache. When the young half is full it becomes the old one, and what was in the old
/// one and was not asked for since is forgotten: nearly the least recently used, without a list.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<Halves>);

impl TokenCache {
    /// The identity of a token that was verified by the same keys and has not expired.
    pub(super) fn get(
        &self,
        token: Fingerprint,
        generation: u64,
        now: SystemTime,
    ) -> Option<Identity> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = if let Some(entry) = halves.young.get(&token) {
            entry.clone()
        } else {
            let entry = halves.old.remove(&token)?;
            halves.insert(token, entry.clone());
            entry
        };
        let is_good =
            entry.generation == generation && now < accepted_until(entry.identity.expires_at);
        is_good.then_some(entry.identity)
    }

    pub(super) fn insert(&self, token: Fingerprint, generation: u64, identity: Identity) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.insert(
            token,
            Entry {
                identity,
                generation,
            },
        );
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.len() + halves.old.len()
    }
}

impl Halves {
    fn insert(&mut self, token: Fingerprint, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(token, entry);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use nova_store::UserId;

    use super::*;
    use crate::identity::Scopes;

    fn identity() -> Identity {
        Identity {
            user: UserId::try_from("alice".to_owned()).expect("a user id"),
            scopes: Scopes::NONE,
            expires_at: UNIX_EPOCH + Duration::from_secs(1_000),
            client_id: None,
        }
    }

    #[test]
    fn a_token_in_use_stays_while_a_flood_of_others_passes_and_memory_stays_bounded() {
        let cache = TokenCache::default();
        let used = Fingerprint::of("used");
        cache.insert(used, 0, identity());
        for number in 0..10_000 {
            cache.insert(Fingerprint::of(&number.to_string()), 0, identity());
            if number % 100 == 0 {
                assert!(cache.get(used, 0, UNIX_EPOCH).is_some(), "at {number}");
            }
        }
        assert!(cache.len() <= 2 * HALF, "{} entries", cache.len());
        assert!(cache.get(Fingerprint::of("0"), 0, UNIX_EPOCH).is_none());
    }

    #[test]
    fn other_keys_or_the_end_of_the_token_make_an_entry_useless() {
        let cache = TokenCache::default();
        let token = Fingerprint::of("token");
        cache.insert(token, 3, identity());
        let end = identity().expires_at;
        assert!(cache.get(token, 3, end).is_some(), "within the skew");
        assert!(cache.get(token, 3, end + Duration::from_mins(1)).is_none());
        assert!(cache.get(token, 4, UNIX_EPOCH).is_none());
    }
}
