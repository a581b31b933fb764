//! Making and changing contracts.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use leadyard_entity::read::Columns;
use leadyard_market::setup::{HeadChange, NewContract, SetupError};
use leadyard_types::terms::{Exclusivity as Shares, OutsideHours as Outside};
use leadyard_types::{ContractId, ContractTerms, PriceRule, Verdict as Answers};
use uuid::Uuid;

use super::super::super::context::loader;
use super::super::super::errors::UserError;
use super::super::super::id::Kind;
use super::super::super::loaders::ContractBy;
use super::super::super::scalars::MinorUnits;
use super::super::super::words::{Exclusivity, OutsideHours, Status, Verdict};
use super::super::condition::ConditionInput;
use super::super::contract::Contract;
use super::super::contract_bounds::ContractPayload;
use super::super::terms::{CapInput, MarginInput, PriceRuleInput, ScheduleInput};
use super::reading::{Reading, id, list, minor, named, percent, plain, whole};
use super::{Spelling, agreed, setup, standing};

/// What is agreed of a contract. What is left out stays; of a new contract it is the usual. What its buyer may set by itself
/// is said by `contractBoundsSet`.
#[derive(Debug, InputObject)]
pub(crate) struct ContractTermsInput {
    /// Whether it buys; of a new one ACTIVE.
    status: MaybeUndefined<Status>,
    /// Its place in a waterfall, 1 first; null, and of a new one: 1.
    priority: MaybeUndefined<i32>,
    /// Its share in a weighted stage, 0 for none; null, and of a new one: 1.
    weight: MaybeUndefined<i32>,
    /// Whether it shares leads with others; of a new one ANY.
    exclusivity: MaybeUndefined<Exclusivity>,
    /// Exceptions from the price, at most 100; the last that matches holds.
    price_rules: MaybeUndefined<Vec<PriceRuleInput>>,
    /// What it pays of its price where a BEST sale has 2, 3 … buyers, in percent, `"80"`; the last holds for more. None:
    /// the full price.
    shared_percents: MaybeUndefined<Vec<String>>,
    /// Where its buyer is asked for bids, a destination of kind PING; null: its fixed price is its bid.
    ping_destination_id: MaybeUndefined<ID>,
    /// What the operator keeps of its price when a supplier is quoted; null: as the campaign says.
    margin: MaybeUndefined<MarginInput>,
    /// Whether it gets tests and nothing else: never billed, capped or counted.
    test: MaybeUndefined<bool>,
    /// Which leads; null: all.
    filter: MaybeUndefined<ConditionInput>,
    /// If there are any, only these sources of the campaign.
    sources_allowed: MaybeUndefined<Vec<ID>>,
    /// Never these sources of the campaign.
    sources_denied: MaybeUndefined<Vec<ID>>,
    /// All limits on its sales, one per period, in the buyer's time zone.
    caps: MaybeUndefined<Vec<CapInput>>,
    /// When it buys; null: always.
    schedule: MaybeUndefined<ScheduleInput>,
    /// What happens to a lead outside its hours; null, and of a new one: NEXT.
    outside_hours: MaybeUndefined<OutsideHours>,
    /// How many minutes after it came in a lead waits for the hours, up to 44640; null: as long as the campaign offers
    /// unsold leads.
    wait_at_most_minutes: MaybeUndefined<i32>,
    /// Whether it buys aged leads too.
    buys_aged: MaybeUndefined<bool>,
    /// What it pays for aged leads, where one matches; else its ordinary price by the campaign's steps.
    aged_price_rules: MaybeUndefined<Vec<PriceRuleInput>>,
    /// Whether the consent must name this buyer as a recipient.
    consent_names_buyer: MaybeUndefined<bool>,
    /// Whether the buyer answers the post; of a new one NONE.
    verdict: MaybeUndefined<Verdict>,
    /// Where its leads go, destinations of its own buyer. With a SYNC verdict the first is asked for it.
    destination_ids: MaybeUndefined<Vec<ID>>,
    /// Whether a credited complaint gives the cap's count back.
    credit_frees_cap: MaybeUndefined<bool>,
    /// How many minutes an unclear answer keeps money held, up to 132480; null, and of a new one: 1440.
    unknown_window_minutes: MaybeUndefined<i32>,
}

/// A day: long enough for a person at the buyer's to look.
const UNKNOWN_WINDOW_MINUTES: u32 = 24 * 60;

impl ContractTermsInput {
    /// Lays what is given over the terms.
    fn lay(self, terms: &mut ContractTerms, reading: &mut Reading) {
        let of = terms;
        reading.set("status", self.status, &mut of.status, plain);
        reading.set_or("priority", self.priority, (&mut of.priority, 1), whole);
        reading.set_or("weight", self.weight, (&mut of.weight, 1), whole);
        reading.set_or("exclusivity", self.exclusivity, (&mut of.exclusivity, Shares::Any), plain);
        let rules = (&mut of.price_rules, Vec::new());
        reading.set_or("priceRules", self.price_rules, rules, list(PriceRuleInput::read));
        let percents = (&mut of.shared_percents, Vec::new());
        reading.set_or("sharedPercents", self.shared_percents, percents, list(percent));
        reading.optional("margin", self.margin, &mut of.margin, MarginInput::read);
        reading.set_or("test", self.test, (&mut of.test, false), plain);
        reading.optional("filter", self.filter, &mut of.filter, ConditionInput::read);
        let (allowed, denied) = ((&mut of.sources_allowed, Vec::new()), (&mut of.sources_denied, Vec::new()));
        let own = || list(id(Kind::Source));
        reading.set_or("sourcesAllowed", self.sources_allowed, allowed, own());
        reading.set_or("sourcesDenied", self.sources_denied, denied, own());
        reading.set_or("caps", self.caps, (&mut of.caps, Vec::new()), CapInput::all);
        reading.optional("schedule", self.schedule, &mut of.schedule, ScheduleInput::read);
        reading.set_or("outsideHours", self.outside_hours, (&mut of.outside_hours, Outside::Next), plain);
        reading.optional("waitAtMostMinutes", self.wait_at_most_minutes, &mut of.wait_at_most_minutes, whole);
        reading.set_or("buysAged", self.buys_aged, (&mut of.buys_aged, false), plain);
        let aged = (&mut of.aged_price_rules, Vec::new());
        reading.set_or("agedPriceRules", self.aged_price_rules, aged, list(PriceRuleInput::read));
        reading.set_or("consentNamesBuyer", self.consent_names_buyer, (&mut of.consent_names_buyer, false), plain);
        reading.set_or("verdict", self.verdict, (&mut of.verdict, Answers::None), plain);
        let destinations = (&mut of.destinations, Vec::new());
        reading.set_or("destinationIds", self.destination_ids, destinations, list(id(Kind::Destination)));
        reading.optional("pingDestinationId", self.ping_destination_id, &mut of.ping, id(Kind::Destination));
        reading.set_or("creditFreesCap", self.credit_frees_cap, (&mut of.credit_frees_cap, false), plain);
        let window = (&mut of.unknown_window_minutes, UNKNOWN_WINDOW_MINUTES);
        reading.set_or("unknownWindowMinutes", self.unknown_window_minutes, window, whole);
    }
}

/// How the paths of the terms are spelt.
fn spelling(terms: &ContractTerms) -> Spelling {
    let rules = |name: &'static str, rules: &[PriceRule]| {
        let condition = move |(place, rule): (usize, &PriceRule)| (format!("{name}.{place}.when"), rule.when.clone());
        rules.iter().enumerate().map(condition).collect::<Vec<_>>()
    };
    let filter = terms.filter.iter().map(|filter| ("filter".to_owned(), filter.clone()));
    let mut conditions: Vec<_> = filter.collect();
    conditions.extend(rules("price_rules", &terms.price_rules));
    conditions.extend(rules("aged_price_rules", &terms.aged_price_rules));
    Spelling { renamed: &[("destinations", "destinationIds"), ("ping", "pingDestinationId")], conditions }
}

/// A contract to be made. Its campaign and its buyer stay for life.
#[derive(Debug, InputObject)]
pub(crate) struct ContractCreateInput {
    /// The campaign it buys in.
    campaign_id: ID,
    /// Who buys. It gets a wallet in the campaign's currency.
    buyer_id: ID,
    /// What people call it, 1 to 200 characters.
    name: String,
    /// The key of the campaign's step it takes part in.
    stage: String,
    /// The price where no rule matches, in minor units of the campaign's currency.
    price_minor: MinorUnits,
    #[graphql(flatten)]
    terms: ContractTermsInput,
}

/// What is changed of a contract. What is left out stays; lists and conditions replace what stands.
#[derive(Debug, InputObject)]
pub(crate) struct ContractUpdateInput {
    /// The contract.
    contract_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// The key of the campaign's step it takes part in.
    stage: MaybeUndefined<String>,
    /// The price where no rule matches, in minor units of the campaign's currency.
    price_minor: MaybeUndefined<MinorUnits>,
    #[graphql(flatten)]
    terms: ContractTermsInput,
}

/// Contracts that are paused, resumed or ended together.
#[derive(Debug, InputObject)]
pub(crate) struct ContractsStatusSetInput {
    /// The contracts, 1 to 100, as they are now.
    ids: Vec<ID>,
    /// What they are from now on. ARCHIVED is for good.
    status: Status,
}

/// What came of setting the status of several contracts.
#[derive(Debug, SimpleObject)]
pub(crate) struct ContractsStatusSetPayload {
    /// The contracts that have the status now, in the order of the input.
    contracts: Vec<Contract>,
    /// What was not done, each with its place: `["input", "ids", "3"]`. The others were done.
    user_errors: Vec<UserError>,
}

async fn told(ctx: &Context<'_>, done: Result<Uuid, SetupError>, spelling: &Spelling) -> Result<ContractPayload> {
    match done {
        Ok(id) => ContractPayload::now(ctx, ContractId(id)).await,
        Err(error) => Ok(ContractPayload::refused(spelling.errors(error)?)),
    }
}

/// Mutations of contracts, by the operator.
#[derive(Debug, Default)]
pub(crate) struct ContractSetupMutations;

#[Object]
impl ContractSetupMutations {
    /// Makes a contract: what one buyer wants and pays in one campaign.
    async fn contract_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where it stands, and what is agreed.")] input: ContractCreateInput,
    ) -> Result<ContractPayload> {
        let mut reading = Reading::default();
        let (campaign_id, buyer_id) = (named(Kind::Campaign, &input.campaign_id), named(Kind::Buyer, &input.buyer_id));
        let mut terms = ContractTerms::new(&input.stage, input.price_minor.0);
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(ContractPayload::refused(problems));
        }
        let spelling = spelling(&terms);
        let done = setup(ctx)?.create_contract(NewContract { campaign_id, buyer_id, name: input.name, terms }).await;
        told(ctx, done.map(|id| id.0), &spelling).await
    }

    /// Changes a contract. Acts from the next placement on; what was bought stays as it was agreed then.
    async fn contract_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contract, and what is changed of it.")] input: ContractUpdateInput,
    ) -> Result<ContractPayload> {
        let row = standing!(ctx, input.contract_id, Contract by ContractRowBy, "contractId", "contract", input.version, ContractPayload);
        let mut terms = agreed!(ctx, row, ContractTermsOf);
        let mut reading = Reading::default();
        let head = HeadChange { name: reading.changed("name", input.name), ..HeadChange::default() };
        reading.set("stage", input.stage, &mut terms.stage, plain);
        reading.set("priceMinor", input.price_minor, &mut terms.price_minor, minor);
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(ContractPayload::refused(problems));
        }
        let spelling = spelling(&terms);
        let done = setup(ctx)?.update_contract(ContractId(row.id), row.version, head, terms).await;
        told(ctx, done.map(|_| row.id), &spelling).await
    }

    /// Pauses, resumes or ends several contracts. What cannot be done of them is told, and the rest is done.
    async fn contracts_status_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which contracts, and what they are from now on.")] input: ContractsStatusSetInput,
    ) -> Result<ContractsStatusSetPayload> {
        /// More than anybody picks from a list at once.
        const IDS_MAX: usize = 100;
        let refused = |error| Ok(ContractsStatusSetPayload { contracts: Vec::new(), user_errors: vec![error] });
        if !(1..=IDS_MAX).contains(&input.ids.len()) {
            return refused(UserError::of("ids", "OUT_OF_RANGE", "1 to 100 contracts are expected"));
        }
        let ids: Vec<ContractId> = input.ids.iter().map(|id| named(Kind::Contract, id)).collect();
        let done = match setup(ctx)?.set_contracts_status(&ids, input.status.into()).await {
            Ok(done) => done,
            Err(error) => {
                let user_errors = Spelling::default().errors(error)?;
                return Ok(ContractsStatusSetPayload { contracts: Vec::new(), user_errors });
            }
        };
        let mut rows = loader(ctx)?.load_many(ids.iter().map(|id| ContractBy::with(id.0, Columns::ALL))).await?;
        let (mut contracts, mut user_errors) = (Vec::new(), Vec::new());
        for (place, (id, done)) in ids.iter().zip(done).enumerate() {
            match done {
                // One that was named twice is answered once.
                Ok(_) => contracts.extend(rows.remove(&ContractBy::with(id.0, Columns::ALL)).map(Contract)),
                Err(error) => {
                    let told = Spelling::default().errors(error)?.into_iter();
                    user_errors
                        .extend(told.map(|told| UserError::of(&format!("ids.{place}"), &told.code, told.message)));
                }
            }
        }
        Ok(ContractsStatusSetPayload { contracts, user_errors })
    }
}
