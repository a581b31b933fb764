//! Trying a destination out: one delivery or ping that is about nobody, by the very connector that real ones take, so that
//! the answer is read as a real one would be. Nothing comes of it: no lead, no sale, no money, and the destination's health
//! is not touched.

use std::sync::Arc;
use std::time::Duration;

use leadyard_connectors::{Attempted, Connectors, DeliveryPackage, Named, PingAnswered, PingEndpoint, PingPackage};
use leadyard_entity::StoreError;
use leadyard_entity::model::destination;
use leadyard_types::{
    BuyerId, CampaignId, Consent, ContractId, Currency, DeliveryId, DeliveryOutcome, DestinationId, DestinationKind,
    FieldDefinition, FieldKind, Fields, LeadId, Money, PingId, PingVerdict, Principal, Required, Role, SaleId,
    SaleMode, Status, SystemTask, Timestamp, Verdict,
};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::intake::split_personal;
use crate::market::Market;
use crate::rules::sample::sample;
use crate::snapshot::{Contract, Snapshot};

/// A destination is tried out this far apart: enough for somebody who sets it up, too slow for a flood.
const APART: chrono::Duration = chrono::Duration::seconds(10);
/// The longest it takes: shorter than a request may.
const LONGEST: Duration = Duration::from_secs(20);
/// The longest a buyer who is asked for a bid gets; an auction gives it less.
const PING_LONGEST: Duration = Duration::from_secs(10);

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum TryOutError {
    /// Only administrators, managers and a buyer's own administrators try destinations out.
    #[error("only administrators, managers and a buyer's administrators try destinations out")]
    NotAllowed,
    /// There is no such destination, or not for the caller.
    #[error("there is no such destination")]
    NotFound,
    /// It was tried out a moment ago.
    #[error("it was tried out less than {} seconds ago", APART.num_seconds())]
    TooSoon,
    /// Nothing can be sent there, and why.
    #[error("{0}")]
    NotPossible(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came back from trying a destination out. Nothing in it is a secret or about a person.
#[derive(Debug, Clone)]
pub struct TryOut {
    /// The destination.
    pub destination: destination::Model,
    /// The campaign's currency, in which bids are.
    pub currency: Currency,
    /// What came back.
    pub answer: TryOutAnswer,
}

/// What came back, by what was sent.
#[derive(Debug, Clone)]
pub enum TryOutAnswer {
    /// From a delivery; whether its buyer was asked for a verdict.
    Delivery(Verdict, Box<Attempted>),
    /// From a ping.
    Ping(Box<PingAnswered>),
}

/// What is pretended to be sent: a lead of the campaign of a contract that names the destination, where there is one.
struct Pretence {
    contract: Named<ContractId>,
    campaign: Named<CampaignId>,
    buyer: Named<BuyerId>,
    vertical: String,
    country: String,
    price: Money,
    verdict: Verdict,
    places: u8,
    /// Fields that are not personal, and those that are.
    fields: (Fields, Fields),
}

impl Market {
    /// Tries a destination out, and answers what came back as the connector read it.
    ///
    /// # Errors
    /// A caller who may not, a destination that is not the caller's, ended, or tried out a moment ago, a store that fails.
    pub async fn try_destination(&self, principal: Principal, id: DestinationId) -> Result<TryOut, TryOutError> {
        match principal {
            Principal::Staff { role: Role::Admin | Role::Manager, .. }
            | Principal::Buyer { role: Role::BuyerAdmin, .. }
            | Principal::System(SystemTask::Operate) => {}
            _ => return Err(TryOutError::NotAllowed),
        }
        let found = self.store.read(principal).by_id::<destination::Entity>(id.0).await?;
        let destination = found.ok_or(TryOutError::NotFound)?;
        if destination.status == Status::Archived.as_str() {
            return Err(TryOutError::NotPossible("it was ended for good"));
        }
        let Some(connectors) = self.bidders.get() else {
            return Err(TryOutError::NotPossible("this server sends nothing"));
        };
        let secrets = self.store.destination_secrets(&destination)?;
        let kind = destination.kind.parse().map_err(StoreError::corrupt)?;
        let pretence = self.pretence(&destination).await?;
        // The row says that it happens before anything is sent; whichever process is asked, it is asked in turn.
        let write = self.store.write(principal).await?;
        if !write.mark_tested(id, APART).await? {
            return Err(TryOutError::TooSoon);
        }
        write.audit("try_out", "destination", Some(id.0), &json!({})).await?;
        let _ = write.commit().await?;

        let currency = pretence.price.currency;
        let answer = if kind == DestinationKind::Ping {
            TryOutAnswer::Ping(Box::new(self.try_ping(connectors, &destination, secrets, pretence).await))
        } else {
            let verdict = pretence.verdict;
            let sent = self.try_delivery(connectors, (kind, &destination), &secrets, pretence).await;
            TryOutAnswer::Delivery(verdict, Box::new(sent))
        };
        Ok(TryOut { destination, currency, answer })
    }

    /// Sends a delivery as a worker would.
    async fn try_delivery(
        &self,
        connectors: &Connectors,
        (kind, destination): (DestinationKind, &destination::Model),
        secrets: &[SecretString],
        pretence: Pretence,
    ) -> Attempted {
        let (verdict, now) = (pretence.verdict, self.clock().now());
        let package = pretence.package(|| self.ids().uuid(), now);
        let config = destination.config.as_str();
        let sending = async {
            match verdict {
                Verdict::Sync => connectors.ask_verdict(kind, config, secrets, &package, now).await,
                Verdict::None => connectors.deliver(kind, config, secrets, &package, now).await,
            }
        };
        let late = || Attempted::of(DeliveryOutcome::Unknown).because("no answer in time");
        tokio::time::timeout(LONGEST, sending).await.unwrap_or_else(|_| late().lasting(LONGEST))
    }

    /// Asks for a bid as an auction would.
    async fn try_ping(
        &self,
        connectors: &Connectors,
        destination: &destination::Model,
        secrets: Vec<SecretString>,
        pretence: Pretence,
    ) -> PingAnswered {
        let (open, personal) = pretence.fields;
        let package = PingPackage {
            id: PingId(self.ids().uuid()),
            vertical: pretence.vertical,
            campaign: pretence.campaign.name,
            country: pretence.country,
            currency: pretence.price.currency,
            fields: open,
            contacts: personal.iter().map(|(key, value)| (key.clone(), value.to_text().into_owned())).collect(),
            places: pretence.places,
            test: true,
        };
        let endpoint = PingEndpoint::new(&destination.config, secrets);
        let asked = connectors.try_ping(&endpoint, &package, PING_LONGEST);
        let late = || PingAnswered::without_bid(PingVerdict::Late, "no answer in time");
        tokio::time::timeout(LONGEST, asked).await.unwrap_or_else(|_| late())
    }

    /// What a lead would be like that goes there: by the oldest running contract that names the destination.
    async fn pretence(&self, destination: &destination::Model) -> Result<Pretence, StoreError> {
        let snapshot = self.current().await?;
        let id = DestinationId(destination.id);
        let names =
            |contract: &&&Arc<Contract>| contract.terms.destinations.contains(&id) || contract.terms.ping == Some(id);
        let contracts = snapshot.contracts.values().flat_map(|contracts| contracts.iter());
        let contract = contracts.filter(|contract| names(&contract)).min_by_key(|one| (one.created_at, one.id));
        let buyer = BuyerId(destination.buyer_id);
        let named = snapshot.buyers.get(&buyer).map_or("TEST", |known| known.name.as_str());
        let buyer = Named::new(buyer, named);
        Ok(contract
            .and_then(|contract| like(&snapshot, contract, destination, &buyer))
            .unwrap_or_else(|| anything(|| self.ids().uuid(), buyer)))
    }
}

/// A lead of a contract's campaign.
fn like(
    snapshot: &Snapshot,
    contract: &Contract,
    destination: &destination::Model,
    buyer: &Named<BuyerId>,
) -> Option<Pretence> {
    let campaign = snapshot.campaigns.get(&contract.campaign_id)?;
    let vertical = snapshot.verticals.get(&campaign.vertical_id)?;
    // The first destination of a contract is the one that is asked; the others are told afterwards.
    let asks = contract.terms.destinations.first() == Some(&DestinationId(destination.id));
    let fields = split_personal(vertical, &sample(&vertical.terms.fields, &campaign.country));
    Some(Pretence {
        contract: Named::new(contract.id, contract.name.as_str()),
        campaign: Named::new(campaign.id, campaign.name.as_str()),
        buyer: buyer.clone(),
        vertical: vertical.key.clone(),
        country: campaign.country.clone(),
        price: Money::new(contract.terms.price_minor, campaign.currency),
        verdict: if asks { contract.terms.verdict } else { Verdict::None },
        places: match campaign.terms.sale_mode {
            SaleMode::Exclusive => 1,
            SaleMode::Shared { max } | SaleMode::Best { max } => max,
        },
        fields,
    })
}

/// A lead of no campaign, for a destination that no running contract names.
fn anything(id: impl Fn() -> Uuid, buyer: Named<BuyerId>) -> Pretence {
    let field = |key: &str, kind| FieldDefinition::new(key, kind, Required::Post, true);
    let personal = [
        field("first_name", FieldKind::Text),
        field("last_name", FieldKind::Text),
        field("email", FieldKind::Email),
        field("phone", FieldKind::Phone),
    ];
    let open = [FieldDefinition::new("postal_code", FieldKind::PostalCode, Required::Post, false)];
    Pretence {
        contract: Named::new(ContractId(id()), "TEST"),
        campaign: Named::new(CampaignId(id()), "TEST"),
        buyer,
        vertical: "test".to_owned(),
        country: "DE".to_owned(),
        price: Money::new(0, Currency::EUR),
        verdict: Verdict::None,
        places: 1,
        fields: (sample(&open, "DE"), sample(&personal, "DE")),
    }
}

impl Pretence {
    fn package(self, id: impl Fn() -> Uuid, now: Timestamp) -> DeliveryPackage {
        let (open, personal) = self.fields;
        let fields = open.into_iter().chain(personal).map(|(key, value)| (key, json!(value))).collect();
        DeliveryPackage {
            delivery_id: DeliveryId(id()),
            sale_id: SaleId(id()),
            lead_id: LeadId(id()),
            campaign: self.campaign,
            contract: self.contract,
            buyer: self.buyer,
            source_subid: None,
            price: self.price,
            sold_at: now,
            received_at: now,
            fields,
            consent: Some(Consent { text: Some("TEST".to_owned()), given_at: Some(now), ..Consent::default() }),
            ping: None,
            test: true,
            callback_url: None,
            attempt: 1,
        }
    }
}
