//! Signs of life of the workers, of this process and of others.

use leadyard_types::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::StoreResult;
use crate::store::{Read, Write};

/// Workers that were not seen for so long ended without a word.
const FORGOTTEN_AFTER_DAYS: i64 = 1;

#[derive(FromQueryResult)]
struct Seen {
    seen_at: Option<Timestamp>,
}

impl Write {
    /// Says that a worker is there.
    pub async fn worker_seen(&self, worker: Uuid, started_at: Timestamp) -> StoreResult<()> {
        let sql = "INSERT INTO worker (id, started_at, seen_at) VALUES (?, ?, ?)
                   ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
        self.run(sql, vec![worker.into(), started_at.into(), self.store.clock().now().into()]).await.map(|_| ())
    }

    /// Says that a worker has ended; those who could not say so are forgotten with it.
    pub async fn worker_ended(&self, worker: Uuid) -> StoreResult<()> {
        let before = self.store.clock().now() - chrono::Duration::days(FORGOTTEN_AFTER_DAYS);
        let sql = "DELETE FROM worker WHERE id = ? OR seen_at < ?";
        self.run(sql, vec![worker.into(), before.into()]).await.map(|_| ())
    }
}

impl Read {
    /// When a worker was seen last, in whichever process.
    pub async fn worker_seen_at(&self) -> StoreResult<Option<Timestamp>> {
        let rows: Vec<Seen> = self.rows("SELECT MAX(seen_at) AS seen_at FROM worker", vec![]).await?;
        Ok(rows.into_iter().next().and_then(|row| row.seen_at))
    }
}
