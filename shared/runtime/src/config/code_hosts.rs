//! Which hosts keep code besides GitHub, and how each knows us.

use std::collections::BTreeMap;

use nova_web::CodeSite;
use url::Url;

use super::{Endpoint, Secret, environment::Reader, web_address};

/// The one Bitbucket that is not somebody's own.
const BITBUCKET: &str = "bitbucket.org";

/// A host of code that the deployment knows.
#[derive(Clone, Debug)]
pub struct CodeHost {
    /// Its name as it stands in URLs: `git.acme.example`, or with its port.
    pub name: String,
    /// How its URLs are read, and how it is asked.
    pub site: CodeSite,
    /// Its token, and where its interface is.
    pub endpoint: Endpoint,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Vec<CodeHost> {
    let mut tokens = reader
        .parse(
            "CODE_HOST_TOKENS",
            "git.acme.example=TOKEN, separated by commas",
            tokens,
        )
        .unwrap_or_default();
    let hosts = reader.parse(
        "CODE_HOSTS",
        "git.acme.example=gitlab, separated by commas, of github, gitlab and bitbucket (GitHub itself \
         is always known); @https://… behind it says where an interface is that is elsewhere",
        |value| {
            let entries = value.split(',').map(str::trim);
            entries.map(host).collect::<Option<Vec<_>>>()
        },
    );
    let mut hosts = hosts.unwrap_or_default();
    for host in &mut hosts {
        host.endpoint.key = tokens.remove(&host.name);
    }
    for name in tokens.keys() {
        reader.refuse(&format!(
            "CODE_HOST_TOKENS: has a token for {name}, which CODE_HOSTS does not name"
        ));
    }
    hosts
}

fn host(entry: &str) -> Option<CodeHost> {
    let (name, kind) = entry.split_once('=')?;
    let (kind, interface) = match kind.split_once('@') {
        Some((kind, interface)) => (kind, Some(web_address(interface)?)),
        None => (kind, None),
    };
    let site = match kind {
        "github" => CodeSite::Github,
        "gitlab" => CodeSite::Gitlab,
        "bitbucket" if name.eq_ignore_ascii_case(BITBUCKET) => CodeSite::Bitbucket,
        "bitbucket" => CodeSite::BitbucketDataCenter,
        _ => return None,
    };
    // As URLs have it: in lower case, and without the scheme's own port.
    let url = web_address(&format!("https://{name}/")).filter(|url| url.path() == "/")?;
    let name = match (url.host_str()?, url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    if url.username() != "" || name == "github.com" {
        return None;
    }
    let base_url = match interface {
        Some(interface) => interface,
        None => Url::parse(&interface_of(&name, site)).ok()?,
    };
    Some(CodeHost {
        name,
        site,
        endpoint: Endpoint {
            key: None,
            base_url,
        },
    })
}

/// Where the interface is, where nothing else is said.
fn interface_of(name: &str, site: CodeSite) -> String {
    match site {
        // GitHub Enterprise in GitHub's own cloud.
        CodeSite::Github if name.ends_with(".ghe.com") => format!("https://api.{name}"),
        CodeSite::Github => format!("https://{name}/api/v3"),
        CodeSite::Bitbucket => format!("https://api.{name}"),
        CodeSite::Gitlab | CodeSite::BitbucketDataCenter => format!("https://{name}"),
    }
}

fn tokens(value: &str) -> Option<BTreeMap<String, Secret>> {
    let entries = value.split(',').map(str::trim);
    entries
        .map(|entry| {
            // Tokens may have an equals sign themselves.
            let (host, token) = entry.split_once('=')?;
            let is_whole = !host.is_empty() && !token.is_empty();
            is_whole.then(|| (host.to_ascii_lowercase(), Secret::new(token)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn hosts<const N: usize>(pairs: [(&str, &str); N]) -> Result<Vec<CodeHost>, String> {
        let environment = Environment::from(pairs);
        let mut reader = environment.reader();
        let hosts = read(&mut reader);
        reader.finish().map_err(|error| error.to_string())?;
        Ok(hosts)
    }

    #[test]
    fn every_host_has_its_interface_and_its_own_token() {
        let hosts = hosts([
            (
                "CODE_HOSTS",
                "Git.acme.example:8443=gitlab, ghe.acme.example=github,acme.ghe.com=github,\
                 bitbucket.org=bitbucket,code.corp=gitlab@http://10.0.0.7/gitlab,\
                 bitbucket.corp=bitbucket,hub.corp=bitbucket@https://hub.corp/stash",
            ),
            (
                "CODE_HOST_TOKENS",
                "git.acme.example:8443=glpat-1, bitbucket.org=who@acme.example:ATATT=1",
            ),
        ]);
        let hosts = hosts.unwrap();
        let read: Vec<_> = hosts
            .iter()
            .map(|it| {
                let key = it.endpoint.key.as_ref().map(Secret::reveal);
                (it.name.as_str(), it.endpoint.base_url.as_str(), key)
            })
            .collect();
        assert_eq!(
            read,
            [
                (
                    "git.acme.example:8443",
                    "https://git.acme.example:8443/",
                    Some("glpat-1")
                ),
                ("ghe.acme.example", "https://ghe.acme.example/api/v3", None),
                ("acme.ghe.com", "https://api.acme.ghe.com/", None),
                (
                    "bitbucket.org",
                    "https://api.bitbucket.org/",
                    Some("who@acme.example:ATATT=1")
                ),
                ("code.corp", "http://10.0.0.7/gitlab", None),
                ("bitbucket.corp", "https://bitbucket.corp/", None),
                ("hub.corp", "https://hub.corp/stash", None),
            ]
        );
        let sites: Vec<_> = hosts.iter().skip(3).map(|it| it.site).collect();
        let own = CodeSite::BitbucketDataCenter;
        assert_eq!(sites, [CodeSite::Bitbucket, CodeSite::Gitlab, own, own]);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_token_is_repeated() {
        for value in [
            "git.acme.example",
            "git.acme.example=svn",
            "github.com=github",
            "https://git.acme.example=gitlab",
            "git.acme.example/team=gitlab",
            "who@git.acme.example=gitlab",
            "git.acme.example=gitlab@ftp://x",
        ] {
            let error = hosts([("CODE_HOSTS", value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("CODE_HOSTS={value}: ")),
                "{error}"
            );
        }
        let error = hosts([("CODE_HOST_TOKENS", "glpat-secret")]).unwrap_err();
        assert!(error.starts_with("CODE_HOST_TOKENS: ") && !error.contains("glpat"));
        let error = hosts([("CODE_HOST_TOKENS", "a.example=glpat-secret")]).unwrap_err();
        assert!(error.contains("a token for a.example") && !error.contains("glpat"));
    }
}
