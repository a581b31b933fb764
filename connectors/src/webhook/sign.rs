//! Standard Webhooks 1.0 signatures: `v1,` and the HMAC-SHA256 of `{id}.{timestamp}.{body}` in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use leadyard_types::{FieldProblem, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What a shared secret begins with.
const PREFIX: &str = "whsec_";

/// A secret's length in bytes, as the specification bounds it.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How far a signature's time may be from the receiver's clock: the specification's libraries take five minutes.
pub const TOLERANCE_SECONDS: i64 = 5 * 60;

/// A secret cannot be used to sign. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` and 24 to 64 bytes in base64")]
pub struct InvalidSecret;

/// A new secret from 32 random bytes of the operating system (injected, as all randomness is).
#[must_use]
pub fn new_secret(random: [u8; 32]) -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(random)).into()
}

/// Whether a text can be used as a secret.
pub fn check_secret(field: &str, secret: &SecretString) -> Result<(), FieldProblem> {
    key(secret).map(|_| ()).map_err(|error| FieldProblem::new(field, "INVALID_SECRET", error.to_string()))
}

fn key(secret: &SecretString) -> Result<Vec<u8>, InvalidSecret> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX).ok_or(InvalidSecret)?;
    let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
    if KEY_BYTES.contains(&key.len()) { Ok(key) } else { Err(InvalidSecret) }
}

/// The headers of a signed message: one signature for each secret that is active, so that a receiver can change over.
pub fn signature_headers(
    secrets: &[SecretString],
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<Vec<(String, String)>, InvalidSecret> {
    let timestamp = now.timestamp().to_string();
    let signatures: Result<Vec<String>, InvalidSecret> = secrets
        .iter()
        .map(|secret| Ok(format!("v1,{}", STANDARD.encode(mac(secret, id, &timestamp, body)?))))
        .collect();
    Ok(vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), timestamp),
        ("webhook-signature".to_owned(), signatures?.join(" ")),
    ])
}

fn mac(secret: &SecretString, id: &str, timestamp: &str, body: &[u8]) -> Result<Vec<u8>, InvalidSecret> {
    // The parts are joined by dots, so an id with a dot could be read in two ways.
    if id.contains('.') {
        return Err(InvalidSecret);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).map_err(|_| InvalidSecret)?;
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Why a received message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is missing or cannot be read.
    #[error("a signature header is missing or cannot be read")]
    Incomplete,
    /// It was signed too long ago, or in the future.
    #[error("the signature's time is not within five minutes")]
    Stale,
    /// No signature fits.
    #[error("no signature fits")]
    Forged,
}

/// What a receiver does: checks a message against its secrets. `header` gives a header's value by its lower-case name;
/// `now` is the receiver's clock, `None` takes any time.
pub fn verify<'message>(
    secrets: &[SecretString],
    header: impl Fn(&str) -> Option<&'message str>,
    body: &[u8],
    now: Option<Timestamp>,
) -> Result<(), Unverified> {
    let field = |name: &str| header(name).ok_or(Unverified::Incomplete);
    let (id, timestamp, signatures) = (field("webhook-id")?, field("webhook-timestamp")?, field("webhook-signature")?);
    let seconds: i64 = timestamp.parse().map_err(|_| Unverified::Incomplete)?;
    if now.is_some_and(|now| now.timestamp().abs_diff(seconds) > TOLERANCE_SECONDS.unsigned_abs()) {
        return Err(Unverified::Stale);
    }
    let fits = secrets.iter().any(|secret| {
        let Ok(expected) = mac(secret, id, timestamp, body) else { return false };
        signatures
            .split(' ')
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|given| bool::from(expected.ct_eq(given.as_slice())))
    });
    if fits { Ok(()) } else { Err(Unverified::Forged) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn check(secrets: &[SecretString], headers: &[(String, String)], body: &[u8], now: i64) -> Result<(), Unverified> {
        let find = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        verify(secrets, find, body, Some(moment(now)))
    }

    /// The example of the specification's own reference libraries.
    #[test]
    fn the_published_example_is_reproduced() {
        let secret: SecretString = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let body = br#"{"test": 2432232314}"#;
        let headers =
            signature_headers(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", moment(1_614_265_330), body).unwrap();
        assert_eq!(headers[1].1, "1614265330");
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn several_secrets_sign_side_by_side() {
        let (old, new, other) = (new_secret([1; 32]), new_secret([2; 32]), new_secret([3; 32]));
        let headers = signature_headers(&[old.clone(), new.clone()], "id", moment(100), b"x").unwrap();
        for receiver in [&old, &new] {
            assert_eq!(check(std::slice::from_ref(receiver), &headers, b"x", 100), Ok(()));
        }
        assert_eq!(check(&[other], &headers, b"x", 100), Err(Unverified::Forged));
        assert_eq!(check(&[], &headers, b"x", 100), Err(Unverified::Forged));
        assert_eq!(check(std::slice::from_ref(&old), &headers, b"x", 401), Err(Unverified::Stale));
        assert_eq!(check(std::slice::from_ref(&old), &headers, b"x", -201), Err(Unverified::Stale));
        assert_eq!(check(&[old], &headers[..2], b"x", 100), Err(Unverified::Incomplete));
    }

    #[test]
    fn only_proper_secrets_are_taken() {
        assert!(check_secret("secret", &new_secret([7; 32])).is_ok());
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?", long.as_str()] {
            let problem = check_secret("secret", &wrong.into()).unwrap_err();
            assert_eq!(problem.code, "INVALID_SECRET");
        }
        assert!(signature_headers(&[new_secret([7; 32])], "with.dot", moment(0), b"").is_err());
    }

    proptest! {
        /// What was signed verifies; one changed bit anywhere does not.
        #[test]
        fn one_changed_bit_is_noticed(key: [u8; 32], id in "[a-z0-9-]{1,36}", time in 0_i64..4_000_000_000, body: Vec<u8>, flip: prop::sample::Index, bit in 0_u8..8) {
            let secrets = [new_secret(key)];
            let headers = signature_headers(&secrets, &id, moment(time), &body).unwrap();
            prop_assert_eq!(check(&secrets, &headers, &body, time), Ok(()));
            let mut changed_key = key;
            changed_key[flip.index(32)] ^= 1 << bit;
            prop_assert_eq!(check(&[new_secret(changed_key)], &headers, &body, time), Err(Unverified::Forged));
            if !body.is_empty() {
                let mut changed = body.clone();
                changed[flip.index(body.len())] ^= 1 << bit;
                prop_assert_eq!(check(&secrets, &headers, &changed, time), Err(Unverified::Forged));
            }
            let mut later = headers.clone();
            later[1].1 = (time + 1).to_string();
            prop_assert_eq!(check(&secrets, &later, &body, time), Err(Unverified::Forged));
            let mut renamed = headers;
            renamed[0].1.push('x');
            prop_assert_eq!(check(&secrets, &renamed, &body, time), Err(Unverified::Forged));
        }
    }
}
