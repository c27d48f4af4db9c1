use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{Answer, Error, UserId};

/// One transaction on behalf of one user.
///
/// Its methods, spread over the files of their nouns, see and change that user's rows only.
/// Dropped without [`Tenant::commit`], nothing has happened.
#[derive(Debug)]
pub struct Tenant {
    user: UserId,
    transaction: Transaction<'static, Postgres>,
}

impl Tenant {
    /// `BEGIN` and the settings that row level security reads, as one batch of the simple
    /// protocol: one round trip instead of two. The settings are local to the transaction, so
    /// that a pooled connection carries nothing over to the next user.
    pub(crate) async fn begin(
        pool: &PgPool,
        user: &UserId,
        call: Option<(&str, Uuid)>,
    ) -> Result<Self, Error> {
        let call = call.map_or_else(String::new, |(tool, id)| {
            let tool = literal(tool);
            format!(
                ", set_config('app.tool', {tool}, true), set_config('app.call_id', '{id}', true)"
            )
        });
        let user_id = literal(user.as_str());
        let batch = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT set_config('app.user_id', {user_id}, true){call}"
        );
        let transaction = pool.begin_with(AssertSqlSafe(batch)).await?;
        Ok(Self {
            user: user.clone(),
            transaction,
        })
    }

    /// Whose transaction this is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Makes everything done so far permanent.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the connection broke: the work may or may not be done.
    pub fn commit(self) -> Answer<'static, ()> {
        Box::pin(async move { Ok(self.transaction.commit().await?) })
    }

    /// The user's id and the connection, as a query needs them.
    pub(crate) fn parts(&mut self) -> (&str, &mut PgConnection) {
        (self.user.as_str(), &mut self.transaction)
    }
}

/// A string constant that means the same whatever the server's settings: the simple protocol
/// has no parameters.
fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
