//! The demo's market: three verticals, twelve buyers with different terms, six sources of different quality.

use chrono::Weekday;
use chrono_tz::Tz;
use leadyard_connectors::OutboundPolicy;
use leadyard_connectors::fake::{Behaviour, FakeReceiver};
use leadyard_entity::Store;
use leadyard_market::finance;
use leadyard_market::setup::{NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup};
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::{
    ComplaintPolicy, ConsentPolicy, DuplicateMatch, DuplicatePolicy, DuplicateScope, Redirects, UnsoldPolicy,
    VerticalTerms, Window,
};
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, Cap, CapPeriod, ComplaintReason, ContractTerms, CostModel,
    Currency, DestinationKind, FieldDefinition, FieldKind, FieldValue, Filter, Method, Money, Percent, PriceRule,
    Principal, Required, SaleMode, Schedule, SourceId, SourceTerms, Stage, Status, SystemTask, Verdict,
};
use serde_json::json;

use super::people::{Quality, Topic};

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// A source of the demo, ready to send.
#[derive(Debug, Clone)]
pub struct DemoSource {
    /// The source.
    pub id: SourceId,
    /// Its key.
    pub key: String,
    /// The path of its web form.
    pub form_key: String,
    /// What it sends.
    pub topic: Topic,
    /// How good it is.
    pub quality: Quality,
}

/// The demo's market.
#[derive(Debug)]
pub struct DemoMarket {
    /// Its sources.
    pub sources: Vec<DemoSource>,
    /// A buyer with a portal login.
    pub buyer: BuyerId,
}

/// What a demo buyer wants.
struct Wish {
    name: &'static str,
    price_minor: i64,
    priority: u32,
    weight: u32,
    top_up_minor: i64,
    credit_minor: i64,
    filter: Option<Filter>,
    caps: Vec<Cap>,
    schedule: Option<Schedule>,
    rules: Vec<PriceRule>,
    answers: Option<Behaviour>,
    portal: bool,
}

fn wish(name: &'static str, price_minor: i64) -> Wish {
    Wish {
        name,
        price_minor,
        priority: 1,
        weight: 1,
        top_up_minor: 2_000_000,
        credit_minor: 0,
        filter: None,
        caps: Vec::new(),
        schedule: None,
        rules: Vec::new(),
        answers: None,
        portal: false,
    }
}

/// Makes the market through the same use cases that everybody uses.
pub async fn make(store: &Store, policy: OutboundPolicy, receiver: &FakeReceiver) -> anyhow::Result<DemoMarket> {
    let maker = Maker { store, setup: Setup::new(store, OPERATE, policy), receiver };
    let solar =
        maker.campaign("demo-solar", "Solar Germany", Currency::EUR, "DE", Tz::Europe__Berlin, solar_fields()).await?;
    let health = maker
        .campaign(
            "demo-insurance",
            "Health insurance Germany",
            Currency::EUR,
            "DE",
            Tz::Europe__Berlin,
            insurance_fields(),
        )
        .await?;
    let legal = maker
        .campaign("demo-legal", "Personal injury US", Currency::USD, "US", Tz::America__New_York, legal_fields())
        .await?;
    let mut buyer = None;
    for (campaign, zone, currency, wishes) in [
        (solar, Tz::Europe__Berlin, Currency::EUR, solar_wishes()),
        (health, Tz::Europe__Berlin, Currency::EUR, insurance_wishes()),
        (legal, Tz::America__New_York, Currency::USD, legal_wishes()),
    ] {
        for wish in wishes {
            let made = maker.buyer(campaign, zone, currency, wish).await?;
            buyer.get_or_insert(made);
        }
    }
    let good = Quality { broken: 2, no_consent: 1, repeated: 2 };
    let poor = Quality { broken: 14, no_consent: 6, repeated: 12 };
    let mut sources = Vec::new();
    for (campaign, topic, name, cost, quality) in [
        (solar, Topic::Solar, "SunSearch", CostModel::RevenueShare { percent: Percent(60.into()) }, good),
        (solar, Topic::Solar, "CheapClicks", CostModel::PerLead { amount_minor: 450 }, poor),
        (health, Topic::Insurance, "HealthCompare", CostModel::PerSoldLead { amount_minor: 1_400 }, good),
        (health, Topic::Insurance, "QuizFunnel", CostModel::PerLead { amount_minor: 300 }, poor),
        (legal, Topic::Legal, "InjuryHelp", CostModel::RevenueShare { percent: Percent(55.into()) }, good),
        (legal, Topic::Legal, "OldAds", CostModel::AdSpend, poor),
    ] {
        sources.push(maker.source(campaign, topic, name, cost, quality).await?);
    }
    Ok(DemoMarket { sources, buyer: buyer.ok_or_else(|| anyhow::anyhow!("the demo has no buyer"))? })
}

struct Maker<'a> {
    store: &'a Store,
    setup: Setup,
    receiver: &'a FakeReceiver,
}

impl Maker<'_> {
    async fn campaign(
        &self,
        key: &str,
        name: &str,
        currency: Currency,
        country: &str,
        time_zone: Tz,
        own: Vec<FieldDefinition>,
    ) -> anyhow::Result<CampaignId> {
        let terms = VerticalTerms { fields: [person_fields(), own].concat(), unknown_fields: UnknownFields::Keep };
        let vertical_id = self.setup.create_vertical(NewVertical { key: key.into(), name: name.into(), terms }).await?;
        let (sale_mode, method, retry_window_minutes) = match key {
            "demo-solar" => (SaleMode::Shared { max: 3 }, Method::Weighted, 0),
            "demo-insurance" => (SaleMode::Exclusive, Method::Waterfall, 120),
            _ => (SaleMode::Exclusive, Method::RoundRobin, 0),
        };
        let terms = CampaignTerms {
            status: Status::Active,
            time_zone,
            sale_mode,
            stages: vec![Stage::new("main", method), Stage::new("rest", Method::Waterfall)],
            split: None,
            floor_minor: 300,
            consent: ConsentPolicy {
                required: true,
                max_age_hours: Some(72),
                purposes: vec!["contact_by_phone".into()],
            },
            duplicates: DuplicatePolicy {
                fields: vec!["email".into(), "phone".into()],
                matching: DuplicateMatch::Any,
                window_days: 30,
                scope: DuplicateScope::Campaign,
            },
            caps: Vec::new(),
            aged: None,
            unsold: UnsoldPolicy { retry_window_minutes, retry_every_minutes: 30 },
            margin: None,
            complaints: ComplaintPolicy {
                window_days: 14,
                reasons: ComplaintReason::ALL.to_vec(),
                clawback: true,
                clawback_days: None,
            },
            quote_holds_seconds: None,
            redirects: Redirects::default(),
        };
        let new = NewCampaign { vertical_id, name: name.into(), country: country.into(), currency, terms };
        Ok(self.setup.create_campaign(new).await?)
    }

    async fn buyer(
        &self,
        campaign_id: CampaignId,
        time_zone: Tz,
        currency: Currency,
        wish: Wish,
    ) -> anyhow::Result<BuyerId> {
        let new = NewBuyer {
            name: wish.name.into(),
            email: None,
            terms: BuyerTerms { status: Status::Active, time_zone, group: None, caps: Vec::new() },
            wallets: vec![(currency, wish.credit_minor)],
        };
        let buyer_id = self.setup.create_buyer(new).await?;
        if wish.top_up_minor > 0 {
            let money = Money::new(wish.top_up_minor, currency);
            finance::top_up(self.store, OPERATE, buyer_id, money, &format!("demo:{}", wish.name), "first top-up")
                .await?;
        }
        let path = format!("/{}", wish.name.to_lowercase().replace(' ', "-"));
        let (kind, config) = if wish.portal {
            (DestinationKind::Portal, json!({}))
        } else {
            (DestinationKind::Webhook, json!({ "url": self.receiver.url(&path) }))
        };
        let made = self.setup.create_destination(NewDestination { buyer_id, name: "CRM".into(), kind, config }).await?;
        if let Some(secret) = made.secret {
            self.receiver.require_signature(&path, vec![secret.into()]);
        }
        let verdict = if wish.answers.is_some() { Verdict::Sync } else { Verdict::None };
        if let Some(behaviour) = wish.answers {
            self.receiver.program(&path, behaviour);
        }
        let terms = ContractTerms {
            priority: wish.priority,
            weight: wish.weight,
            price_rules: wish.rules,
            filter: wish.filter,
            caps: wish.caps,
            schedule: wish.schedule,
            verdict,
            destinations: vec![made.id],
            credit_frees_cap: true,
            ..ContractTerms::new(if wish.priority > 90 { "rest" } else { "main" }, wish.price_minor)
        };
        let name = format!("{} standard", wish.name);
        self.setup.create_contract(NewContract { campaign_id, buyer_id, name, terms }).await?;
        Ok(buyer_id)
    }

    async fn source(
        &self,
        campaign_id: CampaignId,
        topic: Topic,
        name: &str,
        cost: CostModel,
        quality: Quality,
    ) -> anyhow::Result<DemoSource> {
        let supplier_id = self.setup.create_supplier(&format!("{name} Media"), None).await?;
        let terms = SourceTerms::new(cost);
        let made = self.setup.create_source(NewSource { supplier_id, campaign_id, name: name.into(), terms }).await?;
        let write = self.store.write(OPERATE).await?;
        let key = write.create_key(made.id, "demo").await?;
        let _ = write.commit().await?;
        Ok(DemoSource { id: made.id, key, form_key: made.form_key, topic, quality })
    }
}

fn person_fields() -> Vec<FieldDefinition> {
    use FieldKind::{Email, Phone, PostalCode, State, Text};
    vec![
        FieldDefinition::new("first_name", Text, Required::Post, true),
        FieldDefinition::new("last_name", Text, Required::Post, true),
        FieldDefinition::new("email", Email, Required::Post, true),
        FieldDefinition::new("phone", Phone, Required::Post, true),
        FieldDefinition::new("postal_code", PostalCode, Required::Ping, false),
        FieldDefinition::new("state", State, Required::Never, false),
    ]
}

fn choice(key: &str, allowed: &[&str]) -> FieldDefinition {
    let allowed = allowed.iter().map(|value| (*value).to_owned()).collect();
    FieldDefinition { allowed, ..FieldDefinition::new(key, FieldKind::Text, Required::Post, false) }
}

fn number(key: &str, min: i64, max: i64) -> FieldDefinition {
    FieldDefinition {
        min: Some(min),
        max: Some(max),
        ..FieldDefinition::new(key, FieldKind::Integer, Required::Post, false)
    }
}

fn solar_fields() -> Vec<FieldDefinition> {
    let owner = FieldDefinition::new("owner", FieldKind::Boolean, Required::Post, false);
    vec![choice("roof", &["pitched", "flat"]), owner, number("monthly_bill_eur", 0, 5_000)]
}

fn insurance_fields() -> Vec<FieldDefinition> {
    vec![number("age", 18, 110), choice("employment", &["employed", "self-employed", "civil servant"])]
}

fn legal_fields() -> Vec<FieldDefinition> {
    vec![choice("case", &["car accident", "work accident", "medical"]), number("months_ago", 0, 240)]
}

fn states(states: &[&str]) -> Filter {
    Filter::States { states: states.iter().map(|state| (*state).to_owned()).collect() }
}

fn daily(count: u32) -> Vec<Cap> {
    vec![Cap { period: CapPeriod::Day, count: Some(count), amount_minor: None }]
}

fn at_least(field: &str, min: i64) -> Filter {
    Filter::Range { field: field.into(), min: Some(FieldValue::Integer(min)), max: None }
}

fn office_hours(time_zone: Tz) -> Schedule {
    let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    let windows = days.map(|weekday| Window { weekday, from_minute: 8 * 60, to_minute: 18 * 60 }).to_vec();
    Schedule { time_zone, windows }
}

fn solar_wishes() -> Vec<Wish> {
    let owners = Filter::Equals { field: "owner".into(), value: FieldValue::Boolean(true) };
    let big = PriceRule { name: "large bill".into(), when: at_least("monthly_bill_eur", 200), price_minor: 3_900 };
    vec![
        Wish { weight: 5, filter: Some(owners.clone()), rules: vec![big], ..wish("Sonnendach", 2_900) },
        Wish { weight: 3, filter: Some(states(&["BE", "BB", "SN"])), ..wish("Ostsolar", 2_600) },
        Wish { weight: 2, caps: daily(40), ..wish("Hanse Solar", 2_400) },
        Wish { top_up_minor: 60_000, portal: true, ..wish("Dachwerk", 2_200) },
        Wish { priority: 99, ..wish("Restposten Energie", 900) },
    ]
}

fn insurance_wishes() -> Vec<Wish> {
    let self_employed = Filter::Equals { field: "employment".into(), value: FieldValue::text("self-employed") };
    let refuses = Behaviour::Reject { reason: "already a customer".into() };
    vec![
        Wish {
            filter: Some(self_employed),
            answers: Some(Behaviour::Accept),
            caps: daily(60),
            ..wish("Privatmakler", 5_500)
        },
        Wish { priority: 2, answers: Some(refuses), caps: daily(30), ..wish("Kritische Kasse", 4_200) },
        Wish { priority: 3, schedule: Some(office_hours(Tz::Europe__Berlin)), ..wish("Tagesmakler", 3_600) },
        Wish { priority: 4, top_up_minor: 0, credit_minor: 150_000, ..wish("Kreditmakler", 2_500) },
    ]
}

fn legal_wishes() -> Vec<Wish> {
    let recent = Filter::Range { field: "months_ago".into(), min: None, max: Some(FieldValue::Integer(18)) };
    vec![
        Wish { filter: Some(recent), ..wish("Smith Injury Law", 9_500) },
        Wish { filter: Some(states(&["CA", "WA", "TX"])), ..wish("Westcoast Attorneys", 8_800) },
        Wish {
            caps: vec![Cap { period: CapPeriod::Week, count: None, amount_minor: Some(400_000) }],
            ..wish("Budget Legal", 7_000)
        },
    ]
}
