//! `leadyard example`: makes the market of an example, through the same use cases that everybody uses.

use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use leadyard_connectors::OutboundPolicy;
use leadyard_market::finance;
use leadyard_market::setup::{NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup};
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::{
    ComplaintPolicy, ConsentPolicy, DuplicateMatch, DuplicatePolicy, DuplicateScope, Redirects, UnsoldPolicy,
    VerticalTerms,
};
use leadyard_types::{
    BuyerTerms, CampaignTerms, Cap, CapPeriod, ComplaintReason, ContractTerms, CostModel, Currency, DestinationKind,
    FieldDefinition, FieldKind, FieldValue, Filter, Method, Money, PriceRule, Principal, Required, SaleMode,
    SourceTerms, Stage, Status, SystemTask,
};
use serde_json::json;

use crate::app::open_store;
use crate::config::Config;

const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// The examples there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Example {
    /// 45,211 contacts of a bank (UCI Machine Learning Repository, CC BY 4.0).
    BankMarketing,
}

/// Arguments of `example`.
#[derive(Debug, clap::Args)]
pub(super) struct ExampleArgs {
    /// Which one.
    #[arg(value_enum)]
    example: Example,
}

/// Makes an example's market in an empty database.
pub(super) async fn run(config: &Config, args: &ExampleArgs) -> anyhow::Result<ExitCode> {
    let store = open_store(config).await?;
    if store.read(OPERATE).config_version().await?.config > 0 {
        let shown = crate::app::without_password(&config.database_url);
        bail!("{shown} is not empty; an example wants a database of its own, for example sqlite://example.sqlite");
    }
    let setup = Setup::new(&store, OPERATE, OutboundPolicy::new(config.production));
    match args.example {
        Example::BankMarketing => bank_marketing(&store, &setup).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn bank_marketing(store: &leadyard_entity::Store, setup: &Setup) -> anyhow::Result<()> {
    let terms = VerticalTerms { fields: bank_fields(), unknown_fields: UnknownFields::Refuse };
    let new = NewVertical { key: "term-deposit".into(), name: "Term deposits".into(), terms };
    let vertical_id = setup.create_vertical(new).await?;
    let new = NewCampaign {
        vertical_id,
        name: "Term deposits".into(),
        country: "PT".into(),
        currency: Currency::EUR,
        terms: bank_terms(),
    };
    let campaign_id = setup.create_campaign(new).await?;
    let supplier_id = setup.create_supplier("Bank contacts", None).await?;
    let cost = CostModel::PerSoldLead { amount_minor: 400 };
    let terms = SourceTerms::new(cost);
    setup.create_source(NewSource { supplier_id, campaign_id, name: "bank".into(), terms }).await?;
    for (priority, name, filter, price_minor, cap, money_minor) in bank_buyers() {
        let terms = BuyerTerms {
            status: Status::Active,
            time_zone: chrono_tz::Tz::Europe__Lisbon,
            group: None,
            caps: Vec::new(),
        };
        let new = NewBuyer { name: name.into(), email: None, terms, wallets: vec![(Currency::EUR, 0)] };
        let buyer_id = setup.create_buyer(new).await?;
        let money = Money::new(money_minor, Currency::EUR);
        finance::top_up(store, OPERATE, buyer_id, money, &format!("example:{name}"), "example").await?;
        let new = NewDestination { buyer_id, name: "Portal".into(), kind: DestinationKind::Portal, config: json!({}) };
        let destination = setup.create_destination(new).await?.id;
        let rich = Filter::Range { field: "balance".into(), min: Some(FieldValue::Integer(5_000)), max: None };
        let terms = ContractTerms {
            priority,
            price_rules: vec![PriceRule { name: "large balance".into(), when: rich, price_minor: price_minor * 2 }],
            filter,
            caps: cap
                .map(|count| Cap { period: CapPeriod::Total, count: Some(count), amount_minor: None })
                .into_iter()
                .collect(),
            destinations: vec![destination],
            unknown_window_minutes: 60,
            ..ContractTerms::new("main", price_minor)
        };
        setup.create_contract(NewContract { campaign_id, buyer_id, name: name.into(), terms }).await?;
    }
    Ok(())
}

/// The columns but for `duration`, which is known only after the call, and `y`, which is the outcome.
fn bank_fields() -> Vec<FieldDefinition> {
    let text = |key: &str| FieldDefinition::new(key, FieldKind::Text, Required::Post, false);
    let number = |key: &str, min, max| FieldDefinition {
        min: Some(min),
        max: Some(max),
        ..FieldDefinition::new(key, FieldKind::Integer, Required::Post, false)
    };
    let yes_no = |key: &str| FieldDefinition::new(key, FieldKind::Boolean, Required::Post, false);
    vec![
        // Lenders may not advertise to minors, nor do the example's buyers want people past 90.
        number("age", 18, 90),
        text("job"),
        text("marital"),
        text("education"),
        yes_no("default"),
        number("balance", -100_000, 1_000_000),
        yes_no("housing"),
        yes_no("loan"),
        text("contact"),
        number("day", 1, 31),
        text("month"),
        number("campaign", 1, 100),
        number("pdays", -1, 1_000),
        number("previous", 0, 1_000),
        text("poutcome"),
    ]
}

fn bank_terms() -> CampaignTerms {
    CampaignTerms {
        status: Status::Active,
        time_zone: chrono_tz::Tz::Europe__Lisbon,
        sale_mode: SaleMode::Exclusive,
        stages: vec![Stage::new("main", Method::Waterfall)],
        split: None,
        floor_minor: 300,
        consent: ConsentPolicy { required: true, max_age_hours: None, purposes: vec!["contact_by_phone".into()] },
        duplicates: DuplicatePolicy {
            fields: Vec::new(),
            matching: DuplicateMatch::All,
            window_days: 0,
            scope: DuplicateScope::Campaign,
        },
        caps: Vec::new(),
        aged: None,
        unsold: UnsoldPolicy { retry_window_minutes: 0, retry_every_minutes: 0 },
        margin: None,
        complaints: ComplaintPolicy {
            window_days: 14,
            reasons: ComplaintReason::ALL.to_vec(),
            clawback: true,
            clawback_days: None,
        },
        quote_holds_seconds: None,
        redirects: Redirects::default(),
    }
}

type BankBuyer = (u32, &'static str, Option<Filter>, i64, Option<u32>, i64);

fn bank_buyers() -> Vec<BankBuyer> {
    let is = |field: &str, value: FieldValue| Filter::Equals { field: field.into(), value };
    let one_of = |field: &str, values: &[&str]| Filter::In {
        field: field.into(),
        values: values.iter().map(|value| FieldValue::text(value)).collect(),
    };
    let no_loan =
        Filter::All { of: vec![is("loan", FieldValue::Boolean(false)), is("default", FieldValue::Boolean(false))] };
    let between = |min, max| Filter::Range {
        field: "age".into(),
        min: Some(FieldValue::Integer(min)),
        max: Some(FieldValue::Integer(max)),
    };
    vec![
        (
            1,
            "Private Wealth",
            Some(one_of("job", &["management", "entrepreneur", "self-employed"])),
            1_800,
            Some(6_000),
            100_000_000,
        ),
        (2, "Retirement Plus", Some(between(55, 90)), 1_400, None, 100_000_000),
        (3, "Young Savers", Some(between(18, 32)), 900, None, 3_000_000),
        (4, "Clean Slate", Some(no_loan), 700, Some(12_000), 100_000_000),
    ]
}
