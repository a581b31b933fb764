//! `leadyard demo` as people run it: again and again, and only in databases of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use common::Place;
use serde_json::{Value, json};

/// Runs the demo to its end; answers its figures without how long it took.
fn demo(place: &Place, seed: &str) -> Value {
    let args = ["demo", "--leads", "30", "--seed", seed, "--exit", "--json", "--listen", "127.0.0.1:0"];
    let mut figures = place.json(&args);
    assert!(figures["duration_ms"].take().is_u64(), "{figures}");
    assert_eq!((&figures["received"], &figures["books_ok"]), (&json!(30), &json!(true)), "{figures}");
    figures
}

/// In a database of an earlier demo it begins anew, and the same seed gives the same outcome, on both databases.
#[tokio::test(flavor = "multi_thread")]
async fn a_demo_runs_again_in_its_own_database() {
    let mut outcomes = Vec::new();
    for place in Place::both().await {
        let first = demo(&place, "7");
        assert_ne!(demo(&place, "8"), first);
        assert_eq!(demo(&place, "7"), first);
        // Somebody has made something of their own of it.
        let mut create =
            place.leadyard(&["user", "create", "ada@operator.example", "--name", "Ada", "--role", "ADMIN"]);
        assert!(create.env("LEADYARD_PASSWORD", "long enough for a test").output().unwrap().status.success());
        let said = place.fails(&["demo", "--leads", "1", "--exit", "--listen", "127.0.0.1:0"]);
        assert!(said.contains("is not empty and not a demo's") && said.contains("DATABASE_URL=sqlite://"), "{said}");
        assert_eq!(place.json(&["doctor", "--json"])["ok"], Value::Bool(true));
        outcomes.push(first);
        place.remove().await;
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
}

/// A market that no demo made is left alone.
#[test]
fn a_market_is_never_taken_for_a_demo() {
    let place = Place::sqlite();
    place.run(&["example", "bank-marketing"]);
    let said = place.fails(&["demo", "--leads", "1", "--exit", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("is not empty and not a demo's"), "{said}");
    let said = place.fails(&["example", "bank-marketing"]);
    assert!(said.contains("is not empty"), "{said}");
}

/// An address that is taken is said before anything is made; a database whose folder is missing is made.
#[test]
fn what_is_missing_is_made_and_what_is_taken_is_said() {
    let place = Place::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["demo", "serve"] {
        let said = place.fails(&[command, "--listen", &address]);
        assert!(said.contains(&format!("{address} cannot be listened on; choose another with --listen")), "{said}");
    }
    let mut nested = place.leadyard(&["migrate"]);
    let output = nested.env("DATABASE_URL", "sqlite://a/b/new.sqlite").env_remove("LEADYARD_MASTER_KEY_FILE").output();
    assert!(output.unwrap().status.success());
    for file in ["a/b/new.sqlite", "a/b/new.sqlite.key"] {
        assert!(place.folder.path().join(file).exists(), "{file}");
    }
    // With the keys elsewhere too.
    let mut nested = place.leadyard(&["migrate"]);
    let output = nested.env("DATABASE_URL", "sqlite://c/d/new.sqlite").output().unwrap();
    assert!(output.status.success(), "{}", common::text(&output.stderr));
}
