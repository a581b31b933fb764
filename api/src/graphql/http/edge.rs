//! What a request brings beside its document: from where it comes and with what, and a browser's cookie.
//!
//! A cookie is sent by the browser whoever makes it ask, so it counts only where the browser says that our own pages ask
//! (`Sec-Fetch-Site`, or else `Origin`); JSON by POST alone would not be enough against a page beside ours. A token in
//! `Authorization` is sent by nobody but who holds it.

use axum::http::{HeaderMap, HeaderName, header};
use leadyard_entity::auth::Device;
use leadyard_types::Timestamp;

use crate::http::rates::Origin;

/// The name binds the cookie to this host alone, over https, for all paths.
const COOKIE: &str = "__Host-leadyard";

/// What a request brings beside its document.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// From where and with what.
    pub(crate) device: Device,
    /// Whether our own pages ask.
    pub(crate) is_own_page: bool,
    /// The session of the browser's cookie, if it sent one.
    pub(crate) cookie: Option<String>,
}

impl Edge {
    pub(super) fn of(headers: &HeaderMap, origin: Option<Origin>) -> Self {
        Self {
            device: Device {
                address: origin.map(Origin::shortened),
                network: origin.map(Origin::network),
                agent: text(headers, header::USER_AGENT).map(agent),
            },
            is_own_page: is_own_page(headers),
            cookie: cookie(headers),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The cookie that signs a browser in until then.
pub(crate) fn signed_in(token: &str, now: Timestamp, until: Timestamp) -> String {
    let seconds = (until - now).num_seconds().max(0);
    format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax")
}

/// The cookie that signs a browser out.
pub(crate) fn signed_out() -> String {
    format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = sent.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == COOKIE && !value.is_empty()).map(|(_, value)| value.to_owned())
}

/// Whether a browser says that a page of this very host asks. Whoever says nothing is not believed.
fn is_own_page(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = text(headers, header::HOST);
    let origin = text(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, origin)| host.is_some_and(|host| host.eq_ignore_ascii_case(origin)))
}

/// A program in a few words that people recognise; what it says of itself in full would tell people apart.
fn agent(user_agent: &str) -> String {
    // The first that fits: many name each other.
    const PROGRAMS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("python", "Python"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |words: &[(&str, &'static str)]| {
        words.iter().find(|(word, _)| user_agent.contains(word)).map(|(_, name)| *name)
    };
    match (named(&PROGRAMS), named(&SYSTEMS)) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "another program".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    /// Only what the browser calls our own page is one; a neighbour's page, another site and silence are not.
    #[test]
    fn only_our_own_pages_are_believed() {
        for (sent, own) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://a.example"), ("host", "a.example")], false),
            (&[("origin", "https://a.example"), ("host", "a.example")], true),
            (&[("origin", "https://a.example:8443"), ("host", "a.example:8443")], true),
            (&[("origin", "https://a.example"), ("host", "a.example:8443")], false),
            (&[("origin", "https://a.example.evil.example"), ("host", "a.example")], false),
            (&[("origin", "null"), ("host", "a.example")], false),
            (&[("host", "a.example")], false),
        ] {
            assert_eq!(is_own_page(&headers(sent)), own, "{sent:?}");
        }
    }

    /// Our cookie is found among others; an empty one is none.
    #[test]
    fn the_cookie_is_found() {
        let found = |value| cookie(&headers(&[("cookie", value)]));
        assert_eq!(found("a=b; __Host-leadyard=ly_session_1; c=d").as_deref(), Some("ly_session_1"));
        assert_eq!(found("leadyard=ly_session_1; x__Host-leadyard=y"), None);
        assert_eq!(found("__Host-leadyard="), None);
    }

    /// Programs are told in words, never as they name themselves.
    #[test]
    fn programs_are_shortened() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
        assert_eq!(agent(firefox), "Firefox on Linux");
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0";
        assert_eq!(agent(edge), "Edge on Windows");
        assert_eq!(agent("<script>"), "another program");
    }
}
