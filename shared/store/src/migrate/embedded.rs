//! The list of this build's migrations.
//!
//! Adding one: two files in `migrations/`, one line here. A test compares list and folder.

use super::file::Source;

macro_rules! migration {
    ($name:literal) => {
        Source {
            name: $name,
            up: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../migrations/",
                $name,
                ".up.sql"
            )),
            down: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../migrations/",
                $name,
                ".down.sql"
            )),
        }
    };
}

/// Every migration, oldest first.
pub const MIGRATIONS: &[Source] = &[
    migration!("0001_roles"),
    migration!("0002_articles"),
    migration!("0003_blobs_and_sources"),
    migration!("0004_usage"),
    migration!("0005_limiter"),
    migration!("0006_access"),
    migration!("0007_blob_life"),
    migration!("0008_usage_by_day"),
    migration!("0009_jobs"),
    migration!("0010_source_origins"),
    migration!("0011_agents_role"),
    migration!("0012_local_files"),
    migration!("0013_research_answers"),
    migration!("0014_provider_calls"),
    migration!("0015_front_role"),
    migration!("0016_upload_grants"),
    migration!("0017_progress"),
    migration!("0018_claims_in_vain"),
    migration!("0019_age_of_a_call"),
    migration!("0020_old_usage"),
];

/// The schema that they make, one object on a line; [`check`](super::check) compares with it.
/// `migrate fingerprint > migrations/schema.txt` renews it.
pub const SCHEMA: &str = include_str!("../../../../migrations/schema.txt");
