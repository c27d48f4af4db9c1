//! The XML in which YouTube gives captions.
//!
//! `<transcript><text start="1.5" dur="2">Hello</text>…`; in it, text is HTML once more. Where YouTube
//! gives its later format all the same, that is read as well:
//! `<timedtext><body><p t="1500" d="2000"><s>Hello</s></p>…`.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Captions, markup::without_tags};
use crate::entity;

/// Reads captions; `None` when nothing is said in them, or they are something else.
pub fn read(xml: &str) -> Option<Captions> {
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_dangling_amp = true;
    let mut cues: Vec<(u64, String)> = Vec::new();
    let mut cue: Option<(u64, String)> = None;
    loop {
        let piece = match reader.read_event() {
            Ok(Event::Start(start)) => {
                if let Some(at) = second(&start) {
                    cues.extend(cue.replace((at, String::new())));
                }
                continue;
            }
            Ok(Event::End(end)) => {
                if matches!(end.local_name().as_ref(), "text" | "p") {
                    cues.extend(cue.take());
                }
                continue;
            }
            Ok(Event::Text(text)) => text.into_inner().into_owned(),
            Ok(Event::CData(text)) => text.into_inner().into_owned(),
            Ok(Event::GeneralRef(name)) => entity::decode(&format!("&{};", &*name)),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => continue,
        };
        if let Some((_, text)) = &mut cue {
            text.push_str(&piece);
        }
    }
    cues.extend(cue);
    let cues = cues.into_iter();
    Captions::of(cues.map(|(at, html)| (at, entity::decode(&without_tags(&html)))))
}

/// When a caption begins, where this is the beginning of one.
fn second(start: &BytesStart<'_>) -> Option<u64> {
    let attribute = |name: &str| Some(start.try_get_attribute(name).ok()??.value.into_owned());
    match start.local_name().as_ref() {
        "text" => {
            let start = attribute("start")?;
            let seconds = start.split('.').next().unwrap_or_default();
            seconds.parse().ok()
        }
        "p" => attribute("t")?.parse().ok().map(|ms: u64| ms / 1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(xml: &str) -> Option<String> {
        Some(read(xml)?.markdown(&[]))
    }

    #[test]
    fn text_is_html_within_xml() {
        let xml = r#"<?xml version="1.0" encoding="utf-8" ?>
            <transcript>
                <text start="0" dur="1.54">Hey, it&amp;#39;s just a test</text>
                <text start="1.54" dur="4.16">this is &lt;i>not&lt;/i> the original
transcript</text>
                <text start="5" dur="0.5"></text>
                <text start="35.7" dur="3.239">R&amp;amp;D is it</text>
            </transcript>"#;
        assert_eq!(
            markdown(xml).unwrap(),
            "[00:00] Hey, it's just a test this is not the original transcript\n\n[00:35] R&D is it\n"
        );
    }

    #[test]
    fn the_later_format_is_read_as_well() {
        let xml = r#"<timedtext format="3"><head><ws id="0"/></head><body>
            <p t="1200" d="2000"><s>so</s><s t="300"> today</s></p><p t="3000" a="1">
</p><p t="31500" d="10">bye</p></body></timedtext>"#;
        assert_eq!(markdown(xml).unwrap(), "[00:01] so today\n\n[00:31] bye\n");
    }

    #[test]
    fn what_is_something_else_says_nothing() {
        for xml in [
            "",
            "<html><body>Sorry</body></html>",
            "<transcript/>",
            "<<<",
            "<text start='x'>a</text>",
        ] {
            assert_eq!(markdown(xml), None, "{xml}");
        }
        let deep = "<text start=\"1\">".repeat(100_000);
        assert_eq!(markdown(&deep), None);
    }
}
