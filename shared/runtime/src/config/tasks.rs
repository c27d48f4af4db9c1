//! Who calls for workers, and where.

use url::Url;

use super::{environment::Reader, web_address};

/// Google's own issuer of identities, of service accounts too.
const GOOGLE: &str = "https://accounts.google.com";
const CLOUD_TASKS: &str = "https://cloudtasks.googleapis.com";

/// Who calls for workers: Cloud Tasks, or what stands in for it.
#[derive(Clone, Debug)]
pub struct TasksConfig {
    /// `CLOUD_TASKS_SERVICE_ACCOUNT`: the e-mail of the service account in whose name functions are
    /// called to work. Nobody else may.
    pub service_account: String,
    /// `CLOUD_TASKS_TARGET_URL`: where functions are called; see [`TasksConfig::target`].
    target_url: String,
    /// `CLOUD_TASKS_ISSUER`: who vouches for the service account. Default Google.
    pub issuer: Url,
    /// `CLOUD_TASKS_QUEUE`: `projects/…/locations/…/queues/…`, see [`TasksConfig::queue`]. Without one
    /// nobody is called from here: whoever else watches the jobs calls.
    queue: Option<String>,
    /// `CLOUD_TASKS_BASE_URL`: Google's, or a stand-in.
    pub base_url: Url,
}

impl TasksConfig {
    /// Where a function is called, without a slash at the end; also the audience of the token that
    /// the call carries. `{function}` in the setting stands for its name, spelled as Cloud Run
    /// spells names, with hyphens.
    pub fn target(&self, function: &str) -> String {
        named(self.target_url.trim_end_matches('/'), function)
    }

    /// The queue in which a function's workers are called for. `{function}` in the setting stands for
    /// its name, so that each can have a queue of its own, as fast as the provider behind it allows.
    pub fn queue(&self, function: &str) -> Option<String> {
        let queue = self.queue.as_deref()?;
        Some(named(queue, function))
    }
}

/// `{function}` is the function's name with hyphens, as Cloud Run and Cloud Tasks spell names.
fn named(setting: &str, function: &str) -> String {
    setting.replace("{function}", &function.replace('_', "-"))
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<TasksConfig> {
    let service_account = reader.text("CLOUD_TASKS_SERVICE_ACCOUNT");
    let target_url = reader.parse(
        "CLOUD_TASKS_TARGET_URL",
        "an http or https address, in which {function} stands for a function's name",
        |value| {
            web_address(&value.replace("{function}", "function"))?;
            Some(value.to_owned())
        },
    );
    let issuer = reader.parse(
        "CLOUD_TASKS_ISSUER",
        "an http or https address",
        web_address,
    );
    let base_url = reader.parse(
        "CLOUD_TASKS_BASE_URL",
        "an http or https address",
        web_address,
    );
    let queue = reader.parse(
        "CLOUD_TASKS_QUEUE",
        "projects/PROJECT/locations/LOCATION/queues/QUEUE",
        |value| is_queue(value).then(|| value.to_owned()),
    );
    match (service_account, target_url) {
        (Some(service_account), Some(target_url)) => Some(TasksConfig {
            service_account,
            target_url,
            issuer: issuer.or_else(|| Url::parse(GOOGLE).ok())?,
            queue,
            base_url: base_url.or_else(|| Url::parse(CLOUD_TASKS).ok())?,
        }),
        (None, None) if queue.is_none() => None,
        _ => {
            reader.refuse(
                "CLOUD_TASKS_QUEUE, CLOUD_TASKS_SERVICE_ACCOUNT and CLOUD_TASKS_TARGET_URL belong together",
            );
            None
        }
    }
}

fn is_queue(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts[..], ["projects", project, "locations", location, "queues", queue]
        if ![project, location, queue].contains(&""))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Config, Environment},
        *,
    };

    const QUEUE: (&str, &str) = (
        "CLOUD_TASKS_QUEUE",
        "projects/acme/locations/europe-west1/queues/jobs",
    );
    const ACCOUNT: (&str, &str) = (
        "CLOUD_TASKS_SERVICE_ACCOUNT",
        "bell@acme.iam.gserviceaccount.com",
    );
    const TARGET: (&str, &str) = (
        "CLOUD_TASKS_TARGET_URL",
        "https://{function}-7.europe-west1.run.app/",
    );

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Option<TasksConfig>, String> {
        let config = Config::read(&Environment::from(pairs));
        Ok(config.map_err(|error| error.to_string())?.tasks)
    }

    #[test]
    fn a_function_is_called_where_cloud_run_has_it_and_by_google_unless_told_otherwise() {
        let tasks = read([QUEUE, ACCOUNT, TARGET]).unwrap().unwrap();
        assert_eq!(
            tasks.target("process_github_urls"),
            "https://process-github-urls-7.europe-west1.run.app"
        );
        assert_eq!(tasks.issuer.as_str(), "https://accounts.google.com/");
        assert_eq!(
            tasks.base_url.as_str(),
            "https://cloudtasks.googleapis.com/"
        );
        assert!(read([]).unwrap().is_none());
    }

    #[test]
    fn each_function_can_have_a_queue_of_its_own() {
        let own = "projects/acme/locations/europe-west1/queues/nova-{function}";
        let tasks = read([("CLOUD_TASKS_QUEUE", own), ACCOUNT, TARGET]);
        let tasks = tasks.unwrap().unwrap();
        assert_eq!(
            tasks.queue("process_github_urls").as_deref(),
            Some("projects/acme/locations/europe-west1/queues/nova-process-github-urls")
        );
        let one = read([QUEUE, ACCOUNT, TARGET]).unwrap().unwrap();
        assert_eq!(one.queue("usage").as_deref(), Some(QUEUE.1));
        let none = read([ACCOUNT, TARGET]).unwrap().unwrap();
        assert_eq!(none.queue("usage"), None);
    }

    #[test]
    fn half_of_the_settings_is_refused_and_so_is_a_queue_without_its_place() {
        for halves in [[QUEUE, ACCOUNT], [QUEUE, TARGET]] {
            let error = read(halves).unwrap_err();
            assert!(error.contains("belong together"), "{error}");
        }
        let error = read([("CLOUD_TASKS_QUEUE", "jobs"), ACCOUNT, TARGET]).unwrap_err();
        assert!(
            error.contains("CLOUD_TASKS_QUEUE=jobs: projects/PROJECT"),
            "{error}"
        );
    }
}
