//! What operators are told of everybody's use.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{Answer, System};

async fn report(system: &System, path: &str) -> Answer {
    let token = system.local.token("carol", "admin");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    system.send(Method::GET, path, &headers, "").await
}

async fn rows(system: &System, name: &str) -> Vec<Value> {
    let answer = report(system, &format!("/analytics/{name}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["report"], name);
    answer.json()["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_report_counts_what_users_did() {
    let system = System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", "0")], false).await;
    let alices = system.upload("alice", "# Hers").await;
    let bobs = system.upload("bob", "# His").await;
    for _ in 0..2 {
        system
            .tool("alice", "extract_guidelines_urls", alices)
            .await;
    }
    system.tool("alice", "create_research_file", alices).await;
    system.tool("bob", "extract_guidelines_urls", bobs).await;

    let monthly = rows(&system, "monthly_calls").await;
    let calls = |row: &Value| (row["user_id"].clone(), row["calls"].clone());
    assert_eq!(
        monthly.iter().map(calls).collect::<Vec<_>>(),
        [(json!("alice"), json!(3)), (json!("bob"), json!(1))]
    );
    assert_eq!(
        rows(&system, "popular_tools").await,
        [
            json!({"tool_name": "extract_guidelines_urls", "usage": 3}),
            json!({"tool_name": "create_research_file", "usage": 1}),
        ]
    );
    let mut completion = rows(&system, "completion").await;
    completion.sort_by_key(|row| row["status"].to_string());
    let completed = json!({"status": "completed", "count": 1});
    assert_eq!((completion.len(), &completion[0]), (2, &completed));
    let tools = rows(&system, "tools_per_article").await;
    let of = |article: uuid::Uuid| {
        let id = json!(article);
        tools.iter().find(|row| row["article_id"] == id).unwrap()["tool_calls_of_article"].clone()
    };
    assert_eq!((of(alices), of(bobs)), (json!(3), json!(1)));
    assert_eq!(rows(&system, "near_limit").await, [json!(null); 0]);
    assert_eq!(rows(&system, "provider_costs").await, [json!(null); 0]);
}

#[tokio::test]
async fn a_report_gives_as_many_rows_as_are_asked_for_and_says_which_reports_there_are() {
    let system = System::start().await;
    for user in ["alice", "bob"] {
        let article = system.upload(user, "# One").await;
        system.tool(user, "extract_guidelines_urls", article).await;
    }
    let one = report(&system, "/analytics/monthly_calls?limit=1").await;
    assert_eq!(one.json()["rows"].as_array().unwrap().len(), 1, "{one:?}");
    for limit in ["0", "100001", "-1", "ten"] {
        report(&system, &format!("/analytics/monthly_calls?limit={limit}"))
            .await
            .is_problem(StatusCode::BAD_REQUEST, "from 1 to 100000");
    }
    report(&system, "/analytics/gossip").await.is_problem(
        StatusCode::NOT_FOUND,
        "there are monthly_calls, popular_tools, completion, tools_per_article, near_limit, provider_costs.",
    );
}
