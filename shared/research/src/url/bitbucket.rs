//! Bitbucket URLs that name code: a repository, a folder, a file.

use url::Url;

use super::{Canonical, is_name};

/// First parts of a path that are Bitbucket's own pages and can be nobody's workspace.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "account", "blog", "dashboard", "gateway", "product", "repo", "site", "snippets", "socialauth",
    "support", "workspaces", "xhr",
];

/// The canonical form of a URL that names code; `None` for every other page.
pub(super) fn code(url: &Url, host: &str, parts: &[&str]) -> Option<Canonical> {
    let [workspace, name, rest @ ..] = parts else {
        return None;
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    let is_reserved = RESERVED.contains(&&*workspace.to_ascii_lowercase());
    if is_reserved || !is_name(workspace) || !is_name(name) {
        return None;
    }
    let path = match rest {
        // The first page of a repository is that of its files.
        [] | ["src"] => String::new(),
        ["src", _, _, ..] => format!("/{}{}", rest.join("/"), lines(url)),
        ["src", _] | ["raw", _, _, ..] => format!("/{}", rest.join("/")),
        _ => return None,
    };
    Some(Canonical {
        url: format!("https://{host}/{workspace}/{name}{path}"),
        // Workspaces and repositories are found in any case; paths and references are not.
        identity: format!("{host}/{workspace}/{name}").to_ascii_lowercase() + &path,
    })
}

/// The lines that the author meant: `lines-10`, `lines-10:20`.
fn lines(url: &Url) -> String {
    let selects_lines = |fragment: &&str| {
        fragment.strip_prefix("lines-").is_some_and(|rest| {
            rest.starts_with(|first: char| first.is_ascii_digit())
                && rest.len() <= 40
                && rest
                    .bytes()
                    .all(|it| it.is_ascii_digit() || b":,".contains(&it))
        })
    };
    let fragment = url.fragment().filter(selects_lines);
    fragment.map_or_else(String::new, |it| format!("#{it}"))
}
