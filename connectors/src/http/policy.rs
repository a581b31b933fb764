//! Where we may send to: the rules every outward request is held against before a socket is opened.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use url::{Host, Url};

use super::address::{forbidden, forbidden_name};

/// The ports of the web; a lead has no business at a database or a mail server.
const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// The longest URL taken: longer ones carry data that belongs into the body.
const URL_LENGTH_MAX: usize = 2_048;

/// Long enough for a transatlantic handshake with a lost packet, short enough not to hold a worker.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps one slow host from taking every connection, and us from flooding a small receiver. Several destinations may lie
/// on one host (a form service, a CRM), so it is a multiple of what one of them takes at once: one that hangs must not be
/// in the others' way.
const PER_HOST_CONCURRENCY: usize = 64;

/// The rules of outward requests. There is no way to read one from a configuration file: the list of exceptions can
/// only be given by code of this process (the demo and the tests).
#[derive(Debug, Clone)]
pub struct OutboundPolicy {
    production: bool,
    allow: Vec<SocketAddr>,
    pub(crate) connect_timeout: Duration,
    pub(crate) per_host_concurrency: usize,
}

impl OutboundPolicy {
    /// The rules of a deployment. In production only https is spoken.
    #[must_use]
    pub fn new(production: bool) -> Self {
        Self {
            production,
            allow: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            per_host_concurrency: PER_HOST_CONCURRENCY,
        }
    }

    /// Lets one exact address and port pass the checks of address and port (not that of https). For the demo and the
    /// tests, whose receivers live on loopback.
    #[must_use]
    pub fn allowing(mut self, address: SocketAddr) -> Self {
        self.allow.push(address);
        self
    }

    /// Sets how long a connection may take to be made.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many requests to one host may be under way at once, at least one.
    #[must_use]
    pub fn with_per_host_concurrency(mut self, requests: usize) -> Self {
        self.per_host_concurrency = requests.max(1);
        self
    }

    /// Whether this deployment is a production one.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.production
    }

    /// Parses a URL and holds it against everything that can be known without asking a resolver. The error says what is
    /// wrong, never what was given.
    pub fn check_url(&self, url: &str) -> Result<Url, &'static str> {
        if url.len() > URL_LENGTH_MAX {
            return Err("the URL is longer than 2048 characters");
        }
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("the URL contains white space or control characters");
        }
        let url = Url::parse(url).map_err(|_| "not an absolute URL")?;
        match url.scheme() {
            "https" => {}
            "http" if !self.production => {}
            "http" => return Err("only https is allowed in production"),
            _ => return Err("only https is allowed"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL contains a user name or password; use a header instead");
        }
        let port = url.port_or_known_default().ok_or("the URL has no port")?;
        let literal: Option<IpAddr> = match url.host() {
            None => return Err("the URL has no host"),
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            Some(Host::Domain(name)) => match forbidden_name(name) {
                Some(_) => return Err("the host is a name of an inner network, or not a full domain name"),
                None => None,
            },
        };
        if let Some(ip) = literal {
            if self.allow.contains(&SocketAddr::new(ip, port)) {
                return Ok(url);
            }
            if forbidden(ip).is_some() {
                return Err("the host is an address that may not be reached from here");
            }
        }
        if !PORTS.contains(&port) {
            return Err("the port is not one of 80, 443, 8080 and 8443");
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hostile and merely wrong URLs are refused before anything is resolved, in production and out of it.
    #[test]
    fn hostile_urls_are_refused() {
        let hostile = [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://0/",
            "https://①②⑦.0.0.1/",
            "https://127。0。0。1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://0xa9fea9fe/",
            "https://100.100.100.200/",
            "https://metadata.google.internal/",
            "https://metadata/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://a.localhost/",
            "https://loc%61lhost/",
            "https://example.com./",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://@127.0.0.1/",
            "https://example.com@127.0.0.1/",
            "https://example.com:22/",
            "https://example.com:5432/",
            "https://example.com:0/",
            "https://10.0.0.8/",
            "https://192.168.1.1/",
            "https://172.20.0.1/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:text/plain,x",
            "//example.com/",
            "example.com",
            "",
            "https://",
            "https:///",
            "https://exa mple.com/",
            "https://example.com/\r\nHost: x",
            "https://example.com/\t",
        ];
        for url in hostile {
            for production in [true, false] {
                assert!(OutboundPolicy::new(production).check_url(url).is_err(), "{url} must be refused");
            }
        }
        assert!(OutboundPolicy::new(true).check_url(&format!("https://example.com/{}", "a".repeat(2_048))).is_err());
    }

    /// Plain http is only spoken outside production; ordinary https always.
    #[test]
    fn ordinary_urls_pass() {
        let (production, trial) = (OutboundPolicy::new(true), OutboundPolicy::new(false));
        for url in ["https://hooks.example.com/a?b=c", "https://example.com:8443/", "https://1.1.1.1/"] {
            assert!(production.check_url(url).is_ok(), "{url}");
            assert!(trial.check_url(url).is_ok(), "{url}");
        }
        assert!(production.check_url("http://example.com/").is_err());
        assert!(trial.check_url("http://example.com/").is_ok());
    }

    /// An exception is one exact address and port, and no name profits from it.
    #[test]
    fn exceptions_are_exact() {
        let policy = OutboundPolicy::new(false).allowing("127.0.0.1:4711".parse().unwrap());
        assert!(policy.check_url("http://127.0.0.1:4711/x").is_ok());
        assert!(policy.check_url("http://127.0.0.1:4712/x").is_err());
        assert!(policy.check_url("http://127.0.0.2:4711/x").is_err());
        assert!(policy.check_url("http://[::1]:4711/x").is_err());
        assert!(policy.check_url("http://[::ffff:127.0.0.1]:4711/x").is_err());
        assert!(policy.check_url("http://localhost:4711/x").is_err());
        assert!(policy.check_url("http://u@127.0.0.1:4711/x").is_err());
        let production = OutboundPolicy::new(true).allowing("127.0.0.1:4711".parse().unwrap());
        assert!(production.check_url("http://127.0.0.1:4711/x").is_err());
    }

    proptest! {
        /// However an inner address is written, it is refused.
        #[test]
        fn every_writing_of_an_inner_address_is_refused(
            block in prop::sample::select(vec![0_u8, 10, 127, 224, 240, 255]),
            [b, c, d]: [u8; 3],
            port in prop::sample::select(vec!["", ":443", ":8080"]),
        ) {
            let bits = u32::from_be_bytes([block, b, c, d]);
            let low = u32::from_be_bytes([0, b, c, d]);
            for host in [
                format!("{block}.{b}.{c}.{d}"),
                format!("{block}.{b}.{c}.{d}."),
                format!("{bits}"),
                format!("0x{bits:x}"),
                format!("0X{bits:08X}"),
                format!("0{bits:o}"),
                format!("{block}.{low}"),
                format!("0x{block:x}.0{b:o}.{c}.0x{d:x}"),
                format!("{block}.{b}.{}", u32::from_be_bytes([0, 0, c, d])),
                format!("[::ffff:{block}.{b}.{c}.{d}]"),
                format!("[::{block}.{b}.{c}.{d}]"),
                format!("[64:ff9b::{block}.{b}.{c}.{d}]"),
            ] {
                let url = format!("https://{host}{port}/");
                prop_assert!(OutboundPolicy::new(true).check_url(&url).is_err(), "{url}");
            }
        }

        /// No text panics, and what passes is https to a full name or a public address.
        #[test]
        fn any_url_is_survived(url in "(https?://)?[\\PC]{0,40}") {
            if let Ok(passed) = OutboundPolicy::new(true).check_url(&url) {
                prop_assert_eq!(passed.scheme(), "https");
                prop_assert!(passed.host_str().is_some_and(|host| host.contains(['.', ':'])));
            }
        }
    }
}
