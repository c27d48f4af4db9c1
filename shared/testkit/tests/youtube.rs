//! The stand-in for YouTube, judged by a program that reads captions at the real one.

use std::path::{Path, PathBuf};

use nova_testkit::providers::youtube::{Video, YouTube};
use serde_json::{Value, json};
use tokio::process::Command;

/// Where `make test` installs other people's programs.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = root
        .join(target)
        .join("tools/youtube-transcript-api/bin/python");
    assert!(
        path.exists(),
        "{} is not there: `make youtube-transcript-api`, a prerequisite of `make test`, brings it",
        path.display()
    );
    path
}

#[tokio::test]
async fn who_reads_captions_at_youtube_reads_them_here() {
    let youtube = YouTube::start().await.unwrap();
    let talk = Video::new("A talk")
        .captions(
            "de",
            [(0.0, "Hallo &amp; guten Tag"), (1.5, "noch <i>kleiner</i>")],
        )
        .generated("en", [(0.5, "it&#39;s a test")]);
    youtube.put("aaaaaaaaaaa", talk);
    youtube.put("bbbbbbbbbbb", Video::new("Nothing is said"));
    let robots = "Sign in to confirm you\u{2019}re not a bot";
    let walled = Video::new("For people").unplayable("LOGIN_REQUIRED", robots);
    youtube.put("ccccccccccc", walled);
    let proof = Video::new("For apps").captions("en", [(0.0, "Hello")]);
    youtube.put("ddddddddddd", proof.wanting_a_proof());
    youtube.put(
        "eeeeeeeeeee",
        Video::new("For no one").unplayable("UNPLAYABLE", "It is private"),
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/youtube.py");
    let videos = ["a", "b", "c", "d", "e", "f"].map(|it| it.repeat(11));
    let mut judge = Command::new(python());
    judge.env("PYTHONDONTWRITEBYTECODE", "1");
    let printed = judge.arg(script).arg(youtube.url()).args(videos).output();
    let printed = printed.await.unwrap();
    let complaints = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{complaints}");
    let told: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(
        told,
        json!([
            [
                [
                    "de",
                    false,
                    [[0.0, "Hallo & guten Tag"], [1.5, "noch kleiner"]]
                ],
                ["en", true, [[0.5, "it's a test"]]],
            ],
            "TranscriptsDisabled",
            "RequestBlocked",
            "PoTokenRequired",
            "VideoUnplayable",
            "VideoUnavailable",
        ])
    );
}
