//! The queries behind `doctor`'s proofs: each finds the rows that must not be.

use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::StoreResult;
use crate::sql::statement;
use crate::store::{Engine, Read};

/// How many of the rows that break a proof are named.
const ROWS_NAMED: usize = 10;

#[derive(FromQueryResult)]
struct Figure {
    figure: i64,
}

#[derive(FromQueryResult)]
struct Row {
    what: String,
    id: Option<Uuid>,
}

/// Something that must not be: what it is, and the query that finds it.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The proof's name.
    pub name: &'static str,
    /// Finds the rows that break it, as `what` (a text) and `id` (or NULL, where the text says it all).
    pub sql: &'static str,
    /// What to do where there are some.
    pub advice: &'static str,
}

/// The rows that break a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faulty {
    /// How many there are.
    pub count: i64,
    /// The first of them, for example `ledger_account 0190…`.
    pub rows: Vec<String>,
}

impl Faulty {
    /// Lines of the audit.
    #[must_use]
    pub fn of(lines: &[i64]) -> Self {
        let rows = lines.iter().take(ROWS_NAMED).map(|no| format!("audit {no}")).collect();
        Self { count: i64::try_from(lines.len()).unwrap_or(i64::MAX), rows }
    }
}

/// What must not be, in the order it is looked for: money, caps, sales, what belongs to them, work.
pub const FAULTS: [Fault; 21] = [
    Fault {
        name: "every currency's balances sum to zero",
        sql: "SELECT currency AS what, CAST(NULL AS UUID) AS id FROM ledger_account GROUP BY currency HAVING SUM(balance_minor) <> 0",
        advice: "stop selling and restore: money appeared or vanished outside a transfer",
    },
    Fault {
        name: "every stored balance equals the sum of its transfers",
        sql: "SELECT 'ledger_account' AS what, a.id AS id FROM ledger_account a WHERE a.balance_minor <>
              COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.credit_account_id = a.id), 0)
            - COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.debit_account_id = a.id), 0)",
        advice: "a cached balance was changed by hand: recompute it from ledger_transfer",
    },
    Fault {
        name: "what is held equals the open holds",
        sql: "SELECT 'ledger_account' AS what, a.id AS id FROM ledger_account a WHERE a.held_minor <>
              COALESCE((SELECT SUM(h.amount_minor) FROM hold h
              LEFT JOIN hold_resolution r ON r.hold_id = h.id WHERE h.account_id = a.id AND r.hold_id IS NULL), 0)",
        advice: "a hold was resolved without freeing its money",
    },
    Fault {
        name: "open holds belong to sales that await an answer",
        sql: "SELECT 'hold' AS what, h.id AS id FROM hold h LEFT JOIN hold_resolution r ON r.hold_id = h.id
              LEFT JOIN sale s ON s.id = h.sale_id
              WHERE r.hold_id IS NULL AND (s.id IS NULL OR s.state NOT IN ('PENDING', 'UNKNOWN'))",
        advice: "the sale was settled without its hold",
    },
    Fault {
        name: "sales that await an answer have an open hold",
        sql: "SELECT 'sale' AS what, s.id AS id FROM sale s WHERE s.state IN ('PENDING', 'UNKNOWN') AND s.price_minor > 0
              AND NOT EXISTS (SELECT 1 FROM hold h LEFT JOIN hold_resolution r ON r.hold_id = h.id
                              WHERE h.sale_id = s.id AND r.hold_id IS NULL AND h.amount_minor = s.price_minor)",
        advice: "its money is not reserved: resolve the sale before the buyer spends it otherwise",
    },
    Fault {
        name: "no wallet is overdrawn",
        sql: "SELECT 'ledger_account' AS what, id FROM ledger_account WHERE kind = 'BUYER_WALLET'
              AND balance_minor - held_minor + credit_limit_minor < 0
              AND EXISTS (SELECT 1 FROM ledger_transfer t WHERE t.debit_account_id = ledger_account.id)",
        advice: "a sale went beyond balance and credit limit (or the limit was lowered since)",
    },
    Fault {
        name: "every sold sale was charged once, at its price",
        sql: "SELECT 'sale' AS what, s.id AS id FROM sale s WHERE s.state = 'SOLD' AND s.price_minor > 0 AND
              COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.lead_id = s.lead_id AND t.sale_id = s.id
                        AND t.kind = 'SALE'), 0) <> s.price_minor",
        advice: "look at the sale's transfers",
    },
    Fault {
        name: "no sale was charged that is not sold",
        sql: "SELECT 'ledger_transfer' AS what, t.id AS id FROM ledger_transfer t LEFT JOIN sale s ON s.id = t.sale_id
              WHERE t.kind = 'SALE' AND (s.id IS NULL OR s.state <> 'SOLD')",
        advice: "look at the sale's transfers",
    },
    Fault {
        name: "every sold sale paid its supplier once",
        sql: "SELECT 'sale' AS what, s.id AS id FROM sale s WHERE s.state = 'SOLD' AND s.payout_minor > 0 AND
              COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.lead_id = s.lead_id AND t.sale_id = s.id
                        AND t.kind = 'PAYOUT'), 0) <> s.payout_minor",
        advice: "look at the sale's transfers",
    },
    Fault {
        name: "no sale is credited beyond its price",
        sql: "SELECT 'sale' AS what, t.sale_id AS id FROM ledger_transfer t JOIN sale s ON s.id = t.sale_id
              WHERE t.kind = 'COMPLAINT_CREDIT' GROUP BY t.sale_id, s.price_minor HAVING SUM(t.amount_minor) > s.price_minor",
        advice: "look at the sale's complaints: take back what was credited too much",
    },
    Fault {
        name: "every complaint moved the money it says",
        sql: "SELECT 'complaint' AS what, c.id AS id FROM complaint c WHERE (c.state <> 'UPHELD' AND c.credit_minor + c.clawback_minor <> 0)
              OR c.credit_minor <> COALESCE((SELECT SUM(t.amount_minor) FROM ledger_transfer t WHERE t.lead_id = c.lead_id AND t.complaint_id = c.id AND t.kind = 'COMPLAINT_CREDIT'), 0)
              OR c.clawback_minor <> COALESCE((SELECT SUM(t.amount_minor) FROM ledger_transfer t WHERE t.lead_id = c.lead_id AND t.complaint_id = c.id AND t.kind = 'CLAWBACK'), 0)",
        advice: "look at the complaint's transfers",
    },
    Fault {
        name: "nothing is taken back that was not paid out",
        sql: "SELECT 'lead' AS what, t.lead_id AS id FROM ledger_transfer t WHERE t.kind IN ('PAYOUT', 'CLAWBACK') AND t.lead_id IN
              (SELECT c.lead_id FROM complaint c) GROUP BY t.lead_id
              HAVING SUM(CASE WHEN t.kind = 'PAYOUT' THEN t.amount_minor ELSE -t.amount_minor END) < 0",
        advice: "look at the lead's transfers to the supplier",
    },
    Fault {
        name: "cap counters equal the sales log",
        sql: "SELECT 'cap_counter ' || c.period || ' of' AS what, c.owner_id AS id FROM cap_counter c WHERE CASE
              WHEN EXISTS (SELECT 1 FROM source x WHERE x.id = c.owner_id) THEN
                  c.count <> (SELECT COUNT(*) FROM lead l WHERE l.accepted AND l.source_id = c.owner_id
                              AND l.received_at >= c.starts_at AND l.received_at < c.ends_at)
              ELSE
                  c.count <> (SELECT COUNT(*) FROM sale s WHERE s.counted AND s.sold_at >= c.starts_at AND s.sold_at < c.ends_at
                              AND (s.contract_id = c.owner_id OR s.buyer_id = c.owner_id OR s.campaign_id = c.owner_id))
                  OR c.amount_minor <> COALESCE((SELECT SUM(s.price_minor) FROM sale s
                              WHERE s.counted AND s.sold_at >= c.starts_at AND s.sold_at < c.ends_at
                              AND (s.contract_id = c.owner_id OR s.buyer_id = c.owner_id OR s.campaign_id = c.owner_id)), 0)
              END",
        advice: "delete the counter rows concerned; they are counted anew from the log",
    },
    Fault {
        name: "no exclusive lead is sold twice",
        sql: "SELECT 'lead' AS what, lead_id AS id FROM sale WHERE state IN ('PENDING', 'SOLD', 'UNKNOWN')
              GROUP BY lead_id HAVING COUNT(*) > 1 AND MAX(CASE WHEN exclusive THEN 1 ELSE 0 END) = 1",
        advice: "the unique index sale_exclusive_once is missing",
    },
    Fault {
        name: "no lead is sold twice to a buyer or group",
        sql: "SELECT 'lead' AS what, lead_id AS id FROM sale WHERE state IN ('PENDING', 'SOLD', 'UNKNOWN')
              GROUP BY lead_id, group_id HAVING COUNT(*) > 1",
        advice: "the unique index sale_once_per_group is missing",
    },
    Fault {
        name: "a lead is sold exactly if it has a sold sale",
        sql: "SELECT 'lead' AS what, l.id AS id FROM lead l
              WHERE NOT l.test AND (l.state = 'SOLD') <> EXISTS (SELECT 1 FROM sale s WHERE s.lead_id = l.id AND s.state = 'SOLD')",
        advice: "the lead's state was changed without its sale",
    },
    Fault {
        name: "every sale has its lead's decision",
        sql: "SELECT 'sale' AS what, s.id AS id FROM sale s LEFT JOIN decision d ON d.id = s.decision_id
              WHERE d.id IS NULL OR d.lead_id <> s.lead_id",
        advice: "decisions were removed: restore them from a backup",
    },
    Fault {
        name: "every decision has its lead's inputs and revisions",
        sql: "SELECT 'decision' AS what, d.id AS id FROM decision d
              WHERE NOT EXISTS (SELECT 1 FROM revision r WHERE r.id = d.campaign_revision_id)
                 OR NOT EXISTS (SELECT 1 FROM revision r WHERE r.id = d.source_revision_id)
                 OR NOT EXISTS (SELECT 1 FROM lead l WHERE l.id = d.lead_id)",
        advice: "revisions were removed: restore them from a backup",
    },
    Fault {
        name: "every delivery belongs to a sale",
        sql: "SELECT 'delivery' AS what, d.id AS id FROM delivery d LEFT JOIN sale s ON s.id = d.sale_id
              WHERE s.id IS NULL OR s.lead_id <> d.lead_id OR s.buyer_id <> d.buyer_id",
        advice: "somebody is sent a lead that was not sold to them: stop it and look at the delivery's lead",
    },
    Fault {
        // A contract without destinations leaves its leads in the portal.
        name: "every sold sale is delivered somewhere",
        sql: "SELECT 'sale' AS what, s.id AS id FROM sale s JOIN revision r ON r.id = s.contract_revision_id
              WHERE s.state = 'SOLD' AND r.terms NOT LIKE '%\"destinations\":[]%'
                AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.sale_id = s.id)",
        advice: "the buyer paid for a lead that nothing brings there: restore the delivery, or credit the sale",
    },
    Fault {
        name: "no task was given up",
        sql: "SELECT 'task' AS what, id FROM task WHERE dead_at IS NOT NULL",
        advice: "look at the task's last_error, mend the cause, and replay what it was for",
    },
];

/// A currency's stored balances, summed.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct LedgerSum {
    /// The currency.
    pub currency: String,
    /// The sum of all stored balances: zero, always.
    pub sum_minor: i64,
    /// How many transfers were posted.
    pub transfers: i64,
}

impl Read {
    /// The rows that break a proof, counted and the first of them named.
    pub async fn find_faults(&self, fault: &Fault) -> StoreResult<Faulty> {
        let count: Vec<Figure> = self.found(&format!("SELECT COUNT(*) AS figure FROM ({}) x", fault.sql)).await?;
        let count = count.first().map_or(0, |row| row.figure);
        if count == 0 {
            return Ok(Faulty::default());
        }
        let sql = format!("SELECT what, id FROM ({}) x ORDER BY id, what LIMIT {ROWS_NAMED}", fault.sql);
        let rows: Vec<Row> = self.found(&sql).await?;
        let named = |row: Row| row.id.map_or_else(|| row.what.clone(), |id| format!("{} {id}", row.what));
        Ok(Faulty { count, rows: rows.into_iter().map(named).collect() })
    }

    async fn found<T: FromQueryResult>(&self, sql: &str) -> StoreResult<Vec<T>> {
        Ok(T::find_by_statement(statement(self.backend(), sql, vec![])).all(self.connection()).await?)
    }

    /// The sum of stored balances per currency.
    pub async fn ledger_sums(&self) -> StoreResult<Vec<LedgerSum>> {
        self.found(
            "SELECT currency, CAST(SUM(balance_minor) AS BIGINT) AS sum_minor,
             (SELECT COUNT(*) FROM ledger_transfer t WHERE t.currency = a.currency) AS transfers
             FROM ledger_account a GROUP BY currency ORDER BY currency",
        )
        .await
    }

    /// Settings of SQLite that keep what was acknowledged: (journal mode is WAL, synchronous is FULL, quick check is ok).
    pub async fn sqlite_settings(&self) -> StoreResult<Option<(bool, bool, bool)>> {
        #[derive(FromQueryResult)]
        struct Settings {
            journal: String,
            synchronous: i64,
        }
        #[derive(FromQueryResult)]
        struct Quick {
            quick_check: String,
        }
        if self.store.engine() != Engine::Sqlite {
            return Ok(None);
        }
        let sql = "SELECT (SELECT journal_mode FROM pragma_journal_mode) AS journal, (SELECT synchronous FROM pragma_synchronous) AS synchronous";
        let settings: Vec<Settings> = self.found(sql).await?;
        let quick: Vec<Quick> = self.found("SELECT quick_check FROM pragma_quick_check").await?;
        let quick = quick.first().is_some_and(|row| row.quick_check == "ok");
        Ok(settings.first().map(|row| (row.journal == "wal", row.synchronous == 2, quick)))
    }
}
