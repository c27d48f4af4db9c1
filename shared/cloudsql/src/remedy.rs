//! What to do about a refusal of the Admin API, in words.

use crate::refusal::Refusal;

/// What was asked, by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The project of the instance.
    pub(crate) project: Option<&'a str>,
    /// The instance or the DNS name.
    pub(crate) name: &'a str,
    /// Whose quota is used, when it was said.
    pub(crate) quota_project: Option<&'a str>,
}

/// `principal` is who asked, where that is known.
pub(crate) fn remedy(
    refusal: &Refusal,
    asked: Asked<'_>,
    principal: Option<&str>,
) -> Option<String> {
    let who = principal.unwrap_or("the caller");
    let project = asked.project.unwrap_or("the instance's project");
    let text = match refusal.status {
        _ if refusal.is_quota() => {
            "wait, or raise the quota of sqladmin.googleapis.com; one connector for the process asks least"
                .to_owned()
        }
        401 => "Google does not accept the credentials: check that they are those of an account that \
                exists, and this machine's clock"
            .to_owned(),
        403 if refusal.message.contains("requires a quota project") => {
            "name a quota project: set it on the connector, or run \
             gcloud auth application-default set-quota-project PROJECT"
                .to_owned()
        }
        403 if refusal.is_for(&["accessNotConfigured", "SERVICE_DISABLED"]) => {
            // The project of the credentials or of the quota, which need not be the instance's.
            let consumer = refusal.consumer.as_deref();
            let number = consumer.and_then(|it| it.strip_prefix("projects/"));
            let project = number.or(asked.quota_project).unwrap_or(project);
            format!(
                "enable sqladmin.googleapis.com: \
                 gcloud services enable sqladmin.googleapis.com --project {project}"
            )
        }
        403 if refusal.is_for(&["USER_PROJECT_DENIED"]) => {
            let project = asked.quota_project.unwrap_or("the quota project");
            format!("grant roles/serviceusage.serviceUsageConsumer on {project} to {who}")
        }
        403 if refusal.is_for(&["ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"]) => {
            "the token's scopes are too narrow: give the machine or the credentials the scope \
             https://www.googleapis.com/auth/sqlservice.admin or cloud-platform"
                .to_owned()
        }
        // Google says this of instances that do not exist, too.
        403 => format!(
            "grant roles/cloudsql.client to {who} in {project}; if it has that, check the name {}",
            asked.name
        ),
        404 => format!(
            "no such instance: check the name {} and the project{}",
            asked.name,
            asked.project.map(|it| format!(" {it}")).unwrap_or_default()
        ),
        500.. | 408 => "try again later; see https://status.cloud.google.com".to_owned(),
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked {
        project: Some("proj"),
        name: "proj:main",
        quota_project: None,
    };
    const PAID: Asked<'_> = Asked {
        quota_project: Some("payer"),
        ..ASKED
    };

    fn found(status: u16, reasons: &[&str], asked: Asked<'_>, who: Option<&str>) -> String {
        let refusal = Refusal {
            status,
            reasons: reasons.iter().map(ToString::to_string).collect(),
            ..Refusal::default()
        };
        remedy(&refusal, asked, who).unwrap_or_default()
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        let disabled = "gcloud services enable sqladmin.googleapis.com --project";
        let me = Some("me@proj.iam");
        for (found, wanted) in [
            (
                found(403, &["accessNotConfigured"], ASKED, me),
                format!("{disabled} proj"),
            ),
            (
                found(403, &["SERVICE_DISABLED", "forbidden"], PAID, me),
                format!("{disabled} payer"),
            ),
            (
                found(403, &["notAuthorized"], ASKED, me),
                "grant roles/cloudsql.client to me@proj.iam in proj".to_owned(),
            ),
            (
                found(403, &["PERMISSION_DENIED", "forbidden"], ASKED, None),
                "grant roles/cloudsql.client to the caller in proj".to_owned(),
            ),
            (
                found(403, &["USER_PROJECT_DENIED", "forbidden"], PAID, me),
                "grant roles/serviceusage.serviceUsageConsumer on payer to me@proj.iam".to_owned(),
            ),
            (
                found(403, &["ACCESS_TOKEN_SCOPE_INSUFFICIENT"], ASKED, me),
                "the scope https://www.googleapis.com/auth/sqlservice.admin".to_owned(),
            ),
            (
                found(403, &["rateLimitExceeded"], ASKED, me),
                "quota".to_owned(),
            ),
            (
                found(403, &[], ASKED, None),
                "roles/cloudsql.client".to_owned(),
            ),
            (
                found(404, &["instanceDoesNotExist"], ASKED, None),
                "no such instance: check the name proj:main and the project proj".to_owned(),
            ),
            (
                found(401, &["authError"], ASKED, None),
                "credentials".to_owned(),
            ),
            (found(429, &[], ASKED, None), "quota".to_owned()),
            (found(503, &[], ASKED, None), "try again later".to_owned()),
        ] {
            assert!(found.contains(&wanted), "{found:?} lacks {wanted:?}");
        }
        assert_eq!(found(400, &["invalid"], ASKED, None), "");
    }

    #[test]
    fn who_has_no_quota_project_is_told_how_to_name_one() {
        let refusal = Refusal {
            status: 403,
            reasons: vec!["SERVICE_DISABLED".to_owned()],
            message: "The API requires a quota project, which is not set by default.".to_owned(),
            ..Refusal::default()
        };
        let found = remedy(&refusal, ASKED, None).unwrap();
        assert!(found.contains("set-quota-project"), "{found}");
    }

    #[test]
    fn the_project_that_has_the_service_disabled_is_the_one_google_names() {
        let refusal = Refusal {
            status: 403,
            reasons: vec!["SERVICE_DISABLED".to_owned()],
            consumer: Some("projects/4711".to_owned()),
            ..Refusal::default()
        };
        let found = remedy(&refusal, ASKED, None).unwrap();
        assert!(found.ends_with("--project 4711"), "{found}");
    }
}
