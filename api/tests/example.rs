//! The examples run as they stand.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Place, last_json, text};
use serde_json::json;

const HEADINGS: &str = "Cust_num,age,job,marital,education,default,balance,housing,loan,contact,day,month,duration,campaign,pdays,previous,poutcome,y";

/// Ten contacts as the data set has them, a minor and a ragged row: the last line says what became of them, the refused
/// rows are shown with their reasons, and the database of the environment is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn bank_marketing() {
    let contact = |number: u32, age: u32, outcome: &str| {
        format!("{number},{age},management,single,tertiary,no,100,no,no,cellular,5,may,261,1,-1,0,unknown,{outcome}\n")
    };
    let rows: String = (0..10).map(|row| contact(row, 30 + row, if row < 3 { "yes" } else { "no" })).collect();
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/run");
    for place in Place::both().await {
        let csv = place.file("bank.csv", format!("{HEADINGS}\n{rows}{}ragged\n", contact(10, 12, "no")));
        let mut command = Command::new(&run);
        command.arg(&csv).env("LEADYARD", env!("CARGO_BIN_EXE_leadyard")).env("DATABASE_URL", "nonsense://");
        if place.url().starts_with("postgres") {
            command.env("EXAMPLE_DATABASE_URL", place.url());
        }
        let output = command.output().unwrap();
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{printed}{said}");
        let summary = last_json(&printed);
        for (key, expected) in [
            ("rows", 12),
            ("received", 11),
            ("rejected", 1),
            ("quarantined", 0),
            ("sold", 10),
            ("unsold", 0),
            ("queued", 0),
            ("ledger_sum", 0),
            ("conversions", 10),
        ] {
            assert_eq!(summary[key], json!(expected), "{key}: {summary}");
        }
        assert!(summary["leads_per_second"].as_u64().is_some_and(|figure| figure > 0), "{summary}");
        assert!(summary["peak_memory_mb"].is_u64() || !cfg!(target_os = "linux"), "{summary}");
        assert!(said.contains("12,FIELDS,age: OUT_OF_RANGE,send a number from 18 to 90,10,"), "{said}");
        assert!(said.contains("13,FORMAT,WRONG_COLUMN_COUNT,"), "{said}");
        place.remove().await;
    }
}
