//! The built image, as Cloud Run runs it. `make image-test` unpacks it and runs this; a plain
//! `cargo test` does not.

mod cloud;
mod image;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use nova_local::manifest::Manifest;
use serde_json::Value;

use crate::{cloud::Cloud, image::Image};

/// Whoever tries some functions only names them, in the variable that chose them for the build.
fn expected() -> BTreeSet<String> {
    if let Some(some) = std::env::var_os("FUNCTIONS").filter(|some| !some.is_empty()) {
        let some = some.into_string().unwrap();
        return some.split_whitespace().map(str::to_owned).collect();
    }
    let manifest = Manifest::of_this_build().unwrap();
    let entries = manifest
        .services
        .into_keys()
        .chain(manifest.together.into_keys());
    entries.chain(manifest.jobs.into_keys()).collect()
}

#[test]
fn its_programs_are_those_of_the_manifest() {
    assert_eq!(Image::unpacked().programs(), expected());
}

#[test]
fn there_is_nothing_else_in_it_and_nothing_that_its_user_could_change() {
    let image = Image::unpacked();
    let mut files = BTreeSet::new();
    visit(&image.root, &mut |path| {
        let metadata = fs::symlink_metadata(path).unwrap();
        let inside = path
            .strip_prefix(&image.root)
            .unwrap()
            .display()
            .to_string();
        let mode = metadata.permissions().mode();
        assert_eq!((metadata.uid(), metadata.gid()), (0, 0), "{inside}");
        assert_eq!(mode & 0o7022, 0, "{inside}: {mode:o}");
        if !metadata.is_dir() {
            assert!(metadata.is_file(), "{inside} is neither file nor folder");
            files.insert(inside);
        }
    });
    let mut wanted = BTreeSet::from(["etc/ssl/certs/ca-certificates.crt".to_owned()]);
    for name in expected() {
        wanted.insert(format!("bin/{name}"));
        wanted.insert(format!("usr/share/sbom/{name}.cdx.json"));
    }
    assert_eq!(files, wanted, "left: in the image, right: wanted");
    assert!(!["", "0", "root"].contains(&image.user().split(':').next().unwrap()));
}

fn visit(path: &Path, look: &mut impl FnMut(&Path)) {
    look(path);
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), look);
        }
    }
}

#[test]
fn each_program_comes_with_a_list_of_what_it_is_made_of() {
    let lock = include_str!("../../../../Cargo.lock");
    let image = Image::unpacked();
    for name in image.programs() {
        let list = image.root.join(format!("usr/share/sbom/{name}.cdx.json"));
        let text = fs::read_to_string(list).unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list["bomFormat"], "CycloneDX");
        assert_eq!(list["metadata"]["component"]["name"], name);
        let parts = list["components"].as_array().unwrap();
        let has = |wanted: &str| parts.iter().any(|part| part["name"] == wanted);
        assert!(
            has("nova-runtime") && has("rustls") && !has("nova-testkit"),
            "{name}"
        );
        for part in parts {
            let (part, version) = (
                part["name"].as_str().unwrap(),
                part["version"].as_str().unwrap(),
            );
            let locked = format!("name = \"{part}\"\nversion = \"{version}\"\n");
            assert!(
                lock.contains(&locked),
                "{name}: {part} {version} is not in Cargo.lock"
            );
        }
        assert!(
            !text.contains("file:///") || text.contains("file:///nova/"),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_gets_ready_answers_and_ends_when_it_is_told() {
    let cloud = Cloud::start().await;
    let manifest = Manifest::of_this_build().unwrap();
    let services = manifest.services.iter().chain(&manifest.together);
    let mut tried = 0;
    for (name, entry) in services.filter(|(name, _)| cloud.image.programs().contains(*name)) {
        let mut service = cloud.service(name).await;
        service.is_process_1_of_nobody_on_a_root_that_stays_as_it_is(&cloud.image);
        // A route of its own, or of who it answers for; without a token.
        let others = entry
            .answers_for
            .iter()
            .map(|other| &manifest.services[other]);
        let route = entry
            .routes
            .first()
            .or_else(|| others.clone().find_map(|it| it.routes.first()));
        let status = service.get(route.unwrap()).await;
        assert!(
            matches!(status, 200 | 303 | 400 | 401 | 405),
            "{name}{route:?}: {status}"
        );
        service.ends_well_when_told();
        tried += 1;
    }
    assert!(tried > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_a_research_file_from_the_small_deployment_s_services() {
    let cloud = Cloud::start().await;
    let mut front = cloud.service("front").await;
    let smoke = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/smoke"))
        .arg(front.url())
        .env("TOKEN", cloud.token())
        .output()
        .unwrap();
    let said = image::text(&smoke.stdout) + &image::text(&smoke.stderr);
    assert!(smoke.status.success(), "{said}{}", front.last_words());
    assert!(said.contains("ok      and gone"), "{said}");
    front.ends_well_when_told();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exits_with_its_code() {
    let cloud = Cloud::start().await;
    // It has migrated what was empty; now there is nothing to do.
    assert_eq!(cloud.job("migrate", &[]), Some(0));
    assert_eq!(cloud.job("sweep", &[]), Some(0));
    assert_eq!(
        cloud.job("export_analytics", &[]),
        Some(0),
        "nowhere to export to"
    );
    let nobody = [("DATABASE_URL", "postgres://nova@127.0.0.1:1/nova")];
    assert_eq!(
        cloud.job("migrate", &nobody),
        Some(69),
        "a database out of reach"
    );
    assert_eq!(cloud.job("sweep", &nobody), Some(1));
    assert_eq!(
        cloud.job("sweep", &[("DATABASE_URL", "")]),
        Some(64),
        "a setting is missing"
    );
    let once = [
        ("CLOUD_RUN_JOB", "health"),
        ("K_SERVICE", ""),
        ("NOVA_USER", "alice"),
    ];
    let asked = |path| [once[0], once[1], once[2], ("NOVA_ONCE", path)];
    assert_eq!(
        cloud.job("health", &asked(r#"{"path": "/health"}"#)),
        Some(0)
    );
    assert_eq!(
        cloud.job("health", &asked(r#"{"path": "/nowhere"}"#)),
        Some(1)
    );
}
