//! The connection name of an instance: `project:region:instance`, where the project may be `domain:project`.

use std::fmt;

use anyhow::Context as _;

#[derive(Clone, Debug)]
pub(super) struct ConnectionName {
    pub(super) project: String,
    pub(super) region: String,
    pub(super) instance: String,
}

impl ConnectionName {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let parts = || {
            let (rest, instance) = text.rsplit_once(':')?;
            let (project, region) = rest.rsplit_once(':')?;
            let is_project = project.split(':').count() <= 2;
            let is_whole = is_project && !text.split(':').any(str::is_empty);
            is_whole.then_some((project, region, instance))
        };
        let (project, region, instance) =
            parts().with_context(|| format!("not project:region:instance: {text}"))?;
        Ok(Self {
            project: project.to_owned(),
            region: region.to_owned(),
            instance: instance.to_owned(),
        })
    }

    /// `project:instance`, the common name of certificates.
    pub(super) fn common(&self) -> String {
        format!("{}:{}", self.project, self.instance)
    }
}

impl fmt::Display for ConnectionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}:{}",
            self.project, self.region, self.instance
        )
    }
}
