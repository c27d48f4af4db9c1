//! The page on which a person hands in local files.
//!
//! It shows what the guideline names and what is there, in one list, above it the form, and, where
//! no script runs, what became of the files that were just sent, or the question whether one is to
//! be deleted. With a script, `page.js` sends file by file, shows how far each is, and then takes
//! the list out of this very page again: names are written as markup here and nowhere else.

use nova_research::local_file::{MAX_FILE_BYTES, MAX_FILES, endings};
use nova_runtime::page::{Html, Page};
use nova_runtime::{bytes_in_words, rfc3339};
use url::form_urlencoded;
use uuid::Uuid;

use crate::files::{Files, UploadedFile};
use crate::incoming::{MAX_REQUEST_BYTES, Outcome};

const TEMPLATE: &str = include_str!("../assets/page.html");
const FILE: &str = include_str!("../assets/file.html");
const MISSING: &str = include_str!("../assets/missing.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");

/// Where an article's page is, on this site.
pub fn address(article: Uuid) -> String {
    format!("/upload_local_files?article_guideline_id={article}")
}

/// What the page needs to know.
#[derive(Clone, Copy, Debug)]
pub struct FilesPage<'a> {
    /// Who is signed in, as shown to themselves.
    pub user: &'a str,
    /// The session's CSRF token.
    pub csrf_token: &'a str,
    /// Whose files these are.
    pub article: Uuid,
    /// The files.
    pub files: &'a Files,
}

impl FilesPage<'_> {
    /// The list and the form. `asked` is the file that is deleted if the visitor says so.
    pub fn list(&self, asked: Option<&str>) -> Page {
        let title = asked.map_or("Upload local files", |_| "Delete a file?");
        self.page(title, asked, &[], None)
    }

    /// The same with what became of the files that were sent, and, if that is not the same, why
    /// the rest was not read: a reason and the id to quote. The caller sets the status.
    pub(crate) fn results(&self, outcomes: &[Outcome], broken_off: Option<(&str, &str)>) -> Page {
        let all_taken = broken_off.is_none() && outcomes.iter().all(|it| it.kept.is_ok());
        let title = if all_taken {
            "Files uploaded"
        } else {
            "Not all files were uploaded"
        };
        self.page(title, None, outcomes, broken_off)
    }

    fn page(
        &self,
        title: &str,
        asked: Option<&str>,
        outcomes: &[Outcome],
        broken_off: Option<(&str, &str)>,
    ) -> Page {
        let address = address(self.article);
        let sign_in: String = form_urlencoded::Serializer::new(String::from("/sign_in?"))
            .append_pair("return_to", &address)
            .finish();
        let refused = outcomes.iter().filter_map(|it| {
            let problem = it.kept.as_ref().err()?;
            Some(line("{{name}}: {{what}}", &it.filename, problem.detail()))
        });
        let taken = outcomes.iter().filter_map(|it| {
            let kept = it.kept.as_ref().ok()?;
            let what = if kept.replaced {
                "replaced"
            } else {
                "uploaded"
            };
            let what = format!("{what}.{}", kept.note());
            Some(line("{{name}} was {{what}}", &it.filename, &what))
        });
        let (refused, taken): (Vec<_>, Vec<_>) = (refused.collect(), taken.collect());
        // Where every file has its reason the reason of all together says nothing more.
        let broken_off = broken_off.filter(|_| refused.is_empty());
        let (reason, request_id) = broken_off.unwrap_or_default();
        let failed = broken_off.is_some() || !refused.is_empty();
        let body = Html::fill(
            TEMPLATE,
            &[
                ("csrf", Html::csrf_field(self.csrf_token)),
                ("address", Html::text(&address)),
                ("sign_in", Html::text(sign_in)),
                ("article", Html::text(&self.files.title)),
                ("ask_hidden", Html::hidden_unless(asked.is_some())),
                ("asked", Html::text(asked.unwrap_or_default())),
                ("failure_hidden", Html::hidden_unless(failed)),
                ("failure", Html::text(reason)),
                ("reason_hidden", Html::hidden_unless(broken_off.is_some())),
                ("request_id", Html::text(request_id)),
                ("refused", Html::concat(refused)),
                ("done_hidden", Html::hidden_unless(!taken.is_empty())),
                ("taken", Html::concat(taken)),
                ("max_size", Html::text(MAX_FILE_BYTES)),
                ("max_size_words", Html::text(words(MAX_FILE_BYTES as u64))),
                ("max_request_words", Html::text(words(MAX_REQUEST_BYTES))),
                ("max_files", Html::text(MAX_FILES)),
                ("accept", Html::text(accepted())),
                ("summary", Html::text(self.summary())),
                ("files", self.rows()),
            ],
        );
        Page::new(title)
            .signed_in(self.user, self.csrf_token)
            .takes_files()
            .style(STYLE)
            .script(SCRIPT)
            .body(body)
    }

    /// Every file once: as the guideline names them, then the others.
    fn rows(&self) -> Html {
        let expected = self.files.compared();
        let uploaded = &self.files.uploaded;
        let named = expected.iter().map(|it| match &it.uploaded_as {
            None => Html::fill(MISSING, &[("name", Html::text(&it.path))]),
            Some(name) => {
                let note = if *name == it.path {
                    String::new()
                } else {
                    format!("for {} · ", it.path)
                };
                let file = uploaded.iter().find(|file| file.name == *name);
                file.map_or_else(Html::default, |file| self.row(file, &note))
            }
        });
        let is_named = |file: &UploadedFile| {
            expected
                .iter()
                .any(|it| it.uploaded_as.as_ref() == Some(&file.name))
        };
        let others = uploaded.iter().filter(|file| !is_named(file));
        Html::concat(named.chain(others.map(|file| self.row(file, ""))))
    }

    fn row(&self, file: &UploadedFile, note: &str) -> Html {
        let question: String = form_urlencoded::Serializer::new(address(self.article) + "&")
            .append_pair("delete", &file.name)
            .finish();
        Html::fill(
            FILE,
            &[
                ("name", Html::text(&file.name)),
                ("note", Html::text(note)),
                ("size", Html::text(size(file.size))),
                ("time", Html::text(rfc3339(file.updated_at))),
                ("day", Html::text(moment(file.updated_at))),
                ("question", Html::text(question)),
            ],
        )
    }

    fn summary(&self) -> String {
        let expected = self.files.compared();
        let here = expected
            .iter()
            .filter(|it| it.uploaded_as.is_some())
            .count();
        match (expected.len(), self.files.uploaded.len()) {
            (0, 0) => "The guideline names no files; you can upload some all the same.".to_owned(),
            (0, 1) => "The guideline names no files; one is here.".to_owned(),
            (0, count) => format!("The guideline names no files; {count} are here."),
            (1, _) if here == 1 => "The file that the guideline names is here.".to_owned(),
            (1, _) => "The file that the guideline names is missing.".to_owned(),
            (count, _) if here == count => {
                format!("All {count} files that the guideline names are here.")
            }
            (count, _) => format!("{here} of {count} files that the guideline names are here."),
        }
    }
}

/// A line of a list, with a name that may be written from right to left.
fn line(template: &'static str, name: &str, what: &str) -> Html {
    let values = [
        (
            "name",
            Html::fill("<bdi>{{it}}</bdi>", &[("it", Html::text(name))]),
        ),
        ("what", Html::text(what)),
    ];
    Html::fill(
        "<li>{{line}}</li>",
        &[("line", Html::fill(template, &values))],
    )
}

/// A limit in words that no line breaks.
fn words(bytes: u64) -> String {
    bytes_in_words(bytes).replace(' ', "\u{a0}")
}

/// How large a file is, to three figures or so.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = (bytes * 10).div_ceil(unit);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1000 => format!("{bytes}\u{a0}bytes"),
        1000..1_000_000 => format!("{}\u{a0}KiB", tenths(1 << 10)),
        _ => format!("{}\u{a0}MiB", tenths(1 << 20)),
    }
}

/// When, to the minute.
fn moment(time: time::OffsetDateTime) -> String {
    let (date, time) = (time.date(), time.time());
    format!("{date}, {:02}:{:02} UTC", time.hour(), time.minute())
}

/// What a browser offers to choose from.
fn accepted() -> String {
    let endings: Vec<String> = endings().map(|ending| format!(".{ending}")).collect();
    endings.join(",")
}

#[cfg(test)]
mod tests;
