//! GitHub URLs that name code: a repository, a folder, a file, a gist.
//!
//! Only these go to the code ingest. Issues, pull requests, wikis, releases, the pages of a user
//! and GitHub's own pages are web pages like any other, and are read as such.

use url::Url;

use super::Canonical;

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
pub(super) fn code(url: &Url, host: &str) -> Option<Canonical> {
    let parts: Vec<&str> = url
        .path_segments()?
        .filter(|part| !part.is_empty())
        .collect();
    match host {
        "github.com" | "www.github.com" => repository(url, &parts),
        "raw.githubusercontent.com" => raw(&parts),
        "gist.github.com" | "gist.githubusercontent.com" => gist(host, &parts),
        _ => None,
    }
}

fn repository(url: &Url, parts: &[&str]) -> Option<Canonical> {
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
        [] | ["tree", _, ..] => None,
        ["blob" | "raw", _, _, ..] => url.fragment().filter(|it| selects_lines(it)),
        _ => return None,
    };
    let mut path = String::new();
    for part in rest {
        path.push('/');
        path.push_str(part);
    }
    if let Some(lines) = lines {
        path.push('#');
        path.push_str(lines);
    }
    Some(Canonical {
        url: format!("https://github.com/{owner}/{name}{path}"),
        // Owners and repositories are found in any case; paths and references are not.
        identity: format!("github.com/{owner}/{name}").to_ascii_lowercase() + &path,
    })
}

fn raw(parts: &[&str]) -> Option<Canonical> {
    let [owner, name, reference @ ..] = parts else {
        return None;
    };
    if reference.len() < 2 || !is_owner(owner) || !is_repository(name) {
        return None;
    }
    let path = reference.join("/");
    Some(Canonical {
        url: format!("https://raw.githubusercontent.com/{owner}/{name}/{path}"),
        identity: format!("raw.githubusercontent.com/{owner}/{name}/").to_ascii_lowercase() + &path,
    })
}

fn gist(host: &str, parts: &[&str]) -> Option<Canonical> {
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
        url: format!("https://{host}/{path}"),
        identity: format!("{host}/{path}"),
    })
}

fn is_owner(part: &str) -> bool {
    (1..=39).contains(&part.len())
        && part
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
}

fn is_repository(part: &str) -> bool {
    (1..=100).contains(&part.len())
        && part != "."
        && part != ".."
        && part
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
}

/// `L10`, `L10-L20` or `L10C3-L20C1`: the lines that the author meant.
fn selects_lines(fragment: &str) -> bool {
    fragment.strip_prefix('L').is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit())
            && rest.len() <= 40
            && rest
                .bytes()
                .all(|it| it.is_ascii_digit() || b"LC-".contains(&it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_in_the_order_in_which_they_are_searched() {
        assert!(RESERVED.is_sorted());
    }
}
