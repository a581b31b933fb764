//! What a change of the set-up has to know: the heads with their current terms, as they are within the transaction.

use std::collections::{HashMap, HashSet};

use leadyard_types::{DestinationId, Status};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::Revised;
use crate::error::{StoreError, StoreResult};
use crate::model::destination;
use crate::store::Write;

/// The nouns of a market that other things refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// Verticals.
    Vertical,
    /// Campaigns.
    Campaign,
    /// Suppliers.
    Supplier,
    /// Sources.
    Source,
    /// Buyer groups.
    BuyerGroup,
    /// Buyers.
    Buyer,
    /// Contracts.
    Contract,
}

impl Noun {
    /// The noun, as the table calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vertical => "vertical",
            Self::Campaign => "campaign",
            Self::Supplier => "supplier",
            Self::Source => "source",
            Self::BuyerGroup => "buyer_group",
            Self::Buyer => "buyer",
            Self::Contract => "contract",
        }
    }
}

/// A head with its current terms.
#[derive(Debug, Clone)]
pub struct Current {
    /// What it is.
    pub noun: Revised,
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The vertical (campaigns) or campaign (sources, contracts).
    pub parent_id: Option<Uuid>,
    /// The supplier (sources) or buyer (contracts).
    pub owner_id: Option<Uuid>,
    /// The country of a campaign.
    pub country: Option<String>,
    /// The currency of a campaign.
    pub currency: Option<String>,
    /// Whether it takes part; verticals have no status.
    pub status: Option<Status>,
    /// How often its terms were agreed.
    pub version: i64,
    /// Its terms as JSON.
    pub terms: String,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    parent_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    country: Option<String>,
    currency: Option<String>,
    status: Option<String>,
    version: i64,
    terms: String,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

impl Revised {
    /// The columns of a head under the names of [`Row`].
    const fn columns(self) -> &'static str {
        match self {
            Self::Vertical => {
                "CAST(NULL AS TEXT) AS country, CAST(NULL AS TEXT) AS currency, CAST(NULL AS TEXT) AS status, :none AS parent_id, :none AS owner_id"
            }
            Self::Campaign => "h.country, h.currency, h.status, h.vertical_id AS parent_id, :none AS owner_id",
            Self::Source => {
                "CAST(NULL AS TEXT) AS country, CAST(NULL AS TEXT) AS currency, h.status, h.campaign_id AS parent_id, h.supplier_id AS owner_id"
            }
            Self::Buyer => {
                "CAST(NULL AS TEXT) AS country, CAST(NULL AS TEXT) AS currency, h.status, :none AS parent_id, :none AS owner_id"
            }
            Self::Contract => {
                "CAST(NULL AS TEXT) AS country, CAST(NULL AS TEXT) AS currency, h.status, h.campaign_id AS parent_id, h.buyer_id AS owner_id"
            }
        }
    }
}

impl Write {
    /// The heads with these ids.
    pub async fn current(
        &self,
        noun: Revised,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> StoreResult<HashMap<Uuid, Current>> {
        let unique: HashSet<Uuid> = ids.into_iter().collect();
        let keys = unique.into_iter().map(Value::from).collect();
        let rows: Vec<Row> = self.all_in(&self.head_sql(noun, "h.id IN ({})"), keys).await?;
        rows.into_iter().map(|row| Ok((row.id, current(noun, row)?))).collect()
    }

    /// The campaigns of a vertical, or the sources or contracts of a campaign.
    pub async fn current_below(&self, noun: Revised, parent: Uuid) -> StoreResult<Vec<Current>> {
        let column = match noun {
            Revised::Campaign => "h.vertical_id = ?",
            Revised::Source | Revised::Contract => "h.campaign_id = ?",
            Revised::Vertical | Revised::Buyer => return Ok(Vec::new()),
        };
        let rows: Vec<Row> = self.all(&self.head_sql(noun, column), vec![parent.into()]).await?;
        rows.into_iter().map(|row| current(noun, row)).collect()
    }

    fn head_sql(&self, noun: Revised, condition: &str) -> String {
        let none = if self.is_postgres() { "CAST(NULL AS UUID)" } else { "NULL" };
        let columns = noun.columns().replace(":none", none);
        format!(
            "SELECT h.id, h.name, {columns}, h.version, r.terms FROM {} h JOIN revision r ON r.id = h.revision_id
             WHERE {condition} ORDER BY h.id",
            noun.as_str()
        )
    }

    /// Which of these ids exist.
    pub async fn existing(&self, noun: Noun, ids: impl IntoIterator<Item = Uuid>) -> StoreResult<HashSet<Uuid>> {
        let unique: HashSet<Uuid> = ids.into_iter().collect();
        let sql = format!("SELECT id FROM {} WHERE id IN ({{}})", noun.as_str());
        let rows: Vec<IdRow> = self.all_in(&sql, unique.into_iter().map(Value::from).collect()).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Who has a name (for a source: within its campaign).
    pub async fn named(&self, noun: Noun, name: &str, campaign: Option<Uuid>) -> StoreResult<Vec<Uuid>> {
        let within = if campaign.is_some() { " AND campaign_id = ?" } else { "" };
        let column = if noun == Noun::Vertical { "key" } else { "name" };
        let sql = format!("SELECT id FROM {} WHERE {column} = ?{within}", noun.as_str());
        let values = std::iter::once(Value::from(name)).chain(campaign.map(Value::from)).collect();
        Ok(self.all::<IdRow>(&sql, values).await?.into_iter().map(|row| row.id).collect())
    }

    /// The contracts of a buyer: their caps are read in its time zone.
    pub async fn contracts_of_buyer(&self, buyer: Uuid) -> StoreResult<Vec<Uuid>> {
        let sql = "SELECT id FROM contract WHERE buyer_id = ? ORDER BY id";
        Ok(self.all::<IdRow>(sql, vec![buyer.into()]).await?.into_iter().map(|row| row.id).collect())
    }

    /// The contracts of the buyers whose destinations these are, with their terms, those left out that have ended; only
    /// those in test mode if asked.
    pub async fn contracts_beside(
        &self,
        destinations: impl IntoIterator<Item = DestinationId>,
        tests_only: bool,
    ) -> StoreResult<Vec<(Uuid, String)>> {
        #[derive(FromQueryResult)]
        struct Beside {
            id: Uuid,
            terms: String,
        }
        // Terms are text to this room, written by one writer: a test says so in these very characters.
        let tests = if tests_only { r#"r.terms LIKE '%"test":true%' AND"# } else { "" };
        let sql = format!(
            "SELECT DISTINCT c.id, r.terms FROM destination d JOIN contract c ON c.buyer_id = d.buyer_id
             JOIN revision r ON r.id = c.revision_id WHERE {tests} c.status <> 'ARCHIVED' AND d.id IN ({{}})"
        );
        let unique: HashSet<DestinationId> = destinations.into_iter().collect();
        let rows: Vec<Beside> = self.all_in(&sql, unique.into_iter().map(|id| Value::from(id.0)).collect()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.terms)).collect())
    }

    /// The destinations with these ids.
    pub async fn destinations(
        &self,
        ids: impl IntoIterator<Item = DestinationId>,
    ) -> StoreResult<HashMap<DestinationId, destination::Model>> {
        let unique: HashSet<Uuid> = ids.into_iter().map(Uuid::from).collect();
        let keys = unique.into_iter().map(Value::from).collect();
        let rows: Vec<destination::Model> = self.all_in("SELECT * FROM destination WHERE id IN ({})", keys).await?;
        Ok(rows.into_iter().map(|row| (DestinationId(row.id), row)).collect())
    }
}

fn current(noun: Revised, row: Row) -> StoreResult<Current> {
    Ok(Current {
        noun,
        id: row.id,
        name: row.name,
        parent_id: row.parent_id,
        owner_id: row.owner_id,
        country: row.country,
        currency: row.currency,
        status: row.status.map(|status| status.parse().map_err(StoreError::corrupt)).transpose()?,
        version: row.version,
        terms: row.terms,
    })
}
