//! The demo's databases: marked as such when they are made, so that nothing else is ever taken for one and erased.

use leadyard_migration::{Migrator, MigratorTrait};
use sea_orm::FromQueryResult;
use serde_json::json;

use crate::error::{StoreError, StoreResult};
use crate::store::{Read, Store, Write};

/// What the audit's first row says in a demo's database.
const MARK: &str = "demo";

#[derive(FromQueryResult)]
struct Signs {
    marks: i64,
    others: i64,
}

impl Write {
    /// Marks an empty database as a demo's: the first row of its audit says so, and the audit cannot be changed.
    pub async fn mark_demo(&self, seed: u64) -> StoreResult<()> {
        self.audit(MARK, "market", None, &json!({ "seed": seed })).await
    }
}

impl Read {
    /// Whether the database is a demo's and nobody has made anything of their own in it: neither users nor verticals.
    pub async fn is_demo(&self) -> StoreResult<bool> {
        let signs: Vec<Signs> = self
            .rows(
                "SELECT (SELECT COUNT(*) FROM audit WHERE no = 1 AND action = ?) AS marks,
                 (SELECT COUNT(*) FROM user_account WHERE email NOT LIKE '%@demo.example')
                 + (SELECT COUNT(*) FROM vertical WHERE key NOT LIKE 'demo-%') AS others",
                vec![MARK.into()],
            )
            .await?;
        Ok(signs.first().is_some_and(|signs| signs.marks == 1 && signs.others == 0))
    }
}

impl Store {
    /// Erases a demo's database, so that a demo can begin anew in it, and closes it. Any other is refused.
    ///
    /// # Errors
    /// A database that is not a demo's, or one that fails.
    pub async fn erase_demo(self, read: &Read) -> StoreResult<()> {
        if !read.is_demo().await? {
            return Err(StoreError::Fault("only a demo's database is ever erased".to_owned()));
        }
        Migrator::reset(self.writer()).await?;
        self.close().await;
        Ok(())
    }
}
