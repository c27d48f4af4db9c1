//! A usage row as it leaves: which columns, and nobody's name.

use aws_lc_rs::digest::{Context, SHA256};
use nova_providers::bigquery::{Field, Table};
use nova_runtime::{config::Secret, hex, rfc3339};
use nova_store::UsageRow;
use serde::Serialize;
use uuid::Uuid;

/// The table that files are loaded into. A column more, or another type, needs another name: what is
/// there keeps its columns.
pub(crate) const TABLE: Table = Table {
    name: "tool_call_usage",
    fields: &[
        Field {
            name: "id",
            kind: "STRING",
            mode: "REQUIRED",
            description: "The call.",
        },
        Field {
            name: "user_id",
            kind: "STRING",
            mode: "REQUIRED",
            description: "Who called: a salted hash, the same for all calls of a user.",
        },
        Field {
            name: "tool_name",
            kind: "STRING",
            mode: "REQUIRED",
            description: "Which tool.",
        },
        Field {
            name: "year_month",
            kind: "STRING",
            mode: "REQUIRED",
            description: "Month it counts in, YYYY-MM in UTC.",
        },
        Field {
            name: "created_at",
            kind: "TIMESTAMP",
            mode: "REQUIRED",
            description: "When it was admitted.",
        },
        Field {
            name: "article_id",
            kind: "STRING",
            mode: "NULLABLE",
            description: "Article it worked on.",
        },
    ],
    partitioned_by: "created_at",
    clustered_by: &["user_id", "tool_name"],
};

#[derive(Serialize)]
struct Line<'a> {
    id: Uuid,
    user_id: String,
    tool_name: &'a str,
    year_month: &'a str,
    created_at: String,
    article_id: Option<Uuid>,
}

/// What users are called elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Pseudonyms(Secret);

impl Pseudonyms {
    pub(crate) const fn new(salt: Secret) -> Self {
        Self(salt)
    }

    /// What `erase_user` of the schema makes of a user, with this salt: so that a user who was erased
    /// with it is the same before and after, and no partition has to be written again for that.
    fn of(&self, user: &str) -> String {
        if let Some(hash) = user.strip_prefix("erased:").filter(|rest| is_hash(rest)) {
            return hash.to_owned();
        }
        let mut digest = Context::new(&SHA256);
        digest.update(self.0.reveal().as_bytes());
        digest.update(user.as_bytes());
        hex(digest.finish().as_ref())
    }
}

/// What only looks like one may be somebody's name.
fn is_hash(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 64 && text.bytes().all(digit)
}

/// Adds a row to a file.
pub(crate) fn write(
    file: &mut impl std::io::Write,
    row: &UsageRow,
    pseudonyms: &Pseudonyms,
) -> std::io::Result<()> {
    let line = Line {
        id: row.id,
        user_id: pseudonyms.of(&row.user_id),
        tool_name: &row.tool_name,
        year_month: &row.year_month,
        created_at: rfc3339(row.created_at),
        article_id: row.article_id,
    };
    serde_json::to_writer(&mut *file, &line)?;
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    fn line(user: &str) -> Value {
        let row = UsageRow {
            id: Uuid::from_u128(1),
            user_id: user.to_owned(),
            tool_name: "transcribe_youtube_urls".to_owned(),
            year_month: "2026-03".to_owned(),
            created_at: datetime!(2026-03-29 23:59:59.000_001 UTC),
            article_id: None,
        };
        let mut file = Vec::new();
        let pseudonyms = Pseudonyms::new(Secret::new("salt"));
        write(&mut file, &row, &pseudonyms).unwrap();
        assert_eq!(file.pop(), Some(b'\n'));
        serde_json::from_slice(&file).unwrap()
    }

    #[test]
    fn a_line_has_the_columns_of_the_table_and_a_hash_for_the_user() {
        let line = line("alice@example.com");
        let columns: Vec<&str> = TABLE.fields.iter().map(|field| field.name).collect();
        let mut written: Vec<&String> = line.as_object().unwrap().keys().collect();
        written.sort_by_key(|name| columns.iter().position(|column| column == name));
        assert_eq!(written, columns);
        // sha256sum of `saltalice@example.com`
        let hash = "109f0b7ded1d94140eda40c1286befd64aec56290dba9e6642f3d096e9fc3b05";
        assert_eq!(
            (&line["user_id"], &line["created_at"]),
            (&json!(hash), &json!("2026-03-29T23:59:59.000001Z"))
        );
    }

    #[test]
    fn who_was_erased_stays_who_he_was_and_nobody_gets_through_by_looking_so() {
        let alice = line("alice")["user_id"].clone();
        let erased = format!("erased:{}", alice.as_str().unwrap());
        assert_eq!(line(&erased)["user_id"], alice);
        let pretends = "erased:alice@example.com";
        assert_ne!(line(pretends)["user_id"], json!("alice@example.com"));
    }
}
