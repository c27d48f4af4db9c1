#![doc = include_str!("../README.md")]
//!
//! # Where to read on
//!
//! [`Connector`] opens connections, its [`ConnectorBuilder`] has the settings. `PgBridge` and
//! `MySqlBridge` are for sqlx. [`tokens`] is where credentials come from. [`Error`] says what went
//! wrong and what to do; [`Observer`] is told what happens.

mod admin;
mod authorities;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-mysql"))]
mod bridge;
mod builder;
mod clock;
mod connector;
mod dial;
mod dns;
#[cfg(feature = "doctor")]
mod doctor;
mod domains;
mod error;
#[cfg(test)]
mod fake;
mod http;
mod instance;
mod json;
mod key;
mod observe;
mod pem;
mod refresh;
mod refusal;
mod remedy;
mod retry;
mod settings;
mod stream;
mod tls;
pub mod tokens;

#[cfg(feature = "sqlx-mysql")]
pub use self::bridge::MySqlBridge;
#[cfg(feature = "sqlx-postgres")]
pub use self::bridge::PgBridge;
#[cfg(feature = "dns")]
pub use self::dns::DnsResolver;
#[cfg(feature = "doctor")]
pub use self::doctor::Finding;
pub use self::{
    builder::ConnectorBuilder,
    clock::{Clock, ManualClock, SystemClock},
    connector::Connector,
    dns::{DnsError, Resolver},
    error::{Error, ErrorKind, Step},
    instance::{InstanceName, is_instance},
    observe::{Counters, Event, Observer, Snapshot},
    refresh::Refresh,
    settings::{Engine, IpType},
    stream::Stream,
};
