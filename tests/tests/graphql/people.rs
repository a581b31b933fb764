//! People who ask.

use leadyard_connectors::LeadSender;
use leadyard_entity::auth::NewUser;
use leadyard_tests::{OPERATE, TestApp};
use leadyard_types::{BuyerId, Role, SourceId, SupplierId};
use serde_json::{Value, json};

/// Somebody signed in.
pub(crate) struct Asking {
    client: LeadSender,
    token: String,
}

impl Asking {
    /// Somebody who asks with a token.
    pub(crate) fn with(client: LeadSender, token: &str) -> Self {
        Self { client, token: token.to_owned() }
    }

    /// Their session's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Asks, and expects an answer without errors.
    pub(crate) async fn ask(&self, question: &str, variables: Value) -> Value {
        let mut answer = self.raw(question, variables).await;
        assert!(answer["errors"].is_null(), "{question}\n{answer}");
        answer["data"].take()
    }

    /// Asks, whatever the answer; without what the answer cost.
    pub(crate) async fn raw(&self, question: &str, variables: Value) -> Value {
        let (_, mut answer) = self.client.graphql(question, variables, Some(&self.token)).await.unwrap();
        answer.as_object_mut().unwrap().remove("extensions");
        answer
    }

    /// Asks, and gives the answer as it was sent.
    pub(crate) async fn text(&self, question: &str, variables: Value) -> String {
        let body = json!({ "query": question, "variables": variables }).to_string().into_bytes();
        let client = self.client.with_api_key(self.token.clone().into());
        let answer = client.post("/graphql", "application/json", vec![], body).await.unwrap();
        String::from_utf8(answer.body.clone()).unwrap()
    }
}

/// The ids of a connection's nodes.
pub(crate) fn ids(connection: &Value) -> Vec<String> {
    let nodes = connection["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

/// Making people.
pub(crate) trait People {
    /// A member of staff, signed in.
    async fn staff(&self, role: Role) -> Asking;
    /// A buyer's user, signed in.
    async fn buyer_user(&self, buyer: BuyerId) -> Asking;
    /// A buyer's administrator, signed in.
    async fn buyer_admin(&self, buyer: BuyerId) -> Asking;
    /// A user of the supplier of a source, signed in.
    async fn supplier_user(&self, source: SourceId) -> Asking;
}

impl People for TestApp {
    async fn staff(&self, role: Role) -> Asking {
        let email = format!("{}@staff.example", role.as_str().to_lowercase());
        sign_in(self, &email, role, None, None).await
    }

    async fn buyer_user(&self, buyer: BuyerId) -> Asking {
        sign_in(self, &format!("user@{buyer}.example"), Role::BuyerUser, Some(buyer), None).await
    }

    async fn buyer_admin(&self, buyer: BuyerId) -> Asking {
        sign_in(self, &format!("admin@{buyer}.example"), Role::BuyerAdmin, Some(buyer), None).await
    }

    async fn supplier_user(&self, source: SourceId) -> Asking {
        let snapshot = self.app.market.refresh().await.unwrap();
        let supplier = snapshot.sources[&source].supplier_id;
        sign_in(self, "user@supplier.example", Role::Supplier, None, Some(supplier)).await
    }
}

async fn sign_in(
    app: &TestApp,
    email: &str,
    role: Role,
    buyer_id: Option<BuyerId>,
    supplier_id: Option<SupplierId>,
) -> Asking {
    let password = "correct horse battery staple";
    if app.store().sign_in(email, password).await.unwrap().is_none() {
        let new =
            NewUser { email: email.into(), name: email.into(), role, buyer_id, supplier_id, password: password.into() };
        let write = app.store().write(OPERATE).await.unwrap();
        write.create_user(new).await.unwrap();
        let _ = write.commit().await.unwrap();
    }
    signed_in(app, email, password).await.unwrap()
}

/// Somebody who signs in, if they may.
pub(crate) async fn signed_in(app: &TestApp, email: &str, password: &str) -> Option<Asking> {
    let question = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) {
        session { token expiresAt } userErrors { code } } }";
    let client = app.client("");
    let input = json!({ "input": { "email": email, "password": password } });
    let (_, answer) = client.graphql(question, input, None).await.unwrap();
    let token = answer["data"]["sessionCreate"]["session"]["token"].as_str()?.to_owned();
    Some(Asking { client, token })
}
