//! URLs of Bitbucket Data Center that name code: a repository, a folder, a file.
//!
//! The branch, tag or commit stands in the query (`?at=refs/heads/main`), apart from the path. All of
//! it may lie below a path, such as `/bitbucket`; personal repositories are those of a project `~name`.

use url::{Url, form_urlencoded};

use super::{Canonical, is_name};

/// The canonical form of a URL that names code; `None` for every other page.
pub(super) fn code(url: &Url, host: &str, parts: &[&str]) -> Option<Canonical> {
    let (place, parts) = match parts {
        ["projects" | "users" | "scm", ..] => (host.to_owned(), parts),
        [below, parts @ ..] => (format!("{host}/{below}"), parts),
        [] => return None,
    };
    let (owner, name, rest) = match parts {
        ["projects", key, "repos", name, rest @ ..] => ((*key).to_owned(), *name, rest),
        ["users", user, "repos", name, rest @ ..] => (format!("~{user}"), *name, rest),
        // As it is cloned.
        ["scm", key, name] => ((*key).to_owned(), *name, &[][..]),
        _ => return None,
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    if !is_name(owner.strip_prefix('~').unwrap_or(&owner)) || !is_name(name) {
        return None;
    }
    let at = at(url);
    let path = match rest {
        [] | ["browse"] if at.is_empty() => String::new(),
        [] | ["browse"] => format!("/browse{at}"),
        ["browse", ..] => format!("/{}{at}{}", rest.join("/"), lines(url)),
        ["raw", _, ..] => format!("/{}{at}", rest.join("/")),
        _ => return None,
    };
    let project = format!("{place}/projects/{owner}/repos/{name}");
    Some(Canonical {
        url: format!("https://{project}{path}"),
        // Projects and repositories are found in any case; paths and references are not.
        identity: project.to_ascii_lowercase() + &path,
    })
}

/// The branch, tag or commit, in one spelling: `?at=refs%2Fheads%2Fmain`.
fn at(url: &Url) -> String {
    let at = url.query_pairs().find(|(name, _)| name == "at");
    let at = at.filter(|(_, reference)| !reference.is_empty());
    at.map_or_else(String::new, |(_, reference)| {
        let encoded: String = form_urlencoded::byte_serialize(reference.as_bytes()).collect();
        format!("?at={encoded}")
    })
}

/// The lines that the author meant: `10`, `10-20`, `10,12-14`.
fn lines(url: &Url) -> String {
    let selects_lines = |fragment: &&str| {
        fragment.starts_with(|first: char| first.is_ascii_digit())
            && fragment.len() <= 40
            && fragment
                .bytes()
                .all(|it| it.is_ascii_digit() || b"-,".contains(&it))
    };
    let fragment = url.fragment().filter(selects_lines);
    fragment.map_or_else(String::new, |it| format!("#{it}"))
}
