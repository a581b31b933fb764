//! From where a request comes: the other end of its connection, or whom a trusted proxy forwards for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::Request;
use ipnet::IpNet;

/// The other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Peer(pub(in crate::http) SocketAddr);

/// An address as it is counted: of IPv6 the first half, since that is what one household or server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    /// From where the request comes; `None` for this machine's own, which nobody needs to be kept from.
    pub(in crate::http) fn of(request: &Request, trusted_proxies: &[IpNet]) -> Option<Self> {
        let Peer(peer) = request.extensions().get()?;
        let is_trusted = |address: IpAddr| {
            let address = address.to_canonical();
            address.is_loopback() || trusted_proxies.iter().any(|net| net.contains(&address))
        };
        // Each proxy adds to the end whom it heard: the first from there that is no proxy of ours is the sender.
        // What stands before that is only claimed.
        let mut address = peer.ip();
        let forwarded = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let named: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
        for name in named.into_iter().rev() {
            if !is_trusted(address) {
                break;
            }
            let Some(next) = address_in(name.trim()) else { break };
            address = next;
        }
        Self::counted(address)
    }

    /// What failures are counted by.
    pub(crate) fn network(self) -> String {
        self.0.to_string()
    }

    /// The network it is in, as people may be told: enough to recognise one's own.
    pub(crate) fn shortened(self) -> String {
        match self.0 {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                format!("{}/24", Ipv4Addr::new(a, b, c, 0))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        }
    }

    fn counted(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(v4) => Some(Self(v4.into())),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Some(Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()))
            }
        }
    }
}

/// `203.0.113.7`, `2001:db8::1`, and with a port: `203.0.113.7:80`, `[2001:db8::1]:80`.
fn address_in(name: &str) -> Option<IpAddr> {
    let bare = name.trim_start_matches('[').split(']').next().unwrap_or_default();
    bare.parse().ok().or_else(|| name.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn origin(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer(SocketAddr::new(peer.parse().unwrap(), 1)));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        Origin::of(&request, &trusted).map(|origin| origin.0.to_string())
    }

    /// The sender is the last address that no proxy of ours has; what was claimed before it counts for nothing.
    #[test]
    fn only_trusted_proxies_are_believed() {
        let of = |peer, forwarded: &[&str], trusted: &[&str]| origin(peer, forwarded, trusted);
        assert_eq!(of("203.0.113.7", &[], &[]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("203.0.113.7", &["198.51.100.1"], &[]).as_deref(), Some("203.0.113.7"), "nobody's proxy");
        assert_eq!(of("127.0.0.1", &["198.51.100.1"], &[]).as_deref(), Some("198.51.100.1"));
        assert_eq!(of("127.0.0.1", &["6.6.6.6, 198.51.100.1"], &[]).as_deref(), Some("198.51.100.1"), "claimed");
        assert_eq!(of("127.0.0.1", &["6.6.6.6", "198.51.100.1"], &[]).as_deref(), Some("198.51.100.1"));
        let proxies = ["10.0.0.0/8"];
        assert_eq!(of("10.1.2.3", &["198.51.100.1, 10.9.9.9"], &proxies).as_deref(), Some("198.51.100.1"));
        assert_eq!(of("::ffff:10.1.2.3", &["198.51.100.1"], &proxies).as_deref(), Some("198.51.100.1"));
        assert_eq!(of("10.1.2.3", &["unknown"], &proxies).as_deref(), Some("10.1.2.3"));
        assert_eq!(of("127.0.0.1", &[], &[]), None, "this machine's own");
        assert_eq!(of("::1", &[], &[]), None);
    }

    /// People are told the network, not the address.
    #[test]
    fn addresses_are_shortened() {
        let told = |address: &str| Origin::counted(address.parse().unwrap()).map(Origin::shortened);
        assert_eq!(told("203.0.113.7").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(told("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(told("127.0.0.1"), None);
    }

    /// Of IPv6 a whole network counts as one; ports do not matter.
    #[test]
    fn networks_and_ports_are_one() {
        let of = |forwarded| origin("127.0.0.1", &[forwarded], &[]);
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_eq!(of("[2001:db8:1:2::1]:443"), of("[2001:db8:1:2::9]"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("203.0.113.7:1234"), of("203.0.113.7"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
    }
}
