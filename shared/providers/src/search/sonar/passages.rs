//! Who says what in an answer with citations.

use nova_research::identity::identity;
use nova_research::url::SourceUrl;
use serde_json::Value;

/// A listed source, as far as an answer can name it.
pub(super) struct Source<'a> {
    url: &'a str,
}

/// The passages of an answer.
pub(super) struct Passages {
    /// For each source, in their order.
    pub(super) texts: Vec<String>,
    /// How many sources it names that are not listed.
    pub(super) unknown: u64,
}

impl<'a> Source<'a> {
    pub(super) const fn new(url: &'a str) -> Self {
        Self { url }
    }
}

impl Passages {
    /// Parts an answer among its sources.
    pub(super) fn of(content: &str, sources: &[Source<'_>]) -> Self {
        let mut passages = Self {
            texts: vec![String::new(); sources.len()],
            unknown: 0,
        };
        // What a model thinks is no answer.
        let content = match content.rsplit_once("</think>") {
            Some((_, answer)) => answer,
            None => content,
        };
        if !passages.take_json(content, sources) {
            for line in content.lines() {
                passages.take_line(line);
            }
        }
        passages
    }

    fn say(&mut self, number: usize, what: &str) {
        let place = number.checked_sub(1);
        let Some(text) = place.and_then(|place| self.texts.get_mut(place)) else {
            self.unknown += 1;
            return;
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(what);
    }

    /// `claim [1][2]. claim [3]`: what stands before a run of marks is said by all of the run.
    fn take_line(&mut self, line: &str) {
        let mut rest = line;
        let mut claim = String::new();
        while let Some((before, from)) = split_at_mark(rest) {
            claim.push_str(before);
            let (numbers, after) = marks(from);
            if numbers.is_empty() {
                // A bracket of the text.
                claim.push('[');
                rest = from.strip_prefix('[').unwrap_or_default();
                continue;
            }
            let ending = after.strip_prefix(['.', '!', '?']).map(|it| (after, it));
            let said = claim.trim().trim_start_matches(['.', ';', ',', ':']).trim();
            if !said.is_empty() || numbers.iter().any(|it| *it > self.texts.len()) {
                let mut said = said.to_owned();
                if !said.ends_with(['.', '!', '?']) {
                    said.push('.');
                }
                for number in numbers {
                    self.say(number, &said);
                }
            }
            claim.clear();
            rest = ending.map_or(after, |(_, rest)| rest);
        }
    }

    /// `{"sources": [{"source": 2, "answer": "…"}]}`, in a fence or not.
    fn take_json(&mut self, content: &str, sources: &[Source<'_>]) -> bool {
        let json = content.trim().trim_start_matches("```json");
        let json = json.trim_matches('`').trim();
        let parsed: Value = serde_json::from_str(json).unwrap_or_default();
        let Some(told) = parsed["sources"].as_array() else {
            return false;
        };
        let places: Vec<Option<String>> = sources.iter().map(|it| key(it.url)).collect();
        for one in told {
            let written = || one["source"].as_str()?.trim().parse().ok();
            let by_number = one["source"]
                .as_u64()
                .or_else(written)
                .and_then(|it| usize::try_from(it).ok());
            let by_url = || {
                let named = key(one["url"].as_str()?)?;
                let place = places.iter().position(|it| it.as_ref() == Some(&named))?;
                Some(place + 1)
            };
            let number = by_number.or_else(by_url).unwrap_or_default();
            self.say(number, one["answer"].as_str().unwrap_or_default().trim());
        }
        true
    }
}

fn key(url: &str) -> Option<String> {
    Some(identity(&SourceUrl::parse(url).ok()?))
}

/// What stands before the next bracket, and what begins with it.
fn split_at_mark(text: &str) -> Option<(&str, &str)> {
    let place = text.find('[')?;
    Some((text.get(..place)?, text.get(place..)?))
}

/// The numbers of a run such as `[1][2]` or `[1, 2] [3]`, and what follows it.
fn marks(text: &str) -> (Vec<usize>, &str) {
    let (mut numbers, mut rest) = (Vec::new(), text);
    loop {
        let next = rest.trim_start_matches(' ');
        let Some((inside, after)) = next.strip_prefix('[').and_then(|it| it.split_once(']')) else {
            return (numbers, rest);
        };
        let parsed: Option<Vec<usize>> = inside
            .split(',')
            .map(|it| {
                let digits = it.trim();
                let is_number =
                    (1..=3).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
                is_number.then(|| digits.parse().ok())?
            })
            .collect();
        let Some(parsed) = parsed else {
            return (numbers, rest);
        };
        numbers.extend(parsed);
        // `[1](https://…)`: where it leads is written by the model.
        rest = match after.strip_prefix('(').and_then(|it| it.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
}
