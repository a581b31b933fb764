//! The whole set-up at one version, as it is written out, compared and applied: everything but money and secrets.

use leadyard_types::{Principal, Role, SystemTask};
use sea_orm::{FromQueryResult, Value};

use super::{Configuration, heads, version_of};
use crate::error::{StoreError, StoreResult};
use crate::model::{buyer, buyer_group, destination, supplier};
use crate::store::{Engine, Read, Write};

/// How often a reader begins again because somebody changed the set-up meanwhile.
const READS_MAX: usize = 20;

/// The set-up as of one version.
#[derive(Debug, Clone, Default)]
pub struct WholeConfiguration {
    /// The version of the configuration.
    pub version: i64,
    /// Heads with their current terms.
    pub heads: Configuration,
    /// Suppliers.
    pub suppliers: Vec<supplier::Model>,
    /// Buyer groups.
    pub buyer_groups: Vec<buyer_group::Model>,
    /// Buyers, for what stands beside their terms.
    pub buyers: Vec<buyer::Model>,
    /// Destinations. Their secrets stay sealed.
    pub destinations: Vec<destination::Model>,
}

/// What rows are read through: a reader, or the transaction that is about to change them.
pub(super) trait Rows {
    /// Which database it is.
    fn engine(&self) -> Engine;
    /// Reads rows into a type.
    fn rows<T: FromQueryResult + Send + Sync>(
        &self,
        sql: &str,
        values: Vec<Value>,
    ) -> impl Future<Output = StoreResult<Vec<T>>> + Send;
}

impl Rows for Read {
    fn engine(&self) -> Engine {
        self.store().engine()
    }

    async fn rows<T: FromQueryResult + Send + Sync>(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<T>> {
        Self::rows(self, sql, values).await
    }
}

impl Rows for Write {
    fn engine(&self) -> Engine {
        self.store().engine()
    }

    async fn rows<T: FromQueryResult + Send + Sync>(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<T>> {
        self.all(sql, values).await
    }
}

async fn whole(of: &impl Rows, version: i64) -> StoreResult<WholeConfiguration> {
    Ok(WholeConfiguration {
        version,
        heads: heads(of, 0).await?,
        suppliers: of.rows("SELECT * FROM supplier ORDER BY id", vec![]).await?,
        buyer_groups: of.rows("SELECT * FROM buyer_group ORDER BY id", vec![]).await?,
        buyers: of.rows("SELECT * FROM buyer ORDER BY id", vec![]).await?,
        destinations: of.rows("SELECT * FROM destination ORDER BY id", vec![]).await?,
    })
}

/// Whoever runs the market sees all of its set-up; for everybody else there is none.
const fn sees_all(principal: Principal) -> bool {
    matches!(
        principal,
        Principal::System(SystemTask::Operate | SystemTask::Place)
            | Principal::Staff { role: Role::Admin | Role::Manager, .. }
    )
}

impl Read {
    /// The whole set-up at one version, for those who run the market; nothing for others.
    pub async fn whole_configuration(&self) -> StoreResult<WholeConfiguration> {
        if !sees_all(self.principal()) {
            return Ok(WholeConfiguration::default());
        }
        for _ in 0..READS_MAX {
            let before = self.config_version().await?.config;
            let found = whole(self, before).await?;
            if self.config_version().await?.config == before {
                return Ok(found);
            }
        }
        Err(StoreError::Unavailable("the set-up changes faster than it can be read".to_owned()))
    }
}

impl Write {
    /// The whole set-up as this transaction finds it, after [`Write::touch_configuration`]: nobody else changes it now.
    pub async fn whole_configuration(&self) -> StoreResult<WholeConfiguration> {
        if !sees_all(self.principal()) {
            return Ok(WholeConfiguration::default());
        }
        let counters = self.all(super::VERSIONS, vec![]).await?;
        whole(self, version_of(&counters).config).await
    }
}
