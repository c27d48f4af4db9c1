//! `make demo`, as somebody who has just cloned the repository runs it.

use std::{path::Path, time::Duration};

use tokio::process::Command;

#[tokio::test]
async fn the_demo_goes_from_a_guideline_to_the_document_and_tells_each_step() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_nova-local"));
    let output = demo.arg("demo").arg("--folder").arg(&folder);
    let output = tokio::time::timeout(Duration::from_mins(2), output.kill_on_drop(true).output());
    let output = output.await.expect("within two minutes").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaints}");
    for words in [
        "extract_guidelines_urls",
        "Scraped and cleaned 2/3",
        "/gone: http_404",
        "Processed 1/1 GitHub URLs",
        "Transcribed 1/2 YouTube videos",
        "v=not-for-all: unavailable",
        "LLM_PROVIDER=none",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for step in ["generate_next_queries", "run_perplexity_research"] {
        let calls = told.lines().filter(|line| line.starts_with(step)).count();
        assert_eq!(calls, 6, "three rounds, twice: {told}");
    }
    let document = std::fs::read_to_string(folder.join("research.md")).unwrap();
    assert!(document.contains("[39:30] Said in mem-in-talk at 2370."));
    for file in ["research.md", "free/research.md"] {
        let document = std::fs::read_to_string(folder.join(file)).unwrap();
        for words in [
            "# Research",
            "Agents keep what they learnt",
            "def remember(store, text)",
            "### Source [1]: http://127.0.0.1:",
            "texts are embedded, kept, and found again by similarity",
        ] {
            assert!(document.contains(words), "{file}: {words}: {document}");
        }
        for nothing in ["_No accepted", "_No scraped", "_No code", "_No additional"] {
            assert!(!document.contains(nothing), "{file}: {document}");
        }
    }
}
