//! Hashes of personal values, for buyers who look for their own customers.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::{NO_SECRET, PingPackage};
use crate::ping::config::{HashAlgorithm, PingHash};

/// The hashes a destination asks for, by the buyer's names. A value the lead does not have gives none.
pub(super) fn all(
    hashes: &[PingHash],
    secret: Option<&str>,
    package: &PingPackage,
) -> Result<Vec<(String, String)>, String> {
    let mut made = Vec::new();
    for wanted in hashes {
        let field = || package.fields.get(&wanted.field).map(|value| value.to_text().into_owned());
        let Some(value) = package.contacts.get(&wanted.field).cloned().or_else(field) else { continue };
        made.push((wanted.name.clone(), hash(wanted.algorithm, &value, secret).ok_or(NO_SECRET)?));
    }
    Ok(made)
}

/// A value's hash in lower-case hexadecimal digits; `None` for want of a key.
pub(super) fn hash(algorithm: HashAlgorithm, value: &str, secret: Option<&str>) -> Option<String> {
    Some(match algorithm {
        HashAlgorithm::Sha256 => hexadecimal(&Sha256::digest(value)),
        HashAlgorithm::Md5 => hexadecimal(&Md5::digest(value)),
        HashAlgorithm::HmacSha256 => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret?.as_bytes()).ok()?;
            mac.update(value.as_bytes());
            hexadecimal(&mac.finalize().into_bytes())
        }
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published examples: FIPS 180, RFC 1321, RFC 4231 (case 2).
    #[test]
    fn the_published_examples_are_reproduced() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(HashAlgorithm::Sha256, "abc", None).as_deref(), Some(sha256));
        assert_eq!(hash(HashAlgorithm::Md5, "abc", None).as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
        let hmac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let said = "what do ya want for nothing?";
        assert_eq!(hash(HashAlgorithm::HmacSha256, said, Some("Jefe")).as_deref(), Some(hmac));
        assert_eq!(hash(HashAlgorithm::HmacSha256, "abc", None), None);
    }
}
