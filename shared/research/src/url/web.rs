//! The canonical form of a web page's URL, and what makes two of them the same page.

use std::fmt::Write as _;

use url::Url;

use super::Canonical;

/// Parameters that say where a visitor came from, never which page it is.
const TRACKING: &str = "_hsenc _hsmi dclid fbclid gbraid gclid gclsrc igsh igshid li_fat_id mc_cid \
    mc_eid mkt_tok msclkid srsltid ttclid twclid wbraid yclid";

/// The URL without tracking parameters and fragment; `written` is how the author had it.
pub(super) fn page(mut url: Url, written: &str) -> Canonical {
    drop_tracking(&mut url);
    // `#!/guide` and `#/guide` are the paths of pages that are drawn in the browser.
    if !url.fragment().is_some_and(|it| it.starts_with(['!', '/'])) {
        url.set_fragment(None);
    }
    let identity = identity(&url);
    let is_root = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let mut url = String::from(url);
    if is_root
        && !written
            .split_once("://")
            .is_some_and(|(_, it)| it.contains('/'))
    {
        url.pop();
    }
    Canonical { url, identity }
}

fn drop_tracking(url: &mut Url) {
    let Some(query) = url.query() else { return };
    // The text is kept as it is: decoding and encoding again would change other parameters.
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair
                .split('=')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            !pair.is_empty()
                && !name.starts_with("utm_")
                && TRACKING.split(' ').all(|it| it != name)
        })
        .collect();
    let kept = kept.join("&");
    url.set_query(Some(kept.as_str()).filter(|it| !it.is_empty()));
}

/// Host, port, path, query and route, each spelled in the one way that RFC 3986 §6.2.2 prefers.
fn identity(url: &Url) -> String {
    let mut identity = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        let _ = write!(identity, ":{port}");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        push_normal(&mut identity, url.path());
    }
    if let Some(query) = url.query() {
        identity.push('?');
        push_normal(&mut identity, query);
    }
    if let Some(route) = url.fragment() {
        identity.push('#');
        push_normal(&mut identity, route);
    }
    identity
}

/// Appends text with `%7e` written as `~` and `%2f` as `%2F`.
fn push_normal(identity: &mut String, text: &str) {
    let mut pieces = text.split('%');
    identity.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let byte = piece
            .get(..2)
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        let (Some(byte), Some(rest)) = (byte, piece.get(2..)) else {
            identity.push('%');
            identity.push_str(piece);
            continue;
        };
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            identity.push(char::from(byte));
        } else {
            let _ = write!(identity, "%{byte:02X}");
        }
        identity.push_str(rest);
    }
}
