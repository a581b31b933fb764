//! The demo's buyers complain, and its staff decide: through the same GraphQL door that everybody uses.

use anyhow::{Context, bail};
use chrono::Duration;
use leadyard_connectors::LeadSender;
use leadyard_types::{Clock as _, ManualClock, Timestamp};
use serde_json::{Value, json};

use super::people::Dice;

/// So many of a hundred sales are complained about.
const COMPLAINTS_PERCENT: u64 = 5;
/// A day less than the campaigns' window: the clock goes on while they complain.
const COMPLAINT_DAYS: i64 = 13;
/// What buyers say, as often as it stands here.
const REASONS: [&str; 7] =
    ["WRONG_CONTACT", "WRONG_CONTACT", "UNREACHABLE", "UNREACHABLE", "DUPLICATE", "NO_INTEREST", "OUTSIDE_TERMS"];

const SALES: &str =
    "query($after: String) { sales(first: 100, after: $after, orderBy: OLDEST, filter: { state: [SOLD] }) {
    nodes { id soldAt price { amountMinor } } pageInfo { hasNextPage endCursor } } }";
const OPEN: &str = "mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) {
    complaint { id } userErrors { message } } }";
const DECIDE: &str = "mutation($input: ComplaintDecideInput!) { complaintDecide(input: $input) {
    complaint { id } userErrors { message } } }";

/// Goes through everything sold, a day later: some sales are complained about, and most complaints are decided.
pub async fn complain(sender: &LeadSender, token: &str, clock: &ManualClock, seed: u64) -> anyhow::Result<()> {
    let door = Door { sender, token };
    let mut dice = Dice::new(seed.rotate_left(17) ^ 0x00C0_FFEE);
    let mut after = Value::Null;
    loop {
        let page = door.ask(SALES, json!({ "after": after })).await?["sales"].take();
        for sale in page["nodes"].as_array().into_iter().flatten() {
            if dice.percent(COMPLAINTS_PERCENT) && may_complain(sale, clock.now())? {
                clock.advance(Duration::seconds(i64::try_from(30 + dice.below(300)).unwrap_or(60)));
                door.complaint(sale, &mut dice).await?;
            }
        }
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return Ok(());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Whether the buyers' time to complain is not over: a long demo takes weeks on its clock.
fn may_complain(sale: &Value, now: Timestamp) -> anyhow::Result<bool> {
    let sold_at: Timestamp = sale["soldAt"].as_str().context("a moment")?.parse()?;
    Ok(now - sold_at < Duration::days(COMPLAINT_DAYS))
}

struct Door<'a> {
    sender: &'a LeadSender,
    token: &'a str,
}

impl Door<'_> {
    async fn ask(&self, question: &str, variables: Value) -> anyhow::Result<Value> {
        let (status, mut answer) = self.sender.graphql(question, variables, Some(self.token)).await?;
        if !answer["errors"].is_null() {
            bail!("the demo's question was answered {status}: {}", answer["errors"]);
        }
        Ok(answer["data"].take())
    }

    async fn complaint(&self, sale: &Value, dice: &mut Dice) -> anyhow::Result<()> {
        let input = json!({ "saleId": sale["id"], "reason": dice.pick(&REASONS), "evidence": "called three times" });
        let opened = self.ask(OPEN, json!({ "input": input })).await?["complaintOpen"].take();
        let Some(id) = opened["complaint"]["id"].as_str() else { bail!("no complaint was opened: {opened}") };
        let price: i64 = sale["price"]["amountMinor"].as_str().context("a price")?.parse()?;
        let mut input = match dice.below(10) {
            0..=5 => json!({ "verdict": "UPHOLD", "note": "credited in full" }),
            6 => json!({ "verdict": "UPHOLD", "note": "credited by half", "creditMinor": (price / 2).max(1) }),
            7..=8 => json!({ "verdict": "REFUSE", "note": "the number answers" }),
            _ => return Ok(()),
        };
        input["complaintId"] = id.into();
        let decided = self.ask(DECIDE, json!({ "input": input })).await?["complaintDecide"].take();
        if decided["complaint"].is_null() {
            bail!("the complaint was not decided: {decided}");
        }
        Ok(())
    }
}
