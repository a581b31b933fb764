//! Complaints: rows, the figures a credit is decided by, and what people wrote, sealed under the person it is about.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadyard_types::{BuyerId, ComplaintId, ComplaintState, LeadId, PersonId, SaleId, Timestamp};
use sea_orm::{EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::{Place, SealKey, open, seal};
use crate::model::{complaint, lead, person};
use crate::sql::{among, statement};
use crate::store::{Read, Write};

/// What a complaint's people wrote; each is sealed, since it may say who the person is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComplaintTexts {
    /// What the buyer wrote.
    pub evidence: Option<String>,
    /// What was answered.
    pub note: Option<String>,
}

/// A decided complaint.
#[derive(Debug, Clone)]
pub struct DecidedComplaint {
    /// The complaint.
    pub id: ComplaintId,
    /// Its lead.
    pub lead_id: LeadId,
    /// Upheld or refused.
    pub state: ComplaintState,
    /// What the buyer got back, minor units.
    pub credit_minor: i64,
    /// What the supplier gave back, minor units.
    pub clawback_minor: i64,
    /// What the buyer is told.
    pub note: Option<String>,
}

/// A lead's money so far, minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct LeadMoney {
    /// What all its sales that stand cost their buyers.
    pub prices_minor: i64,
    /// What was credited for complaints about any of them.
    pub credited_minor: i64,
    /// What was credited for complaints about the sale asked for.
    pub credited_for_sale_minor: i64,
    /// What the supplier earned by it.
    pub payout_minor: i64,
    /// What was taken back from the supplier.
    pub clawed_back_minor: i64,
}

#[derive(FromQueryResult)]
struct Terms {
    terms: String,
}

impl Write {
    /// A complaint, read inside the transaction.
    pub async fn complaint(&self, id: ComplaintId) -> StoreResult<Option<complaint::Model>> {
        let rows = self.all("SELECT * FROM complaint WHERE id = ?", vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// Whether a complaint about a sale awaits its decision.
    pub async fn complaint_is_open(&self, sale: SaleId) -> StoreResult<bool> {
        let sql = "SELECT * FROM complaint WHERE sale_id = ? AND state = 'OPEN'";
        Ok(!self.all::<complaint::Model>(sql, vec![sale.0.into()]).await?.is_empty())
    }

    /// Adds a complaint; its evidence is sealed. Answers false, and adds nothing, where there is evidence to keep and
    /// the person was erased. The caller holds the lead.
    pub async fn add_complaint(&self, mut row: complaint::Model) -> StoreResult<bool> {
        if let Some(text) = row.evidence.take() {
            let Some(key) = self.key_of_lead(LeadId(row.lead_id)).await? else { return Ok(false) };
            row.evidence = Some(sealed(&key, "evidence", row.id, &text)?);
        }
        self.insert_all::<complaint::Entity>(vec![row]).await?;
        Ok(true)
    }

    /// Decides an open complaint. The note is sealed; of an erased person none is kept. The caller holds the lead.
    pub async fn decide_complaint(&self, decided: &DecidedComplaint) -> StoreResult<()> {
        let note = match (&decided.note, self.key_of_lead(decided.lead_id).await?) {
            (Some(text), Some(key)) => Some(sealed(&key, "note", decided.id.0, text)?),
            _ => None,
        };
        let sql = "UPDATE complaint SET state = ?, credit_minor = ?, clawback_minor = ?, note = ?, decided_by = ?,
                   decided_at = ? WHERE id = ? AND state = 'OPEN'";
        let values = vec![
            decided.state.as_str().into(),
            decided.credit_minor.into(),
            decided.clawback_minor.into(),
            note.into(),
            self.principal.audit_name().into(),
            self.store.clock().now().into(),
            decided.id.0.into(),
        ];
        if self.run(sql, values).await? == 1 {
            return Ok(());
        }
        Err(StoreError::Conflict("the complaint was decided already".to_owned()))
    }

    /// The terms of the campaign by which a decision was made, as JSON.
    pub async fn campaign_terms_of_decision(&self, decision: Uuid) -> StoreResult<String> {
        let sql = "SELECT r.terms FROM decision d JOIN revision r ON r.id = d.campaign_revision_id WHERE d.id = ?";
        let rows: Vec<Terms> = self.all(sql, vec![decision.into()]).await?;
        rows.into_iter().next().map(|row| row.terms).ok_or_else(|| StoreError::corrupt("revision"))
    }

    /// What a lead brought and cost so far. The caller holds the lead.
    pub async fn money_of_lead(&self, lead: LeadId, sale: SaleId) -> StoreResult<LeadMoney> {
        let sum = |which: &str| format!("CAST(COALESCE(SUM(CASE WHEN {which} THEN amount_minor END), 0) AS BIGINT)");
        let sql = format!(
            "SELECT (SELECT CAST(COALESCE(SUM(price_minor), 0) AS BIGINT) FROM sale
                     WHERE lead_id = ? AND state = 'SOLD') AS prices_minor,
             {} AS credited_minor, {} AS credited_for_sale_minor, {} AS payout_minor, {} AS clawed_back_minor
             FROM ledger_transfer WHERE lead_id = ?",
            sum("kind = 'COMPLAINT_CREDIT'"),
            sum("kind = 'COMPLAINT_CREDIT' AND sale_id = ?"),
            sum("kind = 'PAYOUT'"),
            sum("kind = 'CLAWBACK'"),
        );
        let rows = self.all(&sql, vec![lead.0.into(), sale.0.into(), lead.0.into()]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// The key of a lead's person; `None` once erased.
    async fn key_of_lead(&self, lead: LeadId) -> StoreResult<Option<SealKey>> {
        let sql = "SELECT p.* FROM person p JOIN lead l ON l.person_id = p.id WHERE l.id = ?";
        let rows: Vec<person::Model> = self.all(sql, vec![lead.0.into()]).await?;
        let person = rows.into_iter().next().ok_or_else(|| StoreError::corrupt("person"))?;
        key_of(self.store.keyring(), &person)
    }
}

#[derive(FromQueryResult)]
struct Counted {
    buyer_id: Uuid,
    count: i64,
}

impl Read {
    /// How many complaints were upheld about, and how many sales made to, each buyer since a moment: (upheld, sales).
    pub async fn complaint_figures(&self, since: Timestamp) -> StoreResult<HashMap<BuyerId, (i64, i64)>> {
        let counted = async |sql: &str| {
            let rows = Counted::find_by_statement(statement(self.backend(), sql, vec![since.into()]));
            rows.all(self.connection()).await
        };
        let sales = "SELECT buyer_id, COUNT(*) AS count FROM sale WHERE state = 'SOLD' AND NOT test AND sold_at >= ?
             GROUP BY buyer_id";
        let upheld =
            "SELECT buyer_id, COUNT(DISTINCT sale_id) AS count FROM complaint WHERE state = 'UPHELD' AND opened_at >= ?
                      GROUP BY buyer_id";
        let mut figures: HashMap<BuyerId, (i64, i64)> = HashMap::new();
        for row in counted(sales).await? {
            figures.entry(BuyerId(row.buyer_id)).or_default().1 = row.count;
        }
        for row in counted(upheld).await? {
            figures.entry(BuyerId(row.buyer_id)).or_default().0 = row.count;
        }
        Ok(figures)
    }

    /// What was written in complaints, for those who see personal data and these complaints; nothing for others.
    /// Three statements, however many complaints.
    pub async fn complaint_texts(&self, complaints: &[Uuid]) -> StoreResult<HashMap<Uuid, ComplaintTexts>> {
        if !self.principal.sees_personal_data() {
            return Ok(HashMap::new());
        }
        let rows = self
            .select::<complaint::Entity>()
            .filter(among(self.backend(), complaint::Column::Id, complaints))
            .all(self.connection())
            .await?;
        let leads: Vec<Uuid> = rows.iter().map(|row| row.lead_id).collect();
        let leads =
            lead::Entity::find().filter(among(self.backend(), lead::Column::Id, &leads)).all(self.connection()).await?;
        let people: Vec<Uuid> = leads.iter().map(|row| row.person_id).collect();
        let people = person::Entity::find()
            .filter(among(self.backend(), person::Column::Id, &people))
            .all(self.connection())
            .await?;
        let people: HashMap<Uuid, person::Model> = people.into_iter().map(|row| (row.id, row)).collect();
        let person_of: HashMap<Uuid, &person::Model> =
            leads.iter().filter_map(|row| Some((row.id, people.get(&row.person_id)?))).collect();
        let mut texts = HashMap::with_capacity(rows.len());
        for row in rows {
            let person = person_of.get(&row.lead_id).ok_or_else(|| StoreError::corrupt("person"))?;
            if let Some(key) = key_of(self.store.keyring(), person)? {
                let read = |column, text: &Option<String>| {
                    text.as_deref().map(|text| unsealed(&key, column, row.id, text)).transpose()
                };
                let (evidence, note) = (read("evidence", &row.evidence)?, read("note", &row.note)?);
                texts.insert(row.id, ComplaintTexts { evidence, note });
            }
        }
        Ok(texts)
    }
}

fn key_of(keyring: &crate::Keyring, person: &person::Model) -> StoreResult<Option<SealKey>> {
    let open = |wrapped: &Vec<u8>| keyring.person_key(PersonId(person.id), &person.master_key_id, wrapped);
    person.wrapped_key.as_ref().map(open).transpose()
}

/// A text sealed for its column. The column is text, so the sealed bytes are written in base 64.
fn sealed(key: &SealKey, column: &'static str, row: Uuid, text: &str) -> StoreResult<String> {
    Ok(STANDARD.encode(seal(key, Place::new("complaint", column, row), text.as_bytes())?))
}

fn unsealed(key: &SealKey, column: &'static str, row: Uuid, text: &str) -> StoreResult<String> {
    let bytes = STANDARD.decode(text).map_err(StoreError::corrupt)?;
    let plain = open(key, Place::new("complaint", column, row), &bytes)?;
    String::from_utf8(plain).map_err(StoreError::corrupt)
}
