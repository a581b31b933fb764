//! What a simulation came to.

use std::collections::{BTreeMap, BTreeSet};

use leadyard_types::{BuyerId, ContractId, Currency, LeadId, SaleState, Timestamp};
use serde::Serialize;

use super::lead::LeadRun;
use super::run::Run;
use crate::rules::payout;

/// A figure as history has it and as it would have been, minor units or counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// In history.
    pub before: i64,
    /// In the simulation.
    pub after: i64,
    /// What is more in the simulation.
    pub delta: i64,
}

impl Compared {
    fn add(&mut self, before: i64, after: i64) {
        self.before += before;
        self.after += after;
        self.delta = self.after - self.before;
    }
}

/// The sums of one currency, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CurrencySums {
    /// The currency.
    pub currency: Currency,
    /// What sales brought, before credits.
    pub revenue: Compared,
    /// What suppliers earned, before clawbacks. Ad spend does not change.
    pub payout: Compared,
    /// Revenue less payouts.
    pub profit: Compared,
    /// What complaints gave back to buyers; those about sales that would not have happened fall away.
    pub credits: Compared,
    /// What complaints took back from suppliers.
    pub clawbacks: Compared,
}

/// A buyer's or contract's sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SalesOf<Id> {
    /// Whose.
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// In which currency.
    pub currency: Currency,
    /// How many.
    pub sales: Compared,
    /// What they brought, minor units.
    pub revenue_minor: Compared,
}

/// A sale as a changed lead shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SaleShown {
    /// The contract.
    pub contract_id: ContractId,
    /// The contract's name.
    pub contract: String,
    /// The buyer's name.
    pub buyer: String,
    /// The price, minor units.
    pub price_minor: i64,
}

/// A lead that goes to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedLead {
    /// The lead.
    pub lead_id: LeadId,
    /// The currency of its prices.
    pub currency: Currency,
    /// Who bought it.
    pub before: Vec<SaleShown>,
    /// Who would have.
    pub after: Vec<SaleShown>,
    /// Why.
    pub reason: String,
}

/// A decision that was seen differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The lead.
    pub lead_id: LeadId,
    /// The decision's place among all.
    pub no: i64,
    /// What differs.
    pub what: String,
}

/// Bids that nobody recorded: their contracts took part without a bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownBids {
    /// The lead.
    pub lead_id: LeadId,
    /// The contracts whose buyers would have been asked.
    pub contracts: Vec<ContractId>,
}

/// What was not simulated, or not as it would have happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotReplayed {
    /// Decisions by other versions of the rules: repeated as they were.
    pub other_rules: u64,
    /// Decisions about erased people: repeated as they were.
    pub erased: u64,
    /// Decisions under other postal codes: made again with today's circles and with the lead's place as it was.
    pub other_postal_codes: u64,
    /// Later offers of leads that are sold by then in the simulation: left out.
    pub decisions_fallen_away: u64,
    /// Leads that would wait to be offered again, at moments that history does not have: they stay unsold.
    pub waiting_without_history: u64,
}

/// What a simulation came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// From when on; absent = the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until before when; absent = the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Leads received in the span, those included that intake refused.
    pub leads: u64,
    /// Decisions made in the span, all of which were made again.
    pub decisions: u64,
    /// Decisions that saw something else than history did.
    pub inputs_differing: u64,
    /// Leads that go to other contracts.
    pub changed_leads: u64,
    /// Leads that go to the same contracts at other prices.
    pub repriced_leads: u64,
    /// What revenue changes by, minor units; absent where it changes in several currencies, which stand below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revenue_delta_minor: Option<i64>,
    /// What profit changes by, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profit_delta_minor: Option<i64>,
    /// The sums by currency.
    pub currencies: Vec<CurrencySums>,
    /// Leads sold at least once.
    pub sold_leads: Compared,
    /// Sold leads in ten thousandths of the leads received.
    pub sales_rate_basis_points: Compared,
    /// By buyer, those first that change most.
    pub buyers: Vec<SalesOf<BuyerId>>,
    /// By contract, those first that change most.
    pub contracts: Vec<SalesOf<ContractId>>,
    /// Leads with a sale to a buyer whose verdict nobody recorded: taken as accepted.
    pub assumed_verdicts: Vec<LeadId>,
    /// Leads whose simulation lacks bids that nobody recorded.
    pub unknown_bids: Vec<UnknownBids>,
    /// Buyers that history does not know: they are taken to have had money enough.
    pub assumed_balances: Vec<BuyerId>,
    /// What was not simulated.
    pub not_replayed: NotReplayed,
    /// The first differing inputs.
    pub differences: Vec<Difference>,
    /// Every lead that goes elsewhere.
    pub changes: Vec<ChangedLead>,
}

/// The sums while they are added up.
#[derive(Default)]
struct Sums {
    revenue: Compared,
    payout: Compared,
    credits: Compared,
    clawbacks: Compared,
}

/// Adds up what the walk came to.
pub(super) fn report(run: Run, leads: u64) -> Simulation {
    let mut report = Simulation {
        since: run.span.since,
        until: run.span.until,
        leads,
        decisions: run.decisions,
        inputs_differing: run.inputs_differing,
        changed_leads: 0,
        repriced_leads: 0,
        revenue_delta_minor: None,
        profit_delta_minor: None,
        currencies: Vec::new(),
        sold_leads: Compared::default(),
        sales_rate_basis_points: Compared::default(),
        buyers: Vec::new(),
        contracts: Vec::new(),
        assumed_verdicts: unique(&run.assumed_verdicts),
        unknown_bids: Vec::new(),
        assumed_balances: run.unknown_buyers.clone(),
        not_replayed: run.not_replayed,
        differences: run.differences.clone(),
        changes: Vec::new(),
    };
    let mut sums: BTreeMap<Currency, Sums> = BTreeMap::new();
    let mut of_buyers: BTreeMap<(BuyerId, Currency), (Compared, Compared)> = BTreeMap::new();
    let mut of_contracts: BTreeMap<(ContractId, Currency), (Compared, Compared)> = BTreeMap::new();
    let mut in_span: Vec<(&LeadId, &LeadRun)> = run.leads.iter().filter(|(_, lead)| lead.in_span).collect();
    in_span.sort_by_key(|(id, _)| **id);
    for (id, lead) in in_span {
        let Some(currency) = lead.currency else { continue };
        let figures = figures(lead);
        let sum = sums.entry(currency).or_default();
        sum.revenue.add(total(&figures.before), total(&figures.after));
        sum.payout.add(figures.payout.0, figures.payout.1);
        sum.credits.add(figures.credits.0, figures.credits.1);
        sum.clawbacks.add(figures.clawbacks.0, figures.clawbacks.1);
        report.sold_leads.add(i64::from(!figures.before.is_empty()), i64::from(!figures.after.is_empty()));
        for (sales, signs) in [(&figures.before, (1, 0)), (&figures.after, (0, 1))] {
            for sold in sales {
                for (count, amount) in [
                    of_buyers.entry((sold.buyer, currency)).or_default(),
                    of_contracts.entry((sold.contract, currency)).or_default(),
                ] {
                    count.add(signs.0, signs.1);
                    amount.add(signs.0 * sold.price_minor, signs.1 * sold.price_minor);
                }
            }
        }
        let contracts = |sales: &[Sold]| -> BTreeSet<ContractId> { sales.iter().map(|sold| sold.contract).collect() };
        if contracts(&figures.before) != contracts(&figures.after) {
            report.changed_leads += 1;
            let shown = |sales: &[Sold]| sales.iter().map(|sold| shown(&run, sold)).collect();
            let reason = lead.reason.clone().unwrap_or_else(|| "its buyers answered otherwise".to_owned());
            let (before, after) = (shown(&figures.before), shown(&figures.after));
            report.changes.push(ChangedLead { lead_id: *id, currency, before, after, reason });
        } else if figures.before != figures.after {
            report.repriced_leads += 1;
        }
    }
    report.finish(sums);
    report.buyers = listed(of_buyers, |id| run.standing.buyer_name(id));
    report.contracts = listed(of_contracts, |id| run.standing.contract_name(id));
    report.unknown_bids = run
        .unknown_bids
        .into_iter()
        .map(|(lead_id, contracts)| UnknownBids { lead_id, contracts: contracts.into_iter().collect() })
        .collect();
    report
}

impl Simulation {
    fn finish(&mut self, sums: BTreeMap<Currency, Sums>) {
        let only = |deltas: Vec<i64>| match deltas[..] {
            [] => Some(0),
            [delta] => Some(delta),
            _ => None,
        };
        self.currencies = sums
            .into_iter()
            .map(|(currency, Sums { revenue, payout, credits, clawbacks })| {
                let mut profit = Compared::default();
                profit.add(revenue.before - payout.before, revenue.after - payout.after);
                CurrencySums { currency, revenue, payout, profit, credits, clawbacks }
            })
            .collect();
        let changed = |figure: fn(&CurrencySums) -> i64| {
            only(self.currencies.iter().map(figure).filter(|delta| *delta != 0).collect())
        };
        self.revenue_delta_minor = changed(|sums| sums.revenue.delta);
        self.profit_delta_minor = changed(|sums| sums.profit.delta);
        let rate = |sold: i64| {
            let leads = i128::from(self.leads);
            if leads == 0 { 0 } else { i64::try_from(i128::from(sold) * 10_000 / leads).unwrap_or(0) }
        };
        self.sales_rate_basis_points.add(rate(self.sold_leads.before), rate(self.sold_leads.after));
    }
}

/// A final sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sold {
    contract: ContractId,
    buyer: BuyerId,
    price_minor: i64,
}

/// A lead's money: in history and in the simulation.
struct Figures {
    before: Vec<Sold>,
    after: Vec<Sold>,
    payout: (i64, i64),
    credits: (i64, i64),
    clawbacks: (i64, i64),
}

fn figures(lead: &LeadRun) -> Figures {
    let recorded = || lead.recorded.iter().filter(|sale| sale.in_span && sale.state == SaleState::Sold);
    let simulated = || lead.sales.iter().filter(|sale| sale.in_span && sale.state == SaleState::Sold);
    let mut before: Vec<Sold> = recorded()
        .map(|sale| Sold { contract: sale.contract_id, buyer: sale.buyer_id, price_minor: sale.price_minor })
        .collect();
    let mut after: Vec<Sold> = simulated()
        .map(|sale| Sold { contract: sale.contract_id, buyer: sale.buyer_id, price_minor: sale.price_minor })
        .collect();
    before.sort_unstable();
    after.sort_unstable();
    let earned_before: i64 = recorded().map(|sale| sale.payout_minor).sum();
    let same = before == after && !lead.drafted_payout;
    let earned_after = if same { earned_before } else { earned(lead) };
    let credited = |of: fn(&super::lead::CreditGiven) -> i64| lead.credits.iter().map(of).sum::<i64>();
    let credits = (credited(|credit| credit.credit_minor), credited(|credit| credit.simulated_minor));
    let payout = (lead.accepted_minor.0 + earned_before, lead.accepted_minor.1 + earned_after);
    let taken_back = credited(|credit| credit.clawback_minor);
    let clawed =
        if same || taken_back == 0 { taken_back } else { payout::clawback(payout.1, credits.1, total(&after)) };
    Figures { before, after, payout, credits, clawbacks: (taken_back, clawed) }
}

/// What the supplier earns by a lead's sales in the simulation: a fixed amount once, a share of each.
fn earned(lead: &LeadRun) -> i64 {
    let sold = || lead.sales.iter().filter(|sale| sale.state == SaleState::Sold);
    let once = sold().filter(|sale| sale.once_minor.is_some()).min_by_key(|sale| sale.leg);
    let once = once.filter(|sale| sale.in_span).and_then(|sale| sale.once_minor);
    let each = sold().filter(|sale| sale.once_minor.is_none() && sale.in_span).map(|sale| sale.payout_minor);
    once.into_iter().chain(each).sum()
}

fn total(sales: &[Sold]) -> i64 {
    sales.iter().map(|sold| sold.price_minor).sum()
}

fn shown(run: &Run, sold: &Sold) -> SaleShown {
    SaleShown {
        contract_id: sold.contract,
        contract: run.standing.contract_name(sold.contract),
        buyer: run.standing.buyer_name(sold.buyer),
        price_minor: sold.price_minor,
    }
}

fn listed<Id: Copy + Ord>(
    sums: BTreeMap<(Id, Currency), (Compared, Compared)>,
    name: impl Fn(Id) -> String,
) -> Vec<SalesOf<Id>> {
    let mut list: Vec<SalesOf<Id>> = sums
        .into_iter()
        .map(|((id, currency), (sales, revenue_minor))| SalesOf { id, name: name(id), currency, sales, revenue_minor })
        .collect();
    list.sort_by_key(|entry| (std::cmp::Reverse(entry.revenue_minor.delta.abs()), entry.name.clone(), entry.id));
    list
}

fn unique(leads: &[LeadId]) -> Vec<LeadId> {
    let unique: BTreeSet<LeadId> = leads.iter().copied().collect();
    unique.into_iter().collect()
}
