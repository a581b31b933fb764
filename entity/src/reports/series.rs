//! What buyers, campaigns, sources and contracts brought over time.

use leadyard_types::{Principal, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::sql::marks;
use crate::store::Read;

/// Of what figures are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeriesOf {
    /// Of buyers: what they bought.
    Buyer,
    /// Of contracts: what was bought by them.
    Contract,
    /// Of campaigns: what came in and what was sold.
    Campaign,
    /// Of sources: what came in by them and what was sold of it.
    Source,
}

impl SeriesOf {
    const fn column(self) -> &'static str {
        match self {
            Self::Buyer => "buyer_id",
            Self::Contract => "contract_id",
            Self::Campaign => "campaign_id",
            Self::Source => "source_id",
        }
    }

    /// Whether leads come in by it, and not only out.
    const fn takes_in(self) -> bool {
        matches!(self, Self::Campaign | Self::Source)
    }
}

/// What came of one piece of time, minor units. A piece in which nothing happened has no row.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct SeriesRow {
    /// Whose.
    pub id: Uuid,
    /// Which piece of time, from 0.
    pub place: i64,
    /// Of which currency; leads that came in have none.
    pub currency: Option<String>,
    /// Leads that came in then; of who only buys, those it bought.
    pub leads: i64,
    /// Those of them that were sold, whenever.
    pub sold_leads: i64,
    /// Sales of then that stand.
    pub sales: i64,
    /// Their prices.
    pub prices_minor: i64,
    /// Those of them that were complained about, whenever.
    pub complained: i64,
    /// What sales earned, by the moment it was booked.
    pub revenue_minor: i64,
    /// What was credited back, by the moment it was booked.
    pub credits_minor: i64,
    /// What suppliers earned less what was taken back, by the moment it was booked.
    pub payout_minor: i64,
}

/// The figures of a row in the order of the statement's parts.
const FIGURES: [&str; 8] =
    ["leads", "sold_leads", "sales", "prices_minor", "complained", "revenue_minor", "credits_minor", "payout_minor"];

/// One part of the statement: a table, the moment it is placed by, and what it says of some figures.
struct Part {
    table: &'static str,
    at: &'static str,
    condition: &'static str,
    currency: &'static str,
    says: Vec<(&'static str, String)>,
}

impl Part {
    /// Rows of the table by piece of time, owner and currency. The owner's ids and the caller's own are bound at its end.
    fn sql(&self, of: SeriesOf, ids: usize, own: &str) -> String {
        let said =
            |figure: &str| self.says.iter().find(|(said, _)| *said == figure).map_or("0", |(_, sum)| sum.as_str());
        let figures: Vec<String> =
            FIGURES.iter().map(|figure| format!("CAST({} AS BIGINT) AS {figure}", said(figure))).collect();
        let Self { table, at, condition, currency, .. } = self;
        format!(
            "SELECT x.{column} AS id, CAST(p.place AS BIGINT) AS place, {currency} AS currency, {figures}
             FROM pieces p JOIN {table} x ON x.{at} >= p.since AND x.{at} < p.until
             WHERE x.{column} IN ({ids}) AND {condition}{own} GROUP BY 1, 2, 3",
            column = of.column(),
            figures = figures.join(", "),
            ids = marks(ids),
        )
    }
}

fn sum(condition: &str, figure: &str) -> String {
    format!("COALESCE(SUM(CASE WHEN {condition} THEN {figure} ELSE 0 END), 0)")
}

/// How much of it a caller sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    Everything,
    /// What it bought.
    Purchases,
    /// What it sent in.
    Leads,
}

/// What the tables say: leads that came in, sales, and the ledger.
fn parts(of: SeriesOf, sees: Sees) -> Vec<Part> {
    let count = || "COUNT(*)".to_owned();
    let mut sales = Part {
        table: "sale",
        at: "sold_at",
        condition: "x.state = 'SOLD' AND NOT x.test",
        currency: "x.currency",
        says: vec![
            ("sales", count()),
            ("prices_minor", "SUM(x.price_minor)".to_owned()),
            ("complained", sum("EXISTS (SELECT 1 FROM complaint c WHERE c.sale_id = x.id)", "1")),
        ],
    };
    let mut booked = Part {
        table: "ledger_transfer",
        at: "posted_at",
        condition: "x.kind IN ('SALE', 'COMPLAINT_CREDIT', 'MANUAL_CREDIT')",
        currency: "x.currency",
        says: vec![
            ("revenue_minor", sum("x.kind = 'SALE'", "x.amount_minor")),
            ("credits_minor", sum("x.kind IN ('COMPLAINT_CREDIT', 'MANUAL_CREDIT')", "x.amount_minor")),
        ],
    };
    if sees == Sees::Everything {
        booked.condition = "x.kind IN ('SALE', 'COMPLAINT_CREDIT', 'MANUAL_CREDIT', 'PAYOUT', 'CLAWBACK')";
        let paid = sum("x.kind = 'CLAWBACK'", "-x.amount_minor");
        booked.says.push(("payout_minor", format!("{} + {paid}", sum("x.kind = 'PAYOUT'", "x.amount_minor"))));
    }
    if !of.takes_in() {
        // One lead is sold once to a buyer.
        sales.says.extend([("leads", count()), ("sold_leads", count())]);
        return vec![sales, booked];
    }
    let leads = Part {
        table: "lead",
        at: "received_at",
        condition: "NOT x.test",
        currency: "CAST(NULL AS TEXT)",
        says: vec![("leads", count()), ("sold_leads", sum("x.state = 'SOLD'", "1"))],
    };
    if sees == Sees::Leads { vec![leads] } else { vec![leads, sales, booked] }
}

impl Read {
    /// What things of a kind brought in each piece of time: one statement however many there are. Outsiders have the
    /// figures of their own purchases, or of the leads they sent, only; none of what suppliers earned.
    pub async fn series(
        &self,
        of: SeriesOf,
        ids: &[Uuid],
        pieces: &[(Timestamp, Timestamp)],
    ) -> StoreResult<Vec<SeriesRow>> {
        if ids.is_empty() || pieces.is_empty() {
            return Ok(Vec::new());
        }
        let (sees, own) = match self.principal {
            Principal::Staff { .. } | Principal::System(_) => (Sees::Everything, None),
            Principal::Buyer { buyer_id, .. } if !of.takes_in() => (Sees::Purchases, Some(("buyer_id", buyer_id.0))),
            Principal::Supplier { supplier_id, .. } if of == SeriesOf::Source => {
                (Sees::Leads, Some(("supplier_id", supplier_id.0)))
            }
            _ => return Ok(Vec::new()),
        };
        let only = own.map(|(column, _)| format!(" AND x.{column} = ?")).unwrap_or_default();
        let parts = parts(of, sees);
        let places: Vec<String> = (0..pieces.len()).map(|place| format!("({place},?,?)")).collect();
        let selects: Vec<String> = parts.iter().map(|part| part.sql(of, ids.len(), &only)).collect();
        let sql = format!(
            "WITH pieces (place, since, until) AS (VALUES {}) {}",
            places.join(","),
            selects.join(" UNION ALL ")
        );
        let mut values: Vec<Value> =
            pieces.iter().flat_map(|(since, until)| [(*since).into(), (*until).into()]).collect();
        for _ in &parts {
            values.extend(ids.iter().map(|id| Value::from(*id)));
            values.extend(own.map(|(_, id)| Value::from(id)));
        }
        self.rows(&sql, values).await
    }
}
