//! What may be asked of the web, and read of what comes from it, decided without asking anybody.
//!
//! - [`is_global`]: which addresses are the public internet; [`Reach`]: which may be connected to.
//! - [`is_public_name`]: which host names mean something outside one network.
//! - [`WebUrl`]: a URL that may be fetched.
//! - [`CodeHosts`]: which hosts keep code.
//! - [`Robots`]: what a site's robots.txt lets a program read.
//! - [`json`]: how much memory a stranger's JSON would take.
//!
//! It is a crate of its own because both sides need the same answer: the domain, when it reads
//! URLs in somebody's text, and the outgoing client, for every name that it has resolved and every
//! redirect. A second table of addresses would one day differ from the first.

mod address;
mod code;
pub mod json;
mod name;
mod robots;
mod url;

pub use self::{
    address::{NOT_GLOBAL, Reach, is_global},
    code::{CodeHosts, CodeSite},
    name::{is_public_name, is_within},
    robots::{MAX_CRAWL_DELAY, MAX_ROBOTS_BYTES, Robots},
    url::{MAX_URL_BYTES, Refusal, WebUrl},
};
