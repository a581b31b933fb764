//! What to try while the demo's server stays up.

use std::net::SocketAddr;

use super::market::DemoSource;

/// Three questions to GraphQL: why a lead went where it went, what was earned, what is complained about.
pub const QUESTIONS: [(&str, &str); 3] = [
    (
        "why the newest leads went where they went",
        "{ leads(first: 3) { nodes { id state sales { price { amount } buyer { name } deliveries { state } } decision { contracts { contractName refusal { check message } } } } } }",
    ),
    (
        "what was earned, by source",
        "{ profitAndLoss(by: SOURCE, range: { since: \"2026-01-01\", until: \"2099-12-31\" }) { name revenue { amount currency } credits { amount } payout { amount } profit { amount } } }",
    ),
    (
        "which complaints await a decision",
        "{ complaints(first: 5, filter: { state: [OPEN] }) { totalCount nodes { id reason evidence sale { price { amount } buyer { name } } } } }",
    ),
];

/// A lead for the first source of the demo.
pub const LEAD: &str = r#"{"email":"ada@mail.example.com","phone":"030 1234567","first_name":"Ada","last_name":"L","postal_code":"10115","roof":"flat","owner":true,"monthly_bill_eur":250,"consent":{"basis":"asked by phone","purposes":["contact_by_phone"]}}"#;

/// What is printed: commands that can be copied as they are.
#[must_use]
pub fn text(address: SocketAddr, source: &DemoSource, token: &str, password: &str) -> String {
    let mut text = format!(
        "\nThe server stays up at http://{address} (Ctrl-C ends it); from here on its clock goes with yours.
Logins: admin@demo.example, analyst@demo.example, buyer@demo.example; password {password}

Try GraphQL in a browser at http://{address}/graphql, or with curl as the administrator:
  TOKEN={token}
"
    );
    for (about, question) in QUESTIONS {
        let body = serde_json::json!({ "query": question });
        text.push_str(&format!(
            "  # {about}
  curl -s http://{address}/graphql -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{body}'
"
        ));
    }
    text.push_str(&format!(
        "
Send a lead, and ask why it went where it went (leadyard explain LEAD_ID, with the same DATABASE_URL):
  curl -s http://{address}/v1/leads -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d '{LEAD}'
The web form of a source posts to http://{address}/f/{}",
        source.key, source.form_key
    ));
    text
}
