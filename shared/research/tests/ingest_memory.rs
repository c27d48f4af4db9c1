//! A repository of any size needs little memory. Alone in its process, because the process is what
//! is measured.
#![cfg(feature = "ingest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod archives;

use std::io::{self, Read};

use archives::Raw;
use nova_research::ingest::{self, Request};

/// A `tar` that is made while it is read.
struct Endless {
    /// What is left of the entry that is being read.
    entry: io::Cursor<Vec<u8>>,
    number: u64,
    bytes_left: u64,
    state: u64,
}

impl Endless {
    /// Text that no packer would make small.
    fn next(&mut self) -> Vec<u8> {
        self.number += 1;
        let size = match self.number % 10 {
            0 => 900_000,
            1 => 200_000,
            it => 2_000 * usize::try_from(it).unwrap(),
        };
        let mut text = Vec::with_capacity(size);
        while text.len() < size {
            self.state = self
                .state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.extend_from_slice(
                format!(
                    "value_{:x} = call({})\n",
                    self.state >> 20,
                    self.state >> 50
                )
                .as_bytes(),
            );
        }
        let path = format!("top/part{}/module_{}.py", self.number % 50, self.number);
        let mut out = Vec::new();
        Raw::file(&path, &text).write(&mut out);
        self.bytes_left = self.bytes_left.saturating_sub(out.len() as u64);
        out
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.entry.read(buffer)?;
        if read > 0 || self.bytes_left == 0 {
            return Ok(read);
        }
        self.entry = io::Cursor::new(self.next());
        self.entry.read(buffer)
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn an_archive_of_two_hundred_megabytes_is_read_in_less_than_64_mib() {
    let archive = Endless {
        entry: io::Cursor::default(),
        number: 0,
        bytes_left: 200_000_000,
        state: 1,
    };
    let request = Request::new("https://github.com/acme/widgets", "acme/widgets");
    let digest = ingest::archive(archive, &request).unwrap();
    assert!(digest.files > 1000, "{} files", digest.files);
    assert!(
        (40_000..=60_000).contains(&digest.tokens),
        "{}",
        digest.tokens
    );
    if let Some(peak) = peak_kib() {
        println!("{peak} KiB");
        assert!(peak < 64 << 10, "{peak} KiB");
    }
}
