//! `make demo`, as somebody who has just cloned the repository runs it.

use std::{path::Path, time::Duration};

use tokio::process::Command;

#[tokio::test]
async fn the_demo_goes_from_a_guideline_to_the_document_and_tells_each_step() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_nova-local"));
    let output = demo.arg("demo").arg("--folder").arg(&folder);
    let output = tokio::time::timeout(Duration::from_mins(1), output.kill_on_drop(true).output());
    let output = output.await.expect("within a minute").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaints}");
    for words in [
        "extract_guidelines_urls",
        "Scraped and cleaned 2/3",
        "/gone: http_404",
        "Processed 1/1 GitHub URLs",
        "Proposed 3 questions",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let document = std::fs::read_to_string(folder.join("research.md")).unwrap();
    for words in [
        "# Research",
        "Agents keep what they learnt",
        "def remember(store, text)",
    ] {
        assert!(document.contains(words), "{words}: {document}");
    }
}
