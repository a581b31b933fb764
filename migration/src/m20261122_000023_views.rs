//! Who was seen, by whom it was: the audit's lines about views name everybody they showed, and this finds them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect::{append_only, sql};

const TABLE: &str = "
-- The lines of the audit that say that something was seen, by what was seen. The line itself is the truth.
CREATE TABLE audit_seen (
    subject_id  :id NOT NULL,
    no          :int NOT NULL REFERENCES audit (no),
    PRIMARY KEY (subject_id, no)
):strict_without_rowid;";

/// What was recorded before: the ids stand in each line's detail.
const FILL_SQLITE: &str = "INSERT INTO audit_seen (subject_id, no)
    SELECT DISTINCT unhex(replace(seen.value, '-', '')), audit.no
    FROM audit, json_each(audit.detail) AS kind, json_each(kind.value) AS seen
    WHERE audit.action = 'view' AND kind.key IN ('leads', 'complaints');";
const FILL_POSTGRES: &str = "INSERT INTO audit_seen (subject_id, no)
    SELECT DISTINCT seen.id::uuid, audit.no
    FROM audit
    CROSS JOIN LATERAL jsonb_each(audit.detail::jsonb) AS kind (name, ids)
    CROSS JOIN LATERAL jsonb_array_elements_text(kind.ids) AS seen (id)
    WHERE audit.action = 'view' AND kind.name IN ('leads', 'complaints') AND jsonb_typeof(kind.ids) = 'array';";

/// The table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
        let fill = if backend == DbBackend::Sqlite { FILL_SQLITE } else { FILL_POSTGRES };
        for statement in [sql(TABLE, backend), fill.to_owned(), append_only("audit_seen", backend)] {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE audit_seen;").await?;
        Ok(())
    }
}
