//! Who may use the Admin API, and for which instance.

use std::sync::Arc;

use super::super::instance;
use super::super::tokens::{ADMIN_SCOPE, CLOUD_SCOPE, Token};
use super::reply::{self, Reply};
use super::{Call, bearer_text};

impl Call {
    /// The token of a request, if it is good for one of these scopes.
    pub(super) fn authorized(&self, scopes: &[&str]) -> Result<Arc<Token>, Box<Reply>> {
        let token = bearer_text(&self.parts).and_then(|text| self.cloud.tokens.find(text));
        let token = token.filter(|it| it.is_valid()).ok_or_else(|| {
            Box::new(reply::error(
                401,
                "authError",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                 login cookie or other valid authentication credential.",
            ))
        })?;
        if token.has_one_of(scopes) {
            Ok(token)
        } else {
            Err(Box::new(reply::error(
                403,
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
            )))
        }
    }

    /// The instance of a request that may use the Admin API.
    pub(super) fn instance(
        &self,
        project: &str,
        instance: &str,
    ) -> Result<Arc<instance::Inner>, Box<Reply>> {
        self.authorized(&[ADMIN_SCOPE, CLOUD_SCOPE])?;
        let found = self.cloud.instances.find(project, instance);
        found.ok_or_else(|| {
            Box::new(reply::error(
                404,
                "instanceDoesNotExist",
                "The Cloud SQL instance does not exist.",
            ))
        })
    }
}
