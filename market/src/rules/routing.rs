//! Routing: from the contracts whose terms fit a lead to those that buy it. Pure: a decision is a function of its
//! input, so storing the input makes it replayable.
//!
//! The dynamic checks follow the published order (domain page, section 2, checks 8 and 9): already sold → consent names
//! the buyer → caps → balance → floor → stages and methods.

mod auctioned;
mod held;

use std::collections::{BTreeMap, BTreeSet};

use leadyard_types::terms::{Exclusivity, Stage};
use leadyard_types::{
    BidSeen, BuyerId, Check, ContractId, ContractVerdict, Method, Money, OnSold, PingVerdict, PlanSeen, Refusal,
    RevisionId, SaleMode, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::held::held_refusal;
use super::cap::{self, CapUse};
use super::method::{self, Member, StageState};
use super::promise::{SupplierShare, kept_together};
use super::split::rotation_key;

/// A contract whose terms fit the lead, with what was seen of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The contract.
    pub contract_id: ContractId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// The buyer's group.
    pub group_id: Uuid,
    /// The revision of its terms.
    pub revision_id: RevisionId,
    /// Its stage.
    pub stage: String,
    /// 1 comes first in a waterfall.
    pub priority: u32,
    /// Its share in a weighted stage.
    pub weight: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it shares.
    pub exclusivity: Exclusivity,
    /// Whether its buyer answers.
    pub verdict: Verdict,
    /// The price for this lead: its bid, or the contract's own price.
    pub price: Money,
    /// What it pays where a BEST sale has 2, 3 … buyers, minor units; the last holds for more. Empty = the price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_minor: Vec<i64>,
    /// Whether its buyer is asked for a bid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// What the buyer answered, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidSeen>,
    /// Its buyer's expected complaint rate, millionths; only auctions look at it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub complaint_ppm: u32,
    /// The rule that set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_rule: Option<String>,
    /// Why the person cannot be sold to this buyer or group, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already_sold: Option<Refusal>,
    /// Why the consent does not do, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Refusal>,
    /// The contract's caps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contract_caps: Vec<CapUse>,
    /// The caps that its buyer set on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_caps: Vec<CapUse>,
    /// Its buyer's caps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buyer_caps: Vec<CapUse>,
    /// What its buyer may still spend, minor units.
    pub available_minor: i64,
    /// What the supplier gets of its price; only where the supplier pinged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<SupplierShare>,
}

/// Everything a routing decision depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutingInput {
    /// How many buyers the lead is sold to.
    pub sale_mode: SaleMode,
    /// How many sales of it stand already.
    pub legs_taken: u8,
    /// Nothing sells below, minor units.
    pub floor_minor: i64,
    /// What the supplier was promised and has not got yet, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise_minor: Option<i64>,
    /// The campaign's caps.
    pub campaign_caps: Vec<CapUse>,
    /// The stages in order: those of the plan, where an experiment divides the leads.
    pub stages: Vec<Stage>,
    /// Which plan of an experiment this is, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSeen>,
    /// The stages' rotations.
    pub rotations: BTreeMap<String, StageState>,
    /// The contracts whose terms fit, in id order.
    pub candidates: Vec<Candidate>,
    /// Until when the lead is offered, where contracts are outside their hours that it may wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_until: Option<Timestamp>,
    /// Contracts for which the lead would wait: all that stands in the way is the hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
}

/// A contract outside its hours that says WAIT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What was seen of it, its caps as of the moment its window opens.
    pub candidate: Candidate,
    /// When its window opens.
    pub opens_at: Timestamp,
}

/// For what a lead that nobody bought waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// The contract.
    pub contract_id: ContractId,
    /// When its window opens.
    pub opens_at: Timestamp,
    /// Whether the lead was held back from contracts behind it.
    pub held: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A contract that buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Winner {
    /// Its position in the input's candidates.
    pub position: usize,
    /// What it pays, minor units.
    pub price_minor: i64,
    /// Whether nobody else gets the lead.
    pub exclusive: bool,
}

/// What a BEST sale would have been without the one that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// The contracts that would have bought.
    pub contracts: Vec<ContractId>,
    /// What it would have been expected to bring, net of complaints, minor units, rounded down.
    pub net_minor: i64,
    /// What the sale that was made is expected to bring.
    pub best_net_minor: i64,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// The winners in the order they were chosen.
    pub winners: Vec<Winner>,
    /// The next best sale, where exclusive and shared were weighed against each other.
    pub runner_up: Option<RunnerUp>,
    /// What was found about every candidate, in their order.
    pub verdicts: Vec<ContractVerdict>,
    /// What the lead waits for, where nobody buys it.
    pub waits: Option<Waits>,
}

/// The rules this version decides by. A decision stores it; another version's decisions are reported apart.
pub const RULES_VERSION: i64 = 3;

/// The dearest price there is, minor units.
const PRICE_MINOR_MOST: i64 = 1_000_000_000;

/// Decides who buys.
#[must_use]
pub fn route(input: &RoutingInput) -> Routing {
    let mut run = Run::new(input);
    for (position, candidate) in input.candidates.iter().enumerate() {
        run.verdicts[position].refusal = run.refusal(candidate);
    }
    for stage in &input.stages {
        let before = run.winners.len();
        run.try_stage(stage);
        // A stage that sold ends the run, unless it says that later stages fill the places left.
        if run.winners.len() > before && stage.on_sold == OnSold::Stop {
            break;
        }
        if run.held.is_some() {
            break;
        }
    }
    run.keep_promise();
    run.finish()
}

/// Says of every refusal by a cap or the balance whether it alone stood in the way. Only explanations ask.
pub fn add_counterfactuals(input: &RoutingInput, verdicts: &mut [ContractVerdict]) {
    let uncapped = RoutingInput { campaign_caps: Vec::new(), candidates: Vec::new(), ..input.clone() };
    for (candidate, verdict) in input.candidates.iter().zip(verdicts) {
        let Some(refusal) = &mut verdict.refusal else { continue };
        let eligible = match refusal.check {
            Check::Caps => {
                let free = candidate.without_caps();
                Run::new(&uncapped).refusal(&free).is_none()
            }
            Check::Balance => {
                let rich = Candidate { available_minor: i64::MAX, ..candidate.clone() };
                Run::new(input).refusal(&rich).is_none()
            }
            _ => false,
        };
        if eligible {
            *refusal = refusal.clone().seeing("but for this", "eligible");
        }
    }
}

struct Run<'a> {
    input: &'a RoutingInput,
    slots: u8,
    winners: Vec<Winner>,
    runner_up: Option<RunnerUp>,
    groups: BTreeSet<Uuid>,
    verdicts: Vec<ContractVerdict>,
    /// For whom the lead is held back from everybody else.
    held: Option<Waits>,
}

impl<'a> Run<'a> {
    fn new(input: &'a RoutingInput) -> Self {
        let verdicts = input.candidates.iter().map(open_verdict).collect();
        Self {
            input,
            slots: input.places(),
            winners: Vec::new(),
            runner_up: None,
            groups: BTreeSet::new(),
            verdicts,
            held: None,
        }
    }

    /// The first dynamic check that refuses a candidate.
    fn refusal(&self, candidate: &Candidate) -> Option<Refusal> {
        let price = candidate.price.amount_minor;
        candidate
            .already_sold
            .clone()
            .or_else(|| candidate.consent.clone())
            .or_else(|| bid_refusal(candidate))
            .or_else(|| candidate.cap_refusal(price))
            .or_else(|| self.campaign_cap_refusal(price))
            .or_else(|| balance_refusal(candidate))
            .or_else(|| self.floor_refusal(candidate))
            .or_else(|| self.stage_refusal(candidate))
    }

    /// The campaign's caps, with what this very run has sold already.
    fn campaign_cap_refusal(&self, price_minor: i64) -> Option<Refusal> {
        let sold: i64 = self.winners.iter().map(|winner| winner.price_minor).sum();
        let count = i64::try_from(self.winners.len()).unwrap_or(i64::MAX);
        let uses: Vec<CapUse> = self
            .input
            .campaign_caps
            .iter()
            .map(|used| CapUse { count: used.count + count, amount_minor: used.amount_minor + sold, ..*used })
            .collect();
        cap::refusal("campaign", &uses, price_minor)
    }

    fn floor_refusal(&self, candidate: &Candidate) -> Option<Refusal> {
        let currency = candidate.price.currency;
        if candidate.price.amount_minor < self.input.floor_minor {
            let refusal = Refusal::new(Check::Floor, "the price is below the campaign's floor");
            let floor = Money::new(self.input.floor_minor, currency);
            return Some(refusal.seeing("price", candidate.price.to_string()).seeing("floor", floor.to_string()));
        }
        // Several sales keep a promise together: see `keep_promise`.
        let promise = self.input.promise_minor.filter(|_| self.input.places() == 1)?;
        let share = candidate.share?;
        if share.keeps(candidate.price.amount_minor, promise) {
            return None;
        }
        let refusal = Refusal::new(Check::Floor, "the price does not keep what the supplier was promised")
            .seeing("price", candidate.price.to_string())
            .seeing("promised", Money::new(promise, currency).to_string());
        let least = share.least_price(promise, PRICE_MINOR_MOST).map(|least| Money::new(least, currency).to_string());
        Some(match least {
            Some(least) => refusal.seeing("least", least),
            None => refusal,
        })
    }

    fn stage_refusal(&self, candidate: &Candidate) -> Option<Refusal> {
        if !self.input.stages.iter().any(|stage| stage.key == candidate.stage) {
            let Some(plan) = &self.input.plan else {
                let refusal = Refusal::new(Check::Stage, "the campaign has no such stage");
                return Some(refusal.seeing("stage", candidate.stage.clone()));
            };
            let refusal = Refusal::new(Check::Stage, "the lead's plan has no such stage");
            return Some(refusal.seeing("stage", candidate.stage.clone()).seeing("plan", plan.plan.as_str()));
        }
        let shared = matches!(self.input.sale_mode, SaleMode::Shared { max } if max > 1);
        match (self.input.sale_mode, candidate.exclusivity) {
            (SaleMode::Shared { .. }, Exclusivity::ExclusiveOnly) if shared => Some(Refusal::new(
                Check::Stage,
                "the contract buys only exclusive leads, and this campaign shares them",
            )),
            (SaleMode::Exclusive, Exclusivity::AtLeastTwo) => {
                Some(Refusal::new(Check::Stage, "the contract buys only shared leads, and this campaign sells to one"))
            }
            _ => None,
        }
    }

    /// Tries one stage's eligible contracts in its method's order.
    fn try_stage(&mut self, stage: &Stage) {
        let eligible: Vec<usize> = (0..self.input.candidates.len())
            .filter(|&position| {
                self.input.candidates[position].stage == stage.key && self.verdicts[position].refusal.is_none()
            })
            .collect();
        let none = StageState::default();
        let rotation = self.input.rotations.get(&stage.key).unwrap_or(&none);
        // The stage's own limit within what is left of the campaign's.
        let mut places = stage.max_sales.map_or(self.slots, |most| most.min(self.slots));
        if stage.method == Method::Auction {
            self.auction(stage, &eligible, rotation, places);
            return;
        }
        let members: Vec<Member> =
            eligible.iter().map(|&position| self.input.candidates[position].member(rotation)).collect();
        let ahead = self.holding(stage);
        // The order holds through all the places: see `method::order`.
        for (place, index) in method::order(stage.method, &members, rotation, places).into_iter().enumerate() {
            let position = eligible[index];
            self.verdicts[position].rank = Some(u32::try_from(place + 1).unwrap_or(u32::MAX));
            let held = ahead.filter(|ahead| {
                self.winners.is_empty() && ahead.candidate.turn() < self.input.candidates[position].turn()
            });
            self.verdicts[position].refusal = match held {
                Some(ahead) => Some(held_refusal(ahead)),
                None => self.choose(position, &mut places),
            };
        }
        if self.winners.is_empty() && places > 0 {
            self.held = ahead.map(|ahead| ahead.waits(true));
        }
    }

    /// Lets a candidate win at its price, or says why it does not.
    fn choose(&mut self, position: usize, places: &mut u8) -> Option<Refusal> {
        let candidate = &self.input.candidates[position];
        if *places == 0 {
            return Some(Refusal::new(Check::NotChosen, "eligible, but others came first"));
        }
        if self.groups.contains(&candidate.group_id) {
            return Some(Refusal::new(Check::AlreadySold, "this lead goes to the same buyer or group already"));
        }
        if let Some(refusal) = self.campaign_cap_refusal(candidate.price.amount_minor) {
            return Some(refusal);
        }
        *places -= 1;
        self.slots -= 1;
        self.groups.insert(candidate.group_id);
        let exclusive = self.input.sale_mode == SaleMode::Exclusive;
        self.winners.push(Winner { position, price_minor: candidate.price.amount_minor, exclusive });
        None
    }

    /// Sales that together do not keep what the supplier was promised are not made.
    fn keep_promise(&mut self) {
        let Some(promise) = self.input.promise_minor else { return };
        let share = |winner: &Winner| Some((self.input.candidates[winner.position].share?, winner.price_minor));
        let Some(sales) = self.winners.iter().map(share).collect::<Option<Vec<_>>>() else { return };
        if sales.is_empty() || kept_together(&sales, promise) {
            return;
        }
        for winner in std::mem::take(&mut self.winners) {
            let promised = Money::new(promise, self.input.candidates[winner.position].price.currency);
            let refusal = Refusal::new(Check::Floor, "the sales together do not keep what the supplier was promised");
            self.verdicts[winner.position].refusal = Some(refusal.seeing("promised", promised.to_string()));
        }
        self.runner_up = None;
    }

    /// What was never reached was not chosen.
    fn finish(mut self) -> Routing {
        let waits = if self.winners.is_empty() { self.held.or_else(|| self.first_to_open()) } else { None };
        for (position, verdict) in self.verdicts.iter_mut().enumerate() {
            if verdict.refusal.is_none() && !self.winners.iter().any(|winner| winner.position == position) {
                let message = match self.held {
                    Some(_) => "eligible, but an earlier stage holds the lead for a window",
                    None => "eligible, but an earlier stage sold the lead",
                };
                verdict.refusal = Some(Refusal::new(Check::NotChosen, message));
            }
        }
        Routing { winners: self.winners, runner_up: self.runner_up, verdicts: self.verdicts, waits }
    }
}

fn open_verdict(candidate: &Candidate) -> ContractVerdict {
    ContractVerdict {
        contract_id: candidate.contract_id,
        buyer_id: candidate.buyer_id,
        revision_id: candidate.revision_id,
        stage: candidate.stage.clone(),
        price_minor: candidate.price.amount_minor,
        price_rule: candidate.price_rule.clone(),
        rank: None,
        bid: candidate.bid.clone(),
        decided_by: None,
        would_win_at_minor: None,
        refusal: None,
    }
}

impl Candidate {
    /// The candidate as its stage's rotation sees it.
    #[must_use]
    pub fn member(&self, rotation: &StageState) -> Member {
        rotation.member(self.contract_id, self.priority, self.weight, self.created_at)
    }

    /// Check 8, caps: the contract's, those its buyer set on it, and the buyer's over all its contracts.
    fn cap_refusal(&self, price_minor: i64) -> Option<Refusal> {
        let own = || {
            let refusal = cap::refusal("contract", &self.own_caps, price_minor)?;
            Some(Refusal { message: "the buyer's own cap on the contract is reached".to_owned(), ..refusal })
        };
        cap::refusal("contract", &self.contract_caps, price_minor)
            .or_else(own)
            .or_else(|| cap::refusal("buyer", &self.buyer_caps, price_minor))
    }

    /// The candidate as if nobody had capped it.
    fn without_caps(&self) -> Self {
        Self { contract_caps: Vec::new(), own_caps: Vec::new(), buyer_caps: Vec::new(), ..self.clone() }
    }
}

impl RoutingInput {
    /// The candidates of a stage whose buyers are to be asked for bids: everything but the price fits already.
    #[must_use]
    pub fn to_ask(&self, stage: &str) -> Vec<usize> {
        let run = Run::new(self);
        let fits = |candidate: &Candidate| {
            let price = Money::new(self.least_minor(candidate).max(1), candidate.price.currency);
            run.refusal(&Candidate { asks: false, price, ..candidate.clone() }).is_none()
        };
        let open = |candidate: &Candidate| candidate.asks && candidate.bid.is_none() && candidate.stage == stage;
        let positions = self.candidates.iter().enumerate();
        positions.filter(|(_, candidate)| open(candidate) && fits(candidate)).map(|(position, _)| position).collect()
    }

    /// The least price at which a candidate buys: the floor, or what keeps the promise where it buys alone.
    #[must_use]
    pub fn least_minor(&self, candidate: &Candidate) -> i64 {
        let promise = self.promise_minor.filter(|_| self.places() == 1);
        let least = promise.zip(candidate.share).map(|(promise, share)| {
            // Where no price keeps it, the promise itself is as good a figure as any: nothing sells.
            share.least_price(promise, PRICE_MINOR_MOST).unwrap_or(promise)
        });
        self.floor_minor.max(least.unwrap_or(0))
    }

    /// Takes what a candidate's buyer answered.
    pub fn take_bid(&mut self, position: usize, bid: &BidSeen) {
        if let Some(candidate) = self.candidates.get_mut(position) {
            candidate.price.amount_minor = bid.price_minor.unwrap_or(0);
            if !bid.shared_minor.is_empty() {
                candidate.shared_minor.clone_from(&bid.shared_minor);
            }
            candidate.bid = Some(bid.clone());
        }
    }

    /// Under which name the rotation of one of its stages is kept.
    #[must_use]
    pub fn rotation_key(&self, stage: &str) -> String {
        rotation_key(self.plan.as_ref(), stage)
    }

    /// How many buyers the lead may still be sold to.
    #[must_use]
    pub fn places(&self) -> u8 {
        let most = match self.sale_mode {
            SaleMode::Exclusive => 1,
            SaleMode::Shared { max } | SaleMode::Best { max } => max,
        };
        most.saturating_sub(self.legs_taken)
    }

    /// Turns a stage's rotation for one of this decision's sales, among the contracts that could have bought.
    pub fn turn(&self, stage: &Stage, verdicts: &[ContractVerdict], rotation: &mut StageState, winner: ContractId) {
        let eligible = self.eligible_in(&stage.key, verdicts, rotation);
        rotation.on_sale(stage.method, &eligible, self.places(), winner);
    }

    /// The contracts of a stage that could have bought: the winners, those that were only not chosen, and those whose
    /// group got the lead by another contract. All the places of a lead are shared out among the same contracts.
    fn eligible_in(&self, stage: &str, verdicts: &[ContractVerdict], rotation: &StageState) -> Vec<Member> {
        let could_buy = |verdict: &ContractVerdict| {
            let has_turn = |refusal: &Refusal| matches!(refusal.check, Check::NotChosen | Check::AlreadySold);
            verdict.rank.is_some() && verdict.refusal.as_ref().is_none_or(has_turn)
        };
        self.candidates
            .iter()
            .zip(verdicts)
            .filter(|(candidate, verdict)| candidate.stage == stage && could_buy(verdict))
            .map(|(candidate, _)| candidate.member(rotation))
            .collect()
    }
}

/// Whoever is asked for bids buys at a bid only.
fn bid_refusal(candidate: &Candidate) -> Option<Refusal> {
    if !candidate.asks {
        return None;
    }
    let Some(bid) = &candidate.bid else { return Some(Refusal::new(Check::Bid, "the buyer was not asked")) };
    let message = match bid.verdict {
        PingVerdict::Bid => return None,
        PingVerdict::NoBid => "the buyer made no bid",
        PingVerdict::Duplicate => "the buyer has this person already",
        PingVerdict::Invalid => "the buyer's answer could not be taken",
        PingVerdict::Late => "the buyer did not answer in time",
        PingVerdict::Failed => "the buyer could not be asked",
    };
    let refusal = Refusal::new(Check::Bid, message);
    Some(match &bid.reason {
        Some(reason) => refusal.seeing("answer", reason.clone()),
        None => refusal,
    })
}

fn balance_refusal(candidate: &Candidate) -> Option<Refusal> {
    (candidate.available_minor < candidate.price.amount_minor).then(|| {
        let available = Money::new(candidate.available_minor, candidate.price.currency);
        Refusal::new(Check::Balance, "the buyer's available balance does not cover the price")
            .seeing("available", available.to_string())
            .seeing("price", candidate.price.to_string())
    })
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
