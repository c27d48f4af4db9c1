//! Pages too large to be read at once: in pieces, as they come.
//!
//! A tree of such a page would take a multiple of its size. So it is cut between blocks of text, and
//! each piece is read by itself; what is in memory is a piece. Nothing of the page is lost, but
//! nothing is known of the whole either: furniture stays, and no verdict is given but that there is
//! text at all.

use encoding_rs::Decoder;
use url::Url;

use super::{Kind, Metadata, PageError, charset, html, kind, text};

/// How much is read at once.
const PIECE_BYTES: usize = 64 << 10;
/// What tells of the page lies in its head.
const HEAD_BYTES: usize = 256 << 10;
/// What has no place to be cut at is cut anywhere.
const LONGEST_PIECE_BYTES: usize = 1 << 20;

/// A page of which the beginning has come.
///
/// ```
/// use nova_research::page::LargePage;
/// use url::Url;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = Url::parse("https://docs.example/all.html")?;
/// let html = format!("<title>All</title><h1>All</h1>{}", "<p>One of many paragraphs.".repeat(50_000));
/// let mut page = LargePage::begin(html.as_bytes(), Some("text/html"), &url)?;
/// assert_eq!(page.metadata().title.as_deref(), Some("All"));
/// let mut markdown = String::new();
/// for bytes in html.as_bytes().chunks(10_000) {
///     markdown.push_str(&page.feed(bytes)?);
/// }
/// markdown.push_str(&page.finish()?);
/// assert!(markdown.starts_with("# All\n\nOne of many paragraphs.\n\n"));
/// assert_eq!(markdown.matches("One of many").count(), 50_000);
/// # Ok(())
/// # }
/// ```
pub struct LargePage {
    kind: Kind,
    url: Url,
    metadata: Metadata,
    decoder: Decoder,
    /// What has come and is not read yet.
    text: String,
    /// How long that has to be before a place to cut it is looked for.
    next_look: usize,
    has_text: bool,
}

impl LargePage {
    /// Begins with the first bytes of a page, some hundred kilobytes at least; they are to be
    /// [fed](Self::feed) like all others.
    ///
    /// # Errors
    ///
    /// [`PageError::TooLarge`] for what makes sense only as a whole: PDF, notebooks, feeds, JSON.
    pub fn begin(bytes: &[u8], content_type: Option<&str>, url: &Url) -> Result<Self, PageError> {
        let kind = kind::sniff(bytes, content_type, url)?;
        let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
        let metadata = match kind {
            Kind::Html => html::metadata(&charset::decode(head, content_type), url)?,
            Kind::Markdown | Kind::Text => Metadata::default(),
            Kind::Pdf | Kind::Feed | Kind::Notebook | Kind::Json => {
                return Err(PageError::TooLarge);
            }
        };
        Ok(Self {
            kind,
            url: url.clone(),
            metadata,
            decoder: charset::of_beginning(bytes, content_type).new_decoder(),
            text: String::new(),
            next_look: PIECE_BYTES,
            has_text: false,
        })
    }

    /// What it says of itself at its beginning.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The next bytes; gives the Markdown of the pieces that are whole by now, and often none.
    ///
    /// # Errors
    ///
    /// [`PageError::TooLarge`] for a piece with more elements than any real one.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<String, PageError> {
        self.decode(bytes, false);
        let mut markdown = String::new();
        while self.text.len() >= self.next_look {
            let Some(place) = self.place() else {
                self.next_look += PIECE_BYTES;
                break;
            };
            let rest = self.text.split_off(place);
            let piece = std::mem::replace(&mut self.text, rest);
            self.next_look = PIECE_BYTES;
            self.read(&piece, &mut markdown)?;
        }
        Ok(markdown)
    }

    /// The Markdown of what is left.
    ///
    /// # Errors
    ///
    /// As for [`Self::feed`], and [`PageError::NoContent`] when there was no text in all of it.
    pub fn finish(mut self) -> Result<String, PageError> {
        self.decode(&[], true);
        let (piece, mut markdown) = (std::mem::take(&mut self.text), String::new());
        self.read(&piece, &mut markdown)?;
        if self.has_text {
            Ok(markdown)
        } else {
            Err(PageError::NoContent { words: 0 })
        }
    }

    fn decode(&mut self, bytes: &[u8], is_last: bool) {
        let needed = self.decoder.max_utf8_buffer_length(bytes.len());
        self.text.reserve(needed.unwrap_or(4 * bytes.len()));
        // There is room for all of it.
        let _ = self
            .decoder
            .decode_to_string(bytes, &mut self.text, is_last);
    }

    fn read(&mut self, piece: &str, markdown: &mut String) -> Result<(), PageError> {
        let read = match self.kind {
            Kind::Html => html::whole(piece, &self.url)?,
            Kind::Markdown => text::markdown(piece, &self.url).markdown,
            _ => text::plain(piece, &self.url).markdown,
        };
        let read = read.trim_matches('\n');
        if read.trim().is_empty() {
            return Ok(());
        }
        if self.has_text {
            markdown.push_str("\n\n");
        }
        self.has_text = true;
        markdown.push_str(read);
        Ok(())
    }

    /// Where the text can be cut; never at its beginning.
    fn place(&self) -> Option<usize> {
        let found = match self.kind {
            Kind::Html => between_blocks(&self.text),
            _ => after(&self.text, "\n\n").or_else(|| after(&self.text, "\n")),
        };
        found.or_else(|| {
            let is_long = self.text.len() >= LONGEST_PIECE_BYTES;
            is_long.then(|| self.text.floor_char_boundary(LONGEST_PIECE_BYTES))
        })
    }
}

fn after(text: &str, what: &str) -> Option<usize> {
    text.rfind(what).map(|at| at + what.len())
}

/// Elements in which a `<` begins nothing, or nothing that is shown.
const RAW: &[&str] = &[
    "script", "style", "textarea", "title", "template", "noscript", "svg",
];
/// Elements that mean something only as a whole.
const WHOLE: &[&str] = &[
    "head",
    "table",
    "pre",
    "ul",
    "ol",
    "dl",
    "blockquote",
    "nav",
    "select",
    "figure",
    "details",
];
/// Other elements that begin a block.
const BLOCKS: &[&str] = &[
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "div", "section", "article", "main", "aside",
    "header", "footer", "hr",
];

/// The last place before a block, inside of nothing that has to stay whole.
fn between_blocks(html: &str) -> Option<usize> {
    let (mut at, mut depth, mut place) = (0, 0_usize, None);
    while let Some(rest) = html.get(at..) {
        let Some(found) = rest.find('<') else { break };
        at += found;
        let rest = rest.split_at(found).1;
        if rest.starts_with("<!--") {
            let Some(end) = rest.find("-->") else { break };
            at += end + 3;
            continue;
        }
        let (name, closes) = name_of(rest);
        let is_one_of = |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(name));
        if !closes && is_one_of(RAW) {
            let Some(end) = end_of(rest, name) else { break };
            at += end;
            continue;
        }
        let is_whole = is_one_of(WHOLE);
        if is_whole && closes {
            depth = depth.saturating_sub(1);
        } else if is_whole || !closes && is_one_of(BLOCKS) {
            if depth == 0 && at > 0 {
                place = Some(at);
            }
            depth += usize::from(is_whole);
        }
        at += 1;
    }
    place
}

/// The name of a tag, and whether it closes an element.
fn name_of(tag: &str) -> (&str, bool) {
    let name = tag.strip_prefix('<').unwrap_or(tag);
    let (name, closes) = name
        .strip_prefix('/')
        .map_or((name, false), |name| (name, true));
    let end = name.find(|it: char| !it.is_ascii_alphanumeric());
    (end.map_or(name, |end| name.split_at(end).0), closes)
}

/// Where the closing tag of an element begins.
fn end_of(html: &str, name: &str) -> Option<usize> {
    let closing = html.match_indices("</").map(|(at, _)| at);
    let mut closing = closing.filter(|at| {
        let (found, _) = name_of(html.split_at(*at).1);
        found.eq_ignore_ascii_case(name)
    });
    closing.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], content_type: &str, chunk: usize) -> Result<String, PageError> {
        let url = Url::parse("https://docs.example/all").unwrap();
        let mut page = LargePage::begin(bytes, Some(content_type), &url)?;
        let mut markdown = String::new();
        for bytes in bytes.chunks(chunk) {
            markdown += &page.feed(bytes)?;
        }
        Ok(markdown + &page.finish()?)
    }

    fn paragraphs(count: usize) -> String {
        (0..count).fold(String::new(), |all, number| {
            all + &format!("<p>Paragraph {number} of them.</p>\n")
        })
    }

    #[test]
    fn html_in_pieces_is_what_it_is_as_a_whole() {
        let row = "<tr><td>A cell</td><td>and another</td></tr>";
        let html = format!(
            "<html><head><title>All</title><style>p > a {{}}</style></head><body>{}<table><tr><th>A</th><th>B</th></tr>{}</table>\
             <script>document.write('<p>No paragraph</p>')</script><!-- <p>Nor this --><pre>a\n\n&lt;p> b</pre>{}<ul>{}</ul></body>",
            paragraphs(20_000),
            row.repeat(4_000),
            paragraphs(20_000),
            "<li>An item".repeat(9_000),
        );
        let url = Url::parse("https://docs.example/all").unwrap();
        let whole = html::whole(&html, &url).unwrap();
        for chunk in [999, 70_000] {
            let pieces = read(html.as_bytes(), "text/html", chunk).unwrap();
            assert!(pieces == whole, "read by {chunk} bytes");
        }
        assert!(!whole.contains("No paragraph") && whole.contains("a\n\n<p> b"));
    }

    #[test]
    fn text_in_pieces_loses_nothing_in_any_encoding() {
        let line = "A word in a café, of which it has many.\n\n";
        let text = line.repeat(40_000);
        let (latin, ..) = encoding_rs::WINDOWS_1252.encode(&text);
        for (bytes, kind) in [
            (text.as_bytes(), "text/plain"),
            (text.as_bytes(), "text/markdown; charset=utf-8"),
            (&*latin, "text/plain; charset=iso-8859-1"),
        ] {
            let pieces = read(bytes, kind, 777).unwrap();
            assert_eq!(pieces.matches("a café").count(), 40_000, "{kind}");
            assert_eq!(pieces.matches('\u{fffd}').count(), 0, "{kind}");
        }
    }

    #[test]
    fn what_has_no_place_to_be_cut_is_cut_anywhere() {
        let long = format!("<ul>{}", "<li>ä".repeat(2_000_000));
        let markdown = read(long.as_bytes(), "text/html", 60_001).unwrap();
        assert_eq!(markdown.matches('ä').count(), 2_000_000);
    }

    #[test]
    fn what_makes_sense_only_as_a_whole_is_too_large_and_what_has_no_text_has_none() {
        for (bytes, kind) in [
            ("%PDF-1.7", "application/pdf"),
            ("{\"a\": 1}", "application/json"),
        ] {
            assert_eq!(
                read(bytes.as_bytes(), kind, 10),
                Err(PageError::TooLarge),
                "{kind}"
            );
        }
        let empty = "<p> <div></div>".repeat(30_000);
        let nothing = Err(PageError::NoContent { words: 0 });
        assert_eq!(read(empty.as_bytes(), "text/html", 9_999), nothing);
    }
}
