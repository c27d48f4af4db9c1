//! Where usage is exported to.

use url::Url;

use super::{Secret, environment::Reader};

/// What keeps exported users from being guessed has at least so many bytes.
const SHORTEST_SALT: usize = 16;

/// A dataset of BigQuery, in the project that `GOOGLE_CLOUD_PROJECT` names.
#[derive(Clone, Debug)]
pub struct BigQueryConfig {
    /// `BQ_DATASET_ID`: the dataset.
    pub dataset: String,
    /// `BIGQUERY_BASE_URL`: Google's, or a stand-in.
    pub base_url: Url,
    /// `USER_ID_SALT`: what users' ids are hashed with before they leave.
    pub user_id_salt: Option<Secret>,
}

/// `None` without a dataset: nothing is exported then.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<BigQueryConfig> {
    let dataset = reader.parse(
        "BQ_DATASET_ID",
        "the id of a dataset, of letters, digits and _, without its project",
        dataset,
    );
    let base_url = reader.address("BIGQUERY_BASE_URL", "https://bigquery.googleapis.com");
    let salt = reader.parse("USER_ID_SALT", "at least 16 characters", |value| {
        (value.len() >= SHORTEST_SALT).then(|| Secret::new(value))
    });
    Some(BigQueryConfig {
        dataset: dataset?,
        base_url: base_url?,
        user_id_salt: salt,
    })
}

fn dataset(value: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (value.len() <= 1024 && value.bytes().all(plain)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn config<const N: usize>(pairs: [(&str, &str); N]) -> Result<Option<BigQueryConfig>, String> {
        let environment = Environment::from(pairs);
        let mut reader = environment.reader();
        let config = read(&mut reader);
        reader.finish().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn nothing_is_exported_before_a_dataset_is_named() {
        let salt = ("USER_ID_SALT", "salt of sixteen characters");
        assert!(config([salt]).unwrap().is_none());
        let named = config([salt, ("BQ_DATASET_ID", "nova_analytics")]);
        assert_eq!(named.unwrap().unwrap().dataset, "nova_analytics");
    }

    #[test]
    fn what_is_no_dataset_is_told_and_a_salt_is_never_repeated() {
        let error =
            config([("BQ_DATASET_ID", "acme:nova"), ("USER_ID_SALT", "short")]).unwrap_err();
        assert_eq!(
            error,
            "BQ_DATASET_ID=acme:nova: the id of a dataset, of letters, digits and _, without its project\n\
             USER_ID_SALT: at least 16 characters"
        );
    }
}
