//! Making and changing buyers and the groups they count with.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use leadyard_market::setup::{HeadChange, NewBuyer, SetupError};
use leadyard_types::{BuyerGroupId, BuyerId, BuyerTerms, Currency};

use super::super::super::errors::UserError;
use super::super::super::id::Kind;
use super::super::super::scalars::{EmailAddress, MinorUnits, TimeZone};
use super::super::super::words::Status;
use super::super::buyer::{Buyer, BuyerGroup};
use super::super::terms::CapInput;
use super::campaign::currency;
use super::reading::{Read, Reading, id, list, plain};
use super::{Spelling, agreed, payload, setup, standing};

/// A buyer group to be made: none of its buyers gets a lead that another one has.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerGroupCreateInput {
    /// What people call it, 1 to 200 characters; no other group is called so.
    name: String,
}

/// What is changed of a buyer group. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerGroupUpdateInput {
    /// The group.
    buyer_group_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
}

/// A wallet that a buyer begins with.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerWalletInput {
    /// Its currency, ISO 4217: `EUR`.
    currency: String,
    /// How far below zero its balance may go, in minor units; left out: 0. Only administrators grant credit.
    credit_limit_minor: Option<MinorUnits>,
}

impl BuyerWalletInput {
    fn read(self, path: &str) -> Read<(Currency, i64)> {
        let currency = currency(&self.currency, &format!("{path}.currency"))?;
        Ok((currency, self.credit_limit_minor.map_or(0, |limit| limit.0)))
    }
}

/// What is agreed of a buyer. What is left out stays; of a new buyer it is the usual.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerTermsInput {
    /// Whether it buys; of a new one ACTIVE.
    status: MaybeUndefined<Status>,
    /// The time zone of its caps and of its contracts' caps; of a new one UTC.
    time_zone: MaybeUndefined<TimeZone>,
    /// The group it counts with for exclusivity; null: none.
    group_id: MaybeUndefined<ID>,
    /// All limits over all its contracts, one per period.
    caps: MaybeUndefined<Vec<CapInput>>,
}

impl BuyerTermsInput {
    fn lay(self, terms: &mut BuyerTerms, reading: &mut Reading) {
        reading.set("status", self.status, &mut terms.status, plain);
        reading.set("timeZone", self.time_zone, &mut terms.time_zone, plain);
        reading.optional("groupId", self.group_id, &mut terms.group, id(Kind::BuyerGroup));
        reading.set_or("caps", self.caps, (&mut terms.caps, Vec::new()), CapInput::all);
    }
}

/// A buyer to be made.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerCreateInput {
    /// What people call it, 1 to 200 characters; no other buyer is called so.
    name: String,
    /// Where it is told things.
    email: Option<EmailAddress>,
    /// The wallets it begins with; others are opened with its contracts and payments.
    wallets: Option<Vec<BuyerWalletInput>>,
    #[graphql(flatten)]
    terms: BuyerTermsInput,
}

/// What is changed of a buyer. What is left out stays; lists replace what stands.
#[derive(Debug, InputObject)]
pub(crate) struct BuyerUpdateInput {
    /// The buyer.
    buyer_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// Where it is told things; null: nowhere.
    email: MaybeUndefined<EmailAddress>,
    #[graphql(flatten)]
    terms: BuyerTermsInput,
}

payload!(BuyerPayload, buyer: Buyer by BuyerBy, "What came of making or changing a buyer.", "The buyer as it stands now; absent if nothing was done.");
payload!(BuyerGroupPayload, buyer_group: BuyerGroup by BuyerGroupBy, "What came of making or changing a buyer group.", "The group as it stands now; absent if nothing was done.");

const SPELLING: Spelling = Spelling::renaming(&[("group", "groupId")]);

/// Mutations of buyers and their groups.
#[derive(Debug, Default)]
pub(crate) struct BuyerMutations;

#[Object]
impl BuyerMutations {
    /// Makes a buyer group.
    async fn buyer_group_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name.")] input: BuyerGroupCreateInput,
    ) -> Result<BuyerGroupPayload> {
        let done = setup(ctx)?.create_buyer_group(&input.name).await;
        BuyerGroupPayload::of(ctx, done.map(|id| id.0), &Spelling::default()).await
    }

    /// Changes a buyer group.
    async fn buyer_group_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group, and what is changed of it.")] input: BuyerGroupUpdateInput,
    ) -> Result<BuyerGroupPayload> {
        let row = standing!(ctx, input.buyer_group_id, BuyerGroup by BuyerGroupBy, "buyerGroupId", "buyer_group", input.version, BuyerGroupPayload);
        let mut reading = Reading::default();
        let name = reading.changed("name", input.name);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(BuyerGroupPayload::refused(problems));
        }
        let done = setup(ctx)?.rename_buyer_group(BuyerGroupId(row.id), row.version, name).await;
        BuyerGroupPayload::of(ctx, done.map(|_| row.id), &Spelling::default()).await
    }

    /// Makes a buyer: somebody who pays for leads. What it wants and pays is said by its contracts.
    async fn buyer_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who it is, and what is agreed.")] input: BuyerCreateInput,
    ) -> Result<BuyerPayload> {
        let mut terms = BuyerTerms {
            status: leadyard_types::Status::Active,
            time_zone: Default::default(),
            group: None,
            caps: Vec::new(),
        };
        let mut reading = Reading::default();
        let wallets = list(BuyerWalletInput::read)(input.wallets.unwrap_or_default(), "wallets");
        let wallets = reading.take(wallets).unwrap_or_default();
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(BuyerPayload::refused(problems));
        }
        let credit = wallets.iter().any(|(_, limit)| *limit > 0);
        let email = input.email.map(String::from);
        let done = setup(ctx)?.create_buyer(NewBuyer { name: input.name, email, terms, wallets }).await;
        if let (Err(SetupError::NotAllowed), true) = (&done, credit) {
            let error = UserError::of("wallets", "NOT_ALLOWED", "only administrators grant credit");
            return Ok(BuyerPayload::refused(vec![error]));
        }
        BuyerPayload::of(ctx, done.map(|id| id.0), &SPELLING).await
    }

    /// Changes a buyer. Acts from the next placement on.
    async fn buyer_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The buyer, and what is changed of it.")] input: BuyerUpdateInput,
    ) -> Result<BuyerPayload> {
        let row = standing!(ctx, input.buyer_id, Buyer by BuyerBy, "buyerId", "buyer", input.version, BuyerPayload);
        let mut terms = agreed!(ctx, row, BuyerTermsOf);
        let (mut reading, mut email) = (Reading::default(), None);
        let name = reading.changed("name", input.name);
        reading.set_or("email", input.email, (&mut email, Some(None)), |given, _| Ok(Some(Some(given.into()))));
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(BuyerPayload::refused(problems));
        }
        let head = HeadChange { name, email, key: None };
        let done = setup(ctx)?.update_buyer(BuyerId(row.id), row.version, head, terms).await;
        BuyerPayload::of(ctx, done.map(|_| row.id), &SPELLING).await
    }
}
