//! Every service, linked into this program.

use nova_runtime::Function;

/// The services; a test compares them with `functions/manifest.json`.
pub const SERVICES: &[Function] = &[
    add_sources::FUNCTION,
    analytics::FUNCTION,
    articles::FUNCTION,
    create_research_file::FUNCTION,
    download_research::FUNCTION,
    extract_guidelines_urls::FUNCTION,
    generate_next_queries::FUNCTION,
    health::FUNCTION,
    jobs::FUNCTION,
    mcp::FUNCTION,
    process_github_urls::FUNCTION,
    run_perplexity_research::FUNCTION,
    scrape_and_clean_other_urls::FUNCTION,
    scrape_research_urls::FUNCTION,
    select_research_sources_to_keep::FUNCTION,
    select_research_sources_to_scrape::FUNCTION,
    sign_in::FUNCTION,
    upload_article_guideline::FUNCTION,
    upload_local_files::FUNCTION,
    usage::FUNCTION,
];
