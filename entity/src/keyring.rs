//! Keys and sealing: a person's data lies under that person's key, which lies under the deployment's master key.
//!
//! Erasing a person deletes their key; every copy of what it sealed is then dead too. Lookups (duplicates,
//! suppression) work on keyed hashes of normalised values, never on the values.

use std::path::Path;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use leadyard_types::{PersonId, Timestamp};
use sea_orm::{ActiveModelTrait, DatabaseConnection, EntityTrait, Set};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::data_key;

/// A keyed hash of a normalised value.
pub type IndexHash = [u8; 32];

/// A 256-bit key. `Debug` does not show it.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// A key from the operating system's randomness.
    pub fn generate() -> StoreResult<Self> {
        Ok(Self(random_bytes()?))
    }
}

/// 256 bits from the operating system's randomness, for secrets and tokens.
pub fn random_bytes() -> StoreResult<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Fault(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// Where a sealed value lies. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row.
    pub row: Uuid,
}

impl Place {
    /// The place of a column in a row.
    #[must_use]
    pub const fn new(table: &'static str, column: &'static str, row: Uuid) -> Self {
        Self { table, column, row }
    }

    fn associated_data(&self) -> Vec<u8> {
        format!("{}.{}:{}", self.table, self.column, self.row).into_bytes()
    }
}

/// The master keys: the first wraps what is new, the others still open what is old.
#[derive(Debug, Clone)]
pub struct MasterKeys(Vec<(String, SealKey)>);

impl MasterKeys {
    /// One new key.
    pub fn generate() -> StoreResult<Self> {
        Ok(Self(vec![("1".to_owned(), SealKey::generate()?)]))
    }

    /// Reads a key file: one `id:base64` of 32 bytes per line, the current one first; `#` begins a comment.
    pub fn parse(text: &str) -> StoreResult<Self> {
        let fault = |line: usize| {
            StoreError::Fault(format!("master key file, line {line}: `id:base64 of 32 bytes` is expected"))
        };
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, encoded) = line.split_once(':').ok_or_else(|| fault(index + 1))?;
            let bytes = STANDARD.decode(encoded.trim()).map_err(|_| fault(index + 1))?;
            let key: [u8; 32] = bytes.try_into().map_err(|_| fault(index + 1))?;
            if key == [0; 32] {
                return Err(StoreError::Fault("the master key is all zeros: make a real one".to_owned()));
            }
            keys.push((id.trim().to_owned(), SealKey(key)));
        }
        if keys.is_empty() { Err(fault(1)) } else { Ok(Self(keys)) }
    }

    /// Reads the key file, or makes one that only its owner can read.
    pub fn load_or_create(path: &Path) -> StoreResult<Self> {
        let unreadable =
            |error: std::io::Error| StoreError::Fault(format!("master key file {}: {error}", path.display()));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let keys = Self::generate()?;
                write_private(path, &keys.to_text()).map_err(unreadable)?;
                Ok(keys)
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    fn to_text(&self) -> String {
        let lines: String = self.0.iter().map(|(id, key)| format!("{id}:{}\n", STANDARD.encode(key.0))).collect();
        format!(
            "# leadyard master keys. Keep this file safe and apart from the database: without it personal data is lost.\n{lines}"
        )
    }

    fn current(&self) -> StoreResult<&(String, SealKey)> {
        self.0.first().ok_or_else(|| StoreError::Fault("no master key".to_owned()))
    }

    fn get(&self, id: &str) -> Option<&SealKey> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }
}

/// Writes a file that only its owner can read, and never over an existing one.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The deployment's keys, opened.
#[derive(Debug, Clone)]
pub struct Keyring {
    masters: MasterKeys,
    index: SealKey,
    secrets: SealKey,
}

/// A person's key, wrapped for storing.
#[derive(Debug, Clone)]
pub struct WrappedPersonKey {
    /// Which master key wraps it.
    pub master_key_id: String,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

impl Keyring {
    /// Opens the deployment's keys, making them at first start.
    pub(crate) async fn open(
        connection: &DatabaseConnection,
        masters: MasterKeys,
        now: Timestamp,
    ) -> StoreResult<Self> {
        let index = data_key(connection, &masters, "index", now).await?;
        let secrets = data_key(connection, &masters, "secrets", now).await?;
        Ok(Self { masters, index, secrets })
    }

    /// The keyed hash of a field's normalised value: equal values of one field give equal hashes.
    #[must_use]
    pub fn index_hash(&self, field: &str, value: &str) -> IndexHash {
        self.keyed_hash(&[b"field", field.as_bytes(), value.as_bytes()])
    }

    /// A keyed hash of parts; no two lists of parts give the same input.
    #[must_use]
    pub fn keyed_hash(&self, parts: &[&[u8]]) -> IndexHash {
        let mut mac = mac(&self.index);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether somebody knows the keyed hash of these parts. It takes as long whatever is different.
    #[must_use]
    pub fn is_keyed_hash(&self, parts: &[&[u8]], claimed: &[u8]) -> bool {
        self.keyed_hash(parts).ct_eq(claimed).into()
    }

    /// A new key for a person, and its wrapped form.
    pub fn new_person_key(&self, person: PersonId) -> StoreResult<(SealKey, WrappedPersonKey)> {
        let key = SealKey::generate()?;
        let (master_key_id, master) = self.masters.current()?;
        let wrapped = seal(master, Place::new("person", "wrapped_key", person.0), &key.0)?;
        Ok((key, WrappedPersonKey { master_key_id: master_key_id.clone(), wrapped }))
    }

    /// Opens a person's wrapped key.
    pub fn person_key(&self, person: PersonId, master_key_id: &str, wrapped: &[u8]) -> StoreResult<SealKey> {
        unwrap(&self.masters, master_key_id, Place::new("person", "wrapped_key", person.0), wrapped)
    }

    /// Seals a secret of the deployment (a destination's signing secret).
    pub fn seal_secret(&self, place: Place, plain: &[u8]) -> StoreResult<Vec<u8>> {
        seal(&self.secrets, place, plain)
    }

    /// Opens a secret of the deployment.
    pub fn open_secret(&self, place: Place, sealed: &[u8]) -> StoreResult<Vec<u8>> {
        open(&self.secrets, place, sealed)
    }
}

/// Seals a value for its place: nonce, then AES-256-GCM-SIV ciphertext and tag.
pub fn seal(key: &SealKey, place: Place, plain: &[u8]) -> StoreResult<Vec<u8>> {
    let failed = |reason: String| StoreError::Sealed { table: place.table, reason };
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|error| failed(error.to_string()))?;
    let cipher = Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(key.0));
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &place.associated_data() })
        .map_err(|_| failed("it is too long to seal".to_owned()))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens a value sealed for its place.
pub fn open(key: &SealKey, place: Place, sealed: &[u8]) -> StoreResult<Vec<u8>> {
    let failed = |reason: &str| StoreError::Sealed { table: place.table, reason: reason.to_owned() };
    let (nonce, ciphertext) = sealed.split_at_checked(12).ok_or_else(|| failed("it is cut off"))?;
    let nonce: [u8; 12] = nonce.try_into().map_err(|_| failed("it is cut off"))?;
    let cipher = Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(key.0));
    cipher
        .decrypt(&Nonce::from(nonce), Payload { msg: ciphertext, aad: &place.associated_data() })
        .map_err(|_| failed("it was sealed with another key or for another place"))
}

fn mac(key: &SealKey) -> Hmac<Sha256> {
    // HMAC takes keys of every length, so a 32-byte key always fits; the fixed-size form cannot fail.
    <Hmac<Sha256> as hmac::digest::KeyInit>::new_from_slice(&key.0).unwrap_or_else(|_| unreachable_key())
}

#[allow(clippy::panic, reason = "HMAC accepts keys of any length; see RFC 2104, section 2")]
fn unreachable_key() -> Hmac<Sha256> {
    panic!("HMAC-SHA256 refused a 32-byte key")
}

fn unwrap(masters: &MasterKeys, id: &str, place: Place, wrapped: &[u8]) -> StoreResult<SealKey> {
    let failed = |reason: String| StoreError::Sealed { table: place.table, reason };
    let master = masters.get(id).ok_or_else(|| failed(format!("master key `{id}` is not in the key file")))?;
    let bytes = open(master, place, wrapped)?;
    Ok(SealKey(bytes.try_into().map_err(|_| failed("the key has a wrong length".to_owned()))?))
}

async fn data_key(
    connection: &DatabaseConnection,
    masters: &MasterKeys,
    name: &'static str,
    now: Timestamp,
) -> StoreResult<SealKey> {
    let place = Place::new("data_key", name, Uuid::nil());
    if let Some(row) = data_key::Entity::find_by_id(name).one(connection).await? {
        return unwrap(masters, &row.master_key_id, place, &row.wrapped);
    }
    let key = SealKey::generate()?;
    let (master_key_id, master) = masters.current()?;
    let row = data_key::ActiveModel {
        name: Set(name.to_owned()),
        master_key_id: Set(master_key_id.clone()),
        wrapped: Set(seal(master, place, &key.0)?),
        created_at: Set(now),
    };
    match row.insert(connection).await.map_err(StoreError::from) {
        Ok(_) => Ok(key),
        // Another process was first: its key counts.
        Err(StoreError::Conflict(_)) => {
            let row = data_key::Entity::find_by_id(name).one(connection).await?;
            let row = row.ok_or_else(|| StoreError::corrupt("data_key"))?;
            unwrap(masters, &row.master_key_id, place, &row.wrapped)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was sealed for one place opens nowhere else, and not when a bit was changed.
    #[test]
    fn sealed_values_open_only_in_their_place() {
        let key = SealKey::generate().unwrap();
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = seal(&key, Place::new("lead", "sealed_fields", here), b"secret").unwrap();
        assert_eq!(open(&key, Place::new("lead", "sealed_fields", here), &sealed).unwrap(), b"secret");
        assert!(open(&key, Place::new("lead", "sealed_fields", there), &sealed).is_err());
        assert!(open(&key, Place::new("consent", "sealed_fields", here), &sealed).is_err());
        let mut tampered = sealed.clone();
        tampered[20] ^= 1;
        assert!(open(&key, Place::new("lead", "sealed_fields", here), &tampered).is_err());
        assert!(open(&key, Place::new("lead", "sealed_fields", here), &sealed[..5]).is_err());
    }

    /// The key file is private, survives a restart, and rubbish in it is refused.
    #[test]
    fn master_keys_are_kept_in_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let made = MasterKeys::load_or_create(&path).unwrap();
        let read = MasterKeys::load_or_create(&path).unwrap();
        assert_eq!(made.0[0].1.0, read.0[0].1.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for rubbish in ["", "nothing", "1:short", &format!("1:{}", STANDARD.encode([0; 32]))] {
            assert!(MasterKeys::parse(rubbish).is_err(), "{rubbish}");
        }
    }
}
