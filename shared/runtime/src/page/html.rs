//! Markup that can only be made of our own templates and of escaped values.

use std::fmt::Display;

use super::CSRF_FIELD;

/// A piece of markup. There is no way to make one from a run-time text without escaping it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// A value, escaped for text and for quoted attributes.
    pub fn text(value: impl Display) -> Self {
        let value = value.to_string();
        let mut html = String::with_capacity(value.len());
        for character in value.chars() {
            match character {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(other),
            }
        }
        Self(html)
    }

    /// A template of ours, with each `{{name}}` replaced by the value of that name.
    ///
    /// A name without a value is a mistake in the code: it stops a debug build, and is left out
    /// of the page otherwise.
    pub fn fill(template: &'static str, values: &[(&str, Self)]) -> Self {
        let mut parts = template.split("{{");
        let mut html = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
            let value = values.iter().find(|(known, _)| *known == name);
            debug_assert!(
                value.is_some(),
                "the template's {{{{{name}}}}} has no value"
            );
            html.push_str(value.map_or("", |(_, value)| &value.0));
            html.push_str(rest);
        }
        Self(html)
    }

    /// One after the other.
    pub fn concat(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    /// The hidden field by which a form proves that it is ours.
    pub fn csrf_field(token: &str) -> Self {
        Self::fill(
            "<input type=\"hidden\" name=\"{{name}}\" value=\"{{token}}\">",
            &[
                ("name", Self::text(CSRF_FIELD)),
                ("token", Self::text(token)),
            ],
        )
    }

    /// The `hidden` attribute, or nothing.
    pub fn hidden_unless(shown: bool) -> Self {
        Self(if shown {
            String::new()
        } else {
            " hidden".to_owned()
        })
    }

    /// The `open` attribute of a `<details>`, or nothing.
    pub fn open_if(open: bool) -> Self {
        Self(if open {
            " open".to_owned()
        } else {
            String::new()
        })
    }

    /// A style or script of ours as an element. Its text is not escaped, because a browser does not
    /// unescape it.
    pub(super) fn element(name: &'static str, text: &str) -> Self {
        debug_assert!(!text.contains("</"), "this would end the <{name}> early");
        Self(format!("<{name}>{text}</{name}>\n"))
    }

    /// The markup as text.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_a_value_are_not_filled_again() {
        let values = [("a", Html::text("{{b}}")), ("b", Html::text("secret"))];
        assert_eq!(
            Html::fill("<i>{{a}}</i>", &values),
            Html("<i>{{b}}</i>".to_owned())
        );
    }

    #[test]
    #[should_panic(expected = "{{name}} has no value")]
    fn a_placeholder_without_a_value_is_a_mistake() {
        Html::fill("{{name}}", &[]);
    }
}
