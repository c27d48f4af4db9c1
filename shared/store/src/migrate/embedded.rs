//! The list of this build's migrations.
//!
//! Adding one: two files in `migrations/`, one line here. A test compares list and folder.

use super::file::Source;

#[expect(unused_macros, reason = "until the first migration is in the list")]
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
pub const MIGRATIONS: &[Source] = &[];
