//! The image is described twice, for Docker and for those who have none; both say the same.

use std::collections::BTreeSet;

use crate::workspace::{packages, read};

const DOCKERFILE: &str = "infra/image/Dockerfile";
const WITHOUT_DOCKER: &str = "infra/image/build";

/// The instructions of the last stage, one a line.
fn last_stage() -> Vec<String> {
    let dockerfile = read(DOCKERFILE).replace("\\\n", " ");
    let (_, stage) = dockerfile.rsplit_once("\nFROM ").expect("it has stages");
    let instructions = stage.lines().filter(|line| !line.starts_with('#'));
    instructions.map(str::to_owned).collect()
}

fn value_of<'a>(instructions: &'a [String], name: &str) -> Option<&'a str> {
    let found = instructions.iter().find_map(|line| line.strip_prefix(name));
    found.map(str::trim)
}

#[test]
fn docker_and_buildah_put_the_same_together() {
    let stage = last_stage();
    let script = read(WITHOUT_DOCKER).replace("\\\n", " ").replace('\'', "");
    let (_, options) = script
        .split_once("buildah config ")
        .expect("it sets what the image says of itself");
    let options = options.lines().next().unwrap_or_default();
    assert_eq!(stage.first().map(String::as_str), Some("scratch"));
    assert!(script.contains("buildah from scratch"));

    let given = |name: &str| value_of(&stage, name).expect(name);
    for (option, value) in [
        ("--user", given("USER")),
        ("--cmd", given("CMD")),
        ("--env", given("ENV")),
    ] {
        let option = format!("{option} {value} ");
        assert!(options.contains(&option), "{WITHOUT_DOCKER}: {option}");
    }

    let labels: BTreeSet<String> = given("LABEL")
        .split("\" ")
        .map(|label| label.trim().replace('"', ""))
        .collect();
    assert!(labels.len() > 2, "{labels:?}");
    let theirs: BTreeSet<String> = options
        .split("--label ")
        .skip(1)
        .map(|label| {
            label
                .trim()
                .trim_end_matches(" \"$container\"")
                .trim()
                .to_owned()
        })
        .collect();
    assert_eq!(labels, theirs, "left: Docker's, right: buildah's");

    let instructions = BTreeSet::from(["scratch", "COPY", "USER", "ENV", "LABEL", "CMD"]);
    let found = stage.iter().filter_map(|line| line.split(' ').next());
    let found: BTreeSet<&str> = found.filter(|word| !word.is_empty()).collect();
    assert_eq!(found, instructions, "what buildah would have to do too");
}

/// The programs of either are built by one script, so with the same features and the same profile.
#[test]
fn docker_compiles_as_make_image_does_and_with_the_same_compiler() {
    let dockerfile = read(DOCKERFILE);
    let (build, last) = dockerfile.rsplit_once("\nFROM ").expect("it has stages");
    assert!(build.contains("\nRUN infra/image/programs /image\n"));
    assert!(last.contains("\nCOPY --from=build /image /\n"));
    assert!(read(WITHOUT_DOCKER).contains("infra/image/programs \"$root\""));
    assert!(!build.contains("PROFILE") && !build.contains("FUNCTIONS"));

    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .expect("a channel");
    let compiler = format!("\nFROM docker.io/library/rust:{channel}-slim-");
    assert!(build.contains(&compiler), "{DOCKERFILE}: not {compiler}");
}

#[test]
fn the_guide_counts_the_programs_of_the_image() {
    let programs = packages().iter().filter(|it| it.is_function()).count();
    let counted = format!(" MB for {programs} programs");
    let guide = read("infra/README.md");
    assert!(guide.contains(&counted), "infra/README.md: …{counted}");
}
