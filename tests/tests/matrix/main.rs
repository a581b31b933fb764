//! The matrix: every field, argument and mutation of the schema for every kind of caller, on what is its own, what is
//! somebody else's and what does not exist. It is made from the running schema, so that what is new is in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "it says how much it looked at")]

mod changing;
mod document;
mod fill;
mod judge;
mod keys;
mod nouns;
mod reading;
mod samples;
mod schema;
mod tally;
mod world;

use leadyard_tests::{TestApp, TestDatabase, on_both};

use changing::Changing;
use keys::Keys;
use nouns::Nouns;
use reading::{Reading, cursors};
use schema::{CALLERS, Schema};
use tally::Tally;
use world::{Caller, World};

/// No question and no mutation of any caller answers with a value of somebody else's, tells what is foreign from what
/// is absent, or changes what is not the caller's; what the table refuses is refused. And the matrix finds what is
/// planted: asked by the other party, the same questions are full of leaks.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_is_not_theirs() {
    on_both(async |database| {
        let name = if matches!(database, TestDatabase::Sqlite(_)) { "SQLite" } else { "PostgreSQL" };
        let mut app = TestApp::start(database).await;
        let world = World::make(&mut app).await;
        let schema = Schema::of(&app.client("")).await;
        Nouns::knows(schema.nouns());
        let tally = Tally::default();

        let cursors = cursors(&schema, world.caller("admin")).await;
        let callers: Vec<&Caller> = CALLERS.iter().map(|name| world.caller(name)).collect();

        let (schema, cursors) = (&schema, &cursors);
        futures_util::future::join_all(callers.iter().map(|caller| {
            let reading = Reading { schema, caller, cursors, tally: &tally };
            async move { reading.all().await }
        }))
        .await;
        let mut robots = Vec::new();
        for caller in &callers {
            robots.push(Keys { app: &app, schema, caller, tally: &tally }.made().await);
        }
        futures_util::future::join_all(callers.iter().zip(&robots).map(|(caller, robots)| {
            let keys = Keys { app: &app, schema, caller, tally: &tally };
            async move { keys.read(robots).await }
        }))
        .await;
        for caller in &callers {
            Keys { app: &app, schema, caller, tally: &tally }.change_nothing().await;
        }
        for (known, other) in [("buyer_admin", "other buyer_admin"), ("supplier", "other supplier")] {
            let (swapped, planted) = (world.swapped(known, other), Tally::default());
            Reading { schema, caller: &swapped, cursors, tally: &planted }.all().await;
            let found = planted.found();
            assert!(found.len() > 50, "{known}: only {} leaks were found where all is foreign", found.len());
        }
        for caller in &callers {
            Changing { app: &app, schema, caller, tally: &tally }.others().await;
        }
        // First what is known to succeed: afterwards people are set aside and signed out by one another.
        let mut done = samples::all(&app, schema, &world, &tally).await;
        for caller in &callers {
            done.extend(Changing { app: &app, schema, caller, tally: &tally }.own().await);
        }
        println!("{}", tally.report(name));
        samples::assert_complete(schema.get("Mutation").fields.iter().map(|field| &field.name), &done);
        println!("{} mutations succeeded for somebody, {} have a reason not to", done.len(), samples::NEVER.len());
        let found = tally.found();
        assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
        app.work();
        app.finish().await;
    })
    .await;
}
