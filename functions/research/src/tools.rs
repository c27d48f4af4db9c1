//! The functions that do the steps, in this process.

use std::sync::Arc;

use nova_runtime::{App, ConfigError, Function, Routes};

/// The steps of the workflow, and where it begins.
const FUNCTIONS: &[Function] = &[
    upload_article_guideline::FUNCTION,
    extract_guidelines_urls::FUNCTION,
    scrape_and_clean_other_urls::FUNCTION,
    process_github_urls::FUNCTION,
    transcribe_youtube_urls::FUNCTION,
    generate_next_queries::FUNCTION,
    run_perplexity_research::FUNCTION,
    select_research_sources_to_keep::FUNCTION,
    select_research_sources_to_scrape::FUNCTION,
    scrape_research_urls::FUNCTION,
    create_research_file::FUNCTION,
];

pub(crate) fn routes(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let mut routes = Routes::new();
    for function in FUNCTIONS {
        routes = routes.and(function.routes(app)?);
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nova_research::workflow::Step;

    use super::*;

    #[test]
    fn every_step_has_its_function() {
        let steps: BTreeSet<&str> = Step::all(1).map(Step::tool).collect();
        let functions = FUNCTIONS.iter().map(|function| function.name);
        let functions: BTreeSet<&str> = functions
            .filter(|name| *name != "upload_article_guideline")
            .collect();
        assert_eq!(steps, functions, "left: steps, right: functions");
    }
}
