//! Clients that know the wire and nothing else.

mod http;
mod postgres;
mod tls;

pub(crate) use self::http::{Answer, get, post, post_form};
pub(crate) use postgres::{Message, Session};
pub(crate) use tls::{
    Key, Seen, connect, connect_by_tls12, connect_for, connect_with, settings, subject,
};
