//! The configuration of the market as the router needs it: heads with their current revisions, and what changed since.

mod whole;

use leadyard_types::{CampaignId, Principal, Status};
use sea_orm::{EntityTrait, FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::model::postal_code;
use crate::sql::statement;
use crate::store::{Engine, Read, Write};

use whole::Rows;
pub use whole::WholeConfiguration;

/// Versions that tell whether a snapshot is current.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfigVersion {
    /// Raised by every change of the market's set-up.
    pub config: i64,
    /// Raised when postal codes are imported.
    pub postal: i64,
}

/// A head with its current terms. Which of the optional columns are set depends on the noun.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Head {
    /// The noun's id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The vertical (campaigns), campaign (sources, contracts) or nil.
    pub parent_id: Option<Uuid>,
    /// The supplier (sources) or buyer (contracts).
    pub owner_id: Option<Uuid>,
    /// The country (campaigns), form key (sources) or key (verticals).
    pub key: Option<String>,
    /// The currency (campaigns).
    pub currency: Option<String>,
    /// When it was created.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// Its current revision.
    pub revision_id: Uuid,
    /// The number of that revision.
    pub no: i64,
    /// Its terms as JSON.
    pub terms: String,
}

/// The heads of the market that changed after a revision number.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Verticals.
    pub verticals: Vec<Head>,
    /// Campaigns.
    pub campaigns: Vec<Head>,
    /// Sources.
    pub sources: Vec<Head>,
    /// Buyers.
    pub buyers: Vec<Head>,
    /// Contracts.
    pub contracts: Vec<Head>,
}

#[derive(FromQueryResult)]
struct Counter {
    name: String,
    value: i64,
}

fn version_of(counters: &[Counter]) -> ConfigVersion {
    let value = |name: &str| counters.iter().find(|row| row.name == name).map_or(0, |row| row.value);
    ConfigVersion { config: value("config_version"), postal: value("postal_version") }
}

const VERSIONS: &str = "SELECT name, value FROM market_state WHERE name IN ('config_version', 'postal_version')";

/// The heads whose revision is newer than `after`, with their terms.
async fn heads(of: &impl Rows, after: i64) -> StoreResult<Configuration> {
    let head = |columns: &str, table: &str| {
        format!(
            "SELECT h.id, h.name, {columns}, h.created_at, h.revision_id, r.no, r.terms
             FROM {table} h JOIN revision r ON r.id = h.revision_id WHERE r.no > ? ORDER BY r.no"
        )
    };
    let id = if of.engine() == Engine::Postgres { "CAST(NULL AS UUID)" } else { "NULL" };
    let nothing = "CAST(NULL AS TEXT)";
    let load = |columns: String, table: &'static str| {
        let sql = head(&columns, table);
        async move { of.rows::<Head>(&sql, vec![after.into()]).await }
    };
    Ok(Configuration {
        verticals: load(
            format!("{id} AS parent_id, {id} AS owner_id, h.key AS key, {nothing} AS currency"),
            "vertical",
        )
        .await?,
        campaigns: load(
            format!("h.vertical_id AS parent_id, {id} AS owner_id, h.country AS key, h.currency AS currency"),
            "campaign",
        )
        .await?,
        sources: load(
            format!("h.campaign_id AS parent_id, h.supplier_id AS owner_id, h.form_key AS key, {nothing} AS currency"),
            "source",
        )
        .await?,
        buyers: load(format!("{id} AS parent_id, {id} AS owner_id, {nothing} AS key, {nothing} AS currency"), "buyer")
            .await?,
        contracts: load(
            format!("h.campaign_id AS parent_id, h.buyer_id AS owner_id, {nothing} AS key, {nothing} AS currency"),
            "contract",
        )
        .await?,
    })
}

impl Write {
    /// The version of the configuration. It cannot change before this transaction ends, as far as this one sees.
    pub async fn config_version(&self) -> StoreResult<ConfigVersion> {
        let lock = if self.locks() { " ORDER BY name FOR SHARE" } else { "" };
        Ok(version_of(&self.all::<Counter>(&format!("{VERSIONS}{lock}"), vec![]).await?))
    }
}

impl Read {
    pub(crate) async fn rows<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<T>> {
        let backend = self.connection().get_database_backend();
        Ok(T::find_by_statement(statement(backend, sql, values)).all(self.connection()).await?)
    }

    /// The version of the configuration now.
    pub async fn config_version(&self) -> StoreResult<ConfigVersion> {
        Ok(version_of(&self.rows::<Counter>(VERSIONS, vec![]).await?))
    }

    /// The heads whose revision is newer than `after`, with their terms. Only for the system itself.
    pub async fn configuration(&self, after: i64) -> StoreResult<Configuration> {
        debug_assert!(matches!(self.principal(), Principal::System(_)), "configuration is read by the system");
        heads(self, after).await
    }

    /// The contracts of campaigns and all buyers, once for every revision of their terms that is older than a decision
    /// number, oldest first: from these the terms that held before any earlier decision are picked. Two statements.
    pub async fn terms_history(
        &self,
        campaigns: &[leadyard_types::CampaignId],
        before: i64,
    ) -> StoreResult<(Vec<Head>, Vec<Head>)> {
        if campaigns.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let id = if self.store().engine() == Engine::Postgres { "CAST(NULL AS UUID)" } else { "NULL" };
        let history = |table: &str, parent: &str, owner: &str, condition: &str| {
            format!(
                "SELECT h.id, h.name, {parent} AS parent_id, {owner} AS owner_id, CAST(NULL AS TEXT) AS key,
                 CAST(NULL AS TEXT) AS currency, h.created_at, r.id AS revision_id, r.no, r.terms
                 FROM {table} h JOIN revision r ON r.noun = '{table}' AND r.noun_id = h.id
                 WHERE {condition} AND r.no < ? ORDER BY h.id, r.no"
            )
        };
        let of_campaigns = format!("h.campaign_id IN ({})", crate::sql::marks(campaigns.len()));
        let contracts = history("contract", "h.campaign_id", "h.buyer_id", &of_campaigns);
        let buyers = history("buyer", id, id, "1 = 1");
        let values = campaigns.iter().map(|campaign| campaign.0.into()).chain([before.into()]).collect();
        Ok((self.rows(&contracts, values).await?, self.rows(&buyers, vec![before.into()]).await?))
    }

    /// A campaign's contracts in a status, with their current terms, oldest first. Only for the system itself.
    pub async fn contracts_of_campaign(&self, campaign: CampaignId, status: Status) -> StoreResult<Vec<Head>> {
        let condition = "h.campaign_id = ? AND h.status = ?";
        self.contract_heads(condition, vec![campaign.0.into(), status.as_str().into()]).await
    }

    async fn contract_heads(&self, condition: &str, values: Vec<Value>) -> StoreResult<Vec<Head>> {
        debug_assert!(matches!(self.principal(), Principal::System(_)), "configuration is read by the system");
        let sql = format!(
            "SELECT h.id, h.name, h.campaign_id AS parent_id, h.buyer_id AS owner_id, CAST(NULL AS TEXT) AS key,
             CAST(NULL AS TEXT) AS currency, h.created_at, h.revision_id, r.no, r.terms
             FROM contract h JOIN revision r ON r.id = h.revision_id WHERE {condition} ORDER BY h.created_at, h.id"
        );
        self.rows(&sql, values).await
    }

    /// Every postal code known. Only for the system itself.
    pub async fn postal_codes(&self) -> StoreResult<Vec<postal_code::Model>> {
        Ok(postal_code::Entity::find().all(self.connection()).await?)
    }
}
