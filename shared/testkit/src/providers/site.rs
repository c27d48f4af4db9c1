//! A site of the web: pages with validators, redirects, statuses, pages without end.
//!
//! What `If-None-Match` and `If-Modified-Since` say is answered with 304 where it holds, as by any
//! server of files.

use std::{collections::HashMap, io, ops::Deref};

use super::{Answer, Received, StandIn, knowing::Knowing};

/// A site on loopback.
#[derive(Clone)]
pub struct Site(Knowing<HashMap<String, Answer>>);

impl Site {
    /// A site without pages: each is a 404.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(visit).await?))
    }

    /// The address of a page.
    pub fn page_url(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// Puts an answer at a path (with its query), in place of what was there.
    pub fn put(&self, path: &str, answer: Answer) {
        self.0.known().insert(path.to_owned(), answer);
    }

    /// Puts an article there: a page of HTML with a title and this text, often enough to be one.
    pub fn put_article(&self, path: &str, title: &str, text: &str) -> Answer {
        let answer = Answer::new(200, "text/html; charset=utf-8", article(title, text));
        self.put(path, answer.clone());
        answer
    }

    /// How often a path was asked for.
    pub fn visits(&self, path: &str) -> usize {
        let received = self.received();
        received.iter().filter(|it| it.uri == *path).count()
    }
}

impl Deref for Site {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

/// An article as HTML, with a menu and a footer around it.
pub fn article(title: &str, text: &str) -> String {
    let paragraph =
        format!("<p>{text} It is said in so many words that it makes a paragraph.</p>\n");
    format!(
        "<!doctype html><html lang=\"en\"><head><title>{title}</title></head><body>\
         <nav><a href=\"/\">Home</a> <a href=\"/about\">About</a></nav>\
         <article><h1>{title}</h1>\n{}</article><footer>Imprint</footer></body></html>",
        paragraph.repeat(5)
    )
}

fn visit(received: &Received, known: &HashMap<String, Answer>) -> Answer {
    let path = received.uri.path_and_query().map_or("", |it| it.as_str());
    let Some(page) = known.get(path) else {
        return Answer::new(404, "text/html", "<h1>Not Found</h1>");
    };
    let is_known = |condition: &str, validator: &str| {
        let has = page.header_value(validator);
        has.is_some_and(|has| received.header(condition) == Some(has))
    };
    if is_known("if-none-match", "etag") || is_known("if-modified-since", "last-modified") {
        return Answer::new(304, "", "");
    }
    page.clone()
}
