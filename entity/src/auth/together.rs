//! Keys looked up together: under load every lead comes with a key, and whoever asks at the same moment shares a
//! statement. Nothing is remembered, so a key that was revoked opens nothing from then on.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use tokio::sync::oneshot;

use crate::error::{StoreError, StoreResult};
use crate::model::api_key;

type Answer = StoreResult<Option<api_key::Model>>;

/// Who waits for which key.
#[derive(Debug, Default)]
pub(crate) struct KeyLookups {
    waiting: Mutex<Vec<(String, oneshot::Sender<Answer>)>>,
    /// Held by whoever asks the database for all.
    turn: tokio::sync::Mutex<()>,
}

impl KeyLookups {
    /// The key of a public id. Asks for all that wait, unless somebody else does so first.
    pub(crate) async fn find(&self, connection: &DatabaseConnection, public_id: &str) -> Answer {
        loop {
            let (reply, mut answer) = oneshot::channel();
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((public_id.to_owned(), reply));
            let answered = tokio::select! {
                biased;
                answered = &mut answer => answered,
                _turn = self.turn.lock() => {
                    self.ask(connection).await;
                    answer.await
                }
            };
            // Whoever asked for us may have gone away in the middle of it: then ask again.
            if let Ok(answered) = answered {
                return answered;
            }
        }
    }

    async fn ask(&self, connection: &DatabaseConnection) {
        let asked = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let ids: BTreeSet<&str> = asked.iter().map(|(id, _)| id.as_str()).collect();
        let found = api_key::Entity::find().filter(api_key::Column::PublicId.is_in(ids)).all(connection).await;
        let found = found.map_err(StoreError::from);
        let rows: HashMap<&str, &api_key::Model> =
            found.iter().flatten().map(|row| (row.public_id.as_str(), row)).collect();
        for (id, reply) in asked {
            let answer = match &found {
                Ok(_) => Ok(rows.get(id.as_str()).map(|row| (*row).clone())),
                Err(error) if error.is_transient() => Err(StoreError::Unavailable(error.to_string())),
                Err(error) => Err(StoreError::Fault(error.to_string())),
            };
            // Who gave up waiting hears nothing.
            let _ = reply.send(answer);
        }
    }
}
