//! How the type words of our SQL files are spelt on each database.

use sea_orm_migration::sea_orm::DbBackend;

/// The words and their spelling: (word, SQLite, PostgreSQL). Longer words first where one begins another.
const WORDS: [(&str, &str, &str); 8] = [
    (":strict_without_rowid", " STRICT, WITHOUT ROWID", ""),
    (":strict", " STRICT", ""),
    (":id", "BLOB", "UUID"),
    (":int", "INTEGER", "BIGINT"),
    (":real", "REAL", "DOUBLE PRECISION"),
    (":bytes", "BLOB", "BYTEA"),
    (":time", "TEXT", "TIMESTAMPTZ"),
    (":bool", "INTEGER", "BOOLEAN"),
];

/// The SQL of a file for one database.
pub(crate) fn sql(text: &str, backend: DbBackend) -> String {
    WORDS.iter().fold(text.to_owned(), |sql, (word, sqlite, postgres)| {
        sql.replace(word, if backend == DbBackend::Sqlite { sqlite } else { postgres })
    })
}

/// Triggers that refuse every update and delete of a table: what is written there stays.
pub(crate) fn append_only(table: &str, backend: DbBackend) -> String {
    if backend == DbBackend::Sqlite {
        ["UPDATE", "DELETE"]
            .map(|verb| {
                format!(
                    "CREATE TRIGGER {table}_refuses_{lower} BEFORE {verb} ON {table}
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;\n",
                    lower = verb.to_lowercase()
                )
            })
            .concat()
    } else {
        format!(
            "CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table}
             FOR EACH ROW EXECUTE FUNCTION refuse_change();
             CREATE TRIGGER {table}_is_never_truncated BEFORE TRUNCATE ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
        )
    }
}
