//! Who sent a message.

use nova_runtime::{Identity, Problem};
use rmcp::{ErrorData, RoleServer, service::RequestContext};

/// Who sent a message; the token was checked before the protocol saw the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// The request; the protocol answers it in a task of its own.
    pub(crate) context: nova_runtime::RequestContext,
}

impl Caller {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Self>());
        caller
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("the request came without its caller", None))
    }
    /// A problem as an error of the protocol. The cause of a fault of ours goes to the log, and the id
    /// to both.
    pub(crate) fn error(&self, problem: &Problem) -> ErrorData {
        problem.log();
        let detail = problem.detail();
        if problem.is_our_fault() {
            let request_id = self.context.request_id();
            let told = format!("{detail} Quote {request_id} when you report it.");
            return ErrorData::internal_error(told, None);
        }
        ErrorData::invalid_params(detail.to_owned(), None)
    }
}
