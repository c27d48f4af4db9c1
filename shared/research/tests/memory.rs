//! A document of any size passes through in little memory. Alone in its process, because the
//! process is what is measured.

use nova_research::document::{Document, Section};

/// The most memory that this process has had, in KiB; only Linux tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn sources_of_a_hundred_mebibytes_need_little_memory() {
    const TOTAL: usize = 100 << 20;
    let prose = "Some text with `code`, a <b>tag</b> and https://a.example/x.\n".repeat(1024);
    let one_line = "x".repeat(64 << 10);
    let white_space = " \n\t".repeat(21 << 10);
    let fence = "`".repeat(64 << 10);
    let bodies = [(prose, 40), (one_line, 20), (white_space, 20), (fence, 20)];

    let mut document = Document::new();
    let mut out = String::new();
    let mut written = 0;
    let before = peak_kib();
    for (chunk, percent) in bodies {
        document
            .open(Section::AdditionalSources, "a", &mut out)
            .unwrap();
        for _ in 0..TOTAL / 100 * percent / chunk.len() {
            document.body(&chunk, &mut out);
            // What a caller may hold back is the chunk, a line and white space.
            assert!(out.len() < 2 * chunk.len() + (128 << 10));
            written += out.len();
            out.clear();
        }
    }
    document.finish(&mut out);
    assert!(written > TOTAL / 2, "{written} bytes were written");
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        println!("the peak grew by {} KiB", after - before);
        assert!(
            after - before < 4 << 10,
            "the peak grew by {} KiB",
            after - before
        );
    }
}
