//! What a request asks for, taken from its method and path.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::super::fault::Step;

#[derive(Debug)]
pub(super) enum Route {
    ConnectSettings {
        project: String,
        instance: String,
    },
    Certificate {
        project: String,
        instance: String,
    },
    ResolveSettings {
        location: String,
        dns_name: String,
    },
    Token,
    Exchange,
    /// The path below the server's root.
    Metadata(String),
    /// The e-mail address of the service account.
    Impersonation {
        account: String,
    },
    Unknown,
}

impl Route {
    pub(super) fn of(parts: &Parts) -> Self {
        // Some clients write the colons of names and methods as %3A.
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let path = path.as_ref();
        let get = || parts.method == Method::GET;
        let post = || parts.method == Method::POST;
        let found = connect_settings(path)
            .filter(|_| get())
            .or_else(|| certificate(path).filter(|_| post()))
            .or_else(|| resolve_settings(path).filter(|_| get()))
            .or_else(|| impersonation(path).filter(|_| post()))
            .or_else(|| (path == "/token" && post()).then_some(Self::Token))
            .or_else(|| (path == "/v1/token" && post()).then_some(Self::Exchange))
            .or_else(|| metadata(path).filter(|_| get()));
        found.unwrap_or(Self::Unknown)
    }

    pub(super) const fn step(&self) -> Option<Step> {
        match self {
            Self::ConnectSettings { .. } => Some(Step::ConnectSettings),
            Self::Certificate { .. } => Some(Step::Certificate),
            Self::ResolveSettings { .. } => Some(Step::ResolveSettings),
            Self::Token => Some(Step::Token),
            Self::Exchange => Some(Step::Exchange),
            Self::Metadata(_) => Some(Step::Metadata),
            Self::Impersonation { .. } => Some(Step::Impersonation),
            Self::Unknown => None,
        }
    }
}

/// `{project}` and what follows `/instances/`. A project may hold a colon, and neither a slash.
fn instance(path: &str) -> Option<(&str, &str)> {
    let (project, rest) = path
        .strip_prefix("/sql/v1beta4/projects/")?
        .split_once("/instances/")?;
    is_segment(project).then_some((project, rest))
}

fn connect_settings(path: &str) -> Option<Route> {
    let (project, rest) = instance(path)?;
    let instance = rest.strip_suffix("/connectSettings")?;
    is_segment(instance).then(|| Route::ConnectSettings {
        project: project.to_owned(),
        instance: instance.to_owned(),
    })
}

fn certificate(path: &str) -> Option<Route> {
    let (project, rest) = instance(path)?;
    let instance = rest.strip_suffix(":generateEphemeralCert")?;
    is_segment(instance).then(|| Route::Certificate {
        project: project.to_owned(),
        instance: instance.to_owned(),
    })
}

fn resolve_settings(path: &str) -> Option<Route> {
    let (location, rest) = path
        .strip_prefix("/sql/v1beta4/locations/")?
        .split_once("/dns/")?;
    let dns_name = rest.strip_suffix(":resolveConnectSettings")?;
    let fits = is_segment(location) && is_segment(dns_name);
    fits.then(|| Route::ResolveSettings {
        location: location.to_owned(),
        dns_name: dns_name.to_owned(),
    })
}

fn impersonation(path: &str) -> Option<Route> {
    let account = path
        .strip_prefix("/v1/projects/-/serviceAccounts/")?
        .strip_suffix(":generateAccessToken")?;
    is_segment(account).then(|| Route::Impersonation {
        account: account.to_owned(),
    })
}

fn metadata(path: &str) -> Option<Route> {
    let below = path.strip_prefix("/computeMetadata/v1");
    let path = below.or((path == "/").then_some(""))?;
    Some(Route::Metadata(path.trim_matches('/').to_owned()))
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}
