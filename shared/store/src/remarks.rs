//! What a server adds to the message of an error. The connector of Cloud SQL, which answers in the
//! server's place when there is none, says here which instance it was and what to do.

use sqlx::postgres::PgDatabaseError;

/// Detail, hint and context, as far as they were given.
pub(crate) fn remarks(error: &sqlx::Error) -> Vec<String> {
    let sqlx::Error::Database(error) = error else {
        return Vec::new();
    };
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
        return Vec::new();
    };
    [
        ("detail", error.detail()),
        ("hint", error.hint()),
        ("in", error.r#where()),
    ]
    .into_iter()
    .filter_map(|(name, remark)| Some(format!("{name}: {}", remark?)))
    .collect()
}

/// The same in brackets, to follow a message.
pub(crate) fn in_brackets(error: &sqlx::Error) -> String {
    let remarks = remarks(error);
    if remarks.is_empty() {
        String::new()
    } else {
        format!(" ({})", remarks.join("; "))
    }
}
