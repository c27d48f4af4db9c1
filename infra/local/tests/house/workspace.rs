//! The workspace as cargo sees it, and the repository as git does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

/// Whom a dependency serves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Dev,
    Build,
}

/// One line of a crate's list of dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for an ordinary one, which ends up in the binary.
    pub(crate) kind: Option<Kind>,
    /// Where a crate of ours lies; nothing for other people's.
    path: Option<PathBuf>,
}

impl Dependency {
    pub(crate) fn is_ours(&self) -> bool {
        self.path.is_some()
    }
}

/// Something that cargo makes of a crate.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) name: String,
    pub(crate) test: bool,
    pub(crate) doctest: bool,
}

/// A crate of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The registries that it may be published on.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    manifest_path: PathBuf,
}

impl Package {
    /// Its folder, from the root of the repository.
    pub(crate) fn folder(&self) -> &Path {
        let folder = self.manifest_path.parent().expect("a file has a folder");
        folder
            .strip_prefix(root())
            .expect("a member lies in the repository")
    }

    /// Whether it is one of the programs that are deployed.
    pub(crate) fn is_function(&self) -> bool {
        self.folder().starts_with("functions")
    }

    /// Whether it links `name`, now or in its build script.
    pub(crate) fn links(&self, name: &str) -> bool {
        self.dependencies
            .iter()
            .any(|it| it.name == name && it.kind != Some(Kind::Dev))
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .expect("the root is two folders up")
    });
    &ROOT
}

/// The text of a file of the repository.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// All crates of ours.
pub(crate) fn packages() -> &'static [Package] {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
        let json = output(Command::new(env!("CARGO")).args([
            "metadata",
            "--offline",
            "--format-version=1",
            "--no-deps",
        ]));
        let metadata: Metadata = serde_json::from_slice(&json).expect("cargo speaks JSON");
        assert!(!metadata.packages.is_empty());
        metadata.packages
    });
    &PACKAGES
}

/// What git has, or would have after `git add --all`: paths from the root.
pub(crate) fn tracked_files() -> &'static [PathBuf] {
    static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
        // Whoever owns the folder: a container's checkout often belongs to somebody else.
        let list = output(Command::new("git").args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]));
        let list = String::from_utf8(list).expect("our file names are UTF-8");
        let files: Vec<PathBuf> = list
            .split_terminator('\0')
            .map(PathBuf::from)
            // Deleted, and not yet said so to git.
            .filter(|path| root().join(path).exists())
            .collect();
        assert!(!files.is_empty());
        files
    });
    &FILES
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command
        .current_dir(root())
        .output()
        .unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Fails with all findings at once, so that one run shows what there is to mend.
pub(crate) fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}
