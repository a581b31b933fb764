//! Reads of a placement transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use leadyard_types::{BuyerId, CampaignId, ContractId, LeadId, LeadState, SaleState, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::IndexHash;
use crate::model::{idempotency_record, lead, person, stage_rotation};
use crate::store::{Read, Write};

/// An earlier lead with the same fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FingerprintHit {
    /// The hash they share.
    pub hash: IndexHash,
    /// The earlier lead.
    pub lead_id: LeadId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// When it was received.
    pub received_at: Timestamp,
}

/// An earlier sale of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorSale {
    /// The lead.
    pub lead_id: LeadId,
    /// Who bought it.
    pub buyer_id: BuyerId,
    /// The buyer's group, or the buyer's own id where it has none.
    pub group_id: Uuid,
    /// By which contract.
    pub contract_id: ContractId,
    /// Where the sale stands.
    pub state: SaleState,
    /// Which leg of the lead's sales it is.
    pub leg: i64,
    /// Whether nobody else gets the lead.
    pub exclusive: bool,
    /// What its supplier gets of it, minor units.
    pub payout_minor: i64,
}

/// A request that was answered before.
#[derive(Debug, Clone)]
pub struct StoredAnswer {
    /// The hash of the request it answered.
    pub request_hash: Vec<u8>,
    /// The answer as JSON.
    pub answer: String,
    /// When.
    pub created_at: Timestamp,
}

#[derive(FromQueryResult)]
struct HitRow {
    hash: Vec<u8>,
    lead_id: Uuid,
    campaign_id: Uuid,
    received_at: Timestamp,
}

#[derive(FromQueryResult)]
struct SaleRow {
    lead_id: Uuid,
    buyer_id: Uuid,
    group_id: Uuid,
    contract_id: Uuid,
    state: String,
    leg: i64,
    exclusive: bool,
    payout_minor: i64,
}

#[derive(FromQueryResult)]
struct SuppressedRow {
    hash: Vec<u8>,
    campaign_id: Uuid,
}

fn hashes(values: impl IntoIterator<Item = IndexHash>) -> Vec<Value> {
    let unique: BTreeSet<IndexHash> = values.into_iter().collect();
    unique.into_iter().map(|hash| Value::from(hash.to_vec())).collect()
}

fn index_hash(bytes: Vec<u8>) -> StoreResult<IndexHash> {
    bytes.try_into().map_err(|_| StoreError::corrupt("a keyed hash has a wrong length"))
}

impl Write {
    /// Locks campaigns in id order: whoever holds a campaign may place its leads and turn its rotation.
    pub async fn lock_campaigns(&self, campaigns: &BTreeSet<CampaignId>) -> StoreResult<()> {
        #[derive(FromQueryResult)]
        struct Row {
            #[allow(dead_code, reason = "read only to lock the row")]
            id: Uuid,
        }
        if self.locks() {
            let keys = campaigns.iter().map(|id| Value::from(id.0)).collect();
            self.all_in::<Row>("SELECT id FROM campaign WHERE id IN ({}) ORDER BY id FOR NO KEY UPDATE", keys).await?;
        }
        Ok(())
    }

    /// Serialises transactions that look for the same fingerprints across campaigns (PostgreSQL; SQLite has one writer).
    pub async fn lock_fingerprints(&self, fingerprints: &BTreeSet<IndexHash>) -> StoreResult<()> {
        if self.locks() {
            let keys: BTreeSet<i64> = fingerprints
                .iter()
                .filter_map(|hash| Some(i64::from_be_bytes(hash.get(..8)?.try_into().ok()?)))
                .collect();
            for key in keys {
                self.run("SELECT pg_advisory_xact_lock(?)", vec![key.into()]).await?;
            }
        }
        Ok(())
    }

    /// Locks leads in id order.
    pub async fn hold_leads(&self, leads: &BTreeSet<LeadId>) -> StoreResult<()> {
        #[derive(FromQueryResult)]
        struct Row {
            #[allow(dead_code, reason = "read only to lock the row")]
            id: Uuid,
        }
        if self.is_postgres() {
            let keys = leads.iter().map(|id| Value::from(id.0)).collect();
            self.all_in::<Row>("SELECT id FROM lead WHERE id IN ({}) ORDER BY id FOR NO KEY UPDATE", keys).await?;
        }
        Ok(())
    }

    /// Leads, locked in id order. (Not against rows that only refer to them: those would wait for nothing.)
    pub async fn lock_leads(&self, leads: &BTreeSet<LeadId>) -> StoreResult<Vec<lead::Model>> {
        let lock = if self.locks() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!("SELECT * FROM lead WHERE id IN ({{}}) ORDER BY id{lock}");
        self.all_in(&sql, leads.iter().map(|id| Value::from(id.0)).collect()).await
    }

    /// Answers given before, by scope and key.
    pub async fn stored_answers(
        &self,
        keys: &[(String, IndexHash)],
    ) -> StoreResult<HashMap<(String, IndexHash), StoredAnswer>> {
        // Joined, since the primary key begins with the scope: by the key alone every answer ever given would be read.
        let sql = "WITH given (scope, key) AS (VALUES {}) SELECT record.* FROM given
                   JOIN idempotency_record record ON record.scope = given.scope AND record.key = given.key";
        let unique: BTreeSet<&(String, IndexHash)> = keys.iter().collect();
        let given = unique.into_iter().flat_map(|(scope, key)| [Value::from(scope.as_str()), key.to_vec().into()]);
        let rows: Vec<idempotency_record::Model> = self.all_of(sql, 2, given.collect()).await?;
        let mut answers = HashMap::with_capacity(rows.len());
        for row in rows {
            let answer =
                StoredAnswer { request_hash: row.request_hash, answer: row.answer, created_at: row.created_at };
            answers.insert((row.scope, index_hash(row.key)?), answer);
        }
        Ok(answers)
    }

    /// Which of these hashes are on a suppression list, and for which campaign (`None` = everywhere).
    pub async fn suppressed(
        &self,
        values: impl IntoIterator<Item = IndexHash>,
    ) -> StoreResult<HashSet<(IndexHash, Option<CampaignId>)>> {
        let rows: Vec<SuppressedRow> =
            self.all_in("SELECT hash, campaign_id FROM suppression_entry WHERE hash IN ({})", hashes(values)).await?;
        rows.into_iter()
            .map(|row| {
                let campaign = Some(CampaignId(row.campaign_id)).filter(|id| !id.0.is_nil());
                Ok((index_hash(row.hash)?, campaign))
            })
            .collect()
    }

    /// Earlier leads with these fingerprints. (Rejected leads leave none.)
    pub async fn fingerprint_hits(
        &self,
        values: impl IntoIterator<Item = IndexHash>,
    ) -> StoreResult<Vec<FingerprintHit>> {
        let rows: Vec<HitRow> = self
            .all_in(
                "SELECT hash, lead_id, campaign_id, received_at FROM lead_fingerprint WHERE hash IN ({})",
                hashes(values),
            )
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(FingerprintHit {
                    hash: index_hash(row.hash)?,
                    lead_id: LeadId(row.lead_id),
                    campaign_id: CampaignId(row.campaign_id),
                    received_at: row.received_at,
                })
            })
            .collect()
    }

    /// Every sale of these leads.
    pub async fn prior_sales(&self, leads: &BTreeSet<LeadId>) -> StoreResult<Vec<PriorSale>> {
        let rows: Vec<SaleRow> = self
            .all_in(
                "SELECT lead_id, buyer_id, group_id, contract_id, state, leg, exclusive, payout_minor FROM sale
                 WHERE lead_id IN ({}) ORDER BY lead_id, leg",
                leads.iter().map(|id| Value::from(id.0)).collect(),
            )
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(PriorSale {
                    lead_id: LeadId(row.lead_id),
                    buyer_id: BuyerId(row.buyer_id),
                    group_id: row.group_id,
                    contract_id: ContractId(row.contract_id),
                    state: row.state.parse().map_err(StoreError::corrupt)?,
                    leg: row.leg,
                    exclusive: row.exclusive,
                    payout_minor: row.payout_minor,
                })
            })
            .collect()
    }

    /// What the last decisions about leads stored, where they were made by a version of the rules. The caller holds the
    /// leads.
    pub async fn last_decisions(
        &self,
        leads: impl Iterator<Item = Uuid>,
        rules_version: i64,
    ) -> StoreResult<HashMap<LeadId, String>> {
        #[derive(FromQueryResult)]
        struct Row {
            lead_id: Uuid,
            data: String,
        }
        let sql = "SELECT decision.lead_id, decision.data FROM decision
                   JOIN lead ON lead.id = decision.lead_id AND lead.decisions = decision.number
                   WHERE decision.rules_version = ? AND decision.lead_id IN ({})";
        let keys = leads.map(Value::from).collect();
        let rows: Vec<Row> = self.all_in_with(sql, &[rules_version.into()], keys).await?;
        Ok(rows.into_iter().map(|row| (LeadId(row.lead_id), row.data)).collect())
    }

    /// People known by these identity hashes.
    pub async fn people(&self, identities: impl IntoIterator<Item = IndexHash>) -> StoreResult<Vec<person::Model>> {
        self.all_in("SELECT * FROM person WHERE identity_hash IN ({})", hashes(identities)).await
    }

    /// The rotation of campaigns' stages, as the rules stored it.
    pub async fn rotations(
        &self,
        campaigns: &BTreeSet<CampaignId>,
    ) -> StoreResult<HashMap<(CampaignId, String), String>> {
        let rows: Vec<stage_rotation::Model> = self
            .all_in(
                "SELECT * FROM stage_rotation WHERE campaign_id IN ({})",
                campaigns.iter().map(|id| Value::from(id.0)).collect(),
            )
            .await?;
        Ok(rows.into_iter().map(|row| ((CampaignId(row.campaign_id), row.stage), row.state)).collect())
    }
}

/// How a lead stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadStanding {
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its state.
    pub state: LeadState,
    /// What its supplier has earned with it so far, minor units.
    pub payout_minor: i64,
}

impl Read {
    /// How a lead stands now, and what its supplier earned with it.
    pub async fn lead_standing(&self, lead: LeadId) -> StoreResult<Option<LeadStanding>> {
        #[derive(FromQueryResult)]
        struct Row {
            campaign_id: Uuid,
            state: String,
            payout_minor: i64,
        }
        let sql = "SELECT campaign_id, state, CAST(COALESCE((SELECT SUM(CASE kind WHEN 'PAYOUT' THEN amount_minor ELSE -amount_minor END)
                   FROM ledger_transfer t WHERE t.lead_id = lead.id AND t.kind IN ('PAYOUT', 'CLAWBACK')), 0) AS BIGINT) AS payout_minor
                   FROM lead WHERE id = ?";
        let backend = self.connection().get_database_backend();
        let statement = crate::sql::statement(backend, sql, vec![lead.0.into()]);
        let Some(row) = Row::find_by_statement(statement).one(self.connection()).await? else { return Ok(None) };
        Ok(Some(LeadStanding {
            campaign_id: CampaignId(row.campaign_id),
            state: row.state.parse().map_err(StoreError::corrupt)?,
            payout_minor: row.payout_minor,
        }))
    }
}
