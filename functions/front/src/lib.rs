//! What users call, in one process: a small deployment has one address, and no load balancer that
//! would lead from it to each function.
//!
//! Every route is that of a function, with the same checks. What is given up is their separation:
//! one service account, one database login with the rights of all these families, one limit for
//! memory and time. `analytics` stays outside: its login sees everybody's rows.

use std::sync::Arc;

use nova_runtime::{App, ConfigError, Function, Routes};

/// The function.
pub const FUNCTION: Function = Function::service(
    "front",
    "Answers all that users call at one address, for small deployments.",
    set_up,
)
.with_database();

/// The functions that it answers for; a test compares them with `functions/manifest.json`.
pub const FUNCTIONS: &[Function] = &[
    add_sources::FUNCTION,
    articles::FUNCTION,
    create_research_file::FUNCTION,
    download_research::FUNCTION,
    extract_guidelines_urls::FUNCTION,
    generate_next_queries::FUNCTION,
    health::FUNCTION,
    jobs::FUNCTION,
    mcp::FUNCTION,
    process_github_urls::FUNCTION,
    request_upload::FUNCTION,
    run_perplexity_research::FUNCTION,
    scrape_and_clean_other_urls::FUNCTION,
    scrape_research_urls::FUNCTION,
    select_research_sources_to_keep::FUNCTION,
    select_research_sources_to_scrape::FUNCTION,
    sign_in::FUNCTION,
    transcribe_youtube_urls::FUNCTION,
    upload_article_guideline::FUNCTION,
    upload_local_files::FUNCTION,
    usage::FUNCTION,
];

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let mut routes = Routes::new();
    for function in FUNCTIONS {
        routes = routes.and(function.routes(app)?);
    }
    Ok(routes)
}
