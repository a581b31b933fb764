//! Everything that is stored, for tests that say nothing was written.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use crate::error::StoreResult;
use crate::sql::statement;
use crate::store::Read;

#[derive(FromQueryResult)]
struct Text {
    text: Option<String>,
}

impl Read {
    /// Every table's rows as text, in an order that does not depend on when they were written.
    pub async fn contents(&self) -> StoreResult<BTreeMap<String, String>> {
        let postgres = self.store().engine() == crate::Engine::Postgres;
        let tables = if postgres {
            "SELECT CAST(table_name AS TEXT) AS text FROM information_schema.tables WHERE table_schema = 'public'"
        } else {
            "SELECT name AS text FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        let mut contents = BTreeMap::new();
        for table in self.texts(tables).await? {
            let rows = if postgres {
                format!("SELECT string_agg(t::text, chr(10) ORDER BY t::text) AS text FROM \"{table}\" t")
            } else {
                let columns = self.texts(&format!("SELECT name AS text FROM pragma_table_info('{table}')")).await?;
                let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
                let line = quoted.join(" || ',' || ");
                format!(
                    "SELECT group_concat(line, char(10)) AS text FROM (SELECT {line} AS line FROM \"{table}\" ORDER BY 1)"
                )
            };
            contents.insert(table, self.texts(&rows).await?.pop().unwrap_or_default());
        }
        Ok(contents)
    }

    /// The one column, `text`, that a query of a test's own answers.
    pub async fn texts(&self, sql: &str) -> StoreResult<Vec<String>> {
        let rows = Text::find_by_statement(statement(self.backend(), sql, vec![])).all(self.connection()).await?;
        Ok(rows.into_iter().map(|row| row.text.unwrap_or_default()).collect())
    }
}
