//! Files that cannot be applied: each problem is told with its line, its place, its code and what would be right, and
//! nothing is written.

use leadyard_market::configuration::{Problem, Secrets};
use leadyard_market::setup::ApplyError;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};

use super::parse;

/// A text, and of each problem: its line, its code, and words of its place and message.
type Case = (&'static str, &'static [(usize, &'static str, &'static str)]);

const CASES: &[Case] = &[
    // Text that is not TOML, or not a configuration.
    ("[[contract]]\nname = ", &[(2, "SYNTAX", "")]),
    ("[[contract]]\nname = \"A\"\nname = \"A\"", &[(3, "SYNTAX", "duplicate key")]),
    ("[[contract]]\nname = \"A\nprice_minor = 1", &[(2, "SYNTAX", "")]),
    (
        "price = 1\n[[kontract]]\nname = \"A\"",
        &[(1, "UNKNOWN_TABLE", "price"), (2, "UNKNOWN_TABLE", "there is: [[vertical]]")],
    ),
    ("[contract]\nname = \"A\"", &[(1, "WRONG_TYPE", "write [[contract]]")]),
    ("contract = [1]", &[(1, "WRONG_TYPE", "write [[contract]]")]),
    ("[[contract]]\nname = \"A\"\nprice_minor = 99999999999999999999", &[(3, "OUT_OF_RANGE", "price_minor")]),
    ("[[contract]]\nname = \"A\"\nprice_minor = 2026-11-21", &[(3, "WRONG_TYPE", "a date is written as text")]),
    // Fields.
    ("[[contract]]\nname = \"A\"\nprise_minor = 1", &[(3, "UNKNOWN_FIELD", "it has: id, none, name, campaign, ")]),
    ("[[contract]]\nname = \"A\"\nprice_minor = \"49.00\"", &[(3, "WRONG_TYPE", "expected i64")]),
    ("[[contract]]\nname = \"A\"\nprice_minor = 49.5", &[(3, "WRONG_TYPE", "expected i64")]),
    ("[[contract]]\nname = \"A\"\nprice_minor = -1", &[(3, "OUT_OF_RANGE", "price_minor")]),
    (
        "[[contract]]\nname = \"A\"\nstatus = \"ENDED\"",
        &[(3, "WRONG_TYPE", "expected one of `ACTIVE`, `PAUSED`, `ARCHIVED`")],
    ),
    ("[[contract]]\nname = 5", &[(2, "REQUIRED", "its name or id")]),
    ("[[contract]]\nprice_minor = 5", &[(1, "REQUIRED", "its name or id")]),
    ("[[contract]]\nid = \"7\"", &[(2, "FORMAT", "id")]),
    ("[[buyer]]\nname = \"Buyer\"\nemail = \"nobody\"", &[(3, "INVALID_EMAIL", "email")]),
    ("[[buyer]]\nname = \"Buyer\"\ntime_zone = \"Berlin\"", &[(3, "WRONG_TYPE", "time_zone")]),
    ("[[contract]]\nname = \"A\"\nnone = [\"price_minor\"]", &[(3, "NOT_ALLOWED", "these can: ")]),
    ("[[contract]]\nname = \"A\"\nnone = \"filter\"", &[(3, "WRONG_TYPE", "a list")]),
    ("[[contract]]\nname = \"A\"\ncaps = []\nnone = [\"caps\"]", &[(4, "CONTRADICTION", "caps")]),
    // Deep in a field, on the line where it stands; everything at once.
    (
        "[[contract]]\nname = \"A\"\ncaps = [\n  { period = \"DAY\", count = 1 },\n  { period = \"YEAR\", count = 1 },\n]\n\
         price_rules = [\n  { name = \"x\", price_minor = 5, when = { op = \"all\", of = [\n    { op = \"exists\", field = \"size\" },\n    \
         { op = \"radios\", km = 5 },\n  ] } },\n]\nfilter = { op = \"any\", of = [\n  { op = \"equals\", field = \"size\" },\n] }",
        &[
            (5, "WRONG_TYPE", "caps.1: unknown variant `YEAR`"),
            (10, "WRONG_TYPE", "price_rules.0.when.of.1: unknown variant `radios`"),
            (14, "WRONG_TYPE", "filter.of.0: missing field `value`"),
        ],
    ),
    (
        "[[contract]]\nname = \"A\"\nfilter = { op = \"all\", of = [\n  { op = \"postal_codes\", codes = [\"10115\", \"x\"] },\n] }\n\
         schedule = { time_zone = \"UTC\", windows = [\n  { weekday = \"Mon\", from_minute = 9, to_minute = 5 },\n] }",
        &[(4, "INVALID_VALUE", "filter.of.0.1"), (7, "", "schedule.windows.0")],
    ),
    (
        "[[contract]]\nname = \"A\"\nfilter = { op = \"exists\", field = \"sise\" }",
        &[(3, "UNKNOWN_FIELD", "no field `sise`")],
    ),
    // References.
    (
        "[[contract]]\nname = \"A\"\nbuyer = \"Byer\"",
        &[(3, "NOT_FOUND", "there is no buyer `Byer`; there is: Buyer, Other")],
    ),
    ("[[contract]]\nname = \"A\"\ndestinations = [\"CRM\"]", &[(3, "NOT_FOUND", "there is: /crm")]),
    (
        "[[contract]]\nname = \"A\"\nsources_allowed = [\n  \"Source\",\n  \"Sauce\",\n]",
        &[(5, "NOT_FOUND", "sources_allowed.1: there is no source `Sauce`; there is: Source")],
    ),
    (
        "[[contract]]\nname = \"A\"\nfilter = { op = \"sources\", sources = [\"Sauce\"] }",
        &[(3, "NOT_FOUND", "filter.sources.0: there is no source `Sauce`")],
    ),
    ("[[contract]]\nname = \"twin\"\nprice_minor = 5", &[(2, "AMBIGUOUS", "2 contracts are called so")]),
    (
        "[[contract]]\nid = \"00000000-0000-0000-0000-000000000001\"\nname = \"A\"",
        &[
            (1, "REQUIRED", "there is no contract of this id, and a new one needs its campaign"),
            (1, "REQUIRED", "there is no contract of this id, and a new one needs its buyer"),
            (1, "REQUIRED", "stage"),
        ],
    ),
    // Names.
    (
        "[[contract]]\nname = \"A\"\nprice_minor = 1\n[[contract]]\nname = \"A\"\nprice_minor = 2",
        &[(4, "DUPLICATE", "the same contract stands on line 1 already")],
    ),
    (
        "[[buyer]]\nname = \"New\"\nstatus = \"ACTIVE\"\ntime_zone = \"UTC\"\n[[buyer]]\nname = \"New\"\nstatus = \"ACTIVE\"\ntime_zone = \"UTC\"",
        &[(6, "TAKEN", "there is another buyer of this name")],
    ),
    ("[[supplier]]\nname = \"\"", &[(2, "LENGTH", "name")]),
    ("[[supplier]]\nname = \"a\\u0000b\"", &[(2, "CONTROL_CHARACTER", "name")]),
    ("[[supplier]]\nname = \"a\\u0007b\"", &[(2, "CONTROL_CHARACTER", "name")]),
    // What stays for life.
    ("[[contract]]\nid = \"A-ID\"\nbuyer = \"Other\"", &[(3, "NOT_ALLOWED", "a contract keeps its buyer for life")]),
    (
        "[[campaign]]\nname = \"Test\"\ncurrency = \"USD\"",
        &[(3, "NOT_ALLOWED", "a campaign keeps its currency for life")],
    ),
    // A span of time that no calendar has.
    (
        "[[campaign]]\nname = \"Test\"\nduplicates = { fields = [\"email\"], matching = \"ANY\", window_days = 96500000, scope = \"CAMPAIGN\" }",
        &[(3, "OUT_OF_RANGE", "0 to 36500 days are expected")],
    ),
    // Destinations.
    (
        "[[destination]]\nname = \"/crm\"\nconfig = { url = \"ftp://x\", headers = [\n  [\"Host\", \"x\"],\n] }",
        &[(3, "INVALID_URL", "config.url"), (4, "INVALID_HEADER", "config.headers.0")],
    ),
    (
        "[[destination]]\nname = \"New\"\nbuyer = \"Buyer\"\nkind = \"PORTAL\"\nconfig = {}\nsecret_env = \"X\"",
        &[(6, "NO_SECRET", "only a WEBHOOK or a PING")],
    ),
    (
        "[[destination]]\nname = \"/crm\"\nconfig = { url = { env = \"X\" } }\nsecret_env = \"X\"\nsecret_file = \"y\"",
        &[(3, "SECRET_MISSING", "the environment's X"), (5, "CONTRADICTION", "secret_file")],
    ),
    // A vertical whose fields a campaign needs.
    (
        "[[vertical]]\nkey = \"test\"\nfields = [\n  { key = \"zip\", label = \"zip\", kind = \"POSTAL_CODE\", required = \"POST\", personal = false },\n]",
        &[(3, "IN_USE", "the campaign `Test` recognises duplicates by the field `email`")],
    ),
];

fn fits(problem: &Problem, (line, code, words): (usize, &str, &str)) -> bool {
    problem.line == Some(line) && (code.is_empty() || problem.code == code) && problem.to_string().contains(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_told_with_its_line_and_nothing_is_written() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Buyer", 0, Vec::new()).await;
    app.buyer("Other", 0, Vec::new()).await;
    app.webhook(buyer, "/crm").await;
    let id = app.contract(market.campaign_id, buyer, "A", terms(1_000)).await;
    for _ in 0..2 {
        app.contract(market.campaign_id, buyer, "twin", terms(1_000)).await;
    }
    let before = app.store().read(OPERATE).config_version().await.unwrap();
    let mut surprises = Vec::new();
    for (text, expected) in CASES {
        let text = text.replace("A-ID", &id.to_string());
        let result = match parse(&text) {
            Ok(document) => app.setup().plan(&document, &Secrets::new()).await.map(|_| ()),
            Err(problems) => Err(problems.into()),
        };
        let Err(ApplyError::Problems(found)) = result else {
            surprises.push(format!("{text}\n  is accepted: {result:?}"));
            continue;
        };
        for wanted in *expected {
            if !found.0.iter().any(|problem| fits(problem, *wanted)) {
                surprises.push(format!("{text}\n  does not tell {wanted:?}, but\n{found}"));
            }
        }
        if !found.0.is_sorted_by_key(|problem| problem.line) {
            surprises.push(format!("{text}\n  is told out of order:\n{found}"));
        }
        // Only a new thing's list of what it needs is longer than what is looked for.
        if found.0.len() > expected.len() && !found.0.iter().any(|problem| problem.code == "REQUIRED") {
            surprises.push(format!("{text}\n  tells more than that:\n{found}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
    assert_eq!(app.store().read(OPERATE).config_version().await.unwrap(), before);
    app.finish().await;
}
