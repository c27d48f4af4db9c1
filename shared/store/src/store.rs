use sqlx::PgPool;

use crate::{
    Answer, Tenant, UserId,
    connections::{Connections, PoolStatus},
};

/// The database, as a function sees it: a pool that can be cloned, and nothing else.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) connections: Connections,
}

impl Store {
    /// A store that connects as a pool of its own does, as many times at most, and waits as long.
    /// Nothing is sent before the first question.
    pub fn new(pool: PgPool) -> Self {
        Self {
            connections: Connections::new(pool),
        }
    }

    /// The connections of this moment.
    pub fn pool_status(&self) -> PoolStatus {
        self.connections.status()
    }

    /// Begins a transaction on behalf of `user`, in one round trip.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when no connection can be had in the pool's time.
    pub fn tenant<'a>(&'a self, user: &'a UserId) -> Answer<'a, Tenant> {
        Box::pin(Tenant::begin(&self.connections, user, None))
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
        Box::pin(Tenant::begin(
            &self.connections,
            user,
            Some((tool, call_id)),
        ))
    }
}
