//! What an article is called.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Titles are cut at this many characters.
pub(super) const MAX_TITLE_CHARS: usize = 200;

/// The text of the first heading that has one, of any level and both kinds, without its markup.
///
/// Without a heading it is the first line that has text, and "Untitled" for a text of pictures
/// and rules only: an article in a list needs something to be called by.
pub(super) fn title(markdown: &str) -> String {
    let mut first_line = Plain::default();
    let mut heading: Option<Plain> = None;
    let mut first_line_ended = false;
    for event in Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
    ) {
        match (&event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(Plain::default()),
            (Event::End(TagEnd::Heading(_)), Some(plain)) => {
                if let Some(title) = std::mem::take(plain).finish() {
                    return title;
                }
                heading = None;
            }
            (_, Some(plain)) => plain.push(&event),
            (Event::SoftBreak | Event::HardBreak | Event::End(_), None) => {
                first_line_ended |= !first_line.text.trim().is_empty()
                    && !matches!(event, Event::End(end) if is_inline(end));
            }
            (_, None) if !first_line_ended => first_line.push(&event),
            (_, None) => {}
        }
    }
    first_line.finish().unwrap_or_else(|| "Untitled".to_owned())
}

const fn is_inline(end: TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

/// Collects the text of inline events, up to the length of a title.
#[derive(Default)]
pub(super) struct Plain {
    text: String,
    chars: usize,
}

impl Plain {
    pub(super) fn push(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) => self.push_str(text),
            Event::SoftBreak | Event::HardBreak => self.push_str(" "),
            _ => {}
        }
    }

    pub(super) fn push_str(&mut self, text: &str) {
        for char in text.chars() {
            // One more than fits is kept, to know that something was cut.
            if self.chars > MAX_TITLE_CHARS {
                return;
            }
            let char = if char.is_whitespace() || char.is_control() {
                ' '
            } else {
                char
            };
            if char == ' ' && (self.text.is_empty() || self.text.ends_with(' ')) {
                continue;
            }
            self.text.push(char);
            self.chars += 1;
        }
    }

    /// The text in one line; `None` when there is none.
    pub(super) fn finish(mut self) -> Option<String> {
        if self.chars > MAX_TITLE_CHARS {
            self.text.pop();
            self.text.pop();
            self.text.truncate(self.text.trim_end().len());
            self.text.push('…');
        }
        self.text.truncate(self.text.trim_end().len());
        (!self.text.is_empty()).then_some(self.text)
    }
}
