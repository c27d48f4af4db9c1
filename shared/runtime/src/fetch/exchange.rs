//! One request and the header of its answer, over a connection that nobody else uses.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use super::{
    connect::Connection,
    error::{FetchError, Wait},
    limits::{Deadline, HEADER_BYTES, Limits},
};

/// An answer whose body is still to come, and what brings it.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) connection: AbortOnDropHandle<()>,
}

pub(super) async fn exchange(
    connection: Connection,
    request: Request<Empty<Bytes>>,
    host: &str,
    limits: Limits,
    deadline: Deadline,
) -> Result<Answer, FetchError> {
    let failed = |error: hyper::Error| {
        let host = host.to_owned();
        if error.is_parse_too_large() {
            FetchError::HeaderTooLarge { host }
        } else {
            FetchError::Broken {
                host,
                source: error.into(),
            }
        }
    };
    let (mut sender, connection) = http1::Builder::new()
        // Also what is read ahead of the caller, and so all of a body that is in memory.
        .max_buf_size(HEADER_BYTES)
        .handshake(TokioIo::new(connection))
        .await
        .map_err(failed)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // Its error is also that of the request or the body, which somebody waits for.
        let _reported = connection.await;
    }));
    let sending = sender.send_request(request);
    let response = deadline
        .wait(host, Wait::FirstByte, limits.first_byte, sending)
        .await?
        .map_err(failed)?;
    Ok(Answer {
        response,
        connection,
    })
}
