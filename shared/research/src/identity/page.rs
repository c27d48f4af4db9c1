//! Pages: the same one for phones, for AMP, with and without `www.`.

use nova_web::is_within;
use url::Url;

use crate::url::SourceUrl;

/// First labels of a host that show the site in another way.
const VIEWS: [&str; 4] = ["www", "m", "mobile", "amp"];

/// Parameters that ask for the AMP form of a page.
const AMP_PARAMETERS: [&str; 4] = ["amp", "amp=1", "amp=true", "outputType=amp"];

/// The page that an AMP cache shows: `https://www.google.com/amp/s/a.example/x`,
/// `https://a-example.cdn.ampproject.org/c/s/a.example/x`.
pub(super) fn behind_amp_cache(url: &SourceUrl) -> Option<SourceUrl> {
    let parsed = Url::parse(url.as_str()).ok()?;
    let host = parsed.host_str()?;
    let path = parsed.path();
    let rest = if host == "www.google.com" || host == "google.com" {
        path.strip_prefix("/amp/")?
    } else if is_within(host, "cdn.ampproject.org") {
        ["/c/", "/v/", "/wp/"]
            .iter()
            .find_map(|kind| path.strip_prefix(kind))?
    } else {
        return None;
    };
    let address = match rest.strip_prefix("s/") {
        Some(secure) => format!("https://{secure}"),
        None => format!("http://{rest}"),
    };
    let query = parsed.query().map(|query| format!("?{query}"));
    SourceUrl::parse(&(address + query.as_deref().unwrap_or_default())).ok()
}

/// The identity of a page's URL without what only chooses how it is shown.
pub(super) fn key(identity: &str) -> String {
    let (before_route, route) = split(identity, '#');
    let (address, query) = split(before_route, '?');
    let (host, path) = split(address, '/');
    let parameters: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !AMP_PARAMETERS.contains(pair))
        .collect();
    let mut key = host_key(host);
    let path = without_amp(path);
    for (mark, part) in [
        ('/', path),
        ('?', &*parameters.join("&")),
        ('#', route.trim_end_matches('/')),
    ] {
        if !part.is_empty() {
            key.push(mark);
            key.push_str(part);
        }
    }
    key
}

fn split(text: &str, at: char) -> (&str, &str) {
    text.split_once(at).unwrap_or((text, ""))
}

/// `en.m.wikipedia.org` is `en.wikipedia.org`; the last two labels are the site itself.
fn host_key(host: &str) -> String {
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.len().saturating_sub(2);
    let kept: Vec<&str> = labels
        .iter()
        .enumerate()
        .filter(|(nth, label)| *nth >= last || !VIEWS.contains(label))
        .map(|(_, label)| *label)
        .collect();
    kept.join(".")
}

fn without_amp(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    for end in ["/amp", ".amp.html", ".amp"] {
        if let Some(rest) = path.strip_suffix(end) {
            return rest.trim_end_matches('/');
        }
    }
    path
}
