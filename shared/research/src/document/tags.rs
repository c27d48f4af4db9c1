//! Which HTML tags in a body would endanger the frame around it.
//!
//! A tag stays as it is when it ends on its own line and can do nothing to what follows. The
//! others lose their `<` to `&lt;` and so become text. These are dangerous:
//!
//! - `details`, the frame itself; and `summary` at the beginning of a line, where the frame writes
//!   its own. Elsewhere a `summary` does nothing: a browser takes the first one, which is ours.
//! - What swallows the text after it until it is closed: comments, `<?`, `<!`, scripts, styles and
//!   the other elements whose content is not markup.
//! - What keeps a browser from seeing our `</details>`: tables, objects, templates, SVG.
//! - What acts on the page: scripts in attributes and in URLs, `base`, `link`, `meta`, frames.
//! - Tags that do not end on their line, or hold a `<` or a backtick: where they end is then a
//!   question of who reads.

use crate::entity;

/// Names of tags that are never let through.
#[rustfmt::skip]
const DANGEROUS: &[&str] = &[
    "details",
    "iframe", "listing", "noembed", "noframes", "noscript", "plaintext", "pre", "script", "style",
    "textarea", "title", "xmp",
    "applet", "caption", "frameset", "marquee", "math", "object", "select", "svg", "table",
    "template",
    "base", "body", "embed", "frame", "head", "html", "link", "meta",
];

/// Elements that begin a block of HTML whatever follows them on the line.
#[rustfmt::skip]
const BLOCKS: &[&str] = &[
    "address", "article", "aside", "blockquote", "center", "div", "dl", "fieldset", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
    "ol", "p", "section", "ul",
];

/// A longer tag is not let through, in bytes.
const MAX_TAG_BYTES: usize = 4096;

/// Attributes that hold a URL.
#[rustfmt::skip]
const URLS: &[&str] = &[
    "action", "background", "cite", "data", "formaction", "href", "longdesc", "poster", "src",
    "xlink:href",
];

/// Schemes that a URL in an attribute may have.
const SCHEMES: &[&str] = &["http", "https", "mailto"];

/// What a `<` begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Nothing: it is a character like others.
    Text,
    /// A tag or comment of so many bytes that may stay.
    Harmless(usize),
    /// Something that must not be read as markup.
    Dangerous,
}

/// Judges the `<` at the beginning of `text`, which ends with its line.
pub(super) fn judge(text: &str, begins_line: bool) -> Verdict {
    let body = text.strip_prefix('<').unwrap_or(text);
    let end = body.find(['<', '\n']).unwrap_or(body.len());
    let end = end.min(MAX_TAG_BYTES);
    let body = body
        .get(..body.floor_char_boundary(end))
        .unwrap_or_default();
    if let Some(comment) = body.strip_prefix("!--") {
        return judge_comment(comment);
    }
    let name_from = body.strip_prefix('/').unwrap_or(body);
    match (body.bytes().next(), name_from.bytes().next()) {
        (Some(b'!' | b'?'), _) => return Verdict::Dangerous,
        (_, Some(first)) if first.is_ascii_alphabetic() => {}
        (Some(b'/'), _) => return Verdict::Dangerous,
        _ => return Verdict::Text,
    }
    match tag_length(name_from, begins_line) {
        Some(length) => Verdict::Harmless(1 + body.len() - name_from.len() + length),
        None => Verdict::Dangerous,
    }
}

/// Whether a tag that may stay could begin a block of HTML; an autolink could not.
pub(super) fn begins_html_block(text: &str) -> bool {
    let body = text.strip_prefix('<').unwrap_or(text);
    let name = body.strip_prefix('/').unwrap_or(body);
    let end = name.find(|it: char| !it.is_ascii_alphanumeric() && it != '-');
    body.starts_with("!--")
        || end
            .and_then(|it| name.get(it..))
            .is_none_or(|it| it.starts_with([' ', '\t', '/', '>']))
}

/// Whether a tag that may stay begins a block of HTML for every reader, if it stands behind an
/// empty line: it is one of the elements that CommonMark names, or alone on its line.
pub(super) fn surely_begins_html_block(text: &str) -> bool {
    let body = text.strip_prefix('<').unwrap_or(text);
    let name = body.strip_prefix('/').unwrap_or(body);
    let end = name
        .find(|it: char| !it.is_ascii_alphanumeric() && it != '-')
        .unwrap_or(name.len());
    let (name, rest) = name.split_at_checked(end).unwrap_or((name, ""));
    let is_block = BLOCKS.iter().any(|it| it.eq_ignore_ascii_case(name));
    let is_alone = rest
        .strip_prefix('>')
        .is_some_and(|it| it.trim_matches([' ', '\t']).is_empty());
    !name.is_empty() && (is_alone || is_block && rest.starts_with([' ', '\t', '>']))
}

fn judge_comment(comment: &str) -> Verdict {
    // `<!-->` and `<!--->` end a comment for some readers and not for others.
    match comment.split_once("-->") {
        Some((inner, _)) if !inner.starts_with(['>', '-']) && !inner.contains('`') => {
            Verdict::Harmless("<!--".len() + inner.len() + "-->".len())
        }
        _ => Verdict::Dangerous,
    }
}

/// The length of a harmless tag from its name to its `>`, by the rules of HTML's tokenizer.
fn tag_length(text: &str, begins_line: bool) -> Option<usize> {
    let ends_name = |it: char| is_space(it) || matches!(it, '/' | '>');
    let (name, mut rest) = text.split_at_checked(text.find(ends_name)?)?;
    let is = |it: &str| it.eq_ignore_ascii_case(name);
    if DANGEROUS.iter().any(|it| is(it)) || begins_line && is("summary") {
        return None;
    }
    loop {
        rest = rest.trim_start_matches(|it| is_space(it) || it == '/');
        if let Some(after) = rest.strip_prefix('>') {
            let length = text.len() - after.len();
            let tag = text.get(..length)?;
            return (!tag.contains('`')).then_some(length);
        }
        rest = harmless_attribute(rest)?;
    }
}

/// Passes over an attribute; `None` when it does not end here, or does something.
fn harmless_attribute(text: &str) -> Option<&str> {
    let ends_name = |it: char| is_space(it) || matches!(it, '/' | '>' | '=');
    let length = text
        .char_indices()
        .skip(1)
        .find(|&(_, it)| ends_name(it))?
        .0;
    let (name, rest) = text.split_at_checked(length)?;
    if name
        .get(..2)
        .is_some_and(|it| it.eq_ignore_ascii_case("on"))
    {
        return None;
    }
    let Some(value) = rest.trim_start_matches(is_space).strip_prefix('=') else {
        return Some(rest);
    };
    let value = value.trim_start_matches(is_space);
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote).map(|it| (it, quote)));
    let (value, rest) = match quoted {
        Some((value, quote)) => value.split_once(quote)?,
        None => value.split_at_checked(value.find(|it| is_space(it) || it == '>')?)?,
    };
    let is_url = URLS.iter().any(|it| it.eq_ignore_ascii_case(name));
    (!is_url || is_harmless_url(value)).then_some(rest)
}

fn is_harmless_url(value: &str) -> bool {
    let url = entity::decode(value);
    let Some((scheme, _)) = url.split_once(':') else {
        // A reference that was not decoded could still stand for a colon.
        return !url
            .split(['/', '?', '#'])
            .next()
            .unwrap_or_default()
            .contains('&');
    };
    scheme.contains(['/', '?', '#'])
        || SCHEMES
            .iter()
            .any(|it| it.eq_ignore_ascii_case(scheme.trim()))
}

const fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\x0c' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_can_do_nothing_stay() {
        for tag in [
            "<br>",
            "<b>",
            "</b>",
            "<div align=\"center\">",
            "<T>",
            "<user_query>",
            "</answer>",
            "<img src=\"https://a.example/i.png\" alt=\"x > y\" height=700/>",
            "<https://a.example/x>",
            "<a href='../b.md#c'>",
            "<!-- a comment -->",
            "<a href=\"mailto:a@b.example\">",
        ] {
            assert_eq!(judge(tag, true), Verdict::Harmless(tag.len()), "{tag}");
        }
        assert_eq!(judge("<summary>", false), Verdict::Harmless(9));
        for text in ["<", "<7%", "< b", "<-", "<=", "<é>"] {
            assert_eq!(judge(text, true), Verdict::Text, "{text}");
        }
    }

    #[test]
    fn tags_that_endanger_the_frame_do_not() {
        for tag in [
            "<details>",
            "</details>",
            "</DETAILS >",
            "<details open>",
            "<summary>",
            "<details",
            "<details/x>",
            "<details\x0c>",
            "<script>",
            "<textarea>",
            "<table>",
            "<!-->",
            "<!--->",
            "<!-- <b> -->",
            "<!-- open",
            "<!DOCTYPE html>",
            "<![CDATA[",
            "<?php",
            "</ x>",
            "<img onerror=alert(1)>",
            "<b ONCLICK='x'>",
            "<a href=javascript:x>",
            "<a href=\" java&#115;cript:x\">",
            "<a href=\"javascript&colon;x\">",
            "<b title=\"open>",
            "<b",
            "<b title=\"<i>\">",
            "<b title=\"`\">",
            "<a\n>",
        ] {
            assert_eq!(judge(tag, true), Verdict::Dangerous, "{tag}");
        }
    }
}
