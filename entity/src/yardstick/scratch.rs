//! Databases that are made for a measurement and thrown away.

use sea_orm::{ConnectionTrait, Database};

use crate::error::{StoreError, StoreResult};

/// A PostgreSQL database of one's own, on a server that an address of any of its databases names.
#[derive(Debug)]
pub struct Scratch {
    server_url: String,
    name: String,
}

impl Scratch {
    /// Makes an empty database.
    pub async fn create(server_url: &str) -> StoreResult<Self> {
        let scratch = Self::named(server_url)?;
        scratch.on_server(&format!("CREATE DATABASE {}", scratch.name)).await?;
        Ok(scratch)
    }

    /// Makes a copy, rows and all. Nobody may be connected to the original.
    pub async fn copy(&self) -> StoreResult<Self> {
        let copy = Self::named(&self.server_url)?;
        copy.on_server(&format!("CREATE DATABASE {} TEMPLATE {}", copy.name, self.name)).await?;
        Ok(copy)
    }

    fn named(server_url: &str) -> StoreResult<Self> {
        let random = crate::keyring::random_bytes()?;
        let name: String = random.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { server_url: server_url.to_owned(), name: format!("leadyard_bench_{name}") })
    }

    /// Its address: the server's with its own path.
    pub fn url(&self) -> StoreResult<String> {
        let (address, query) = self.server_url.split_once('?').unwrap_or((&self.server_url, ""));
        let server = address.rsplit_once('/').map(|(server, _)| server).filter(|server| server.contains("//"));
        let server = server.ok_or_else(|| StoreError::Fault("the database address names no database".to_owned()))?;
        let mark = if query.is_empty() { "" } else { "?" };
        Ok(format!("{server}/{}{mark}{query}", self.name))
    }

    /// Removes it, whoever is still connected.
    pub async fn remove(self) -> StoreResult<()> {
        self.on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    async fn on_server(&self, sql: &str) -> StoreResult<()> {
        let server = Database::connect(self.server_url.as_str()).await?;
        server.execute_unprepared(sql).await?;
        Ok(server.close().await?)
    }
}
