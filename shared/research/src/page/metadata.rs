//! What a page says of itself: in its head, in its structured data, in its headings.

use nova_web::json::memory_of;
use serde_json::Value;
use url::Url;

use super::Metadata;
use super::date;
use super::dom::{Attr, Dom, NodeId, Tag};
use crate::url::SourceUrl;

/// Structured data that would take more memory, beside the letters of its strings, is not looked into.
const MAX_STRUCTURED_MEMORY: usize = 16 << 20;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) metadata: Metadata,
    /// It says that it is not for everybody.
    pub(super) paid: bool,
    /// The text as its structured data has it.
    body: Option<String>,
    /// What the title element says, as it is.
    pub(super) page_title: String,
}

impl Found {
    /// The text of the structured data, if the page itself shows a small part of it.
    pub(super) fn body_if_longer(&self, markdown: &str) -> Option<&str> {
        self.body
            .as_deref()
            .filter(|it| it.len() > 500 && it.len() > markdown.len() * 3)
    }
}

/// The first of several values, by how much each source of them is trusted: lower is better.
#[derive(Debug)]
struct Best(Option<(u8, String)>);

impl Best {
    fn offer(&mut self, rank: u8, value: &str) {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if !value.is_empty() && value.len() < 500 && self.0.as_ref().is_none_or(|it| rank < it.0) {
            self.0 = Some((rank, value));
        }
    }

    fn take(self) -> Option<String> {
        self.0.map(|(_, it)| it)
    }
}

#[derive(Debug)]
struct Finding {
    title: Best,
    author: Best,
    published: Best,
    language: Best,
    canonical: Best,
    site: Best,
    paid: bool,
    body: Option<String>,
}

/// Reads the metadata of a page.
pub(super) fn find(dom: &Dom, url: &Url) -> Found {
    let none = || Best(None);
    let mut finding = Finding {
        title: none(),
        author: none(),
        published: none(),
        language: none(),
        canonical: none(),
        site: none(),
        paid: false,
        body: None,
    };
    let mut page_title = String::new();
    let mut headings = 0;
    for id in dom.entered(Dom::ROOT) {
        let Some(element) = dom.element(id) else {
            continue;
        };
        match element.tag {
            Tag::Html => finding
                .language
                .offer(0, element.attr(Attr::Lang).unwrap_or_default()),
            Tag::Title if page_title.is_empty() => page_title = one_line(&dom.text_of(id)),
            Tag::Meta => finding.meta(dom, id),
            Tag::Link => finding.link(dom, id),
            Tag::H1 => {
                headings += 1;
                if headings == 1 {
                    finding.title.offer(3, &dom.text_of(id));
                }
            }
            Tag::Time => {
                if let Some(time) = element.attr(Attr::Datetime)
                    && let Some(day) = date::day(time)
                {
                    let marked = element
                        .attr(Attr::Itemprop)
                        .is_some_and(|it| it.eq_ignore_ascii_case("datePublished"));
                    finding.published.offer(if marked { 2 } else { 9 }, &day);
                }
            }
            Tag::Script
                if element
                    .attr(Attr::Type)
                    .is_some_and(|it| it.contains("ld+json")) =>
            {
                finding.structured(&dom.text_of(id));
            }
            _ => finding.item(dom, id),
        }
    }
    let site = finding.site.take();
    finding
        .title
        .offer(2, &without_site(&page_title, site.as_deref()));
    let title = finding
        .title
        .take()
        .map(|it| without_site(&it, site.as_deref()));
    Found {
        metadata: Metadata {
            title,
            author: finding.author.take(),
            published: finding.published.take(),
            language: finding.language.take().and_then(|it| language(&it)),
            canonical_url: finding.canonical.take().and_then(|it| canonical(&it, url)),
        },
        paid: finding.paid,
        body: finding.body,
        page_title,
    }
}

impl Finding {
    fn meta(&mut self, dom: &Dom, id: NodeId) {
        let attr = |name| dom.attr(id, name).unwrap_or_default().trim();
        let content = attr(Attr::Content);
        if attr(Attr::HttpEquiv).eq_ignore_ascii_case("content-language") {
            self.language.offer(1, content);
        }
        for name in [attr(Attr::Property), attr(Attr::Name), attr(Attr::Itemprop)] {
            self.named(&name.to_ascii_lowercase(), content);
        }
    }

    fn named(&mut self, name: &str, content: &str) {
        match name {
            "og:title" => self.title.offer(0, content),
            "citation_title" | "dc.title" | "dcterms.title" | "headline" => {
                self.title.offer(1, content);
            }
            "twitter:title" => self.title.offer(1, content),
            "author" | "parsely-author" | "sailthru.author" | "byl" => self.author_name(1, content),
            "article:author" | "dc.creator" | "dcterms.creator" | "citation_author"
            | "og:article:author" => {
                self.author_name(2, content);
            }
            "article:published_time"
            | "og:article:published_time"
            | "citation_publication_date"
            | "citation_date"
            | "datepublished"
            | "parsely-pub-date" => self.date(1, content),
            "date" | "dc.date" | "dc.date.issued" | "dcterms.created" | "dcterms.date"
            | "dcterms.issued" | "pubdate" | "publishdate" | "publish-date" | "sailthru.date"
            | "article.published" | "datecreated" => self.date(3, content),
            "og:updated_time" | "article:modified_time" | "last-modified" => self.date(10, content),
            "og:locale" => self.language.offer(2, content),
            "og:url" => self.canonical.offer(1, content),
            "og:site_name" | "application-name" => self.site.offer(0, content),
            _ => {}
        }
    }

    /// Names only: some pages link to a profile, and some name the site's own software.
    fn author_name(&mut self, rank: u8, name: &str) {
        let name = name.trim();
        let name = ["By ", "by ", "Von ", "von "]
            .iter()
            .find_map(|it| name.strip_prefix(it))
            .unwrap_or(name);
        let says_nothing = matches!(
            name.to_ascii_lowercase().as_str(),
            "admin" | "administrator" | "editor" | "root"
        );
        if !name.contains("://") && name.chars().count() < 120 && !says_nothing {
            self.author.offer(rank, name);
        }
    }

    fn date(&mut self, rank: u8, written: &str) {
        if let Some(day) = date::day(written) {
            self.published.offer(rank, &day);
        }
    }

    fn link(&mut self, dom: &Dom, id: NodeId) {
        let rel = dom.attr(id, Attr::Rel).unwrap_or_default();
        if rel
            .split_ascii_whitespace()
            .any(|it| it.eq_ignore_ascii_case("canonical"))
        {
            self.canonical
                .offer(0, dom.attr(id, Attr::Href).unwrap_or_default());
        }
    }

    /// Properties that are marked in the text.
    fn item(&mut self, dom: &Dom, id: NodeId) {
        if let Some(property) = dom.attr(id, Attr::Itemprop) {
            match property.to_ascii_lowercase().as_str() {
                "author" => self.author_name(4, &short_text(dom, id)),
                "datepublished" => {
                    let content = dom.attr(id, Attr::Content).map(str::to_owned);
                    self.date(2, &content.unwrap_or_else(|| short_text(dom, id)));
                }
                _ => {}
            }
        }
        if dom.tag(id) == Tag::A
            && dom
                .attr(id, Attr::Rel)
                .is_some_and(|it| it.eq_ignore_ascii_case("author"))
        {
            self.author_name(5, &short_text(dom, id));
        }
    }

    /// JSON-LD. The parser limits its depth, and this keeps a list instead of calling itself.
    fn structured(&mut self, json: &str) {
        if memory_of(json.as_bytes()) > MAX_STRUCTURED_MEMORY {
            return;
        }
        let Ok(value) = serde_json::from_str::<Value>(json.trim()) else {
            return;
        };
        let mut waiting = vec![&value];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(values) => waiting.extend(values.iter().rev()),
                Value::Object(object) => {
                    if let Some(graph) = object.get("@graph") {
                        waiting.push(graph);
                    }
                    if is_article(object.get("@type")) {
                        self.article(object);
                    }
                    if let Some(part) = object
                        .get("mainEntity")
                        .or_else(|| object.get("mainEntityOfPage"))
                    {
                        waiting.push(part);
                    }
                }
                _ => {}
            }
        }
    }

    fn article(&mut self, article: &serde_json::Map<String, Value>) {
        let text = |name: &str| {
            article
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        self.title.offer(1, text("headline"));
        self.date(0, text("datePublished"));
        self.date(9, text("dateModified"));
        self.language.offer(3, text("inLanguage"));
        self.author_name(0, &people(article.get("author")));
        self.paid |= match article.get("isAccessibleForFree") {
            Some(Value::Bool(free)) => !free,
            Some(Value::String(free)) => free.eq_ignore_ascii_case("false"),
            _ => false,
        };
        let body = text("articleBody");
        if self.body.as_ref().is_none_or(|it| it.len() < body.len()) && !body.is_empty() {
            self.body = Some(body.to_owned());
        }
    }
}

fn is_article(kind: Option<&Value>) -> bool {
    let is_article = |it: &Value| {
        it.as_str().is_some_and(|it| {
            it.ends_with("Article")
                || it.ends_with("Posting")
                || matches!(
                    it,
                    "WebPage" | "Report" | "Recipe" | "HowTo" | "Review" | "CreativeWork"
                )
        })
    };
    match kind {
        Some(Value::Array(kinds)) => kinds.iter().any(is_article),
        Some(kind) => is_article(kind),
        None => false,
    }
}

/// The names of people, as an object, a list of them, or plain.
fn people(value: Option<&Value>) -> String {
    let one = |it: &Value| match it {
        Value::String(name) => Some(name.clone()),
        Value::Object(person) => person
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    };
    match value {
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(one)
            .take(8)
            .collect::<Vec<_>>()
            .join(", "),
        Some(value) => one(value).unwrap_or_default(),
        None => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of an element that should hold little.
fn short_text(dom: &Dom, id: NodeId) -> String {
    let mut text = String::new();
    for piece in dom.entered(id).take(24).filter_map(|it| dom.text(it)) {
        text.push_str(piece);
        text.push(' ');
        if text.len() > 300 {
            return String::new();
        }
    }
    one_line(&text)
}

/// Takes the name of the site from the end or the beginning of a title.
fn without_site(title: &str, site: Option<&str>) -> String {
    const SEPARATORS: [&str; 8] = [" | ", " - ", " – ", " — ", " · ", " :: ", " » ", " • "];
    let Some((at, separator)) = SEPARATORS
        .iter()
        .filter_map(|it| title.rfind(it).map(|at| (at, it)))
        .max()
    else {
        return title.to_owned();
    };
    let before = title.get(..at).unwrap_or_default().trim();
    let after = title.get(at + separator.len()..).unwrap_or_default().trim();
    if let Some(site) = site {
        if after.eq_ignore_ascii_case(site) {
            return before.to_owned();
        }
        if before.eq_ignore_ascii_case(site) {
            return after.to_owned();
        }
        if title.matches(separator).count() == 1 && *separator != " | " {
            return title.to_owned();
        }
    }
    let words = |it: &str| it.split_whitespace().count();
    // A site is called by a few words, and a title says more.
    if words(after) <= 4 && words(before) >= words(after).max(2) {
        before.to_owned()
    } else {
        title.to_owned()
    }
}

/// `en_US`, `DE`, `de-at` as `en-US`, `de`, `de-AT`.
fn language(written: &str) -> Option<String> {
    let mut parts = written.trim().split(['-', '_', ',', ';', ' ']);
    let code = parts.next()?.to_ascii_lowercase();
    if !(2..=3).contains(&code.len()) || !code.bytes().all(|it| it.is_ascii_lowercase()) {
        return None;
    }
    let region = parts
        .next()
        .filter(|it| it.len() == 2 && it.bytes().all(|it| it.is_ascii_alphabetic()));
    Some(match region {
        Some(region) => format!("{code}-{}", region.to_ascii_uppercase()),
        None => code,
    })
}

/// The URL by which a page wants to be known: one of the same site, and not its front page unless
/// it is that. A page must not pass for another's.
fn canonical(written: &str, url: &Url) -> Option<String> {
    let canonical = url.join(written).ok()?;
    let host = |it: &Url| {
        let host = it.host_str().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    let (ours, theirs) = (host(url), host(&canonical));
    let is_part = |part: &str, of: &str| {
        of.strip_suffix(part).is_some_and(|it| it.ends_with('.')) && part.contains('.')
    };
    if ours != theirs && !is_part(&ours, &theirs) && !is_part(&theirs, &ours) {
        return None;
    }
    if canonical.path() == "/" && canonical.query().is_none() && url.path() != "/" {
        return None;
    }
    SourceUrl::parse(canonical.as_str())
        .ok()
        .map(|it| it.as_str().to_owned())
}
