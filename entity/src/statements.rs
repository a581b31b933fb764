//! Statements of accounts: what stood in them, everything that moved it, and what stands in them then. All of it is summed
//! up from the transfers and the holds themselves, never from the stored balances, so that the two prove each other.

mod entries;

use leadyard_types::{AccountId, Timestamp, TransferKind, words};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

pub use self::entries::{StatementEntry, is_entry_cursor};
use crate::error::{StoreError, StoreResult};
use crate::model::ledger_account;
use crate::store::Read;

words! {
    /// What a line of a statement is about.
    pub enum EntryKind("kind of entry") {
        /// Money was reserved: the balance stays, less of it is available.
        Hold = "HOLD",
        /// A reservation ended because its money was taken; the transfer stands beside it.
        HoldPosted = "HOLD_POSTED",
        /// A reservation ended and its money was let go.
        HoldVoided = "HOLD_VOIDED",
        /// Money moved.
        Transfer = "TRANSFER",
    }
}

/// What moved accounts within a piece of time, minor units. A piece in which nothing happened has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSum {
    /// The account.
    pub account: AccountId,
    /// Which piece of time, from 0; `None` is everything before the first.
    pub place: Option<usize>,
    /// What kind of lines; of those before the first piece only whether money moved.
    pub kind: EntryKind,
    /// Why money moved, of transfers within a piece.
    pub transfer: Option<TransferKind>,
    /// How many lines, within a piece.
    pub lines: u64,
    /// What they added to the balance, less what they took.
    pub change_minor: i64,
    /// What they added to what is held, less what they let go.
    pub held_minor: i64,
}

/// Which lines. Empty lists mean any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EntryFilter {
    /// Of these kinds.
    pub kinds: Vec<EntryKind>,
    /// Of transfers, for these reasons; lines of holds are then left out.
    pub transfers: Vec<TransferKind>,
}

impl EntryFilter {
    /// Whether a sum is of lines that fit.
    #[must_use]
    pub fn takes(&self, sum: &AccountSum) -> bool {
        let transfer = |wanted: &TransferKind| sum.transfer == Some(*wanted);
        (self.kinds.is_empty() || self.kinds.contains(&sum.kind))
            && (self.transfers.is_empty() || self.transfers.iter().any(transfer))
    }
}

/// The order within one moment: a hold begins, ends, and the money moves.
const HOLDS: i64 = 0;
const HOLD_ENDS: i64 = 1;
const TRANSFERS: i64 = 2;

/// Where lines of one part come from.
struct Part {
    /// The table whose rows they are, as `x`, with what says when they are.
    from: &'static str,
    /// What makes rows of it, as a condition.
    joined: &'static str,
    account: &'static str,
    at: &'static str,
    part: i64,
    word: &'static str,
    change: &'static str,
    held: &'static str,
}

/// What moves accounts: transfers on both their sides, holds as they begin and as they end.
const PARTS: [Part; 4] = [
    Part {
        from: "ledger_transfer x",
        joined: "1 = 1",
        account: "x.debit_account_id",
        at: "x.posted_at",
        part: TRANSFERS,
        word: "x.kind",
        change: "-x.amount_minor",
        held: "0",
    },
    Part {
        from: "ledger_transfer x",
        joined: "1 = 1",
        account: "x.credit_account_id",
        at: "x.posted_at",
        part: TRANSFERS,
        word: "x.kind",
        change: "x.amount_minor",
        held: "0",
    },
    Part {
        from: "hold x",
        joined: "1 = 1",
        account: "x.account_id",
        at: "x.created_at",
        part: HOLDS,
        word: "'HOLD'",
        change: "0",
        held: "x.amount_minor",
    },
    Part {
        // In this order on SQLite, too, which would else go from every end to its hold.
        from: "hold x CROSS JOIN hold_resolution r",
        joined: "r.hold_id = x.id",
        account: "x.account_id",
        at: "r.resolved_at",
        part: HOLD_ENDS,
        word: "'HOLD_' || r.kind",
        change: "0",
        held: "-x.amount_minor",
    },
];

impl Part {
    /// What its lines of an account that fit a condition add up to, of one of a line's figures; `None` where that figure
    /// is always zero. Nothing is sorted for it.
    fn sum(&self, figure: &str, account: &str, condition: &str) -> Option<String> {
        let Self { from, joined, account: own, .. } = self;
        let sum = || {
            format!(
                "COALESCE((SELECT SUM({figure}) FROM {from}
                 WHERE {joined} AND {own} = {account} AND {condition}), 0)"
            )
        };
        (figure != "0").then(sum)
    }

    /// What its lines before a moment add up to, for each of the accounts `a`. Binds the moment.
    fn before(&self) -> String {
        let sum = |figure| self.sum(figure, "a.id", &format!("{} < ?", self.at)).unwrap_or_else(|| "0".to_owned());
        format!(
            "SELECT a.id AS account_id, CAST(-1 AS BIGINT) AS place, CAST({} AS BIGINT) AS part,
             CAST(NULL AS TEXT) AS word, CAST(0 AS BIGINT) AS lines, CAST({} AS BIGINT) AS change_minor,
             CAST({} AS BIGINT) AS held_minor FROM accounts a WHERE a.id IS NOT NULL",
            self.part,
            sum(self.change),
            sum(self.held)
        )
    }

    /// Its lines within pieces of time, summed up by account, piece and word.
    fn within(&self) -> String {
        let Self { from, joined, account, at, part, word, change, held } = self;
        format!(
            "SELECT {account} AS account_id, CAST(p.place AS BIGINT) AS place, CAST({part} AS BIGINT) AS part,
             {word} AS word, CAST(COUNT(*) AS BIGINT) AS lines, CAST(SUM({change}) AS BIGINT) AS change_minor,
             CAST(SUM({held}) AS BIGINT) AS held_minor
             FROM pieces p CROSS JOIN {from}
             WHERE {joined} AND {at} >= p.since AND {at} < p.until AND {account} IN (SELECT id FROM accounts)
             GROUP BY 1, 2, 3, 4"
        )
    }

    /// All parts, one under the other.
    fn all(sql: impl Fn(&Self) -> String) -> String {
        PARTS.iter().map(sql).collect::<Vec<_>>().join(" UNION ALL ")
    }
}

#[derive(FromQueryResult)]
struct SumRow {
    account_id: Uuid,
    place: i64,
    part: i64,
    /// Of lines before the first piece nobody asks which.
    word: Option<String>,
    lines: i64,
    change_minor: i64,
    held_minor: i64,
}

impl SumRow {
    fn read(self) -> StoreResult<AccountSum> {
        let is_transfer = self.part == TRANSFERS;
        let word = self.word.as_deref();
        let hold = || word.map_or(Ok(EntryKind::Hold), str::parse).map_err(StoreError::corrupt);
        let transfer = word.filter(|_| is_transfer).map(str::parse).transpose().map_err(StoreError::corrupt)?;
        Ok(AccountSum {
            account: AccountId(self.account_id),
            place: usize::try_from(self.place).ok(),
            kind: if is_transfer { EntryKind::Transfer } else { hold()? },
            transfer,
            lines: u64::try_from(self.lines).unwrap_or_default(),
            change_minor: self.change_minor,
            held_minor: self.held_minor,
        })
    }
}

impl Read {
    /// The accounts of these that the caller sees.
    async fn own_accounts(&self, accounts: &[Uuid]) -> StoreResult<Vec<Uuid>> {
        let seen = self.by_ids::<ledger_account::Entity>(accounts).await?;
        Ok(accounts.iter().copied().filter(|id| seen.contains_key(id)).collect())
    }

    /// What moved accounts in each of some pieces of time that follow each other, and before the first of them: two
    /// statements however many accounts and pieces.
    pub async fn account_sums(
        &self,
        accounts: &[Uuid],
        pieces: &[(Timestamp, Timestamp)],
    ) -> StoreResult<Vec<AccountSum>> {
        let accounts = self.own_accounts(accounts).await?;
        let Some((first, _)) = pieces.first().filter(|_| !accounts.is_empty()) else { return Ok(Vec::new()) };
        // One statement sees one moment: what opens and what follows fit each other.
        let places: Vec<String> = (0..pieces.len()).map(|place| format!("({place},?,?)")).collect();
        let (table, bound) = given(&accounts);
        let sql = format!(
            "WITH pieces (place, since, until) AS (VALUES {}), accounts (id) AS ({table}) {} UNION ALL {}",
            places.join(","),
            Part::all(Part::before),
            Part::all(Part::within)
        );
        let mut values: Vec<Value> =
            pieces.iter().flat_map(|(since, until)| [Value::from(*since), Value::from(*until)]).collect();
        values.extend(bound);
        values.extend(PARTS.iter().map(|_| Value::from(*first)));
        let rows: Vec<SumRow> = self.rows(&sql, values).await?;
        rows.into_iter().map(SumRow::read).collect()
    }
}

/// Accounts as rows of a statement. Filled up to a power of two, so that few statements are prepared, with nobody's.
fn given(accounts: &[Uuid]) -> (String, Vec<Value>) {
    let size = accounts.len().next_power_of_two();
    let ids = accounts.iter().copied().map(Some).chain((accounts.len()..size).map(|_| None));
    (format!("VALUES {}", vec!["(?)"; size].join(",")), ids.map(Value::from).collect())
}

/// Before anything that is booked.
fn beginning() -> Timestamp {
    chrono::NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc()
}
