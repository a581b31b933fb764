//! The second factor: codes of an authenticator (RFC 6238), and recovery codes for those who lost it. Secrets are sealed,
//! recovery codes are keyed hashes, and what was used once is used up: the database says so, not this process.

use leadyard_types::UserId;
use secrecy::SecretString;
use totp_rs::{Builder, Totp};

use super::hex;
use crate::error::{StoreError, StoreResult};
use crate::keyring::{Place, random_bytes};
use crate::model::{recovery_code, user_account};
use crate::store::Write;

/// What authenticators show beside the address.
const ISSUER: &str = "leadyard";
/// As RFC 4226 recommends: 160 bits.
const SECRET_BYTES: usize = 20;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

/// A second factor to be confirmed; shown this once.
#[derive(Debug)]
pub struct NewTotp {
    /// The secret in base 32, for typing in.
    pub secret: SecretString,
    /// The same as a link, for a QR code.
    pub url: SecretString,
}

fn fault(error: impl std::fmt::Display) -> StoreError {
    StoreError::Fault(format!("second factor: {error}"))
}

fn place(user: UserId) -> Place {
    Place::new("user_account", "totp_secret", user.0)
}

/// Six digits every thirty seconds, the neighbours of the present ones too: what every authenticator knows.
fn totp(secret: &[u8], account: &str) -> StoreResult<Totp> {
    // A colon would end the account's name in the link.
    let account = account.replace(':', " ");
    let builder = Builder::new().with_secret(secret).with_account_name(account).with_issuer(Some(ISSUER));
    builder.build().map_err(fault)
}

/// The code of a secret at a moment, in seconds: what a person's authenticator shows.
#[cfg(feature = "testing")]
pub fn code_at(secret: &str, seconds: u64) -> StoreResult<String> {
    let secret = totp_rs::Secret::try_from_base32(secret).map_err(|_| fault("no base 32"))?;
    Ok(totp(secret.as_bytes(), "test")?.generate(seconds).to_string())
}

impl Write {
    /// Gives a user a secret that counts once it is confirmed. The user is locked, and has no second factor.
    pub async fn begin_totp(&self, user: &user_account::Model) -> StoreResult<NewTotp> {
        let random = random_bytes()?;
        let secret = random.get(..SECRET_BYTES).unwrap_or(&random);
        let made = totp(secret, &user.email)?;
        let sealed = self.store.keyring().seal_secret(place(UserId(user.id)), secret)?;
        let sql = "UPDATE user_account SET totp_secret = ?, totp_since = NULL, totp_step = NULL WHERE id = ?";
        self.run(sql, vec![sealed.into(), user.id.into()]).await?;
        let url = made.to_url().map_err(fault)?;
        Ok(NewTotp { secret: made.secret().to_base32().into(), url: url.into() })
    }

    /// Uses a code of the authenticator up: `true` for the first who shows it. The user is locked.
    async fn use_code(&self, user: &user_account::Model, code: &str) -> StoreResult<bool> {
        let Some(sealed) = &user.totp_secret else { return Ok(false) };
        let secret = self.store.keyring().open_secret(place(UserId(user.id)), sealed)?;
        let now = u64::try_from(self.store.clock().now().timestamp()).unwrap_or_default();
        let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
        let Some(step) = totp(&secret, &user.email)?.check(&code, now) else { return Ok(false) };
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let sql = "UPDATE user_account SET totp_step = ? WHERE id = ? AND (totp_step IS NULL OR totp_step < ?)";
        Ok(self.run(sql, vec![step.into(), user.id.into(), step.into()]).await? == 1)
    }

    /// Uses a code of the authenticator, or a recovery code, up.
    pub async fn use_second_factor(&self, user: &user_account::Model, code: &str) -> StoreResult<bool> {
        if self.use_code(user, code).await? {
            return Ok(true);
        }
        let sql = "UPDATE recovery_code SET used_at = ? WHERE user_id = ? AND code_hash = ? AND used_at IS NULL";
        let hash = self.recovery_hash(UserId(user.id), code);
        Ok(self.run(sql, vec![self.store.clock().now().into(), user.id.into(), hash.into()]).await? == 1)
    }

    fn recovery_hash(&self, user: UserId, code: &str) -> Vec<u8> {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        self.store.keyring().keyed_hash(&[b"recovery_code", user.0.as_bytes(), code.as_bytes()]).to_vec()
    }

    /// Lets the secret count from now on, if the code is one of it. Answers the recovery codes, shown this once.
    pub async fn confirm_totp(&self, user: &user_account::Model, code: &str) -> StoreResult<Option<Vec<SecretString>>> {
        if !self.use_code(user, code).await? {
            return Ok(None);
        }
        let sql = "UPDATE user_account SET totp_since = ? WHERE id = ?";
        self.run(sql, vec![self.store.clock().now().into(), user.id.into()]).await?;
        self.run("DELETE FROM recovery_code WHERE user_id = ?", vec![user.id.into()]).await?;
        let (mut codes, mut rows) = (Vec::new(), Vec::new());
        for _ in 0..RECOVERY_CODES {
            let letters = hex(random_bytes()?.get(..8).unwrap_or_default());
            let (left, right) = letters.split_at(letters.len() / 2);
            let code = format!("{left}-{right}");
            let code_hash = self.recovery_hash(UserId(user.id), &code);
            rows.push(recovery_code::Model { user_id: user.id, code_hash, used_at: None });
            codes.push(code.into());
        }
        self.insert_all::<recovery_code::Entity>(rows).await?;
        Ok(Some(codes))
    }

    /// Takes a user's second factor away.
    pub async fn disable_totp(&self, user: UserId) -> StoreResult<()> {
        let sql = "UPDATE user_account SET totp_secret = NULL, totp_since = NULL, totp_step = NULL WHERE id = ?";
        self.run(sql, vec![user.0.into()]).await?;
        self.run("DELETE FROM recovery_code WHERE user_id = ?", vec![user.0.into()]).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes are those of RFC 6238, appendix B (SHA-1; the last six of its eight digits), and the link holds the secret.
    #[test]
    fn codes_are_those_of_the_standard() {
        let made = totp(b"12345678901234567890", "ada@a.example").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(made.generate(seconds).to_string(), code);
            assert_eq!(made.check(code, seconds + 30), Some(seconds / 30), "a neighbour counts, as its own step");
            assert_eq!(made.check(code, seconds + 90), None);
        }
        let url = made.to_url().unwrap();
        assert!(url.starts_with("otpauth://totp/") && url.contains("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{url}");
    }
}
