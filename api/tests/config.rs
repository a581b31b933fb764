//! `leadyard config`, run as a person runs it: beside a server that acts on what is applied at once.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use common::{Place, last_json, text};
use leadyard::app::open_store;
use leadyard::demo::market::make;
use leadyard_connectors::fake::FakeReceiver;
use leadyard_connectors::{LeadSender, OutboundPolicy, install_crypto};
use serde_json::json;

/// The exit code of a plan that would change something.
const CHANGES: i32 = 2;

/// Exported, edited by hand, planned, applied: the server that runs meanwhile sells the next lead by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_acts_on_what_is_applied() {
    install_crypto();
    for place in Place::both().await {
        let receiver = FakeReceiver::start().await.unwrap();
        let store = open_store(&place.config()).await.unwrap();
        let policy = OutboundPolicy::new(false).allowing(receiver.address());
        let made = make(&store, policy, &receiver).await.unwrap();
        store.close().await;
        let allowed = receiver.address().to_string();
        let mut server = place
            .leadyard(&["serve", "--listen", "127.0.0.1:0", "--allow-destination", &allowed])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = format!("http://{}", line.trim().rsplit("http://").next().unwrap());
        let health =
            made.sources.iter().find(|source| source.topic == leadyard::demo::people::Topic::Insurance).unwrap();
        let client = LeadSender::new(&url, Some(health.key.clone().into())).unwrap();
        let paid = async |number: u32| {
            let lead = json!({
                "first_name": "Ada", "last_name": "L", "email": format!("ada{number}@mail.example.com"),
                "phone": format!("030 12345{number:02}"), "postal_code": "10115", "age": 40, "employment": "employed",
                "consent": { "basis": "asked by phone", "purposes": ["contact_by_phone"] },
            });
            let (_, answer) = client.send_json("/v1/leads", &lead, None).await.unwrap();
            assert_eq!(answer["status"], "sold", "{answer}");
            answer["price"]["amount_minor"].as_i64().unwrap()
        };
        assert_eq!(paid(1).await, 1_400);

        let config = |args: &[&str]| {
            place.leadyard(&[&["config", "--allow-destination", &allowed], args].concat()).output().unwrap()
        };
        assert!(config(&["export", "--out", "market.toml"]).status.success());
        let path = place.folder.path().join("market.toml");
        let exported = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text(&config(&["export"]).stdout), exported);
        let unchanged = config(&["plan", "market.toml"]);
        assert_eq!((unchanged.status.code(), text(&unchanged.stdout)), (Some(0), "Nothing to change.\n".to_owned()));

        let edited = exported.replace("amount_minor = 1400", "amount_minor = 1500");
        std::fs::write(&path, &edited).unwrap();
        let planned = config(&["plan", "market.toml"]);
        let told = "~ source \"HealthCompare\" cost.amount_minor 1400 → 1500\n0 new, 1 to change.\n";
        assert_eq!((planned.status.code(), text(&planned.stdout)), (Some(CHANGES), told.to_owned()));
        let planned = last_json(&text(&config(&["plan", "market.toml", "--json"]).stdout));
        assert_eq!(
            planned["changes"][0]["fields"],
            json!([{ "path": "cost.amount_minor", "before": 1_400, "after": 1_500 }])
        );
        assert_eq!(
            (planned["changes"][0]["action"].as_str(), planned["changes"][0]["noun"].as_str()),
            (Some("CHANGE"), Some("source"))
        );

        // Nobody is there to be asked.
        let asked = config(&["apply", "market.toml"]);
        assert_eq!(asked.status.code(), Some(1));
        assert!(text(&asked.stderr).contains("say --yes"), "{}", text(&asked.stderr));
        assert_eq!(paid(2).await, 1_400);
        let applied = config(&["apply", "market.toml", "--yes"]);
        assert!(text(&applied.stdout).contains("Applied: 0 new, 1 changed."), "{}", text(&applied.stderr));
        assert_eq!(paid(3).await, 1_500);
        let again = config(&["apply", "market.toml", "--yes"]);
        assert_eq!(text(&again.stdout), "Nothing to change.\n");
        assert_eq!(text(&config(&["export"]).stdout), edited);

        server.kill().unwrap();
        server.wait().unwrap();
        place.run(&["doctor"]);
        place.remove().await;
    }
}

/// What is wrong is told with the file's name and lines, and a name that is none with those there are.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told() {
    install_crypto();
    let place = Place::sqlite();
    let receiver = FakeReceiver::start().await.unwrap();
    let store = open_store(&place.config()).await.unwrap();
    make(&store, OutboundPolicy::new(false).allowing(receiver.address()), &receiver).await.unwrap();
    store.close().await;
    place.file(
        "wrong.toml",
        "[[contract]]\nname = \"Hanse Solar standard\"\nprice_minor = \"24.00\"\nstaus = \"ACTIVE\"",
    );
    for action in ["plan", "apply"] {
        let said = place.fails(&["config", action, "wrong.toml"]);
        assert!(
            said.contains("wrong.toml cannot be applied:\n  line 3: contract \"Hanse Solar standard\": price_minor: ")
        );
        assert!(said.contains("  line 4: contract \"Hanse Solar standard\": staus: a contract has no field `staus`"));
    }
    assert!(place.fails(&["config", "plan", "absent.toml"]).contains("absent.toml cannot be read"));
    let said = place.fails(&["config", "export", "--only", "campaign=Solar"]);
    assert!(said.contains("there is: Health insurance Germany, Personal injury US, Solar Germany"), "{said}");
    assert!(place.fails(&["config", "export", "--only", "Solar Germany"]).contains("--only campaign=NAME"));
    let one = place.run(&["config", "export", "--only", "campaign=Solar Germany"]);
    assert!(one.contains("Hanse Solar standard") && !one.contains("Budget Legal"));

    // Secrets are read where the file says; what is not there is told.
    let hook = "[[destination]]\nname = \"Hook\"\nbuyer = \"Hanse Solar\"\nkind = \"WEBHOOK\"\nsecret_env = \"HOOK_SECRET\"\n\
                config = { url = \"https://hooks.example.com/in\", headers = [[\"X-Key\", { file = \"key.txt\" }]] }";
    place.file("hook.toml", hook);
    let said = place.fails(&["config", "apply", "hook.toml", "--yes"]);
    assert!(said.contains("line 5: ") && said.contains("the environment's HOOK_SECRET cannot be read: it is not set"));
    assert!(said.contains("line 6: ") && said.contains("the file key.txt cannot be read: "), "{said}");
    place.file("key.txt", "hunter2\n");
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let output =
        place.leadyard(&["config", "apply", "hook.toml", "--yes"]).env("HOOK_SECRET", secret).output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("Applied: 1 new, 0 changed."), "{said}{}", text(&output.stderr));
    assert!(!said.contains("hunter2") && !said.contains("whsec_"), "{said}");
    assert!(!place.run(&["config", "export"]).contains("hunter2"));
}
