//! The two pages that the sign-in itself shows.

use http::StatusCode;
use nova_runtime::Response;
use nova_runtime::body::full;
use nova_runtime::page::{Html, Page};

const MESSAGE: &str = include_str!("message.html");

/// Says why nobody is signed in, and how to begin again.
pub(crate) fn try_again(status: StatusCode, reason: &str) -> Response {
    message("Not signed in", reason)
        .status(status)
        .render()
        .map(full)
}

/// Says that the session is over.
pub(crate) fn signed_out() -> Response {
    message("Signed out", "This browser is signed out of Nova.")
        .render()
        .map(full)
}

fn message(title: &str, text: &str) -> Page {
    let values = [("title", Html::text(title)), ("text", Html::text(text))];
    Page::new(title).body(Html::fill(MESSAGE, &values))
}
