//! Which things are whose: said here a second time, in other words than the server's, and what follows from it of what
//! a caller must never see.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leadyard_tests::{OPERATE, TestApp};
use uuid::Uuid;

use crate::judge::Judge;

/// Whose rows somebody sees.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Whose {
    pub(crate) buyer: Option<Uuid>,
    pub(crate) supplier: Option<Uuid>,
    pub(crate) source: Option<Uuid>,
    pub(crate) user: Option<Uuid>,
}

/// A noun: its type, its table, and which rows a buyer, a supplier and a source's key see; an empty text: none. `{me}` is
/// the caller's buyer, supplier or source, `{user}` the user.
type Noun = (&'static str, &'static str, &'static str, &'static str, &'static str);

const BUYS_IN: &str = "(SELECT campaign_id FROM contract WHERE buyer_id = {me})";
const BOUGHT: &str = "(SELECT id FROM sale WHERE buyer_id = {me} AND state = 'SOLD')";

/// Every noun. One that is missing stops the test.
const NOUNS: [Noun; 24] = [
    (
        "Vertical",
        "vertical",
        "id IN (SELECT vertical_id FROM campaign WHERE id IN {buys_in})",
        "id IN (SELECT vertical_id FROM campaign WHERE id IN (SELECT campaign_id FROM source WHERE supplier_id = {me}))",
        "id IN (SELECT vertical_id FROM campaign WHERE id IN (SELECT campaign_id FROM source WHERE id = {me}))",
    ),
    (
        "Campaign",
        "campaign",
        "id IN {buys_in}",
        "id IN (SELECT campaign_id FROM source WHERE supplier_id = {me})",
        "id IN (SELECT campaign_id FROM source WHERE id = {me})",
    ),
    ("Supplier", "supplier", "", "id = {me}", ""),
    ("Source", "source", "", "supplier_id = {me}", "id = {me}"),
    ("Buyer", "buyer", "id = {me}", "", ""),
    ("BuyerGroup", "buyer_group", "", "", ""),
    ("Contract", "contract", "buyer_id = {me}", "", ""),
    ("Destination", "destination", "buyer_id = {me}", "", ""),
    (
        "Lead",
        "lead",
        "id IN (SELECT lead_id FROM sale WHERE buyer_id = {me} AND state = 'SOLD')",
        "supplier_id = {me}",
        "source_id = {me}",
    ),
    ("Decision", "decision", "", "", ""),
    ("Sale", "sale", "id IN {bought}", "", ""),
    ("Delivery", "delivery", "sale_id IN {bought}", "", ""),
    ("Complaint", "complaint", "buyer_id = {me}", "", ""),
    ("Wallet", "(SELECT * FROM ledger_account WHERE kind = 'BUYER_WALLET') wallet", "owner_id = {me}", "", ""),
    (
        "Transfer",
        "ledger_transfer",
        "debit_account_id IN (SELECT id FROM ledger_account WHERE owner_id = {me})
         OR credit_account_id IN (SELECT id FROM ledger_account WHERE owner_id = {me})",
        "debit_account_id IN (SELECT id FROM ledger_account WHERE owner_id = {me})
         OR credit_account_id IN (SELECT id FROM ledger_account WHERE owner_id = {me})",
        "",
    ),
    ("Hold", "hold", "account_id IN (SELECT id FROM ledger_account WHERE owner_id = {me})", "", ""),
    (
        "Consent",
        "consent",
        "lead_id IN (SELECT lead_id FROM sale WHERE buyer_id = {me} AND state = 'SOLD')",
        "lead_id IN (SELECT id FROM lead WHERE supplier_id = {me})",
        "lead_id IN (SELECT id FROM lead WHERE source_id = {me})",
    ),
    ("Conversion", "conversion", "buyer_id = {me}", "", ""),
    ("SuppressionEntry", "suppression_entry", "", "", ""),
    ("User", "user_account", "buyer_id = {me} AND {all_users}", "id = {user}", ""),
    ("Invitation", "invitation", "buyer_id = {me} AND {invites}", "", ""),
    ("Session", "session", "user_id = {user}", "user_id = {user}", ""),
    ("SourceKey", "(SELECT * FROM api_key WHERE source_id IS NOT NULL) source_key", "", "", ""),
    ("ApiKey", "(SELECT * FROM api_key WHERE user_id IS NOT NULL) user_key", "{keys}", "{keys}", ""),
];

/// Nouns that not all staff see.
const PRIVATE: [&str; 2] = ["Session", "ApiKey"];

/// Marks and values that belong to a buyer, a supplier, the staff or the operator.
const MARKS_OF_BUYERS: [&str; 8] =
    ["mkbuyer", "mkgroup", "mkmemo", "mkhook", "mkrule", "mkcontract", "mkevidence", "mknote"];
const MARKS_OF_SOURCES: [&str; 2] = ["mksecondsourcea", "mkthirdsourcea"];
const MARKS_OF_B: [&str; 3] = ["supplier of test at", "mksourceb", "test_at"];
/// Leads in the order in which they come: number, postal code and size.
const LEADS: [(usize, &str, &str); 6] = [
    (1, "10115", "51"),
    (2, "1010", "503"),
    (3, "10117", "100"),
    (4, "80331", "507"),
    (5, "10119", "61"),
    (6, "1020", "511"),
];

/// Reads which things are whose.
pub(crate) struct Nouns<'a> {
    app: &'a TestApp,
    all: BTreeMap<String, Vec<String>>,
    /// Leads in the order in which they came.
    leads: Vec<String>,
}

impl<'a> Nouns<'a> {
    pub(crate) async fn read(app: &'a TestApp) -> Self {
        let mut nouns = Self { app, all: BTreeMap::new(), leads: Vec::new() };
        for (noun, table, ..) in NOUNS {
            let ids = nouns.ids(table, "1 = 1").await;
            nouns.all.insert(noun.to_owned(), ids);
        }
        nouns.leads = nouns.ids("lead", "1 = 1 ORDER BY received_at").await;
        nouns
    }

    /// Fails where the schema has a noun that is not in the table.
    pub(crate) fn knows(schema: &[String]) {
        for noun in schema {
            let known = NOUNS.iter().any(|(known, ..)| known == noun);
            assert!(known, "say in matrix/nouns.rs to whom a {noun} belongs");
        }
    }

    /// A condition on ids in this database's spelling; answers 32 digits each.
    async fn ids(&self, table: &str, condition: &str) -> Vec<String> {
        let column = if self.postgres() { "replace(CAST(id AS TEXT), '-', '')" } else { "lower(hex(id))" };
        let sql = format!("SELECT {column} AS text FROM {table} WHERE {condition}");
        self.app.store().read(OPERATE).texts(&sql).await.unwrap()
    }

    fn postgres(&self) -> bool {
        self.app.store().engine() == leadyard_entity::Engine::Postgres
    }

    fn spelt(&self, id: Option<Uuid>) -> String {
        match id {
            None => "NULL".to_owned(),
            Some(id) if self.postgres() => format!("'{id}'"),
            Some(id) => format!("X'{}'", id.simple()),
        }
    }

    /// What a caller sees, what it does not, and what it must never see.
    pub(crate) async fn seen_by(
        &self,
        caller: &str,
        whose: Whose,
    ) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, Vec<String>>, Judge) {
        let staff = ["admin", "manager", "finance", "analyst"].contains(&caller);
        let me = self.spelt(whose.buyer.or(whose.supplier).or(whose.source));
        let all_users = if caller.ends_with("buyer_admin") { "1 = 1" } else { "id = {user}" };
        let invites = if caller.ends_with("buyer_admin") { "1 = 1" } else { "1 = 0" };
        let keys = match caller {
            "admin" => "1 = 1",
            name if name.ends_with("buyer_admin") => "user_id IN (SELECT id FROM user_account WHERE buyer_id = {me})",
            _ => "user_id = {user}",
        };
        let (mut own, mut foreign) = (BTreeMap::<_, Vec<String>>::new(), BTreeMap::new());
        let mut ids = HashMap::new();
        for (noun, table, buyer, supplier, source) in NOUNS {
            let rule = match whose {
                _ if staff && !PRIVATE.contains(&noun) => "1 = 1",
                _ if staff => buyer,
                Whose { buyer: Some(_), .. } => buyer,
                Whose { supplier: Some(_), .. } => supplier,
                Whose { source: Some(_), .. } => source,
                _ => "",
            };
            let rule = if rule.is_empty() { "1 = 0" } else { rule };
            let rule = rule
                .replace("{buys_in}", BUYS_IN)
                .replace("{bought}", BOUGHT)
                .replace("{all_users}", all_users)
                .replace("{invites}", invites)
                .replace("{keys}", keys);
            let rule = rule.replace("{me}", &me).replace("{user}", &self.spelt(whose.user));
            let seen: BTreeSet<String> = self.ids(table, &rule).await.into_iter().collect();
            let (mine, others): (Vec<String>, Vec<String>) =
                self.all[noun].iter().cloned().partition(|id| seen.contains(id));
            ids.extend(others.iter().map(|id| (id.clone(), noun.to_owned())));
            let global = |ids: Vec<String>| ids.iter().map(|id| global(noun, id)).collect();
            own.insert(noun.to_owned(), global(mine));
            foreign.insert(noun.to_owned(), global(others));
        }
        let seen = own["Lead"].clone();
        let (marks, values) = self.marks(caller, whose, staff, &seen);
        (own, foreign, Judge { ids, marks, values })
    }

    fn marks(&self, caller: &str, whose: Whose, staff: bool, seen: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut marks, mut values) = (BTreeSet::new(), BTreeSet::new());
        let personal = ["admin", "manager"].contains(&caller) || whose.buyer.is_some();
        for (at, (number, postal_code, size)) in LEADS.iter().enumerate() {
            let sees = seen.iter().any(|id| id.replace('-', "").ends_with(&self.leads[at]));
            if !(personal && sees) {
                marks.extend([
                    format!("mkperson{number}x"),
                    format!("mkpage{number}x"),
                    format!("{}", 2_000_000 + number),
                ]);
            }
            if !sees || whose.buyer.is_some() {
                marks.extend([format!("mksubid{number}x"), format!("mkexternal{number}x")]);
            }
            if !sees {
                values.extend([(*postal_code).to_owned(), (*size).to_owned()]);
            }
        }
        if ["finance", "analyst"].contains(&caller) {
            marks.extend(["mkevidence", "mknote"].map(str::to_owned));
        }
        if !staff {
            self.outside(caller, whose, &mut marks, &mut values);
        }
        (marks, values)
    }

    /// What people outside must not see of the operator and of each other.
    fn outside(&self, caller: &str, whose: Whose, marks: &mut BTreeSet<String>, values: &mut BTreeSet<String>) {
        let mut never = |some: &[&str]| marks.extend(some.iter().map(|mark| (*mark).to_owned()));
        never(&["mkstaff", "mkuserb"]);
        never(&MARKS_OF_B);
        if whose.supplier.is_none() {
            never(&MARKS_OF_SOURCES);
        }
        if whose.supplier.is_none() && whose.source.is_none() {
            never(&["supplier of mkcampaigna"]);
        }
        if whose.user.is_none() {
            never(&["mkusera"]);
        }
        if caller == "anonymous" {
            never(&["mkcampaigna"]);
        }
        values.extend(["Test AT", "7777", "77.77"].map(str::to_owned));
        let letters = if whose.buyer.is_some() { vec!['b'] } else { vec!['a', 'b'] };
        marks.extend(letters.iter().flat_map(|letter| MARKS_OF_BUYERS.map(|mark| format!("{mark}{letter}"))));
        let prices: &[&str] = if whose.buyer.is_some() { &["3331", "33.31"] } else { &["4100", "41.00"] };
        values.extend(prices.iter().map(|price| (*price).to_owned()));
    }
}

fn global(noun: &str, digits: &str) -> String {
    let id: Uuid = digits.parse().unwrap();
    format!("{noun}:{id}")
}
