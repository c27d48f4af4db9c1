//! The page on which a person says who they are, and the code that it sends them back with.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use url::{Url, form_urlencoded};

use super::Issuer;
use super::client::Client;
use super::key::random_text;
use super::reply::{self, Reply};

const PAGE: &str = include_str!("authorize.html");
const STYLE: &str = include_str!("authorize.css");

/// What may be granted.
const SCOPES: [&str; 4] = ["openid", "research:read", "research:run", "admin"];
/// What is granted to a client that asks for nothing in particular.
const DEFAULT_SCOPE: &str = "research:read research:run";

/// The parameters that travel from the request through the page to its form.
const CARRIED: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "nonce",
];

/// What a code stands for.
pub(super) struct Grant {
    pub(super) user: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) scope: String,
    pub(super) resource: Option<String>,
    pub(super) nonce: Option<String>,
}

/// Form or query parameters, each at most once (RFC 6749, 3.1).
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(encoded: &[u8]) -> Option<Self> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(encoded).into_owned().collect();
        let is_repeated = pairs
            .iter()
            .enumerate()
            .any(|(index, (name, _))| pairs.iter().skip(index + 1).any(|(other, _)| other == name));
        (!is_repeated).then_some(Self(pairs))
    }

    /// A parameter's value; an empty one counts as missing.
    pub(super) fn get(&self, wanted: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// A request that may be answered at its redirect address.
struct Authorization {
    client: Client,
    redirect: Url,
    state: Option<String>,
}

impl Issuer {
    /// The page. Whatever is wrong with client or address is said here and nowhere else: sending
    /// the browser to an address that nobody vouched for would make this an open redirect.
    pub(super) fn show_authorization(&self, query: &str) -> Reply {
        let Some(parameters) = Parameters::parse(query.as_bytes()) else {
            return refusal("A parameter of the request is there twice.");
        };
        let authorization = match self.authorization(&parameters) {
            Ok(authorization) => authorization,
            Err(reason) => return refusal(reason),
        };
        match Self::grant(&parameters, &authorization, "nobody yet") {
            Ok(grant) => self.page(&parameters, &authorization, &grant),
            Err((code, description)) => self.send_back(
                &authorization,
                &[("error", code), ("error_description", description)],
            ),
        }
    }

    /// The page's form: issues a code for the user that was named.
    pub(super) fn authorize(&self, headers: &HeaderMap, body: &[u8]) -> Reply {
        if !self.is_own_page(headers) {
            return refusal("The form was not sent by this page.");
        }
        let Some(parameters) = Parameters::parse(body) else {
            return refusal("A parameter of the request is there twice.");
        };
        let authorization = match self.authorization(&parameters) {
            Ok(authorization) => authorization,
            Err(reason) => return refusal(reason),
        };
        let user = parameters.get("user").unwrap_or_default().trim().to_owned();
        if user.is_empty() || user.len() > 255 || user.chars().any(char::is_control) {
            return refusal("A user name has 1 to 255 bytes and no control characters.");
        }
        match Self::grant(&parameters, &authorization, &user) {
            Ok(grant) => {
                let code = random_text();
                self.0.state.keep_code(code.clone(), grant);
                self.send_back(&authorization, &[("code", &code)])
            }
            Err((code, description)) => self.send_back(
                &authorization,
                &[("error", code), ("error_description", description)],
            ),
        }
    }

    fn authorization(&self, parameters: &Parameters) -> Result<Authorization, &'static str> {
        let client = parameters.get("client_id").and_then(|id| self.client(id));
        let client = client.ok_or("The program that sent you here is not known (client_id).")?;
        let redirect = parameters
            .get("redirect_uri")
            .and_then(|uri| client.accepted_redirect(uri, &self.0.url))
            .ok_or("The program that sent you here may not send you back there (redirect_uri).")?;
        Ok(Authorization {
            client,
            redirect,
            state: parameters.get("state").map(str::to_owned),
        })
    }

    fn grant(
        parameters: &Parameters,
        authorization: &Authorization,
        user: &str,
    ) -> Result<Grant, (&'static str, &'static str)> {
        if parameters.get("response_type") != Some("code") {
            return Err(("unsupported_response_type", "only code"));
        }
        let challenge = parameters.get("code_challenge").unwrap_or_default();
        if parameters.get("code_challenge_method") != Some("S256") || challenge.len() != 43 {
            return Err(("invalid_request", "PKCE with S256 is required"));
        }
        let resource = parameters.get("resource");
        let is_target = |uri| Url::parse(uri).is_ok_and(|url| url.fragment().is_none());
        if !resource.is_none_or(is_target) {
            return Err(("invalid_target", "resource must be an absolute URI"));
        }
        let wanted = parameters.get("scope").unwrap_or(DEFAULT_SCOPE);
        let granted: Vec<&str> = SCOPES
            .into_iter()
            .filter(|scope| wanted.split(' ').any(|name| name == *scope))
            .collect();
        if granted.is_empty() {
            return Err(("invalid_scope", "none of these scopes exists"));
        }
        Ok(Grant {
            user: user.to_owned(),
            client_id: authorization.client.id.clone(),
            redirect_uri: parameters
                .get("redirect_uri")
                .unwrap_or_default()
                .to_owned(),
            code_challenge: challenge.to_owned(),
            scope: granted.join(" "),
            resource: resource.map(str::to_owned),
            nonce: parameters.get("nonce").map(str::to_owned),
        })
    }

    fn send_back(&self, authorization: &Authorization, answer: &[(&str, &str)]) -> Reply {
        let mut location = authorization.redirect.clone();
        {
            let mut query = location.query_pairs_mut();
            query.extend_pairs(answer);
            if let Some(state) = &authorization.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", self.url());
        }
        reply::see_other(&location)
    }

    /// A page of another site could otherwise sign somebody in without a word. Programs that are
    /// no browsers say nothing about where they come from.
    fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let is_same_site = headers
            .get("sec-fetch-site")
            .is_none_or(|site| site == "same-origin");
        let own = self.0.url.origin().ascii_serialization();
        is_same_site && headers.get(ORIGIN).is_none_or(|origin| *origin == *own)
    }

    fn page(&self, parameters: &Parameters, authorization: &Authorization, grant: &Grant) -> Reply {
        let mut carried = String::new();
        for name in CARRIED {
            if let Some(value) = parameters.get(name) {
                let value = escaped(value);
                carried.extend([
                    "<input type=\"hidden\" name=\"",
                    name,
                    "\" value=\"",
                    &value,
                    "\">\n",
                ]);
            }
        }
        let action = format!("{}/authorize", self.0.url.path().trim_end_matches('/'));
        let page = PAGE
            .replace("{{style}}", STYLE)
            .replace("{{action}}", &escaped(&action))
            .replace("{{client}}", &escaped(&authorization.client.name))
            .replace(
                "{{destination}}",
                &escaped(&destination(&authorization.redirect)),
            )
            .replace("{{scope}}", &escaped(&grant.scope))
            .replace(
                "{{user}}",
                &escaped(parameters.get("login_hint").unwrap_or_default()),
            )
            .replace("{{carried}}", &carried);
        html(StatusCode::OK, page)
    }
}

fn destination(url: &Url) -> String {
    match url.host_str() {
        Some(host) => host.to_owned(),
        None => format!("{}:", url.scheme()),
    }
}

fn refusal(reason: &str) -> Reply {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in refused</title>\
         <style>{STYLE}</style><main><h1>Sign-in refused</h1><p>{}</p></main></html>",
        escaped(reason)
    );
    html(StatusCode::BAD_REQUEST, page)
}

/// No script, no frame, one style. There is no `form-action`: browsers apply it to the redirect
/// after the form too, and that goes to whatever program asked.
fn html(status: StatusCode, page: String) -> Reply {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // `no-referrer` would make the form's own origin `null`.
        (REFERRER_POLICY, "same-origin"),
    ];
    let mut reply = reply::new(status, &headers, page);
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // A value must not be taken for one of the page's own places.
            '{' => safe.push_str("&#123;"),
            _ => safe.push(c),
        }
    }
    safe
}
