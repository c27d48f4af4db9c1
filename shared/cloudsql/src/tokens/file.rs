//! Files with credentials.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::ErrorKind;

use super::{
    AuthorizedUser, CachedTokens, ExternalAccount, GOOGLES_UNIVERSE, Impersonated, KeyFile,
    TokenError, TokenSource,
};

/// What all kinds of credentials have.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
}

/// `impersonated_service_account`: others' credentials, and whom they act as.
#[derive(Deserialize)]
struct ImpersonatedFile {
    service_account_impersonation_url: String,
    source_credentials: serde_json::Value,
    #[serde(default)]
    delegates: Vec<String>,
    quota_project_id: Option<String>,
}

/// `external_account`, as far as it is about whom they act as.
#[derive(Deserialize)]
struct ExternalFile {
    service_account_impersonation_url: Option<String>,
}

/// The credentials in a file of the form that Google's tools write: a service account's key, what
/// `gcloud auth application-default login` leaves, the latter with `--impersonate-service-account`, or
/// those of workload identity federation (`external_account`), as long as the subject token lies in a
/// file or at an address.
///
/// The file is read now, and a key or a subject token again for each token, so that it may be
/// replaced. A file names files and addresses: take it from nobody whom you would not let name them.
pub fn credentials_file(path: impl Into<PathBuf>) -> Result<Arc<dyn TokenSource>, TokenError> {
    let path = path.into();
    let text = read(&path).map_err(|error| cannot_be_read(&path).with_source(error))?;
    credentials(&text, Some(&path), 0)
}

pub(super) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    std::fs::read_to_string(path).map(Zeroizing::new)
}

pub(super) fn cannot_be_read(path: &Path) -> TokenError {
    TokenError::new(
        ErrorKind::Configuration,
        format!("the credentials in {} cannot be read", path.display()),
    )
    .with_hint("check GOOGLE_APPLICATION_CREDENTIALS and who may read the file")
}

/// The reason is told without its text, which could be a secret.
pub(super) fn unfit(what: &str, error: &serde_json::Error) -> TokenError {
    TokenError::new(
        ErrorKind::Configuration,
        format!(
            "the credentials are not those of {what}: line {}, column {}",
            error.line(),
            error.column()
        ),
    )
    .with_hint("download or make the credentials again")
}

/// What a file's `universe_domain` means.
pub(super) fn universe(named: Option<&str>) -> String {
    named
        .filter(|it| !it.is_empty())
        .unwrap_or(GOOGLES_UNIVERSE)
        .to_owned()
}

fn credentials(
    text: &str,
    path: Option<&Path>,
    depth: u8,
) -> Result<Arc<dyn TokenSource>, TokenError> {
    let head: Head = serde_json::from_str(text).map_err(|error| unfit("anybody", &error))?;
    match head.kind.as_str() {
        "service_account" => Ok(match path {
            Some(path) => Arc::new(KeyFile::checked(path, text)?),
            None => Arc::new(KeyFile::from_json(text)?),
        }),
        "authorized_user" => Ok(Arc::new(AuthorizedUser::from_json(text)?)),
        "external_account" => {
            let file: ExternalFile =
                serde_json::from_str(text).map_err(|error| unfit("an external account", &error))?;
            let source: Arc<dyn TokenSource> = Arc::new(ExternalAccount::from_json(text)?);
            let Some(url) = file.service_account_impersonation_url else {
                return Ok(source);
            };
            let source = Arc::new(CachedTokens::new(source));
            Ok(Arc::new(Impersonated::at(source, &url, Vec::new())?))
        }
        "impersonated_service_account" if depth == 0 => {
            let file: ImpersonatedFile = serde_json::from_str(text)
                .map_err(|error| unfit("an impersonated service account", &error))?;
            let source = Zeroizing::new(file.source_credentials.to_string());
            let source = credentials(&source, None, depth + 1)?;
            // Each set of scopes needs a token of the source, and always with the same scope.
            let source = Arc::new(CachedTokens::new(source));
            let url = file.service_account_impersonation_url;
            let impersonated = Impersonated::at(source, &url, file.delegates)?;
            Ok(Arc::new(
                impersonated.with_quota_project(file.quota_project_id),
            ))
        }
        other => Err(TokenError::new(
            ErrorKind::Configuration,
            format!("credentials of the type {other:?} do not work here"),
        )
        .with_hint(
            "use service_account, authorized_user, impersonated_service_account or \
             external_account, or run where there is a metadata server",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Arc<dyn TokenSource>, TokenError> {
        credentials(text, None, 0)
    }

    #[test]
    fn a_type_that_does_not_work_is_named_with_those_that_do() {
        let error = of(r#"{"type": "gdch_service_account"}"#)
            .err()
            .unwrap()
            .to_string();
        for word in [
            "gdch_service_account",
            "external_account",
            "service_account",
            "authorized_user",
            "metadata server",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_showing_it() {
        for text in [
            "",
            "s3cret",
            r#"{"type": "authorized_user", "refresh_token": "s3cret"}"#,
            r#"{"type": "service_account", "private_key": "s3cret"}"#,
            r#"{"type": "authorized_user", "client_id": "a", "client_secret": {"s3cret": 1}}"#,
        ] {
            let error = of(text).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn who_is_impersonated_is_read_from_the_address() {
        let source = of(r#"{"type": "impersonated_service_account",
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sa@proj.iam.gserviceaccount.com:generateAccessToken",
            "delegates": ["d@proj.iam.gserviceaccount.com"],
            "source_credentials": {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}}"#)
        .unwrap();
        let principal = source.principal().await;
        assert_eq!(
            principal.as_deref(),
            Some("sa@proj.iam.gserviceaccount.com")
        );
    }

    #[test]
    fn chains_are_said_with_delegates_not_with_files_in_files() {
        let inner = r#"{"type": "impersonated_service_account"}"#;
        let text = format!(
            r#"{{"type": "impersonated_service_account", "source_credentials": {inner},
                "service_account_impersonation_url": "https://x/serviceAccounts/a@b:generateAccessToken"}}"#
        );
        assert!(of(&text).is_err());
    }
}
