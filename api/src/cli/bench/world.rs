//! The market that is measured, and the leads that are sent into it.

use chrono_tz::Tz;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::Store;
use leadyard_market::setup::{NewBuyer, NewCampaign, NewContract, NewDestination, NewSource, NewVertical, Setup};
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::{
    ComplaintPolicy, ConsentPolicy, DuplicateMatch, DuplicatePolicy, DuplicateScope, Redirects, UnsoldPolicy,
    VerticalTerms,
};
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, Cap, CapPeriod, Clock, ComplaintReason, ContractTerms, CostModel,
    Currency, DestinationId, DestinationKind, Door, FieldDefinition, FieldKind, FieldValue, Filter, LeadDraft, Method,
    Percent, PriceRule, Principal, Required, SaleMode, SourceId, SourceTerms, Stage, Status, SystemClock, SystemTask,
};
use serde_json::{Value, json};

use crate::demo::people::Dice;

const OPERATE: Principal = Principal::System(SystemTask::Operate);
/// So many contracts a buyer has.
const CONTRACTS_PER_BUYER: usize = 10;
/// What every buyer may owe, minor units: nobody runs dry while being measured.
const CREDIT_MINOR: i64 = 1_000_000_000_000;
/// So many leads have telephone numbers of their own.
pub(super) const PHONES: u64 = 8_000_000;
/// How many contracts are made in one transaction.
const CHUNK: usize = 1_000;

/// Makes the market; answers its source and the key that leads are sent with. `made` hears how many contracts there are.
pub(super) async fn make(store: &Store, contracts: usize, made: impl Fn(usize)) -> anyhow::Result<(SourceId, String)> {
    let setup = Setup::new(store, OPERATE, OutboundPolicy::new(false));
    let campaign_id = campaign(&setup, Stage::new("main", Method::Waterfall)).await?;
    let mut dice = Dice::new(17);
    let mut buyers = Vec::new();
    for number in 0..contracts.div_ceil(CONTRACTS_PER_BUYER) {
        buyers.push(buyer(&setup, number).await?);
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    for number in 0..contracts {
        let (buyer_id, destination) = buyers[number / CONTRACTS_PER_BUYER];
        // The last takes every lead that nobody else wants.
        let filter = (number + 1 < contracts).then(|| filter(&mut dice));
        let terms = terms(&mut dice, filter, destination);
        chunk.push(NewContract { campaign_id, buyer_id, name: format!("contract {number}"), terms });
        if chunk.len() == CHUNK || number + 1 == contracts {
            setup.create_contracts(std::mem::take(&mut chunk)).await?;
            made(number + 1);
        }
    }
    source(store, &setup, campaign_id).await
}

/// A campaign of one stage, in a vertical of its own.
pub(super) async fn campaign(setup: &Setup, stage: Stage) -> anyhow::Result<CampaignId> {
    let person = |key, kind| FieldDefinition::new(key, kind, Required::Post, true);
    let fact = |key, kind| FieldDefinition::new(key, kind, Required::Post, false);
    let fields = vec![
        person("first_name", FieldKind::Text),
        person("last_name", FieldKind::Text),
        person("email", FieldKind::Email),
        person("phone", FieldKind::Phone),
        fact("postal_code", FieldKind::PostalCode),
        fact("state", FieldKind::State),
        fact("roof", FieldKind::Text),
        fact("owner", FieldKind::Boolean),
        fact("kwp", FieldKind::Integer),
    ];
    let terms = VerticalTerms { fields, unknown_fields: UnknownFields::Refuse };
    let vertical_id = setup.create_vertical(NewVertical { key: "bench".into(), name: "Bench".into(), terms }).await?;
    let terms = campaign_terms(stage);
    let new = NewCampaign { vertical_id, name: "Bench".into(), country: "DE".into(), currency: Currency::EUR, terms };
    Ok(setup.create_campaign(new).await?)
}

/// A campaign of one stage that sells to one buyer, asks for consent and knows whom it has already.
pub(super) fn campaign_terms(stage: Stage) -> CampaignTerms {
    CampaignTerms {
        status: Status::Active,
        time_zone: Tz::Europe__Berlin,
        sale_mode: SaleMode::Exclusive,
        stages: vec![stage],
        split: None,
        floor_minor: 300,
        consent: ConsentPolicy { required: true, max_age_hours: Some(72), purposes: vec!["contact_by_phone".into()] },
        duplicates: DuplicatePolicy {
            fields: vec!["email".into(), "phone".into()],
            matching: DuplicateMatch::Any,
            window_days: 30,
            scope: DuplicateScope::Campaign,
        },
        caps: Vec::new(),
        aged: None,
        unsold: UnsoldPolicy { retry_window_minutes: 0, retry_every_minutes: 10 },
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

/// A buyer with credit and a portal.
pub(super) async fn buyer(setup: &Setup, number: usize) -> anyhow::Result<(BuyerId, DestinationId)> {
    let terms = BuyerTerms { status: Status::Active, time_zone: Tz::Europe__Berlin, group: None, caps: Vec::new() };
    let wallets = vec![(Currency::EUR, CREDIT_MINOR)];
    let buyer_id =
        setup.create_buyer(NewBuyer { name: format!("buyer {number}"), email: None, terms, wallets }).await?;
    // A portal: nothing leaves this machine.
    let new = NewDestination { buyer_id, name: "Portal".into(), kind: DestinationKind::Portal, config: json!({}) };
    Ok((buyer_id, setup.create_destination(new).await?.id))
}

/// A source with a key.
pub(super) async fn source(
    store: &Store,
    setup: &Setup,
    campaign_id: CampaignId,
) -> anyhow::Result<(SourceId, String)> {
    let supplier_id = setup.create_supplier("Bench Media", None).await?;
    let cost = CostModel::RevenueShare { percent: Percent(60.into()) };
    let terms = SourceTerms::new(cost);
    let made = setup.create_source(NewSource { supplier_id, campaign_id, name: "Bench".into(), terms }).await?;
    let write = store.write(OPERATE).await?;
    let key = write.create_key(made.id, "bench").await?;
    let _ = write.commit().await?;
    Ok((made.id, key))
}

/// A contract with a price, an exception from it, and a cap on the day's sales that is always asked.
pub(super) fn terms(dice: &mut Dice, filter: Option<Filter>, destination: DestinationId) -> ContractTerms {
    let price_minor = 1_000 + small(dice, 4_000);
    let large = PriceRule { name: "large".into(), when: at_least("kwp", 15), price_minor: price_minor + 500 };
    ContractTerms {
        priority: if filter.is_none() { 99 } else { 1 + u32::try_from(dice.below(5)).unwrap_or_default() },
        price_rules: vec![large],
        filter,
        caps: vec![Cap { period: CapPeriod::Day, count: Some(1_000_000), amount_minor: None }],
        destinations: vec![destination],
        unknown_window_minutes: 60,
        ..ContractTerms::new("main", price_minor)
    }
}

const STATES: [&str; 16] =
    ["BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH", "TH"];
const ROOFS: [&str; 4] = ["pitched", "flat", "shed", "other"];

/// What a local buyer wants: an area, and often something of the house. Of ten thousand such contracts a dozen or two fit
/// a lead.
fn filter(dice: &mut Dice) -> Filter {
    let mut of = vec![area(dice)];
    if dice.percent(60) {
        let values = (0..1 + dice.below(2)).map(|_| FieldValue::text(dice.pick::<&str>(&ROOFS))).collect();
        of.push(Filter::In { field: "roof".into(), values });
    }
    if dice.percent(50) {
        of.push(Filter::Equals { field: "owner".into(), value: FieldValue::Boolean(true) });
    }
    if dice.percent(50) {
        of.push(at_least("kwp", small(dice, 12)));
    }
    if dice.percent(20) {
        of.push(Filter::ConsentAge { max_hours: 48 });
    }
    Filter::All { of }
}

fn area(dice: &mut Dice) -> Filter {
    match dice.below(100) {
        0..60 => {
            let prefixes = (0..1 + dice.below(6)).map(|_| format!("{:03}", 10 + dice.below(980))).collect();
            Filter::PostalPrefixes { prefixes }
        }
        60..85 => {
            let from = 1_000 + dice.below(97_000);
            Filter::PostalRange { from: format!("{from:05}"), to: format!("{:05}", from + dice.below(1_000)) }
        }
        85..98 => Filter::PostalCodes { codes: (0..1 + dice.below(60)).map(|_| code(dice)).collect() },
        _ => Filter::States { states: vec![(*dice.pick(&STATES)).to_owned()] },
    }
}

fn code(dice: &mut Dice) -> String {
    format!("{:05}", 1_000 + dice.below(98_000))
}

fn at_least(field: &str, min: i64) -> Filter {
    Filter::Range { field: field.into(), min: Some(FieldValue::Integer(min)), max: None }
}

fn small(dice: &mut Dice, end: u64) -> i64 {
    i64::try_from(dice.below(end)).unwrap_or_default()
}

/// A lead that no other has the number of.
pub(super) fn first_lead(source_id: SourceId) -> anyhow::Result<LeadDraft> {
    draft(source_id, PHONES - 1, &SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// A lead of somebody new, as a draft.
pub(super) fn draft(source_id: SourceId, number: u64, now: &str) -> anyhow::Result<LeadDraft> {
    let sent: Value = serde_json::from_slice(&lead(number, now))?;
    Ok(LeadDraft {
        source_id,
        door: Door::Rest,
        fields: serde_json::from_value(sent["fields"].clone())?,
        consent: serde_json::from_value(sent["consent"].clone())?,
        problems: Vec::new(),
        subid: None,
        external_id: None,
        idempotency_key: None,
        enquired_at: None,
    })
}

/// The body of a lead of somebody new, as a supplier sends it.
pub(super) fn lead(number: u64, now: &str) -> Vec<u8> {
    let mut dice = Dice::new(number.wrapping_mul(7_919));
    let fields = json!({
        "first_name": *dice.pick(&["Anna", "Ben", "Clara", "David", "Emma", "Felix"]),
        "last_name": *dice.pick(&["Müller", "Schmidt", "Schneider", "Fischer", "Weber"]),
        "email": format!("person.{number}@mail.example.com"),
        "phone": format!("030 {:07}", 2_000_000 + number % PHONES),
        "postal_code": code(&mut dice),
        "state": *dice.pick(&STATES),
        "roof": *dice.pick(&ROOFS),
        "owner": dice.percent(67),
        "kwp": dice.below(20),
    });
    let consent = json!({
        "text": "I agree to be contacted by telephone about my enquiry.",
        "text_version": "2026-01",
        "given_at": now,
        "purposes": ["contact_by_phone"],
    });
    json!({ "fields": fields, "subid": format!("ad-{}", dice.below(6)), "consent": consent }).to_string().into_bytes()
}
