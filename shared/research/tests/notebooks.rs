//! Jupyter notebooks as Markdown.
#![cfg(feature = "notebooks")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use nova_research::notebook::{self, MAX_OUTPUT_CHARACTERS};
use serde_json::{Value, json};

fn read(notebook: &Value) -> String {
    notebook::read(&notebook.to_string()).unwrap()
}

fn code(source: &str, outputs: &Value) -> Value {
    json!({"cells": [{"cell_type": "code", "source": source, "outputs": outputs}], "metadata": {}})
}

#[test]
fn the_cases_of_notebooks_come_out_as_expected() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/notebooks.json")).unwrap();
    for case in &cases {
        let markdown = read(&case["notebook"]);
        let pieces = |name: &str| -> Vec<String> {
            serde_json::from_value(case[name].clone()).unwrap_or_default()
        };
        for piece in pieces("contains") {
            assert!(
                markdown.contains(&piece),
                "{}: {piece:?} in {markdown}",
                case["id"]
            );
        }
        for piece in pieces("not_contains") {
            assert!(
                !markdown.contains(&piece),
                "{}: no {piece:?} in {markdown}",
                case["id"]
            );
        }
    }
    assert!(cases.len() >= 5, "only {} cases", cases.len());
}

#[test]
fn a_stream_that_came_in_pieces_is_one_output() {
    let outputs = json!([
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two"]},
        {"output_type": "stream", "name": "stdout", "text": " more\n"},
    ]);
    assert_eq!(
        read(&code("f()", &outputs)),
        "```python\nf()\n```\n\nOutput:\n\n```\none\ntwo more\n```"
    );
}

#[test]
fn a_fence_is_longer_than_what_it_holds() {
    let outputs = json!([{"output_type": "stream", "text": "````\n"}]);
    let markdown = read(&code("s = '''```'''", &outputs));
    assert!(
        markdown.starts_with("````python\ns = '''```'''\n````"),
        "{markdown}"
    );
    assert!(markdown.ends_with("`````\n````\n`````"), "{markdown}");
}

#[test]
fn a_table_of_data_is_kept_as_text_and_not_as_html_too() {
    let outputs = json!([{"output_type": "execute_result", "data": {
        "text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "   a\n0  1"}}]);
    let markdown = read(&code("df", &outputs));
    assert!(markdown.ends_with("```\n   a\n0  1\n```"), "{markdown}");
    assert!(!markdown.contains("<table>"));

    let only_html =
        json!([{"output_type": "display_data", "data": {"text/html": "<b>a &amp; b</b><br>c"}}]);
    assert!(read(&code("x", &only_html)).contains("a & b c"));
}

#[test]
fn raw_cells_are_kept_and_headings_of_old_notebooks_are_headings() {
    let notebook = json!({"worksheets": [{"cells": [
        {"cell_type": "heading", "level": 2, "source": ["Old\n"]},
        {"cell_type": "raw", "source": "raw <b>text"},
        {"cell_type": "code", "input": "1", "language": "python", "outputs": [
            {"output_type": "pyout", "text": ["1"], "png": "iVBOR"}]},
    ]}], "metadata": {}});
    assert_eq!(
        read(&notebook),
        "## Old\n\n```\nraw <b>text\n```\n\n```python\n1\n```\n\nOutput:\n\n[image/png output]\n\n```\n1\n```"
    );
}

#[test]
fn what_a_terminal_draws_over_is_left_out() {
    let outputs = json!([{"output_type": "stream", "text":
        "\u{1b}[1;31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\\n 10%\r 50%\r100%\r\nab\u{8}c\u{1b}"}]);
    let markdown = read(&code("x", &outputs));
    assert!(
        markdown.ends_with("```\nred link\n100%\nac\n```"),
        "{markdown}"
    );
}

#[test]
fn pictures_in_text_cells_lose_their_bytes() {
    let data = "A".repeat(5000);
    let notebook = json!({"cells": [{"cell_type": "markdown",
        "source": format!("![p](data:image/png;base64,{data}) data: kept")}], "metadata": {}});
    assert_eq!(read(&notebook), "![p](image-png-left-out) data: kept");
}

#[test]
fn long_outputs_keep_their_beginning_and_end() {
    let outputs =
        json!([{"output_type": "stream", "text": format!("begin{}end", "é".repeat(100_000))}]);
    let markdown = read(&code("x", &outputs));
    assert!(markdown.contains("begin") && markdown.contains("end\n```"));
    assert!(markdown.contains("characters left out"));
    assert!(markdown.chars().count() < MAX_OUTPUT_CHARACTERS + 200);
}

#[test]
fn the_language_is_that_of_the_kernel_or_of_the_cell() {
    for (metadata, language) in [
        (json!({"kernelspec": {"language": "R"}}), "r"),
        (json!({"language_info": {"name": "scala"}}), "scala"),
        (json!({"kernelspec": {"name": "python3"}}), "python"),
        (json!({"kernelspec": {"language": "a`b\nc"}}), "python"),
        (json!({}), "python"),
    ] {
        let notebook =
            json!({"cells": [{"cell_type": "code", "source": "x"}], "metadata": metadata});
        assert_eq!(read(&notebook), format!("```{language}\nx\n```"));
    }
    assert!(read(&code("%%bash\nls", &json!([]))).starts_with("```bash\n"));
}

#[test]
fn what_is_no_notebook_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "{\"cells\": 3}",
        "nonsense",
        &"[".repeat(100_000),
    ] {
        assert!(notebook::read(text).is_err(), "{text:.20}");
    }
}
