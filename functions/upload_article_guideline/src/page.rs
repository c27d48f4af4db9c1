//! The page on which a person uploads a guideline.
//!
//! One template shows all three states: the form, the form with a refusal, and the uploaded
//! guideline. A browser without scripts gets each from the server; with scripts `page.js` turns
//! the first into the others, so that nobody loses a chosen file or a pasted text on the way.
//!
//! The form is posted as `multipart/form-data` with the fields `csrf_token` (first, so that it is
//! checked before the file is read), `file` and `text`. A form sent without a script has all
//! three: a `file` without name and content means that none was chosen, and then `text` counts.

use nova_runtime::bytes_in_words;
use nova_runtime::page::{Html, Page};
use url::form_urlencoded;

const TEMPLATE: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");

/// The form field with the file.
pub const FILE_FIELD: &str = "file";
/// The form field with the text pasted instead of a file.
pub const TEXT_FIELD: &str = "text";

/// What the page needs to know about its visitor and its server.
#[derive(Clone, Copy, Debug)]
pub struct UploadPage<'a> {
    /// Who is signed in, as shown to themselves.
    pub user: &'a str,
    /// The session's CSRF token.
    pub csrf_token: &'a str,
    /// The largest guideline that is accepted, in bytes.
    pub max_size: u64,
    /// Where the form is sent: the page's own address, with what it was opened for.
    pub action: &'a str,
    /// Where the tools are called: scheme, host and port, such as `https://nova.example.org`.
    pub server_url: &'a str,
}

/// Why a guideline was not taken.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The reason and the remedy, as in the problem document.
    pub detail: &'a str,
    /// What to quote to the operators.
    pub request_id: &'a str,
    /// The pasted text, which must not be lost; empty when there was none or it is not known.
    pub text: &'a str,
}

/// A guideline that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Uploaded<'a> {
    /// The id of the new article.
    pub article_id: &'a str,
    /// What the answer in JSON says, too.
    pub message: &'a str,
}

impl UploadPage<'_> {
    /// The form, to be filled in.
    pub fn form(&self) -> Page {
        self.page("Upload an article guideline", None, None)
    }

    /// The form again, with the reason. The caller sets the problem's status.
    pub fn refused(&self, refusal: &Refusal<'_>) -> Page {
        self.page("Not uploaded", Some(refusal), None)
    }

    /// The id, and what to do with it. The caller sets the status 201.
    pub fn uploaded(&self, uploaded: &Uploaded<'_>) -> Page {
        self.page("Guideline uploaded", None, Some(uploaded))
    }

    fn page(
        &self,
        title: &str,
        refusal: Option<&Refusal<'_>>,
        uploaded: Option<&Uploaded<'_>>,
    ) -> Page {
        let reason = refusal.map_or(
            Refusal {
                detail: "",
                request_id: "",
                text: "",
            },
            |it| *it,
        );
        let result = uploaded.map_or(
            Uploaded {
                article_id: "",
                message: "",
            },
            |it| *it,
        );
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", self.action)
            .finish();
        let body = Html::fill(
            TEMPLATE,
            &[
                ("csrf", Html::csrf_field(self.csrf_token)),
                ("action", Html::text(self.action)),
                ("sign_in", Html::text(format!("/sign_in?{back}"))),
                ("max_size", Html::text(self.max_size)),
                (
                    "max_size_words",
                    Html::text(bytes_in_words(self.max_size).replace(' ', "\u{a0}")),
                ),
                ("server", Html::text(self.server_url.trim_end_matches('/'))),
                ("compose_hidden", Html::hidden_unless(uploaded.is_none())),
                ("failure_hidden", Html::hidden_unless(refusal.is_some())),
                ("failure", Html::text(reason.detail)),
                (
                    "request_hidden",
                    Html::hidden_unless(!reason.request_id.is_empty()),
                ),
                ("request_id", Html::text(reason.request_id)),
                ("paste_open", Html::open_if(!reason.text.is_empty())),
                ("text", Html::text(reason.text)),
                ("done_hidden", Html::hidden_unless(uploaded.is_some())),
                ("article_id", Html::text(result.article_id)),
                ("message", Html::text(result.message)),
            ],
        );
        Page::new(title)
            .signed_in(self.user, self.csrf_token)
            .takes_files()
            .style(STYLE)
            .script(SCRIPT)
            .body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: UploadPage<'static> = UploadPage {
        user: "alice",
        csrf_token: "a-token",
        max_size: 1 << 20,
        action: "/upload_article_guideline",
        server_url: "https://nova.example.org/",
    };

    fn text(page: Page) -> String {
        String::from_utf8(page.render().into_body().to_vec()).unwrap()
    }

    #[test]
    fn each_state_shows_itself_and_hides_the_others() {
        let hidden = |page: &str, id: &str| {
            let (_, from) = page.split_once(&format!(" id=\"{id}\"")).unwrap();
            from.split_once('>').unwrap().0.ends_with(" hidden")
        };
        let states = |page: &str| ["compose", "failure", "done"].map(|id| !hidden(page, id));

        let form = text(PAGE.form());
        assert_eq!(states(&form), [true, false, false]);
        assert!(form.contains("up to 1\u{a0}MiB"), "{form}");

        let refusal = Refusal {
            detail: "It is empty.",
            request_id: "r-1",
            text: "\n# Mine <3",
        };
        let refused = text(PAGE.refused(&refusal));
        assert_eq!(states(&refused), [true, true, false]);
        assert!(
            refused.contains("It is empty.") && refused.contains("r-1"),
            "{refused}"
        );
        assert!(
            refused.contains(">\n\n# Mine &lt;3</textarea>"),
            "{refused}"
        );

        let uploaded = Uploaded {
            article_id: "0190-7",
            message: "Uploaded.",
        };
        let uploaded = text(PAGE.uploaded(&uploaded));
        assert_eq!(states(&uploaded), [false, false, true]);
        assert!(uploaded.contains("https://nova.example.org/tools/extract_guidelines_urls"));
        assert!(uploaded.contains("/download_research?article_guideline_id=0190-7\""));
    }

    #[test]
    fn whoever_signs_in_again_comes_back_to_what_the_page_was_opened_for() {
        let action = "/upload_article_guideline?grant=0190-7&x=<";
        let page = text(UploadPage { action, ..PAGE }.form());
        let link =
            "href=\"/sign_in?return_to=%2Fupload_article_guideline%3Fgrant%3D0190-7%26x%3D%3C\"";
        assert!(page.contains(link), "{page}");
    }

    #[test]
    fn every_form_carries_the_csrf_token() {
        let page = text(PAGE.form());
        let forms = page.matches("method=\"post\"").count();
        assert_eq!(forms, 2, "upload and sign-out");
        assert_eq!(
            page.matches("name=\"csrf_token\" value=\"a-token\"")
                .count(),
            forms
        );
    }

    #[test]
    fn nothing_that_a_visitor_or_an_error_says_becomes_markup() {
        let evil = "'\"></textarea><script>alert(1)</script>";
        let page = UploadPage {
            user: evil,
            csrf_token: evil,
            action: evil,
            server_url: evil,
            ..PAGE
        };
        let refused = text(page.refused(&Refusal {
            detail: evil,
            request_id: evil,
            text: evil,
        }));
        let uploaded = text(page.uploaded(&Uploaded {
            article_id: evil,
            message: evil,
        }));
        for page in [refused, uploaded] {
            assert_eq!(page.matches("<script>").count(), 2, "only ours: {page}");
            assert_eq!(page.matches("</textarea>").count(), 1, "{page}");
        }
    }

    #[test]
    fn the_page_is_small() {
        let size = PAGE.form().render().body().len();
        assert!(size <= 20 * 1024, "{size} bytes, with style and script");
    }
}
