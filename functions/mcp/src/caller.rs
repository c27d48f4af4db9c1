//! Who sent a message.

use nova_runtime::Identity;
use rmcp::{ErrorData, RoleServer, service::RequestContext};

/// Who sent a message; the token was checked before the protocol saw the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// The id to quote when something fails.
    pub(crate) request_id: String,
}

impl Caller {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Self>());
        caller
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("the request came without its caller", None))
    }
}
