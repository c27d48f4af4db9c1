//! A person's browser session: a cookie that holds the access token, and the guard of its forms.
//!
//! There is no session on the server and no further secret: the cookie is verified at each request
//! like any other token and ends with it. JavaScript cannot read it, other sites cannot send it
//! with a form (`SameSite=Lax`), and over HTTPS its `__Host-` name keeps subdomains from planting
//! one. Because one forgotten browser bug must not be enough, a form proves itself twice more: it
//! comes from our own origin, and it contains a value that only a page of ours could know.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST, HeaderMap, HeaderValue, ORIGIN};
use url::{Origin, Url};

/// Browsers drop larger cookies without a word (RFC 6265, 6.1, counts name and attributes).
const MAX_COOKIE_BYTES: usize = 4096;

/// A token too long for a cookie. Ask the issuer for fewer claims.
#[derive(Debug, thiserror::Error)]
#[error("a token of {0} bytes does not fit into a cookie")]
pub struct TokenTooLarge(usize);

/// The `Set-Cookie` value that starts a session of `lifetime`.
pub fn set_cookie(
    token: &str,
    lifetime: Duration,
    server_url: &Url,
) -> Result<HeaderValue, TokenTooLarge> {
    let name = cookie_name(server_url);
    let cookie = cookie(name, token, "/", lifetime, server_url);
    if cookie.len() > MAX_COOKIE_BYTES {
        return Err(TokenTooLarge(token.len()));
    }
    HeaderValue::try_from(cookie).map_err(|_not_shown| TokenTooLarge(token.len()))
}

/// The `Set-Cookie` value that ends the session.
pub fn clear_cookie(server_url: &Url) -> HeaderValue {
    let cookie = cookie(cookie_name(server_url), "", "/", Duration::ZERO, server_url);
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

/// The token of a request's session cookie.
pub fn token_of(headers: &HeaderMap, server_url: &Url) -> Option<String> {
    cookie_value(headers, cookie_name(server_url))
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
}

/// A cookie as text, with the attributes that all of ours have. `path` narrows where it is sent.
pub fn cookie(name: &str, value: &str, path: &str, lifetime: Duration, server_url: &Url) -> String {
    let seconds = lifetime.as_secs();
    let secure = if is_secure(server_url) {
        "; Secure"
    } else {
        ""
    };
    format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// The value of a cookie; `None` if it is missing or there are two of that name, because then
/// somebody else set one of them.
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(key, value)| (key == name).then_some(value));
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The value that a form of this session must contain. It is a keyed hash of a constant, with the
/// token as the key: whoever knows it learns nothing about the token.
pub fn csrf_token(session_token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"nova-csrf"))
}

/// True when `given` is this session's [`csrf_token`]; takes the same time wherever it differs.
pub fn csrf_matches(session_token: &str, given: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_token.as_bytes());
    URL_SAFE_NO_PAD
        .decode(given)
        .is_ok_and(|given| hmac::verify(&key, b"nova-csrf", &given).is_ok())
}

/// True when a browser sent the request from one of our own pages. A request that says nothing
/// about where it comes from is not trusted: every browser of the last years says it for posts.
pub fn is_same_origin(headers: &HeaderMap, server_url: &Url) -> bool {
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    match headers.get(ORIGIN) {
        Some(origin) => is_ours(origin, headers.get(HOST), server_url),
        None => headers.contains_key("sec-fetch-site"),
    }
}

/// Our origin is `SERVER_URL`, and also whatever host the browser believes to talk to: the cookie
/// belongs to that host, so a page of another one cannot have it sent along.
fn is_ours(origin: &HeaderValue, host: Option<&HeaderValue>, server_url: &Url) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else {
        return false;
    };
    let is_tuple = matches!(origin.origin(), Origin::Tuple(..));
    if is_tuple && origin.origin() == server_url.origin() {
        return true;
    }
    let host = host
        .and_then(|host| host.to_str().ok())
        .and_then(|host| Url::parse(&format!("{}://{host}", server_url.scheme())).ok());
    host.is_some_and(|host| is_tuple && host.origin() == origin.origin())
}

/// Over HTTPS the browser itself enforces that the cookie is ours alone.
fn cookie_name(server_url: &Url) -> &'static str {
    if is_secure(server_url) {
        "__Host-nova-session"
    } else {
        "nova-session"
    }
}

fn is_secure(server_url: &Url) -> bool {
    server_url.scheme() == "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn headers<const N: usize>(pairs: [(&'static str, &'static str); N]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_the_host() {
        let hour = Duration::from_hours(1);
        assert_eq!(
            set_cookie("a.b.c", hour, &url("https://nova.example")).expect("fits"),
            "__Host-nova-session=a.b.c; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            set_cookie("a.b.c", hour, &url("http://localhost:8080")).expect("fits"),
            "nova-session=a.b.c; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            clear_cookie(&url("https://nova.example")),
            "__Host-nova-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn a_token_that_browsers_would_drop_is_an_error() {
        let token = "x".repeat(4_090);
        assert!(set_cookie(&token, Duration::from_secs(1), &url("https://nova.example")).is_err());
    }

    #[test]
    fn the_cookie_is_read_among_others_and_not_when_it_is_there_twice() {
        let local = url("http://localhost:8080");
        let one = headers([("cookie", "theme=dark; nova-session=a.b.c; x=nova-session=d")]);
        assert_eq!(token_of(&one, &local).as_deref(), Some("a.b.c"));
        assert_eq!(token_of(&one, &url("https://nova.example")), None);
        let two = headers([
            ("cookie", "nova-session=a.b.c"),
            ("cookie", "nova-session=e.v.l"),
        ]);
        assert_eq!(token_of(&two, &local), None);
        assert_eq!(
            token_of(&headers([("cookie", "nova-session=")]), &local),
            None
        );
    }

    #[test]
    fn a_form_value_fits_its_own_session_only() {
        let value = csrf_token("token of alice");
        assert!(csrf_matches("token of alice", &value));
        assert!(!csrf_matches("token of bob", &value));
        for wrong in [
            "",
            "token of alice",
            "AAAA",
            &value.to_lowercase(),
            &format!("{value}="),
        ] {
            assert!(!csrf_matches("token of alice", wrong), "{wrong:?}");
        }
    }

    #[test]
    fn only_our_own_pages_are_of_the_same_origin() {
        let server = url("https://nova.example");
        let ours = [
            headers([
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://nova.example"),
            ]),
            headers([("origin", "https://nova.example")]),
            headers([("sec-fetch-site", "same-origin")]),
            headers([
                ("origin", "https://nova-1.run.app"),
                ("host", "nova-1.run.app"),
            ]),
            headers([
                ("origin", "https://nova.example"),
                ("host", "10.0.0.7:8080"),
            ]),
        ];
        for headers in ours {
            assert!(is_same_origin(&headers, &server), "{headers:?}");
        }
        let others = [
            headers([]),
            headers([("origin", "null")]),
            headers([("origin", "null"), ("host", "null")]),
            headers([("origin", "https://evil.example"), ("host", "nova.example")]),
            headers([("origin", "http://nova.example"), ("host", "nova.example")]),
            headers([
                ("origin", "https://nova.example:444"),
                ("host", "nova.example"),
            ]),
            headers([("origin", "https://nova.example.evil.example")]),
            headers([
                ("sec-fetch-site", "same-site"),
                ("origin", "https://nova.example"),
            ]),
            headers([
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://nova.example"),
            ]),
            headers([("sec-fetch-site", "none")]),
            headers([
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://evil.example"),
            ]),
        ];
        for headers in others {
            assert!(!is_same_origin(&headers, &server), "{headers:?}");
        }
    }
}
