//! PDF documents: their text, and what becomes of broken ones.
#![cfg(feature = "pdf")]
#![expect(clippy::format_push_string, reason = "short texts, made once")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use nova_research::page::{Kind, Page, PageError};
use url::Url;

fn read(bytes: &[u8]) -> Result<Page, PageError> {
    let url = Url::parse("https://s.example/paper.pdf").unwrap();
    Page::read(bytes, Some("application/pdf"), &url)
}

/// A document with these lines on each of its pages.
fn document(pages: &[Vec<&str>]) -> Vec<u8> {
    bound(&objects(pages))
}

fn objects(pages: &[Vec<&str>]) -> Vec<String> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Count {} /Kids [{}] >>",
            pages.len(),
            (0..pages.len())
                .map(|it| (5 + 2 * it).to_string() + " 0 R ")
                .collect::<String>()
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
        "<< /Title (On agents) /Author (Ada Lovelace) /CreationDate (D:20260301120000Z) >>"
            .to_owned(),
    ];
    for lines in pages {
        let number = objects.len() + 2;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {number} 0 R >>"
        ));
        let mut content = "BT /F1 12 Tf 72 720 Td 14 TL\n".to_owned();
        for line in lines {
            content += &format!("({line}) Tj T*\n");
        }
        content.push_str("ET");
        objects.push(format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ));
    }
    objects
}

/// Objects with the table that says where they are.
fn bound(objects: &[String]) -> Vec<u8> {
    let mut out = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let start = out.len();
    out.push_str(&format!(
        "xref\n0 {}\n0000000000 65535 f \n",
        objects.len() + 1
    ));
    for offset in offsets {
        out += &format!("{offset:010} 00000 n \n");
    }
    out.push_str(&format!(
        "trailer\n<< /Size {} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    ));
    out.into_bytes()
}

const LINE: &str = "Agents plan what they do, and they do it with tools that others made for them.";

#[test]
fn a_document_gives_its_text_and_what_it_says_of_itself() {
    let page = vec![
        "The Journal of Agents",
        LINE,
        "A word may be hy-",
        "phenated at its end.",
        LINE,
        LINE,
        "7",
    ];
    let document = document(&[page.clone(), page.clone(), page]);
    let read = read(&document).unwrap();
    assert_eq!(read.kind, Kind::Pdf);
    assert_eq!(read.metadata.title.as_deref(), Some("On agents"));
    assert_eq!(read.metadata.author.as_deref(), Some("Ada Lovelace"));
    assert_eq!(read.metadata.published.as_deref(), Some("2026-03-01"));
    assert!(
        read.markdown
            .contains("A word may be hyphenated at its end."),
        "{}",
        read.markdown
    );
    assert!(!read.markdown.contains("The Journal"), "{}", read.markdown);
}

#[test]
fn a_document_of_pictures_has_no_content() {
    assert_eq!(
        read(&document(&[vec![], vec!["12"]])),
        Err(PageError::NoContent { words: 0 })
    );
}

#[test]
fn a_broken_document_is_a_failure_and_not_the_end() {
    let whole = document(&[vec![LINE; 12]]);
    assert!(read(&whole).is_ok());
    // Whatever byte is wrong.
    let mut failures = 0;
    for at in (0..whole.len()).step_by(7) {
        for byte in [0, b'(', b'9', 0xff] {
            let mut broken = whole.clone();
            broken[at] = byte;
            failures += usize::from(read(&broken).is_err());
        }
    }
    assert!(failures > 20, "only {failures} failed");
    for end in (0..whole.len()).step_by(31) {
        let _cut = read(&whole[..end]);
    }
    assert!(matches!(
        read(b"%PDF-1.4\nnothing"),
        Err(PageError::Unreadable { .. })
    ));
}

#[test]
fn no_nesting_is_too_deep_for_the_stack() {
    for piece in ["[", "<<", "<</A", "(", "<</Kids["] {
        let nested = piece.repeat(100_000);
        let text = format!(
            "%PDF-1.4\n1 0 obj\n{nested}\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF"
        );
        assert!(read(text.as_bytes()).is_err(), "{piece}");
        let mut whole = String::from_utf8(document(&[vec![LINE; 12]])).unwrap();
        whole = whole.replace("BT /F1", &format!("{nested} BT /F1"));
        let _read = read(whole.as_bytes());
        let trailer = String::from_utf8(document(&[vec![LINE; 12]])).unwrap();
        let _read = read(
            trailer
                .replace("/Size", &format!("/X {nested} /Size"))
                .as_bytes(),
        );
    }
}

#[test]
fn pages_that_contain_themselves_end() {
    for (from, to) in [
        ("/Kids [5 0 R ]", "/Kids [2 0 R ]"),
        ("/Parent 2 0 R /MediaBox [0 0 612 792]", "/Parent 5 0 R"),
        ("/Resources << /Font << /F1 3 0 R >> >>", "/Resources 5 0 R"),
        ("/Contents 6 0 R", "/Contents 5 0 R"),
    ] {
        let mut objects = objects(&[vec![LINE; 12]]);
        let whole = objects.join("");
        for object in &mut objects {
            *object = object.replace(from, to);
        }
        assert_ne!(objects.join(""), whole, "{from}");
        let _read = read(&bound(&objects));
    }
}

#[test]
fn forms_that_draw_themselves_end() {
    // One form draws itself, or a long row of forms each draws the next.
    for forms in [1, 20_000] {
        let mut objects = objects(&[vec![LINE; 12]]);
        let page = &mut objects[4];
        *page = page.replace("/Font <<", "/XObject << /X 7 0 R >> /Font <<");
        let content = &mut objects[5];
        *content = "<< /Length 5 >>\nstream\n/X Do\nendstream".to_owned();
        for form in 0..forms {
            let next = if forms == 1 { 7 } else { 8 + form };
            objects.push(format!(
                "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {next} 0 R >> >> /Length 5 >>\nstream\n/X Do\nendstream"
            ));
        }
        let _read = read(&bound(&objects));
    }
}

/// A document whose only page is this stream, packed.
fn packed(content: &[u8], filters: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    let packed = encoder.finish().unwrap();
    let whole = document(&[vec![]]);
    let at = whole
        .windows(10)
        .position(|it| it == b"<< /Length")
        .unwrap();
    let mut out = whole[..at].to_vec();
    out.extend(format!("<< /Length {} /Filter {filters} >>\nstream\n", packed.len()).bytes());
    out.extend(packed);
    out.extend(b"\nendstream\nendobj\ntrailer\n<< /Size 7 /Root 1 0 R >>\n%%EOF\n");
    out
}

#[test]
fn what_unpacks_to_a_thousand_times_its_size_is_refused() {
    let bomb = packed(&vec![b' '; 200 << 20], "/FlateDecode");
    assert!(bomb.len() < 1 << 20);
    assert_eq!(read(&bomb), Err(PageError::TooLarge));
    let twice = packed(b"x", "[/FlateDecode /FlateDecode]");
    assert_eq!(read(&twice), Err(PageError::TooLarge));
    let once = packed(b"BT ET", "[/FlateDecode]");
    assert_ne!(read(&once), Err(PageError::TooLarge));
}
