//! Who may know whom.

use crate::workspace::{Kind, Package, assert_none, packages};

/// What each shared crate may link of ours.
const SHARED: &[(&str, &[&str])] = &[
    ("cloudsql-connector", &[]),
    ("nova-testkit", &[]),
    ("nova-web", &[]),
    ("nova-research", &["nova-web"]),
    ("nova-store", &[]),
    (
        "nova-runtime",
        &["cloudsql-connector", "nova-store", "nova-web"],
    ),
    ("nova-blobs", &["nova-runtime", "nova-store"]),
    (
        "nova-providers",
        &["nova-research", "nova-runtime", "nova-web"],
    ),
    (
        "nova-reading",
        &[
            "nova-blobs",
            "nova-providers",
            "nova-research",
            "nova-runtime",
            "nova-store",
        ],
    ),
];

/// What each function may link of ours.
const FUNCTIONS: &[&str] = &[
    "nova-runtime",
    "nova-store",
    "nova-blobs",
    "nova-providers",
    "nova-reading",
    "nova-research",
];

/// The crates that may link functions: they serve several of them at once.
const GATHERS_FUNCTIONS: &[&str] = &["front", "mcp", "nova-local", "research"];

/// Crates of other people that only some of ours may link, so that what they stand for stays in
/// one place.
const CONFINED: &[(&str, &[&str])] = &[
    // It weighs three megabytes in a binary: a function that touches no file does not carry it.
    ("google-cloud-storage", &["nova-blobs"]),
    // SQL is written in nova-store; the runtime opens the pool, through the connector's bridge; the
    // testkit makes databases.
    (
        "sqlx",
        &[
            "cloudsql-connector",
            "nova-store",
            "nova-runtime",
            "nova-testkit",
        ],
    ),
];

/// What the domain does without: it is explained with no network, no database and no clock.
const NOT_IN_RESEARCH: &[&str] = &[
    "axum",
    "futures-util",
    "gcp_auth",
    "http",
    "hyper",
    "hyper-util",
    "reqwest",
    "sqlx",
    "tokio",
    "tracing",
];

fn may_link(package: &Package, other: &str) -> bool {
    if package.name == "nova-local" {
        return true;
    }
    if package.is_function() {
        let other_is_function = packages()
            .iter()
            .any(|it| it.name == other && it.is_function());
        return FUNCTIONS.contains(&other)
            || other_is_function && GATHERS_FUNCTIONS.contains(&package.name.as_str());
    }
    SHARED
        .iter()
        .any(|(name, links)| *name == package.name && links.contains(&other))
}

#[test]
fn every_shared_crate_has_its_place_among_the_arrows() {
    let findings: Vec<String> = packages()
        .iter()
        .filter(|it| !it.is_function() && it.name != "nova-local")
        .filter(|it| !SHARED.iter().any(|(name, _)| *name == it.name))
        .map(|it| format!("{} is not in the table of arrows", it.name))
        .collect();
    assert_none(&findings);
}

#[test]
fn a_crate_links_only_what_it_may_know() {
    let mut findings = Vec::new();
    for package in packages() {
        for other in package.dependencies.iter().filter(|it| it.is_ours()) {
            // Tests may use the stand-ins of the testkit, which itself knows none of us.
            let in_tests = other.kind == Some(Kind::Dev)
                && other.name == "nova-testkit"
                && package.name != "nova-testkit";
            // Its own tests may switch on more of a crate's features than others do.
            let itself = other.kind == Some(Kind::Dev) && other.name == package.name;
            if !in_tests && !itself && !may_link(package, &other.name) {
                findings.push(format!("{} knows {}", package.name, other.name));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn what_is_confined_is_linked_by_its_crates_alone() {
    let mut findings = Vec::new();
    for (name, homes) in CONFINED {
        for package in packages() {
            if package.links(name) && !homes.contains(&package.name.as_str()) {
                findings.push(format!("{} links {name}", package.name));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn research_does_without_network_database_and_runtime() {
    let research = packages()
        .iter()
        .find(|it| it.name == "nova-research")
        .expect("nova-research is a member");
    let findings: Vec<String> = NOT_IN_RESEARCH
        .iter()
        .filter(|name| research.links(name))
        .map(|name| format!("nova-research links {name}"))
        .collect();
    assert_none(&findings);
}
