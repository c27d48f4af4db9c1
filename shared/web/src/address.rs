//! Which IP addresses belong to the public internet.
//!
//! A source is only ever fetched from a public address: everything else is the machine itself, a
//! neighbour in its network, or the cloud's metadata server. [`is_global`] is asked twice, once
//! when a guideline names an address outright and again by the client for every address that a
//! name resolves to. The rule is one table, [`NOT_GLOBAL`], after IANA's special-purpose
//! registries, plus the ranges that are routed on the internet and still answer only inside a
//! cloud. For IPv6 it is the other way round: only `2000::/3` has been handed out, so only that
//! is global, less the rows of the table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::is_public_name;

/// Address ranges that no source can have, with the reason.
pub const NOT_GLOBAL: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier's own, and Alibaba's metadata"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "Azure's platform address"),
    ("169.254.0.0/16", "link local, metadata servers"),
    ("172.16.0.0/12", "private"),
    (
        "192.0.0.0/24",
        "protocol assignments, and Oracle's metadata",
    ),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "multicast tunnels"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("199.36.153.4/30", "restricted.googleapis.com"),
    ("199.36.153.8/30", "private.googleapis.com"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, and broadcast"),
    ("2001::/23", "protocol assignments, Teredo among them"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4: any IPv4 address inside"),
    ("2600:2d00:2:1000::/56", "restricted.googleapis.com"),
    ("2600:2d00:2:2000::/56", "private.googleapis.com"),
    ("2620:4f:8000::/48", "AS112"),
    ("3fff::/20", "documentation"),
];

/// Whether an address belongs to the public internet.
///
/// An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is judged as what it is.
///
/// ```
/// use nova_web::is_global;
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// assert!(is_global("93.184.216.34".parse()?));
/// assert!(!is_global("169.254.169.254".parse()?));
/// assert!(!is_global("::ffff:10.0.0.1".parse()?));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !in_table(IpAddr::V4(address)),
        IpAddr::V6(address) => {
            address.segments()[0] & 0xe000 == 0x2000 && !in_table(IpAddr::V6(address))
        }
    }
}

/// Addresses of one's own machine and network, which its operator may open.
const OWN_NETWORK: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
];

/// Metadata servers among [`OWN_NETWORK`]: they hand out the machine's own credentials.
const METADATA: &[&str] = &["100.100.100.200/32", "fd00:ec2::/32", "fd20:ce::/32"];

/// Their names.
const METADATA_NAMES: &[&str] = &["metadata", "metadata.goog", "metadata.google.internal"];

/// How far a client may reach.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// The public internet, and nothing else.
    #[default]
    Public,
    /// Also this machine and private networks, but no metadata server. For an operator who wants
    /// the pages of their own network read; never where strangers choose the URLs.
    OwnNetwork,
}

impl Reach {
    /// Whether a connection may be made to the address.
    ///
    /// ```
    /// use nova_web::Reach;
    /// # fn main() -> Result<(), std::net::AddrParseError> {
    /// assert!(!Reach::Public.allows("10.0.0.1".parse()?));
    /// assert!(Reach::OwnNetwork.allows("10.0.0.1".parse()?));
    /// assert!(!Reach::OwnNetwork.allows("169.254.169.254".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        if is_global(address) {
            return true;
        }
        let address = address.to_canonical();
        let within = |ranges: &[&str]| ranges.iter().any(|range| contains(range, address));
        self == Self::OwnNetwork && within(OWN_NETWORK) && !within(METADATA)
    }

    /// Whether a host of this name may be asked for, in lower case and without a dot at its end.
    /// What it resolves to is checked when a connection is made.
    #[must_use]
    pub fn allows_name(self, name: &str) -> bool {
        match self {
            Self::Public => is_public_name(name),
            Self::OwnNetwork => !name.is_empty() && !METADATA_NAMES.contains(&name),
        }
    }
}

fn in_table(address: IpAddr) -> bool {
    NOT_GLOBAL
        .iter()
        .any(|&(range, _)| contains(range, address))
}

/// Whether a range such as `10.0.0.0/8` contains the address.
fn contains(range: &str, address: IpAddr) -> bool {
    let Some((base, length)) = range.split_once('/') else {
        return false;
    };
    let Ok(length) = length.parse::<u32>() else {
        return false;
    };
    match address {
        IpAddr::V4(address) => base
            .parse::<Ipv4Addr>()
            .is_ok_and(|base| (u32::from(base) ^ u32::from(address)).leading_zeros() >= length),
        IpAddr::V6(address) => base
            .parse::<Ipv6Addr>()
            .is_ok_and(|base| (u128::from(base) ^ u128::from(address)).leading_zeros() >= length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(address: &str) -> bool {
        is_global(address.parse().unwrap())
    }

    #[test]
    fn every_row_of_the_table_is_a_range_that_refuses_its_first_and_last_address() {
        for &(range, why) in NOT_GLOBAL {
            let (base, length) = range.split_once('/').unwrap();
            let base: IpAddr = base.parse().unwrap();
            let length: u32 = length.parse().unwrap();
            let (first, last, outside) = match base {
                IpAddr::V4(base) => {
                    let size = u32::MAX.checked_shr(length).unwrap_or(0);
                    let base = u32::from(base);
                    assert_eq!(base & size, 0, "{range} is not aligned");
                    let outside = base.checked_sub(1).map(|it| IpAddr::V4(it.into()));
                    (
                        IpAddr::V4(base.into()),
                        IpAddr::V4((base | size).into()),
                        outside,
                    )
                }
                IpAddr::V6(base) => {
                    let size = u128::MAX >> length;
                    let base = u128::from(base);
                    assert_eq!(base & size, 0, "{range} is not aligned");
                    (
                        IpAddr::V6(base.into()),
                        IpAddr::V6((base | size).into()),
                        None,
                    )
                }
            };
            assert!(contains(range, first) && contains(range, last), "{range}");
            assert!(!is_global(first) && !is_global(last), "{range} ({why})");
            assert!(
                outside.is_none_or(|it| !contains(range, it)),
                "{range} reaches too far"
            );
        }
    }

    #[test]
    fn addresses_of_the_public_internet_are_global() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "199.36.153.12",
            "223.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(global(address), "{address}");
        }
    }

    #[test]
    fn no_reach_includes_metadata_servers_or_what_is_no_host() {
        for address in [
            "0.0.0.0",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "ff02::1",
        ] {
            let address = address.parse().unwrap();
            assert!(!Reach::Public.allows(address), "{address}");
            assert!(!Reach::OwnNetwork.allows(address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "192.168.1.1",
            "::1",
            "fd12::1",
            "::ffff:10.0.0.1",
        ] {
            let address = address.parse().unwrap();
            assert!(!Reach::Public.allows(address), "{address}");
            assert!(Reach::OwnNetwork.allows(address), "{address}");
        }
    }

    #[test]
    fn ipv6_outside_the_space_that_was_handed_out_is_not_global() {
        for address in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "5f00::1",
            "fc00::1",
            "fd20:ce::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!global(address), "{address}");
        }
    }
}
