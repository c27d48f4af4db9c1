//! `localhost`, `127.0.0.1` and `[::1]`: names of one machine, and three to programs and browsers that
//! compare addresses.

use http::{HeaderMap, header};
use url::Url;

use super::Config;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Config {
    /// The address that users know, by the name that a request called it: a program whose user wrote
    /// `localhost` takes no word for an address that begins otherwise. Only between names of this
    /// machine: behind a proxy the `Host` may never be the public one.
    pub fn server_url_as_called(&self, headers: &HeaderMap) -> Url {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let called = host.and_then(|host| {
            let called = Url::parse(&format!("{}://{host}", self.server_url.scheme())).ok()?;
            let mut names = names_of(&self.server_url).into_iter();
            names.find(|name| name.origin() == called.origin())
        });
        called.unwrap_or_else(|| self.server_url.clone())
    }
}

/// An address under all its names, the given one first.
pub fn names_of(server_url: &Url) -> Vec<Url> {
    let mut names = vec![server_url.clone()];
    if server_url
        .host_str()
        .is_some_and(|host| NAMES.contains(&host))
    {
        for name in NAMES {
            let mut url = server_url.clone();
            // A name instead of a name: that cannot fail.
            if url.set_host(Some(name)).is_ok() && !names.contains(&url) {
                names.push(url);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::config::Environment;

    fn called(server_url: &str, host: &'static str) -> String {
        let environment = Environment::from([("SERVER_URL", server_url)]);
        let config = Config::read(&environment).unwrap();
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        config.server_url_as_called(&headers).into()
    }

    #[test]
    fn a_name_of_this_machine_is_kept_and_no_other() {
        let here = "http://127.0.0.1:8080/";
        for (host, expected) in [
            ("localhost:8080", "http://localhost:8080/"),
            ("LOCALHOST:8080", "http://localhost:8080/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("127.0.0.1:8080", here),
            ("localhost:8081", here),
            ("evil.example:8080", here),
            ("localhost.evil.example:8080", here),
            ("", here),
        ] {
            assert_eq!(called(here, host), expected, "{host}");
        }
        let public = "https://nova.example/";
        for host in ["localhost", "localhost:443", "127.0.0.1", "nova.example"] {
            assert_eq!(called(public, host), public, "{host}");
        }
    }
}
