//! Just enough of a browser: it keeps cookies for their hosts and paths, and says where it is.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, Request, StatusCode};
use nova_runtime::http_client::{HttpClient, Limits};
use url::Url;

use crate::nova::Nova;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<Url>,
    pub(crate) set_cookies: Vec<String>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Where it sends the browser.
    pub(crate) fn location(&self) -> Url {
        self.location
            .clone()
            .unwrap_or_else(|| panic!("{} {}", self.status, self.body))
    }
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

#[derive(Default)]
pub(crate) struct Browser {
    http: HttpClient,
    cookies: Vec<Cookie>,
    /// What `Origin` is sent with posts; the site of the address itself by default.
    pub(crate) page_origin: Option<String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, url: &Url) -> Answer {
        self.send(Method::GET, url, None).await
    }

    pub(crate) async fn post(&mut self, url: &Url, fields: &[(String, String)]) -> Answer {
        self.send(Method::POST, url, Some(fields)).await
    }

    /// Follows redirects to the first answer that is none.
    pub(crate) async fn open(&mut self, url: &Url) -> (Url, Answer) {
        let mut url = url.clone();
        for _ in 0..10 {
            let answer = self.get(&url).await;
            match answer.location.clone() {
                Some(next) => url = next,
                None => return (url, answer),
            }
        }
        panic!("redirected without an end, now at {url}");
    }

    /// From a page that needs a person through the issuer's form back to it.
    pub(crate) async fn sign_in(&mut self, nova: &Nova, user: &str) -> Answer {
        let callback = self.sign_in_until_callback(nova, user).await;
        self.open(&callback).await.1
    }

    /// As far as the issuer's answer, which is not opened.
    pub(crate) async fn sign_in_until_callback(&mut self, nova: &Nova, user: &str) -> Url {
        let (url, form) = self.open(&nova.url("/page?x=1")).await;
        assert_eq!(form.status, StatusCode::OK, "{}", form.body);
        self.submit(&url, user).await.location()
    }

    /// Fills the issuer's form, whose fields are those of its address.
    pub(crate) async fn submit(&mut self, page: &Url, user: &str) -> Answer {
        let mut fields: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        fields.push(("user".to_owned(), user.to_owned()));
        let mut action = page.clone();
        action.set_query(None);
        self.post(&action, &fields).await
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let found = self.cookies.iter().find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value.clone())
    }

    pub(crate) fn set_cookie(&mut self, url: &Url, name: &str, path: &str, value: &str) {
        self.keep(url, &format!("{name}={value}; Path={path}"));
    }

    async fn send(
        &mut self,
        method: Method,
        url: &Url,
        form: Option<&[(String, String)]>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("sec-fetch-dest", "document");
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| Some(cookie.host.as_str()) == url.host_str())
            .filter(|cookie| url.path().starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let mut body = String::new();
        if let Some(fields) = form {
            let own = url.origin().ascii_serialization();
            let origin = self.page_origin.clone().unwrap_or_else(|| own.clone());
            let site = if origin == own {
                "same-origin"
            } else {
                "cross-site"
            };
            request = request
                .header("origin", origin)
                .header("sec-fetch-site", site)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            body = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
        }
        let request = request.body(Bytes::from(body)).unwrap();
        let response = self.http.send(request, Limits::default()).await.unwrap();
        let texts = |name| {
            let values = response.headers().get_all(name).iter();
            values
                .map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let set_cookies = texts(SET_COOKIE);
        for cookie in &set_cookies {
            self.keep(url, cookie);
        }
        let location = texts(LOCATION)
            .first()
            .map(|location| url.join(location).unwrap());
        Answer {
            status: response.status(),
            location,
            set_cookies,
            headers: response.headers().clone(),
            body: String::from_utf8(response.into_body().to_vec()).unwrap(),
        }
    }

    fn keep(&mut self, url: &Url, set_cookie: &str) {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attribute = |wanted: &str| {
            set_cookie
                .split("; ")
                .find_map(|part| part.strip_prefix(wanted))
                .map(str::to_owned)
        };
        let path = attribute("Path=").unwrap_or_else(|| "/".to_owned());
        let host = url.host_str().unwrap().to_owned();
        self.cookies.retain(|cookie| {
            (cookie.name.as_str(), &cookie.path, &cookie.host) != (name, &path, &host)
        });
        if attribute("Max-Age=").as_deref() != Some("0") {
            self.cookies.push(Cookie {
                host,
                path,
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
}
