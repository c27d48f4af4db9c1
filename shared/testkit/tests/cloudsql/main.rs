//! The fake Cloud SQL, spoken to by plain clients and by Google's own connector.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod admin;
mod certificates;
mod dns;
mod faults;
mod logins;
mod official_connector;
mod tokens;
mod tunnel;
mod wire;

use std::time::Duration;

use nova_testkit::postgres::{Database, Postgres};
use sqlx::Executor as _;

/// Longer than anything here takes, also on a busy machine.
const SOON: Duration = Duration::from_secs(20);

const SERVICE_ACCOUNT: &str = "nova@proj.iam.gserviceaccount.com";
/// How the database knows it.
const USER: &str = "nova@proj.iam";
const NAME: &str = "proj:europe-west1:main";

/// A database on a server that knows [`USER`].
async fn database() -> Database {
    let database = Postgres::shared().await.empty_database().await;
    // Roles belong to the server, which tests share: another may have made it, or be about to.
    let create = "DO $$ BEGIN CREATE ROLE \"nova@proj.iam\" LOGIN; \
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    database.pool().execute(create).await.unwrap();
    database
}
