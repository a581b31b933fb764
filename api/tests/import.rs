//! `leadyard import` as people run it: every kind of file, what it says when something is wrong, and kill -9 in the
//! middle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::Place;
use leadyard::app::open_store;
use leadyard_types::{Principal, SystemTask};
use serde_json::{Value, json};

const MAPPING: &str = r#"
external_id = "id"
unmapped = "KEEP"

[consent]
basis = { value = "customers of the bank" }
purposes = ["contact_by_phone"]

[conversion]
kind = { column = "y", values = { yes = "WON", no = "LOST" } }
"#;
const HEADINGS: &str =
    "id,age,job,marital,education,default,balance,housing,loan,contact,day,month,campaign,pdays,previous,poutcome";

fn contact(id: &str, age: u32) -> String {
    format!("{id},{age},management,single,tertiary,no,100,no,no,cellular,5,may,1,-1,0,unknown\n")
}

/// A market to import into, with its mapping.
fn bank() -> Place {
    let place = Place::sqlite();
    bank_at(&place);
    place
}

fn bank_at(place: &Place) {
    place.run(&["example", "bank-marketing"]);
    place.file("mapping.toml", MAPPING);
}

const LEADS: [&str; 7] = ["import", "leads", "leads.csv", "--source", "bank", "--mapping", "mapping.toml"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

/// Leads, with the refused rows in a file; the second run takes nothing and lists the same.
#[test]
fn leads_are_imported_once() {
    let place = bank();
    place.file(
        "leads.csv",
        format!("{HEADINGS}\n{}{}{}ragged\n", contact("a", 40), contact("=b", 17), contact("c", 60)),
    );
    let args = with(&LEADS, &["--refused", "refused.csv", "--json"]);
    let first = place.json(&args);
    assert_eq!(
        (&first["rows"], &first["received"], &first["sold"], &first["rejected"], &first["broken"]),
        (&json!(4), &json!(3), &json!(2), &json!(1), &json!(1)),
        "{first}"
    );
    assert_eq!(first["reasons"], json!({ "FIELDS age: OUT_OF_RANGE": 1, "FORMAT WRONG_COLUMN_COUNT": 1 }));
    for measured in ["leads_per_second", "peak_memory_mb", "duration_ms"] {
        assert!(first[measured].as_u64().is_some_and(|figure| figure > 0), "{measured}: {first}");
    }
    let refused = std::fs::read_to_string(place.folder.path().join("refused.csv")).unwrap();
    let lines: Vec<&str> = refused.lines().collect();
    assert_eq!(lines[0], "line,check,codes,reasons,external_id,lead_id");
    assert!(lines[1].starts_with("3,FIELDS,age: OUT_OF_RANGE,send a number from 18 to 90,'=b,"), "{refused}");
    assert!(lines[2].starts_with("5,FORMAT,WRONG_COLUMN_COUNT,\"as many values as there are headings"), "{refused}");
    let second = place.json(&args);
    assert_eq!((&second["repeated"], &second["received"], &second["sold"]), (&json!(3), &json!(0), &json!(0)));
    assert_eq!(std::fs::read_to_string(place.folder.path().join("refused.csv")).unwrap(), refused);
    let said = place.run(&LEADS);
    assert!(said.starts_with("4 rows: 0 leads taken in, 3 taken in before, 1 that could not be read.\n"), "{said}");
}

/// The other files, twice each.
#[test]
fn the_other_files_are_imported_once() {
    let place = bank();
    place.file("leads.csv", format!("{HEADINGS}\n{}{}", contact("a", 40), contact("b", 41)));
    place.run(&LEADS);
    place.file("list.csv", "ada@mail.example.com\n030 2000001\nnobody\n");
    place.file("spend.csv", "day;amount\n2026-01-01;12,50\n2026-01-02;x\n");
    place.file("codes.tsv", "DE\t10115\tBerlin\tBerlin\tBE\t\t\t\t\t52.53\t13.38\t6\nDE\t1\n");
    place.file("won.csv", "external_id,kind,value\na,won,100\nb,perhaps,\nc,WON,\n");
    for (args, key, first) in [
        (vec!["suppression", "list.csv", "--country", "de", "--campaign", "Term deposits"], "added", 2),
        (vec!["ad-spend", "spend.csv", "--source", "bank"], "booked", 1),
        (vec!["postal-codes", "codes.tsv"], "codes", 1),
        (vec!["conversions", "won.csv", "--source", "bank"], "recorded", 1),
    ] {
        let args = with(&[&["import"], args.as_slice()].concat(), &["--refused", "refused.csv", "--json"]);
        let (made, again) = (place.json(&args), place.json(&args));
        assert_eq!((&made[key], &made["broken"]), (&json!(first), &json!(1)), "{args:?}: {made}");
        // Postal codes are written anew; everything else is known by now.
        let second = if key == "codes" { 1 } else { 0 };
        assert_eq!(again[key], json!(second), "{args:?}: {again}");
        assert!(made["peak_memory_mb"].is_u64() && made["duration_ms"].is_u64(), "{made}");
        let refused = std::fs::read_to_string(place.folder.path().join("refused.csv")).unwrap();
        assert_eq!(refused.lines().count(), 2, "{args:?}: {refused}");
    }
    // The design's short name.
    assert!(place.run(&["import", "postal", "codes.tsv"]).contains("\"codes\": 1"));
    assert_eq!(place.json(&["doctor", "--json"])["ok"], Value::Bool(true));
}

/// Whatever is wrong is said with its file, line and column, and what would be right.
#[test]
fn mistakes_are_named() {
    let place = bank();
    place.file("leads.csv", format!("{HEADINGS}\n{}", contact("a", 40)));
    for (mapping, expected) in [
        (
            "[fields]\nage = { colum = \"age\" }\n",
            &["mapping.toml", "line 2, column 9", "unknown field `colum`", "`column`"][..],
        ),
        ("[fields\n", &["mapping.toml", "line 1, column"]),
        (
            "[fields]\nage = { column = \"age\", value = \"1\" }\n",
            &["line 2", "one of `column`, `columns` and `value`"],
        ),
        ("unmapped = \"keep\"\n", &["line 1", "KEEP"]),
        (
            "unmapped = \"KEEP\"\n[fields]\nage = \"Alter\"\n",
            &["fields.age", "no column headed `Alter`", "`age`", "UNKNOWN_COLUMN"],
        ),
        ("[fields]\nage = \"age\"\n", &["fields.job", "the vertical requires it"]),
    ] {
        place.file("mapping.toml", mapping);
        let said = place.fails(&LEADS);
        for part in expected {
            assert!(said.contains(part), "{part} is expected in: {said}");
        }
    }
    place.file("mapping.toml", MAPPING);
    place.file("empty.csv", "");
    place.file("names.csv", "name,city\nAda,Berlin\n");
    for (args, expected) in [
        (vec!["leads", "nothing.csv", "--source", "bank", "--mapping", "mapping.toml"], "nothing.csv cannot be read"),
        (vec!["leads", ".", "--source", "bank", "--mapping", "mapping.toml"], "a file is expected"),
        (vec!["leads", "empty.csv", "--source", "bank", "--mapping", "mapping.toml"], "the file is empty"),
        (vec!["leads", "leads.csv", "--source", "bank", "--mapping", "none.toml"], "none.toml cannot be read"),
        (
            vec!["leads", "leads.csv", "--source", "B", "--mapping", "mapping.toml"],
            "there is no source `B`; there are: bank",
        ),
        (
            vec!["leads", "leads.csv", "--source", "bank", "--mapping", "mapping.toml", "--refused", "no/where.csv"],
            "no/where.csv cannot be written",
        ),
        (vec!["suppression", "names.csv"], "a column headed `email` or `phone` is expected"),
        (vec!["suppression", "leads.csv", "--campaign", "X"], "there is no campaign `X`; there are: Term deposits"),
        (vec!["ad-spend", "leads.csv", "--source", "bank"], "headings `day`, `amount`"),
        (vec!["conversions", "leads.csv", "--source", "bank"], "no column headed `kind`"),
        (vec!["postal", "leads.csv"], "GeoNames' twelve columns"),
    ] {
        let said = place.fails(&[&["import"], args.as_slice()].concat());
        assert!(said.contains(expected), "{expected} is expected in: {said}");
    }
    // The refused rows cannot be written: noticed at the end at the latest.
    #[cfg(target_os = "linux")]
    {
        place.file("leads.csv", format!("{HEADINGS}\nragged\n"));
        let said = place.fails(&with(&LEADS, &["--refused", "/dev/full"]));
        assert!(said.contains("the refused rows cannot be written: No space left on device"), "{said}");
    }
}

/// Kill -9 in the middle, several times: the next run finishes it, nothing is lost or doubled (decisions page, 9).
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_midway_is_finished_by_the_next() {
    const ROWS: u32 = 6_000;
    const KILLS: u64 = 4;
    for place in Place::both().await {
        bank_at(&place);
        let rows: String = (0..ROWS).map(|row| contact(&format!("k{row}"), 17 + row % 60)).collect();
        place.file("leads.csv", format!("{HEADINGS}\n{rows}"));
        let store = open_store(&place.config()).await.unwrap();
        let read = store.read(Principal::System(SystemTask::Operate));
        let mut midway = 0;
        for kill in 0..KILLS {
            let before = read.totals().await.unwrap().received;
            let mut import = place.leadyard(&LEADS).stdout(Stdio::null()).spawn().unwrap();
            // Once something new is stored, at no moment in particular.
            while import.try_wait().unwrap().is_none() && read.totals().await.unwrap().received == before {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(kill * 7)).await;
            let _ = import.kill();
            import.wait().unwrap();
            let stored = read.totals().await.unwrap().received;
            midway += u64::from(before < stored && stored < i64::from(ROWS));
        }
        assert!(midway > 0, "no kill was in the middle");
        store.close().await;
        let last = place.json(&with(&LEADS, &["--json", "--refused", "refused.csv"]));
        assert_eq!(last["repeated"].as_u64().unwrap() + last["received"].as_u64().unwrap(), u64::from(ROWS), "{last}");
        let refused = std::fs::read_to_string(place.folder.path().join("refused.csv")).unwrap();
        assert_eq!(refused.lines().count(), 1 + ROWS as usize / 60, "every minor is listed, of all runs together");
        let store = open_store(&place.config()).await.unwrap();
        let totals = store.read(Principal::System(SystemTask::Operate)).totals().await.unwrap();
        assert_eq!((totals.received, totals.rejected), (i64::from(ROWS), i64::from(ROWS) / 60));
        // An exclusive market: as many sales as sold leads.
        assert_eq!((totals.sold + totals.unsold, totals.sales), (i64::from(ROWS - ROWS / 60), totals.sold));
        store.close().await;
        let doctor = place.json(&["doctor", "--json"]);
        assert_eq!((&doctor["ok"], &doctor["ledger_sum"]), (&json!(true), &json!(0)), "{doctor}");
        place.remove().await;
    }
}
