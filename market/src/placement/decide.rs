//! Deciding a batch, lead after lead, against what was loaded. Pure but for new ids and sealing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use leadyard_entity::placement::{CapOwner, Counters, FingerprintHit, NewEvent, PlacementWrites, PriorSale};
use leadyard_entity::{IndexHash, StoreError, StoreResult};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::terms::{DuplicateMatch, DuplicatePolicy};
use leadyard_types::{
    BidSeen, BuyerId, CampaignId, Cap, Check, CostModel, Currency, FieldProblem, LeadAnswer, LeadId, LeadState, Method,
    Money, Plan, Refusal, SaleMode, SaleState, Stage, Timestamp, time,
};

use super::Work;
use super::batch::{Again, Batch, Wallet, counter_key};
use super::rows::Subject;
use crate::asking::Asked;
use crate::eligibility;
use crate::intake::{IntakeError, Offered, Prepared, SAME_BODY_SECONDS, body_scope};
use crate::market::ComplaintRates;
use crate::rules::auction::complaint_ppm;
use crate::rules::cap::{self, Buckets, CapUse};
use crate::rules::duplicate::{self, Hit};
use crate::rules::facts::LeadFacts;
use crate::rules::method::StageState;
use crate::rules::payout::payout_for_accepted;
use crate::rules::promise::SupplierShare;
use crate::rules::routing::{Candidate, RoutingInput, Waiting};
use crate::rules::split::rotation_key;
use crate::rules::trial::{TestAnswer, test_answer, test_price_minor};
use crate::snapshot::{Buyer, Campaign, Contract, Fit};

type Answer = Result<LeadAnswer, IntakeError>;

/// A check that ended a lead's way.
pub(crate) struct Rejection {
    pub(crate) refusal: Refusal,
    pub(crate) problems: Vec<FieldProblem>,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, problems: Vec::new() }
    }
}

/// What came of looking at a lead.
pub(crate) enum Screening {
    /// It would be offered.
    Offered(Box<Screened>),
    /// A check would refuse it.
    Refused(Rejection),
    /// It was answered before, or nothing more can become of it.
    Settled,
}

/// A lead as placement would route it.
pub(crate) struct Screened {
    /// What it would be routed by.
    pub(crate) input: RoutingInput,
    /// The contracts behind the candidates.
    pub(crate) fits: Vec<Fit>,
    /// Campaign and facts of a stored lead.
    pub(crate) again: Option<(Arc<Campaign>, LeadFacts)>,
}

/// A lead that just arrived, as it is routed.
fn new_subject(lead: &Prepared, lead_id: LeadId) -> Subject<'_> {
    Subject {
        lead_id,
        campaign: &lead.campaign,
        source: &lead.source,
        facts: &lead.facts,
        fingerprints: &lead.fingerprints,
        decision_number: 1,
        own_sales: Vec::new(),
        bids: &lead.asked.bids,
        offered: lead.offered,
        promise_minor: match lead.offered {
            Offered::Post { promise_minor, .. } => Some(promise_minor),
            Offered::Sent | Offered::Ping { .. } => None,
        },
        // A post gets the plan that its ping was priced by.
        identity: lead.offered.quote().unwrap_or_else(|| lead.identity.as_ref().unwrap_or(&lead.key)),
        plan_before: None,
        plan_seen: None,
        until: None,
        aged: None,
    }
}

/// A stored lead, as it is routed again.
fn stored_subject(again: &Again, lead_id: LeadId, own_sales: Vec<PriorSale>) -> Subject<'_> {
    let got = own_sales.iter().filter(|sale| takes_a_place(sale)).map(|sale| sale.payout_minor).sum::<i64>();
    Subject {
        lead_id,
        campaign: &again.campaign,
        source: &again.source,
        facts: &again.facts,
        fingerprints: &again.fingerprints,
        decision_number: again.lead.row.decisions + 1,
        own_sales,
        bids: &again.bids,
        offered: Offered::Sent,
        promise_minor: again.promise_minor.map(|promise| promise - got),
        identity: again.lead.identity.as_deref().unwrap_or_else(|| again.lead.row.id.as_bytes()),
        plan_before: again.plan_before(),
        plan_seen: None,
        until: again.lead.row.retry_until,
        aged: again.aged(),
    }
}

impl Batch<'_> {
    /// Decides every lead of the batch in order; answers in the same order.
    pub(crate) fn decide(mut self) -> StoreResult<(PlacementWrites, Vec<Answer>)> {
        let mut writes = PlacementWrites::default();
        let mut answers = Vec::with_capacity(self.work.len());
        for (index, work) in self.work.iter().enumerate() {
            answers.push(match work {
                Work::New(lead) => self.decide_new(index, lead, &mut writes)?,
                Work::Again(id, asked) => self.decide_again(index, *id, asked, &mut writes)?,
            });
        }
        for key in std::mem::take(&mut self.turned) {
            if let Some(rotation) = self.rotations.get(&key) {
                writes.rotations.insert(key, serde_json::to_string(rotation).map_err(StoreError::corrupt)?);
            }
        }
        Ok((writes, answers))
    }

    fn decide_new(&mut self, index: usize, lead: &Prepared, writes: &mut PlacementWrites) -> StoreResult<Answer> {
        if let Some(answer) = self.earlier_answer(lead, writes)? {
            return Ok(answer);
        }
        let lead_id = LeadId(self.ids.uuid());
        let answer = match self.rejection(lead) {
            None if lead.facts.test => self.accept_test(index, lead, lead_id, writes)?,
            Some(rejection) => {
                self.write_lead(lead, lead_id, LeadState::Rejected, Some(&rejection), writes)?;
                rejected(lead_id, rejection, &lead.campaign, lead.facts.test)
            }
            None => self.accept(index, lead, lead_id, writes)?,
        };
        self.remember_answer(lead, &answer, writes)?;
        Ok(Ok(answer))
    }

    /// What placement would route each of these leads by, in the order of the work. Nothing of one shows in another: no
    /// decision is made.
    pub(crate) fn screen(mut self) -> Vec<StoreResult<Screening>> {
        let fits = std::mem::take(&mut self.fits);
        let opening = std::mem::take(&mut self.opening);
        let seen = fits.into_iter().zip(opening);
        self.work.iter().zip(seen).map(|(work, (fits, opening))| self.screen_one(work, fits, opening)).collect()
    }

    fn screen_one(
        &self,
        work: &Work,
        mut fits: Vec<Fit>,
        mut opening: Vec<(Fit, Timestamp)>,
    ) -> StoreResult<Screening> {
        let (input, again) = match work {
            Work::New(lead) => {
                // A ping waits for nothing and repeats nothing: what was answered to its id is looked for elsewhere.
                let is_ping = matches!(lead.offered, Offered::Ping { .. });
                if is_ping {
                    opening.clear();
                } else if self.earlier_answer(lead, &mut PlacementWrites::default())?.is_some() {
                    return Ok(Screening::Settled);
                }
                if let Some(rejection) = self.rejection(lead) {
                    return Ok(Screening::Refused(rejection));
                }
                let lead_id = LeadId(uuid::Uuid::nil());
                (self.moment().routing_input(&new_subject(lead, lead_id), &fits, &opening), None)
            }
            Work::Again(id, _) => {
                let Some(again) = self.again.get(id) else { return Ok(Screening::Settled) };
                let state: LeadState = again.lead.row.state.parse().map_err(StoreError::corrupt)?;
                if stays(state, again) || again.lead.erased {
                    return Ok(Screening::Settled);
                }
                let own_sales = self.sales.get(id).cloned().unwrap_or_default();
                again.keep_those_for_aged(&mut fits);
                let input = self.moment().routing_input(&stored_subject(again, *id, own_sales), &fits, &opening);
                (input, Some((Arc::clone(&again.campaign), again.facts.clone())))
            }
        };
        Ok(Screening::Offered(Box::new(Screened { input, fits, again })))
    }

    /// The first answer again, where this is the same request; an error where the key was used for another.
    fn earlier_answer(&self, lead: &Prepared, writes: &mut PlacementWrites) -> StoreResult<Option<Answer>> {
        let key = (lead.scope.clone(), lead.key);
        let Some(stored) = self.answers.get(&key) else { return Ok(None) };
        let by_body = lead.scope == body_scope(lead.source.id);
        if by_body && (lead.received_at - stored.created_at).num_seconds() >= SAME_BODY_SECONDS {
            writes.stale_answers.push(key);
            return Ok(None);
        }
        if stored.request_hash != lead.request_hash {
            return Ok(Some(Err(IntakeError::KeyReused)));
        }
        let mut answer: LeadAnswer = serde_json::from_str(&stored.answer).map_err(StoreError::corrupt)?;
        answer.repeated = true;
        Ok(Some(Ok(answer)))
    }

    /// Checks 1 to 5 in the published order; the first that fails names itself. (6 and 7 are not configured.)
    fn rejection(&self, lead: &Prepared) -> Option<Rejection> {
        let capped = || if lead.facts.test { None } else { self.source_cap_refusal(lead) };
        if let Some(refusal) = lead.source_refusal.clone().or_else(capped) {
            return Some(refusal.into());
        }
        if !lead.problems.is_empty() {
            let refusal = Refusal::new(Check::Fields, "some fields are missing or wrong");
            return Some(Rejection { refusal, problems: lead.problems.clone() });
        }
        let listed = |hash: &IndexHash| {
            self.suppressed.contains(&(*hash, None)) || self.suppressed.contains(&(*hash, Some(lead.campaign.id)))
        };
        if lead.contacts.iter().any(listed) {
            return Some(Refusal::new(Check::Suppression, "this person must not be contacted").into());
        }
        if let Some(refusal) = lead.consent_refusal.clone() {
            return Some(refusal.into());
        }
        if lead.facts.test && !matches!(lead.offered, Offered::Ping { .. }) {
            return test_rejection(lead);
        }
        let hits: Vec<Hit> = self.moment().hits_of(&lead.fingerprints).map(as_hit).collect();
        let policy = &lead.campaign.terms.duplicates;
        let earlier = duplicate::is_duplicate(policy, lead.campaign.id, &lead.fingerprints, &hits, lead.received_at)?;
        let refusal = Refusal::new(Check::Duplicate, "this enquiry was taken in before");
        Some(refusal.seeing("earlier lead", earlier.to_string()).into())
    }

    fn source_cap_refusal(&self, lead: &Prepared) -> Option<Refusal> {
        let owner = CapOwner::Source(lead.source.id.0);
        let uses = self.moment().uses(owner, &lead.source.terms.caps, lead.received_at, lead.campaign.terms.time_zone);
        cap::refusal("source", &uses, 0).map(|refusal| Refusal { check: Check::Source, ..refusal })
    }

    /// A lead that passed its checks: counted, paid for if the source is paid per lead, and routed.
    fn accept(
        &mut self,
        index: usize,
        lead: &Prepared,
        lead_id: LeadId,
        writes: &mut PlacementWrites,
    ) -> StoreResult<LeadAnswer> {
        self.count_accepted(lead, writes);
        let (per_lead_minor, _) = payout_for_accepted(&lead.source.payout, &lead.facts);
        let subject = new_subject(lead, lead_id);
        let fits = std::mem::take(&mut self.fits[index]);
        // The lead's row comes first: everything else refers to it. Its state follows from the routing.
        let row = writes.leads.len();
        self.write_lead(lead, lead_id, LeadState::Received, None, writes)?;
        if per_lead_minor > 0 {
            self.write_payout(&subject, None, per_lead_minor, writes);
        }
        let opening = std::mem::take(&mut self.opening[index]);
        let input = self.moment().routing_input(&subject, &fits, &opening);
        let placed = self.place(&subject, input, &fits, None, writes)?;
        let outcome = self.outcome(&subject, LeadState::Received, None, &placed, writes);
        if let Some(stored) = writes.leads.get_mut(row) {
            stored.state = outcome.state.as_str().to_owned();
            stored.reason = outcome.reason.map(|check| check.as_str().to_owned());
            stored.retry_until = outcome.retry_until;
            stored.offer_at = outcome.offer_at;
            stored.decisions = 1;
            stored.split = placed.plan.as_ref().map(|seen| seen.split.clone());
            stored.plan = placed.plan.as_ref().map(|seen| seen.plan.as_str().to_owned());
        }
        for hash in &lead.fingerprints {
            let hit =
                FingerprintHit { hash: *hash, lead_id, campaign_id: lead.campaign.id, received_at: lead.received_at };
            self.hits.entry(*hash).or_default().push(hit);
        }
        Ok(accepted(lead, lead_id, outcome.state, outcome.reason, per_lead_minor + placed.payout_minor))
    }

    /// A test that passed its checks: answered by its postal code, and delivered to contracts in test mode.
    fn accept_test(
        &mut self,
        index: usize,
        lead: &Prepared,
        lead_id: LeadId,
        writes: &mut PlacementWrites,
    ) -> StoreResult<LeadAnswer> {
        let code = lead.facts.postal_code.as_deref();
        let promised = matches!(lead.offered, Offered::Post { .. });
        let reason = match test_answer(code) {
            TestAnswer::NoBuyer => Some(Check::NoBuyer),
            TestAnswer::Lapses if promised => Some(Check::PromiseLapsed),
            _ => None,
        };
        let state = if reason.is_some() { LeadState::Unsold } else { LeadState::Sold };
        let row = writes.leads.len();
        self.write_lead(lead, lead_id, state, None, writes)?;
        if reason.is_none() {
            let subject = new_subject(lead, lead_id);
            let fits = std::mem::take(&mut self.fits[index]);
            let input = self.moment().routing_input(&subject, &fits, &[]);
            self.place(&subject, input, &fits, None, writes)?;
            if let Some(stored) = writes.leads.get_mut(row) {
                stored.decisions = 1;
            }
        }
        if let (Some(reason), Some(stored)) = (reason, writes.leads.get_mut(row)) {
            stored.reason = Some(reason.as_str().to_owned());
            Self::event(writes, lead_id, LeadEventKind::Unsold, serde_json::json!({ "check": reason }));
        }
        let payout_minor = if reason.is_some() { 0 } else { test_payout_minor(lead) };
        Ok(accepted(lead, lead_id, state, reason, payout_minor))
    }

    /// A stored lead that is offered again.
    fn decide_again(
        &mut self,
        index: usize,
        id: LeadId,
        asked: &Asked,
        writes: &mut PlacementWrites,
    ) -> StoreResult<Answer> {
        writes.pings.extend(asked.pings.iter().cloned());
        let Some(again) = self.again.remove(&id) else {
            if let Some(known) = self.decided.get(&id) {
                // Twice in one batch: it was decided a moment ago.
                return Ok(Ok(known.clone()));
            }
            return Ok(Err(StoreError::corrupt("a lead that is offered again is missing").into()));
        };
        let state: LeadState = again.lead.row.state.parse().map_err(StoreError::corrupt)?;
        let answer = |state, check| LeadAnswer {
            lead_id: id,
            state,
            check,
            message: None,
            problems: Vec::new(),
            payout: None,
            redirect_url: None,
            test: again.lead.row.test,
            repeated: false,
        };
        if stays(state, &again) {
            let answer = answer(state, None);
            self.decided.insert(id, answer.clone());
            return Ok(Ok(answer));
        }
        let own_sales = self.sales.get(&id).cloned().unwrap_or_default();
        let subject = stored_subject(&again, id, own_sales);
        let mut fits = std::mem::take(&mut self.fits[index]);
        again.keep_those_for_aged(&mut fits);
        let opening = std::mem::take(&mut self.opening[index]);
        let input = self.moment().routing_input(&subject, &fits, &opening);
        if input.places() == 0 && matches!(state, LeadState::Sold | LeadState::Received) {
            // Somebody has it already, or is being asked: there is nothing to decide.
            let answer = answer(state, None);
            self.decided.insert(id, answer.clone());
            return Ok(Ok(answer));
        }
        let last = self.last.remove(&id);
        let placed = self.place(&subject, input, &fits, last.as_deref(), writes)?;
        let outcome = self.outcome(&subject, state, again.lead.row.retry_until, &placed, writes);
        writes.lead_updates.push(leadyard_entity::placement::LeadUpdate {
            lead_id: id,
            state: outcome.state,
            reason: outcome.reason.map(|check| check.as_str().to_owned()),
            retry_until: outcome.retry_until,
            offer_at: outcome.offer_at,
            plan: placed.plan,
            decided: !placed.nothing_new,
        });
        let answer = answer(outcome.state, outcome.reason);
        self.decided.insert(id, answer.clone());
        Ok(Ok(answer))
    }

    /// What this batch's next decision sees of the moment.
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment {
            now: self.now,
            hits: &self.hits,
            sales: &self.sales,
            rotations: &self.rotations,
            counters: &self.counters,
            buckets: &self.buckets,
            wallets: &self.wallets,
            complaint_rates: &self.complaint_rates,
        }
    }

    /// A step in a lead's timeline.
    pub(super) fn event(writes: &mut PlacementWrites, lead_id: LeadId, kind: LeadEventKind, detail: serde_json::Value) {
        writes.events.push(NewEvent { lead_id, kind, detail });
    }
}

/// What a decision sees of the moment: of a batch that is placed, or of a moment of history that is lived through again.
pub(crate) struct Moment<'a> {
    pub(crate) now: Timestamp,
    /// Earlier leads by fingerprint.
    pub(crate) hits: &'a HashMap<IndexHash, Vec<FingerprintHit>>,
    /// Sales by lead.
    pub(crate) sales: &'a HashMap<LeadId, Vec<PriorSale>>,
    pub(crate) rotations: &'a HashMap<(CampaignId, String), StageState>,
    pub(crate) counters: &'a Counters,
    pub(crate) buckets: &'a Buckets,
    pub(crate) wallets: &'a HashMap<(BuyerId, Currency), Wallet>,
    pub(crate) complaint_rates: &'a ComplaintRates,
}

impl Moment<'_> {
    fn hits_of(&self, fingerprints: &[IndexHash]) -> impl Iterator<Item = &FingerprintHit> {
        fingerprints.iter().filter_map(|hash| self.hits.get(hash)).flatten()
    }

    /// Caps with what is in their buckets.
    pub(super) fn uses(&self, owner: CapOwner, caps: &[Cap], at: Timestamp, zone: chrono_tz::Tz) -> Vec<CapUse> {
        caps.iter()
            .map(|cap| {
                let bucket = self.buckets.of(cap.period, at, zone);
                let used = self.counters.get(&counter_key(owner, bucket)).copied().unwrap_or_default();
                CapUse { cap: *cap, bucket, count: used.count, amount_minor: used.amount_minor }
            })
            .collect()
    }

    /// The routing's input: every contract whose terms fit, with what is seen of it now.
    pub(crate) fn routing_input(
        &self,
        subject: &Subject<'_>,
        fits: &[Fit],
        opening: &[(Fit, Timestamp)],
    ) -> RoutingInput {
        let (campaign, now) = (subject.campaign, self.now);
        let caps: &[Cap] = if subject.facts.test { &[] } else { &campaign.terms.caps };
        let known = self.leads_of_same_person(subject);
        let plan = subject.plan();
        let stages = campaign.terms.stages_of(plan.as_ref().map_or(Plan::A, |seen| seen.plan)).to_vec();
        let candidate = |fit, at| self.candidate(subject, fit, &stages, &known, at);
        let candidates: Vec<Candidate> = fits.iter().map(|fit| candidate(fit, now)).collect();
        let unsold = subject.unsold(now);
        let (test, offered) = (subject.facts.test, subject.offered);
        let promised = test || offered != Offered::Sent || subject.promise_minor.is_some();
        let opening = if promised || subject.aged.is_some() { &[] } else { opening };
        let waited_for =
            opening.iter().filter(|((contract, _), at)| unsold.waits_for(*at, contract.terms.wait_at_most_minutes));
        let waiting = waited_for.map(|(fit, at)| Waiting { candidate: candidate(fit, *at), opens_at: *at }).collect();
        let rotations = stages.iter().filter(|_| !test).filter_map(|stage| {
            let rotation = self.rotations.get(&(campaign.id, rotation_key(plan.as_ref(), &stage.key)))?;
            let members = candidates.iter().filter(|candidate| candidate.stage == stage.key);
            Some((stage.key.clone(), rotation.among(members.map(|candidate| candidate.contract_id))))
        });
        let taken = subject.own_sales.iter().filter(|sale| takes_a_place(sale));
        RoutingInput {
            sale_mode: campaign.terms.sale_mode,
            legs_taken: legs_taken(taken),
            floor_minor: match (&campaign.terms.aged, subject.aged) {
                (Some(policy), Some(_)) => policy.floor_minor,
                _ => campaign.terms.floor_minor,
            },
            promise_minor: subject.promise_minor,
            campaign_caps: self.uses(CapOwner::Campaign(campaign.id.0), caps, now, campaign.terms.time_zone),
            rotations: rotations.collect(),
            stages,
            plan,
            candidates,
            aged: subject.aged,
            offered_until: (!opening.is_empty()).then(|| unsold.window_end()),
            waiting,
        }
    }

    fn candidate(
        &self,
        subject: &Subject<'_>,
        (contract, buyer): &Fit,
        stages: &[Stage],
        known: &BTreeSet<LeadId>,
        now: Timestamp,
    ) -> Candidate {
        let (price_minor, rule) = contract.price(subject.facts, subject.aged);
        let auctioned = |stage: &Stage| stage.key == contract.terms.stage && stage.method == Method::Auction;
        let asks = contract.terms.ping.is_some() && subject.aged.is_none() && stages.iter().any(auctioned);
        let bid = subject.bids.get(&contract.id).filter(|_| asks).cloned();
        let offered = bid.as_ref().and_then(|bid| bid.price_minor);
        let price_minor = if asks { offered.unwrap_or(0) } else { price_minor };
        let price_rule = rule.filter(|_| !asks);
        let shared_minor = shared_prices(subject.campaign, contract, price_minor, bid.as_ref());
        let (zone, currency, test) = (buyer.terms.time_zone, subject.campaign.currency, subject.facts.test);
        // A test is neither capped nor billed.
        let uses = |owner, caps: &[Cap]| if test { Vec::new() } else { self.uses(owner, caps, now, zone) };
        let available = || self.wallets.get(&(buyer.id, currency)).map_or(0, |wallet| wallet.available_minor);
        Candidate {
            contract_id: contract.id,
            buyer_id: buyer.id,
            group_id: buyer.group_id(),
            revision_id: contract.revision_id,
            stage: contract.terms.stage.clone(),
            priority: contract.terms.priority,
            weight: contract.terms.weight,
            created_at: contract.created_at,
            exclusivity: contract.terms.exclusivity,
            verdict: contract.terms.verdict,
            price: Money::new(price_minor, currency),
            price_rule,
            shared_minor,
            asks,
            bid,
            complaint_ppm: self.complaint_ppm(subject.campaign, buyer.id),
            already_sold: self.already_sold(subject, contract.id, buyer.group_id(), known),
            consent: self.consent_refusal(subject, contract, buyer),
            contract_caps: uses(CapOwner::Contract(contract.id.0), &contract.terms.caps),
            own_caps: uses(CapOwner::Contract(contract.id.0), contract.own_caps()),
            buyer_caps: uses(CapOwner::Buyer(buyer.id.0), &buyer.terms.caps),
            available_minor: if test { i64::MAX } else { available() },
            share: supplier_share(subject, contract),
        }
    }

    /// Whether the consent does for a contract that asks to be named; in a ping nobody has to send one.
    fn consent_refusal(&self, subject: &Subject<'_>, contract: &Contract, buyer: &Buyer) -> Option<Refusal> {
        if matches!(subject.offered, Offered::Ping { .. }) && subject.facts.consent.is_none() {
            return None;
        }
        eligibility::consent_refusal(contract, buyer, subject.facts)
    }

    /// A buyer's expected complaint rate, where the campaign auctions.
    fn complaint_ppm(&self, campaign: &Campaign, buyer: BuyerId) -> u32 {
        if !campaign.auctions() {
            return 0;
        }
        self.complaint_rates.get(&buyer).copied().unwrap_or_else(|| complaint_ppm(0, 0))
    }

    /// Earlier leads of the same person, by the campaign's duplicate fields and window (decisions 11).
    fn leads_of_same_person(&self, subject: &Subject<'_>) -> BTreeSet<LeadId> {
        let policy: &DuplicatePolicy = &subject.campaign.terms.duplicates;
        let since = time::before(self.now, chrono::Duration::days(i64::from(policy.window_days)));
        let hits: Vec<&FingerprintHit> =
            self.hits_of(subject.fingerprints).filter(|hit| hit.received_at > since).collect();
        let shares_all = |lead: LeadId| {
            let shares = |hash: &IndexHash| hits.iter().any(|hit| hit.lead_id == lead && hit.hash == *hash);
            subject.fingerprints.iter().all(shares)
        };
        let same = |hit: &&&FingerprintHit| policy.matching == DuplicateMatch::Any || shares_all(hit.lead_id);
        hits.iter().filter(same).map(|hit| hit.lead_id).filter(|lead| *lead != subject.lead_id).collect()
    }

    /// Whether this lead or this person went to the buyer's group before, or the buyer refused this lead.
    fn already_sold(
        &self,
        subject: &Subject<'_>,
        contract: leadyard_types::ContractId,
        group: uuid::Uuid,
        known: &BTreeSet<LeadId>,
    ) -> Option<Refusal> {
        let stands = |sale: &&PriorSale| sale.group_id == group && sale.state != SaleState::Rejected;
        if let Some(sale) = subject.own_sales.iter().find(stands) {
            let refusal = Refusal::new(Check::AlreadySold, "this lead went to this buyer or its group before");
            return Some(refusal.seeing("sale state", sale.state.as_str()));
        }
        if subject.own_sales.iter().any(|sale| sale.contract_id == contract && sale.state == SaleState::Rejected) {
            return Some(Refusal::new(Check::BuyerRefused, "the buyer refused this lead before"));
        }
        let earlier = known
            .iter()
            .find(|lead| self.sales.get(lead).is_some_and(|sales| sales.iter().any(|sale| stands(&sale))))?;
        let refusal = Refusal::new(Check::AlreadySold, "this person was sold to this buyer or its group before");
        Some(refusal.seeing("earlier lead", earlier.to_string()))
    }
}

/// What a contract pays where a BEST sale has 2, 3 … buyers: what its buyer bid for that, or its shares of the price.
fn shared_prices(campaign: &Campaign, contract: &Contract, price_minor: i64, bid: Option<&BidSeen>) -> Vec<i64> {
    if !matches!(campaign.terms.sale_mode, SaleMode::Best { .. }) {
        return Vec::new();
    }
    match bid {
        Some(bid) if !bid.shared_minor.is_empty() => bid.shared_minor.clone(),
        _ => contract.terms.shared_percents.iter().map(|share| share.of(price_minor).unwrap_or(price_minor)).collect(),
    }
}

/// What the supplier gets of a contract's price, where it pinged: the price less the margin (the source's, the
/// contract's or the campaign's, in this order), or what the cost model says. Who is paid for every accepted lead is not
/// paid again for its sale.
fn supplier_share(subject: &Subject<'_>, contract: &Contract) -> Option<SupplierShare> {
    if subject.offered == Offered::Sent && subject.promise_minor.is_none() {
        return None;
    }
    let margin = subject.source.terms.margin.or(contract.terms.margin).or(subject.campaign.terms.margin);
    let per_lead = matches!(subject.source.terms.cost, CostModel::PerLead { .. });
    Some(match margin.filter(|_| !per_lead) {
        Some(margin) => SupplierShare::LessMargin { margin },
        None => subject.source.payout.share(subject.facts),
    })
}

/// What a test is said to bring its supplier, minor units: by its postal code, and never booked.
pub(crate) fn test_payout_minor(lead: &Prepared) -> i64 {
    let price_minor = test_price_minor(lead.facts.postal_code.as_deref(), lead.campaign.terms.floor_minor);
    let per_lead = matches!(lead.source.terms.cost, CostModel::PerLead { .. });
    let margin = lead.source.terms.margin.or(lead.campaign.terms.margin);
    let margin = margin.filter(|_| !per_lead && lead.offered != Offered::Sent);
    margin
        .map_or_else(|| lead.source.payout.share(&lead.facts), |margin| SupplierShare::LessMargin { margin })
        .of(price_minor)
}

/// Whether a sale takes one of the lead's places.
pub(crate) fn takes_a_place(sale: &PriorSale) -> bool {
    sale.state.occupies() || sale.state == SaleState::UnknownExpired
}

/// How many places of a lead are taken; an exclusive sale takes all of them.
fn legs_taken<'a>(sales: impl Iterator<Item = &'a PriorSale>) -> u8 {
    let (count, exclusive) = sales.fold((0_usize, false), |(count, any), sale| (count + 1, any || sale.exclusive));
    if exclusive { u8::MAX } else { u8::try_from(count).unwrap_or(u8::MAX) }
}

/// A test is refused by its postal code.
fn test_rejection(lead: &Prepared) -> Option<Rejection> {
    match test_answer(lead.facts.postal_code.as_deref()) {
        TestAnswer::Rejected(check) => Some(Refusal::new(check, "a test: its postal code asks for this answer").into()),
        TestAnswer::Sold | TestAnswer::NoBuyer | TestAnswer::Lapses => None,
    }
}

fn unsold_message(reason: Check) -> &'static str {
    match reason {
        Check::PromiseLapsed => "no buyer takes this lead any more at a price that keeps what was promised",
        _ => "no buyer takes this lead at the moment",
    }
}

/// Whether a stored lead stays as it is, whoever offers it again: no check is undone, and a test that was not sold was
/// answered so by its postal code.
fn stays(state: LeadState, again: &Again) -> bool {
    matches!(state, LeadState::Rejected | LeadState::Quarantined) || (again.lead.row.test && state != LeadState::Sold)
}

/// Where a visitor is sent.
pub(super) fn redirect(campaign: &Campaign, sold: bool) -> Option<String> {
    let redirects = &campaign.terms.redirects;
    if sold { redirects.sold_url.clone().or_else(|| redirects.other_url.clone()) } else { redirects.other_url.clone() }
}

/// The answer to a lead that passed its checks.
fn accepted(
    lead: &Prepared,
    lead_id: LeadId,
    state: LeadState,
    reason: Option<Check>,
    payout_minor: i64,
) -> LeadAnswer {
    LeadAnswer {
        lead_id,
        state,
        check: reason,
        message: reason.map(|reason| unsold_message(reason).to_owned()),
        problems: Vec::new(),
        payout: (payout_minor > 0).then(|| Money::new(payout_minor, lead.campaign.currency)),
        redirect_url: redirect(&lead.campaign, state == LeadState::Sold),
        test: lead.facts.test,
        repeated: false,
    }
}

fn rejected(lead_id: LeadId, rejection: Rejection, campaign: &Campaign, test: bool) -> LeadAnswer {
    LeadAnswer {
        lead_id,
        state: LeadState::Rejected,
        check: Some(rejection.refusal.check),
        message: Some(rejection.refusal.message),
        problems: rejection.problems,
        payout: None,
        redirect_url: redirect(campaign, false),
        test,
        repeated: false,
    }
}

fn as_hit(hit: &FingerprintHit) -> Hit {
    Hit { hash: hit.hash, lead_id: hit.lead_id, campaign_id: hit.campaign_id, received_at: hit.received_at }
}
