//! Writes of a placement transaction, and the leads that are offered again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use leadyard_types::lead::LeadEventKind;
use leadyard_types::{AccountId, CampaignId, Fields, LeadId, LeadState, PersonId, PlanSeen, QuoteId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::{CounterKey, CounterUse};
use crate::error::{StoreError, StoreResult};
use crate::keyring::{IndexHash, Place, SealKey, open};
use crate::ledger::{AccountChange, NewTransfer};
use crate::model::{
    consent, decision, delivery, hold, idempotency_record, lead, lead_event, lead_fingerprint, person, ping, sale,
};
use crate::store::Write;
use crate::tasks::NewTask;

/// A step of a lead's timeline. The detail holds ids and figures, never personal values.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The lead.
    pub lead_id: LeadId,
    /// What happened.
    pub kind: LeadEventKind,
    /// The particulars.
    pub detail: serde_json::Value,
}

/// A lead that was there before and moves on.
#[derive(Debug, Clone)]
pub struct LeadUpdate {
    /// The lead.
    pub lead_id: LeadId,
    /// Its new state.
    pub state: LeadState,
    /// Why, for rejected and unsold leads.
    pub reason: Option<String>,
    /// Until when it is offered again.
    pub retry_until: Option<Timestamp>,
    /// When it is offered again next.
    pub offer_at: Option<Timestamp>,
    /// The plan it followed, where an experiment divides the campaign's leads.
    pub plan: Option<PlanSeen>,
    /// Whether a decision was written; where nothing was new, none was.
    pub decided: bool,
}

/// Everything a batch of placements writes.
#[derive(Debug, Default)]
pub struct PlacementWrites {
    /// People not known before.
    pub people: Vec<person::Model>,
    /// New leads.
    pub leads: Vec<lead::Model>,
    /// Leads that move on.
    pub lead_updates: Vec<LeadUpdate>,
    /// Fingerprints of new leads.
    pub fingerprints: Vec<lead_fingerprint::Model>,
    /// Buyers asked about these leads.
    pub pings: Vec<ping::Model>,
    /// Quotes that became these leads.
    pub quotes_used: Vec<(QuoteId, LeadId)>,
    /// Consents of new leads.
    pub consents: Vec<consent::Model>,
    /// Steps of timelines, in order.
    pub events: Vec<NewEvent>,
    /// Decisions; their numbers are set when they are written.
    pub decisions: Vec<decision::Model>,
    /// Sales.
    pub sales: Vec<sale::Model>,
    /// Holds of pending sales.
    pub holds: Vec<hold::Model>,
    /// Transfers of final sales and payouts.
    pub transfers: Vec<NewTransfer>,
    /// Deliveries owed.
    pub deliveries: Vec<delivery::Model>,
    /// Work that follows.
    pub tasks: Vec<NewTask>,
    /// Answers too old to be given again, replaced by new ones.
    pub stale_answers: Vec<(String, IndexHash)>,
    /// Requests answered.
    pub answers: Vec<idempotency_record::Model>,
    /// Rotations that turned.
    pub rotations: BTreeMap<(CampaignId, String), String>,
    /// Capacity used.
    pub counters: BTreeMap<CounterKey, CounterUse>,
}

#[derive(FromQueryResult)]
struct LastEvent {
    lead_id: Uuid,
    seq: i64,
}

impl Write {
    /// Writes a batch of placements in set-based statements; decision numbers are taken last.
    pub async fn apply_placement(&mut self, writes: PlacementWrites) -> StoreResult<()> {
        let new: HashSet<Uuid> = writes.leads.iter().map(|lead| lead.id).collect();
        self.insert_all::<person::Entity>(writes.people).await?;
        self.insert_all::<lead::Entity>(writes.leads).await?;
        self.insert_all::<lead_fingerprint::Entity>(writes.fingerprints).await?;
        self.insert_all::<consent::Entity>(writes.consents).await?;
        self.insert_all::<ping::Entity>(writes.pings).await?;
        self.use_quotes(&writes.quotes_used).await?;
        self.update_leads(&writes.lead_updates).await?;
        let mut decisions = writes.decisions;
        let mut changes: BTreeMap<AccountId, AccountChange> = BTreeMap::new();
        for hold in &writes.holds {
            changes.entry(AccountId(hold.account_id)).or_default().held_minor += hold.amount_minor;
        }
        self.add_to_counters(writes.counters).await?;
        self.save_rotations(writes.rotations).await?;
        self.add_tasks(&writes.tasks).await?;
        self.append_events_beside(&writes.events, &new).await?;
        for (scope, key) in writes.stale_answers {
            let values = vec![scope.into(), key.to_vec().into()];
            self.run("DELETE FROM idempotency_record WHERE scope = ? AND key = ?", values).await?;
        }
        self.insert_all::<idempotency_record::Entity>(writes.answers).await?;
        // From here on rows that other processes wait for: the operator's accounts, then the decision number.
        let accounts = writes.transfers.iter().flat_map(|transfer| [transfer.debit, transfer.credit]);
        self.lock_accounts(accounts.chain(changes.keys().copied()).collect()).await?;
        if !decisions.is_empty() {
            let first = self.next_decision_nos(decisions.len()).await?;
            for (no, decision) in (first..).zip(&mut decisions) {
                decision.no = no;
            }
        }
        self.insert_all::<decision::Entity>(decisions).await?;
        self.insert_all::<sale::Entity>(writes.sales).await?;
        self.insert_all::<hold::Entity>(writes.holds).await?;
        self.insert_all::<delivery::Entity>(writes.deliveries).await?;
        self.post_fresh(writes.transfers, changes).await
    }

    /// Moves leads on.
    async fn update_leads(&self, updates: &[LeadUpdate]) -> StoreResult<()> {
        let now = self.store.clock().now();
        let rows = updates.iter().flat_map(|update| {
            [
                Value::from(update.lead_id.0),
                update.state.as_str().into(),
                update.reason.clone().into(),
                update.retry_until.into(),
                update.offer_at.into(),
                update.plan.as_ref().map(|seen| seen.split.clone()).into(),
                update.plan.as_ref().map(|seen| seen.plan.as_str()).into(),
                i64::from(update.decided).into(),
                now.into(),
            ]
        });
        let sql = "WITH moved (id, state, reason, retry_until, offer_at, split, plan, decided, at) AS ({})
             UPDATE lead SET state = moved.state, reason = moved.reason, retry_until = moved.retry_until,
             offer_at = moved.offer_at, split = COALESCE(moved.split, lead.split), plan = COALESCE(moved.plan, lead.plan),
             decisions = lead.decisions + moved.decided,
             state_since = CASE WHEN lead.state = moved.state THEN lead.state_since ELSE moved.at END
             FROM moved WHERE lead.id = moved.id";
        self.run_over(sql, 9, rows.collect()).await.map(|_| ())
    }

    /// Stores rotations. The caller holds the campaigns.
    pub async fn save_rotations(&self, rotations: BTreeMap<(CampaignId, String), String>) -> StoreResult<()> {
        for ((campaign, stage), state) in rotations {
            self.run(
                "INSERT INTO stage_rotation (campaign_id, stage, state) VALUES (?, ?, ?)
                 ON CONFLICT (campaign_id, stage) DO UPDATE SET state = excluded.state",
                vec![campaign.0.into(), stage.into(), state.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Adds steps to timelines, in the order given. Steps are numbered, so nobody else writes to these timelines until
    /// this transaction ends. Whoever locks more than leads locks them first: this comes late in a transaction.
    pub async fn add_events(&self, events: &[NewEvent]) -> StoreResult<()> {
        self.hold_leads(&events.iter().map(|event| event.lead_id).collect()).await?;
        self.append_events(events).await
    }

    /// Adds steps to timelines of leads that the caller holds.
    pub(crate) async fn append_events(&self, events: &[NewEvent]) -> StoreResult<()> {
        self.append_events_beside(events, &HashSet::new()).await
    }

    /// The same, where the caller has just made these leads: they have no steps yet.
    async fn append_events_beside(&self, events: &[NewEvent], new: &HashSet<Uuid>) -> StoreResult<()> {
        let leads: BTreeSet<LeadId> =
            events.iter().map(|event| event.lead_id).filter(|lead| !new.contains(&lead.0)).collect();
        let last: Vec<LastEvent> = self
            .all_in(
                "SELECT lead_id, MAX(seq) AS seq FROM lead_event WHERE lead_id IN ({}) GROUP BY lead_id",
                leads.iter().map(|id| Value::from(id.0)).collect(),
            )
            .await?;
        let mut next: HashMap<Uuid, i64> = last.into_iter().map(|row| (row.lead_id, row.seq + 1)).collect();
        let now = self.store.clock().now();
        let rows = events
            .iter()
            .map(|event| {
                let seq = next.entry(event.lead_id.0).or_insert(0);
                let row = lead_event::Model {
                    lead_id: event.lead_id.0,
                    seq: *seq,
                    kind: event.kind.as_str().to_owned(),
                    at: now,
                    detail: event.detail.to_string(),
                };
                *seq += 1;
                row
            })
            .collect();
        self.insert_all::<lead_event::Entity>(rows).await
    }

    /// Leads that are offered again (not locked yet), with their personal fields unsealed and their consents.
    pub async fn leads_to_place(&self, leads: &BTreeSet<LeadId>) -> StoreResult<Vec<UnsealedLead>> {
        let keys = leads.iter().map(|id| Value::from(id.0)).collect();
        let rows: Vec<lead::Model> = self.all_in("SELECT * FROM lead WHERE id IN ({})", keys).await?;
        let people: Vec<person::Model> = self
            .all_in(
                "SELECT * FROM person WHERE id IN ({})",
                rows.iter().map(|row| Value::from(row.person_id)).collect(),
            )
            .await?;
        let people: HashMap<Uuid, person::Model> = people.into_iter().map(|row| (row.id, row)).collect();
        let consents: Vec<consent::Model> = self
            .all_in("SELECT * FROM consent WHERE lead_id IN ({})", rows.iter().map(|row| Value::from(row.id)).collect())
            .await?;
        let mut consents: HashMap<Uuid, consent::Model> = consents.into_iter().map(|row| (row.lead_id, row)).collect();
        rows.into_iter()
            .map(|row| {
                let person = people.get(&row.person_id).ok_or_else(|| StoreError::corrupt("person"))?;
                let consent = consents.remove(&row.id);
                UnsealedLead::open(self.store.keyring(), row, person, consent)
            })
            .collect()
    }
}

/// A stored lead with everything known of it in the clear. Never logged, never stored as it is.
#[derive(Clone)]
pub struct UnsealedLead {
    /// The row.
    pub row: lead::Model,
    /// All fields, personal ones included (absent after erasure).
    pub fields: Fields,
    /// The consent, with its sealed part where the person's key still exists.
    pub consent: Option<leadyard_types::Consent>,
    /// Whether the person was erased.
    pub erased: bool,
    /// By what the person is known, if at all.
    pub identity: Option<Vec<u8>>,
}

impl std::fmt::Debug for UnsealedLead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnsealedLead({})", self.row.id)
    }
}

impl UnsealedLead {
    /// Opens a lead with its person's key.
    pub fn open(
        keyring: &crate::Keyring,
        row: lead::Model,
        person: &person::Model,
        consent: Option<consent::Model>,
    ) -> StoreResult<Self> {
        let key = person_key(keyring, person)?;
        let fields = open_fields(key.as_ref(), row.id, &row.fields, row.sealed_fields.as_deref())?;
        let consent = match consent {
            Some(stored) => Some(open_consent(key.as_ref(), &stored)?),
            None => None,
        };
        Ok(Self { row, fields, consent, erased: key.is_none(), identity: person.identity_hash.clone() })
    }
}

/// A person's key, as long as it exists.
pub(crate) fn person_key(keyring: &crate::Keyring, person: &person::Model) -> StoreResult<Option<SealKey>> {
    let wrapped = person.wrapped_key.as_deref();
    wrapped.map(|wrapped| keyring.person_key(PersonId(person.id), &person.master_key_id, wrapped)).transpose()
}

/// The fields of a lead: those that stand in the clear, and with the person's key the sealed ones.
pub(crate) fn open_fields(
    key: Option<&SealKey>,
    lead: Uuid,
    clear: &str,
    sealed: Option<&[u8]>,
) -> StoreResult<Fields> {
    let mut fields: Fields = serde_json::from_str(clear).map_err(StoreError::corrupt)?;
    if let (Some(key), Some(sealed)) = (key, sealed) {
        let plain = open(key, Place::new("lead", "sealed_fields", lead), sealed)?;
        let personal: Fields = serde_json::from_slice(&plain).map_err(StoreError::corrupt)?;
        fields.extend(personal);
    }
    Ok(fields)
}

/// A consent, its sealed part with the person's key.
pub(crate) fn open_consent(key: Option<&SealKey>, stored: &consent::Model) -> StoreResult<leadyard_types::Consent> {
    if let Some(key) = key {
        let plain = open(key, Place::new("consent", "sealed", stored.id), &stored.sealed)?;
        return serde_json::from_slice(&plain).map_err(StoreError::corrupt);
    }
    Ok(leadyard_types::Consent {
        text_version: stored.text_version.clone(),
        given_at: stored.given_at,
        basis: stored.basis.clone(),
        purposes: serde_json::from_str(&stored.purposes).map_err(StoreError::corrupt)?,
        recipients: serde_json::from_str(&stored.recipients).map_err(StoreError::corrupt)?,
        ..Default::default()
    })
}
