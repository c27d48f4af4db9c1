//! How pages of others are fetched.

use nova_web::Reach;
use url::Url;

use super::{environment::Reader, web_address};

/// How pages of others are fetched.
#[derive(Clone, Debug, Default)]
pub struct FetchConfig {
    /// `NOVA_ALLOW_PRIVATE_URLS`: whether pages of this machine and of private networks may be
    /// read. For one's own use of one's own network; default `false`.
    pub allow_private_urls: bool,
    /// `NOVA_CONTACT_URL`: where the owner of a site learns who reads it; part of the user agent.
    pub contact_url: Option<Url>,
}

impl FetchConfig {
    /// What may be read.
    pub const fn reach(&self) -> Reach {
        if self.allow_private_urls {
            Reach::OwnNetwork
        } else {
            Reach::Public
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> FetchConfig {
    FetchConfig {
        allow_private_urls: reader.flag("NOVA_ALLOW_PRIVATE_URLS"),
        contact_url: reader.parse("NOVA_CONTACT_URL", "an http or https address", web_address),
    }
}
