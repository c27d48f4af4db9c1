//! Agents: the protocol in both its eras at one address, over the same rows as the HTTP interface.

use std::time::Duration;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nova_testkit::{
    Gate,
    providers::{
        Effect, Fault,
        firecrawl::{self, Firecrawl},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{Answer, System};

pub(crate) const LEGACY: &str = "2025-06-18";
pub(crate) const MODERN: &str = "2026-07-28";

/// An agent of somebody's.
pub(crate) struct Agent<'a> {
    system: &'a System,
    token: String,
    version: &'static str,
    /// What it says that it can do; old clients say so once, which nobody remembers.
    capabilities: Value,
}

impl<'a> Agent<'a> {
    pub(crate) fn new(system: &'a System, user: &str, version: &'static str) -> Self {
        let token = system.token(user);
        Self {
            system,
            token,
            version,
            capabilities: json!({}),
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        params: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut params = params;
        let bearer = format!("Bearer {}", self.token);
        let name = params["name"].as_str().or(params["uri"].as_str());
        let name = name.or(params["taskId"].as_str());
        let name = name.unwrap_or_default().to_owned();
        let mut all = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", self.version),
        ];
        if self.version == MODERN {
            all.push(("mcp-method", method));
            if !name.is_empty() {
                all.push(("mcp-name", &name));
            }
            // Who asks for tasks can follow them; who calls a tool here waits for it.
            let capabilities = if method.starts_with("tasks/") {
                json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})
            } else {
                self.capabilities.clone()
            };
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
            meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        }
        all.extend_from_slice(headers);
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.system
            .send(Method::POST, "/mcp", &all, message.to_string())
            .await
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.send(method, params, &[]).await;
        let message = answer.json();
        assert!(message.get("result").is_some(), "{method}: {message}");
        message["result"].clone()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        self.ask("tools/call", params).await
    }

    /// As who can do this, too.
    pub(crate) fn who_can(self, capabilities: Value) -> Self {
        Self {
            capabilities,
            ..self
        }
    }

    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token, ..self }
    }

    pub(crate) async fn refusal(&self, method: &str, params: Value) -> Value {
        let message = self.send(method, params, &[]).await.json();
        assert!(message.get("error").is_some(), "{method}: {message}");
        message["error"].clone()
    }
}

/// Everything an agent does with what there is, by old and by new rules.
#[tokio::test]
async fn an_agent_goes_from_a_guideline_to_the_document_in_both_eras() {
    let system = System::start().await;
    for version in [LEGACY, "2025-11-25", "2025-03-26", MODERN] {
        let alice = Agent::new(&system, "alice", version);
        if version == MODERN {
            let found = alice.ask("server/discover", json!({})).await;
            assert!(found["capabilities"]["tools"].is_object(), "{found}");
        } else {
            let hello = json!({
                "protocolVersion": version, "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            });
            let answer = alice.send("initialize", hello, &[]).await;
            assert!(
                answer.headers.get("mcp-session-id").is_none(),
                "no sessions"
            );
            assert_eq!(answer.json()["result"]["protocolVersion"], version);
            assert_eq!(answer.json()["result"]["serverInfo"]["name"], "nova");
        }
        let tools = alice.ask("tools/list", json!({})).await;
        assert!(tools["tools"].as_array().unwrap().len() >= 17, "{tools}");

        let content = "# Memory\n\nSee https://arxiv.org/abs/2404.13501 and `memory.ipynb`.\n";
        let uploaded = alice
            .call("upload_article_guideline", json!({"content": content}))
            .await;
        let id = uploaded["structuredContent"]["article_guideline_id"].clone();
        let article = json!({"article_guideline_id": id});
        let found = alice.call("extract_guidelines_urls", article.clone()).await;
        assert_eq!(found["isError"], false, "{found}");
        assert_eq!(found["structuredContent"]["web_sources_count"], 1);
        let compiled = alice.call("create_research_file", article.clone()).await;
        let link = compiled["content"].as_array().unwrap().last().unwrap();
        assert_eq!(link["type"], "resource_link", "{compiled}");
        let document = alice
            .ask("resources/read", json!({"uri": link["uri"]}))
            .await;
        let text = document["contents"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("# Research"), "{text}");

        let guideline = format!("article://{}/guideline.md", id.as_str().unwrap());
        let read = alice.ask("resources/read", json!({"uri": guideline})).await;
        assert_eq!(read["contents"][0]["text"], content);
        let shown = alice.call("get_article", article.clone()).await;
        assert_eq!(shown["structuredContent"]["title"], "Memory");
        let usage = alice.call("get_usage", json!({})).await;
        assert!(
            usage["structuredContent"]["used"].as_u64() >= Some(2),
            "{usage}"
        );
        let gone = alice.call("delete_article", article.clone()).await;
        assert_eq!(gone["structuredContent"]["status"], "deleted");
        let shown = alice.call("get_article", article).await;
        assert_eq!(shown["isError"], true, "{shown}");
    }
}

/// What a shell needs for an upload is told to its agent; the upload itself knows no protocol.
#[tokio::test]
async fn an_agent_has_its_shell_upload_in_both_eras() {
    let system = System::start().await;
    for version in [LEGACY, MODERN] {
        let alice = Agent::new(&system, "alice", version);
        let granted = alice.call("request_upload", json!({})).await;
        assert_eq!(granted["isError"], false, "{granted}");
        let granted = &granted["structuredContent"];
        let url = granted["upload_url"].as_str().unwrap();
        let headers = granted["headers"].as_object().unwrap().iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let path = url.strip_prefix(&system.local.url).unwrap();
        let taken = system.send(Method::POST, path, &headers, "# Hers").await;
        assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
        let article = json!({"article_guideline_id": granted["article_guideline_id"]});
        let shown = alice.call("get_article", article).await;
        assert_eq!(shown["structuredContent"]["title"], "Hers", "{shown}");
        let mistaken = alice
            .call("request_upload", json!({"filename": "a.md"}))
            .await;
        let text = mistaken["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("article_guideline_id: missing"), "{text}");
    }
}

/// The address is made for one user, whoever opens it; so is what the client brings back.
#[tokio::test]
async fn a_client_that_opens_addresses_has_its_user_upload_the_guideline() {
    let system = System::start().await;
    let can = json!({"elicitation": {"form": {}, "url": {}}});
    let opens = |user| Agent::new(&system, user, MODERN).who_can(can.clone());
    let (alice, bob) = (opens("alice"), opens("bob"));
    let params = json!({"name": "upload_article_guideline", "arguments": {}});
    let asked = alice.ask("tools/call", params.clone()).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["upload"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    assert_eq!(question["params"]["mode"], "url", "{asked}");
    let url = question["params"]["url"].as_str().unwrap();
    let path = url.strip_prefix(&system.local.url).unwrap();
    let markdown = [("content-type", "text/markdown")];
    let send = async |user| {
        let post = system.send_as(user, Method::POST, path, &markdown, "# Hers");
        post.await
    };
    for answer in [system.get("bob", path).await, send("bob").await] {
        answer.is_problem(StatusCode::NOT_FOUND, "made for somebody else");
    }
    let page = system.get("alice", path).await.text();
    assert!(page.contains(&format!("action=\"{path}\"")), "{page}");
    let id = path.split_once("?grant=").unwrap().1;
    let again = format!("return_to=%2Fupload_article_guideline%3Fgrant%3D{id}\"");
    assert!(page.contains(&again), "{page}");

    let back = |action, state: &Value| {
        let mut params = params.clone();
        params["requestState"] = state.clone();
        params["inputResponses"] = json!({"upload": {"action": action}});
        params
    };
    let state = &asked["requestState"];
    let declined = alice.ask("tools/call", back("decline", state)).await;
    assert_eq!(declined["isError"], true, "{declined}");
    for (agent, state) in [
        (&bob, state),
        (&alice, &json!(Uuid::now_v7())),
        (&alice, &json!("x")),
    ] {
        let refused = agent.refusal("tools/call", back("accept", state)).await;
        assert_eq!(refused["code"], -32602, "{refused}");
    }
    let uploads = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        send("alice").await
    };
    let (done, taken) = tokio::join!(alice.ask("tools/call", back("accept", state)), uploads);
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
    let done = &done["structuredContent"];
    assert_eq!(done["title"], "Hers", "{done}");
    assert_eq!(done["article_guideline_id"], taken.json()["article_id"]);
    let again = send("alice").await;
    again.is_problem(StatusCode::CONFLICT, "was uploaded here before");
}

#[tokio::test]
async fn a_client_that_opens_nothing_is_told_where_its_user_uploads_and_which_article_it_will_be() {
    let system = System::start().await;
    for version in [LEGACY, MODERN] {
        let alice = Agent::new(&system, "alice", version);
        let told = alice.call("upload_article_guideline", json!({})).await;
        let told = &told["structuredContent"];
        assert_eq!(told["status"], "waiting", "{told}");
        let url = told["upload_url"].as_str().unwrap();
        let path = url.strip_prefix(&system.local.url).unwrap();
        let markdown = [("content-type", "text/markdown")];
        let taken = system
            .send_as("alice", Method::POST, path, &markdown, "# Hers")
            .await;
        assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
        let article = json!({"article_guideline_id": told["article_guideline_id"]});
        let shown = alice.call("get_article", article).await;
        assert_eq!(shown["structuredContent"]["title"], "Hers", "{shown}");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_not_found() {
    let system = System::start().await;
    let article = system.upload("alice", "# Alice's").await;
    let bob = Agent::new(&system, "bob", MODERN);
    for tool in ["get_article", "extract_guidelines_urls", "delete_article"] {
        let result = bob
            .call(tool, json!({"article_guideline_id": article}))
            .await;
        assert_eq!(result["isError"], true);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(text, "There is no article with this id.", "{tool}");
    }
    for path in ["", "/guideline.md", "/research.md", "/sources/1"] {
        let uri = format!("article://{article}{path}");
        let mine = bob.refusal("resources/read", json!({"uri": uri})).await;
        let none = format!("article://{}{path}", Uuid::nil());
        let nothing = bob.refusal("resources/read", json!({"uri": none})).await;
        assert_eq!(mine["code"], nothing["code"], "{mine}");
        assert_eq!(mine["code"], -32602, "{mine}");
    }
    let listed = bob.ask("resources/list", json!({})).await.to_string();
    let recent = bob
        .ask("resources/read", json!({"uri": "articles://recent"}))
        .await;
    let completed = json!({
        "ref": {"type": "ref/resource", "uri": "article://{id}"},
        "argument": {"name": "id", "value": ""},
    });
    let completed = bob.ask("completion/complete", completed).await;
    for told in [listed, recent.to_string(), completed.to_string()] {
        assert!(!told.contains(&article.to_string()), "{told}");
    }
}

#[tokio::test]
async fn a_scope_that_is_missing_is_told_by_http_with_all_that_are_needed() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let reads = system.local.token("alice", "research:read");
    let reader = Agent::new(&system, "alice", LEGACY).with_token(reads);
    let arguments = json!({"article_guideline_id": article});
    let shown = reader.call("get_article", arguments.clone()).await;
    assert_eq!(shown["isError"], false, "{shown}");
    let params = json!({"name": "create_research_file", "arguments": arguments});
    let answer = reader.send("tools/call", params, &[]).await;
    answer.is_problem(StatusCode::FORBIDDEN, "research:run");
    let challenge = answer.header("www-authenticate");
    for words in [
        "insufficient_scope",
        "scope=\"research:read research:run\"",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        assert!(challenge.contains(words), "{challenge}");
    }
}

/// Readers of JSON differ on a name that is there twice: the scope is asked for in any case.
#[tokio::test]
async fn a_message_that_can_be_read_in_two_ways_needs_no_less() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let pool = system.database.pool();
    let job = "INSERT INTO jobs (id, user_id, article_id, tool, dedupe_key, arguments)
               VALUES ($1, 'alice', $1, 'nothing', sha256('x'), '{}')";
    sqlx::query(job).bind(article).execute(&pool).await.unwrap();
    let token = format!("Bearer {}", system.local.token("alice", "research:read"));
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let params = json!({"taskId": article});
    for methods in [
        r#""method": "tasks/get", "method": "tasks/cancel""#,
        r#""method": "tasks/cancel", "method": "tasks/get""#,
    ] {
        let message = format!(r#"{{"jsonrpc": "2.0", "id": 1, {methods}, "params": {params}}}"#);
        for message in [format!("[{message}]"), message] {
            let answer = system.send(Method::POST, "/mcp", &headers, message).await;
            let cancelled = "SELECT cancel_requested OR state = 'cancelled' FROM jobs";
            let cancelled: bool = sqlx::query_scalar(cancelled)
                .fetch_one(&pool)
                .await
                .unwrap();
            assert!(!cancelled, "{answer:?}");
        }
    }
}

/// Once is enough: what the first sign-in does not ask for would be asked for at the first tool.
#[tokio::test]
async fn an_agent_without_a_token_is_asked_to_sign_in_for_all_that_the_workflow_needs() {
    let system = System::start().await;
    for token in ["", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"] {
        let nobody = Agent::new(&system, "alice", LEGACY).with_token(token.to_owned());
        let answer = nobody.send("initialize", json!({}), &[]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.header("www-authenticate");
        let scopes = "scope=\"research:read research:run\"";
        assert!(challenge.contains(scopes), "{challenge}");
    }
}

#[tokio::test]
async fn strangers_pages_old_sessions_and_other_methods_get_what_the_protocol_says() {
    let system = System::start().await;
    let alice = Agent::new(&system, "alice", LEGACY);
    let list = |headers: &'static [(&str, &str)]| alice.send("tools/list", json!({}), headers);
    assert_eq!(list(&[]).await.status, StatusCode::OK);
    let stale = list(&[("mcp-session-id", "from-before-the-redeploy")]).await;
    assert_eq!(
        stale.status,
        StatusCode::OK,
        "sessions are not a thing here"
    );
    let foreign = list(&[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let rebound = list(&[("host", "evil.example")]).await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN);
    for method in [Method::GET, Method::DELETE] {
        let answer = system.send_as("alice", method, "/mcp", &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "POST");
    }
    let huge = format!("{{\"jsonrpc\": \"{}\"}}", "x".repeat(5 << 20));
    let answer = system
        .send_as("alice", Method::POST, "/mcp", &[], huge)
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn mistakes_and_limits_are_told_to_the_agent_in_words_that_help() {
    let system = System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", "1")], false).await;
    let article = system.upload("alice", "# One").await;
    let alice = Agent::new(&system, "alice", MODERN);
    let arguments = json!({"article_guideline_id": article});
    for (tool, arguments, words) in [
        ("extract_guidelines_urls", json!({}), "article_guideline_id"),
        (
            "extract_guidelines_urls",
            json!({"article_guideline_id": "7"}),
            "not a UUID",
        ),
        ("upload_article_guideline", json!({"content": ""}), "empty"),
        (
            "upload_article_guideline",
            json!({"contents": "x"}),
            "not an argument",
        ),
        ("list_articles", json!({"limit": 0}), "from 1 to 100"),
    ] {
        let result = alice.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(words), "{tool}: {text}");
    }
    let first = alice
        .call("extract_guidelines_urls", arguments.clone())
        .await;
    assert_eq!(first["isError"], false, "{first}");
    let second = alice.call("extract_guidelines_urls", arguments).await;
    let text = second["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("Monthly tool usage limit exceeded. You have used 1/1"),
        "{text}"
    );
    let document = &second["_meta"]["nova/problem"];
    assert_eq!(
        (&document["status"], &document["used"], &document["limit"]),
        (&json!(429), &json!(1), &json!(1)),
        "{second}"
    );
    assert!(document["resets_at"].is_string(), "{second}");
    let unknown = alice
        .refusal("tools/call", json!({"name": "rm", "arguments": {}}))
        .await;
    assert_eq!(unknown["code"], -32602, "{unknown}");
}

#[tokio::test]
async fn the_status_tells_nothing_of_the_environment() {
    let settings = [
        ("GOOGLE_API_KEY", "AIza-secret"),
        ("GITHUB_TOKEN", "ghp_secret"),
        ("PPLX_API_KEY", "pplx-secret"),
        ("FIRECRAWL_API_KEY", "fc-secret"),
        ("OPENAI_BASE_URL", "http://models.secret.example/v1"),
        (
            "CODE_HOSTS",
            "git.acme.example=gitlab@https://inner.secret.example",
        ),
        ("CODE_HOST_TOKENS", "git.acme.example=glpat-secret"),
    ];
    let system = System::start_with(&settings, false).await;
    let alice = Agent::new(&system, "alice", MODERN);
    let status = alice
        .ask("resources/read", json!({"uri": "system://status"}))
        .await;
    let text = status["contents"][0]["text"].as_str().unwrap();
    let told: Value = serde_json::from_str(text).unwrap();
    let set_up = json!({
        "firecrawl": true, "gemini": true, "github_token": true, "openai": true,
        "perplexity": true, "searxng": false, "tavily": false, "vertex": false, "youtube_captions": false,
    });
    assert_eq!(told["providers"], set_up);
    assert_eq!(told["code_hosts"], json!(["git.acme.example"]));
    for word in ["secret", "postgres", "DATABASE", "PATH", "/"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert_eq!(status["cacheScope"], "private", "{status}");
}

/// The provider holds its answer until all ten wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_identical_calls_at_once_are_one_job_that_is_paid_once() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let gate = Gate::new();
    firecrawl.inject(Fault::new(Effect::Hold(gate.clone())));
    let settings = [
        ("NOVA_ALLOW_PRIVATE_URLS", "true"),
        ("FIRECRAWL_BASE_URL", firecrawl.url()),
        ("FIRECRAWL_API_KEY", firecrawl::KEY),
    ];
    let system = System::start_with(&settings, false).await;
    let article = system
        .upload("alice", "# One\n\nhttp://127.0.0.1:9/page\n")
        .await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let agents: Vec<Agent<'_>> = (0..10)
        .map(|_| Agent::new(&system, "alice", MODERN))
        .collect();
    let arguments = json!({"article_guideline_id": article});
    let call = |agent| Agent::call(agent, "scrape_and_clean_other_urls", arguments.clone());
    let used = async || system.get("alice", "/usage").await.json()["used"].clone();
    let before = used().await.as_u64().unwrap();
    let open = async {
        while gate.held() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let jobs: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM jobs WHERE state = 'running'")
            .fetch_all(&system.database.pool())
            .await
            .unwrap();
        // As long as it lasts, and later, it is nothing to anybody else.
        let bob = Agent::new(&system, "bob", MODERN);
        for id in [jobs[0], Uuid::nil()] {
            for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
                let params = json!({"taskId": id, "inputResponses": {}});
                let refused = bob.refusal(method, params).await;
                assert_eq!(refused["code"], -32602, "{method}: {refused}");
                assert_eq!(refused["message"], "There is no task with this id.");
            }
        }
        gate.open();
        jobs.len()
    };
    let (results, jobs) = tokio::join!(join_all(agents.iter().map(call)), open);
    for result in results {
        assert_eq!(result["isError"], false, "{result}");
        assert_eq!(result["structuredContent"]["urls_processed"], 1, "{result}");
    }
    assert_eq!((jobs, firecrawl.ledger().len()), (1, 1));
    assert_eq!(used().await, before + 1, "and charged once");
}
