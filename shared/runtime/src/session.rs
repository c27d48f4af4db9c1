//! A browser's session as a call sees it: the token in the cookie, and the guard against forged posts.
//!
//! The cookie holds the access token itself, verified at each request like any other; no session
//! is stored anywhere. A post must prove twice that our own page sent it: by where it comes from
//! (`Sec-Fetch-Site` or `Origin`), and by a token that only our page can know.

use http::request::Parts;
use url::Url;

use crate::{identity::session, problem::Problem};

/// A browser session.
#[derive(Clone)]
pub struct Session {
    token: String,
    server_url: Url,
    csrf_is_checked: bool,
}

impl Session {
    /// The session that the request's cookie holds.
    pub(crate) fn of(parts: &Parts, server_url: &Url) -> Option<Self> {
        let token = session::token_of(&parts.headers, server_url)?;
        Some(Self {
            token,
            server_url: server_url.clone(),
            csrf_is_checked: false,
        })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The value for the field `csrf_token` (the first field of a form) or the header `x-csrf-token`.
    pub fn csrf_token(&self) -> String {
        session::csrf_token(&self.token)
    }

    pub(crate) fn csrf_is_checked(&self) -> bool {
        self.csrf_is_checked
    }

    pub(crate) fn check_origin(&self, parts: &Parts) -> Result<(), Problem> {
        if session::is_same_origin(&parts.headers, &self.server_url) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "This request does not come from one of our pages.",
        ))
    }

    pub(crate) fn check_csrf(&mut self, given: Option<&str>) -> Result<(), Problem> {
        if self.csrf_is_checked {
            return Ok(());
        }
        if !given.is_some_and(|given| session::csrf_matches(&self.token, given)) {
            return Err(Problem::forbidden(
                "The form's CSRF token is missing or from an earlier sign-in. Reload the page and try again.",
            ));
        }
        self.csrf_is_checked = true;
        Ok(())
    }
}
