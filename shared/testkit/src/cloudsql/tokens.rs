//! Access tokens: opaque texts, and what is remembered of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::journal::Bearer;
use crate::issuer::random_text;

/// Good for the Admin API.
pub const ADMIN_SCOPE: &str = "https://www.googleapis.com/auth/sqlservice.admin";
/// Good for logging in to a database, and for nothing else.
pub const LOGIN_SCOPE: &str = "https://www.googleapis.com/auth/sqlservice.login";
/// Good for everything.
pub const CLOUD_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Good for getting tokens of other service accounts.
pub(super) const IAM_SCOPE: &str = "https://www.googleapis.com/auth/iam";

/// What is remembered of a token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) principal: String,
    pub(super) scopes: Vec<String>,
    pub(super) expires: SystemTime,
}

impl Token {
    pub(super) fn is_valid(&self) -> bool {
        SystemTime::now() < self.expires
    }

    pub(super) fn remaining(&self) -> Duration {
        let remaining = self.expires.duration_since(SystemTime::now());
        remaining.unwrap_or_default()
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|it| it == scope)
    }

    pub(super) fn has_one_of(&self, scopes: &[&str]) -> bool {
        scopes.iter().any(|scope| self.has(scope))
    }

    /// The login scope and no other.
    pub(super) fn is_for_login_only(&self) -> bool {
        !self.scopes.is_empty() && self.scopes.iter().all(|it| it == LOGIN_SCOPE)
    }
}

/// All tokens that were ever handed out: an expired one is told from one that never was.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Arc<Token>>>);

impl Tokens {
    /// A new token.
    pub(super) fn issue(
        &self,
        principal: &str,
        scopes: Vec<String>,
        lifetime: Duration,
    ) -> (String, Arc<Token>) {
        let text = format!("fake-token.{}", random_text());
        let token = Arc::new(Token {
            principal: principal.to_owned(),
            scopes,
            expires: SystemTime::now() + lifetime,
        });
        self.lock().insert(text.clone(), Arc::clone(&token));
        (text, token)
    }

    pub(super) fn find(&self, text: &str) -> Option<Arc<Token>> {
        self.lock().get(text).map(Arc::clone)
    }

    /// What the journal says of a token.
    pub(super) fn describe(&self, text: &str) -> Bearer {
        match self.find(text) {
            None => Bearer::Unknown,
            Some(token) => Bearer::Known {
                principal: token.principal.clone(),
                scopes: token.scopes.clone(),
                expires: token.expires,
            },
        }
    }

    /// Forgets them all, as if they had been revoked.
    pub(super) fn revoke_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Token>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
