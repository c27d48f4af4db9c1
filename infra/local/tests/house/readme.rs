//! What the README promises is there.

use std::collections::BTreeSet;

use crate::workspace::{assert_none, read, root, tracked_files};

#[test]
fn the_readme_names_only_targets_of_the_makefile() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    let mut findings = Vec::new();
    for command in ["`make ", "$ make ", "$(make "] {
        for rest in readme.split(command).skip(1) {
            // `make -s token USER=alice` and `make fmt check test`
            let targets = rest.split(['`', '\n', ')', '#']).next().unwrap_or_default();
            for target in targets.split_whitespace() {
                let is_target = target
                    .bytes()
                    .all(|it| it.is_ascii_lowercase() || it == b'-');
                let is_option = target.starts_with('-');
                if is_target && !is_option && !makefile.contains(&format!("\n{target}:")) {
                    findings.push(format!("`make {target}` is not a target"));
                }
            }
        }
    }
    assert_none(&findings);
}

/// The walk is made in the clone, and nothing of it is a change to the project.
#[test]
fn git_ignores_what_the_walk_of_the_readme_writes() {
    let readme = read("README.md");
    let commands = readme.lines().filter(|line| line.starts_with("$ "));
    let written: Vec<&str> = commands
        .filter_map(|line| line.split_once(" > ")?.1.split_whitespace().next())
        .chain(["research.md"])
        .collect();
    assert_eq!(written, ["guideline.md", "memory.py", "research.md"]);
    let ignored = read(".gitignore");
    let findings: Vec<String> = written
        .iter()
        .filter(|name| !ignored.lines().any(|line| line == format!("/{name}")))
        .map(|name| format!("{name} is not in .gitignore"))
        .collect();
    assert_none(&findings);
}

#[test]
fn the_links_of_the_readme_lead_somewhere() {
    let readme = read("README.md");
    let findings: Vec<String> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.contains("://") && !root().join(link).exists())
        .map(|link| format!("{link} does not exist"))
        .collect();
    assert_none(&findings);
}

#[test]
fn the_readme_lists_every_setting_and_no_other() {
    let (_, table) = read("README.md")
        .split_once("\n## Settings\n")
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .expect("the README has a section on settings");
    let listed: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert!(!listed.is_empty());

    let read_there: BTreeSet<String> = tracked_files()
        .iter()
        .filter(|path| {
            path.with_extension("")
                .starts_with("shared/runtime/src/config")
        })
        .flat_map(|path| {
            let source = read(path);
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            names_in(code).collect::<Vec<_>>()
        })
        .collect();
    assert!(read_there.contains("DB_NAME") && read_there.contains("PORT"));
    let read_anywhere: BTreeSet<String> = tracked_files()
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .filter(|path| path.iter().any(|it| it == "src"))
        .flat_map(|path| names_in(&read(path)).collect::<Vec<_>>())
        .collect();

    let missing = read_there
        .difference(&listed)
        .map(|name| format!("{name} is read and not in the README"));
    // Cloud Run sets it, nobody else does.
    let missing = missing.filter(|line| !line.starts_with("K_SERVICE "));
    let unknown = listed
        .difference(&read_anywhere)
        .map(|name| format!("{name} is in the README and nobody reads it"));
    assert_none(&missing.chain(unknown).collect::<Vec<_>>());
}

/// String literals that look like the name of a variable of the environment.
fn names_in(source: &str) -> impl Iterator<Item = String> {
    source
        .split('"')
        .filter(|it| *it == "PORT" || it.contains('_') && !it.starts_with('_'))
        .filter(|it| it.bytes().all(|it| it.is_ascii_uppercase() || it == b'_'))
        .map(str::to_owned)
}
