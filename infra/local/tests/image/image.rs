//! The image, unpacked into a folder, and its programs started as Cloud Run starts them.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Makes the folder `$1` the root, which nobody can write to, with what every container finds in its
/// root, and the program `$3` process 1 in it, as the user `$2`. What is mounted here is gone with the
/// program.
const ENTER: &str = r#"
mkdir -p "$1/dev" "$1/proc" &&
mount -o bind,ro "$1" "$1" &&
mount -o bind,ro /dev "$1/dev" &&
mount -t proc proc "$1/proc" &&
exec chroot --groups= --userspec="$2" "$1" "$3""#;

/// What `make image-test` has unpacked.
pub(crate) struct Image {
    pub(crate) root: PathBuf,
    /// Of the image's configuration: who runs it, and which settings it brings along.
    config: Value,
}

impl Image {
    /// The one that the environment names.
    pub(crate) fn unpacked() -> Self {
        let named = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            PathBuf::from(
                value.unwrap_or_else(|| panic!("{name} is missing: use `make image-test`")),
            )
        };
        let described = fs::read(named("NOVA_IMAGE_CONFIG")).unwrap();
        let described: Value = serde_json::from_slice(&described).unwrap();
        Self {
            root: named("NOVA_IMAGE_ROOT").canonicalize().unwrap(),
            config: described["config"].clone(),
        }
    }

    pub(crate) fn programs(&self) -> BTreeSet<String> {
        let programs = fs::read_dir(self.root.join("bin")).unwrap();
        programs
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Who runs the programs, as `user:group`.
    pub(crate) fn user(&self) -> &str {
        self.config["User"].as_str().unwrap_or_default()
    }

    /// A command that runs a program with these settings and nothing else of ours.
    pub(crate) fn command(&self, program: &str, settings: &[(String, String)]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "sh", "-c", ENTER, "enter"])
            .arg(&self.root)
            .args([self.user(), &format!("/bin/{program}")])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.brought_along())
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn brought_along(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.config["Env"].as_array().into_iter().flatten();
        settings.filter_map(|setting| setting.as_str()?.split_once('='))
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
