//! Every route as nobody, as the wrong person, with the wrong scope, with a wrong method, with garbage.
//!
//! The table must name every route of the manifest: a new one without a line here fails the test.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use nova_local::manifest::Manifest;

use crate::system::System;

/// One route with a call that would be in order.
struct Case {
    method: Method,
    /// As in the manifest.
    route: &'static str,
    /// An example of it. `{article}` is an article of alice's.
    path: &'static str,
    /// The scope that it needs; none for public routes.
    scope: Option<&'static str>,
    /// Whether the article in it is checked against its owner.
    owned: bool,
    body: &'static str,
}

const READ: Option<&str> = Some("research:read");
const RUN: Option<&str> = Some("research:run");
const ADMIN: Option<&str> = Some("admin");
const TOOL: &str = "{\"article_guideline_id\": \"{article}\"}";

const FILE: &str = "{\"article_guideline_id\": \"{article}\", \"filename\": \"a.md\"}";
const QUESTIONS: &str = "{\"article_guideline_id\": \"{article}\", \"queries\": [\"Why?\"]}";
const SOURCES: &str = "{\"article_guideline_id\": \"{article}\", \"query\": \"Why?\",
    \"sources\": [{\"url\": \"https://example.com\", \"answer\": \"Because.\"}]}";

fn cases() -> Vec<Case> {
    let case = |method, route, path, scope, owned, body| Case {
        method,
        route,
        path,
        scope,
        owned,
        body,
    };
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let job = "/jobs/{id}";
    let upload = "/upload_article_guideline";
    let request = "/request_upload";
    let files = "/upload_local_files";
    let file = "/upload_local_files?article_guideline_id={article}&filename=a.md";
    let status = "/upload_local_files/status";
    let expected = "/upload_local_files/status?article_guideline_id={article}";
    let extract = "/tools/extract_guidelines_urls";
    let scrape = "/tools/scrape_and_clean_other_urls";
    let scrape_research = "/tools/scrape_research_urls";
    let create = "/tools/create_research_file";
    let github = "/tools/process_github_urls";
    let videos = "/tools/transcribe_youtube_urls";
    let queries = "/tools/generate_next_queries";
    let ask = "/tools/run_perplexity_research";
    let add = "/tools/add_sources";
    let keep = "/tools/select_research_sources_to_keep";
    let choose = "/tools/select_research_sources_to_scrape";
    let download = "/download_research?article_guideline_id={article}";
    vec![
        case(get.clone(), upload, upload, RUN, false, ""),
        case(post.clone(), upload, upload, RUN, false, "# Title"),
        case(post.clone(), request, request, RUN, true, FILE),
        case(get.clone(), files, file, RUN, true, ""),
        case(post.clone(), files, file, RUN, true, "# Title"),
        case(delete.clone(), files, file, RUN, true, ""),
        case(get.clone(), status, expected, READ, true, ""),
        case(post.clone(), extract, extract, RUN, true, TOOL),
        case(post.clone(), github, github, RUN, true, TOOL),
        case(post.clone(), videos, videos, RUN, true, TOOL),
        case(post.clone(), scrape, scrape, RUN, true, TOOL),
        case(
            post.clone(),
            scrape_research,
            scrape_research,
            RUN,
            true,
            TOOL,
        ),
        case(post.clone(), create, create, RUN, true, TOOL),
        case(post.clone(), queries, queries, RUN, true, TOOL),
        case(post.clone(), ask, ask, RUN, true, QUESTIONS),
        case(post.clone(), add, add, RUN, true, SOURCES),
        case(post.clone(), keep, keep, RUN, true, TOOL),
        case(post.clone(), choose, choose, RUN, true, TOOL),
        case(get.clone(), "/download_research", download, READ, true, ""),
        case(get.clone(), "/articles", "/articles", READ, false, ""),
        case(
            get.clone(),
            "/articles/{id}",
            "/articles/{article}",
            READ,
            true,
            "",
        ),
        case(
            delete.clone(),
            "/articles/{id}",
            "/articles/{article}",
            RUN,
            true,
            "",
        ),
        case(get.clone(), job, "/jobs/{article}", READ, false, ""),
        case(delete, job, "/jobs/{article}", RUN, false, ""),
        case(get.clone(), "/usage", "/usage", READ, false, ""),
        case(post.clone(), "/mcp", "/mcp", READ, false, ""),
        case(
            get.clone(),
            "/analytics/{report}",
            "/analytics/completion",
            ADMIN,
            false,
            "",
        ),
        case(get.clone(), "/health", "/health", None, false, ""),
        case(get.clone(), "/health/db", "/health/db", None, false, ""),
        case(
            get.clone(),
            "/sign_in",
            "/sign_in?return_to=/usage",
            None,
            false,
            "",
        ),
        case(
            get.clone(),
            "/sign_in/callback",
            "/sign_in/callback",
            None,
            false,
            "",
        ),
        case(post, "/sign_out", "/sign_out", None, false, ""),
        case(
            get.clone(),
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource",
            None,
            false,
            "",
        ),
        case(
            get,
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource/mcp",
            None,
            false,
            "",
        ),
    ]
}

struct Caller<'a> {
    system: &'a System,
    article: String,
}

impl Caller<'_> {
    async fn call(
        &self,
        case: &Case,
        method: &Method,
        token: Option<&str>,
    ) -> crate::system::Answer {
        let path = case.path.replace("{article}", &self.article);
        let body = case.body.replace("{article}", &self.article);
        let kind = if case.body.starts_with('{') {
            "application/json"
        } else {
            "text/markdown"
        };
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", kind)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.system
            .send(method.clone(), &path, &headers, body)
            .await
    }
}

#[test]
fn the_table_names_every_route_of_the_manifest_and_no_other() {
    let manifest = Manifest::of_this_build().unwrap();
    let deployed: BTreeSet<String> = manifest
        .services
        .into_values()
        .flat_map(|entry| entry.routes)
        .collect();
    let tried: BTreeSet<String> = cases().iter().map(|case| case.route.to_owned()).collect();
    assert_eq!(tried, deployed);
}

#[tokio::test]
async fn nobody_and_bearers_of_bad_tokens_get_401_with_the_way_to_sign_in() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await.to_string();
    let caller = Caller {
        system: &system,
        article,
    };
    let good = system.token("alice");
    let (head, _signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.AAAA");
    for case in cases().iter().filter(|case| case.scope.is_some()) {
        for token in [None, Some(""), Some("garbage"), Some(forged.as_str())] {
            let answer = caller.call(case, &case.method, token).await;
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{} {token:?}",
                case.path
            );
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.contains("/.well-known/oauth-protected-resource"),
                "{challenge}"
            );
            assert!(challenge.contains(case.scope.unwrap()), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_token_without_the_scope_gets_403_that_names_it() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await.to_string();
    let caller = Caller {
        system: &system,
        article,
    };
    for case in cases() {
        let Some(scope) = case.scope else { continue };
        let others = ["openid", "research:read", "admin"];
        for scopes in others.into_iter().filter(|other| *other != scope) {
            let token = system.local.token("alice", scopes);
            let answer = caller.call(&case, &case.method, Some(&token)).await;
            answer.is_problem(StatusCode::FORBIDDEN, scope);
            assert!(
                answer
                    .header("www-authenticate")
                    .contains("insufficient_scope")
            );
        }
    }
}

#[tokio::test]
async fn another_user_gets_404_for_what_is_somebody_elses() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await.to_string();
    let caller = Caller {
        system: &system,
        article,
    };
    let token = system.token("bob");
    for case in cases().iter().filter(|case| case.owned) {
        let answer = caller.call(case, &case.method, Some(&token)).await;
        answer.is_problem(StatusCode::NOT_FOUND, "There is no article with this id.");
    }
}

#[tokio::test]
async fn wrong_methods_get_405_and_garbage_never_a_5xx() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await.to_string();
    let caller = Caller {
        system: &system,
        article,
    };
    let token = system.local.token("alice", "research:run admin");
    for case in cases() {
        let answer = caller.call(&case, &Method::PUT, Some(&token)).await;
        answer.is_problem(StatusCode::METHOD_NOT_ALLOWED, case.method.as_str());
        assert!(answer.header("allow").contains(case.method.as_str()));
        let hostile = case.path.replace("{article}", "%00%ff'%22%3C..%2f");
        for garbage in ["\0", "{", "\u{fffd}\u{202e}", "--", "[[[[[[[[[[[[[[[["] {
            let bearer = format!("Bearer {token}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
            ];
            for path in [&hostile, &case.path.replace("{article}", &caller.article)] {
                let answer = system
                    .send(case.method.clone(), path, &headers, garbage)
                    .await;
                assert!(
                    !answer.status.is_server_error(),
                    "{} {path}: {answer:?}",
                    case.method
                );
            }
        }
    }
    system
        .send(Method::GET, "/nowhere", &[], "")
        .await
        .is_problem(StatusCode::NOT_FOUND, "nothing at this address");
}

#[tokio::test]
async fn a_browser_without_a_session_is_sent_to_sign_in_and_back() {
    let system = System::start().await;
    let headers = [("accept", "text/html,*/*")];
    let path = "/upload_article_guideline";
    let answer = system.send(Method::GET, path, &headers, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.header("location"),
        "/sign_in?return_to=%2Fupload_article_guideline"
    );
}
