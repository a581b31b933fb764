//! Two parties of every kind in one market: two buyers, two suppliers, campaigns of their own and one they share. Every
//! text of each carries a mark of its own.

use std::collections::BTreeMap;

use leadyard_connectors::LeadSender;
use leadyard_entity::Engine;
use leadyard_entity::auth::{NewUser, NewUserKey};
use leadyard_market::finance;
use leadyard_market::setup::{NewBuyer, NewSource};
use leadyard_market::suppression::Suppressing;
use leadyard_tests::market::{Selling, TestMarket, terms};
use leadyard_tests::{OPERATE, TestApp};
use leadyard_types::field::UnknownFields;
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CostModel, Currency, FieldValue, Filter, KeyScope, Money, PriceRule, Role,
    SaleMode, SourceTerms, Status, SupplierId, UserId,
};
use serde_json::{Value, json};

use crate::judge::Judge;
use crate::nouns::{Nouns, Whose};

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) whose: Whose,
    pub(crate) client: LeadSender,
    pub(crate) judge: Judge,
    /// Ids the caller sees, by noun.
    pub(crate) own: BTreeMap<String, Vec<String>>,
    /// Ids it does not.
    pub(crate) foreign: BTreeMap<String, Vec<String>>,
}

impl Caller {
    /// Asks, and answers with the body as it was sent.
    pub(crate) async fn ask(&self, text: &str, variables: &Value) -> String {
        let body = json!({ "query": text, "variables": variables }).to_string().into_bytes();
        let answer = self.client.post("/graphql", "application/json", vec![], body).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}: {text} {variables}", self.name));
        String::from_utf8(answer.body.clone()).unwrap()
    }
}

/// A buyer with what it has.
struct Party {
    buyer: BuyerId,
    supplier: SupplierId,
    market: TestMarket,
}

/// The market with everybody in it.
pub(crate) struct World {
    pub(crate) callers: Vec<Caller>,
}

impl World {
    /// Sets everything up and lets it happen; then the workers rest, so that nothing writes but who asks.
    pub(crate) async fn make(app: &mut TestApp) -> Self {
        let selling = Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() };
        let shared = app.market(selling).await;
        let dear = Selling { cost: CostModel::PerSoldLead { amount_minor: 3_331 }, ..selling };
        let near = app.campaign_beside(&shared, "mkcampaigna", selling).await;
        let far = app.market_in(dear, "AT", UnknownFields::Refuse).await;
        let a = party(app, near, shared.campaign_id, 'a', (4_100, Some((0, 100)))).await;
        let b = party(app, far, shared.campaign_id, 'b', (7_777, Some((100, 900)))).await;
        source(app, a.supplier, shared.campaign_id, "mksecondsourcea").await;
        let key_a = source(app, a.supplier, shared.campaign_id, "mkthirdsourcea").await;
        let key_b = source(app, b.supplier, shared.campaign_id, "mksourceb").await;
        for (number, key, postal_code, size) in [
            (1, &a.market.key, "10115", 51),
            (2, &b.market.key, "1010", 503),
            (3, &key_b, "10117", 100),
            (4, &key_a, "80331", 507),
            (5, &a.market.key, "10119", 61),
            (6, &b.market.key, "1020", 511),
        ] {
            app.clock.advance(chrono::Duration::seconds(1));
            let sent = app.client(key).send_json("/v1/leads", &lead(number, postal_code, size), None).await.unwrap();
            assert_eq!(sent.1["status"], "sold", "lead {number}: {}", sent.1);
        }
        app.idle().await;
        let people = people(app, &a, &b).await;
        complaints(&people).await;
        invitations(&people).await;
        app.idle().await;
        app.rest().await;
        for letter in ['a', 'b'] {
            records(app, letter).await;
        }

        let nouns = Nouns::read(app).await;
        let mut callers = Vec::new();
        let source = Whose { source: Some(a.market.source_id.0), ..Whose::default() };
        callers.push(caller(&nouns, "anonymous", Whose::default(), app.client("")).await);
        callers.push(caller(&nouns, "source", source, app.client(&a.market.key)).await);
        for (name, whose, client) in people {
            callers.push(caller(&nouns, name, whose, client).await);
        }
        Self { callers }
    }

    pub(crate) fn caller(&self, name: &str) -> &Caller {
        self.callers.iter().find(|caller| caller.name == name).unwrap()
    }
}

async fn caller(nouns: &Nouns<'_>, name: &'static str, whose: Whose, client: LeadSender) -> Caller {
    let (own, foreign, judge) = nouns.seen_by(name, whose).await;
    Caller { name, whose, client, judge, own, foreign }
}

/// A buyer and a supplier, each with all that belongs to them.
async fn party(
    app: &TestApp,
    market: TestMarket,
    shared: CampaignId,
    letter: char,
    (price, sizes): (i64, Option<(i64, i64)>),
) -> Party {
    let group = app.setup().create_buyer_group(&format!("mkgroup{letter}")).await.unwrap();
    let terms_of = BuyerTerms {
        status: Status::Active,
        time_zone: chrono_tz::Tz::Europe__Berlin,
        group: Some(group),
        caps: Vec::new(),
    };
    let new = NewBuyer {
        name: format!("mkbuyer{letter}"),
        email: Some(format!("mkbuyer{letter}@mail.example")),
        terms: terms_of,
        wallets: vec![(Currency::EUR, 0)],
    };
    let buyer = app.setup().create_buyer(new).await.unwrap();
    let (money, memo) = (Money::new(1_000_000, Currency::EUR), format!("mkmemo{letter}"));
    finance::top_up(app.store(), OPERATE, buyer, money, &memo, &memo).await.unwrap();
    let hook = app.webhook(buyer, &format!("/mkhook{letter}")).await;
    for (campaign, name, sizes) in [(market.campaign_id, "own", None), (shared, "shared", sizes)] {
        let mut agreed = terms(price);
        agreed.destinations = vec![hook];
        agreed.filter = sizes.map(|(min, max)| Filter::Range {
            field: "size".into(),
            min: Some(FieldValue::Integer(min)),
            max: Some(FieldValue::Integer(max)),
        });
        let when = Filter::Range { field: "size".into(), min: Some(FieldValue::Integer(990)), max: None };
        agreed.price_rules = vec![PriceRule { name: format!("mkrule{letter}"), when, price_minor: price + 1 }];
        app.contract(campaign, buyer, &format!("mkcontract{letter} {name}"), agreed).await;
    }
    let supplier = app.app.market.refresh().await.unwrap().sources[&market.source_id].supplier_id;
    Party { buyer, supplier, market }
}

async fn source(app: &TestApp, supplier_id: SupplierId, campaign_id: CampaignId, name: &str) -> String {
    let terms = SourceTerms::new(CostModel::PerSoldLead { amount_minor: 3_331 });
    let new = NewSource { supplier_id, campaign_id, name: name.into(), terms };
    let made = app.setup().create_source(new).await.unwrap();
    let write = app.store().write(OPERATE).await.unwrap();
    let key = write.create_key(made.id, name).await.unwrap();
    let _ = write.commit().await.unwrap();
    key
}

fn lead(number: usize, postal_code: &str, size: i64) -> Value {
    json!({
        "email": format!("mkperson{number}x@mail.example.com"),
        "phone": if postal_code.len() == 5 { format!("030 {}", 2_000_000 + number) } else { format!("+43 1 {}", 2_000_000 + number) },
        "postal_code": postal_code,
        "size": size,
        "subid": format!("mksubid{number}x"),
        "external_id": format!("mkexternal{number}x"),
        "consent": { "text": format!("I am mkperson{number}x"), "purposes": ["call"], "ip": "192.0.2.7",
            "page_url": format!("https://mkpage{number}x.example/") },
    })
}

/// Everybody who signs in.
async fn people(app: &TestApp, a: &Party, b: &Party) -> Vec<(&'static str, Whose, LeadSender)> {
    let mut people = Vec::new();
    for (name, role, buyer, supplier) in [
        ("admin", Role::Admin, None, None),
        ("manager", Role::Manager, None, None),
        ("finance", Role::Finance, None, None),
        ("analyst", Role::Analyst, None, None),
        ("buyer_admin", Role::BuyerAdmin, Some(a.buyer), None),
        ("buyer_user", Role::BuyerUser, Some(a.buyer), None),
        ("supplier", Role::Supplier, None, Some(a.supplier)),
        ("other buyer_admin", Role::BuyerAdmin, Some(b.buyer), None),
        ("other supplier", Role::Supplier, None, Some(b.supplier)),
    ] {
        let mark = match (name.starts_with("other"), buyer.is_some() || supplier.is_some()) {
            (true, _) => "mkuserb",
            (false, true) => "mkusera",
            (false, false) => "mkstaff",
        };
        let email = format!("{mark}.{}@people.example", name.replace(' ', "."));
        let password = PASSWORD.to_owned();
        let new = NewUser {
            email: email.clone(),
            name: email.clone(),
            role,
            buyer_id: buyer,
            supplier_id: supplier,
            password,
        };
        let write = app.store().write(OPERATE).await.unwrap();
        write.create_user(new).await.unwrap();
        let _ = write.commit().await.unwrap();
        let session = app.store().sign_in(&email, PASSWORD).await.unwrap().unwrap();
        key(app, session.principal.user_id().unwrap(), &email).await;
        let user = session.principal.user_id().map(|user| user.0);
        let whose = Whose { buyer: buyer.map(|id| id.0), supplier: supplier.map(|id| id.0), source: None, user };
        people.push((name, whose, app.client("").with_api_key(session.token.into())));
    }
    people
}

/// A user's key, which nobody sees but who administers them.
async fn key(app: &TestApp, user: UserId, label: &str) {
    let write = app.store().write(OPERATE).await.unwrap();
    let scopes = KeyScope::Leads.into();
    write.add_user_key(&NewUserKey { user, label: label.to_owned(), scopes, expires_at: None }).await.unwrap();
    let _ = write.commit().await.unwrap();
}

/// Both buyers' administrators invite somebody.
async fn invitations(people: &[(&'static str, Whose, LeadSender)]) {
    let invite = "mutation($input: UserInviteInput!) { userInvite(input: $input) { userErrors { message } } }";
    for (name, mark) in [("buyer_admin", "mkusera"), ("other buyer_admin", "mkuserb")] {
        let (_, whose, client) = people.iter().find(|(known, _, _)| *known == name).unwrap();
        let buyer = format!("Buyer:{}", whose.buyer.unwrap());
        let input =
            json!({ "email": format!("{mark}.invited@people.example"), "role": "BUYER_USER", "buyerId": buyer });
        let (_, invited) = client.graphql(invite, json!({ "input": input }), None).await.unwrap();
        assert_eq!(invited["data"]["userInvite"]["userErrors"], json!([]), "{invited}");
    }
}

/// What is kept of both buyers' business beside: an ended hold and a conversion of a sale of each, and people who are
/// suppressed, somewhere and everywhere.
async fn records(app: &TestApp, letter: char) {
    let contacts = [format!("mkperson{letter}.suppressed@mail.example.com")];
    let snapshot = app.app.market.refresh().await.unwrap();
    let campaign = Some(snapshot.campaigns.keys().copied().min().unwrap()).filter(|_| letter == 'a');
    let asked = Suppressing { contacts: &contacts, campaign, country: None, reason: "mkstaff asked for it" };
    app.app.market.suppress(OPERATE, asked).await.unwrap();
    let id = |byte: u8| {
        let digits = format!("{byte:02x}{:02x}", letter as u32).repeat(8);
        if app.store().engine() == Engine::Postgres { format!("'{digits}'") } else { format!("X'{digits}'") }
    };
    let (hold, conversion) = (id(1), id(2));
    let sale = format!(
        "SELECT s.id FROM sale s JOIN buyer b ON b.id = s.buyer_id WHERE b.name = 'mkbuyer{letter}' ORDER BY s.sold_at LIMIT 1"
    );
    let write = app.store().write(OPERATE).await.unwrap();
    for sql in [
        format!(
            "INSERT INTO hold (id, sale_id, account_id, amount_minor, created_at)
             SELECT {hold}, s.id, a.id, s.price_minor, s.sold_at FROM sale s
             JOIN ledger_account a ON a.owner_id = s.buyer_id WHERE s.id = ({sale})"
        ),
        format!(
            "INSERT INTO hold_resolution (hold_id, kind, resolved_at)
             SELECT id, 'POSTED', created_at FROM hold WHERE id = {hold}"
        ),
        format!(
            "INSERT INTO conversion (id, sale_id, lead_id, buyer_id, kind, value_minor, happened_at, reported_at)
             SELECT {conversion}, id, lead_id, buyer_id, 'WON', 900, sold_at, sold_at FROM sale WHERE id = ({sale})"
        ),
    ] {
        assert_eq!(write.plant(&sql).await.unwrap(), 1, "{sql}");
    }
    let _ = write.commit().await.unwrap();
}

/// Both buyers complain about the lead that both bought, and the second is decided.
async fn complaints(people: &[(&'static str, Whose, LeadSender)]) {
    let client = |name: &str| &people.iter().find(|(known, _, _)| *known == name).unwrap().2;
    let open = "mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) { complaint { id } userErrors { message } } }";
    let decide =
        "mutation($input: ComplaintDecideInput!) { complaintDecide(input: $input) { userErrors { message } } }";
    for (name, letter) in [("buyer_admin", 'a'), ("other buyer_admin", 'b')] {
        let (_, sales) = client(name)
            .graphql("{ sales(first: 100, orderBy: NEWEST) { nodes { id } } }", json!({}), None)
            .await
            .unwrap();
        let sales = sales["data"]["sales"]["nodes"].as_array().unwrap().clone();
        assert!(sales.len() >= 3, "{name} bought {sales:?}");
        for (at, sale) in sales.iter().take(2).enumerate() {
            let input = json!({ "saleId": sale["id"], "reason": "OTHER", "evidence": format!("mkevidence{letter}") });
            let (_, opened) = client(name).graphql(open, json!({ "input": input }), None).await.unwrap();
            let complaint = &opened["data"]["complaintOpen"]["complaint"]["id"];
            assert!(complaint.is_string(), "{opened}");
            if at == 0 {
                let input = json!({ "complaintId": complaint, "verdict": "UPHOLD", "creditMinor": "900", "note": format!("mknote{letter}") });
                let (_, decided) = client("finance").graphql(decide, json!({ "input": input }), None).await.unwrap();
                assert_eq!(decided["data"]["complaintDecide"]["userErrors"], json!([]), "{decided}");
            }
        }
    }
}

impl Caller {
    /// The same caller with another token.
    pub(crate) fn by(&self, token: &str) -> Caller {
        Caller {
            name: self.name,
            whose: self.whose,
            client: self.client.with_api_key(token.to_owned().into()),
            judge: self.judge.clone(),
            own: self.own.clone(),
            foreign: self.foreign.clone(),
        }
    }
}

impl World {
    /// Somebody with another's session: whatever it is answered is foreign to it.
    pub(crate) fn swapped(&self, known: &str, other: &str) -> Caller {
        let (known, other) = (self.caller(known), self.caller(other));
        Caller {
            name: known.name,
            whose: known.whose,
            client: other.client.clone(),
            judge: known.judge.clone(),
            own: known.own.clone(),
            foreign: known.foreign.clone(),
        }
    }
}
