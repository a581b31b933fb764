//! Walking history: one order of decisions, and everything else that moved money and capacity in between. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use leadyard_entity::model::{decision, sale};
use leadyard_entity::placement::{FingerprintHit, PriorSale, UnsealedLead};
use leadyard_entity::replay::{SaleEvent, SaleTurn, WalletChange};
use leadyard_entity::{IndexHash, StoreError, StoreResult};
use leadyard_types::{
    BidSeen, BuyerId, ContractId, CostModel, Currency, LeadId, Method, PlanSeen, SaleState, SourceId, Timestamp,
    Verdict,
};
use uuid::Uuid;

use super::lead::{CreditGiven, LeadRun, RecordedSale};
use super::reason::reason;
use super::report::{Difference, NotReplayed};
use super::standing::{Revisions, Standing};
use super::world::{SimulatedSale, Turn, World};
use crate::explain::{Stored, facts_then};
use crate::intake::Offered;
use crate::placement::{Moment, Subject, payout_of};
use crate::rules::facts::LeadFacts;
use crate::rules::payout::payout_for_accepted;
use crate::rules::promise::SupplierShare;
use crate::rules::routing::{RULES_VERSION, Routing, RoutingInput, route};
use crate::snapshot::{Fit, Source};

/// How many differing inputs are told; the rest are counted.
const TOLD: usize = 20;

/// From one moment on until before another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Span {
    pub(super) fn has_begun(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at)
    }

    pub(super) fn has_ended(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= at)
    }
}

/// A page of history with what its decisions depend on.
#[derive(Default)]
pub(super) struct Page {
    pub(super) decisions: Vec<decision::Model>,
    /// The leads of decisions within the span.
    pub(super) leads: HashMap<Uuid, UnsealedLead>,
    /// The sales of leads that come for the first time.
    pub(super) sales: HashMap<Uuid, Vec<sale::Model>>,
    /// What became of them, in order.
    pub(super) events: Vec<SaleEvent>,
    /// By which each lead is recognised.
    pub(super) fingerprints: HashMap<Uuid, Vec<IndexHash>>,
    /// The leads with these fingerprints.
    pub(super) hits: HashMap<IndexHash, Vec<FingerprintHit>>,
}

/// The walk, as far as it has come.
pub(super) struct Run {
    pub(super) span: Span,
    pub(super) standing: Standing,
    pub(super) world: World,
    /// By lead; those that nobody ever bought and that were not looked at are left out.
    pub(super) leads: HashMap<LeadId, LeadRun>,
    pub(super) wallet_changes: VecDeque<WalletChange>,
    /// What becomes of the sales so far, by its place in the order.
    pub(super) events: BTreeMap<i64, SaleEvent>,
    pub(super) decisions: u64,
    pub(super) inputs_differing: u64,
    pub(super) differences: Vec<Difference>,
    pub(super) assumed_verdicts: Vec<LeadId>,
    pub(super) unknown_bids: BTreeMap<LeadId, BTreeSet<ContractId>>,
    pub(super) not_replayed: NotReplayed,
    /// Buyers of the draft that history does not know.
    pub(super) unknown_buyers: Vec<BuyerId>,
    drafted: bool,
}

impl Run {
    pub(super) fn new(span: Span, standing: Standing, wallet_changes: Vec<WalletChange>) -> Self {
        Self {
            span,
            standing,
            world: World::default(),
            leads: HashMap::new(),
            wallet_changes: wallet_changes.into(),
            events: BTreeMap::new(),
            decisions: 0,
            inputs_differing: 0,
            differences: Vec::new(),
            assumed_verdicts: Vec::new(),
            unknown_bids: BTreeMap::new(),
            not_replayed: NotReplayed::default(),
            unknown_buyers: Vec::new(),
            drafted: false,
        }
    }

    /// Wallets begin with the credit they were opened with: today's limits less every change since.
    pub(super) fn open_wallets(&mut self, limits: HashMap<(BuyerId, Currency), i64>) {
        for ((buyer, currency), limit_minor) in limits {
            self.world.pay(buyer, currency, limit_minor);
        }
        for change in &self.wallet_changes {
            self.world.pay(change.buyer, change.currency, -change.limit_minor);
        }
    }

    /// Whether a decision's lead came before.
    pub(super) fn knows(&self, decision: &decision::Model) -> bool {
        self.leads.contains_key(&LeadId(decision.lead_id))
    }

    /// Goes through a page.
    pub(super) fn walk(&mut self, mut page: Page) -> StoreResult<()> {
        self.learn(&mut page)?;
        for decision in std::mem::take(&mut page.decisions) {
            self.pass(decision.no, decision.decided_at);
            self.standing.advance(decision.no)?;
            // Tests moved nothing, so they change nothing.
            if page.leads.get(&decision.lead_id).is_some_and(|lead| lead.row.test) {
                continue;
            }
            let id = LeadId(decision.lead_id);
            let mut lead = self.leads.remove(&id).unwrap_or_default();
            let done = if self.span.has_begun(decision.decided_at) && !self.span.has_ended(decision.decided_at) {
                self.begin(decision.decided_at)?;
                self.again(&decision, &mut lead, &page)
            } else {
                self.repeat(&decision, &mut lead)
            };
            if lead.in_span || !lead.recorded.is_empty() {
                self.leads.insert(id, lead);
            }
            done?;
        }
        Ok(())
    }

    /// Takes in the sales of leads that come for the first time, and what becomes of them.
    fn learn(&mut self, page: &mut Page) -> StoreResult<()> {
        for (lead, rows) in std::mem::take(&mut page.sales) {
            // Tests took no room and no money.
            let recorded = rows.iter().filter(|row| !row.test).map(|row| RecordedSale::read(row, &page.events));
            let lead = self.leads.entry(LeadId(lead)).or_default();
            lead.recorded = recorded.collect::<StoreResult<_>>()?;
        }
        self.events.extend(page.events.drain(..).map(|event| (event.no, event)));
        Ok(())
    }

    /// The draft holds from the first decision of the span on.
    fn begin(&mut self, now: Timestamp) -> StoreResult<()> {
        if std::mem::replace(&mut self.drafted, true) {
            return Ok(());
        }
        self.unknown_buyers = self.standing.take_up_draft(self.span.since.unwrap_or(now))?;
        let currencies: BTreeSet<Currency> =
            self.standing.snapshot.campaigns.values().map(|campaign| campaign.currency).collect();
        for buyer in &self.unknown_buyers {
            // What they would have paid in is nobody's guess: it is taken as enough, and said.
            currencies.iter().for_each(|currency| self.world.pay(*buyer, *currency, i64::MAX / 2));
        }
        Ok(())
    }

    /// Lets everything happen that happened before a decision.
    fn pass(&mut self, no: i64, decided_at: Timestamp) {
        let is_before = |change: &WalletChange| change.no.map_or(change.at <= decided_at, |at| at < no);
        while let Some(change) = self.wallet_changes.pop_front_if(|change| is_before(change)) {
            self.world.pay(change.buyer, change.currency, change.paid_minor + change.limit_minor);
        }
        self.settle_before(no);
    }

    /// Lets the verdicts and complaints come that came before a place in the order.
    pub(super) fn settle_before(&mut self, no: i64) {
        while let Some(first) = self.events.first_entry().filter(|first| *first.key() < no) {
            let event = first.remove();
            if let Some(lead) = self.leads.get_mut(&event.lead_id) {
                settle(&mut self.world, lead, &event);
            }
        }
    }

    /// Does what history did: before the span, and where a decision cannot be made again.
    fn repeat(&mut self, decision: &decision::Model, lead: &mut LeadRun) -> StoreResult<()> {
        let made: Vec<RecordedSale> =
            lead.recorded.iter().filter(|sale| sale.decision_id == decision.id).cloned().collect();
        lead.offered_again = false;
        if made.is_empty() {
            return Ok(());
        }
        let stored: Stored = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
        let turns = stored.input.stages.iter().any(|stage| stage.method != Method::Waterfall);
        let routing = turns.then(|| route(&stored.input));
        for recorded in made {
            let frees = self.standing.contract(recorded.contract_id);
            let credit_frees_cap = frees.is_some_and(|(contract, _)| contract.terms.credit_frees_cap);
            let mut sale = repeated(&recorded, LeadId(decision.lead_id), credit_frees_cap);
            self.world.reserve(&sale);
            if let Some(routing) = &routing {
                if sale.state == SaleState::Pending {
                    let (input, routing) = (stored.input.clone(), routing.clone());
                    sale.turn = Some(Box::new(Turn { input, routing }));
                } else {
                    self.world.turn(sale.campaign_id, &stored.input, routing, sale.contract_id);
                }
            }
            lead.sales.push(sale);
        }
        Ok(())
    }

    /// Makes a decision again, in the simulated world.
    fn again(&mut self, decision: &decision::Model, lead: &mut LeadRun, page: &Page) -> StoreResult<()> {
        let unsealed =
            page.leads.get(&decision.lead_id).ok_or_else(|| StoreError::corrupt("the lead of a decision"))?;
        self.decisions += 1;
        lead.in_span = true;
        lead.recorded.iter_mut().filter(|sale| sale.decision_id == decision.id).for_each(|sale| sale.in_span = true);
        let about = revisions(decision, unsealed);
        let (historic, _) = self.standing.historic(&about)?;
        lead.currency = Some(historic.currency);
        if decision.rules_version != RULES_VERSION || unsealed.erased {
            let counted =
                if unsealed.erased { &mut self.not_replayed.erased } else { &mut self.not_replayed.other_rules };
            *counted += 1;
            return self.repeat(decision, lead);
        }
        if decision.postal_version != self.standing.snapshot.version.postal {
            self.not_replayed.other_postal_codes += 1;
        }
        let stored: Stored = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
        let facts = facts_then(&self.standing.snapshot, unsealed, &stored)?;
        self.accept_again(&about, decision, lead, &facts)?;
        let identity = unsealed.identity.clone().unwrap_or_else(|| unsealed.row.id.as_bytes().to_vec());
        // Sold in the simulation, so it would not have been offered again.
        if lead.diverged && lead.is_sold() && !lead.offered_again {
            self.not_replayed.decisions_fallen_away += 1;
            return Ok(());
        }
        lead.offered_again = false;
        self.place(decision, lead, page, Replayed { stored, facts, about, identity })?;
        if lead.diverged && lead.is_waiting() && decision.number >= unsealed.row.decisions {
            let (campaign, _) = self.standing.simulated(&about)?;
            let waits = campaign.terms.unsold.retry_window_minutes > 0 && lead.promise_minor.is_none();
            self.not_replayed.waiting_without_history += u64::from(waits);
        }
        Ok(())
    }

    /// What the supplier earns by sending a lead that passes its checks.
    fn accept_again(
        &self,
        about: &Revisions,
        decision: &decision::Model,
        lead: &mut LeadRun,
        facts: &LeadFacts,
    ) -> StoreResult<()> {
        lead.drafted_payout = self.standing.is_drafted(about.source_id);
        if decision.number == 1 {
            let (before, after) = (self.standing.historic(about)?.1, self.standing.simulated(about)?.1);
            let earned = |source: &Source| payout_for_accepted(&source.payout, facts).0;
            lead.accepted_minor = (earned(&before), earned(&after));
        }
        Ok(())
    }

    /// Routes a lead, again after every verdict that is known to be a refusal.
    fn place(
        &mut self,
        decision: &decision::Model,
        lead: &mut LeadRun,
        page: &Page,
        replayed: Replayed,
    ) -> StoreResult<()> {
        let (campaign, source) = self.standing.simulated(&replayed.about)?;
        let now = decision.decided_at;
        let lead_id = LeadId(decision.lead_id);
        let none = Vec::new();
        let fingerprints = page.fingerprints.get(&decision.lead_id).unwrap_or(&none);
        let bids: HashMap<ContractId, BidSeen> = replayed
            .stored
            .input
            .candidates
            .iter()
            .filter_map(|candidate| Some((candidate.contract_id, candidate.bid.clone()?)))
            .collect();
        let promise_minor = replayed.stored.input.promise_minor;
        if decision.number == 1 {
            lead.promise_minor = promise_minor;
        }
        self.remember_rates(&replayed.stored.input);
        // The place that a lead drew is a fact; who keeps a plan keeps the one that the simulation gave it.
        let before = lead.plan.clone();
        let kept = before.as_ref().map(|plan| PlanSeen::kept(plan.split.clone(), plan.plan));
        let recorded = replayed.stored.input.plan.as_ref();
        let keeps = recorded.is_some_and(|seen| seen.drawn.is_none());
        let seen = kept.filter(|_| keeps).or_else(|| recorded.cloned());
        for round in 0.. {
            let fits = self.standing.fitting(campaign.id, &replayed.facts, now);
            let mut own_sales: Vec<PriorSale> = lead.sales.iter().map(SimulatedSale::prior).collect();
            own_sales.sort_by_key(|sale| sale.leg);
            let subject = Subject {
                lead_id,
                campaign: &campaign,
                source: &source,
                facts: &replayed.facts,
                fingerprints,
                decision_number: decision.number,
                own_sales,
                bids: &bids,
                offered: Offered::Sent,
                promise_minor: if lead.diverged { lead.promise_left() } else { promise_minor },
                identity: &replayed.identity,
                plan_before: before.as_ref().map(|seen| (seen.split.as_str(), seen.plan)),
                plan_seen: seen.as_ref(),
                until: replayed.stored.input.offered_until,
            };
            let opening = self.standing.opening(campaign.id, &replayed.facts, now);
            let input = self.input(&subject, (&fits, &opening), now, page);
            lead.plan.clone_from(&input.plan);
            let routing = route(&input);
            if round == 0 {
                self.compare(decision, lead, &replayed, &input, &routing);
            }
            if !self.sell(decision, lead, &subject, &fits, (input, routing)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the simulated world shows of a lead's candidates.
    fn input(
        &mut self,
        subject: &Subject<'_>,
        (fits, opening): (&[Fit], &[(Fit, Timestamp)]),
        now: Timestamp,
        page: &Page,
    ) -> RoutingInput {
        let every = fits.iter().chain(opening.iter().map(|(fit, _)| fit));
        let counters = self.world.counters(subject, every, now);
        let mut hits = HashMap::new();
        let mut sales: HashMap<LeadId, Vec<PriorSale>> = HashMap::new();
        for hash in subject.fingerprints {
            let Some(found) = page.hits.get(hash) else { continue };
            for earlier in found.iter().filter(|hit| hit.lead_id != subject.lead_id) {
                if let Some(lead) = self.leads.get(&earlier.lead_id) {
                    sales.insert(earlier.lead_id, lead.sales.iter().map(SimulatedSale::prior).collect());
                }
            }
            hits.insert(*hash, found.clone());
        }
        let moment = Moment {
            now,
            hits: &hits,
            sales: &sales,
            rotations: &self.world.rotations,
            counters: &counters,
            buckets: &self.world.buckets,
            wallets: &self.world.wallets,
            complaint_rates: &self.world.rates,
        };
        moment.routing_input(subject, fits, opening)
    }

    /// Complaint rates are taken as decisions recorded them: they were counted every few minutes only.
    fn remember_rates(&mut self, input: &RoutingInput) {
        let auctions = input.stages.iter().any(|stage| stage.method == Method::Auction);
        let rated = input.candidates.iter().filter(|candidate| auctions || candidate.complaint_ppm > 0);
        self.world.rates.extend(rated.map(|candidate| (candidate.buyer_id, candidate.complaint_ppm)));
    }

    /// Looks at what differs from history, and why.
    fn compare(
        &mut self,
        decision: &decision::Model,
        lead: &mut LeadRun,
        replayed: &Replayed,
        input: &RoutingInput,
        routing: &Routing,
    ) {
        let before = &replayed.stored.input;
        if input == before {
            return;
        }
        self.inputs_differing += 1;
        let lead_id = LeadId(decision.lead_id);
        if self.differences.len() < TOLD {
            let what = what_differs(before, input).to_owned();
            self.differences.push(Difference { lead_id, no: decision.no, what });
        }
        let then = route(before);
        let asked: BTreeSet<ContractId> = unasked(before, &then);
        let unknown: BTreeSet<ContractId> = unasked(input, routing).difference(&asked).copied().collect();
        if !unknown.is_empty() {
            self.unknown_bids.entry(lead_id).or_default().extend(unknown.iter().copied());
        }
        let bought = |input: &RoutingInput, routing: &Routing| -> BTreeSet<ContractId> {
            routing.winners.iter().map(|winner| input.candidates[winner.position].contract_id).collect()
        };
        let (was, is) = (bought(before, &then), bought(input, routing));
        if was != is {
            lead.diverged = true;
            if lead.reason.is_none() {
                let seen = (replayed.facts.clone(), decision.decided_at);
                lead.reason = Some(reason(&self.standing, &seen, (before, &then), (input, routing), (&was, &is)));
            }
        }
    }

    /// Makes the sales of a decision. Answers whether one of them is known to be refused, so that the next is due.
    fn sell(
        &mut self,
        decision: &decision::Model,
        lead: &mut LeadRun,
        subject: &Subject<'_>,
        fits: &[Fit],
        (input, routing): (RoutingInput, Routing),
    ) -> bool {
        let earlier = lead.sales.len();
        let mut refused = false;
        let paid = subject.own_sales.iter().any(|sale| sale.state.occupies());
        for (leg, winner) in routing.winners.iter().enumerate() {
            let candidate = &input.candidates[winner.position];
            let (contract, buyer) = &fits[winner.position];
            let recorded = lead.recorded.iter();
            let recorded =
                recorded.filter(|sale| sale.decision_id == decision.id).find(|sale| sale.contract_id == contract.id);
            let sync = candidate.verdict == Verdict::Sync;
            let margin = matches!(candidate.share, Some(SupplierShare::LessMargin { .. }));
            let once = !margin && matches!(subject.source.terms.cost, CostModel::PerSoldLead { .. });
            let mut sale = SimulatedSale {
                recorded: recorded.map(|sale| sale.id),
                lead_id: subject.lead_id,
                campaign_id: subject.campaign.id,
                contract_id: contract.id,
                buyer_id: buyer.id,
                group_id: candidate.group_id,
                leg: i64::try_from(earlier + leg + 1).unwrap_or(i64::MAX),
                exclusive: winner.exclusive,
                currency: subject.campaign.currency,
                price_minor: winner.price_minor,
                payout_minor: payout_of(subject, candidate, winner.price_minor, paid || leg > 0),
                once_minor: once.then(|| payout_of(subject, candidate, winner.price_minor, false)),
                state: if sync { SaleState::Pending } else { SaleState::Sold },
                counted: true,
                credit_frees_cap: contract.terms.credit_frees_cap,
                credited_minor: 0,
                sold_at: decision.decided_at,
                in_span: true,
                turn: None,
            };
            let awaited = recorded.is_some_and(|sale| sale.verdict == Verdict::Sync);
            self.world.reserve(&sale);
            if sync {
                sale.turn = Some(Box::new(Turn { input: input.clone(), routing: routing.clone() }));
                if !awaited {
                    self.answer(lead, &mut sale);
                    refused |= sale.state == SaleState::Rejected;
                }
            } else {
                self.world.turn(sale.campaign_id, &input, &routing, sale.contract_id);
            }
            lead.sales.push(sale);
        }
        refused
    }

    /// The verdict of a buyer whom history did not ask in this decision: the one it gave about this lead at another time,
    /// else it is taken as an acceptance, and said.
    fn answer(&mut self, lead: &LeadRun, sale: &mut SimulatedSale) {
        match lead.verdict_of(sale.contract_id, sale.buyer_id) {
            Some(SaleState::Rejected) => self.world.release(sale, SaleState::Rejected),
            Some(SaleState::UnknownExpired) => self.world.release(sale, SaleState::UnknownExpired),
            Some(state @ (SaleState::Pending | SaleState::Unknown)) => sale.state = state,
            Some(SaleState::Sold) => self.world.accept(sale),
            None => {
                self.assumed_verdicts.push(sale.lead_id);
                self.world.accept(sale);
            }
        }
    }
}

/// A decision of history, read.
struct Replayed {
    stored: Stored,
    facts: LeadFacts,
    about: Revisions,
    /// Who the lead is about, as far as experiments care.
    identity: Vec<u8>,
}

/// The revisions that a decision used.
pub(super) fn revisions(decision: &decision::Model, lead: &UnsealedLead) -> Revisions {
    Revisions {
        campaign_id: leadyard_types::CampaignId(lead.row.campaign_id),
        campaign_revision: decision.campaign_revision_id,
        source_id: SourceId(lead.row.source_id),
        source_revision: decision.source_revision_id,
    }
}

/// A sale as history made it.
fn repeated(recorded: &RecordedSale, lead_id: LeadId, credit_frees_cap: bool) -> SimulatedSale {
    SimulatedSale {
        recorded: Some(recorded.id),
        lead_id,
        campaign_id: leadyard_types::CampaignId(recorded.campaign_id),
        contract_id: recorded.contract_id,
        buyer_id: recorded.buyer_id,
        group_id: recorded.group_id,
        leg: recorded.leg,
        exclusive: recorded.exclusive,
        currency: recorded.currency,
        price_minor: recorded.price_minor,
        payout_minor: recorded.payout_minor,
        once_minor: None,
        state: if recorded.verdict == Verdict::Sync { SaleState::Pending } else { SaleState::Sold },
        counted: true,
        credit_frees_cap,
        credited_minor: 0,
        sold_at: recorded.sold_at,
        in_span: recorded.in_span,
        turn: None,
    }
}

/// Lets a verdict or a complaint act on the sale it is about, if the simulation made that sale.
fn settle(world: &mut World, lead: &mut LeadRun, event: &SaleEvent) {
    if let SaleTurn::Complaint { credit_minor, clawback_minor } = event.turn {
        complain(world, lead, event, (credit_minor, clawback_minor));
        return;
    }
    let Some(sale) = lead.sales.iter_mut().find(|sale| sale.recorded == Some(event.sale_id)) else { return };
    match (event.turn, sale.state) {
        (SaleTurn::Accepted, SaleState::Pending | SaleState::Unknown | SaleState::UnknownExpired) => world.accept(sale),
        (SaleTurn::Lost, SaleState::Pending) => sale.state = SaleState::Unknown,
        (SaleTurn::Refused, SaleState::Pending | SaleState::Unknown) => {
            world.release(sale, SaleState::Rejected);
            lead.offered_again = true;
        }
        (SaleTurn::Expired, SaleState::Unknown) => {
            world.release(sale, SaleState::UnknownExpired);
            lead.offered_again |= !sale.exclusive;
        }
        _ => {}
    }
}

/// Credits the sale to the same contract, if the simulation made one: all of it where history credited all.
fn complain(world: &mut World, lead: &mut LeadRun, event: &SaleEvent, (credit_minor, clawback_minor): (i64, i64)) {
    let Some(recorded) = lead.recorded.iter().find(|sale| sale.id == event.sale_id) else { return };
    let (contract_id, in_span) = (recorded.contract_id, recorded.in_span);
    let given = lead.credits.iter().filter(|credit| credit.contract_id == contract_id);
    let all = given.map(|credit| credit.credit_minor).sum::<i64>() + credit_minor >= recorded.price_minor;
    let sold = |sale: &&mut SimulatedSale| sale.contract_id == contract_id && sale.state == SaleState::Sold;
    let mut simulated_minor = 0;
    if let Some(sale) = lead.sales.iter_mut().find(sold) {
        let left = sale.price_minor - sale.credited_minor;
        simulated_minor = if all { left } else { credit_minor.min(left) };
        sale.credited_minor += simulated_minor;
        world.pay(sale.buyer_id, sale.currency, simulated_minor);
        if sale.credited_minor == sale.price_minor && sale.credit_frees_cap {
            world.give_back(sale);
        }
    }
    if in_span {
        lead.credits.push(CreditGiven { contract_id, credit_minor, clawback_minor, simulated_minor });
    }
}

/// The contracts whose buyers would have been asked and were not, in the stages that have their turn.
fn unasked(input: &RoutingInput, routing: &Routing) -> BTreeSet<ContractId> {
    let mut unasked = BTreeSet::new();
    if !input.candidates.iter().any(|candidate| candidate.asks && candidate.bid.is_none()) {
        return unasked;
    }
    let mut sold = 0;
    for stage in &input.stages {
        unasked.extend(input.to_ask(&stage.key).into_iter().map(|position| input.candidates[position].contract_id));
        let here = routing.winners.iter().filter(|winner| input.candidates[winner.position].stage == stage.key).count();
        sold += here;
        let stops = here > 0 && stage.on_sold == leadyard_types::OnSold::Stop;
        if stops || sold >= usize::from(input.places()) {
            break;
        }
    }
    unasked
}

/// Which part of an input differs first.
fn what_differs(before: &RoutingInput, now: &RoutingInput) -> &'static str {
    let contracts = |input: &RoutingInput| -> Vec<ContractId> {
        input.candidates.iter().map(|candidate| candidate.contract_id).collect()
    };
    if contracts(before) != contracts(now) {
        return "other contracts fit";
    }
    let pairs = || before.candidates.iter().zip(&now.candidates);
    if pairs().any(|(a, b)| a.price != b.price || a.revision_id != b.revision_id) {
        return "a contract's terms or price";
    }
    if pairs().any(|(a, b)| a.contract_caps != b.contract_caps || a.buyer_caps != b.buyer_caps) {
        return "a cap's counter";
    }
    if pairs().any(|(a, b)| a.available_minor != b.available_minor) {
        return "a balance";
    }
    if pairs().any(|(a, b)| a.already_sold != b.already_sold) {
        return "who was sold to before";
    }
    if before.rotations != now.rotations {
        return "a rotation";
    }
    if before.campaign_caps != now.campaign_caps {
        return "the campaign's caps";
    }
    if before.candidates == now.candidates { "the campaign's terms" } else { "a candidate" }
}
