//! Files of subtitles: `SubRip` (`.srt`) and `WebVTT` (`.vtt`).
//!
//! Both are blocks of a line with times, `00:00:01,000 --> 00:00:02,500`, and lines of text to the next
//! empty line. What stands elsewhere is not shown: numbers, headers, notes, styles.

use super::{Captions, markup::without_tags};
use crate::{entity, transcript::stamp::time};

/// Reads a file; `None` when it has no subtitles.
pub fn read(file: &str) -> Option<Captions> {
    // Captions that YouTube wrote roll: each shows the line of the one before once more.
    let rolls = file.contains("<c>");
    let is_webvtt = file.starts_with("WEBVTT");
    let mut cues: Vec<(u64, String)> = Vec::new();
    let mut shown = String::new();
    let mut is_open = false;
    for line in file.lines() {
        if let Some(at) = begins_at(line) {
            cues.push((at, String::new()));
            is_open = true;
            continue;
        }
        let is_blank = line.trim().is_empty();
        // In WebVTT a space is text; in SubRip it was meant to be nothing.
        is_open &= !(line.is_empty() || is_blank && !is_webvtt);
        let Some((_, text)) = cues.last_mut().filter(|_| is_open && !is_blank) else {
            continue;
        };
        let line = entity::decode(&without_tags(&spoken(line)));
        if rolls && line == shown {
            continue;
        }
        text.push_str(&line);
        text.push(' ');
        shown = line;
    }
    Captions::of(cues)
}

/// The second at which a block begins, where this is its line with times.
fn begins_at(line: &str) -> Option<u64> {
    let (start, end) = line.split_once("-->")?;
    let second = |text: &str| time(&text.trim().replace(',', "."));
    // Behind the end, settings of its place may follow.
    second(end.split_whitespace().next()?)?;
    second(start)
}

/// Who speaks stands in a tag of `WebVTT`, `<v Alice>`: it is told.
fn spoken(line: &str) -> String {
    let Some((voice, text)) = line
        .strip_prefix("<v")
        .and_then(|rest| rest.split_once('>'))
    else {
        return line.to_owned();
    };
    let name = voice.split_once(' ').map_or("", |(_, name)| name.trim());
    match name {
        "" => text.to_owned(),
        name => format!("{name}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(file: &str) -> Option<String> {
        Some(read(file)?.markdown(&[]))
    }

    #[test]
    fn subrip_and_webvtt_are_read_alike() {
        let subrip = "1\r\n00:00:00,500 --> 00:00:02,000\r\n<i>Hello,</i>\r\nworld.\r\n\r\n2\r\n\
                      00:00:31,000 --> 00:00:33,000 X1:40\r\n{\\an8}Bye.\r\n";
        let webvtt = "WEBVTT - A talk\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE nothing\n\n\
                      greeting\n00:00.500 --> 00:02.000 align:start\nHello,\n<c.red>world.</c>\n\n\
                      00:00:31.000 --> 00:00:33.000\nBye.\n";
        for file in [subrip, webvtt] {
            assert_eq!(
                markdown(file).unwrap(),
                "[00:00] Hello, world.\n\n[00:31] Bye.\n",
                "{file}"
            );
        }
    }

    #[test]
    fn who_speaks_is_told_and_references_are_characters() {
        let file =
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v.loud Alice>Q&amp;A?\n<v Bob>No &lt;b&gt;.</v>\n";
        assert_eq!(
            markdown(file).unwrap(),
            "[00:01] Alice: Q&A? Bob: No \\<b>.\n"
        );
    }

    #[test]
    fn lines_that_roll_are_said_once() {
        let file = "WEBVTT\n\n00:00.000 --> 00:02.000\n \nso<00:00:00.500><c> today</c>\n\n\
                    00:02.000 --> 00:02.010\nso today\n \n\n00:02.010 --> 00:04.000\nso today\nwe<00:00:03.000><c> talk</c>\n";
        assert_eq!(markdown(file).unwrap(), "[00:00] so today we talk\n");
        let chorus =
            "1\n00:00:00,000 --> 00:00:01,000\nLa la\n\n2\n00:00:01,000 --> 00:00:02,000\nLa la\n";
        assert_eq!(markdown(chorus).unwrap(), "[00:00] La la La la\n");
    }

    #[test]
    fn what_has_no_subtitles_is_none() {
        for file in [
            "",
            "WEBVTT\n",
            "a --> b\ntext",
            "1\n00:00:01,000 --> 00:00:02,000\n\n",
        ] {
            assert_eq!(markdown(file), None, "{file}");
        }
    }
}
