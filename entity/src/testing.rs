//! Databases of their own for tests on PostgreSQL (feature `testing`).

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::error::{StoreError, StoreResult};

/// Creates an empty database on a server and answers its address.
pub async fn create_database(server_url: &str, name: &str) -> StoreResult<String> {
    statement(server_url, &format!("CREATE DATABASE {}", plain(name)?)).await?;
    let (address, _) = server_url.rsplit_once('/').ok_or_else(|| StoreError::Fault("an address has a path".to_owned()))?;
    Ok(format!("{address}/{name}"))
}

/// Drops a database, whoever still uses it.
pub async fn drop_database(server_url: &str, name: &str) -> StoreResult<()> {
    statement(server_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", plain(name)?)).await
}

/// Names cannot be bound, so only harmless ones are taken.
fn plain(name: &str) -> StoreResult<&str> {
    let harmless = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if harmless { Ok(name) } else { Err(StoreError::Fault("a test database has a plain name".to_owned())) }
}

async fn statement(server_url: &str, sql: &str) -> StoreResult<()> {
    let mut connection = PgConnectOptions::from_str(server_url)?.connect().await?;
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await?;
    Ok(())
}
