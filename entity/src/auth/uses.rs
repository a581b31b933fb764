//! When keys were used last, noted beside the requests: whoever asks waits for no write transaction.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use leadyard_types::{ApiKeyId, Principal, SystemTask, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::LAST_USE_SECONDS;
use crate::error::StoreResult;
use crate::store::Store;

/// How many uses are noted at once, each by a write transaction: what is more is noted with the key's next request.
const AT_ONCE: u32 = 8;

/// The uses that are being noted in this process.
#[derive(Debug)]
pub(crate) struct KeyUses {
    places: Arc<Semaphore>,
    keys: Arc<Mutex<HashSet<ApiKeyId>>>,
}

impl Default for KeyUses {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE as usize)), keys: Arc::default() }
    }
}

/// A use that is being noted; over when this is dropped.
#[derive(Debug)]
struct Noting {
    key: ApiKeyId,
    keys: Arc<Mutex<HashSet<ApiKeyId>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl KeyUses {
    /// Begins to note a use, unless the same key's is being noted or too many are.
    fn begin(&self, key: ApiKeyId) -> Option<Noting> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let is_new = self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        is_new.then(|| Noting { key, keys: Arc::clone(&self.keys), _place: place })
    }
}

impl Store {
    /// Notes that a key is in use, beside whatever it is used for.
    pub(super) fn note_key_use(&self, key: ApiKeyId, now: Timestamp) {
        let Some(noting) = self.key_uses().begin(key) else { return };
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.write_key_use(key, now).await {
                tracing::warn!(%error, "the use of a key was not noted");
            }
            // Named, so that all of it lives until here.
            drop(noting);
        });
    }

    /// Of several processes that note the same minute one does.
    async fn write_key_use(&self, key: ApiKeyId, now: Timestamp) -> StoreResult<()> {
        let write = self.write(Principal::System(SystemTask::Authenticate)).await?;
        let sql = "UPDATE api_key SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)";
        let before = now - Duration::seconds(LAST_USE_SECONDS);
        write.run(sql, vec![now.into(), key.0.into(), before.into()]).await?;
        let _ = write.commit().await?;
        Ok(())
    }

    /// Waits until the uses of keys that are being noted are noted.
    pub async fn key_uses_noted(&self) {
        // Nobody closes the semaphore.
        let _ = self.key_uses().places.acquire_many(AT_ONCE).await;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// A key's use is noted once at a time, and so many keys' at once and no more.
    #[test]
    fn uses_are_noted_within_bounds() {
        let (uses, key) = (KeyUses::default(), |number: u32| ApiKeyId(Uuid::from_u128(number.into())));
        let first = uses.begin(key(0)).unwrap();
        assert!(uses.begin(key(0)).is_none(), "it is being noted");
        let others: Vec<_> = (1..=AT_ONCE).filter_map(|number| uses.begin(key(number))).collect();
        assert_eq!(others.len() + 1, AT_ONCE as usize, "what was refused gave its place back");
        drop(first);
        assert!(uses.begin(key(0)).is_some());
        drop(others);
        assert!(uses.keys.lock().unwrap().is_empty() && uses.places.available_permits() == AT_ONCE as usize);
    }
}
