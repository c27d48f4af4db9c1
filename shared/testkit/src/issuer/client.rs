//! Programs that ask for tokens, and where their users may be sent back to.
//!
//! A program is known in one of three ways: by name, by registration, or by the address of its
//! description (a client id metadata document), which is the id itself. This issuer asks nobody
//! anything, so that signing in needs no network, and so it does not read the description either:
//! such a program is sent back to this machine and to nowhere else, whatever it says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Issuer;

/// Marks the ids that registration hands out.
const REGISTERED: &str = "registered.";

/// A program that asks for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it calls itself in requests.
    pub id: String,
    /// What people read.
    pub name: String,
    /// For programs that can keep one.
    pub secret: Option<String>,
    /// Where users may be sent back to, beside this machine and the issuer's own site.
    pub redirect_uris: Vec<String>,
    /// Where else they may be sent back to.
    home: Home,
}

/// Places to which users may be sent back without being told of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Home {
    /// This machine, and the issuer's own site.
    MachineAndSite,
    /// This machine.
    Machine,
    /// None.
    Nowhere,
}

/// What registration puts into a client's id.
#[derive(Deserialize, Serialize)]
struct Registration {
    name: String,
    redirect_uris: Vec<String>,
}

impl Client {
    /// A program of ours without a secret, which returns to this machine or to the issuer's site.
    pub fn public(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            secret: None,
            redirect_uris: Vec::new(),
            home: Home::MachineAndSite,
        }
    }

    /// The same with a secret.
    pub fn confidential(id: &str, name: &str, secret: &str) -> Self {
        Self {
            secret: Some(secret.to_owned()),
            ..Self::public(id, name)
        }
    }

    /// A client that registers itself. Its id *is* the registration, so that nothing has to be
    /// stored and a client stays known when the local cloud is started again; who forges such an
    /// id has registered.
    pub(super) fn registered(name: String, redirect_uris: Vec<String>) -> anyhow::Result<Self> {
        let registration = serde_json::to_vec(&Registration {
            name: name.clone(),
            redirect_uris: redirect_uris.clone(),
        })?;
        Ok(Self {
            id: format!("{REGISTERED}{}", URL_SAFE_NO_PAD.encode(registration)),
            name,
            secret: None,
            redirect_uris,
            home: Home::Nowhere,
        })
    }

    fn from_id(id: &str) -> Option<Self> {
        let registration = URL_SAFE_NO_PAD.decode(id.strip_prefix(REGISTERED)?).ok()?;
        let registration: Registration = serde_json::from_slice(&registration).ok()?;
        Some(Self {
            id: id.to_owned(),
            name: registration.name,
            secret: None,
            redirect_uris: registration.redirect_uris,
            home: Home::Nowhere,
        })
    }

    /// A client whose id is where it is described: an https address with a path.
    fn described(id: &str) -> Option<Self> {
        let url = Url::parse(id).ok()?;
        let is_plain =
            url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let is_address = url.scheme() == "https" && url.path() != "/" && is_plain;
        is_address.then(|| Self {
            home: Home::Machine,
            ..Self::public(id, url.host_str().unwrap_or_default())
        })
    }

    /// The place to send the user back to, if this client may ask for it.
    pub(super) fn accepted_redirect(&self, wanted: &str, issuer: &Url) -> Option<Url> {
        let url = Url::parse(wanted).ok()?;
        if url.fragment().is_some() {
            return None;
        }
        let is_registered = self
            .redirect_uris
            .iter()
            .any(|registered| registered == wanted || is_same_but_port(registered, &url));
        let is_home = match self.home {
            Home::MachineAndSite => is_loopback(&url) || url.origin() == issuer.origin(),
            Home::Machine => is_loopback(&url),
            Home::Nowhere => false,
        };
        (is_registered || is_home).then_some(url)
    }
}

/// RFC 8252, 7.3: a program on this machine takes whatever port is free.
fn is_same_but_port(registered: &str, wanted: &Url) -> bool {
    let Ok(mut registered) = Url::parse(registered) else {
        return false;
    };
    is_loopback(&registered)
        && is_loopback(wanted)
        && registered.set_port(wanted.port()).is_ok()
        && registered == *wanted
}

fn is_loopback(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    is_here && url.scheme() == "http"
}

impl Issuer {
    pub(super) fn client(&self, id: &str) -> Option<Client> {
        let known = self.0.clients.iter().find(|client| client.id == id);
        let known = known.cloned().or_else(|| Client::from_id(id));
        known.or_else(|| Client::described(id))
    }
}
