//! Web pages for people: one look, and a policy under which nothing but our own code can run.
//!
//! A page is one answer. Style and script stand inside it, and the Content-Security-Policy names
//! the SHA-256 of each, so that the browser runs exactly these texts: no other script, no inline
//! handler, nothing from another host. Every value in the markup went through [`Html`], which
//! escapes it; the policy is for the day on which that is not enough.
//!
//! ```
//! use nova_runtime::page::{Html, Page};
//!
//! let greeting = Html::fill("<h1>Hello, {{name}}</h1>", &[("name", Html::text("<Alice>"))]);
//! let answer = Page::new("Hello").body(greeting).render();
//! assert!(String::from_utf8_lossy(answer.body()).contains("Hello, &lt;Alice&gt;"));
//! ```

mod html;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

pub use html::Html;

use crate::sha256;

/// The name of the form field that carries the CSRF token.
pub const CSRF_FIELD: &str = "csrf_token";

const SHELL: &str = include_str!("../assets/shell.html");
const LOOK: &str = include_str!("../assets/look.css");
const UPLOAD_LOOK: &str = include_str!("../assets/upload.css");
const UPLOAD_SCRIPT: &str = include_str!("../assets/upload.js");
const VISITOR: &str = include_str!("../assets/visitor.html");
const PROBLEM: &str = include_str!("../assets/problem.html");

/// A page in the making.
#[derive(Debug)]
#[must_use]
pub struct Page {
    title: Html,
    status: StatusCode,
    visitor: Html,
    styles: Vec<&'static str>,
    scripts: Vec<&'static str>,
    body: Html,
}

impl Page {
    /// A page with nothing on it yet. The title is what tabs and bookmarks show.
    pub fn new(title: &str) -> Self {
        Self {
            title: Html::text(title),
            status: StatusCode::OK,
            visitor: Html::default(),
            styles: vec![LOOK],
            scripts: Vec::new(),
            body: Html::default(),
        }
    }

    /// Says what went wrong: the text of a problem document, for eyes.
    ///
    /// `title` and `detail` are shown as they are; `request_id` is what to quote to the operators.
    pub fn problem(status: StatusCode, title: &str, detail: &str, request_id: &str) -> Self {
        let body = Html::fill(
            PROBLEM,
            &[
                ("status", Html::text(status.as_u16())),
                ("title", Html::text(title)),
                ("detail", Html::text(detail)),
                ("request_id", Html::text(request_id)),
            ],
        );
        Self::new(title).status(status).body(body)
    }

    /// The status of the answer; 200 unless said otherwise.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Shows who is signed in, and a button that signs out with the session's CSRF token.
    pub fn signed_in(mut self, user: &str, csrf_token: &str) -> Self {
        let values = [
            ("user", Html::text(user)),
            ("csrf", Html::csrf_field(csrf_token)),
        ];
        self.visitor = Html::fill(VISITOR, &values);
        self
    }

    /// What pages that take files have in common, to be asked for before their own style and
    /// script: the zone onto which files are dropped, and helpers of a script that sends them.
    ///
    /// - `takeDrops(zone, take)`: the whole window takes a drop, since a near miss must not replace
    ///   the page, and hands the files to `take`.
    /// - `call(method, address, headers, body, on)` calls the server, which answers in JSON, and
    ///   returns the request. What happens is told to `on`: `progress(percent)`, `arrived()`, and
    ///   in the end one of `done(answer)`, `failed(words, answer, status)` and `cancelled()`.
    pub fn takes_files(self) -> Self {
        self.style(UPLOAD_LOOK).script(UPLOAD_SCRIPT)
    }

    /// Style of this page's own, after what is there already.
    pub fn style(mut self, css: &'static str) -> Self {
        self.styles.push(css);
        self
    }

    /// A script of this page's own, after what is there already. It runs in the head, before the
    /// body is there.
    pub fn script(mut self, script: &'static str) -> Self {
        self.scripts.push(script);
        self
    }

    /// What stands in `<main>`.
    pub fn body(mut self, html: Html) -> Self {
        self.body = html;
        self
    }

    /// The answer, with its headers.
    pub fn render(self) -> Response<Bytes> {
        let [styles, scripts] = [self.styles, self.scripts].map(slim);
        let policy = policy(&styles, &scripts);
        let styles = styles.iter().map(|text| Html::element("style", text));
        let scripts = scripts.iter().map(|text| Html::element("script", text));
        let assets = Html::concat(styles.chain(scripts));
        let html = Html::fill(
            SHELL,
            &[
                ("title", self.title),
                ("assets", assets),
                ("visitor", self.visitor),
                ("body", self.body),
            ],
        );
        let mut response = Response::new(Bytes::from(html.into_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, value);
        set(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        set(header::CONTENT_SECURITY_POLICY, policy);
        set(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        // Not `no-referrer`: under it a form's `Origin` is sent as `null`, and the check of the
        // origin, one half of the protection against forged posts, would refuse our own pages.
        set(
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        );
        // A page shows a name and carries a token: not for any cache, nor for the back button
        // after somebody signed out.
        set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Texts without what is only for those who write them: indents, and lines that are a comment.
fn slim(texts: Vec<&'static str>) -> Vec<String> {
    let slim = |text: &str| {
        let lines = text.lines().map(str::trim_start);
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
        lines.join("\n")
    };
    texts.into_iter().map(slim).collect()
}

/// Allows these texts and no others; forms and requests go to this origin only.
fn policy(styles: &[String], scripts: &[String]) -> HeaderValue {
    let allowed = |texts: &[String]| {
        let hashes: Vec<String> = texts.iter().map(|text| hash_source(text)).collect();
        if hashes.is_empty() {
            "'none'".to_owned()
        } else {
            hashes.join(" ")
        }
    };
    let policy = format!(
        "default-src 'none'; style-src {styles}; script-src {script}; connect-src 'self'; \
         img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
        styles = allowed(styles),
        script = allowed(scripts),
    );
    // Words, quotes and Base64: always a header value. If not, everything is forbidden.
    HeaderValue::try_from(policy)
        .unwrap_or_else(|_not_ascii| HeaderValue::from_static("default-src 'none'"))
}

/// The name by which the policy knows an inline text, such as `'sha256-47DEQp…'`.
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: Page) -> String {
        String::from_utf8(page.render().into_body().to_vec()).unwrap()
    }

    fn header_of(page: Page, name: &str) -> String {
        page.render().headers()[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn every_value_is_escaped_wherever_it_stands() {
        let evil = "\"><script>alert('1')</script>&";
        let body = Html::fill("<p title=\"{{x}}\">{{x}}</p>", &[("x", Html::text(evil))]);
        let page = text(Page::new(evil).signed_in(evil, evil).body(body));
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(
            !page.contains("\">&lt;script"),
            "an attribute was left: {page}"
        );
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;1&#39;)").count(),
            6,
            "{page}"
        );

        let page = text(Page::problem(StatusCode::FORBIDDEN, evil, evil, evil));
        assert!(!page.contains("<script>alert"), "{page}");
    }

    #[test]
    fn the_policy_names_exactly_the_texts_of_the_page() {
        // As `printf 'a{}' | openssl dgst -sha256 -binary | base64` has it.
        let policy = header_of(Page::new("t").style("a{}"), "content-security-policy");
        assert!(
            policy.contains(" 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='"),
            "{policy}"
        );
        assert!(policy.contains("script-src 'none'"), "{policy}");

        let policy = header_of(Page::new("t").script("a()"), "content-security-policy");
        assert!(policy.contains("script-src 'sha256-"), "{policy}");
        for refused in [
            "unsafe-inline",
            "unsafe-eval",
            "unsafe-hashes",
            "http:",
            "https:",
            "*",
        ] {
            assert!(!policy.contains(refused), "{refused} in {policy}");
        }
    }

    #[test]
    fn what_is_only_for_those_who_write_it_is_not_sent() {
        let script = "// Why.\nfunction a() {\n  b(); // how\n}\n";
        let page = text(Page::new("t").script(script));
        assert!(
            page.contains("<script>function a() {\nb(); // how\n}</script>"),
            "{page}"
        );
        // An indent inside of a text that spans lines would be part of it.
        for line in UPLOAD_SCRIPT.lines() {
            assert!(line.matches('`').count().is_multiple_of(2), "{line}");
        }
    }

    #[test]
    fn a_page_is_neither_framed_nor_kept_nor_guessed_at() {
        let page = || Page::new("t");
        assert!(header_of(page(), "content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(header_of(page(), "cache-control"), "no-store");
        assert_eq!(header_of(page(), "x-content-type-options"), "nosniff");
        assert_eq!(header_of(page(), "referrer-policy"), "same-origin");
        assert_eq!(
            header_of(page(), "content-type"),
            "text/html; charset=utf-8"
        );
    }

    #[test]
    fn nothing_in_the_shared_files_comes_from_elsewhere_or_handles_events_inline() {
        for file in [SHELL, LOOK, VISITOR, PROBLEM, UPLOAD_LOOK, UPLOAD_SCRIPT] {
            // The icon's name space is a name and not an address.
            let file = file.replace("http://www.w3.org/2000/svg", "");
            for refused in [
                "http:",
                "https:",
                "@import",
                " style=",
                " onclick",
                "javascript:",
            ] {
                assert!(!file.contains(refused), "{refused} in {file}");
            }
        }
    }
}
