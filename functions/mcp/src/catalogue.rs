//! The tools as agents read of them: `assets/tools.json`, in the protocol's own form.

use std::sync::LazyLock;

use rmcp::model::Tool;

const TOOLS: &str = include_str!("../assets/tools.json");

/// All tools, in the order of the workflow.
pub(crate) static TOOLS_IN_ORDER: LazyLock<Vec<Tool>> =
    LazyLock::new(|| serde_json::from_str(TOOLS).expect("a test reads assets/tools.json"));

/// A tool by its name.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS_IN_ORDER.iter().find(|tool| tool.name == name)
}

/// Whether a call of this tool needs more than the right to look.
pub(crate) fn needs_run(name: &str) -> bool {
    let reads = |tool: &Tool| tool.annotations.as_ref()?.read_only_hint;
    find(name).is_some_and(|tool| reads(tool) != Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_tool_says_what_clients_want_to_know() {
        assert!(!TOOLS_IN_ORDER.is_empty());
        for tool in TOOLS_IN_ORDER.iter() {
            let name = &tool.name;
            let description = tool.description.as_deref().unwrap_or_default();
            assert!(
                (40..2000).contains(&description.len()),
                "{name}: {description}"
            );
            assert!(
                tool.title.is_some() && tool.output_schema.is_some(),
                "{name}"
            );
            let hints = tool.annotations.as_ref().unwrap();
            for hint in [
                hints.read_only_hint,
                hints.destructive_hint,
                hints.idempotent_hint,
                hints.open_world_hint,
            ] {
                assert!(hint.is_some(), "{name}");
            }
        }
    }

    /// Clients differ in what they understand of JSON Schema; this is what all of them do.
    #[test]
    fn schemas_are_plain() {
        fn check(tool: &str, value: &Value) {
            match value {
                Value::Object(fields) => {
                    for banned in ["$schema", "$ref", "$defs", "oneOf", "anyOf", "allOf"] {
                        assert!(!fields.contains_key(banned), "{tool}: {banned}");
                    }
                    if let Some(kind) = fields.get("type")
                        && fields.contains_key("description")
                    {
                        assert!(kind.is_string(), "{tool}: {kind}");
                    }
                    if let Some(Value::String(format)) = fields.get("format") {
                        assert_eq!(format, "uuid", "{tool}");
                    }
                    fields.values().for_each(|one| check(tool, one));
                }
                Value::Array(items) => items.iter().for_each(|one| check(tool, one)),
                _ => {}
            }
        }
        for tool in TOOLS_IN_ORDER.iter() {
            let output = tool.output_schema.as_ref().unwrap();
            for schema in [&tool.input_schema, output] {
                assert_eq!(schema["type"], "object", "{}", tool.name);
                schema.values().for_each(|one| check(&tool.name, one));
            }
        }
    }

    #[test]
    fn only_tools_that_look_may_be_called_with_the_scope_to_look() {
        assert!(needs_run("create_research_file") && needs_run("delete_article"));
        assert!(!needs_run("get_usage") && !needs_run("no_such_tool"));
    }
}
