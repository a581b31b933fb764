//! Keys are looked up together, and each caller gets its own answer (domain page, section 2: a source's key).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::time::Duration;

use leadyard_tests::market::Selling;
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::Principal;
use tokio::task::JoinSet;

const CALLERS: usize = 300;

/// Right, wrong and revoked keys at once: each its own answer, in far fewer statements than callers; one that gives up
/// waiting leaves nobody else without an answer; and a key that is revoked opens nothing from then on.
#[tokio::test(flavor = "multi_thread")]
async fn callers_share_statements_not_answers() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let write = app.store().write(OPERATE).await.unwrap();
        let revoked_key = write.create_key(market.source_id, "old").await.unwrap();
        let _ = write.commit().await.unwrap();
        let wrong_key = format!("{}x", market.key);
        let of = |source_id| Some(Principal::Source { source_id });
        assert_eq!(app.store().authenticate(&revoked_key).await.unwrap(), of(market.source_id));
        let write = app.store().write(OPERATE).await.unwrap();
        let revoked = write.active_source_keys(market.source_id).await.unwrap();
        let revoked = revoked.iter().find(|key| key.label == "old").unwrap().id;
        assert!(write.revoke_key(leadyard_types::ApiKeyId(revoked)).await.unwrap());
        let _ = write.commit().await.unwrap();
        let before = app.store().statements();
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let (store, right) = (app.store().clone(), of(market.source_id));
            let (key, wanted) = match number % 4 {
                0 | 1 => (market.key.clone(), right),
                2 => (wrong_key.clone(), None),
                _ => (revoked_key.clone(), None),
            };
            callers.spawn(async move {
                if number % 5 == 0 {
                    // Gives up at some moment, perhaps while it asks for everybody.
                    let patience = Duration::from_micros(u64::try_from(number).unwrap());
                    let _ = tokio::time::timeout(patience, store.authenticate(&key)).await;
                    return;
                }
                assert_eq!(store.authenticate(&key).await.unwrap(), wanted, "{number}");
            });
        }
        tokio::time::timeout(Duration::from_secs(30), callers.join_all()).await.expect("somebody waits for ever");
        let statements = app.store().statements() - before;
        assert!(statements < CALLERS as u64 / 2, "{statements} statements for {CALLERS} callers");
        app.finish().await;
    }
}
