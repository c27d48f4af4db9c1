//! `POST /sign_out`: the browser forgets the session.
//!
//! The route is public although it acts on a session, because a session that has expired must be
//! possible to leave as well. The guard is the same as for every form: our own page sent it.

use http::header::SET_COOKIE;
use nova_runtime::identity::session;
use nova_runtime::page::CSRF_FIELD;
use nova_runtime::{Call, Problem, Response};

use crate::page::signed_out;

/// The form has one field.
const MAX_FORM_BYTES: u64 = 4 * 1024;

pub(crate) async fn sign_out(mut call: Call) -> Result<Response, Problem> {
    let server_url = call.app().config().server_url.clone();
    if let Some(token) = session::token_of(call.headers(), &server_url) {
        if !session::is_same_origin(call.headers(), &server_url) {
            return Err(Problem::forbidden(
                "This request does not come from one of our pages.",
            ));
        }
        let form = call.form(MAX_FORM_BYTES).await?;
        let given = form.iter().find(|(name, _)| name == CSRF_FIELD);
        if !given.is_some_and(|(_, value)| session::csrf_matches(&token, value)) {
            return Err(Problem::forbidden(
                "The form's CSRF token is missing or from another session. Reload the page and try again.",
            ));
        }
    }
    let mut response = signed_out();
    let cookie = session::clear_cookie(&server_url);
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}
