//! The text of a PDF document.
//!
//! Documents are hostile or broken as often as pages are, and the parser gives up on some of them
//! by panicking: it runs where a panic is caught, which is why no profile of the workspace may
//! abort instead. Where the feature `pdf` is off, documents are refused.

use super::{Page, PageError};

/// Reads a document.
#[cfg(feature = "pdf")]
pub(super) fn read(bytes: &[u8]) -> Result<Page, PageError> {
    extract::read(bytes)
}

/// Refuses it.
#[cfg(not(feature = "pdf"))]
pub(super) fn read(_bytes: &[u8]) -> Result<Page, PageError> {
    Err(PageError::UnsupportedType {
        content_type: "application/pdf".to_owned(),
    })
}

#[cfg(feature = "pdf")]
mod extract {
    use std::collections::HashMap;
    use std::io::{self, Read as _};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use flate2::read::ZlibDecoder;
    use pdf_extract::{Document, Object, ObjectId, PlainTextOutput};

    use super::super::date;
    use super::super::text::paragraphs;
    use super::super::verdict::{MIN_WORDS, words};
    use super::super::{Kind, Metadata, Page, PageError};

    /// Longer documents are books of a thousand pages and more.
    const MAX_PAGES: usize = 1500;

    /// Drawings within drawings; real documents have three or four.
    const MAX_FORM_LEVELS: usize = 16;

    /// Groups of pages within groups.
    const MAX_PAGE_LEVELS: usize = 64;

    /// What all streams of a document may unpack to. Scanned books come near, and have no text.
    const MAX_UNPACKED_BYTES: u64 = 128 << 20;

    /// A document may unpack to this much text.
    const MAX_TEXT_BYTES: usize = 8 << 20;

    pub(super) fn read(bytes: &[u8]) -> Result<Page, PageError> {
        let unreadable = |why: String| PageError::Unreadable {
            what: "PDF document",
            why,
        };
        if is_bomb(bytes) {
            return Err(PageError::TooLarge);
        }
        // Nothing that the parser holds is looked at after it has panicked.
        let read = catch_unwind(AssertUnwindSafe(|| document(bytes)));
        let (pages, metadata) = match read {
            Ok(Ok(document)) => document,
            Ok(Err(why)) => return Err(unreadable(why)),
            Err(_) => return Err(unreadable("it is damaged".to_owned())),
        };
        let markdown = joined(&pages);
        let words = words(&markdown);
        if words < MIN_WORDS {
            return Err(PageError::NoContent { words });
        }
        Ok(Page {
            kind: Kind::Pdf,
            metadata,
            markdown,
        })
    }

    /// Whether the streams of a document unpack to more than [`MAX_UNPACKED_BYTES`]. The parser
    /// unpacks without a limit, so this is done before, and forgets what comes out.
    fn is_bomb(bytes: &[u8]) -> bool {
        let mut left = MAX_UNPACKED_BYTES;
        let mut at = 0;
        while let Some(found) = find(bytes, at, b"stream") {
            at = found + b"stream".len();
            let data = bytes.get(at..).unwrap_or_default().trim_ascii_start();
            // Deflate with the window that everybody uses; others are not what packs so well.
            if data.first().is_none_or(|it| it & 0x0f != 8) {
                continue;
            }
            let mut decoder = ZlibDecoder::new(data).take(left + 1);
            // What is damaged has unpacked so far.
            let _unpacked = io::copy(&mut decoder, &mut io::sink());
            left = match decoder.limit().checked_sub(1) {
                Some(left) => left,
                None => return true,
            };
            at = bytes.len() - data.len()
                + usize::try_from(decoder.into_inner().total_in())
                    .unwrap_or(usize::MAX)
                    .min(data.len());
        }
        is_packed_twice(bytes)
    }

    /// Whether a stream is packed and packed again, which multiplies. No program does that.
    fn is_packed_twice(bytes: &[u8]) -> bool {
        let mut at = 0;
        while let Some(found) = find(bytes, at, b"FlateDecode") {
            at = found + b"FlateDecode".len();
            let next = bytes.get(at..at + 40).unwrap_or_default();
            let filters = next
                .split(|it| matches!(it, b']' | b'>'))
                .next()
                .unwrap_or_default();
            if find(filters, 0, b"FlateDecode").is_some()
                || find(filters, 0, b"LZWDecode").is_some()
            {
                return true;
            }
        }
        false
    }

    fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
        let first = what.first()?;
        let mut at = from;
        loop {
            at += bytes.get(at..)?.iter().position(|it| it == first)?;
            if bytes.get(at..)?.starts_with(what) {
                return Some(at);
            }
            at += 1;
        }
    }

    fn document(bytes: &[u8]) -> Result<(Vec<String>, Metadata), String> {
        let document = Document::load_mem(bytes).map_err(|it| it.to_string())?;
        if document.get_pages().len() > MAX_PAGES {
            return Err(format!("it has more than {MAX_PAGES} pages"));
        }
        if document.is_encrypted() {
            return Err("it is encrypted".to_owned());
        }
        if has_endless_forms(&document) || has_endless_parents(&document) {
            return Err("parts of it contain themselves".to_owned());
        }
        let mut pages = Vec::new();
        let mut size = 0;
        for number in document.get_pages().into_keys() {
            let mut text = String::new();
            let mut output = PlainTextOutput::new(&mut text);
            pdf_extract::output_doc_page(&document, &mut output, number)
                .map_err(|it| it.to_string())?;
            size += text.len();
            pages.push(text);
            if size > MAX_TEXT_BYTES {
                return Err(format!(
                    "it unpacks to more than {MAX_TEXT_BYTES} bytes of text"
                ));
            }
        }
        Ok((pages, metadata(&document)))
    }

    /// Whether forms draw forms more than [`MAX_FORM_LEVELS`] deep, or in a circle. The parser calls
    /// itself for each, and a stack that is used up ends the process: no panic is there to catch.
    fn has_endless_forms(document: &Document) -> bool {
        let forms = document.objects.iter().filter_map(|(id, object)| {
            let stream = object.as_stream().ok()?;
            let kind = stream.dict.get(b"Subtype").and_then(Object::as_name);
            let is_form = kind.is_ok_and(|it| it == b"Form");
            is_form.then_some((*id, stream))
        });
        let mut drawn: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        for (id, stream) in forms {
            let own = document.get_dict_in_dict(&stream.dict, b"Resources");
            let forms = if let Ok(resources) = own {
                let names = document.get_dict_in_dict(resources, b"XObject");
                let forms = names.into_iter().flat_map(|it| it.iter());
                forms.filter_map(|(_, it)| it.as_reference().ok()).collect()
            } else {
                // It has those of whoever draws it, and one of them may be itself.
                let content = stream.get_plain_content().unwrap_or_default();
                find(&content, 0, b"Do").map(|_| id).into_iter().collect()
            };
            drawn.insert(id, forms);
        }
        // Those that draw nothing go, then those that drew only them, and so on.
        for _ in 0..MAX_FORM_LEVELS {
            let leaves: Vec<_> = drawn
                .iter()
                .filter(|(_, forms)| forms.iter().all(|it| !drawn.contains_key(it)))
                .map(|(id, _)| *id)
                .collect();
            for id in leaves {
                drawn.remove(&id);
            }
        }
        !drawn.is_empty()
    }

    /// Whether the pages of a document are in something that is in itself; the parser asks for what
    /// a page inherits in the same way.
    fn has_endless_parents(document: &Document) -> bool {
        document.get_pages().into_values().any(|page| {
            let parent = |id: &ObjectId| {
                let node = document.get_dictionary(*id).ok()?;
                node.get(b"Parent").and_then(Object::as_reference).ok()
            };
            std::iter::successors(Some(page), parent)
                .nth(MAX_PAGE_LEVELS)
                .is_some()
        })
    }

    /// What the document says of itself. Many a title is the name of a file of long ago.
    fn metadata(document: &Document) -> Metadata {
        let info = document
            .trailer
            .get(b"Info")
            .ok()
            .and_then(|it| match it.as_reference() {
                Ok(id) => document.get_object(id).ok(),
                Err(_) => Some(it),
            })
            .and_then(|it| it.as_dict().ok());
        let text = |key: &[u8]| {
            let text = pdf_extract::decode_text_string(info?.get(key).ok()?).ok()?;
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            (!text.is_empty() && text.len() < 400).then_some(text)
        };
        let is_file = |it: &String| {
            let it = it.to_ascii_lowercase();
            [
                ".doc", ".docx", ".indd", ".tex", ".dvi", ".pdf", ".qxd", ".pptx",
            ]
            .iter()
            .any(|extension| it.ends_with(extension))
                || it.starts_with("microsoft ")
                || it == "untitled"
        };
        Metadata {
            title: text(b"Title").filter(|it| !is_file(it)),
            author: text(b"Author").filter(|it| !it.contains("://")),
            published: text(b"CreationDate").and_then(|it| {
                let digits = it.strip_prefix("D:").unwrap_or(&it);
                date::day(digits.get(..8)?)
            }),
            language: None,
            canonical_url: None,
        }
    }

    /// The pages as paragraphs, without what is at the top or bottom of many of them.
    fn joined(pages: &[String]) -> String {
        let repeated = repeated(pages);
        let mut out = String::new();
        for page in pages {
            let mut text = String::with_capacity(page.len());
            for line in page.lines() {
                let line = line.trim();
                let is_number = line.len() < 6 && line.bytes().all(|it| it.is_ascii_digit());
                if line.is_empty() {
                    text.push_str("\n\n");
                } else if !(is_number || repeated.contains_key(line)) {
                    join(&mut text, line);
                }
            }
            let page = paragraphs(&text);
            if !page.is_empty() {
                if !out.is_empty() {
                    out.push_str("\n\n");
                }
                out.push_str(&page);
            }
        }
        out
    }

    /// Adds a line to its paragraph; a word that was cut at its end becomes one again.
    fn join(text: &mut String, line: &str) {
        if text.is_empty() || text.ends_with('\n') {
            text.push_str(line);
            return;
        }
        let continues = line.starts_with(char::is_lowercase);
        let mut end = text.chars().rev();
        let is_cut = end.next() == Some('-') && end.next().is_some_and(char::is_alphabetic);
        if continues && is_cut {
            text.pop();
        } else {
            text.push(' ');
        }
        text.push_str(line);
    }

    /// Short lines that stand first or last on at least three pages and a third of all.
    fn repeated(pages: &[String]) -> HashMap<&str, usize> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for page in pages {
            let mut lines = page.lines().map(str::trim).filter(|it| !it.is_empty());
            for line in [lines.next(), lines.next_back()].into_iter().flatten() {
                if line.len() < 120 {
                    *seen.entry(line).or_default() += 1;
                }
            }
        }
        seen.retain(|_, count| *count >= 3 && *count * 3 >= pages.len());
        seen
    }
}
