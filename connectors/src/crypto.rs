//! The cryptography behind TLS.

/// Installs *ring* as the process's TLS cryptography, unless one is installed already. Every client here calls it; a
/// program may call it first thing, as often as it likes.
pub fn install_crypto() {
    // An error means that a provider is there already, which is what was wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
