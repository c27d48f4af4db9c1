//! The security token service (RFC 8693): a token that somebody else issued for one of Google's.

use std::collections::HashMap;

use serde_json::json;

use super::super::key_file::{AUDIENCE, FEDERATED, SUBJECT_TOKEN_TYPE};
use super::Call;
use super::reply::{self, Reply};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(super) fn exchange(call: &Call, body: &[u8]) -> Reply {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let said = |name: &str| form.get(name).map_or("", String::as_str);
    let refused = |code, why: &str| reply::oauth_error(400, code, why);
    if said("grant_type") != GRANT || said("requested_token_type") != ACCESS_TOKEN {
        return refused("unsupported_grant_type", "Invalid grant_type");
    }
    if said("audience") != AUDIENCE {
        return refused(
            "invalid_target",
            "The target service indicated by the audience is invalid.",
        );
    }
    let right = call.cloud.settings().subject_token.clone();
    if said("subject_token_type") != SUBJECT_TOKEN_TYPE || said("subject_token") != right {
        return refused(
            "invalid_grant",
            "The subject token is not one of the provider's.",
        );
    }
    let scopes: Vec<String> = said("scope")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        return refused("invalid_scope", "Empty or missing scope not allowed.");
    }
    call.note(|request| request.scopes.clone_from(&scopes));
    let lifetime = call.cloud.settings().token_lifetime;
    let (token, _) = call.cloud.tokens.issue(FEDERATED, scopes, lifetime);
    let answer = json!({
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    reply::json(200, &answer)
}
