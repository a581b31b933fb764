//! Who was seen, and by whom: the audit's lines about views name everybody they showed, and this finds them. The database
//! itself keeps it, whoever writes a line.

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

/// What the detail of a line names, on SQLite; `{}` is the line.
const SEEN_SQLITE: &str = "SELECT DISTINCT unhex(replace(seen.value, '-', '')), {}.no
    FROM json_each({}.detail) AS kind, json_each(CASE kind.type WHEN 'array' THEN kind.value ELSE '[]' END) AS seen
    WHERE kind.key IN ('leads', 'complaints') AND unhex(replace(seen.value, '-', '')) IS NOT NULL";

/// The same on PostgreSQL.
const SEEN_POSTGRES: &str = "SELECT DISTINCT seen.id::uuid, {}.no
    FROM jsonb_each({}.detail::jsonb) AS kind (name, ids) CROSS JOIN LATERAL
    jsonb_array_elements_text(CASE jsonb_typeof(kind.ids) WHEN 'array' THEN kind.ids ELSE '[]' END) AS seen (id)
    WHERE kind.name IN ('leads', 'complaints') AND seen.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'";

/// Fills the table with what was recorded before, and from now on with every new line.
fn filled(backend: DbBackend) -> Vec<String> {
    let seen = |line: &str| {
        let sql = if backend == DbBackend::Sqlite { SEEN_SQLITE } else { SEEN_POSTGRES };
        format!("INSERT INTO audit_seen (subject_id, no) {}", sql.replace("{}", line))
    };
    if backend == DbBackend::Sqlite {
        let before = seen("audit").replacen("FROM ", "FROM audit, ", 1);
        let trigger = "CREATE TRIGGER audit_fills_seen AFTER INSERT ON audit WHEN NEW.action = 'view'";
        return vec![format!("{before} AND audit.action = 'view';"), format!("{trigger} BEGIN {}; END;", seen("NEW"))];
    }
    let before = seen("audit").replacen("FROM ", "FROM audit CROSS JOIN LATERAL ", 1);
    let function = "CREATE FUNCTION fill_audit_seen() RETURNS trigger LANGUAGE plpgsql AS";
    let trigger = "CREATE TRIGGER audit_fills_seen AFTER INSERT ON audit FOR EACH ROW WHEN (NEW.action = 'view')";
    vec![
        format!("{before} AND audit.action = 'view';"),
        format!("{function} $$ BEGIN {}; RETURN NULL; END $$;", seen("NEW")),
        format!("{trigger} EXECUTE FUNCTION fill_audit_seen();"),
    ]
}

/// The table, and what fills it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
        connection.execute_unprepared(&sql(TABLE, backend)).await?;
        for statement in filled(backend) {
            connection.execute_unprepared(&statement).await?;
        }
        connection.execute_unprepared(&append_only("audit_seen", backend)).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let statements: &[&str] = if manager.get_database_backend() == DbBackend::Sqlite {
            &["DROP TRIGGER audit_fills_seen;", "DROP TABLE audit_seen;"]
        } else {
            &["DROP TRIGGER audit_fills_seen ON audit;", "DROP FUNCTION fill_audit_seen();", "DROP TABLE audit_seen;"]
        };
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
