//! Gives grants for single uploads: an agent that has a shell, but no way to give it a token, gets
//! what curl needs to send one file.
//!
//! A grant is bound to the user, the article, the name and type of the file, its largest size, ten
//! minutes and one use. Its token stands in this answer and nowhere else.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use nova_research::{
    guideline::MAX_GUIDELINE_BYTES,
    local_file::{FileError, FileName, Kind, MAX_FILE_BYTES},
};
use nova_runtime::{
    Access, App, Call, ConfigError, Function, GRANT_HEADER, GrantToken, Problem, Response, Routes,
    Scope, json, parse_id, rfc3339,
};
use nova_store::NewUploadGrant;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function::service(
    "request_upload",
    "Grants a shell a single upload in a user's name.",
    set_up,
)
.with_database();

const MAX_BODY_BYTES: u64 = 16 * 1024;

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    let access = Access::Token(&[Scope::ResearchRun]);
    Ok(Routes::new().post("/request_upload", access, grant))
}

/// What is to be uploaded: a guideline, or, with an article and a name, one of its files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    article_guideline_id: Option<String>,
    filename: Option<String>,
    size_bytes: Option<u64>,
}

/// How the upload is sent.
#[derive(Serialize)]
struct Granted {
    /// The article: the one that the file is for, or the one that the guideline will begin.
    article_guideline_id: Uuid,
    upload_url: String,
    method: &'static str,
    headers: Headers,
    max_bytes: u64,
    expires_at: String,
    curl: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    x_nova_upload_grant: String,
    content_type: &'static str,
}

/// One thing that may be uploaded.
struct Upload {
    article: Option<Uuid>,
    /// What it is called where it comes from, as far as that is known.
    filename: String,
    target: String,
    content_type: &'static str,
    limit_bytes: u64,
}

async fn grant(mut call: Call) -> Result<Response, Problem> {
    let arguments: Arguments = call.arguments(MAX_BODY_BYTES).await?;
    let upload = Upload::of(&arguments)?;
    let max_bytes = match arguments.size_bytes {
        Some(0) => {
            return Err(Problem::bad_field(
                "size_bytes",
                "nothing would be uploaded",
            ));
        }
        Some(size) if size > upload.limit_bytes => {
            return Err(Problem::too_large(upload.limit_bytes));
        }
        size => size.unwrap_or(upload.limit_bytes),
    };
    let token = GrantToken::random()?;
    let grant = NewUploadGrant {
        id: Uuid::now_v7(),
        token_hash: token.hash(),
        article: upload.article,
        target: upload.target.clone(),
        content_type: upload.content_type.to_owned(),
        max_bytes,
    };
    let mut tenant = call.tenant().await?;
    if let Some(article) = upload.article {
        tenant.article(article).await?;
    }
    let expires_at = tenant.create_upload_grant(&grant).await?;
    tenant.commit().await?;

    let server = call.app().config().server_url.as_str();
    let upload_url = format!("{}{}", server.trim_end_matches('/'), upload.target);
    let granted = Granted {
        article_guideline_id: upload.article.unwrap_or(grant.id),
        method: "POST",
        headers: Headers {
            x_nova_upload_grant: token.expose().to_owned(),
            content_type: upload.content_type,
        },
        max_bytes,
        expires_at: rfc3339(expires_at),
        curl: curl(&upload, &token, &upload_url),
        message: "Run the line in `curl` where the file is. It works once, and for ten minutes."
            .to_owned(),
        upload_url,
    };
    let mut response = json(StatusCode::CREATED, &granted);
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

impl Upload {
    fn of(arguments: &Arguments) -> Result<Self, Problem> {
        match (&arguments.article_guideline_id, &arguments.filename) {
            (None, None) => Ok(Self {
                article: None,
                filename: "guideline.md".to_owned(),
                target: "/upload_article_guideline".to_owned(),
                content_type: "text/markdown",
                limit_bytes: MAX_GUIDELINE_BYTES as u64,
            }),
            (Some(article), Some(name)) => {
                Self::of_file(parse_id("article_guideline_id", article)?, name)
            }
            (Some(_), None) => Err(Problem::bad_field(
                "filename",
                "missing; call the file as the guideline does",
            )),
            (None, Some(_)) => Err(Problem::bad_field(
                "article_guideline_id",
                "missing; a file belongs to an article. A guideline needs no name",
            )),
        }
    }

    fn of_file(article: Uuid, name: &str) -> Result<Self, Problem> {
        let name = FileName::parse(name).map_err(|error| Problem::bad_field("filename", error))?;
        let content_type = match name.kind() {
            Some(Kind::Markdown) => "text/markdown",
            Some(Kind::Notebook) => "application/x-ipynb+json",
            Some(Kind::Code(_) | Kind::Subtitles) => "text/plain",
            None => {
                return Err(Problem::unsupported_media_type(format!(
                    "{}.",
                    FileError::UnknownKind
                )));
            }
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("article_guideline_id", &article.to_string())
            .append_pair("filename", name.as_str())
            .finish();
        Ok(Self {
            article: Some(article),
            filename: name.as_str().to_owned(),
            target: format!("/upload_local_files?{query}"),
            content_type,
            limit_bytes: MAX_FILE_BYTES as u64,
        })
    }
}

/// The upload as a line for a shell. `-f` makes a refusal a failure, and its reason is shown.
fn curl(upload: &Upload, token: &GrantToken, url: &str) -> String {
    let quoted = |text: String| format!("'{}'", text.replace('\'', r"'\''"));
    format!(
        "curl --fail-with-body -H {} -H {} --data-binary {} {}",
        quoted(format!("{GRANT_HEADER}: {}", token.expose())),
        quoted(format!("content-type: {}", upload.content_type)),
        quoted(format!("@{}", upload.filename)),
        quoted(url.to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(article: Option<&str>, filename: Option<&str>) -> Result<Upload, Problem> {
        Upload::of(&Arguments {
            article_guideline_id: article.map(str::to_owned),
            filename: filename.map(str::to_owned),
            size_bytes: None,
        })
    }

    #[test]
    fn a_shell_reads_the_line_as_it_is_meant_whatever_the_file_is_called() {
        let id = Uuid::nil().to_string();
        let upload = upload(Some(&id), Some("it's $HOME `x`.py")).unwrap();
        let token = GrantToken::random().unwrap();
        let line = curl(
            &upload,
            &token,
            &format!("http://nova.example{}", upload.target),
        );
        let words = std::process::Command::new("sh")
            .arg("-c")
            .arg(line.replacen("curl", "printf '%s\\n'", 1))
            .output()
            .unwrap();
        let words = String::from_utf8(words.stdout).unwrap();
        let words: Vec<&str> = words.lines().collect();
        let grant = format!("x-nova-upload-grant: {}", token.expose());
        assert_eq!(
            words,
            [
                "--fail-with-body",
                "-H",
                &grant,
                "-H",
                "content-type: text/plain",
                "--data-binary",
                "@it's $HOME `x`.py",
                "http://nova.example/upload_local_files?article_guideline_id=\
                 00000000-0000-0000-0000-000000000000&filename=it%27s+%24HOME+%60x%60.py",
            ]
        );
        assert!(!words[7].contains(token.expose()), "never in an address");
    }

    #[test]
    fn what_is_no_upload_is_refused_with_the_field() {
        let id = Uuid::nil().to_string();
        for (article, filename, words) in [
            (Some(&*id), None, "filename: missing"),
            (None, Some("a.md"), "article_guideline_id: missing"),
            (Some("7"), Some("a.md"), "article_guideline_id: not a UUID"),
            (Some(&*id), Some("../a.md"), "filename: "),
            (Some(&*id), Some("a.exe"), "this type of file is not taken"),
        ] {
            let problem = upload(article, filename).err().unwrap();
            assert!(problem.detail().contains(words), "{problem:?}");
        }
    }
}
