//! What keeps a hostile page from costing more than its length.
//!
//! The parser is an HTML5 one, and HTML5 itself is not linear: it looks through all open elements
//! for many a tag, opens forgotten `<b>`s again in each paragraph, and compares each attribute of
//! a tag with all others. So the tokens are filtered on their way to the builder of the tree:
//! levels beyond [`MAX_DEPTH`] are flattened (browsers do it there too), forgotten formatting is
//! limited, unknown attributes go, and tags with more than [`MAX_ATTRIBUTES`] never get to the
//! tokenizer. A page with more than [`MAX_ELEMENTS`] elements is refused.

use std::cell::{Cell, RefCell};

use html5ever::interface::TreeSink as _;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag as TagToken, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
    TokenizerOpts,
};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{LocalName, TokenizerResult, local_name};

use super::sink::Sink;
use super::{Attr, Dom, NodeId, Tag};

/// Elements within elements.
pub(super) const MAX_DEPTH: usize = 512;

/// Elements of a page. The longest real ones, whole manuals, come to about 150,000.
const MAX_ELEMENTS: usize = 200_000;

/// Formatting that is open at once: pages which forget to close it do so less often.
const MAX_FORMATTING: usize = 32;

/// Attributes of one tag.
const MAX_ATTRIBUTES: usize = 512;

/// The page has more than [`MAX_ELEMENTS`] elements, or is made to look as if it never ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::page) struct TooLarge;

/// Parses HTML in time linear in its length.
pub(super) fn parse(html: &str) -> Result<Dom, TooLarge> {
    let options = TreeBuilderOpts {
        // What `<noscript>` holds is for readers without a browser, like this one.
        scripting_enabled: false,
        ..TreeBuilderOpts::default()
    };
    let guard = Guard::new(TreeBuilder::new(Sink::new(), options));
    let tokenizer = Tokenizer::new(guard, TokenizerOpts::default());
    let mut feeder = Feeder {
        html,
        shared: StrTendril::from(html),
        scanned: 0,
    };
    feeder.feed(&tokenizer)?;
    tokenizer.end();
    if tokenizer.sink.is_full() {
        return Err(TooLarge);
    }
    Ok(tokenizer.sink.builder.sink.finish())
}

/// Hands the page to the tokenizer, from one `<` to the next, and leaves out what it must not see.
struct Feeder<'a> {
    html: &'a str,
    shared: StrTendril,
    /// How many bytes were looked at for attributes.
    scanned: usize,
}

impl Feeder<'_> {
    fn feed(&mut self, tokenizer: &Tokenizer<Guard>) -> Result<(), TooLarge> {
        let queue = BufferQueue::default();
        let mut from = 0;
        // Where the comment or tag begins that the tokenizer is in.
        let mut inside = false;
        while from < self.html.len() {
            if tokenizer.sink.is_full() {
                return Err(TooLarge);
            }
            let rest = self.html.get(from..).unwrap_or_default();
            let begins = Construct::at(rest);
            if begins == Construct::Tag && !inside && !tokenizer.sink.in_raw_text() {
                let tag = Attributes::scan(rest);
                self.scanned += tag.length;
                // Only what pretends to be tags again and again comes to this.
                if self.scanned > 4 * self.html.len() {
                    return Err(TooLarge);
                }
                if tag.count > MAX_ATTRIBUTES {
                    from += Attributes::end_of(rest);
                    continue;
                }
            }
            let length = rest
                .char_indices()
                .nth(1)
                .and_then(|(second, _)| Some(second + rest.get(second..)?.find('<')?))
                .unwrap_or(rest.len());
            let before = tokenizer.sink.tokens.get();
            queue.push_back(self.piece(from, length));
            while !matches!(tokenizer.feed(&queue), TokenizerResult::Done) {}
            inside = if tokenizer.sink.tokens.get() == before {
                inside || begins != Construct::Text
            } else {
                false
            };
            from += length;
            // Half of many a page is scripts and style sheets, which nobody reads.
            if let Some(unread) = tokenizer.sink.unread.take() {
                from += unread.length(self.html.get(from..).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn piece(&self, from: usize, length: usize) -> StrTendril {
        match (u32::try_from(from), u32::try_from(length)) {
            (Ok(from), Ok(length)) => self.shared.subtendril(from, length),
            // Nobody hands over four gigabytes; the limit on the input is far below.
            _ => StrTendril::new(),
        }
    }
}

/// An element that was opened and whose text is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unread {
    Script,
    Style,
}

impl Unread {
    /// How much of what follows is its text; 0 where only the tokenizer knows.
    fn length(self, html: &str) -> usize {
        let name = match self {
            Self::Script => "script",
            Self::Style => "style",
        };
        let mut at = 0;
        while let Some(next) = html.get(at..).and_then(|it| it.find("</")) {
            let end = at + next;
            let found = html.get(end + 2..end + 2 + name.len());
            if found.is_some_and(|it| it.eq_ignore_ascii_case(name)) {
                // In a comment of a script, a script may begin and end.
                let is_plain =
                    self == Self::Style || !html.get(..end).unwrap_or_default().contains("<!--");
                return if is_plain { end } else { 0 };
            }
            at = end + 2;
        }
        0
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Construct {
    Text,
    Tag,
    Markup,
}

impl Construct {
    /// What begins here, if the tokenizer is not in anything.
    fn at(html: &str) -> Self {
        let mut bytes = html.bytes();
        match (bytes.next(), bytes.next(), bytes.next()) {
            (Some(b'<'), Some(it), _) if it.is_ascii_alphabetic() => Self::Tag,
            (Some(b'<'), Some(b'/'), Some(it)) if it.is_ascii_alphabetic() => Self::Tag,
            (Some(b'<'), Some(b'/' | b'!' | b'?'), _) => Self::Markup,
            _ => Self::Text,
        }
    }
}

/// The attributes of a tag, counted as the tokenizer would find them.
#[derive(Clone, Copy)]
struct Attributes {
    count: usize,
    length: usize,
}

#[derive(Clone, Copy)]
enum State {
    Between,
    Name,
    AfterName,
    BeforeValue,
    Quoted(u8),
    Unquoted,
}

impl Attributes {
    /// Counts until the tag ends or there are too many.
    fn scan(html: &str) -> Self {
        Self::until(html, MAX_ATTRIBUTES)
    }

    /// Where the tag ends, however many it has.
    fn end_of(html: &str) -> usize {
        Self::until(html, usize::MAX).length
    }

    fn until(html: &str, limit: usize) -> Self {
        let mut count = 0;
        // The name of the tag is read like that of an attribute which is not counted.
        let mut state = State::Unquoted;
        for (at, byte) in html.bytes().enumerate() {
            let space = byte.is_ascii_whitespace();
            state = match (state, byte) {
                (State::Quoted(quote), _) if byte == quote => State::Between,
                (State::Quoted(_), _) => state,
                (_, b'>') => {
                    return Self {
                        count,
                        length: at + 1,
                    };
                }
                (State::Unquoted, b'/') if count == 0 => State::Between,
                (State::Unquoted, _) if space => State::Between,
                (State::BeforeValue, b'"' | b'\'') => State::Quoted(byte),
                (State::BeforeValue, _) if space => state,
                (State::BeforeValue, _) => State::Unquoted,
                (State::Name | State::AfterName, b'=') => State::BeforeValue,
                (State::Name | State::AfterName | State::Between, b'/') => State::Between,
                (State::Name, _) if space => State::AfterName,
                (State::Name | State::Unquoted, _) => state,
                (State::AfterName | State::Between, _) if space => state,
                (State::AfterName | State::Between, _) => {
                    count += 1;
                    if count > limit {
                        return Self { count, length: at };
                    }
                    State::Name
                }
            };
        }
        Self {
            count,
            length: html.len(),
        }
    }
}

/// Filters the tokens.
struct Guard {
    builder: TreeBuilder<NodeId, Sink>,
    open: RefCell<Vec<LocalName>>,
    formatting: RefCell<Vec<LocalName>>,
    /// Tags that were left out; their end tags are, too.
    flattened: RefCell<Vec<LocalName>>,
    tokens: Cell<usize>,
    raw_text: Cell<bool>,
    unread: Cell<Option<Unread>>,
}

impl Guard {
    fn new(builder: TreeBuilder<NodeId, Sink>) -> Self {
        Self {
            builder,
            open: RefCell::default(),
            formatting: RefCell::default(),
            flattened: RefCell::default(),
            tokens: Cell::new(0),
            raw_text: Cell::new(false),
            unread: Cell::new(None),
        }
    }

    fn is_full(&self) -> bool {
        self.builder.sink.elements() > MAX_ELEMENTS
    }

    fn in_raw_text(&self) -> bool {
        self.raw_text.get()
    }

    /// Whether the builder is to see a tag.
    fn admits(&self, tag: &TagToken) -> bool {
        match tag.kind {
            TagKind::StartTag => self.opens(tag),
            TagKind::EndTag => self.closes(&tag.name),
        }
    }

    fn opens(&self, tag: &TagToken) -> bool {
        if tag.self_closing || is_void(&tag.name) {
            return true;
        }
        let mut open = self.open.borrow_mut();
        close_implied(&mut open, &tag.name);
        let mut formatting = self.formatting.borrow_mut();
        // A link ends the one that is open.
        let formats = Tag::is_formatting(&tag.name)
            && !(tag.name == local_name!("a") && formatting.contains(&tag.name));
        if (open.len() >= MAX_DEPTH || formats && formatting.len() >= MAX_FORMATTING)
            && !holds_raw_text(&tag.name)
        {
            self.flattened.borrow_mut().push(tag.name.clone());
            return false;
        }
        if formats {
            formatting.push(tag.name.clone());
        }
        open.push(tag.name.clone());
        true
    }

    fn closes(&self, name: &LocalName) -> bool {
        let mut flattened = self.flattened.borrow_mut();
        // The last few only: this looks at each end tag.
        let recent = flattened.len().saturating_sub(16);
        if let Some(at) = flattened.iter().skip(recent).rposition(|it| it == name) {
            flattened.remove(recent + at);
            return false;
        }
        let mut formatting = self.formatting.borrow_mut();
        if let Some(at) = formatting.iter().rposition(|it| it == name) {
            formatting.remove(at);
        }
        let mut open = self.open.borrow_mut();
        if let Some(at) = open.iter().rposition(|it| it == name) {
            if Tag::is_formatting(name) {
                open.remove(at);
            } else {
                open.truncate(at);
            }
        }
        true
    }
}

impl TokenSink for Guard {
    type Handle = NodeId;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<NodeId> {
        let mut unread = None;
        let token = match token {
            Token::ParseError(_) | Token::CommentToken(_) => {
                self.tokens
                    .set(self.tokens.get() + usize::from(matches!(token, Token::CommentToken(_))));
                return TokenSinkResult::Continue;
            }
            Token::TagToken(mut tag) => {
                self.raw_text.set(false);
                if self.admits(&tag) {
                    tag.attrs.retain(|it| Attr::of(&it.name.local).is_some());
                    unread = unread_text(&tag);
                    Token::TagToken(tag)
                } else {
                    // So that the words before and after it stay apart.
                    Token::CharacterTokens(StrTendril::from_slice(" "))
                }
            }
            other => other,
        };
        self.tokens.set(self.tokens.get() + 1);
        if self.is_full() && !matches!(token, Token::EOFToken) {
            return TokenSinkResult::Continue;
        }
        match self.builder.process_token(token, line) {
            // Nobody runs it.
            TokenSinkResult::Script(_) => TokenSinkResult::Continue,
            result => {
                if matches!(
                    result,
                    TokenSinkResult::RawData(_) | TokenSinkResult::Plaintext
                ) {
                    self.raw_text.set(true);
                    self.unread.set(unread);
                }
                result
            }
        }
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder
            .adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// What follows a tag and is never read: style sheets, and scripts that are not data.
fn unread_text(tag: &TagToken) -> Option<Unread> {
    match tag.name {
        _ if tag.kind == TagKind::EndTag => None,
        local_name!("style") => Some(Unread::Style),
        local_name!("script") => {
            let kind = tag
                .attrs
                .iter()
                .find(|it| it.name.local == local_name!("type"));
            (!kind.is_some_and(|it| is_data(&it.value))).then_some(Unread::Script)
        }
        _ => None,
    }
}

/// Whether a script of this type is no program, but something to read.
pub(super) fn is_data(kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    kind.starts_with("math/") || kind.contains("ld+json")
}

const fn is_void(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("area")
            | local_name!("base")
            | local_name!("br")
            | local_name!("col")
            | local_name!("embed")
            | local_name!("hr")
            | local_name!("img")
            | local_name!("input")
            | local_name!("link")
            | local_name!("meta")
            | local_name!("param")
            | local_name!("source")
            | local_name!("track")
            | local_name!("wbr")
    )
}

/// The tokenizer learns from the builder that tags in them are text, so the builder must see them.
const fn holds_raw_text(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("iframe")
            | local_name!("noembed")
            | local_name!("noframes")
            | local_name!("script")
            | local_name!("style")
            | local_name!("textarea")
            | local_name!("title")
            | local_name!("xmp")
    )
}

/// Closes what a tag closes without saying so: a paragraph the one before it, an item, a cell.
fn close_implied(open: &mut Vec<LocalName>, name: &LocalName) {
    let (closes, within): (&[LocalName], &[LocalName]) = match *name {
        local_name!("li") => (
            &[local_name!("li")],
            &[local_name!("ul"), local_name!("ol"), local_name!("menu")],
        ),
        local_name!("dt") | local_name!("dd") => (
            &[local_name!("dt"), local_name!("dd")],
            &[local_name!("dl")],
        ),
        local_name!("tr") => (&[local_name!("tr")], &[local_name!("table")]),
        local_name!("td") | local_name!("th") => (
            &[local_name!("td"), local_name!("th")],
            &[local_name!("tr"), local_name!("table")],
        ),
        local_name!("option") => (&[local_name!("option")], &[local_name!("select")]),
        _ if Tag::of(name).is_block() => (
            &[local_name!("p")],
            &[local_name!("td"), local_name!("th"), local_name!("button")],
        ),
        _ => return,
    };
    let scope = open.iter().rposition(|it| within.contains(it)).unwrap_or(0);
    if let Some(at) = open.iter().rposition(|it| closes.contains(it))
        && at >= scope
    {
        open.truncate(at);
    }
}
