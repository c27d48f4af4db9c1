use sqlx::PgPool;

use crate::{Answer, Tenant, UserId};

/// The database, as a function sees it: a pool that can be cloned, and nothing else.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
}

impl Store {
    /// A store on a pool, which may connect lazily: nothing is sent before the first question.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Begins a transaction on behalf of `user`, in one round trip.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when no connection can be had in the pool's time.
    pub fn tenant<'a>(&'a self, user: &'a UserId) -> Answer<'a, Tenant> {
        Box::pin(Tenant::begin(&self.pool, user, None))
    }

    /// Like [`Store::tenant`], for a tool call: moves of an article's status are written down
    /// with the tool and the call that made them.
    ///
    /// # Errors
    /// As [`Store::tenant`].
    pub fn tenant_in_call<'a>(
        &'a self,
        user: &'a UserId,
        tool: &'a str,
        call_id: uuid::Uuid,
    ) -> Answer<'a, Tenant> {
        Box::pin(Tenant::begin(&self.pool, user, Some((tool, call_id))))
    }
}
