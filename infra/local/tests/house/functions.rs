//! What a function looks like, and that `functions/manifest.json` lists each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::workspace::{Package, assert_none, packages, read, tracked_files};

/// What this test needs of the list of endpoints; its readers know the rest.
#[derive(Deserialize)]
struct Manifest {
    services: BTreeMap<String, Entry>,
    together: BTreeMap<String, Entry>,
    jobs: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    routes: Vec<String>,
    #[serde(default)]
    answers_for: BTreeSet<String>,
    database: Option<String>,
    blobs: Option<String>,
    #[serde(default)]
    secrets: BTreeSet<String>,
    /// A tool that takes long has one.
    queue: Option<serde_json::Value>,
}

impl Manifest {
    fn read() -> Self {
        serde_json::from_str(&read("functions/manifest.json")).expect("a valid manifest")
    }

    fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        let services = self.services.iter().chain(&self.together);
        services.chain(&self.jobs)
    }
}

fn functions() -> impl Iterator<Item = &'static Package> {
    let mut functions = packages().iter().filter(|it| it.is_function()).peekable();
    assert!(functions.peek().is_some());
    functions
}

#[test]
fn the_manifest_lists_every_folder_and_every_folder_is_a_crate_of_its_name() {
    let folders: BTreeSet<&str> = tracked_files()
        .iter()
        .filter_map(|path| path.strip_prefix("functions").ok())
        .filter(|path| path.components().count() > 1)
        .filter_map(|path| path.iter().next()?.to_str())
        .collect();
    let manifest = Manifest::read();
    let listed: BTreeSet<&str> = manifest.entries().map(|(name, _)| name.as_str()).collect();
    let crates: BTreeSet<&str> = functions().map(|it| it.name.as_str()).collect();
    assert_eq!(folders, listed, "left: folders, right: manifest");
    assert_eq!(folders, crates, "left: folders, right: crates");
    assert_eq!(
        listed.len(),
        manifest.services.len() + manifest.together.len() + manifest.jobs.len(),
        "a name stands for one thing"
    );
}

#[test]
fn every_service_has_routes_and_every_route_one_service() {
    let manifest = Manifest::read();
    let mut findings = Vec::new();
    let mut homes = BTreeMap::new();
    for (name, entry) in &manifest.services {
        if entry.routes.is_empty() {
            findings.push(format!("{name} has no route"));
        }
        for route in &entry.routes {
            if !route.starts_with('/') || route.len() > 1 && route.ends_with('/') {
                findings.push(format!("{name}: odd route {route:?}"));
            }
            if let Some(other) = homes.insert(route, name) {
                findings.push(format!("{route} belongs to {other} and to {name}"));
            }
        }
    }
    for (name, other) in manifest.jobs.iter().chain(&manifest.together) {
        if !other.routes.is_empty() {
            findings.push(format!("{name} is no service and has routes"));
        }
    }
    assert_none(&findings);
}

#[test]
fn a_function_links_the_bucket_exactly_where_the_manifest_gives_it_access() {
    let manifest = Manifest::read();
    let mut findings = Vec::new();
    for (name, entry) in manifest.entries() {
        let Some(function) = functions().find(|it| it.name == *name) else {
            continue;
        };
        let for_others = !entry.answers_for.is_empty();
        match (entry.blobs.as_deref(), function.links("nova-blobs")) {
            // It links them, and they the bucket.
            (Some("write"), false) if for_others => {}
            (None, false) | (Some("read" | "write" | "delete" | "export"), true) => {}
            (access, links) => findings.push(format!(
                "{name}: \"blobs\" is {access:?}, and linking nova-blobs is {links}"
            )),
        }
    }
    assert_none(&findings);
}

/// Whoever is left out would have no address in a small deployment.
#[test]
fn front_answers_for_all_services_that_see_one_tenant_alone() {
    let manifest = Manifest::read();
    let front = &manifest.together["front"].answers_for;
    let services: BTreeSet<String> = manifest.services.into_keys().collect();
    let left_out: Vec<&String> = services.difference(front).collect();
    assert_eq!(left_out, ["analytics"]);
    assert!(front.is_subset(&services), "it answers for services alone");
    let linked: BTreeSet<String> = front::FUNCTIONS
        .iter()
        .map(|it| it.name.to_owned())
        .collect();
    assert_eq!(&linked, front, "left: linked, right: manifest");
}

/// What `Secret` keeps from being printed, and nothing else, is kept where secrets are.
#[test]
fn the_manifest_gives_secrets_that_functions_read() {
    let settings: String = tracked_files()
        .iter()
        .filter(|path| path.starts_with("shared/runtime/src"))
        .map(read)
        .collect();
    let mut findings = Vec::new();
    for (name, entry) in Manifest::read().entries() {
        for secret in &entry.secrets {
            if !settings.contains(&format!("\"{secret}\"")) {
                findings.push(format!("{name}: nobody reads {secret}"));
            }
        }
    }
    assert_none(&findings);
}

/// Without a key of theirs it would leave the step out.
#[test]
fn who_does_the_steps_of_others_is_given_their_secrets() {
    let manifest = Manifest::read();
    let research = functions().find(|it| it.name == "research");
    let research = research.expect("it is a function");
    let linked = manifest
        .services
        .iter()
        .filter(|(other, _)| research.links(other));
    let theirs: BTreeSet<String> = linked.flat_map(|(_, it)| it.secrets.clone()).collect();
    assert_eq!(manifest.jobs["research"].secrets, theirs);
}

/// These two say before they charge whether somebody is configured who searches, or watches videos.
/// Nothing else that an agent calls for is done where it calls.
#[test]
fn agents_meet_no_secret_but_those_that_say_what_can_be_had() {
    let services = Manifest::read().services;
    let asked = ["run_perplexity_research", "transcribe_youtube_urls"];
    let theirs: BTreeSet<String> = asked
        .iter()
        .flat_map(|name| services[*name].secrets.clone())
        .collect();
    assert_eq!(services["mcp"].secrets, theirs);
}

#[test]
fn the_manifest_names_roles_that_the_migrations_make() {
    let migrations: String = tracked_files()
        .iter()
        .filter(|path| path.starts_with("migrations"))
        .filter(|path| path.to_string_lossy().ends_with(".up.sql"))
        .map(read)
        .collect();
    let findings: Vec<String> = Manifest::read()
        .entries()
        .filter_map(|(name, entry)| Some((name, entry.database.as_deref()?)))
        // The migrator makes this one, before the first migration.
        .filter(|(_, role)| *role != "nova_owner")
        .filter(|(_, role)| !migrations.contains(&format!("'{role}'")))
        .map(|(name, role)| format!("{name}: no migration makes the role {role}"))
        .collect();
    assert_none(&findings);
}

/// The body of an async `main` compiles all that it awaits once more for every binary; `run` is
/// compiled once, in the runtime. A program may choose its heap, which nothing else can do for it.
#[test]
fn the_main_of_a_function_is_three_lines() {
    const HEAP: [&str; 2] = [
        "#[global_allocator]",
        "static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;",
    ];
    let mut findings = Vec::new();
    for function in functions() {
        let path = function.folder().join("src/main.rs");
        let text = read(&path);
        let code: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .collect();
        let run = format!("nova_runtime::run({}::FUNCTION)", function.name);
        let code = code.strip_prefix(&HEAP).unwrap_or(&code);
        if code != ["fn main() -> std::process::ExitCode {", &run, "}"] {
            findings.push(format!("{} is not the usual three lines", path.display()));
        }
    }
    assert_none(&findings);
}

#[test]
fn no_crate_of_ours_builds_what_nobody_runs() {
    let mut findings = Vec::new();
    for function in functions() {
        for target in &function.targets {
            let is = |kind: &str| target.kind.iter().any(|it| it == kind);
            if is("lib") && target.doctest {
                findings.push(format!("{}: [lib] wants doctest = false", function.name));
            }
            if is("bin") && target.test {
                findings.push(format!("{}: [[bin]] wants test = false", function.name));
            }
            if is("bin") && target.name != function.name {
                findings.push(format!("{}: its program is {}", function.name, target.name));
            }
        }
    }
    assert_none(&findings);
}

/// It knows nothing of Nova, and may be published.
const FOR_STRANGERS: &str = "cloudsql-connector";

#[test]
fn every_crate_is_described_kept_private_and_linted() {
    let mut findings = Vec::new();
    for package in packages() {
        let manifest = read(package.folder().join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true\n") {
            findings.push(format!("{} leaves the workspace's lints out", package.name));
        }
        if package.publish.as_deref() != Some(&[]) && package.name != FOR_STRANGERS {
            findings.push(format!("{} could be published", package.name));
        }
        match package.description.as_deref() {
            Some(description) if !description.starts_with("Part of Nova") => {}
            _ => findings.push(format!("{} does not say what it is", package.name)),
        }
    }
    assert_none(&findings);
}

#[test]
fn agents_reach_every_tool_that_there_is() {
    let nova = read("functions/mcp/src/nova.rs");
    let tools: serde_json::Value =
        serde_json::from_str(&read("functions/mcp/assets/tools.json")).expect("JSON");
    let told: BTreeSet<&str> = tools
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    let manifest = Manifest::read();
    let mut findings = Vec::new();
    for (name, entry) in manifest.entries() {
        let offers = entry.routes.iter();
        for tool in offers.filter_map(|route| route.strip_prefix("/tools/")) {
            let served = if entry.queue.is_some() {
                format!("{name}::CALLS")
            } else {
                format!("{name}::FUNCTION")
            };
            if !nova.contains(&served) {
                findings.push(format!("functions/mcp/src/nova.rs does not serve {served}"));
            }
            if !told.contains(tool) {
                findings.push(format!(
                    "functions/mcp/assets/tools.json does not tell of {tool}"
                ));
            }
        }
    }
    assert_none(&findings);
}
