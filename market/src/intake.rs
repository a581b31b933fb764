//! Intake: every door ends here. A draft is prepared without the database, then placed in a batch with others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leadyard_entity::configuration::ConfigVersion;
use leadyard_entity::{IndexHash, Keyring, StoreError};
use leadyard_types::{
    Check, Door, FieldKind, FieldProblem, Fields, LeadAnswer, LeadDraft, LeadId, LeadState, Principal, QuoteId,
    Refusal, Required, SourceId, Status, Timestamp,
};
use tokio::sync::{mpsc, oneshot};

use crate::asking::Asked;
use crate::eligibility::may_send;
use crate::market::Market;
use crate::placement::{Job, Work};
use crate::rules::duplicate::fingerprint_fields;
use crate::rules::facts::{LeadFacts, Origin, derive};
use crate::rules::{consent, marks, normalise, schedule};
use crate::snapshot::{Campaign, Snapshot, Source, Vertical};

/// Why a draft got no answer. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no such source, or the caller may not send into it.
    #[error("no such source")]
    UnknownSource,
    /// The same idempotency key came with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// Too many leads wait already.
    #[error("too many leads are waiting; try again shortly")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long a lead waits for a place in a full queue before its sender is told to come back.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);

/// The same body without a key counts as the same request for so long (domain page, section 2).
pub(crate) const SAME_BODY_SECONDS: i64 = 60;

/// A draft with everything that can be known of it without the database.
pub(crate) struct Prepared {
    pub(crate) draft: LeadDraft,
    pub(crate) source: Arc<Source>,
    pub(crate) campaign: Arc<Campaign>,
    pub(crate) vertical: Arc<Vertical>,
    pub(crate) received_at: Timestamp,
    /// The first of checks 1 (without caps), 2 and 4 that refuses, kept apart since others come in between.
    pub(crate) source_refusal: Option<Refusal>,
    pub(crate) problems: Vec<FieldProblem>,
    pub(crate) consent_refusal: Option<Refusal>,
    pub(crate) facts: LeadFacts,
    /// The configuration all this was said by.
    pub(crate) version: ConfigVersion,
    pub(crate) fingerprints: Vec<IndexHash>,
    pub(crate) contacts: Vec<IndexHash>,
    pub(crate) identity: Option<IndexHash>,
    pub(crate) scope: String,
    pub(crate) key: IndexHash,
    pub(crate) request_hash: IndexHash,
    /// What buyers answered when they were asked about it.
    pub(crate) asked: Asked,
    /// How it is offered.
    pub(crate) offered: Offered,
}

/// How a lead is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// Sent whole.
    Sent,
    /// Only asked about: nothing of the person is known, and nothing is stored of the lead.
    Ping {
        /// The quote it gets.
        quote: QuoteId,
    },
    /// Sent after a ping.
    Post {
        /// The ping's quote.
        quote: QuoteId,
        /// What the supplier was promised, minor units.
        promise_minor: i64,
    },
}

impl Offered {
    /// The quote's id, where there is one: what is known of the lead from ping to post.
    pub(crate) fn quote(&self) -> Option<&[u8]> {
        match self {
            Self::Sent => None,
            Self::Ping { quote } | Self::Post { quote, .. } => Some(quote.0.as_bytes()),
        }
    }
}

/// The keyed hash of a way to reach a person, as suppression lists keep it.
#[must_use]
pub fn contact_hash(keyring: &Keyring, kind: FieldKind, value: &str) -> IndexHash {
    keyring.index_hash(kind.as_str(), value)
}

impl Market {
    /// Takes a lead in: stores, checks and places it, and answers what became of it. What was answered is durable.
    pub async fn submit(&self, principal: Principal, draft: LeadDraft) -> Result<LeadAnswer, IntakeError> {
        if !may_send(principal, draft.source_id) {
            return Err(IntakeError::UnknownSource);
        }
        let prepared = self.prepare_or_refresh(draft, Offered::Sent).await?;
        let (mut prepared, asked) = self.ask_about_new(Box::new(prepared)).await?;
        prepared.asked = asked;
        self.take(prepared).await
    }

    /// Places a prepared lead, and waits for the verdicts of buyers who answer.
    pub(crate) async fn take(&self, prepared: Box<Prepared>) -> Result<LeadAnswer, IntakeError> {
        let door = prepared.draft.door;
        let answer = self.place(Work::New(prepared)).await?;
        let answer = if answer.state == LeadState::Received { self.await_verdict(answer).await? } else { answer };
        if !answer.repeated {
            let (door, state) = (door.as_str(), answer.state.as_str());
            metrics::counter!("leadyard_leads_total", "door" => door, "state" => state).increment(1);
        }
        Ok(answer)
    }

    /// Offers a stored lead to the market again.
    pub async fn place_again(&self, lead_id: LeadId) -> Result<LeadAnswer, IntakeError> {
        let asked = self.ask_about_stored(lead_id).await?;
        self.place(Work::Again(lead_id, asked)).await
    }

    async fn place(&self, work: Work) -> Result<LeadAnswer, IntakeError> {
        let (reply, answer) = oneshot::channel();
        queue(&self.queue, Job { work, reply }).await?;
        answer.await.map_err(|_| busy())?
    }

    /// A source made a moment ago may not be in the snapshot yet: look once more before saying no.
    pub(crate) async fn prepare_or_refresh(&self, draft: LeadDraft, offered: Offered) -> Result<Prepared, IntakeError> {
        let snapshot = self.snapshot();
        if snapshot.sources.contains_key(&draft.source_id) {
            return prepare(&snapshot, self.store.keyring(), draft, self.clock().now(), offered);
        }
        let snapshot = self.refresh().await?;
        prepare(&snapshot, self.store.keyring(), draft, self.clock().now(), offered)
    }

    /// Waits for the verdict of a buyer who answers, within bounds; then says how the lead stands.
    async fn await_verdict(&self, first: LeadAnswer) -> Result<LeadAnswer, IntakeError> {
        let deadline = tokio::time::Instant::now() + self.settings.verdict_wait;
        loop {
            let settled = self.settled.notified();
            let answer = self.answer_of(&first).await?;
            if answer.state != LeadState::Received || tokio::time::Instant::now() >= deadline {
                return Ok(answer);
            }
            // Another process may settle it: look again soon even without a signal.
            let _ = tokio::time::timeout(Duration::from_millis(100), settled).await;
        }
    }
}

/// Who finds a full queue is told to come back in a second.
pub(crate) const fn busy() -> IntakeError {
    IntakeError::Busy { retry_after: Duration::from_secs(1) }
}

/// Takes a place in a queue, within bounds: whoever waits longer is better told.
pub(crate) async fn queue<T>(queue: &mpsc::Sender<T>, item: T) -> Result<(), IntakeError> {
    queue.send_timeout(item, QUEUE_PATIENCE).await.map_err(|_| busy())
}

/// Everything that can be known of a draft without the database.
pub(crate) fn prepare(
    snapshot: &Snapshot,
    keyring: &Keyring,
    mut draft: LeadDraft,
    now: Timestamp,
    offered: Offered,
) -> Result<Prepared, IntakeError> {
    let source = snapshot.sources.get(&draft.source_id).cloned().ok_or(IntakeError::UnknownSource)?;
    let campaign = snapshot.campaigns.get(&source.campaign_id).cloned().ok_or(IntakeError::UnknownSource)?;
    let vertical = snapshot.verticals.get(&campaign.vertical_id).cloned().ok_or(IntakeError::UnknownSource)?;
    marks::tidy(&mut draft, now);
    let pinged = matches!(offered, Offered::Ping { .. });
    let step = if pinged { Required::Ping } else { Required::Post };
    let (fields, mut problems) = vertical.rules.check(&campaign.country, &draft.fields, step);
    problems.extend(draft.problems.iter().cloned());
    let (scope, key, request_hash) = request_identity(keyring, &draft, offered);
    // Consent, suppression and duplicates are checked when the lead is sent, whoever is named in a ping. A test is nobody.
    let test = source.terms.test;
    let consent_refusal = consent::check_consent(&campaign.terms.consent, draft.consent.as_ref(), now).err();
    let consent_refusal = consent_refusal.filter(|_| !pinged);
    let contacts = if pinged || test { Vec::new() } else { contact_values(&vertical, &fields) };
    let fingerprints = fingerprint_fields(&campaign.terms.duplicates, &fields)
        .into_iter()
        .filter(|_| !pinged && !test)
        .map(|(field, value)| keyring.index_hash(&field, &value))
        .collect();
    let origin = Origin {
        consent: draft.consent.clone(),
        score: None,
        source_id: source.id,
        subid: draft.subid.clone(),
        received_at: now,
        test,
    };
    Ok(Prepared {
        received_at: now,
        version: snapshot.version,
        source_refusal: source_refusal(&source, &campaign, now),
        problems,
        consent_refusal,
        facts: derive(fields, &vertical.terms, &campaign.country, snapshot.postal.as_ref(), origin),
        fingerprints,
        identity: contacts
            .first()
            .map(|(kind, value)| keyring.keyed_hash(&[b"person", kind.as_str().as_bytes(), value.as_bytes()])),
        contacts: contacts.iter().map(|(kind, value)| contact_hash(keyring, *kind, value)).collect(),
        scope,
        key,
        request_hash,
        asked: Asked::default(),
        offered,
        draft,
        source,
        campaign,
        vertical,
    })
}

/// Check 1 without caps.
fn source_refusal(source: &Source, campaign: &Campaign, now: Timestamp) -> Option<Refusal> {
    let inactive = |what: &str, status: Status| {
        Refusal::new(Check::Source, format!("the {what} does not take leads at the moment"))
            .seeing("status", status.as_str())
    };
    if source.terms.status != Status::Active {
        return Some(inactive("source", source.terms.status));
    }
    if campaign.terms.status != Status::Active {
        return Some(inactive("campaign", campaign.terms.status));
    }
    let closed = source.terms.schedule.as_ref().is_some_and(|hours| !schedule::is_open(hours, now));
    closed.then(|| Refusal::new(Check::Source, "outside the source's hours"))
}

/// The e-mail addresses and phone numbers given, e-mail first: they say who the person is.
fn contact_values(vertical: &Vertical, fields: &Fields) -> Vec<(FieldKind, String)> {
    let of = |kind: FieldKind| {
        let definitions = vertical.terms.fields.iter().filter(move |field| field.kind == kind);
        definitions.filter_map(move |field| Some((kind, fields.get(&field.key)?.to_text().into_owned())))
    };
    of(FieldKind::Email).chain(of(FieldKind::Phone)).collect()
}

/// By what a request is recognised when it comes again: its scope, its key, and the hash of what it says.
fn request_identity(keyring: &Keyring, draft: &LeadDraft, offered: Offered) -> (String, IndexHash, IndexHash) {
    let fields: BTreeMap<&String, &serde_json::Value> = draft.fields.iter().collect();
    // What the door could not read is part of what was sent: two different mistakes are two requests.
    let marks = (&draft.subid, &draft.external_id, &draft.enquired_at, &draft.problems);
    let body = serde_json::to_vec(&(fields, &draft.consent, marks)).unwrap_or_default();
    let request_hash = keyring.keyed_hash(&[b"request", &body]);
    // A ping's id is no key of the supplier's making: the two never meet.
    let scope = if matches!(offered, Offered::Post { .. }) { ":post" } else { "" };
    match &draft.idempotency_key {
        Some(key) => {
            (format!("{}{scope}", draft.source_id), keyring.keyed_hash(&[b"key", key.as_bytes()]), request_hash)
        }
        None => (body_scope(draft.source_id), request_hash, request_hash),
    }
}

/// The scope of requests that are recognised by their body.
pub(crate) fn body_scope(source: SourceId) -> String {
    format!("{source}:body")
}

/// Splits fields into those stored in the clear and those sealed under the person's key.
pub(crate) fn split_personal(vertical: &Vertical, fields: &Fields) -> (Fields, Fields) {
    fields
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .partition(|(key, _)| !normalise::is_personal(&vertical.terms, key))
}

/// The word for a door in events.
pub(crate) fn door_word(door: Door) -> &'static str {
    door.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody waits for ever for a place in a queue that nothing is taken from: whoever sent is told when to come back.
    #[tokio::test(start_paused = true)]
    async fn a_full_queue_says_so() {
        let (sender, mut taken) = mpsc::channel(1);
        assert!(queue(&sender, 1).await.is_ok());
        let told = queue(&sender, 2).await;
        assert!(matches!(told, Err(IntakeError::Busy { .. })), "{told:?}");
        assert_eq!(taken.recv().await, Some(1));
        assert!(queue(&sender, 3).await.is_ok());
        drop(taken);
        assert!(matches!(queue(&sender, 4).await, Err(IntakeError::Busy { .. })), "nobody takes anything any more");
    }
}
