//! GraphQL at `/graphql`: designed for people who build front ends, not generated from tables.
//!
//! - `nouns`: one file per noun of the market, with its type, its list and what can be done with it;
//! - `policy`: who may see which field, one table, checked for every query before it runs;
//! - `scopes`: likewise what a user's API key may do of what its user may;
//! - `analysis` and `scan`: two linear passes that bound what a document may cost before the engine sees it;
//! - `batches`: what a level of a query asks for is read in one wave;
//! - `reference`: the schema as pages to read, in `docs/reference`;
//! - `operations`: documents known beforehand, which clients name by their hash;
//! - `http`: the one way in.
//!
//! Rows are read by the caller's scoped reader; every level of a query is read in one go by `loaders`.

mod analysis;
mod batches;
#[cfg(test)]
mod breaking;
mod columns;
mod connection;
mod context;
mod errors;
mod http;
mod id;
mod lane;
mod loaders;
mod node;
mod nouns;
mod operations;
mod order;
mod policy;
mod reference;
mod scalars;
mod scan;
mod scopes;
mod views;
mod words;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, Object, SDLExportOptions, Schema};
use leadyard_connectors::OutboundPolicy;
use leadyard_market::Market;

use context::Api;
use nouns::api_key::{ApiKeyMutations, ApiKeyQueries};
use nouns::audit::AuditQueries;
use nouns::buyer::{BuyerGroupQueries, BuyerQueries};
use nouns::campaign::CampaignQueries;
use nouns::complaint::{ComplaintMutations, ComplaintQueries};
use nouns::configuration::ConfigurationQueries;
use nouns::consent::ConsentQueries;
use nouns::contract::ContractQueries;
use nouns::contract_bounds::ContractMutations;
use nouns::conversion::{ConversionMutations, ConversionQueries};
use nouns::delivery::{DeliveryMutations, DeliveryQueries};
use nouns::destination_test::DestinationTestMutations;
use nouns::finance::FinanceMutations;
use nouns::hold::HoldQueries;
use nouns::invitation::{InvitationMutations, InvitationQueries};
use nouns::lead::LeadQueries;
use nouns::lead_lookup::LeadLookupQueries;
use nouns::lead_submit::LeadMutations;
use nouns::password::PasswordMutations;
use nouns::payables::PayableMutations;
use nouns::profit_and_loss::ProfitQueries;
use nouns::sale::{SaleMutations, SaleQueries};
use nouns::session::SessionMutations;
use nouns::setup::buyer::BuyerMutations;
use nouns::setup::campaign::CampaignMutations;
use nouns::setup::configuration::ConfigurationMutations;
use nouns::setup::contract::ContractSetupMutations;
use nouns::setup::destination::DestinationMutations;
use nouns::setup::source::SourceMutations;
use nouns::setup::source_key::SourceKeyMutations;
use nouns::setup::supplier::SupplierMutations;
use nouns::setup::vertical::VerticalMutations;
use nouns::simulation::SimulationMutations;
use nouns::source::SourceQueries;
use nouns::standing::StandingQueries;
use nouns::supplier::SupplierQueries;
use nouns::suppression::{SuppressionMutations, SuppressionQueries};
use nouns::territory::TerritoryQueries;
use nouns::totp::TotpMutations;
use nouns::transfer::TransferQueries;
use nouns::user::{UserMutations, UserQueries};
use nouns::vertical::VerticalQueries;
use nouns::viewer::Viewer;
use nouns::wallet::WalletMutations;

pub use http::{GraphqlState, router};
pub use operations::Operations;
pub(crate) use reference::pages as reference;

/// Root fields that belong to no noun.
#[derive(Debug, Default)]
pub(crate) struct RootQueries;

#[Object]
impl RootQueries {
    /// Who is asking, and whose rows they see.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// Anything by its global id.
    async fn node(
        &self,
        ctx: &async_graphql::Context<'_>,
        #[graphql(desc = "The global id.")] id: async_graphql::ID,
    ) -> async_graphql::Result<Option<node::Node>> {
        node::load(ctx, &id).await
    }
}

/// What can be asked.
#[derive(Debug, Default, MergedObject)]
pub(crate) struct Query(
    RootQueries,
    LeadQueries,
    SaleQueries,
    DeliveryQueries,
    ComplaintQueries,
    CampaignQueries,
    VerticalQueries,
    SupplierQueries,
    SourceQueries,
    BuyerQueries,
    ContractQueries,
    ProfitQueries,
    TerritoryQueries,
    StandingQueries,
    ConfigurationQueries,
    UserQueries,
    InvitationQueries,
    BuyerGroupQueries,
    AuditQueries,
    LeadLookupQueries,
    ApiKeyQueries,
    TransferQueries,
    HoldQueries,
    ConsentQueries,
    ConversionQueries,
    SuppressionQueries,
);

/// What can be done. Every mutation takes one input and answers with its result and `userErrors`.
#[derive(Debug, Default, MergedObject)]
pub(crate) struct Mutation(
    SessionMutations,
    LeadMutations,
    SaleMutations,
    DeliveryMutations,
    ComplaintMutations,
    ContractMutations,
    WalletMutations,
    SimulationMutations,
    UserMutations,
    InvitationMutations,
    PasswordMutations,
    TotpMutations,
    VerticalMutations,
    CampaignMutations,
    SupplierMutations,
    SourceMutations,
    SourceKeyMutations,
    BuyerMutations,
    ContractSetupMutations,
    DestinationMutations,
    ConfigurationMutations,
    FinanceMutations,
    ApiKeyMutations,
    PayableMutations,
    SuppressionMutations,
    DestinationTestMutations,
    ConversionMutations,
);

/// The schema.
pub(crate) type GraphqlSchema = Schema<Query, Mutation, EmptySubscription>;

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<node::Node>()
        .disable_suggestions()
        .override_output_type_description::<leadyard_types::Timestamp>(
            "A moment as RFC 3339, answered in UTC: `2026-11-21T10:00:00+00:00`.",
        )
}

/// The schema over a market.
fn schema(market: Arc<Market>, policy: OutboundPolicy) -> GraphqlSchema {
    builder().data(Api { market, policy }).finish()
}

/// The schema as text, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .include_specified_by()
        .sorted_fields()
        .sorted_arguments()
        .prefer_single_line_descriptions()
        .use_space_ident()
        .indent_width(2);
    let text = builder().finish().sdl_with_options(options);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim())
}

#[cfg(test)]
#[path = "graphql/schema_tests.rs"]
mod tests;
