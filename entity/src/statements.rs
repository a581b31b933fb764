//! Statements of accounts: what stood in them, everything that moved it, and what stands in them then. All of it is summed
//! up from the transfers and the holds themselves, never from the stored balances, so that the two prove each other.

use std::collections::HashMap;

use leadyard_types::{AccountId, Timestamp, TransferKind, words};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::ledger_account;
use crate::read::{Cursor, Page, PageArgs, SortValue};
use crate::sql::marks;
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
    /// What kind of lines.
    pub kind: EntryKind,
    /// Why money moved, of transfers.
    pub transfer: Option<TransferKind>,
    /// How many lines.
    pub lines: u64,
    /// What they added to the balance, less what they took.
    pub change_minor: i64,
    /// What they added to what is held, less what they let go.
    pub held_minor: i64,
}

/// A line of a statement: something that moved an account, and how it stood then, minor units.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct StatementEntry {
    account_id: Uuid,
    /// When.
    pub at: Timestamp,
    part: i64,
    /// The transfer, or the hold that began or ended.
    pub id: Uuid,
    word: String,
    /// What it added to the balance; below zero, what it took.
    pub change_minor: i64,
    /// What it added to what is held; below zero, what it let go.
    pub held_change_minor: i64,
    /// The balance then.
    pub balance_minor: i64,
    /// What was held then.
    pub held_minor: i64,
    /// The sale it is about.
    pub sale_id: Option<Uuid>,
    /// The lead it is about.
    pub lead_id: Option<Uuid>,
    /// What finance wrote to it.
    pub memo: Option<String>,
}

impl StatementEntry {
    /// What it is about.
    pub fn kind(&self) -> StoreResult<EntryKind> {
        if self.part == TRANSFERS {
            return Ok(EntryKind::Transfer);
        }
        self.word.parse().map_err(StoreError::corrupt)
    }

    /// Why money moved, where money moved.
    pub fn transfer_kind(&self) -> StoreResult<Option<TransferKind>> {
        (self.part == TRANSFERS).then(|| self.word.parse().map_err(StoreError::corrupt)).transpose()
    }

    /// Where it stands among the lines of one moment, and so in the whole list.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { value: SortValue::Text(format!("{}p{}", self.at.timestamp_micros(), self.part)), id: self.id }
    }
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

    /// The same as a condition on lines, with its values.
    fn sql(&self) -> (String, Vec<Value>) {
        let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
        let mut in_words = |words: Vec<&'static str>| {
            let condition = format!("word IN ({})", marks(words.len()));
            values.extend(words.into_iter().map(Value::from));
            condition
        };
        if !self.kinds.is_empty() {
            let is_hold = |kind: &&EntryKind| **kind != EntryKind::Transfer;
            let holds: Vec<&str> = self.kinds.iter().filter(is_hold).map(|kind| kind.as_str()).collect();
            let mut any = Vec::new();
            if self.kinds.contains(&EntryKind::Transfer) {
                any.push(format!("part = {TRANSFERS}"));
            }
            if !holds.is_empty() {
                any.push(format!("(part < {TRANSFERS} AND {})", in_words(holds)));
            }
            conditions.push(format!("({})", any.join(" OR ")));
        }
        if !self.transfers.is_empty() {
            let words = in_words(self.transfers.iter().map(|kind| kind.as_str()).collect());
            conditions.push(format!("(part = {TRANSFERS} AND {words})"));
        }
        (conditions.join(" AND "), values)
    }
}

/// The order within one moment: a hold begins, ends, and the money moves.
const HOLDS: i64 = 0;
const HOLD_ENDS: i64 = 1;
const TRANSFERS: i64 = 2;

/// Where lines of one part come from.
struct Part {
    from: &'static str,
    account: &'static str,
    at: &'static str,
    part: i64,
    id: &'static str,
    word: &'static str,
    change: &'static str,
    held: &'static str,
    about: &'static str,
}

/// What moves accounts: transfers on both their sides, holds as they begin and as they end.
const PARTS: [Part; 4] = [
    Part {
        from: "ledger_transfer x",
        account: "x.debit_account_id",
        at: "x.posted_at",
        part: TRANSFERS,
        id: "x.id",
        word: "x.kind",
        change: "-x.amount_minor",
        held: "0",
        about: "x.sale_id AS sale_id, x.lead_id AS lead_id, x.memo AS memo",
    },
    Part {
        from: "ledger_transfer x",
        account: "x.credit_account_id",
        at: "x.posted_at",
        part: TRANSFERS,
        id: "x.id",
        word: "x.kind",
        change: "x.amount_minor",
        held: "0",
        about: "x.sale_id, x.lead_id, x.memo",
    },
    Part {
        from: "hold x JOIN sale s ON s.id = x.sale_id",
        account: "x.account_id",
        at: "x.created_at",
        part: HOLDS,
        id: "x.id",
        word: "'HOLD'",
        change: "0",
        held: "x.amount_minor",
        about: "x.sale_id, s.lead_id, CAST(NULL AS TEXT)",
    },
    Part {
        from: "hold x JOIN hold_resolution r ON r.hold_id = x.id JOIN sale s ON s.id = x.sale_id",
        account: "x.account_id",
        at: "r.resolved_at",
        part: HOLD_ENDS,
        id: "x.id",
        word: "'HOLD_' || r.kind",
        change: "0",
        held: "-x.amount_minor",
        about: "x.sale_id, s.lead_id, CAST(NULL AS TEXT)",
    },
];

impl Part {
    /// Its lines, summed up by account and piece of time. Binds the accounts.
    fn sums(&self, accounts: usize) -> String {
        let Self { from, account, at, part, word, change, held, .. } = self;
        format!(
            "SELECT {account} AS account_id, CAST(p.place AS BIGINT) AS place, CAST({part} AS BIGINT) AS part,
             {word} AS word, CAST(COUNT(*) AS BIGINT) AS lines, CAST(SUM({change}) AS BIGINT) AS change_minor,
             CAST(SUM({held}) AS BIGINT) AS held_minor
             FROM pieces p CROSS JOIN {from} WHERE {at} >= p.since AND {at} < p.until AND {account} IN ({})
             GROUP BY 1, 2, 3, 4",
            marks(accounts)
        )
    }

    /// What its lines before a moment add up to, by account. Binds the accounts and the moment.
    fn opening(&self, accounts: usize) -> String {
        let Self { from, account, at, change, held, .. } = self;
        format!(
            "SELECT {account} AS account_id, SUM({change}) AS change, SUM({held}) AS held FROM {from}
             WHERE {account} IN ({}) AND {at} < ? GROUP BY 1",
            marks(accounts)
        )
    }

    /// Its lines within two moments. Binds the accounts and the moments.
    fn lines(&self, accounts: usize) -> String {
        let Self { from, account, at, part, id, word, change, held, about } = self;
        format!(
            "SELECT {account} AS account_id, {at} AS at, {part} AS part, {id} AS id, {word} AS word,
             {change} AS change, {held} AS held, {about}
             FROM {from} WHERE {account} IN ({}) AND {at} >= ? AND {at} < ?",
            marks(accounts)
        )
    }

    /// All parts, one under the other.
    fn all(sql: impl Fn(&Self) -> String) -> String {
        PARTS.iter().map(sql).collect::<Vec<_>>().join(" UNION ALL ")
    }
}

/// The accounts, and then the moments, for each part anew.
fn bound(accounts: &[Uuid], moments: &[Timestamp]) -> Vec<Value> {
    let part = || accounts.iter().map(|id| Value::from(*id)).chain(moments.iter().map(|at| Value::from(*at)));
    PARTS.iter().flat_map(|_| part()).collect()
}

#[derive(FromQueryResult)]
struct SumRow {
    account_id: Uuid,
    place: i64,
    part: i64,
    word: String,
    lines: i64,
    change_minor: i64,
    held_minor: i64,
}

impl SumRow {
    fn read(self) -> StoreResult<AccountSum> {
        let is_transfer = self.part == TRANSFERS;
        Ok(AccountSum {
            account: AccountId(self.account_id),
            place: usize::try_from(self.place).ok(),
            kind: if is_transfer { EntryKind::Transfer } else { self.word.parse().map_err(StoreError::corrupt)? },
            transfer: is_transfer.then(|| self.word.parse()).transpose().map_err(StoreError::corrupt)?,
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
        let places: Vec<String> = (0..=pieces.len()).map(|place| format!("({place} - 1,?,?)")).collect();
        let sql = format!(
            "WITH pieces (place, since, until) AS (VALUES {}) {}",
            places.join(","),
            Part::all(|part| part.sums(accounts.len()))
        );
        let mut values = vec![Value::from(beginning()), Value::from(*first)];
        values.extend(pieces.iter().flat_map(|(since, until)| [Value::from(*since), Value::from(*until)]));
        values.extend(bound(&accounts, &[]));
        let rows: Vec<SumRow> = self.rows(&sql, values).await?;
        rows.into_iter().map(SumRow::read).collect()
    }

    /// The same page of the lines of several accounts within a span of time, with how each stood then. Two statements.
    pub async fn statement_entries(
        &self,
        accounts: &[Uuid],
        (since, until): (Timestamp, Timestamp),
        filter: &EntryFilter,
        newest_first: bool,
        args: &PageArgs,
    ) -> StoreResult<HashMap<Uuid, Page<StatementEntry>>> {
        let accounts = self.own_accounts(accounts).await?;
        if accounts.is_empty() {
            return Ok(HashMap::new());
        }
        let direction = if newest_first == args.backward { "ASC" } else { "DESC" };
        let (fits, filtered) = filter.sql();
        let (between, places) = between(newest_first, args);
        let sql = format!(
            "WITH earlier AS ({}), inside AS ({}),
             opening AS (SELECT account_id, SUM(change) AS change, SUM(held) AS held FROM earlier GROUP BY account_id),
             running AS (
                 SELECT w.*, COALESCE(o.change, 0) + SUM(w.change) OVER steps AS balance,
                 COALESCE(o.held, 0) + SUM(w.held) OVER steps AS standing
                 FROM inside w LEFT JOIN opening o ON o.account_id = w.account_id
                 WINDOW steps AS (PARTITION BY w.account_id ORDER BY w.at, w.part, w.id
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)),
             listed AS (
                 SELECT running.*, ROW_NUMBER() OVER (
                     PARTITION BY account_id ORDER BY at {direction}, part {direction}, id {direction}) AS place
                 FROM running WHERE {fits} AND {between})
             SELECT account_id, at, CAST(part AS BIGINT) AS part, id, word, CAST(change AS BIGINT) AS change_minor,
             CAST(held AS BIGINT) AS held_change_minor, CAST(balance AS BIGINT) AS balance_minor,
             CAST(standing AS BIGINT) AS held_minor, sale_id, lead_id, memo
             FROM listed WHERE place <= {} ORDER BY place",
            Part::all(|part| part.opening(accounts.len())),
            Part::all(|part| part.lines(accounts.len())),
            i64::from(args.limit) + 1,
        );
        let mut values = bound(&accounts, &[since]);
        values.extend(bound(&accounts, &[since, until]));
        values.extend(filtered);
        values.extend(places);
        let rows: Vec<StatementEntry> = self.rows(&sql, values).await?;
        let mut lists: HashMap<Uuid, Vec<StatementEntry>> = accounts.iter().map(|id| (*id, Vec::new())).collect();
        for row in rows {
            lists.entry(row.account_id).or_default().push(row);
        }
        Ok(lists.into_iter().map(|(id, rows)| (id, Page::of(rows, args))).collect())
    }
}

/// Before anything that is booked.
fn beginning() -> Timestamp {
    chrono::NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// The moment and the part of a cursor that [`StatementEntry::cursor`] made.
fn place(cursor: &Cursor) -> Option<(Timestamp, i64)> {
    let SortValue::Text(text) = &cursor.value else { return None };
    let (micros, part) = text.split_once('p')?;
    let at = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
    Some((at, part.parse().ok().filter(|part| (HOLDS..=TRANSFERS).contains(part))?))
}

/// Whether a cursor is one of a statement's.
#[must_use]
pub fn is_entry_cursor(cursor: &Cursor) -> bool {
    place(cursor).is_some()
}

/// The lines behind one place and before another.
fn between(newest_first: bool, args: &PageArgs) -> (String, Vec<Value>) {
    let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
    for (cursor, behind) in [(&args.after, true), (&args.before, false)] {
        let Some(cursor) = cursor else { continue };
        let Some((at, part)) = place(cursor) else { continue };
        let sign = if behind == newest_first { "<" } else { ">" };
        conditions.push(format!("(at, part, id) {sign} (?, ?, ?)"));
        values.extend([Value::from(at), Value::from(part), Value::from(cursor.id)]);
    }
    (conditions.join(" AND "), values)
}
