//! Tokens of other service accounts: `generateAccessToken` of the IAM credentials API.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::super::certificates::rfc3339;
use super::super::tokens::{CLOUD_SCOPE, IAM_SCOPE};
use super::Call;
use super::certificate::seconds;
use super::reply::{self, Reply};

/// The longest that Google grants without being asked to change it.
const LONGEST: Duration = Duration::from_hours(1);

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    delegates: Vec<String>,
    #[serde(default)]
    scope: Vec<String>,
    lifetime: Option<String>,
}

pub(super) fn issue(call: &Call, account: &str, body: &[u8]) -> Reply {
    let caller = match call.authorized(&[CLOUD_SCOPE, IAM_SCOPE]) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
        return reply::error(400, "badRequest", "Invalid JSON payload received.");
    };
    call.note(|request| request.scopes.clone_from(&wanted.scope));
    if wanted.scope.is_empty() {
        return reply::error(400, "badRequest", "Scope list is empty.");
    }
    let delegates = wanted.delegates.iter().map(|name| account_of(name));
    let mut before = caller.principal.as_str();
    for next in delegates.chain([account]) {
        let link = (before.to_owned(), next.to_owned());
        if !call.cloud.settings().impersonators.contains(&link) {
            return reply::error(
                403,
                "forbidden",
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            );
        }
        before = next;
    }
    let longest = call.cloud.settings().token_lifetime.min(LONGEST);
    let lifetime = wanted.lifetime.as_deref().and_then(seconds);
    let lifetime = lifetime.map_or(longest, |it| it.min(longest));
    let (text, token) = call.cloud.tokens.issue(account, wanted.scope, lifetime);
    let answer = json!({"accessToken": text, "expireTime": rfc3339(token.expires)});
    reply::json(200, &answer)
}

/// `projects/-/serviceAccounts/{account}`, or the account alone.
fn account_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, account)| account)
}
