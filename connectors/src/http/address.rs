//! Which addresses may be spoken to: public unicast, and nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 blocks nobody outside may point us at: network, prefix length, what it is.
/// From the IANA special-purpose registry, and the metadata services that live at public-looking addresses.
const BLOCKED_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier-grade NAT address"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a metadata address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a protocol address"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation address"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay address"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking address"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation address"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation address"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved or broadcast address"),
];

/// The IPv6 blocks, first match wins. What is public lies in 2000::/3; everything outside it is refused below, and the
/// names of the well-known forms are here so that the refusal says which one it was.
const BLOCKED_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "an IPv4-mapped address"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4-compatible address"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "a NAT64 address"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a NAT64 address"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "a discard address"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a Teredo address"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a protocol address"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation address"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a 6to4 address"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation address"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a unique local address"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local address"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "a site-local address"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
];

/// Why this address may not be spoken to; `None` for a public one.
#[must_use]
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    BLOCKED_V4
        .iter()
        .find(|(network, length, _)| (bits ^ u32::from(*network)).leading_zeros() >= *length)
        .map(|(_, _, what)| *what)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = u128::from(address);
    let named = BLOCKED_V6
        .iter()
        .find(|(network, length, _)| (bits ^ u128::from(*network)).leading_zeros() >= *length)
        .map(|(_, _, what)| *what);
    let public = bits >> 125 == 0b001;
    named.or(if public { None } else { Some("not a public address") })
}

/// Ends of host names that only mean something inside a network.
const INSIDE_NAMES: &[&str] =
    &["localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa", "corp", "private", "onion"];

/// Why a host name may not even be asked for; `None` when the resolver's answer decides.
#[must_use]
pub(super) fn forbidden_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if name.ends_with('.') {
        return Some("a host name that ends in a dot");
    }
    if !name.contains('.') {
        return Some("a host name without a domain");
    }
    let inside = INSIDE_NAMES.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')));
    if inside {
        return Some("a host name of an inner network");
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every blocked form of the security page is refused, by its first and last addresses where it is a block.
    #[test]
    fn special_addresses_are_forbidden() {
        let blocked = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in blocked {
            assert!(forbidden(address.parse().unwrap()).is_some(), "{address} must be forbidden");
        }
    }

    /// Public addresses just outside the blocks are reached.
    #[test]
    fn public_addresses_are_allowed() {
        let open = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.0",
            "168.63.129.17",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "2003::1",
        ];
        for address in open {
            assert_eq!(forbidden(address.parse().unwrap()), None, "{address}");
        }
    }

    /// Names of inner networks are refused without asking a resolver.
    #[test]
    fn inner_names_are_forbidden() {
        for name in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "foo.localhost",
            "a.local",
            "metadata",
            "metadata.google.internal",
            "router.lan",
            "x.home.arpa",
            "example.com.",
        ] {
            assert!(forbidden_name(name).is_some(), "{name}");
        }
        for name in ["example.com", "hooks.buyer.example", "local.example.com", "mylocalhost.com"] {
            assert_eq!(forbidden_name(name), None, "{name}");
        }
    }

    proptest! {
        /// No way of wrapping an IPv4 address in IPv6 is let through.
        #[test]
        fn wrapped_ipv4_is_never_public(v4: [u16; 2], [a, b, c, d]: [u16; 4]) {
            let [high, lower] = v4;
            for wrapped in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, lower),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, lower),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, lower),
                Ipv6Addr::new(0x64, 0xff9b, 1, a, b, c, high, lower),
                Ipv6Addr::new(0x2002, high, lower, a, b, c, d, 0),
                Ipv6Addr::new(0x2001, 0, a, b, c, d, high, lower),
            ] {
                prop_assert!(forbidden(IpAddr::V6(wrapped)).is_some(), "{wrapped}");
            }
        }
    }
}
