//! `leadyard user`, run as a person runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use common::{Place, failed};
use leadyard::app::open_store;

const PASSWORD: &str = "long enough for a test";

/// A user is made with an address that signs in: what is none is refused and said, a host without a dot is a domain.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_an_address() {
    for place in Place::both().await {
        let create = |email: &str| {
            let mut create = place.leadyard(&["user", "create", email, "--name", "Ada", "--role", "ADMIN"]);
            create.env("LEADYARD_PASSWORD", PASSWORD).output().unwrap()
        };
        for wrong in ["", "root", "ada@", "Ada <ada@operator.example>", "ada@one.example,ada@two.example"] {
            let said = failed(&create(wrong));
            assert!(said.contains("cannot sign in") && said.contains("name@example.com"), "{wrong}: {said}");
        }
        for right in ["Ada@operator.example", "admin@localhost"] {
            assert!(create(right).status.success(), "{right}");
        }
        let store = open_store(&place.config()).await.unwrap();
        for email in ["ada@operator.example", "admin@localhost"] {
            assert!(store.sign_in(email, PASSWORD).await.unwrap().is_some(), "{email}");
        }
        store.close().await;
        place.remove().await;
    }
}
