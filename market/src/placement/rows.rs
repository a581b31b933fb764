//! The rows a decision writes.

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_entity::keyring::{Place, SealKey, seal};
use leadyard_entity::ledger::{NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::model::{
    consent, decision, delivery, hold, idempotency_record, lead, lead_fingerprint, person, ping, sale,
};
use leadyard_entity::placement::{CapOwner, PlacementWrites, PriorSale, StoredAnswer};
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{IndexHash, StoreError, StoreResult};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{
    AccountId, AccountKind, BidSeen, Cap, Check, ContractId, DeliveryState, FieldValue, Fields, LeadAnswer, LeadId,
    LeadState, Method, Money, PersonId, Plan, PlanSeen, SaleId, SaleState, TaskPayload, Timestamp, TransferKind,
    Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::batch::{Batch, counter_key};
use super::decide::Rejection;
use crate::delivery::{deliver_key, post_key};
use crate::intake::{Offered, Prepared, door_word, split_personal};
use crate::rules::facts::LeadFacts;
use crate::rules::payout::payout_for_sale;
use crate::rules::promise::SupplierShare;
use crate::rules::routing::{Candidate, RULES_VERSION, Routing, RoutingInput, Waits, Winner, route};
use crate::rules::split::{plan_again, plan_of};
use crate::rules::waiting::{Unsold, nothing_new};
use crate::snapshot::{Campaign, Fit, Source};
use crate::waiting::offer_task;

/// A lead that is routed.
pub(crate) struct Subject<'a> {
    pub(crate) lead_id: LeadId,
    pub(crate) campaign: &'a Arc<Campaign>,
    pub(crate) source: &'a Arc<Source>,
    pub(crate) facts: &'a LeadFacts,
    pub(crate) fingerprints: &'a [IndexHash],
    pub(crate) decision_number: i64,
    pub(crate) own_sales: Vec<PriorSale>,
    /// What buyers answered when they were asked.
    pub(crate) bids: &'a HashMap<ContractId, BidSeen>,
    /// How it came.
    pub(crate) offered: Offered,
    /// What its supplier was promised and has not got yet, minor units.
    pub(crate) promise_minor: Option<i64>,
    /// Who the lead is about, as far as experiments care.
    pub(crate) identity: &'a [u8],
    /// The plan that it followed before, and of which experiment.
    pub(crate) plan_before: Option<(&'a str, Plan)>,
    /// What a decision that is made again saw of its plan.
    pub(crate) plan_seen: Option<&'a PlanSeen>,
    /// Until when it is offered, where that was said before.
    pub(crate) until: Option<Timestamp>,
}

impl Subject<'_> {
    /// The lead as it waits, where nobody buys it.
    pub(super) fn unsold(&self, now: Timestamp) -> Unsold {
        let policy = self.campaign.terms.unsold;
        Unsold { received_at: self.facts.received_at, now, until: self.until, policy }
    }

    /// The plan by which the lead is sold; `None` where the campaign does not divide its leads.
    pub(crate) fn plan(&self) -> Option<PlanSeen> {
        let split = self.campaign.terms.split.as_ref()?;
        let again = self.plan_seen.and_then(|seen| plan_again(split, seen));
        Some(again.unwrap_or_else(|| plan_of(split, self.identity, self.plan_before)))
    }
}

/// What a routing run came to.
#[derive(Default)]
pub(super) struct Placed {
    /// Final sales.
    pub(super) sold: usize,
    /// Sales whose verdict is awaited.
    pub(super) pending: usize,
    /// What the supplier earned by them, minor units.
    pub(super) payout_minor: i64,
    /// The plan that was followed.
    pub(super) plan: Option<PlanSeen>,
    /// For what it waits, if nobody bought it.
    pub(super) waits: Option<Waits>,
    /// Nobody bought it, for the same reasons as before: no decision was written.
    pub(super) nothing_new: bool,
}

/// What a decision came to: `SOLD`, `OFFERED` to a buyer who answers, or `UNSOLD`.
pub(crate) fn outcome_word(input: &RoutingInput, routing: &Routing) -> &'static str {
    let first = routing.winners.first().and_then(|winner| input.candidates.get(winner.position));
    match first.map(|candidate| candidate.verdict) {
        Some(Verdict::None) => "SOLD",
        Some(Verdict::Sync) => "OFFERED",
        None => "UNSOLD",
    }
}

/// What the supplier gets of a sale, minor units; `paid` says that a fixed amount for the lead was earned before.
pub(crate) fn payout_of(subject: &Subject<'_>, candidate: &Candidate, price_minor: i64, paid: bool) -> i64 {
    match candidate.share {
        // What was quoted less the operator's margin is paid so.
        Some(share @ SupplierShare::LessMargin { .. }) => share.of(price_minor),
        _ => payout_for_sale(&subject.source.payout, subject.facts, price_minor, paid).0,
    }
}

/// Where a lead goes after a routing run.
pub(super) struct Outcome {
    pub(super) state: LeadState,
    pub(super) reason: Option<Check>,
    pub(super) retry_until: Option<Timestamp>,
    /// When it is offered again next.
    pub(super) offer_at: Option<Timestamp>,
}

impl Outcome {
    /// Where a lead stays that is not offered again by itself.
    fn at_rest(state: LeadState, reason: Option<Check>, retry_until: Option<Timestamp>) -> Self {
        Self { state, reason, retry_until, offer_at: None }
    }
}

/// What a decision stores of what it saw.
#[derive(Serialize)]
pub(crate) struct Seen<'a> {
    input: &'a RoutingInput,
    country: &'a str,
    state: Option<&'a str>,
    centre: Option<[f64; 2]>,
}

impl<'a> Seen<'a> {
    /// Where the lead lies was derived from postal data; it is stored so that a replay sees the same.
    pub(crate) fn new(input: &'a RoutingInput, facts: &'a LeadFacts) -> Self {
        let centre = facts.centre.map(|centre| [centre.latitude, centre.longitude]);
        Self { input, country: &facts.country, state: facts.state.as_deref(), centre }
    }
}

impl Batch<'_> {
    /// Routes a lead and writes the decision with everything that follows from it.
    pub(super) fn place(
        &mut self,
        subject: &Subject<'_>,
        input: RoutingInput,
        fits: &[Fit],
        last: Option<&str>,
        writes: &mut PlacementWrites,
    ) -> StoreResult<Placed> {
        let routing = route(&input);
        if routing.winners.is_empty() && last.is_some_and(|last| is_as_before(last, &input, &routing)) {
            return Ok(Placed { plan: input.plan, waits: routing.waits, nothing_new: true, ..Placed::default() });
        }
        let decision_id = self.ids.uuid();
        self.write_decision(subject, decision_id, &input, &routing, writes)?;
        let mut placed = Placed::default();
        for (leg, winner) in routing.winners.iter().enumerate() {
            let sale = self.sale_row(subject, decision_id, &input, *winner, leg, &fits[winner.position]);
            self.reserve(subject, &fits[winner.position], &sale, writes);
            if sale.state == SaleState::Sold.as_str() {
                placed.sold += 1;
                placed.payout_minor += sale.payout_minor;
            } else {
                placed.pending += 1;
            }
            self.write_sale(subject, &fits[winner.position], sale, writes);
        }
        self.turn_rotations(subject, &input, &routing);
        placed.waits = routing.waits;
        placed.plan = input.plan;
        Ok(placed)
    }

    fn write_decision(
        &self,
        subject: &Subject<'_>,
        id: Uuid,
        input: &RoutingInput,
        routing: &Routing,
        writes: &mut PlacementWrites,
    ) -> StoreResult<()> {
        let outcome = outcome_word(input, routing);
        let seen = Seen::new(input, subject.facts);
        writes.decisions.push(decision::Model {
            id,
            no: 0,
            lead_id: subject.lead_id.0,
            number: subject.decision_number,
            rules_version: RULES_VERSION,
            campaign_revision_id: subject.campaign.revision_id.0,
            source_revision_id: subject.source.revision_id.0,
            postal_version: self.snapshot.version.postal,
            outcome: outcome.to_owned(),
            data: serde_json::to_string(&seen).map_err(StoreError::corrupt)?,
            decided_at: self.now,
        });
        Ok(())
    }

    fn sale_row(
        &self,
        subject: &Subject<'_>,
        decision_id: Uuid,
        input: &RoutingInput,
        winner: Winner,
        leg: usize,
        (contract, buyer): &Fit,
    ) -> sale::Model {
        let candidate = &input.candidates[winner.position];
        // A test is not billed.
        let test = subject.facts.test;
        let price = Money::new(if test { 0 } else { winner.price_minor }, candidate.price.currency);
        let earlier = subject.own_sales.len();
        // A fixed amount per sold lead is earned once: with the first leg that stands.
        let paid = leg > 0 || subject.own_sales.iter().any(|sale| sale.state.occupies());
        let payout_minor = if test { 0 } else { payout_of(subject, candidate, price.amount_minor, paid) };
        let state = if candidate.verdict == Verdict::Sync { SaleState::Pending } else { SaleState::Sold };
        sale::Model {
            id: self.ids.uuid(),
            lead_id: subject.lead_id.0,
            decision_id,
            campaign_id: subject.campaign.id.0,
            source_id: subject.source.id.0,
            supplier_id: subject.source.supplier_id.0,
            buyer_id: buyer.id.0,
            group_id: candidate.group_id,
            contract_id: contract.id.0,
            contract_revision_id: contract.revision_id.0,
            stage: candidate.stage.clone(),
            leg: i64::try_from(earlier + leg + 1).unwrap_or(i64::MAX),
            exclusive: winner.exclusive,
            verdict: candidate.verdict.as_str().to_owned(),
            state: state.as_str().to_owned(),
            counted: !subject.facts.test,
            currency: price.currency.as_str().to_owned(),
            price_minor: price.amount_minor,
            payout_minor,
            day: self.day(subject).to_string(),
            sold_at: self.now,
            state_since: self.now,
            reference: None,
            reason: None,
            test: subject.facts.test,
        }
    }

    /// The campaign's day.
    fn day(&self, subject: &Subject<'_>) -> chrono::NaiveDate {
        self.now.with_timezone(&subject.campaign.terms.time_zone).date_naive()
    }

    /// Takes money and cap capacity, in memory for the rest of the batch and in what is written.
    fn reserve(
        &mut self,
        subject: &Subject<'_>,
        (contract, buyer): &Fit,
        sale: &sale::Model,
        writes: &mut PlacementWrites,
    ) {
        if sale.test {
            return;
        }
        if let Some(wallet) = self.wallets.get_mut(&(buyer.id, subject.campaign.currency)) {
            wallet.available_minor -= sale.price_minor;
        }
        let (now, campaign) = (self.now, subject.campaign);
        // A bucket that operator and buyer both cap is one counter, and counts once.
        let further = contract.own.as_ref().map_or(&[][..], |own| &own.further);
        let owners: [(CapOwner, &[Cap], chrono_tz::Tz); 4] = [
            (CapOwner::Contract(contract.id.0), &contract.terms.caps, buyer.terms.time_zone),
            (CapOwner::Contract(contract.id.0), further, buyer.terms.time_zone),
            (CapOwner::Buyer(buyer.id.0), &buyer.terms.caps, buyer.terms.time_zone),
            (CapOwner::Campaign(campaign.id.0), &campaign.terms.caps, campaign.terms.time_zone),
        ];
        for (owner, caps, zone) in owners {
            self.count(owner, caps, now, zone, sale.price_minor, writes);
        }
    }

    /// Counts one more in every bucket of an owner's caps.
    fn count(
        &mut self,
        owner: CapOwner,
        caps: &[Cap],
        at: Timestamp,
        zone: chrono_tz::Tz,
        amount_minor: i64,
        writes: &mut PlacementWrites,
    ) {
        for cap in caps {
            let key = counter_key(owner, self.buckets.of(cap.period, at, zone));
            for used in [self.counters.entry(key).or_default(), writes.counters.entry(key).or_default()] {
                used.count += 1;
                used.amount_minor += amount_minor;
            }
        }
    }

    pub(super) fn count_accepted(&mut self, lead: &Prepared, writes: &mut PlacementWrites) {
        let owner = CapOwner::Source(lead.source.id.0);
        let source = Arc::clone(&lead.source);
        self.count(owner, &source.terms.caps, lead.received_at, lead.campaign.terms.time_zone, 0, writes);
    }

    /// A sale with its money, deliveries and events.
    fn write_sale(
        &mut self,
        subject: &Subject<'_>,
        (contract, buyer): &Fit,
        sale: sale::Model,
        writes: &mut PlacementWrites,
    ) {
        let sale_id = SaleId(sale.id);
        let pending = sale.state == SaleState::Pending.as_str();
        let wallet = self.wallets.get(&(buyer.id, subject.campaign.currency)).map(|wallet| wallet.account);
        if pending {
            if let Some(account) = wallet.filter(|_| !sale.test) {
                writes.holds.push(hold::Model {
                    id: self.ids.uuid(),
                    sale_id: sale.id,
                    account_id: account.0,
                    amount_minor: sale.price_minor,
                    created_at: self.now,
                });
            }
        } else {
            self.write_charge(subject, &sale, wallet, writes);
        }
        let destinations =
            if pending { contract.terms.destinations.get(..1) } else { Some(&contract.terms.destinations[..]) };
        for destination in destinations.unwrap_or_default() {
            self.write_delivery(subject, &sale, *destination, pending, writes);
        }
        let kind = if pending { LeadEventKind::Offered } else { LeadEventKind::Sold };
        let detail = json!({ "sale_id": sale_id, "contract_id": contract.id, "buyer_id": buyer.id,
            "price_minor": sale.price_minor, "currency": sale.currency });
        Self::event(writes, subject.lead_id, kind, detail);
        let prior = PriorSale {
            lead_id: subject.lead_id,
            buyer_id: buyer.id,
            group_id: sale.group_id,
            contract_id: contract.id,
            state: if pending { SaleState::Pending } else { SaleState::Sold },
            leg: sale.leg,
            exclusive: sale.exclusive,
            payout_minor: sale.payout_minor,
        };
        self.sales.entry(subject.lead_id).or_default().push(prior);
        writes.sales.push(sale);
    }

    /// The charge of a final sale and the supplier's share of it.
    fn write_charge(
        &self,
        subject: &Subject<'_>,
        sale: &sale::Model,
        wallet: Option<AccountId>,
        writes: &mut PlacementWrites,
    ) {
        let currency = subject.campaign.currency;
        let revenue = self.accounts.get(&(AccountKind::Revenue, OPERATOR, currency));
        if let (Some(debit), Some(credit), true) = (wallet, revenue, sale.price_minor > 0) {
            writes.transfers.push(NewTransfer {
                kind: TransferKind::Sale,
                debit,
                credit: *credit,
                money: Money::new(sale.price_minor, currency),
                refs: refs(subject, Some(sale)),
                day: self.day(subject),
                memo: None,
                idempotency_key: format!("sale:{}", sale.id),
            });
        }
        if sale.payout_minor > 0 {
            self.write_payout(subject, Some(sale), sale.payout_minor, writes);
        }
    }

    /// What the supplier earns.
    pub(super) fn write_payout(
        &self,
        subject: &Subject<'_>,
        sale: Option<&sale::Model>,
        amount_minor: i64,
        writes: &mut PlacementWrites,
    ) {
        let currency = subject.campaign.currency;
        let payable = (AccountKind::SupplierPayable, Uuid::from(subject.source.supplier_id), currency);
        let cost = self.accounts.get(&(AccountKind::PayoutCost, OPERATOR, currency));
        let (Some(debit), Some(credit)) = (cost, self.accounts.get(&payable)) else { return };
        let about = sale.map_or_else(|| format!("lead:{}", subject.lead_id), |sale| format!("sale:{}", sale.id));
        writes.transfers.push(NewTransfer {
            kind: TransferKind::Payout,
            debit: *debit,
            credit: *credit,
            money: Money::new(amount_minor, currency),
            refs: refs(subject, sale),
            day: self.day(subject),
            memo: None,
            idempotency_key: format!("payout:{about}"),
        });
    }

    fn write_delivery(
        &self,
        subject: &Subject<'_>,
        sale: &sale::Model,
        destination: leadyard_types::DestinationId,
        pending: bool,
        writes: &mut PlacementWrites,
    ) {
        let delivery_id = leadyard_types::DeliveryId(self.ids.uuid());
        writes.deliveries.push(delivery::Model {
            id: delivery_id.0,
            sale_id: sale.id,
            lead_id: subject.lead_id.0,
            buyer_id: sale.buyer_id,
            destination_id: destination.0,
            state: DeliveryState::Pending.as_str().to_owned(),
            attempts: 0,
            next_attempt_at: Some(self.now),
            reference: None,
            created_at: self.now,
            finished_at: None,
        });
        let (payload, key) = if pending {
            let sale_id = SaleId(sale.id);
            (TaskPayload::Post { sale_id, delivery_id }, post_key(sale_id))
        } else {
            (TaskPayload::Deliver { delivery_id }, deliver_key(delivery_id))
        };
        let (lane, dedupe_key) = (destination.to_string(), Some(key));
        writes.tasks.push(NewTask { payload, lane, run_at: self.now, dedupe_key });
    }

    /// Only a sale turns a stage's rotation; a sale whose verdict is awaited turns it when it is accepted.
    fn turn_rotations(&mut self, subject: &Subject<'_>, input: &RoutingInput, routing: &Routing) {
        if subject.facts.test {
            return;
        }
        for winner in &routing.winners {
            let candidate = &input.candidates[winner.position];
            let Some(stage) = input.stages.iter().find(|stage| stage.key == candidate.stage) else { continue };
            // A waterfall asks no rotation, so none is kept for it.
            if candidate.verdict == Verdict::Sync || stage.method == Method::Waterfall {
                continue;
            }
            let key = (subject.campaign.id, input.rotation_key(&candidate.stage));
            let rotation = self.rotations.entry(key.clone()).or_default();
            input.turn(stage, &routing.verdicts, rotation, candidate.contract_id);
            self.turned.insert(key);
        }
    }

    /// Where the lead goes: sold, awaiting, queued for its window, or unsold.
    pub(super) fn outcome(
        &self,
        subject: &Subject<'_>,
        from: LeadState,
        retry_until: Option<Timestamp>,
        placed: &Placed,
        writes: &mut PlacementWrites,
    ) -> Outcome {
        let standing = |state: SaleState| subject.own_sales.iter().any(|sale| sale.state == state);
        if placed.sold > 0 || from == LeadState::Sold || standing(SaleState::Sold) {
            return Outcome::at_rest(LeadState::Sold, None, None);
        }
        if placed.pending > 0 || standing(SaleState::Pending) || standing(SaleState::Unknown) {
            return Outcome::at_rest(LeadState::Received, None, retry_until);
        }
        if subject.promise_minor.is_some() {
            // Its supplier was promised a price now, and goes elsewhere: it is not offered again by itself.
            let detail = json!({ "check": Check::PromiseLapsed });
            Self::event(writes, subject.lead_id, LeadEventKind::Unsold, detail);
            return Outcome::at_rest(LeadState::Unsold, Some(Check::PromiseLapsed), None);
        }
        let unsold = subject.unsold(self.now);
        let Some(next) = unsold.next_offer(placed.waits.map(|waits| waits.opens_at)) else {
            let detail = json!({ "check": Check::NoBuyer });
            Self::event(writes, subject.lead_id, LeadEventKind::Unsold, detail);
            return Outcome::at_rest(LeadState::Unsold, Some(Check::NoBuyer), Some(unsold.window_end()));
        };
        writes.tasks.push(offer_task(subject.lead_id, next.at));
        if from != LeadState::Queued {
            let detail = match placed.waits {
                Some(waits) => json!({ "until": next.until, "waits_for": waits }),
                None => json!({ "until": next.until }),
            };
            Self::event(writes, subject.lead_id, LeadEventKind::Queued, detail);
        }
        Outcome {
            state: LeadState::Queued,
            reason: Some(Check::NoBuyer),
            retry_until: Some(next.until),
            offer_at: Some(next.at),
        }
    }

    /// The lead itself, with its person, consent, fingerprints and first events.
    pub(super) fn write_lead(
        &mut self,
        lead: &Prepared,
        lead_id: LeadId,
        state: LeadState,
        rejection: Option<&Rejection>,
        writes: &mut PlacementWrites,
    ) -> StoreResult<()> {
        writes.pings.extend(lead.asked.pings.iter().map(|row| ping::Model { lead_id: Some(lead_id.0), ..row.clone() }));
        if let Offered::Post { quote, .. } = lead.offered {
            writes.quotes_used.push((quote, lead_id));
        }
        let (person_id, key) = self.person(lead, writes)?;
        let (open, mut personal) = split_personal(&lead.vertical, &lead.facts.fields);
        keep_refused_values(lead, &mut personal);
        let sealed_fields = if personal.is_empty() {
            None
        } else {
            let plain = serde_json::to_vec(&personal).map_err(StoreError::corrupt)?;
            Some(seal(&key, Place::new("lead", "sealed_fields", lead_id.0), &plain)?)
        };
        writes.leads.push(lead::Model {
            id: lead_id.0,
            campaign_id: lead.campaign.id.0,
            source_id: lead.source.id.0,
            supplier_id: lead.source.supplier_id.0,
            person_id: person_id.0,
            door: lead.draft.door.as_str().to_owned(),
            state: state.as_str().to_owned(),
            reason: rejection.map(|rejection| rejection.refusal.check.as_str().to_owned()),
            fields: serde_json::to_string(&open).map_err(StoreError::corrupt)?,
            sealed_fields,
            subid: lead.draft.subid.clone(),
            external_id: lead.draft.external_id.clone(),
            accepted: rejection.is_none() && !lead.facts.test,
            test: lead.facts.test,
            score: lead.facts.score,
            enquired_at: lead
                .draft
                .enquired_at
                .filter(|moment| *moment <= lead.received_at)
                .unwrap_or(lead.received_at),
            received_at: lead.received_at,
            state_since: self.now,
            retry_until: None,
            decisions: 0,
            split: None,
            plan: None,
            offer_at: None,
        });
        self.write_consent(lead, lead_id, &key, writes)?;
        let detail = json!({ "door": door_word(lead.draft.door), "source_id": lead.source.id });
        Self::event(writes, lead_id, LeadEventKind::Received, detail);
        match rejection {
            Some(Rejection { refusal, problems }) => {
                let detail = json!({ "refusal": refusal, "problems": problems });
                Self::event(writes, lead_id, LeadEventKind::Rejected, detail);
            }
            // Rejected leads leave no fingerprint: they make nobody else a duplicate.
            None => writes.fingerprints.extend(lead.fingerprints.iter().map(|hash| lead_fingerprint::Model {
                hash: hash.to_vec(),
                lead_id: lead_id.0,
                campaign_id: lead.campaign.id.0,
                received_at: lead.received_at,
            })),
        }
        Ok(())
    }

    /// The person the lead is about, and their key; made where nobody is known by these contacts.
    fn person(&mut self, lead: &Prepared, writes: &mut PlacementWrites) -> StoreResult<(PersonId, SealKey)> {
        if let Some(known) = lead.identity.and_then(|identity| self.people.get(&identity))
            && let Some(wrapped) = &known.wrapped_key
        {
            let id = PersonId(known.id);
            return Ok((id, self.keyring.person_key(id, &known.master_key_id, wrapped)?));
        }
        let id = PersonId(self.ids.uuid());
        let (key, wrapped) = self.keyring.new_person_key(id)?;
        let row = person::Model {
            id: id.0,
            identity_hash: lead.identity.map(|hash| hash.to_vec()),
            master_key_id: wrapped.master_key_id,
            wrapped_key: Some(wrapped.wrapped),
            created_at: self.now,
            erased_at: None,
        };
        if let Some(identity) = lead.identity {
            self.people.insert(identity, row.clone());
        }
        writes.people.push(row);
        Ok((id, key))
    }

    fn write_consent(
        &self,
        lead: &Prepared,
        lead_id: LeadId,
        key: &SealKey,
        writes: &mut PlacementWrites,
    ) -> StoreResult<()> {
        let Some(given) = &lead.draft.consent else { return Ok(()) };
        let id = self.ids.uuid();
        let plain = serde_json::to_vec(given).map_err(StoreError::corrupt)?;
        writes.consents.push(consent::Model {
            id,
            lead_id: lead_id.0,
            text_version: given.text_version.clone(),
            given_at: given.given_at,
            basis: given.basis.clone(),
            purposes: serde_json::to_string(&given.purposes).map_err(StoreError::corrupt)?,
            recipients: serde_json::to_string(&given.recipients).map_err(StoreError::corrupt)?,
            sealed: seal(key, Place::new("consent", "sealed", id), &plain)?,
            created_at: self.now,
        });
        Ok(())
    }

    /// Keeps the answer, so that the same request gets it again, also later in this very batch.
    pub(super) fn remember_answer(
        &mut self,
        lead: &Prepared,
        answer: &LeadAnswer,
        writes: &mut PlacementWrites,
    ) -> StoreResult<()> {
        let text = serde_json::to_string(answer).map_err(StoreError::corrupt)?;
        let stored = StoredAnswer {
            request_hash: lead.request_hash.to_vec(),
            answer: text.clone(),
            created_at: lead.received_at,
        };
        self.answers.insert((lead.scope.clone(), lead.key), stored);
        writes.answers.push(idempotency_record::Model {
            scope: lead.scope.clone(),
            key: lead.key.to_vec(),
            request_hash: lead.request_hash.to_vec(),
            lead_id: answer.lead_id.0,
            answer: text,
            created_at: lead.received_at,
        });
        Ok(())
    }
}

/// What was sent for a field that was refused is kept too, sealed: nothing a supplier sends is lost.
fn keep_refused_values(lead: &Prepared, personal: &mut Fields) {
    /// Enough to see what went wrong.
    const KEPT_CHARS: usize = 500;
    for problem in &lead.problems {
        let Some(sent) = lead.draft.fields.get(&problem.field) else { continue };
        if lead.facts.fields.contains_key(&problem.field) || sent.is_null() {
            continue;
        }
        let text = sent.as_str().map_or_else(|| sent.to_string(), str::to_owned);
        personal.insert(problem.field.clone(), FieldValue::Text(text.chars().take(KEPT_CHARS).collect()));
    }
}

/// Whether a look at which nobody bought came to the same as the decision before it.
fn is_as_before(last: &str, input: &RoutingInput, routing: &Routing) -> bool {
    #[derive(Deserialize)]
    struct Last {
        input: RoutingInput,
    }
    let Ok(last) = serde_json::from_str::<Last>(last) else { return false };
    nothing_new((&last.input, &route(&last.input)), (input, routing))
}

fn refs(subject: &Subject<'_>, sale: Option<&sale::Model>) -> TransferRefs {
    TransferRefs {
        sale: sale.map(|sale| SaleId(sale.id)),
        lead: Some(subject.lead_id),
        complaint: None,
        campaign: Some(subject.campaign.id),
        source: Some(subject.source.id),
        supplier: Some(subject.source.supplier_id),
        buyer: sale.map(|sale| leadyard_types::BuyerId(sale.buyer_id)),
        contract: sale.map(|sale| leadyard_types::ContractId(sale.contract_id)),
    }
}
