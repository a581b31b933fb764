//! Relay's `Node`: anything by its global id.

use async_graphql::{Context, ID, Interface, Result};

use super::context::loader;
use super::id::Kind;
use super::loaders::SessionBy;
use super::nouns::api_key::ApiKey;
use super::nouns::buyer::{Buyer, BuyerGroup};
use super::nouns::campaign::Campaign;
use super::nouns::complaint::Complaint;
use super::nouns::consent::Consent;
use super::nouns::contract::Contract;
use super::nouns::conversion::Conversion;
use super::nouns::decision::Decision;
use super::nouns::delivery::Delivery;
use super::nouns::destination::Destination;
use super::nouns::hold::Hold;
use super::nouns::invitation::Invitation;
use super::nouns::lead::Lead;
use super::nouns::one;
use super::nouns::sale::Sale;
use super::nouns::session::Session;
use super::nouns::setup::source_key::SourceKey;
use super::nouns::source::Source;
use super::nouns::supplier::Supplier;
use super::nouns::suppression::SuppressionEntry;
use super::nouns::transfer::Transfer;
use super::nouns::user::User;
use super::nouns::vertical::Vertical;
use super::nouns::wallet::Wallet;

// The interface awaits its field: `id` is the one plain column that every noun answers by an async function.
/// Anything that has a global id.
#[derive(Debug, Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id."))]
pub(crate) enum Node {
    /// An industry.
    Vertical(Vertical),
    /// A campaign.
    Campaign(Campaign),
    /// A supplier.
    Supplier(Supplier),
    /// A source.
    Source(Source),
    /// A buyer.
    Buyer(Buyer),
    /// A group of buyers.
    BuyerGroup(BuyerGroup),
    /// A contract.
    Contract(Contract),
    /// A destination.
    Destination(Destination),
    /// A lead.
    Lead(Lead),
    /// A routing run.
    Decision(Decision),
    /// A sale.
    Sale(Sale),
    /// A delivery.
    Delivery(Delivery),
    /// A complaint.
    Complaint(Complaint),
    /// A wallet.
    Wallet(Wallet),
    /// A transfer.
    Transfer(Transfer),
    /// A hold.
    Hold(Hold),
    /// A consent.
    Consent(Consent),
    /// A conversion.
    Conversion(Conversion),
    /// An entry of the suppression list.
    SuppressionEntry(SuppressionEntry),
    /// A user.
    User(User),
    /// An invitation.
    Invitation(Invitation),
    /// A session of your own.
    Session(Session),
    /// A key of a source.
    SourceKey(SourceKey),
    /// A key of a user.
    ApiKey(ApiKey),
}

/// Loads whatever an id names; what is absent or not the caller's to see is nothing.
pub(crate) async fn load(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let Some((kind, id)) = Kind::of(id) else { return Ok(None) };
    Ok(match kind {
        Kind::Vertical => one!(ctx, VerticalBy(id) => Vertical)?.map(Node::from),
        Kind::Campaign => one!(ctx, CampaignBy(id) => Campaign)?.map(Node::from),
        Kind::Supplier => one!(ctx, SupplierBy(id) => Supplier)?.map(Node::from),
        Kind::Source => one!(ctx, SourceBy(id) => Source)?.map(Node::from),
        Kind::Buyer => one!(ctx, BuyerBy(id) => Buyer)?.map(Node::from),
        Kind::BuyerGroup => one!(ctx, BuyerGroupBy(id) => BuyerGroup)?.map(Node::from),
        Kind::Contract => one!(ctx, ContractBy(id) => Contract)?.map(Node::from),
        Kind::Destination => one!(ctx, DestinationBy(id) => Destination)?.map(Node::from),
        Kind::Lead => one!(ctx, LeadBy(id) => Lead)?.map(Node::from),
        Kind::Decision => one!(ctx, DecisionBy(id) => Decision)?.map(Node::from),
        Kind::Sale => one!(ctx, SaleBy(id) => Sale)?.map(Node::from),
        Kind::Delivery => one!(ctx, DeliveryBy(id) => Delivery)?.map(Node::from),
        Kind::Complaint => one!(ctx, ComplaintBy(id) => Complaint)?.map(Node::from),
        // A supplier's account is no wallet.
        Kind::Wallet => one!(ctx, WalletBy(id) => Wallet)?.filter(Wallet::is_wallet).map(Node::from),
        Kind::Transfer => one!(ctx, TransferBy(id) => Transfer)?.map(Node::from),
        Kind::Hold => one!(ctx, HoldBy(id) => Hold)?.map(Node::from),
        Kind::Consent => one!(ctx, ConsentBy(id) => Consent)?.map(Node::from),
        Kind::Conversion => one!(ctx, ConversionBy(id) => Conversion)?.map(Node::from),
        Kind::SuppressionEntry => one!(ctx, SuppressionEntryBy(id) => SuppressionEntry)?.map(Node::from),
        Kind::User => one!(ctx, UserBy(id) => User)?.map(Node::from),
        Kind::Invitation => one!(ctx, InvitationBy(id) => Invitation)?.map(Node::from),
        Kind::Session => {
            loader(ctx)?.load_one(SessionBy(id)).await?.map(|row| Node::from(Session::from((*row).clone())))
        }
        Kind::SourceKey => one!(ctx, SourceKeyBy(id) => SourceKey)?.map(Node::from),
        Kind::ApiKey => one!(ctx, ApiKeyBy(id) => ApiKey)?.map(Node::from),
    })
}
