//! Log lines: JSON for Cloud Logging by tracing-stackdriver, or text on a terminal; on standard error.
//!
//! Numbers in fields are whole, and their names say of what (`duration_ms`, `cost_micros`): any other
//! number tracing-stackdriver writes as a string, by which nothing can be summed or compared.
//!
//! Every line passes through one writer, which adds what tracing-stackdriver cannot (the request and
//! trace that the line belongs to) and takes out what must not be there (tokens and passwords).

mod redact;

use std::{
    error::Error,
    io::{self, Write as _},
    str::FromStr as _,
};

use tracing_subscriber::{
    Layer as _, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::redact::redact;
use crate::{
    config::{Config, LogFormat},
    trace,
};

/// Starts logging for the whole process; later calls change nothing.
pub fn start(config: &Config) {
    let filter = Targets::from_str(&config.log_level).unwrap_or_default();
    let writer = Lines {
        project: config.project.clone(),
        json: config.log_format == LogFormat::Json,
    };
    let layer = match config.log_format {
        LogFormat::Json => tracing_stackdriver::layer()
            .with_source_location(false)
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .compact()
            .with_target(false)
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
    };
    // A second start in one process (tests) keeps the first.
    drop(tracing_subscriber::registry().with(layer).try_init());
}

/// An error and all that caused it, for a line that tells of it: what writes JSON leaves sources out.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Makes a [`Line`] for each event.
struct Lines {
    project: Option<String>,
    json: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            lines: self,
            text: Vec::with_capacity(512),
        }
    }
}

/// Collects one event and writes it in one piece, so that lines of threads do not mix.
struct Line<'a> {
    lines: &'a Lines,
    text: Vec<u8>,
}

impl io::Write for Line<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let text = redact(&text);
        let context = trace::CURRENT.try_with(Clone::clone).ok();
        let line = match context {
            Some(context) if self.lines.json => {
                with_request(&text, &context, self.lines.project.as_deref())
            }
            _ => text.into_owned(),
        };
        // Nobody is left to be told when standard error is closed.
        drop(io::stderr().lock().write_all(line.as_bytes()));
    }
}

/// Inserts the special fields of Cloud Logging after the first brace.
fn with_request(line: &str, context: &trace::RequestContext, project: Option<&str>) -> String {
    use std::fmt::Write as _;
    let Some(rest) = line.strip_prefix('{') else {
        return line.to_owned();
    };
    // The ids are hexadecimal digits and project ids letters, digits and hyphens: nothing to escape.
    let mut out = format!(
        "{{\"logging.googleapis.com/labels\":{{\"request_id\":\"{}\"}},",
        context.request_id
    );
    if let (Some(trace), Some(project)) = (&context.trace, project) {
        let id = &trace.id;
        let _infallible = write!(
            out,
            "\"logging.googleapis.com/trace\":\"projects/{project}/traces/{id}\",\
             \"logging.googleapis.com/trace_sampled\":{},",
            trace.sampled
        );
        if let Some(span) = &trace.span_id {
            let _infallible = write!(out, "\"logging.googleapis.com/spanId\":\"{span}\",");
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{RequestContext, Trace};

    #[test]
    fn an_error_is_told_with_what_caused_it() {
        let address = url::Url::parse("nowhere").unwrap_err();
        let error = crate::http_client::HttpError::from(address);
        assert_eq!(
            causes(&error),
            "the address cannot be read: relative URL without a base"
        );
    }

    #[test]
    fn a_line_of_a_request_names_request_and_trace() {
        let context = RequestContext {
            request_id: "0190".to_owned(),
            trace: Some(Trace {
                id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
                span_id: Some("00f067aa0ba902b7".to_owned()),
                sampled: true,
            }),
        };
        let line = with_request("{\"message\":\"hello\"}\n", &context, Some("acme"));
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            line["logging.googleapis.com/trace"],
            "projects/acme/traces/4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(line["logging.googleapis.com/spanId"], "00f067aa0ba902b7");
        assert_eq!(line["logging.googleapis.com/labels"]["request_id"], "0190");
        assert_eq!(line["message"], "hello");
    }
}
