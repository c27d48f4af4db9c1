//! Files that need much memory, from as many senders as an instance serves at once.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nova_testkit::usage::peak_mib;

use crate::system::System;

/// What `functions/manifest.json` gives an instance of `upload_local_files`: requests, and memory in MiB.
const AT_ONCE: usize = 20;
const MEMORY_MIB: f64 = 512.0;
/// As much as a file may have.
const FILE: usize = 8 << 20;

/// A notebook of a plot with so many numbers.
fn notebook(numbers: usize) -> String {
    let head = r#"{"cells":[{"cell_type":"code","source":"plot()","outputs":[{"output_type":"display_data","data":{"application/vnd.plot+json":["#;
    format!("{head}{}0]}}}}]}}]}}", "3.14159265358,".repeat(numbers))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_files_at_once_of_the_largest_size_fit_into_an_instance() {
    let system = System::start_with(&[], true).await;
    let article = system.upload("alice", "# Large").await;
    // Read, refused, and taken as it is.
    let files = [
        ("plot.ipynb", notebook(590_000), StatusCode::CREATED),
        (
            "cells.ipynb",
            format!("{{\"cells\":[{}{{}}]}}", "{},".repeat(FILE / 3 - 10)),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "text.md",
            "One line of a long text.\n".repeat(FILE / 25),
            StatusCode::CREATED,
        ),
    ];
    let token = system.token("alice");
    for (name, content, expected) in files {
        assert!(content.len() <= FILE, "{name}: {}", content.len());
        let path = format!("/upload_local_files?article_guideline_id={article}&filename={name}");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let send = || system.send(Method::POST, &path, &headers, content.clone());
        for answer in join_all((0..AT_ONCE).map(|_| send())).await {
            assert_eq!(answer.status, expected, "{name}: {}", answer.text());
        }
    }
    let process = system.local.process_id("upload_local_files").unwrap();
    let peak = peak_mib(process).unwrap();
    eprintln!("upload_local_files needed {peak:.0} MiB");
    assert!(peak < MEMORY_MIB, "it needed {peak:.0} MiB");
    system.local.stop().await;
}
