//! The guarded resolver: a name is only as good as every address it resolves to.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{forbidden, forbidden_name};

/// The addresses of a name, or an I/O error.
pub type NameAnswer = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for the addresses of a host name. The system's resolver outside tests.
pub trait NameResolver: Send + Sync + std::fmt::Debug {
    /// The addresses of `name`.
    fn addresses(&self, name: &str) -> NameAnswer;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl NameResolver for SystemResolver {
    fn addresses(&self, name: &str) -> NameAnswer {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name was refused, or resolved to an address that may not be reached.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the host resolves to {0}")]
pub(crate) struct ForbiddenName(pub(crate) &'static str);

/// Puts the address check between a resolver and the connector. The connector dials exactly the addresses that were
/// checked, so a second, different answer (rebinding) never counts.
pub(crate) struct GuardedResolver(pub(crate) Arc<dyn NameResolver>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        if let Some(what) = forbidden_name(name.as_str()) {
            return Box::pin(std::future::ready(Err(ForbiddenName(what).into())));
        }
        let answer = self.0.addresses(name.as_str());
        Box::pin(async move {
            let found = answer.await?;
            // One forbidden address condemns the name: an honest destination has none, and a mixed answer is how
            // rebinding begins.
            if let Some(what) = found.iter().find_map(|address| forbidden(*address)) {
                return Err(ForbiddenName(what).into());
            }
            if found.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
            }
            let sockets: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}
