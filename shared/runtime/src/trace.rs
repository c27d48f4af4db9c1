//! Which request, and which trace, the running code belongs to.
//!
//! Cloud Logging groups lines by trace. The id comes with the request (`traceparent`, else
//! `X-Cloud-Trace-Context`) and is kept in a task-local that the log writer reads.

use http::HeaderMap;
use uuid::Uuid;

tokio::task_local! {
    pub(crate) static CURRENT: RequestContext;
}

/// What ties log lines to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    pub(crate) request_id: String,
    pub(crate) trace: Option<Trace>,
}

/// A position in a distributed trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    /// 16 hexadecimal digits.
    pub(crate) span_id: Option<String>,
    pub(crate) sampled: bool,
}

impl RequestContext {
    /// Work for which nobody sent a request.
    pub fn new() -> Self {
        Self::of(&HeaderMap::new())
    }

    /// The id to quote when something fails.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Does work as a part of this request: its log lines say so. A task that it spawns is no part
    /// of it.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), work)
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let trace = text("traceparent")
            .and_then(Trace::from_traceparent)
            .or_else(|| text("x-cloud-trace-context").and_then(Trace::from_cloud_trace_context));
        // Always our own: an id that a caller chooses could be made to look like another's.
        Self {
            request_id: Uuid::now_v7().simple().to_string(),
            trace,
        }
    }
}

impl Trace {
    /// `00-<trace>-<span>-<flags>`, <https://www.w3.org/TR/trace-context/#traceparent-header>.
    fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.trim().splitn(4, '-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let valid = is_hex(version, 2)
            && version != "ff"
            && is_id(trace_id, 32)
            && is_id(span_id, 16)
            && flags.get(..2).is_some_and(|flags| is_hex(flags, 2));
        let flags = u8::from_str_radix(flags.get(..2)?, 16).ok()?;
        valid.then(|| Self {
            id: trace_id.to_owned(),
            span_id: Some(span_id.to_owned()),
            sampled: flags & 1 == 1,
        })
    }

    /// `<trace>/<span as a decimal number>;o=1`, what Google's load balancers send.
    fn from_cloud_trace_context(value: &str) -> Option<Self> {
        let (ids, options) = value.trim().split_once(';').unwrap_or((value.trim(), ""));
        let (trace_id, span) = ids.split_once('/').unwrap_or((ids, ""));
        let trace_id = trace_id.to_ascii_lowercase();
        is_id(&trace_id, 32).then(|| Self {
            id: trace_id,
            span_id: span
                .parse::<u64>()
                .ok()
                .filter(|id| *id != 0)
                .map(|id| format!("{id:016x}")),
            sampled: options == "o=1",
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_w3c_trace_is_read() {
        let trace = Trace::from_traceparent(&format!("00-{ID}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!((trace.id.as_str(), trace.sampled), (ID, true));
        assert_eq!(trace.span_id.as_deref(), Some("00f067aa0ba902b7"));
    }

    #[test]
    fn a_google_trace_is_read_and_its_span_becomes_hexadecimal() {
        let trace = Trace::from_cloud_trace_context(&format!("{ID}/255;o=1")).unwrap();
        assert_eq!(trace.span_id.as_deref(), Some("00000000000000ff"));
        assert!(trace.sampled);
        assert!(Trace::from_cloud_trace_context(ID).is_some());
    }

    #[test]
    fn what_is_not_a_trace_is_ignored() {
        for value in [
            "",
            "00",
            "00-0-0-0",
            "\"}",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::from_traceparent(value), None, "{value}");
            assert_eq!(Trace::from_cloud_trace_context(value), None, "{value}");
        }
    }
}
