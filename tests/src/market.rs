//! A small market for tests: one vertical, one campaign, one source, and buyers as a test asks for them.

use leadyard_connectors::fake::Bidding;
use leadyard_entity::model::campaign;
use leadyard_market::finance;
use leadyard_market::setup::{NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup};
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::{
    ComplaintPolicy, ConsentPolicy, DuplicateMatch, DuplicatePolicy, DuplicateScope, Redirects, UnsoldPolicy,
    VerticalTerms,
};
use leadyard_types::{
    AuctionTerms, BuyerId, BuyerTerms, CampaignId, CampaignTerms, Cap, CapPeriod, ComplaintReason, ContractId,
    ContractTerms, CostModel, Currency, DestinationId, DestinationKind, FieldDefinition, FieldKind, Margin, Method,
    Money, Required, SaleMode, SourceId, SourceTerms, Stage, Status, VerticalId,
};
use serde_json::{Value, json};

use crate::{OPERATE, TestApp};

/// What is common to a test's market.
#[derive(Debug, Clone)]
pub struct TestMarket {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The source.
    pub source_id: SourceId,
    /// The source's key.
    pub key: String,
    /// The path of the source's form.
    pub form_key: String,
}

/// How a test's campaign sells.
#[derive(Debug, Clone, Copy)]
pub struct Selling {
    /// To how many.
    pub sale_mode: SaleMode,
    /// By which method.
    pub method: Method,
    /// How long unsold leads are offered again, in minutes.
    pub retry_minutes: u32,
    /// What the supplier is paid.
    pub cost: CostModel,
    /// What holds for an auction.
    pub auction: Option<AuctionTerms>,
    /// What the operator keeps of a price when a supplier is quoted.
    pub margin: Option<Margin>,
}

impl Default for Selling {
    fn default() -> Self {
        let cost = CostModel::PerSoldLead { amount_minor: 500 };
        Self {
            sale_mode: SaleMode::Exclusive,
            method: Method::Waterfall,
            retry_minutes: 0,
            cost,
            auction: None,
            margin: None,
        }
    }
}

/// A cap on the day's sales.
#[must_use]
pub fn daily(count: u32) -> Cap {
    Cap { period: CapPeriod::Day, count: Some(count), amount_minor: None }
}

/// Terms that buy everything at a price.
#[must_use]
pub fn terms(price_minor: i64) -> ContractTerms {
    ContractTerms { unknown_window_minutes: 60, ..ContractTerms::new("main", price_minor) }
}

/// A lead that no check refuses.
#[must_use]
pub fn lead(number: usize) -> Value {
    json!({ "email": format!("person{number}@mail.example.com"), "phone": format!("030 {:07}", 2_000_000 + number), "postal_code": "10115" })
}

impl TestApp {
    /// The use cases of setting up.
    #[must_use]
    pub fn setup(&self) -> Setup {
        Setup::new(self.store(), OPERATE, self.policy.clone())
    }

    /// Makes the market, in Germany, with a vertical that refuses unknown fields.
    pub async fn market(&self, selling: Selling) -> TestMarket {
        self.market_in(selling, "DE", UnknownFields::Refuse).await
    }

    /// Makes a market in a country; one per country.
    pub async fn market_in(&self, selling: Selling, country: &str, unknown_fields: UnknownFields) -> TestMarket {
        let setup = self.setup();
        let name = if country == "DE" { "Test".to_owned() } else { format!("Test {country}") };
        let fields = vec![
            FieldDefinition::new("email", FieldKind::Email, Required::Post, true),
            FieldDefinition::new("phone", FieldKind::Phone, Required::Never, true),
            FieldDefinition::new("postal_code", FieldKind::PostalCode, Required::Post, false),
            FieldDefinition::new("born", FieldKind::Date, Required::Never, true),
            FieldDefinition {
                min: Some(0),
                max: Some(1_000),
                ..FieldDefinition::new("size", FieldKind::Integer, Required::Never, false)
            },
        ];
        let new = NewVertical {
            key: name.to_lowercase().replace(' ', "_"),
            name: name.clone(),
            terms: VerticalTerms { fields, unknown_fields },
        };
        let vertical_id = setup.create_vertical(new).await.unwrap();
        self.campaign(vertical_id, country, [&name, &format!("Supplier of {name}")], selling).await
    }

    /// Makes another campaign beside a market's own, with a supplier of its own.
    pub async fn campaign_beside(&self, market: &TestMarket, name: &str, selling: Selling) -> TestMarket {
        let known = self.store().read(OPERATE).by_id::<campaign::Entity>(market.campaign_id.0).await.unwrap();
        let known = known.unwrap();
        let names = [name, &format!("Supplier of {name}")];
        self.campaign(known.vertical_id.into(), &known.country, names, selling).await
    }

    async fn campaign(
        &self,
        vertical_id: VerticalId,
        country: &str,
        [name, supplier]: [&str; 2],
        selling: Selling,
    ) -> TestMarket {
        let setup = self.setup();
        let terms = CampaignTerms {
            status: Status::Active,
            time_zone: chrono_tz::Tz::Europe__Berlin,
            sale_mode: selling.sale_mode,
            stages: vec![Stage { auction: selling.auction, ..Stage::new("main", selling.method) }],
            split: None,
            floor_minor: 100,
            consent: ConsentPolicy { required: false, max_age_hours: None, purposes: Vec::new() },
            duplicates: DuplicatePolicy {
                fields: vec!["email".into(), "phone".into()],
                matching: DuplicateMatch::Any,
                window_days: 30,
                scope: DuplicateScope::Campaign,
            },
            caps: Vec::new(),
            aged: None,
            unsold: UnsoldPolicy { retry_window_minutes: selling.retry_minutes, retry_every_minutes: 10 },
            margin: selling.margin,
            complaints: ComplaintPolicy {
                window_days: 14,
                reasons: ComplaintReason::ALL.to_vec(),
                clawback: true,
                clawback_days: None,
            },
            quote_holds_seconds: None,
            redirects: Redirects { sold_url: Some("https://thanks.example/sold".into()), other_url: None },
        };
        let new =
            NewCampaign { vertical_id, name: name.into(), country: country.into(), currency: Currency::EUR, terms };
        let campaign_id = setup.create_campaign(new).await.unwrap();
        let supplier_id = setup.create_supplier(supplier, None).await.unwrap();
        let terms = SourceTerms::new(selling.cost);
        let source =
            setup.create_source(NewSource { supplier_id, campaign_id, name: "Source".into(), terms }).await.unwrap();
        let write = self.store().write(OPERATE).await.unwrap();
        let key = write.create_key(source.id, "test").await.unwrap();
        let _ = write.commit().await.unwrap();
        TestMarket { campaign_id, source_id: source.id, key, form_key: source.form_key }
    }

    /// Changes a campaign's terms.
    pub async fn revise_campaign(&self, id: CampaignId, change: impl FnOnce(&mut CampaignTerms)) {
        let row = self.store().read(OPERATE).by_id::<campaign::Entity>(id.0).await.unwrap().unwrap();
        let mut terms = self.app.market.refresh().await.unwrap().campaigns[&id].terms.clone();
        change(&mut terms);
        self.setup().revise_campaign(id, row.version, terms).await.unwrap();
    }

    /// Makes a buyer with so much money and no credit.
    pub async fn buyer(&self, name: &str, money_minor: i64, caps: Vec<Cap>) -> BuyerId {
        let terms = BuyerTerms { status: Status::Active, time_zone: chrono_tz::Tz::Europe__Berlin, group: None, caps };
        let new = NewBuyer { name: name.into(), email: None, terms, wallets: vec![(Currency::EUR, 0)] };
        let id = self.setup().create_buyer(new).await.unwrap();
        if money_minor > 0 {
            let money = Money::new(money_minor, Currency::EUR);
            finance::top_up(self.store(), OPERATE, id, money, name, "test").await.unwrap();
        }
        id
    }

    /// Makes a webhook of a buyer at the test's receiver; the receiver demands the right signature.
    pub async fn webhook(&self, buyer_id: BuyerId, path: &str) -> DestinationId {
        // The longest that is allowed: a busy machine is no slow receiver.
        let config = json!({ "url": self.receiver.url(path), "timeout_ms": 30_000 });
        let new = NewDestination { buyer_id, name: path.into(), kind: DestinationKind::Webhook, config };
        let made = self.setup().create_destination(new).await.unwrap();
        self.receiver.require_signature(path, made.secret.map(Into::into).into_iter().collect());
        made.id
    }

    /// Makes a place at the test's bidder where a buyer is asked; it bids as it is programmed.
    pub async fn asked_at(&self, buyer_id: BuyerId, path: &str, bidding: Bidding) -> DestinationId {
        self.bidder.program(path, bidding);
        let config = json!({ "url": self.bidder.url(path), "preset": "LEADYARD" });
        let new = NewDestination { buyer_id, name: path.into(), kind: DestinationKind::Ping, config };
        self.setup().create_destination(new).await.unwrap().id
    }

    /// Makes a contract.
    pub async fn contract(
        &self,
        campaign_id: CampaignId,
        buyer_id: BuyerId,
        name: &str,
        terms: ContractTerms,
    ) -> ContractId {
        self.setup().create_contract(NewContract { campaign_id, buyer_id, name: name.into(), terms }).await.unwrap()
    }
}
