//! What the class and the id of an element say about it.
//!
//! Authors name the parts of a page much alike everywhere. Names are read word by word
//! (`postFooter`, `post-footer` and `post_footer` are two words each), because letters alone
//! mislead: a `header` holds an `ad` and a `sidebar` a `bar`.

/// What a name stands for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Meaning {
    /// It is furniture: menus, advertisements, what else there is to read.
    pub(super) furniture: bool,
    /// It is what readers wrote below.
    pub(super) comments: bool,
    /// It leads to other texts, or sums them up.
    pub(super) teaser: bool,
    /// It is the text, as sure as a name can be: the lower, the surer.
    pub(super) content: Option<u8>,
}

/// Reads the names of an element.
pub(super) fn meaning(class: &str, id: &str) -> Meaning {
    let mut meaning = Meaning::default();
    for name in class.split_ascii_whitespace().chain([id.trim()]) {
        if name.len() <= 60 {
            read(name, &mut meaning);
        }
    }
    meaning
}

fn read(name: &str, meaning: &mut Meaning) {
    // Builders of pages call each and every box a widget.
    if ["elementor", "wp-block", "wpb", "vc_", "et_pb", "fl-", "js-"]
        .iter()
        .any(|it| name.starts_with(it))
        && !name.contains("share")
    {
        return;
    }
    let mut words = [""; 8];
    let mut buffer = [0_u8; 64];
    let count = split(name, &mut buffer, &mut words);
    let words = words.get(..count).unwrap_or_default();
    if let Some(content) = content(name, words) {
        meaning.content = Some(meaning.content.map_or(content, |it| it.min(content)));
        return;
    }
    let mut before = "";
    for (at, &word) in words.iter().enumerate() {
        let first = at == 0;
        meaning.furniture |= is_furniture(before, word, first, words.len());
        meaning.comments |= is_comments(word, first);
        meaning.teaser |= word.starts_with("teaser");
        before = word;
    }
}

/// Splits a name into lower-case words.
fn split<'a>(name: &str, buffer: &'a mut [u8; 64], words: &mut [&'a str; 8]) -> usize {
    let mut ends = [(0_usize, 0_usize); 8];
    let (mut count, mut start, mut at) = (0, 0, 0);
    let mut lower = false;
    let mut close = |start: usize, at: usize, count: &mut usize| {
        if at > start
            && let Some(slot) = ends.get_mut(*count)
        {
            *slot = (start, at);
            *count += 1;
        }
    };
    for byte in name.bytes() {
        let letter = byte.is_ascii_alphanumeric() || byte >= 0x80;
        if !letter || lower && byte.is_ascii_uppercase() {
            close(start, at, &mut count);
            start = at;
        }
        lower = byte.is_ascii_lowercase();
        if letter && let Some(slot) = buffer.get_mut(at) {
            *slot = byte.to_ascii_lowercase();
            at += 1;
        }
    }
    close(start, at, &mut count);
    let buffer: &'a [u8] = buffer;
    for (word, (start, end)) in words.iter_mut().zip(ends).take(count) {
        *word = std::str::from_utf8(buffer.get(start..end).unwrap_or_default()).unwrap_or_default();
    }
    count
}

/// Names that people give to the text itself.
#[expect(
    clippy::unnested_or_patterns,
    reason = "each is a name, and names are not nested"
)]
fn content(name: &str, words: &[&str]) -> Option<u8> {
    Some(match words {
        [
            "articlebody" | "articlecontent" | "articletext" | "storybody" | "postcontent"
            | "postbody" | "bodytext",
        ]
        | ["post" | "entry"]
        | [
            "entry" | "article" | "art" | "post" | "text" | "story" | "blog" | "news",
            "content" | "body" | "text" | "entry",
        ]
        | [
            "article" | "entry" | "post" | "story",
            ..,
            "content" | "body" | "text",
        ]
        | ["body", "text"]
        | ["article", "container"]
        | ["markdown", "body"]
        | ["rst", "content"]
        | ["td", "post", "content"] => 0,
        ["single", "post" | "content"]
        | ["theme" | "section", "content"]
        | ["field", "body"]
        | ["main", "column"]
        | ["wpb", "text", "column"]
        | ["fulltext" | "postarea"] => 2,
        ["content", "body" | "main"] | ["main" | "page", "content"] | ["maincontent"] => 3,
        ["content"] if name.len() == "content".len() => 3,
        _ => return None,
    })
}

/// Words that name what is around a text, in any name. Sorted.
#[rustfmt::skip]
const FURNITURE: &[&str] = &[
    "ad", "ads", "adsense", "adslot", "advert", "advertisement", "advertising", "akismet",
    "anzeige", "anzeigen", "attachment", "authors", "banner", "breadcrumb", "btn", "button",
    "buttons", "byline", "caption", "carousel", "comentarios", "commentaires", "compartir",
    "consent", "copyright", "credit", "credits", "criteo", "dfp", "disclaimer", "disclosure",
    "embed", "embedded", "gdpr", "infinite", "kommentar", "kommentare", "login", "masthead",
    "menu", "meta", "metadata", "modal", "nav", "navbar", "navbox", "navi", "navigation",
    "nocomments", "noprint", "outbrain", "overlay", "pager", "pagination", "partager",
    "permission", "popup", "postmeta", "print", "promo", "promoted", "publicidad", "rating",
    "ratings", "recirculation", "recommended", "relacionadas", "relacionados", "share",
    "sharedaddy", "shares", "signup", "skip", "slide", "slider", "sociable", "social", "sponsor",
    "sponsored", "sponsors", "subnav", "subscribe", "subscription", "syndication", "taboola",
    "taglist", "tags", "teilen", "timestamp", "toolbar", "tooltip", "topbar", "viewport", "viral",
    "werbung", "widget", "widgets", "yarpp",
];

/// What such words begin with: `authorbox`, `relatedposts`, `footernav`.
const FURNITURE_STEMS: &[&str] = &[
    "author",
    "breadcrumb",
    "cookie",
    "footer",
    "newsletter",
    "related",
    "sharing",
    "sidebar",
    "socialm",
];

/// Names of what is around a text.
fn is_furniture(before: &str, word: &str, first: bool, words: usize) -> bool {
    if FURNITURE.binary_search(&word).is_ok()
        || FURNITURE_STEMS.iter().any(|it| word.starts_with(it))
    {
        return true;
    }
    match word {
        "bar" | "link" | "links" => matches!(
            before,
            "nav" | "side" | "tool" | "suggest" | "top" | "share"
        ),
        "list" => matches!(before, "tag" | "category"),
        "on" | "stories" | "posts" | "articles" | "news" => {
            matches!(
                before,
                "more" | "other" | "latest" | "popular" | "recent" | "similar" | "top"
            )
        }
        "popular" => before == "most",
        "info" | "infos" | "profile" => matches!(before, "user" | "article" | "post" | "entry"),
        "date" | "time" | "details" => matches!(
            before,
            "post" | "entry" | "article" | "publish" | "published"
        ),
        "bio" | "box" => before == "about",
        "next" | "prev" | "previous" | "jp" => first && words > 1,
        "toc" => first && words == 1,
        "contents" => before == "of",
        "options" | "expand" | "obfuscated" | "blurred" => words == 1,
        _ => false,
    }
}

fn is_comments(word: &str, first: bool) -> bool {
    match word {
        "comment" => first,
        "comments" | "commentlist" | "disqus" | "respond" | "comol" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{FURNITURE, meaning};

    #[test]
    fn names_are_read_word_by_word() {
        assert!(FURNITURE.is_sorted());
        for furniture in [
            "post-footer",
            "postFooter",
            "nav",
            "col-4 sideBar",
            "article__author",
            "related_posts",
        ] {
            assert!(meaning(furniture, "").furniture, "{furniture}");
        }
        for other in [
            "header",
            "download",
            "barrier",
            "elementor-widget",
            "post",
            "authorized-no",
        ] {
            assert_eq!(
                meaning(other, "").furniture,
                other.starts_with("author"),
                "{other}"
            );
        }
        assert_eq!(meaning("x entry-content", "").content, Some(0));
        assert_eq!(meaning("", "main-content").content, Some(3));
        assert!(meaning("comment-list", "").comments);
    }
}
