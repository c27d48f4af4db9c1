//! Upload grants: what a shell sends in place of a token.
//!
//! An agent asks for a grant in its user's name and hands it to a program that can move files, such
//! as curl. It is for one address, with its query, one media type, one size, a few minutes and one
//! use; so a shell's history, or a colleague's look at it, gives nothing away that lasts. The token
//! travels in a header, never in an address, and the database knows its hash.

use std::fmt;

use aws_lc_rs::rand::SecureRandom as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, Uri, header, request::Parts};
use nova_store::UploadGrant;
use url::form_urlencoded;

use crate::{app::App, problem::Problem, sha256};

/// The header in which a grant's token comes.
pub const GRANT_HEADER: HeaderName = HeaderName::from_static("x-nova-upload-grant");

/// What every grant's token begins with, by which the log and other people's scanners know it.
pub(crate) const PREFIX: &str = "nova_grant_";

/// The token of a grant: 256 random bits.
pub struct GrantToken(String);

impl GrantToken {
    /// A token that nobody has seen.
    ///
    /// # Errors
    ///
    /// 500 when the machine has no randomness to give.
    pub fn random() -> Result<Self, Problem> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_no_randomness| Problem::internal("no randomness for an upload grant"))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// What the database keeps of it. The token is random, so nothing has to make guessing slow.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// The token itself, for the one who asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GrantToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GrantToken(…)")
    }
}

/// The grant that a request came with and that fits it; `None` when it came with none.
pub(crate) async fn admit(app: &App, parts: &Parts) -> Result<Option<UploadGrant>, Problem> {
    let mut tokens = parts.headers.get_all(GRANT_HEADER).iter();
    let Some(token) = tokens.next() else {
        return Ok(None);
    };
    if tokens.next().is_some() || parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(Problem::bad_request(
            "Send one upload grant or one token, and not both: in whose name this is must be clear.",
        ));
    }
    let token = token.to_str().unwrap_or_default();
    app.require_schema().await?;
    let found = app.store().find_upload_grant(sha256(token)).await?;
    let grant = found.ok_or_else(|| Problem::unauthorized(NO_GRANT))?;
    fits(&grant, parts)?;
    Ok(Some(grant))
}

const NO_GRANT: &str =
    "There is no such upload grant. Ask for another one with the tool `request_upload`.";

fn fits(grant: &UploadGrant, parts: &Parts) -> Result<(), Problem> {
    if grant.is_used {
        return Err(Problem::conflict(
            "This upload grant was used before. Ask for another one with the tool `request_upload`.",
        ));
    }
    if grant.is_expired {
        return Err(Problem::unauthorized(
            "This upload grant has expired. Ask for another one with the tool `request_upload`.",
        ));
    }
    if !is_the_same(&grant.target, &parts.uri) {
        return Err(Problem::forbidden(format!(
            "This upload grant is for {} and for no other address.",
            grant.target
        )));
    }
    let declared = parts.headers.get(header::CONTENT_TYPE);
    let declared = declared.and_then(|value| value.to_str().ok());
    let declared = declared.and_then(|value| value.split(';').next());
    if !declared.is_some_and(|it| it.trim().eq_ignore_ascii_case(&grant.content_type)) {
        return Err(Problem::unsupported_media_type(format!(
            "This upload grant is for content of the type {}; declare it as `Content-Type`.",
            grant.content_type
        )));
    }
    Ok(())
}

/// Whether an address is the one that was granted, however a client writes its query.
fn is_the_same(target: &str, uri: &Uri) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = |query: &str| -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    };
    uri.path() == path && pairs(uri.query().unwrap_or_default()) == pairs(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_its_query_is_written_and_no_other_is() {
        let target = "/files?article=1&filename=a+b%7E.md";
        let same = |address: &'static str| is_the_same(target, &Uri::from_static(address));
        assert!(same("/files?article=1&filename=a+b%7E.md"));
        assert!(same(
            "http://nova.example/files?article=1&filename=a%20b~.md"
        ));
        for other in [
            "/files",
            "/files?article=1",
            "/files?article=2&filename=a+b%7E.md",
            "/files?article=1&filename=a+b%7E.md&filename=c.md",
            "/files?article=1&filename=a+b%7E.md&more=",
            "/files/?article=1&filename=a+b%7E.md",
            "/other?article=1&filename=a+b%7E.md",
        ] {
            assert!(!same(other), "{other}");
        }
        assert!(is_the_same("/files", &Uri::from_static("/files")));
        assert!(!is_the_same("/files", &Uri::from_static("/files?a=b")));
    }

    #[test]
    fn tokens_differ_and_do_not_print() {
        let (one, other) = (GrantToken::random().unwrap(), GrantToken::random().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
