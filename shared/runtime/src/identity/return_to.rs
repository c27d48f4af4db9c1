//! Where a person goes after signing in: a place on this site and nowhere else.

use url::Url;

/// Longer addresses do not fit beside the rest in the sign-in's cookie.
const MAX_BYTES: usize = 1024;

/// A path on this site, with its query. Anything that a browser could read as another site was
/// refused when this was made: `//evil.example`, `/\evil.example`, a tab between the slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Checks a path that a stranger may have written into a link.
    pub fn parse(path: &str) -> Option<Self> {
        let is_plain = path.len() <= MAX_BYTES
            && path.starts_with('/')
            && !path.starts_with("//")
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if !is_plain {
            return None;
        }
        // The same parser as browsers', so that what is left is judged as they will judge it.
        let here = Url::parse("http://here.invalid/").ok()?;
        let there = here.join(path).ok()?;
        // A sign-in that returns to the sign-in would never end.
        let is_sign_in = there.path() == "/sign_in" || there.path().starts_with("/sign_in/");
        (there.origin() == here.origin() && !there.path().starts_with("//") && !is_sign_in)
            .then(|| Self(path.to_owned()))
    }

    /// The path with its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnTo {
    /// The first page of the workflow.
    fn default() -> Self {
        Self("/upload_article_guideline".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_site_is_kept_as_it_is() {
        for path in [
            "/",
            "/articles",
            "/upload_local_files?article_guideline_id=1&x=%2F#top",
        ] {
            let kept = ReturnTo::parse(path);
            assert_eq!(kept.as_ref().map(ReturnTo::as_str), Some(path));
        }
    }

    #[test]
    fn nothing_that_leads_to_another_site_passes() {
        let long = format!("/{}", "x".repeat(MAX_BYTES));
        for path in [
            "",
            "articles",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/ /evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "/\u{0}",
            "/ü",
            "/./\\evil.example",
            "/.//evil.example",
            "/x/..//evil.example",
            "/sign_in",
            "/sign_in?return_to=/",
            "/sign_in/callback",
            "/x/../sign_in/callback",
            &long,
        ] {
            assert_eq!(ReturnTo::parse(path), None, "{path:?}");
        }
    }
}
