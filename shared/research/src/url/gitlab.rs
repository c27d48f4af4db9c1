//! GitLab URLs that name code: a repository, a folder, a file.
//!
//! The owner of a repository is a path of groups, so that nothing but `/-/` or one of GitLab's own
//! words tells where its name ends. A group looks like a repository; only GitLab knows that it is none.

use url::Url;

use super::{Canonical, is_name, lines};

/// First parts of a path that are GitLab's own pages and can be nobody's name.
/// <https://docs.gitlab.com/user/reserved_names/>
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "-", ".well-known", "abuse_reports", "admin", "api", "assets", "dashboard", "explore", "files",
    "groups", "health_check", "help", "import", "jwt", "login", "oauth", "o", "profile", "projects",
    "public", "robots.txt", "s", "search", "sitemap", "sitemap.xml", "snippets", "unsubscribes",
    "uploads", "users", "v2",
];
/// Parts that are no names of groups and repositories: pages of a repository, as they were called
/// before `/-/` went before them.
#[rustfmt::skip]
const PAGES: &[&str] = &[
    "badges", "blame", "blob", "builds", "commits", "create", "edit", "files", "find_file", "new",
    "preview", "raw", "refs", "tree", "update", "wikis",
];

/// The canonical form of a URL that names code; `None` for every other page.
pub(super) fn code(url: &Url, host: &str, parts: &[&str]) -> Option<Canonical> {
    let end = parts.iter().position(|it| *it == "-" || PAGES.contains(it));
    let (project, rest) = parts.split_at(end.unwrap_or(parts.len()));
    let (name, groups) = project.split_last()?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let first = groups.first()?.to_ascii_lowercase();
    if RESERVED.contains(&&*first) || !groups.iter().chain([&name]).all(|it| is_name(it)) {
        return None;
    }
    let rest = rest.strip_prefix(&["-"]).unwrap_or(rest);
    let path = match rest {
        [] if end.is_none() => String::new(),
        ["tree", _, ..] => format!("/-/{}", rest.join("/")),
        ["blob" | "raw", _, _, ..] => format!("/-/{}{}", rest.join("/"), lines(url)),
        _ => return None,
    };
    let project = format!("{}/{name}", groups.join("/"));
    Some(Canonical {
        url: format!("https://{host}/{project}{path}"),
        // Groups and repositories are found in any case; paths and references are not.
        identity: format!("{host}/{project}").to_ascii_lowercase() + &path,
    })
}
