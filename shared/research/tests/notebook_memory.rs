//! A notebook that is made to need memory is refused, and one that may be read needs little. Alone in
//! its process, because the process is what is measured.
#![cfg(feature = "notebooks")]

use nova_research::notebook::{self, NotebookError};

/// As much as a file may have.
const FILE: usize = 8 << 20;

/// The most memory that this process has had, in MiB; only Linux tells.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib >> 10)
}

/// A notebook of one kind of value, again and again, in at most so many bytes.
fn notebook(before: &str, value: &str, after: &str, bytes: usize) -> String {
    let room = bytes - before.len() - after.len();
    let values = value.repeat(room / value.len());
    format!("{before}{}{after}", values.trim_end_matches(','))
}

#[test]
fn a_notebook_of_eight_mebibytes_needs_little_memory_whatever_is_in_it() {
    let outputs = r#"{"cells":[{"cell_type":"code","source":"x","outputs":["#;
    let shapes = [
        (r#"{"cells":["#, "{},", "]}"),
        (outputs, r#"{"":0},"#, "]}]}"),
        (outputs, "[0],", "]}]}"),
        (outputs, "0,", "]}]}"),
        (outputs, "\"\",", "]}]}"),
        (r#"{"metadata":["#, "[],", r#"],"cells":[]}"#),
    ];
    let before = peak_mib();
    for (head, value, tail) in shapes {
        let whole = notebook(head, value, tail, FILE);
        let refused = notebook::read(&whole);
        assert!(
            matches!(refused, Err(NotebookError::TooManyValues)),
            "{value}: {refused:?}"
        );
        // As many as just may be.
        let (mut fits, mut not) = (0, FILE);
        while not - fits > 1024 {
            let middle = usize::midpoint(fits, not);
            let shorter = notebook(head, value, tail, middle.max(200));
            match notebook::read(&shorter) {
                Err(NotebookError::TooManyValues) => not = middle,
                Ok(_) => fits = middle,
                Err(error) => panic!("{value}: {error}"),
            }
        }
        assert!(fits > 100_000, "{value}: {fits} bytes");
    }
    // Texts are not values: what they need is what they have.
    let text = format!(
        r#"{{"cells":[{{"source":"{}"}}]}}"#,
        "{,[:".repeat(FILE / 4 - 100)
    );
    assert!(notebook::read(&text).is_ok());
    if let (Some(before), Some(after)) = (before, peak_mib()) {
        let grown = after - before;
        println!("the peak grew by {grown} MiB");
        assert!(grown < 128, "the peak grew by {grown} MiB");
    }
}
