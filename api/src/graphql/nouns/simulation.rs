//! Simulation: what would have come of historic leads under other terms.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_market::configuration::{Problem, Problems};
use leadyard_market::draft::Draft;
use leadyard_market::simulation::{
    ChangedLead, Compared, SaleShown, SalesOf, Simulation as Report, SimulationError, SimulationRequest,
};
use leadyard_types::{Currency, Money as Amount};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::super::context::Api;
use super::super::errors::{UserError, store};
use super::super::id::Kind;
use super::super::scalars::{Moment, Money};
use super::int;
use crate::market_file;

/// The most decisions a simulation walks through here; the command line has no bound.
const DECISIONS_MAX: u64 = 50_000;
/// The most changed leads that are answered; all are counted.
const CHANGES_MAX: usize = 100;

/// One at a time: a simulation takes a core for as long as it runs.
static RUNNING: Semaphore = Semaphore::const_new(1);

/// What is to be simulated.
#[derive(Debug, InputObject)]
pub(crate) struct SimulateInput {
    /// Leads decided from this moment on; left out: from the beginning.
    since: Option<Moment>,
    /// Leads decided before this moment; left out: to the end.
    until: Option<Moment>,
    /// The terms that change: a configuration text (TOML) that may name only what it changes; left out: none.
    change: Option<String>,
}

/// A sum of money in history and in the simulation.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComparedMoney {
    /// In history.
    before: Money,
    /// In the simulation.
    after: Money,
    /// What is more in the simulation.
    delta: Money,
}

impl ComparedMoney {
    fn of(figure: Compared, currency: Currency) -> Self {
        let money = |minor| Money(Amount::new(minor, currency));
        Self { before: money(figure.before), after: money(figure.after), delta: money(figure.delta) }
    }
}

/// A count in history and in the simulation.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComparedCount {
    /// In history.
    before: i32,
    /// In the simulation.
    after: i32,
    /// What is more in the simulation.
    delta: i32,
}

impl From<Compared> for ComparedCount {
    fn from(figure: Compared) -> Self {
        Self { before: int(figure.before), after: int(figure.after), delta: int(figure.delta) }
    }
}

/// The sums of one currency.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulatedSums {
    /// What sales brought, before credits.
    revenue: ComparedMoney,
    /// What suppliers earned, before clawbacks. Ad spend does not change.
    payout: ComparedMoney,
    /// Revenue less payouts.
    profit: ComparedMoney,
    /// What complaints gave back; those about sales that would not have happened fall away.
    credits: ComparedMoney,
    /// What complaints took back from suppliers.
    clawbacks: ComparedMoney,
}

/// The sales of a buyer or contract.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulatedSales {
    /// The buyer's or contract's id.
    id: ID,
    /// What people call it.
    name: String,
    /// How many.
    sales: ComparedCount,
    /// What they brought.
    revenue: ComparedMoney,
}

impl SimulatedSales {
    fn list<Id: Copy + Into<Uuid>>(kind: Kind, list: &[SalesOf<Id>]) -> Vec<Self> {
        let entry = |entry: &SalesOf<Id>| Self {
            id: kind.id(entry.id.into()),
            name: entry.name.clone(),
            sales: entry.sales.into(),
            revenue: ComparedMoney::of(entry.revenue_minor, entry.currency),
        };
        list.iter().map(entry).collect()
    }
}

/// A sale of a lead that goes elsewhere.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulatedSale {
    /// The contract's id; it may be one that does not exist yet.
    contract_id: ID,
    /// The contract's name.
    contract_name: String,
    /// The buyer's name.
    buyer_name: String,
    /// What it pays.
    price: Money,
}

/// A lead that goes to others.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulatedChange {
    /// The lead's id.
    lead_id: ID,
    /// Who bought it.
    before: Vec<SimulatedSale>,
    /// Who would have.
    after: Vec<SimulatedSale>,
    /// Why, in words.
    reason: String,
}

impl From<&ChangedLead> for SimulatedChange {
    fn from(change: &ChangedLead) -> Self {
        let sale = |sale: &SaleShown| SimulatedSale {
            contract_id: Kind::Contract.id(sale.contract_id.into()),
            contract_name: sale.contract.clone(),
            buyer_name: sale.buyer.clone(),
            price: Money(Amount::new(sale.price_minor, change.currency)),
        };
        Self {
            lead_id: Kind::Lead.id(change.lead_id.into()),
            before: change.before.iter().map(sale).collect(),
            after: change.after.iter().map(sale).collect(),
            reason: change.reason.clone(),
        }
    }
}

/// What was assumed, and what was not simulated as it would have happened.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulationLimits {
    /// Leads with a sale to a buyer whose verdict nobody recorded: taken as accepted.
    assumed_verdicts: i32,
    /// Leads that lack bids that nobody recorded: their contracts took part without one.
    unknown_bids: i32,
    /// New buyers, taken to have money enough.
    assumed_balances: i32,
    /// Decisions by other versions of the rules: repeated as they were.
    other_rules: i32,
    /// Decisions about erased people: repeated as they were.
    erased: i32,
    /// Decisions under other postal codes: made again with today's circles.
    other_postal_codes: i32,
    /// Later offers of leads that are sold by then in the simulation: left out.
    decisions_fallen_away: i32,
    /// Leads that would wait to be offered again at moments that history does not have: left unsold.
    waiting_without_history: i32,
}

/// What would have come of historic leads.
#[derive(Debug, SimpleObject)]
pub(crate) struct Simulation {
    /// Leads received in the span, those included that intake refused.
    leads: i32,
    /// Decisions made again.
    decisions: i32,
    /// Decisions that saw something else than history did; 0 where nothing is changed.
    inputs_differing: i32,
    /// Leads that go to other contracts.
    changed_leads: i32,
    /// Leads that go to the same contracts at other prices.
    repriced_leads: i32,
    /// Leads sold at least once.
    sold_leads: ComparedCount,
    /// Sold leads of all leads received, in ten thousandths.
    sales_rate_basis_points: ComparedCount,
    /// The sums, one entry per currency.
    sums: Vec<SimulatedSums>,
    /// By buyer, those first that change most.
    buyers: Vec<SimulatedSales>,
    /// By contract, those first that change most.
    contracts: Vec<SimulatedSales>,
    /// Leads that go to others, at most 100 of them.
    changes: Vec<SimulatedChange>,
    /// What was assumed, and what was not simulated.
    limits: SimulationLimits,
}

impl From<Report> for Simulation {
    fn from(report: Report) -> Self {
        let of = |currency: Currency| move |figure: Compared| ComparedMoney::of(figure, currency);
        let sums = report.currencies.iter().map(|sums| {
            let money = of(sums.currency);
            SimulatedSums {
                revenue: money(sums.revenue),
                payout: money(sums.payout),
                profit: money(sums.profit),
                credits: money(sums.credits),
                clawbacks: money(sums.clawbacks),
            }
        });
        let not = report.not_replayed;
        Self {
            leads: int(report.leads),
            decisions: int(report.decisions),
            inputs_differing: int(report.inputs_differing),
            changed_leads: int(report.changed_leads),
            repriced_leads: int(report.repriced_leads),
            sold_leads: report.sold_leads.into(),
            sales_rate_basis_points: report.sales_rate_basis_points.into(),
            sums: sums.collect(),
            buyers: SimulatedSales::list(Kind::Buyer, &report.buyers),
            contracts: SimulatedSales::list(Kind::Contract, &report.contracts),
            changes: report.changes.iter().take(CHANGES_MAX).map(SimulatedChange::from).collect(),
            limits: SimulationLimits {
                assumed_verdicts: int(report.assumed_verdicts.len()),
                unknown_bids: int(report.unknown_bids.len()),
                assumed_balances: int(report.assumed_balances.len()),
                other_rules: int(not.other_rules),
                erased: int(not.erased),
                other_postal_codes: int(not.other_postal_codes),
                decisions_fallen_away: int(not.decisions_fallen_away),
                waiting_without_history: int(not.waiting_without_history),
            },
        }
    }
}

/// What came of simulating. Nothing is written, whatever is simulated.
#[derive(Debug, SimpleObject)]
pub(crate) struct SimulatePayload {
    /// The simulation; absent if it was not run.
    simulation: Option<Simulation>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl SimulatePayload {
    fn refused(user_error: UserError) -> Self {
        Self { simulation: None, user_errors: vec![user_error] }
    }

    /// Everything that is wrong with the text.
    fn not_understood(Problems(problems): Problems) -> Self {
        let error = |problem: &Problem| UserError::of("change", &problem.code, problem.to_string());
        Self { simulation: None, user_errors: problems.iter().map(error).collect() }
    }
}

/// Mutations that change nothing but take long.
#[derive(Debug, Default)]
pub(crate) struct SimulationMutations;

#[Object]
impl SimulationMutations {
    /// Replays historic leads under changed terms, with the caps, balances, turns, bids and verdicts of their time, and
    /// says what would have changed. Writes nothing; one runs at a time.
    async fn simulate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which leads, under which terms.")] input: SimulateInput,
    ) -> Result<SimulatePayload> {
        let Ok(_permit) = RUNNING.try_acquire() else {
            let message = "another simulation is running; ask again when it is done";
            return Ok(SimulatePayload::refused(UserError::general("BUSY", message)));
        };
        let api = ctx.data::<Api>()?;
        let draft = match input.change.as_deref().map(market_file::parse) {
            None => Draft::default(),
            Some(Err(problems)) => return Ok(SimulatePayload::not_understood(problems)),
            Some(Ok(document)) => match api.market.drafted(&document, &api.policy).await.map_err(store)? {
                Ok(draft) => draft,
                Err(problems) => return Ok(SimulatePayload::not_understood(problems)),
            },
        };
        let (since, until) = (input.since.map(Moment::into), input.until.map(Moment::into));
        let decisions_max = Some(DECISIONS_MAX);
        let request = SimulationRequest { since, until, draft, decisions_max };
        match api.market.simulate(request, |_| {}).await {
            Ok(report) => Ok(SimulatePayload { simulation: Some(report.into()), user_errors: Vec::new() }),
            Err(error) => Ok(SimulatePayload::refused(refusal(error)?)),
        }
    }
}

/// Why nothing was simulated, as far as the caller can mend it.
fn refusal(error: SimulationError) -> Result<UserError> {
    let message = error.to_string();
    Ok(match error {
        SimulationError::EmptySpan => UserError::of("until", "OUT_OF_RANGE", message),
        SimulationError::TooLong { .. } => UserError::general("TOO_MANY_DECISIONS", message),
        SimulationError::Draft(_) => UserError::of("change", "INVALID", message),
        SimulationError::Store(error) => return Err(store(error)),
    })
}
