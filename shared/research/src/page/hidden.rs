//! What a browser does not show.

use super::dom::{Attr, Dom, Element, NodeId, Tag};

/// Whether an element is hidden by itself, as far as that can be seen without style sheets.
pub(super) fn is_hidden(element: &Element) -> bool {
    if element
        .attr(Attr::Hidden)
        .is_some_and(|it| !it.eq_ignore_ascii_case("until-found"))
    {
        return true;
    }
    // Formulas are hidden beside their picture, and are the better of the two.
    if element.attr(Attr::AriaHidden) == Some("true") && element.tag != Tag::Math {
        return true;
    }
    element.attr(Attr::Style).is_some_and(|style| {
        let style: String = style
            .chars()
            .filter(|it| !it.is_whitespace())
            .map(|it| it.to_ascii_lowercase())
            .collect();
        style.contains("display:none") || style.contains("visibility:hidden")
    })
}

/// Whether a `<noscript>` has nothing to tell: a counter, a late picture, "please enable". Some
/// pages, though, keep all of their text in one.
pub(super) fn is_idle_noscript(dom: &Dom, id: NodeId) -> bool {
    let mut letters = 0;
    for text in dom.entered(id).filter_map(|it| dom.text(it)) {
        letters += text.split_whitespace().map(str::len).sum::<usize>();
        if letters > 500 {
            return false;
        }
    }
    true
}
