//! The client for addresses that strangers choose: pages, documents, archives.
//!
//! Whoever may name a URL may try to reach what only this machine can: the metadata server, a
//! neighbour in the network, a port of this machine itself. And whoever answers may answer without
//! end. So, of every request and of every redirect:
//!
//! - The URL is parsed once ([`WebUrl`]): `http` and `https`, ports of the web, a public name.
//! - The name is resolved once. One address that is not global refuses them all, and the
//!   connection is made to an address that was checked: a name whose answer changes meanwhile
//!   changes nothing. No proxy is taken from the environment.
//! - Redirects are followed here and nowhere else, at most five. Credentials stay with the origin
//!   that they were given for; there are no cookies.
//! - Header, body, unpacked body and every wait have a limit ([`Limits`]). A body is a stream
//!   ([`Body`]): what is in memory is one chunk, however large the page.
//! - Sites are treated as one would be treated: few requests at once and a pause between them
//!   ([`Politeness`]), `Retry-After` kept, and robots.txt obeyed unless a person asked for this
//!   very page ([`Initiative`]).
//!
//! Each request has a connection of its own, in HTTP/1.1: what is fetched is mostly one page of a
//! site, and a pool would be one more way to an address that nobody has checked.
//!
//! ```no_run
//! use nova_runtime::fetch::{FetchError, FetchRequest, Fetched, Fetcher, Initiative};
//! # async fn example(fetcher: &Fetcher) -> Result<(), FetchError> {
//! let request = FetchRequest::new("https://example.com/", Initiative::User);
//! match fetcher.fetch(&request).await? {
//!     Fetched::Document(document) => {
//!         let content_type = document.content_type().map(str::to_owned);
//!         let page = document.into_body().collect().await?;
//! #       let _ = (content_type, page);
//!     }
//!     Fetched::NotModified => {}
//! }
//! # Ok(()) }
//! ```

mod body;
mod client;
mod connect;
mod decode;
mod error;
mod exchange;
mod limits;
mod network;
mod politeness;
mod request;
mod response;
mod retry_after;
mod robots;

pub use nova_web::{Refusal, WebUrl};

pub use self::{
    body::Body,
    client::{Fetcher, PRODUCT},
    error::{FetchError, Wait},
    limits::Limits,
    network::{Internet, Network},
    politeness::Politeness,
    request::{ContentTypes, FetchRequest, Initiative},
    response::{Document, Fetched, Validators},
    retry_after::retry_after,
};
