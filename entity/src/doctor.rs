//! The figures behind `doctor`'s proofs: each query counts what must not be.

use sea_orm::FromQueryResult;

use crate::error::StoreResult;
use crate::sql::statement;
use crate::store::{Engine, Read};

#[derive(FromQueryResult)]
struct Figure {
    figure: i64,
}

/// Something that must not be: what it is, and the query that counts it.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The proof's name.
    pub name: &'static str,
    /// Counts faults as `figure`.
    pub sql: &'static str,
    /// What to do where there are some.
    pub advice: &'static str,
}

/// What must not be, in the order it is looked for.
pub const FAULTS: [Fault; 16] = [
    Fault {
        name: "every currency's balances sum to zero",
        sql: "SELECT COUNT(*) AS figure FROM (SELECT currency FROM ledger_account GROUP BY currency HAVING SUM(balance_minor) <> 0) x",
        advice: "stop selling and restore: money appeared or vanished outside a transfer",
    },
    Fault {
        name: "every stored balance equals the sum of its transfers",
        sql: "SELECT COUNT(*) AS figure FROM ledger_account a WHERE a.balance_minor <>
              COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.credit_account_id = a.id), 0)
            - COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.debit_account_id = a.id), 0)",
        advice: "a cached balance was changed by hand: recompute it from ledger_transfer",
    },
    Fault {
        name: "what is held equals the open holds",
        sql: "SELECT COUNT(*) AS figure FROM ledger_account a WHERE a.held_minor <> COALESCE((SELECT SUM(h.amount_minor) FROM hold h
              LEFT JOIN hold_resolution r ON r.hold_id = h.id WHERE h.account_id = a.id AND r.hold_id IS NULL), 0)",
        advice: "a hold was resolved without freeing its money",
    },
    Fault {
        name: "open holds belong to sales that await an answer",
        sql: "SELECT COUNT(*) AS figure FROM hold h LEFT JOIN hold_resolution r ON r.hold_id = h.id JOIN sale s ON s.id = h.sale_id
              WHERE r.hold_id IS NULL AND s.state NOT IN ('PENDING', 'UNKNOWN')",
        advice: "the sale was settled without its hold",
    },
    Fault {
        name: "no wallet is overdrawn",
        sql: "SELECT COUNT(*) AS figure FROM ledger_account WHERE kind = 'BUYER_WALLET' AND balance_minor - held_minor + credit_limit_minor < 0
              AND EXISTS (SELECT 1 FROM ledger_transfer t WHERE t.debit_account_id = ledger_account.id)",
        advice: "a sale went beyond balance and credit limit (or the limit was lowered since)",
    },
    Fault {
        name: "every sold sale was charged once, at its price",
        sql: "SELECT COUNT(*) AS figure FROM sale s WHERE s.state = 'SOLD' AND s.price_minor > 0 AND
              COALESCE((SELECT SUM(amount_minor) FROM ledger_transfer t WHERE t.lead_id = s.lead_id AND t.sale_id = s.id AND t.kind = 'SALE'), 0) <> s.price_minor",
        advice: "look at the sale's transfers",
    },
    Fault {
        name: "no sale was charged that is not sold",
        sql: "SELECT COUNT(*) AS figure FROM ledger_transfer t JOIN sale s ON s.id = t.sale_id WHERE t.kind = 'SALE' AND s.state <> 'SOLD'",
        advice: "look at the sale's transfers",
    },
    Fault {
        name: "no sale is credited beyond its price",
        sql: "SELECT COUNT(*) AS figure FROM (SELECT t.sale_id FROM ledger_transfer t JOIN sale s ON s.id = t.sale_id WHERE t.kind = 'COMPLAINT_CREDIT'
              GROUP BY t.sale_id, s.price_minor HAVING SUM(t.amount_minor) > s.price_minor) x",
        advice: "look at the sale's complaints: take back what was credited too much",
    },
    Fault {
        name: "every complaint moved the money it says",
        sql: "SELECT COUNT(*) AS figure FROM complaint c WHERE (c.state <> 'UPHELD' AND c.credit_minor + c.clawback_minor <> 0)
              OR c.credit_minor <> COALESCE((SELECT SUM(t.amount_minor) FROM ledger_transfer t WHERE t.lead_id = c.lead_id AND t.complaint_id = c.id AND t.kind = 'COMPLAINT_CREDIT'), 0)
              OR c.clawback_minor <> COALESCE((SELECT SUM(t.amount_minor) FROM ledger_transfer t WHERE t.lead_id = c.lead_id AND t.complaint_id = c.id AND t.kind = 'CLAWBACK'), 0)",
        advice: "look at the complaint's transfers",
    },
    Fault {
        name: "nothing is taken back that was not paid out",
        sql: "SELECT COUNT(*) AS figure FROM (SELECT t.lead_id FROM ledger_transfer t WHERE t.kind IN ('PAYOUT', 'CLAWBACK') AND t.lead_id IN
              (SELECT c.lead_id FROM complaint c) GROUP BY t.lead_id HAVING SUM(CASE WHEN t.kind = 'PAYOUT' THEN t.amount_minor ELSE -t.amount_minor END) < 0) x",
        advice: "look at the lead's transfers to the supplier",
    },
    Fault {
        name: "no exclusive lead is sold twice",
        sql: "SELECT COUNT(*) AS figure FROM (SELECT lead_id FROM sale WHERE state IN ('PENDING', 'SOLD', 'UNKNOWN')
              GROUP BY lead_id HAVING COUNT(*) > 1 AND MAX(CASE WHEN exclusive THEN 1 ELSE 0 END) = 1) x",
        advice: "the unique index sale_exclusive_once is missing",
    },
    Fault {
        name: "no lead is sold twice to a buyer or group",
        sql: "SELECT COUNT(*) AS figure FROM (SELECT lead_id FROM sale WHERE state IN ('PENDING', 'SOLD', 'UNKNOWN')
              GROUP BY lead_id, group_id HAVING COUNT(*) > 1) x",
        advice: "the unique index sale_once_per_group is missing",
    },
    Fault {
        name: "a lead is sold exactly if it has a sold sale",
        sql: "SELECT COUNT(*) AS figure FROM lead l WHERE (l.state = 'SOLD') <> EXISTS (SELECT 1 FROM sale s WHERE s.lead_id = l.id AND s.state = 'SOLD')",
        advice: "the lead's state was changed without its sale",
    },
    Fault {
        name: "cap counters equal the sales log",
        sql: "SELECT COUNT(*) AS figure FROM cap_counter c WHERE EXISTS (SELECT 1 FROM sale s WHERE s.contract_id = c.owner_id OR s.buyer_id = c.owner_id OR s.campaign_id = c.owner_id)
              AND c.count <> (SELECT COUNT(*) FROM sale s WHERE s.counted AND s.sold_at >= c.starts_at AND s.sold_at < c.ends_at
                              AND (s.contract_id = c.owner_id OR s.buyer_id = c.owner_id OR s.campaign_id = c.owner_id))",
        advice: "delete the counter rows concerned; they are counted anew from the log",
    },
    Fault {
        name: "every decision has its lead's inputs and revisions",
        sql: "SELECT COUNT(*) AS figure FROM decision d WHERE NOT EXISTS (SELECT 1 FROM revision r WHERE r.id = d.campaign_revision_id)",
        advice: "revisions were removed: restore them from a backup",
    },
    Fault {
        name: "no task was given up",
        sql: "SELECT COUNT(*) AS figure FROM task WHERE dead_at IS NOT NULL",
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
    /// How often a fault is there.
    pub async fn count_faults(&self, fault: &Fault) -> StoreResult<i64> {
        let found =
            Figure::find_by_statement(statement(self.backend(), fault.sql, vec![])).one(self.connection()).await?;
        Ok(found.map_or(0, |row| row.figure))
    }

    /// The sum of stored balances per currency.
    pub async fn ledger_sums(&self) -> StoreResult<Vec<LedgerSum>> {
        let sql = "SELECT currency, CAST(SUM(balance_minor) AS BIGINT) AS sum_minor,
                   (SELECT COUNT(*) FROM ledger_transfer t WHERE t.currency = a.currency) AS transfers
                   FROM ledger_account a GROUP BY currency ORDER BY currency";
        Ok(LedgerSum::find_by_statement(statement(self.backend(), sql, vec![])).all(self.connection()).await?)
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
        let settings =
            Settings::find_by_statement(statement(self.backend(), sql, vec![])).one(self.connection()).await?;
        let quick =
            Quick::find_by_statement(statement(self.backend(), "SELECT quick_check FROM pragma_quick_check", vec![]));
        let quick = quick.one(self.connection()).await?.is_some_and(|row| row.quick_check == "ok");
        Ok(settings.map(|row| (row.journal == "wal", row.synchronous == 2, quick)))
    }
}
