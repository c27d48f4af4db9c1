//! RSS and Atom feeds: their entries, each under its title.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use url::Url;

use super::markdown::escaped_lines;
use super::{Kind, Metadata, Page, PageError, date, html};

/// Entries beyond these are older than anybody asks for.
const MAX_ENTRIES: usize = 100;

/// What of a feed or an entry is kept.
#[derive(Debug, Default)]
struct Entry {
    title: String,
    link: String,
    author: String,
    date: String,
    summary: String,
    content: String,
}

/// Reads a feed.
pub(super) fn read(xml: &str, url: &Url) -> Result<Page, PageError> {
    let (feed, language, entries) = parse(xml);
    if entries.is_empty() && feed.title.is_empty() {
        return Err(PageError::NoContent { words: 0 });
    }
    let mut markdown = String::new();
    let mut push = |block: &str| {
        if !block.is_empty() {
            if !markdown.is_empty() {
                markdown.push_str("\n\n");
            }
            markdown.push_str(block);
        }
    };
    push(&inner(&feed.summary, url)?);
    for entry in &entries {
        push(&heading(entry, url)?);
        let about: Vec<_> = [date::day(&entry.date), Some(entry.author.trim().to_owned())]
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty())
            .collect();
        push(&escaped_lines(&[&about.join(", ")]));
        let text = if entry.content.len() > entry.summary.len() {
            &entry.content
        } else {
            &entry.summary
        };
        push(&inner(text, url)?);
    }
    let text = |it: &str| Some(it.trim().to_owned()).filter(|it| !it.is_empty());
    Ok(Page {
        kind: Kind::Feed,
        metadata: Metadata {
            title: text(&feed.title),
            author: text(&feed.author),
            published: date::day(&feed.date),
            language: text(&language),
            canonical_url: None,
        },
        markdown,
    })
}

fn heading(entry: &Entry, url: &Url) -> Result<String, PageError> {
    let title = inner(&entry.title, url)?.replace('\n', " ");
    let title = title.trim_start_matches(['#', ' ']);
    let link = url
        .join(entry.link.trim())
        .ok()
        .filter(|it| matches!(it.scheme(), "http" | "https") && !entry.link.trim().is_empty());
    Ok(match (title.is_empty(), link) {
        (true, None) => String::new(),
        (true, Some(link)) => format!("## {}", escaped_lines(&[link.as_str()])),
        (false, None) => format!("## {title}"),
        (false, Some(link)) if title.contains("](") => format!("## {title} ({link})"),
        (false, Some(link)) => format!("## [{title}]({link})"),
    })
}

/// Text of a feed is HTML, most of it.
fn inner(text: &str, url: &Url) -> Result<String, PageError> {
    html::whole(text, url)
}

/// Where text belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Title,
    Link,
    Author,
    Date,
    Summary,
    Content,
    Language,
}

fn parse(xml: &str) -> (Entry, String, Vec<Entry>) {
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_dangling_amp = true;
    let (mut feed, mut language, mut entries) = (Entry::default(), String::new(), Vec::new());
    let mut entry: Option<Entry> = None;
    let mut field: Option<(Field, usize)> = None;
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event();
        let piece = match event {
            Ok(Event::Start(start)) => {
                depth += 1;
                match start.local_name().as_ref() {
                    "item" | "entry" => entry = Some(Entry::default()),
                    _ if field.is_none() => {
                        link_of(&start, entry.as_mut().unwrap_or(&mut feed));
                        field = field_of(&start, entry.is_some()).map(|it| (it, depth));
                    }
                    _ => {}
                }
                continue;
            }
            Ok(Event::Empty(start)) => {
                link_of(&start, entry.as_mut().unwrap_or(&mut feed));
                continue;
            }
            Ok(Event::End(end)) => {
                if field.is_some_and(|(_, at)| at >= depth) {
                    field = None;
                }
                depth = depth.saturating_sub(1);
                if matches!(end.local_name().as_ref(), "item" | "entry") {
                    entries.extend(entry.take());
                    field = None;
                    if entries.len() >= MAX_ENTRIES {
                        break;
                    }
                }
                continue;
            }
            Ok(Event::Text(text)) => text.into_inner().into_owned(),
            Ok(Event::CData(text)) => text.into_inner().into_owned(),
            Ok(Event::GeneralRef(name)) => crate::entity::decode(&format!("&{};", &*name)),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => continue,
        };
        let target = entry.as_mut().unwrap_or(&mut feed);
        match field.map(|(it, _)| it) {
            Some(Field::Title) => target.title.push_str(&piece),
            Some(Field::Link) => target.link.push_str(&piece),
            Some(Field::Author) => target.author.push_str(&piece),
            Some(Field::Date) => target.date.push_str(&piece),
            Some(Field::Summary) => target.summary.push_str(&piece),
            Some(Field::Content) => target.content.push_str(&piece),
            Some(Field::Language) => language.push_str(&piece),
            None => {}
        }
    }
    entries.extend(entry);
    (feed, language, entries)
}

fn field_of(start: &BytesStart<'_>, in_entry: bool) -> Option<Field> {
    let name = start.name();
    Some(match name.as_ref() {
        "title" => Field::Title,
        "link" => Field::Link,
        "name" | "dc:creator" | "managingEditor" => Field::Author,
        "author" if in_entry => Field::Author,
        "pubDate" | "published" | "dc:date" => Field::Date,
        "updated" | "lastBuildDate" if !in_entry => Field::Date,
        "description" | "summary" | "subtitle" => Field::Summary,
        "content" | "content:encoded" => Field::Content,
        "language" => Field::Language,
        _ => return None,
    })
}

/// Atom has links in an attribute.
fn link_of(start: &BytesStart<'_>, entry: &mut Entry) {
    if start.local_name().as_ref() != "link" {
        return;
    }
    let attribute = |name: &str| {
        let value = start.try_get_attribute(name).ok()??.value;
        Some(crate::entity::decode(&value))
    };
    let rel = attribute("rel").unwrap_or_else(|| "alternate".to_owned());
    if rel == "alternate"
        && entry.link.is_empty()
        && let Some(href) = attribute("href")
    {
        entry.link = href;
    }
}
