//! The chapters of a video, as its description lists them.

use crate::transcript::stamp::time;

/// A part of a video with a title of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, in seconds from the beginning.
    pub(super) at: u64,
    /// Its title, as its author wrote it.
    pub(super) title: String,
}

/// YouTube makes chapters of a list of that length.
const FEWEST: usize = 3;
const MOST: usize = 500;
const TITLE_CHARACTERS: usize = 200;

/// Reads a description as YouTube does: lines with a time, of which the first is 0:00 and each is
/// later than the one before, are chapters when there are three of them.
pub fn of(description: &str) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for chapter in description.lines().filter_map(chapter) {
        match chapters.last() {
            None if chapter.at == 0 => chapters.push(chapter),
            Some(last) if last.at < chapter.at && chapters.len() < MOST => chapters.push(chapter),
            _ => {}
        }
    }
    if chapters.len() < FEWEST {
        chapters.clear();
    }
    chapters
}

/// `0:00 Title`, `(0:00) Title`, `- Title: 0:00`.
fn chapter(line: &str) -> Option<Chapter> {
    let bare = |word: &str| time(word.trim_matches(|it: char| "()[]-–—:•·|".contains(it)));
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let (place, at) = words
        .iter()
        .enumerate()
        .find_map(|(place, word)| Some((place, bare(word)?)))?;
    words.remove(place);
    let title = words.join(" ");
    let title = title.trim_matches(|it: char| it.is_whitespace() || "-–—:•·|*".contains(it));
    let title: String = title.chars().take(TITLE_CHARACTERS).collect();
    (!title.is_empty()).then_some(Chapter { at, title })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(description: &str) -> Vec<(u64, String)> {
        let chapters = of(description).into_iter();
        chapters.map(|it| (it.at, it.title)).collect()
    }

    #[test]
    fn chapters_are_lines_with_a_time() {
        let wanted = [(0, "Intro"), (65, "What it is"), (3600, "The end")];
        let wanted = wanted.map(|(at, title)| (at, title.to_owned()));
        for description in [
            "About this talk.\n\n0:00 Intro\n1:05 What it is\n1:00:00 The end\nSubscribe!",
            "00:00 - Intro\n01:05 - What it is\n01:00:00 - The end",
            "• Intro (0:00)\n• What it is (1:05)\n• The end (1:00:00)",
        ] {
            assert_eq!(titles(description), wanted, "{description}");
        }
    }

    #[test]
    fn other_times_are_no_chapters() {
        for description in [
            "",
            "0:00 Intro\n1:05 Two",
            "1:00 One\n2:00 Two\n3:00 Three",
            "0:00\n1:00\n2:00",
            "At 12:30 we met.\nAt 13:00 we ate.\nAt 14:00 we left.",
        ] {
            assert_eq!(titles(description), [], "{description}");
        }
        let back = "0:00 One\n2:00 Two\n1:00 Back\n3:00 Three";
        assert_eq!(titles(back).len(), 3);
    }
}
