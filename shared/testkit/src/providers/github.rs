//! GitHub, as far as code is read from it: a part of its REST interface, and the host to which that
//! redirects for archives.
//!
//! Archives are made when they are asked for, of the files that a test describes. The links to
//! those of private repositories carry a token of their own, as GitHub's do, and the archive host
//! is another origin, which keeps what it [received](Github::archives) as well: so that a test sees
//! what went there and what did not. Archives cost no money, but the traffic of all who share an
//! address; each that was sent stands in that host's ledger.

use std::{
    collections::BTreeMap,
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

pub use super::repository::Repository;
use super::{Answer, Received, StandIn, repository::sha1};

/// The token that it knows.
pub const TOKEN: &str = "github-token-of-a-test";
/// What the link to a private archive is signed with.
const LINK: &str = "token=signed";

/// A GitHub on loopback: the interface, and the archive host.
#[derive(Clone)]
pub struct Github {
    interface: StandIn,
    archives: StandIn,
    code: Arc<Mutex<Code>>,
}

#[derive(Default)]
struct Code {
    repositories: BTreeMap<String, Repository>,
    gists: BTreeMap<String, Value>,
}

impl Github {
    /// One without repositories.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        let code = Arc::<Mutex<Code>>::default();
        let known = Arc::clone(&code);
        let archives = StandIn::start(move |received| archive_host(received, &locked(&known)));
        let archives = archives.await?;
        let (known, archive_url) = (Arc::clone(&code), archives.url().to_owned());
        let interface =
            StandIn::start(move |received| interface(received, &locked(&known), &archive_url));
        Ok(Self {
            interface: interface.await?,
            archives,
            code,
        })
    }

    /// Puts a repository there, as `owner/name`, in place of what was there.
    pub fn put(&self, name: &str, repository: Repository) {
        locked(&self.code)
            .repositories
            .insert(name.to_owned(), repository);
    }

    /// Puts a gist there.
    pub fn put_gist(&self, id: &str, description: &str, files: &[(&str, &str)]) {
        let files: BTreeMap<&str, Value> = files
            .iter()
            .map(|(name, content)| {
                (*name, json!({"filename": name, "truncated": false, "content": content, "size": content.len()}))
            })
            .collect();
        let version = sha1(format!("{files:?}").as_bytes());
        let gist = json!({
            "id": id, "description": description, "public": true, "files": files,
            "history": [{"version": version}],
        });
        locked(&self.code).gists.insert(id.to_owned(), gist);
    }

    /// The host of the archives.
    pub const fn archives(&self) -> &StandIn {
        &self.archives
    }
}

impl Deref for Github {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.interface
    }
}

fn locked(code: &Mutex<Code>) -> MutexGuard<'_, Code> {
    code.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `api.github.com`.
fn interface(received: &Received, code: &Code, archives: &str) -> Answer {
    let is_known = received.bearer() == Some(TOKEN);
    if received.bearer().is_some() && !is_known {
        return message(401, "Bad credentials");
    }
    if received.header("user-agent").is_none() {
        return message(403, "Request forbidden by administrative rules.");
    }
    let path = received.path().trim_start_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["gists", id] => code.gists.get(*id).map_or_else(not_found, |gist| {
            marked(
                received,
                &Answer::json(200, gist),
                gist["history"][0]["version"].as_str().unwrap_or("x"),
            )
        }),
        ["repos", owner, name, rest @ ..] => {
            let name = format!("{owner}/{name}");
            let repository = code.repositories.get(&name);
            match repository.filter(|it| is_known || !it.is_private) {
                Some(repository) => of_repository(received, repository, &name, rest, archives),
                None => not_found(),
            }
        }
        _ => not_found(),
    }
}

fn of_repository(
    received: &Received,
    repository: &Repository,
    name: &str,
    rest: &[&str],
    archives: &str,
) -> Answer {
    let commit = repository.commit();
    match rest {
        [] => Answer::json(
            200,
            &json!({
                "full_name": name, "private": repository.is_private, "default_branch": "main",
                "description": repository.description,
                "license": repository.licence.as_ref().map(|it| json!({"spdx_id": it})),
            }),
        ),
        ["commits", reference @ ..] if repository.has(&reference.join("/")) => {
            let answer = Answer::new(
                200,
                "application/vnd.github.sha; charset=utf-8",
                commit.clone(),
            );
            marked(received, &answer, &commit)
        }
        ["commits", ..] => message(422, "No commit found for SHA"),
        ["git", "matching-refs", kind, first @ ..] => {
            let names = if *kind == "heads" {
                &repository.branches
            } else {
                &repository.tags
            };
            let first = first.join("/");
            let found: Vec<Value> = names
                .iter()
                .filter(|it| it.starts_with(&first))
                .map(|it| json!({"ref": format!("refs/{kind}/{it}"), "object": {"sha": commit}}))
                .collect();
            Answer::json(200, &Value::from(found))
        }
        ["contents", path @ ..] => {
            let path = path.join("/");
            let path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy();
            match repository.file(&path) {
                Some(bytes) => Answer::new(
                    200,
                    "application/vnd.github.raw+json; charset=utf-8",
                    bytes.clone(),
                ),
                None => not_found(),
            }
        }
        ["tarball", reference @ ..] if repository.has(&reference.join("/")) => {
            let link = if repository.is_private {
                format!("?{LINK}")
            } else {
                String::new()
            };
            let place = format!(
                "{archives}/{name}/legacy.tar.gz/{}{link}",
                reference.join("/")
            );
            Answer::new(302, "", "").header("location", &place)
        }
        _ => not_found(),
    }
}

/// `codeload.github.com`, and the raw files of `github.com`.
fn archive_host(received: &Received, code: &Code) -> Answer {
    let path = received.path().trim_start_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let [owner, name, kind, rest @ ..] = parts.as_slice() else {
        return Answer::new(404, "text/plain", "404: Not Found");
    };
    let name = format!("{owner}/{name}");
    let is_signed = received.uri.query() == Some(LINK);
    let repository = code.repositories.get(&name);
    let Some(repository) = repository.filter(|it| is_signed || !it.is_private) else {
        return Answer::new(404, "text/plain", "404: Not Found");
    };
    let rest = rest.join("/");
    let answer = match *kind {
        "tar.gz" | "legacy.tar.gz" if repository.has(&rest) => repository.archive(&name),
        "raw" => {
            let names = repository.branches.iter().chain(&repository.tags);
            let mut paths =
                names.filter_map(|it| rest.strip_prefix(it.as_str())?.strip_prefix('/'));
            match paths.find_map(|path| repository.file(path)) {
                Some(bytes) => Answer::new(200, "text/plain; charset=utf-8", bytes.clone()),
                None => return Answer::new(404, "text/plain", "404: Not Found"),
            }
        }
        _ => return Answer::new(404, "text/plain", "404: Not Found"),
    };
    marked(received, &answer, &repository.commit())
}

/// The answer with its mark; 304 when the client has that.
fn marked(received: &Received, answer: &Answer, mark: &str) -> Answer {
    let mark = format!("\"{mark}\"");
    if received.header("if-none-match") == Some(&mark) {
        return Answer::new(304, "", "").header("etag", &mark);
    }
    answer.clone().header("etag", &mark)
}

/// Sixty requests an hour are spent, and the next hour begins so many seconds from now.
pub fn rate_limited(seconds: u64) -> Answer {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let reset = now.map_or(0, |it| it.as_secs()) + seconds;
    message(403, "API rate limit exceeded for 203.0.113.7.")
        .header("x-ratelimit-limit", "60")
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", &reset.to_string())
}

fn not_found() -> Answer {
    message(404, "Not Found")
}

fn message(status: u16, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"message": message, "documentation_url": "https://docs.github.com/rest"}),
    )
}
