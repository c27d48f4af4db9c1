//! Which licence a file is the text of.

/// Whether a file at the top of a repository is called like one.
pub(super) fn is_licence(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    ["license", "licence", "copying", "unlicense"]
        .iter()
        .any(|it| {
            name == *it
                || name
                    .strip_prefix(it)
                    .is_some_and(|rest| rest.starts_with(['.', '-']))
        })
}

/// Its SPDX identifier, for those that most code is under.
pub(super) fn recognize(text: &str) -> Option<&'static str> {
    const HEAD_WORDS: usize = 120;
    let head: Vec<&str> = text.split_whitespace().take(HEAD_WORDS).collect();
    let head = head.join(" ").to_ascii_lowercase();
    let says = |words: &str| head.contains(words);
    let version = |number: &str| says(&format!("version {number}"));
    Some(
        if says("gnu affero general public license") && version("3") {
            "AGPL-3.0"
        } else if says("gnu lesser general public license") && version("3") {
            "LGPL-3.0"
        } else if says("gnu lesser general public license") && version("2.1") {
            "LGPL-2.1"
        } else if says("gnu general public license") && version("3") {
            "GPL-3.0"
        } else if says("gnu general public license") && version("2") {
            "GPL-2.0"
        } else if says("apache license") && version("2.0") {
            "Apache-2.0"
        } else if says("mozilla public license") && version("2.0") {
            "MPL-2.0"
        } else if says("permission is hereby granted, free of charge") {
            "MIT"
        } else if says("redistribution and use in source and binary forms") {
            if text.contains("Neither the name") {
                "BSD-3-Clause"
            } else {
                "BSD-2-Clause"
            }
        } else if says("permission to use, copy, modify, and/or distribute") {
            "ISC"
        } else if says("this is free and unencumbered software") {
            "Unlicense"
        } else {
            return None;
        },
    )
}
