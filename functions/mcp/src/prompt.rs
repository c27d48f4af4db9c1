//! The whole workflow, in words.

use rmcp::model::{Prompt, PromptMessage, Role};
use url::Url;

/// As existing users know it.
pub(crate) const NAME: &str = "full_research_instructions_prompt";

const INSTRUCTIONS: &str = include_str!("../assets/instructions.md");

pub(crate) fn prompt() -> Prompt {
    let about = "The whole research workflow, step by step: from a guideline to research.md.";
    Prompt::new(NAME, Some(about), None).with_title("Research an article")
}

/// The instructions, with the addresses of this deployment's pages.
pub(crate) fn message(server_url: &Url) -> PromptMessage {
    let server = server_url.as_str().trim_end_matches('/');
    let upload = format!("{server}/upload_article_guideline");
    let files = format!("{server}/upload_local_files?article_guideline_id=…");
    let text = INSTRUCTIONS
        .replace("{upload_page}", &upload)
        .replace("{files_page}", &files);
    PromptMessage::new_text(Role::User, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn the_instructions_name_tools_that_exist_and_all_steps_of_the_workflow() {
        let words: Vec<&str> = INSTRUCTIONS.split('`').skip(1).step_by(2).collect();
        let named: Vec<&str> = words
            .into_iter()
            .filter(|word| word.contains('_') && !word.contains(['"', ' ']))
            .filter(|word| !["article_guideline_id", "retry_after_seconds"].contains(word))
            .collect();
        for name in &named {
            assert!(catalogue::find(name).is_some(), "{name}");
        }
        let told = [
            "list_articles",
            "get_article",
            "get_usage",
            "delete_article",
        ];
        for tool in catalogue::TOOLS_IN_ORDER.iter() {
            let name = tool.name.as_ref();
            assert!(named.contains(&name) || told.contains(&name), "{name}");
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        let message = message(&"https://nova.example/".parse().unwrap());
        let text = message.content.as_text().unwrap().text.clone();
        assert!(
            text.contains("https://nova.example/upload_article_guideline,"),
            "{text}"
        );
        assert!(!text.contains(['{', '}']), "{text}");
    }
}
