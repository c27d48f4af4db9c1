//! A file's way into a partition.

use std::io::{BufRead as _, BufReader, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    Failure,
    request::{Field, Kind, Load, Mode, Table},
};
use crate::objects::ObjectStore;

/// The lines of a load's file, all of which are rows of its partition.
pub(super) async fn read(objects: &ObjectStore, load: &Load) -> Result<Vec<String>, Failure> {
    let content = fetch(objects, &load.source).await?;
    let is_packed = content.starts_with(&[0x1f, 0x8b]);
    let lines: Box<dyn Read> = if is_packed {
        Box::new(MultiGzDecoder::new(&*content))
    } else {
        Box::new(&*content)
    };
    let mut kept = Vec::new();
    for line in BufReader::new(lines).lines() {
        let line =
            line.map_err(|error| Failure::invalid(format!("Error while reading data: {error}")))?;
        let row = serde_json::from_str(&line).map_err(|error| {
            Failure::invalid(format!(
                "Error while reading data, error message: JSON parsing error in row: {error}"
            ))
        })?;
        load.table.check_row(&row).map_err(Failure::invalid)?;
        if load.table.day_of(&row).as_ref() != Some(&load.day) {
            return Err(Failure::invalid(format!(
                "Some rows belong to different partitions rather than destination partition {}${}",
                load.table_name, load.day
            )));
        }
        kept.push(line);
    }
    Ok(kept)
}

async fn fetch(objects: &ObjectStore, source: &str) -> Result<Bytes, Failure> {
    let not_found = || Failure {
        reason: "notFound".to_owned(),
        message: format!("Not found: URI {source}"),
    };
    let path = source.strip_prefix("gs://").unwrap_or_default();
    let (bucket, name) = path.split_once('/').ok_or_else(not_found)?;
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let request = Request::get(format!("/storage/v1/b/{bucket}/o/{name}?alt=media"))
        .body(Full::<Bytes>::default())
        .map_err(|error| Failure::invalid(error.to_string()))?;
    let unwell = |what: String| Failure {
        reason: "backendError".to_owned(),
        message: what,
    };
    let cut = objects.handle(request).await;
    let answer = cut.map_err(|error| unwell(error.to_string()))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(not_found()),
        other => return Err(unwell(format!("The bucket answered {other}"))),
    }
    let body = answer.into_body().collect().await;
    Ok(body.map_err(|error| unwell(error.to_string()))?.to_bytes())
}

impl Table {
    fn check_row(&self, row: &Map<String, Value>) -> Result<(), String> {
        let known = |name: &String| self.fields.iter().any(|field| field.name == *name);
        if let Some(unknown) = row.keys().find(|name| !known(name)) {
            return Err(format!("No such field: {unknown}."));
        }
        for field in &self.fields {
            field.check(row.get(&field.name).unwrap_or(&Value::Null))?;
        }
        Ok(())
    }

    fn day_of(&self, row: &Map<String, Value>) -> Option<String> {
        let at = moment(row.get(&self.partitioned_by)?)?;
        let (year, month, day) = at.to_offset(UtcOffset::UTC).date().to_calendar_date();
        Some(format!("{year:04}{:02}{day:02}", u8::from(month)))
    }
}

impl Field {
    fn check(&self, value: &Value) -> Result<(), String> {
        let Self { name, kind, .. } = self;
        let fits = match kind {
            _ if value.is_null() => {
                return match self.mode {
                    Mode::Nullable => Ok(()),
                    Mode::Required => Err(format!("Missing required field: {name}.")),
                };
            }
            Kind::String => value.is_string(),
            Kind::Integer => value.is_i64(),
            Kind::Timestamp => moment(value).is_some(),
        };
        if fits {
            return Ok(());
        }
        Err(format!(
            "Could not convert value to {kind:?}. Field: {name}; Value: {value}"
        ))
    }
}

/// Of the forms that BigQuery reads, the one with a zone. It keeps microseconds.
fn moment(value: &Value) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()?;
    (at.nanosecond() % 1000 == 0).then_some(at)
}
