//! What is left of a request's body when its answer is there.
//!
//! A refusal often comes before the body: many clients send it apart from the headers. A connection of
//! HTTP/1 is of use again only when all of the request was read, and hyper closes it otherwise, without a
//! word: the next request, which a client may be sending already, would be lost. So what still comes is
//! read when it is little, and else the answer says that the connection ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::body::{BoxError, Response};

/// What is read for the sake of the connection.
const LITTLE_BYTES: u64 = 64 * 1024;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request's body that comes back when the handler lets go of it before its end.
pub(super) struct Lent {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Where it comes back.
pub(super) struct Unread {
    body: oneshot::Receiver<Incoming>,
    /// Whether the client sends the body only when it is asked to: then nobody does.
    is_held_back: bool,
}

/// Lends the body of a request. Requests of HTTP/2 do not stand in each other's way, and it keeps theirs.
pub(super) fn lend(request: hyper::Request<Incoming>) -> (hyper::Request<Lent>, Unread) {
    let (back, body) = oneshot::channel();
    let is_held_back = request.headers().contains_key(header::EXPECT);
    let back = (request.version() < Version::HTTP_2).then_some(back);
    let request = request.map(|body| Lent {
        body: Some(body),
        back,
    });
    (request, Unread { body, is_held_back })
}

impl Unread {
    /// Makes the connection fit for the next request, or tells the client that it is not.
    pub(super) async fn settle(mut self, response: &mut Response) {
        // It was read to its end, or is being read by what makes the answer.
        let Ok(body) = self.body.try_recv() else {
            return;
        };
        if self.is_held_back || !read(body).await {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
}

/// Reads a little; whether that was all.
async fn read(mut body: Incoming) -> bool {
    if body.size_hint().lower() > LITTLE_BYTES {
        return false;
    }
    let all = async {
        let mut left = LITTLE_BYTES;
        while let Some(frame) = body.frame().await {
            let length = frame.map(|frame| frame.data_ref().map_or(0, Bytes::len));
            let rest = length.ok().and_then(|it| left.checked_sub(it as u64));
            match rest {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap_or(false)
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // The connection may be gone, and the server's task with it.
            let _nobody_waits = back.send(body);
        }
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}
