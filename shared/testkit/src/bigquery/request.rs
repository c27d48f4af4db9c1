//! A load as it is asked for, and what is wrong with it.

use serde::Deserialize;

/// What a request must be; anything else in it is refused by name, as Google refuses it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Insert {
    job_reference: JobReference,
    configuration: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JobReference {
    project_id: String,
    job_id: String,
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    load: Configured,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Configured {
    source_uris: Vec<String>,
    source_format: Format,
    destination_table: Destination,
    create_disposition: Creation,
    write_disposition: Replacement,
    schema: Schema,
    time_partitioning: Partitioning,
    clustering: Clustering,
}

/// The formats that are understood here.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Format {
    NewlineDelimitedJson,
}

/// Tables are made here.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Creation {
    CreateIfNeeded,
}

/// Rows are replaced here.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Replacement {
    WriteTruncate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Destination {
    #[serde(rename = "projectId")]
    project: String,
    #[serde(rename = "datasetId")]
    dataset: String,
    #[serde(rename = "tableId")]
    table: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    fields: Vec<Field>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    description: String,
}

/// The types that are understood here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    String,
    Integer,
    Timestamp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Mode {
    #[default]
    Nullable,
    Required,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Partitioning {
    #[serde(rename = "type")]
    kind: Granularity,
    field: String,
    #[serde(default)]
    require_partition_filter: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Granularity {
    Day,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clustering {
    fields: Vec<String>,
}

/// What a table is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its columns.
    pub fields: Vec<Field>,
    /// The column by whose day it is partitioned.
    pub partitioned_by: String,
    /// Whether a query has to say which days it reads.
    pub requires_filter: bool,
    /// The columns by which rows of a day lie together.
    pub clustered_by: Vec<String>,
}

/// A load that can be tried.
pub(super) struct Load {
    pub(super) id: String,
    pub(super) location: Option<String>,
    pub(super) dataset: String,
    pub(super) table_name: String,
    /// `YYYYMMDD`
    pub(super) day: String,
    pub(super) source: String,
    pub(super) table: Table,
}

impl Load {
    pub(super) fn read(body: &[u8], project: &str) -> Result<Self, String> {
        let insert: Insert = serde_json::from_slice(body)
            .map_err(|error| format!("Invalid JSON payload received. {error}"))?;
        let JobReference {
            project_id,
            job_id,
            location,
        } = insert.job_reference;
        let load = insert.configuration.load;
        let Format::NewlineDelimitedJson = load.source_format;
        let Creation::CreateIfNeeded = load.create_disposition;
        let Replacement::WriteTruncate = load.write_disposition;
        let Granularity::Day = load.time_partitioning.kind;
        let destination = load.destination_table;
        if project_id != project || destination.project != project {
            return Err("ProjectId must be the same as in the request's path".to_owned());
        }
        let fits = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        if !(1..=1024).contains(&job_id.len()) || !job_id.chars().all(fits) {
            return Err(format!(
                "Invalid job ID \"{job_id}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long."
            ));
        }
        let [source] = load.source_uris.as_slice() else {
            return Err("One source is understood here".to_owned());
        };
        if !source.starts_with("gs://") {
            return Err(format!(
                "Source URI must be a Google Cloud Storage location: [{source}]"
            ));
        }
        let parts = destination.table.split_once('$');
        let (name, day) = parts.ok_or("Only loads of a partition are understood here")?;
        let is_day = day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
        if !is_day {
            return Err(format!(
                "Invalid time partitioning value in \"{}\"",
                destination.table
            ));
        }
        let table = Table {
            fields: load.schema.fields,
            partitioned_by: load.time_partitioning.field,
            requires_filter: load.time_partitioning.require_partition_filter,
            clustered_by: load.clustering.fields,
        };
        table.check()?;
        Ok(Self {
            id: job_id,
            location,
            dataset: destination.dataset,
            table_name: name.to_owned(),
            day: day.to_owned(),
            source: source.clone(),
            table,
        })
    }
}

impl Table {
    fn check(&self) -> Result<(), String> {
        let field = |name: &str| self.fields.iter().find(|field| field.name == name);
        if self.fields.is_empty() {
            return Err("Schema has no fields.".to_owned());
        }
        if field(&self.partitioned_by).is_none_or(|it| it.kind != Kind::Timestamp) {
            return Err(
                "The field specified for partitioning is not of type TIMESTAMP in the schema"
                    .to_owned(),
            );
        }
        if !(1..=4).contains(&self.clustered_by.len()) {
            return Err("Too many clustering columns specified, the maximum is 4".to_owned());
        }
        match self.clustered_by.iter().find(|name| field(name).is_none()) {
            Some(name) => Err(format!(
                "The field specified for clustering cannot be found in the schema: {name}"
            )),
            None => Ok(()),
        }
    }
}
