//! GitHub URLs that name code: a repository, a folder, a file, a gist.
//!
//! Only these go to the code ingest. Issues, pull requests, wikis, releases, the pages of a user
//! and GitHub's own pages are web pages like any other, and are read as such.

use url::Url;

use super::{Canonical, is_name, lines};

/// First parts of a path that are GitHub's own pages and can be nobody's user name.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "about", "account", "advisories", "apps", "codespaces", "collections", "contact", "copilot",
    "customer-stories", "dashboard", "discussions", "edu", "education", "enterprise", "events",
    "explore", "features", "git-guides", "github-copilot", "home", "issues", "join", "login",
    "logout", "marketplace", "mcp", "mobile", "models", "new", "nonprofit", "notifications",
    "organizations", "orgs", "partners", "premium-support", "pricing", "pulls", "readme",
    "resources", "search", "security", "sessions", "settings", "signup", "site", "solutions",
    "sponsors", "stars", "team", "topics", "trending", "users", "watching", "why-github",
];

/// The canonical form of a URL that names code; `None` for every other page.
pub(super) fn code(url: &Url, host: &str, parts: &[&str]) -> Option<Canonical> {
    let on = url.host_str()?;
    if on == "raw.githubusercontent.com" || on == format!("raw.{host}") {
        return raw(on, parts);
    }
    if on == "gist.githubusercontent.com" || on == format!("gist.{host}") {
        return gist(on, parts);
    }
    match parts {
        // GitHub Enterprise without hosts of their own for them.
        ["gist", parts @ ..] if host != "github.com" => gist(&format!("{host}/gist"), parts),
        ["raw", parts @ ..] if host != "github.com" => raw(&format!("{host}/raw"), parts),
        _ => repository(url, host, parts),
    }
}

fn repository(url: &Url, host: &str, parts: &[&str]) -> Option<Canonical> {
    let (&owner, rest) = parts.split_first()?;
    let (&name, rest) = rest.split_first()?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    if !is_owner(owner)
        || RESERVED
            .binary_search(&&*owner.to_ascii_lowercase())
            .is_ok()
    {
        return None;
    }
    if !is_repository(name) {
        return None;
    }
    let lines = match rest {
        [] | ["tree", _, ..] => String::new(),
        ["blob" | "raw", _, _, ..] => lines(url),
        _ => return None,
    };
    let path: String = rest.iter().flat_map(|part| ["/", part]).collect();
    let path = path + &lines;
    Some(Canonical {
        url: format!("https://{host}/{owner}/{name}{path}"),
        // Owners and repositories are found in any case; paths and references are not.
        identity: format!("{host}/{owner}/{name}").to_ascii_lowercase() + &path,
    })
}

/// `place`: the host, and what comes before the owner.
fn raw(place: &str, parts: &[&str]) -> Option<Canonical> {
    let [owner, name, reference @ ..] = parts else {
        return None;
    };
    if reference.len() < 2 || !is_owner(owner) || !is_repository(name) {
        return None;
    }
    let path = reference.join("/");
    Some(Canonical {
        url: format!("https://{place}/{owner}/{name}/{path}"),
        identity: format!("{place}/{owner}/{name}/").to_ascii_lowercase() + &path,
    })
}

fn gist(place: &str, parts: &[&str]) -> Option<Canonical> {
    let is_id = |part: &str| {
        let id = part.strip_suffix(".git").unwrap_or(part);
        (20..=40).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_hexdigit())
    };
    // With or without the owner before the id; old gists have short ids, and need the owner.
    let known = match parts {
        [id, ..] if is_id(id) => true,
        [owner, id, ..] => {
            let digits = !id.is_empty() && id.bytes().all(|it| it.is_ascii_digit());
            is_owner(owner) && (is_id(id) || digits)
        }
        _ => false,
    };
    if !known {
        return None;
    }
    let path = parts.join("/");
    let path = path.strip_suffix(".git").unwrap_or(&path);
    Some(Canonical {
        url: format!("https://{place}/{path}"),
        identity: format!("{place}/{path}"),
    })
}

fn is_owner(part: &str) -> bool {
    (1..=39).contains(&part.len())
        && part
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
}

fn is_repository(part: &str) -> bool {
    part.len() <= 100 && is_name(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_in_the_order_in_which_they_are_searched() {
        assert!(RESERVED.is_sorted());
    }
}
