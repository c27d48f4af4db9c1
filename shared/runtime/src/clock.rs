//! The time of day, handed in: the connector's clock, so that a process has one.

pub use cloudsql_connector::{Clock, ManualClock, SystemClock};
