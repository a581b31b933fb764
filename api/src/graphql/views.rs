//! Who of the staff saw whose data: one line in the audit for a request, with everybody it showed, before it is answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use leadyard_entity::{Store, StoreResult};
use leadyard_types::Principal;
use uuid::Uuid;

/// What a request has shown of people. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Views(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    leads: BTreeSet<Uuid>,
    complaints: BTreeSet<Uuid>,
}

impl Views {
    /// Leads whose personal values were shown.
    pub(crate) fn leads(&self, ids: impl IntoIterator<Item = Uuid>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).leads.extend(ids);
    }

    /// Complaints whose texts, which may name the person, were shown.
    pub(crate) fn complaints(&self, ids: impl IntoIterator<Item = Uuid>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).complaints.extend(ids);
    }

    /// Writes down what staff saw. A buyer sees the people it bought, which is what it bought them for.
    pub(crate) async fn record(self, store: &Store, who: Principal) -> StoreResult<()> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let is_staff = matches!(who, Principal::Staff { .. });
        if !is_staff || (seen.leads.is_empty() && seen.complaints.is_empty()) {
            return Ok(());
        }
        let write = store.write(who).await?;
        write.audit_view(&seen.leads, &seen.complaints).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}
