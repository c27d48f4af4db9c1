//! Who is calling: tokens of an `OpenID` Connect issuer, and the browser sessions made of them.
//!
//! A request carries a signed token, in the `Authorization` header or, for a person's browser, in
//! a cookie. [`Verifier`] checks it against the issuer's public keys and gives an [`Identity`];
//! nothing else in Nova decides who somebody is. To read on, in this order: [`Verifier`] is the
//! whole way of a token; `jws` takes it apart, `key_cache` has the keys, `claims` says whether it
//! is for us and for now; [`mod@challenge`] and [`session`] are the way out and the browser's way in.
//!
//! What is refused, and why: `identity` tests of this crate hold the list as hostile tokens.

mod challenge;
mod claims;
mod discovery;
mod error;
mod jws;
mod key_cache;
mod keys;
mod return_to;
mod scopes;
pub mod session;
mod token_cache;
mod verifier;

pub use self::challenge::{bearer_token, challenge};
pub use self::discovery::{Discovery, Metadata};
pub use self::error::{DiscoveryError, TokenError};
pub use self::return_to::ReturnTo;
pub use self::scopes::{Scope, Scopes, UnknownScope};
pub use self::verifier::{Identity, Verifier, VerifierConfig};
