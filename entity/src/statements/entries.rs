//! Pages of a statement's lines. A page reads no more lines of each part than it can show, by the indexes that accounts
//! have by time, and sums up once what was before it: nothing is sorted or numbered that is not shown.

use std::cmp::Ordering;
use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use leadyard_types::{Timestamp, TransferKind};
use sea_orm::{DbBackend, FromQueryResult, Value};
use uuid::Uuid;

use super::{EntryFilter, EntryKind, HOLD_ENDS, HOLDS, PARTS, Part, TRANSFERS, beginning, given};
use crate::error::{StoreError, StoreResult};
use crate::read::{Cursor, Page, PageArgs, SortValue, moment_of};
use crate::sql::{marks, statement};
use crate::store::Read;

/// So many pieces are summed up in one statement: eight values each.
const PIECES_TOGETHER: usize = 1_024;

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
    #[sea_orm(skip)]
    pub balance_minor: i64,
    /// What was held then.
    #[sea_orm(skip)]
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

    fn place(&self) -> Place {
        Place { at: self.at, part: self.part, id: self.id }
    }
}

/// Whether a cursor is one of a statement's.
#[must_use]
pub fn is_entry_cursor(cursor: &Cursor) -> bool {
    Place::of(cursor).is_some()
}

/// Where a line stands: by time, and within a moment by part and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Timestamp,
    part: i64,
    id: Uuid,
}

impl Place {
    /// The place of a cursor that [`StatementEntry::cursor`] made.
    fn of(cursor: &Cursor) -> Option<Self> {
        let SortValue::Text(text) = &cursor.value else { return None };
        let (micros, part) = text.split_once('p')?;
        let part = part.parse().ok().filter(|part| (HOLDS..=TRANSFERS).contains(part))?;
        Some(Self { at: moment_of(micros)?, part, id: cursor.id })
    }

    /// Before every line.
    fn first() -> Self {
        Self { at: beginning(), part: HOLDS, id: Uuid::nil() }
    }

    fn values(self) -> [Value; 3] {
        [self.at.into(), self.part.into(), self.id.into()]
    }
}

/// A condition with the values it binds.
type Bound = (String, Vec<Value>);

impl EntryFilter {
    /// Whether it takes every line.
    fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.transfers.is_empty()
    }

    /// Which lines of a part fit; `None` where none does.
    fn of_part(&self, part: &Part) -> Option<Bound> {
        let of_transfers = part.part == TRANSFERS;
        let kinds = || self.kinds.iter().filter(|kind| (**kind == EntryKind::Transfer) == of_transfers);
        if (!self.kinds.is_empty() && kinds().next().is_none()) || (!self.transfers.is_empty() && !of_transfers) {
            return None;
        }
        let words: Vec<&str> = if of_transfers {
            self.transfers.iter().map(|kind| kind.as_str()).collect()
        } else {
            kinds().map(|kind| kind.as_str()).collect()
        };
        if words.is_empty() {
            return Some(("1 = 1".to_owned(), Vec::new()));
        }
        Some((format!("({}) IN ({})", part.word, marks(words.len())), words.into_iter().map(Value::from).collect()))
    }
}

/// A page of the lines of an account, as it is asked for.
struct Wanted<'a> {
    span: (Timestamp, Timestamp),
    filter: &'a EntryFilter,
    newest_first: bool,
    args: &'a PageArgs,
}

impl Wanted<'_> {
    /// Whether the page is read from the oldest of its lines on.
    fn is_ascending(&self) -> bool {
        self.newest_first == self.args.backward
    }

    /// The lines of a part that can stand on a page of each of the accounts `a`; `None` where none can.
    fn lines(&self, part: &Part, backend: DbBackend) -> Option<Bound> {
        let Part { from, joined, account, at, word, change, held, .. } = part;
        let (fits, filtered) = self.filter.of_part(part)?;
        let (between, places) = self.between(part);
        let direction = if self.is_ascending() { "ASC" } else { "DESC" };
        let ids = format!(
            "SELECT x.id AS id FROM {from}
             WHERE {joined} AND {account} = a.id AND {at} >= ? AND {at} < ? AND {fits} AND {between}
             ORDER BY {at} {direction}, x.id {direction} LIMIT {}",
            i64::from(self.args.limit) + 1
        );
        // SQLite has no LATERAL, but asks a list of ids anew for each account.
        let (each, chosen) = if backend == DbBackend::Postgres {
            (format!("CROSS JOIN LATERAL ({ids}) i"), "x.id = i.id".to_owned())
        } else {
            (String::new(), format!("x.id IN ({ids})"))
        };
        let (beside, sold, about) = if part.part == TRANSFERS {
            ("", "1 = 1", "x.lead_id AS lead_id, x.memo AS memo")
        } else {
            ("CROSS JOIN sale s", "s.id = x.sale_id", "s.lead_id AS lead_id, CAST(NULL AS TEXT) AS memo")
        };
        let sql = format!(
            "SELECT a.id AS account_id, {at} AS at, CAST({} AS BIGINT) AS part, x.id AS id, {word} AS word,
             CAST({change} AS BIGINT) AS change_minor, CAST({held} AS BIGINT) AS held_change_minor,
             x.sale_id AS sale_id, {about} FROM accounts a {each} CROSS JOIN {from} {beside}
             WHERE {joined} AND {sold} AND {chosen}",
            part.part
        );
        let span = [Value::from(self.span.0), Value::from(self.span.1)];
        Some((sql, span.into_iter().chain(filtered).chain(places).collect()))
    }

    /// The lines of a part behind one place and before another.
    fn between(&self, part: &Part) -> Bound {
        let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
        for (cursor, behind) in [(&self.args.after, true), (&self.args.before, false)] {
            let Some(place) = cursor.as_ref().and_then(Place::of) else { continue };
            let (at, later) = (part.at, behind != self.newest_first);
            let sign = if later { ">" } else { "<" };
            values.push(Value::from(place.at));
            conditions.push(match part.part.cmp(&place.part) {
                Ordering::Equal => {
                    values.push(Value::from(place.id));
                    format!("({at}, x.id) {sign} (?, ?)")
                }
                // At the very moment this part's lines stand all behind the place, or all before it.
                Ordering::Greater if later => format!("{at} >= ?"),
                Ordering::Less if !later => format!("{at} <= ?"),
                _ => format!("{at} {sign} ?"),
            });
        }
        (conditions.join(" AND "), values)
    }
}

/// The lines of an account behind one place up to another, and the line of the page that they are summed up for.
struct Piece {
    account: Uuid,
    line: usize,
    since: Place,
    until: Place,
}

/// What pieces came to, by account and line: what was added to the balance, and to what is held.
type Sums = HashMap<(Uuid, usize), (i64, i64)>;

/// A hold that ended.
#[derive(FromQueryResult)]
struct End {
    account_id: Uuid,
    at: Timestamp,
    id: Uuid,
    amount_minor: i64,
}

#[derive(FromQueryResult)]
struct Moved {
    account_id: Uuid,
    line: i64,
    change_minor: i64,
    held_minor: i64,
}

/// What the lines of some parts within a piece `p` add up to, of one of a line's figures.
fn within_piece(parts: &[&Part], figure: impl Fn(&Part) -> &'static str) -> String {
    let sums = parts.iter().filter_map(|part| {
        let Part { at, part: number, .. } = part;
        let behind = format!(
            "{at} >= p.since AND ({at} > p.since OR {number} > p.since_part OR ({number} = p.since_part AND x.id > p.since_id))"
        );
        let up_to = format!(
            "{at} <= p.until AND ({at} < p.until OR {number} < p.until_part OR ({number} = p.until_part AND x.id <= p.until_id))"
        );
        part.sum(figure(part), "p.account_id", &format!("{behind} AND {up_to}"))
    });
    sums.collect::<Vec<_>>().join(" + ")
}

impl Read {
    /// The same page of the lines of several accounts within a span of time, with how each stood then. Three statements,
    /// and two more where a filter picks the lines, however many accounts and lines; of very many lines a few more.
    pub async fn statement_entries(
        &self,
        accounts: &[Uuid],
        span: (Timestamp, Timestamp),
        filter: &EntryFilter,
        newest_first: bool,
        args: &PageArgs,
    ) -> StoreResult<HashMap<Uuid, Page<StatementEntry>>> {
        let accounts = self.own_accounts(accounts).await?;
        let wanted = Wanted { span, filter, newest_first, args };
        let mut lists: HashMap<Uuid, Vec<StatementEntry>> = accounts.iter().map(|id| (*id, Vec::new())).collect();
        for line in self.lines(&accounts, &wanted).await? {
            lists.entry(line.account_id).or_default().push(line);
        }
        let page = |(id, mut lines): (Uuid, Vec<StatementEntry>)| {
            lines.sort_by_key(StatementEntry::place);
            if !wanted.is_ascending() {
                lines.reverse();
            }
            lines.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX).saturating_add(1));
            (id, Page::of(lines, args))
        };
        let mut pages = lists.into_iter().map(page).collect();
        self.say_how_they_stood(&mut pages, &wanted).await?;
        Ok(pages)
    }

    /// The lines that can stand on the pages: of each part and account as many as a page has, and one more.
    async fn lines(&self, accounts: &[Uuid], wanted: &Wanted<'_>) -> StoreResult<Vec<StatementEntry>> {
        let parts: Vec<Bound> = PARTS.iter().filter_map(|part| wanted.lines(part, self.backend())).collect();
        if accounts.is_empty() || parts.is_empty() {
            return Ok(Vec::new());
        }
        let (table, mut values) = given(accounts);
        let (lines, bound): (Vec<String>, Vec<Vec<Value>>) = parts.into_iter().unzip();
        values.extend(bound.into_iter().flatten());
        self.rows(&format!("WITH accounts (id) AS ({table}) {}", lines.join(" UNION ALL ")), values).await
    }

    /// Fills in how the accounts stood with each line. Where every line is shown, one sum says how the account stood with
    /// the first, and the lines tell the rest; lines that a filter left out are summed up in between.
    async fn say_how_they_stood(
        &self,
        pages: &mut HashMap<Uuid, Page<StatementEntry>>,
        wanted: &Wanted<'_>,
    ) -> StoreResult<()> {
        let (mut first, mut further) = (Vec::new(), Vec::new());
        for (account, page) in pages.iter() {
            let mut since = Place::first();
            let summed = if wanted.filter.is_open() { 1 } else { page.rows.len() };
            for (line, entry) in by_time(&page.rows, wanted.newest_first).take(summed).enumerate() {
                let until = entry.place();
                let pieces = if line == 0 { &mut first } else { &mut further };
                pieces.push(Piece { account: *account, line, since, until });
                since = until;
            }
        }
        let mut moved = Sums::new();
        self.add_moved(&mut moved, &first, &PARTS.iter().collect::<Vec<_>>()).await?;
        let by_index: Vec<&Part> = PARTS.iter().filter(|part| part.part != HOLD_ENDS).collect();
        self.add_moved(&mut moved, &further, &by_index).await?;
        self.add_ends(&mut moved, &further).await?;
        for (account, page) in pages.iter_mut() {
            if wanted.newest_first {
                page.rows.reverse();
            }
            let (mut balance, mut held) = (0, 0);
            for (line, entry) in page.rows.iter_mut().enumerate() {
                let own = (entry.change_minor, entry.held_change_minor);
                let (change, held_change) = moved.get(&(*account, line)).copied().unwrap_or(own);
                (balance, held) = (balance + change, held + held_change);
                (entry.balance_minor, entry.held_minor) = (balance, held);
            }
            if wanted.newest_first {
                page.rows.reverse();
            }
        }
        Ok(())
    }

    /// Adds what each piece came to, of some parts.
    async fn add_moved(&self, moved: &mut Sums, pieces: &[Piece], parts: &[&Part]) -> StoreResult<()> {
        for chunk in pieces.chunks(PIECES_TOGETHER) {
            let rows = chunk.iter().map(|Piece { account, line, since, until }| {
                let head = [Value::from(*account), Value::from(i64::try_from(*line).unwrap_or(i64::MAX))];
                head.into_iter().chain(since.values()).chain(until.values()).collect()
            });
            let (table, values) = filled_up(rows.collect());
            let sql = format!(
                "WITH pieces (account_id, line, since, since_part, since_id, until, until_part, until_id) AS ({table})
                 SELECT p.account_id AS account_id, p.line AS line, CAST({} AS BIGINT) AS change_minor,
                 CAST({} AS BIGINT) AS held_minor FROM pieces p WHERE p.account_id IS NOT NULL",
                within_piece(parts, |part| part.change),
                within_piece(parts, |part| part.held),
            );
            for row in self.rows::<Moved>(&sql, values).await? {
                let sum = moved.entry((row.account_id, usize::try_from(row.line).unwrap_or(usize::MAX))).or_default();
                *sum = (sum.0 + row.change_minor, sum.1 + row.held_minor);
            }
        }
        Ok(())
    }

    /// Adds what was let go of within pieces that follow each other. Holds have no index by when they ended, so each
    /// account's are walked through once for all its pieces, and none is kept.
    async fn add_ends(&self, moved: &mut Sums, pieces: &[Piece]) -> StoreResult<()> {
        let mut of_account: HashMap<Uuid, Vec<&Piece>> = HashMap::new();
        for piece in pieces {
            of_account.entry(piece.account).or_default().push(piece);
        }
        let spans = of_account.iter().filter_map(|(account, pieces)| {
            let (first, last) = (pieces.first()?, pieces.last()?);
            Some(vec![Value::from(*account), Value::from(first.since.at), Value::from(last.until.at)])
        });
        let spans: Vec<Vec<Value>> = spans.collect();
        if spans.is_empty() {
            return Ok(());
        }
        let (table, values) = filled_up(spans);
        let sql = format!(
            "WITH spans (account_id, since, until) AS ({table})
             SELECT x.account_id AS account_id, r.resolved_at AS at, x.id AS id, x.amount_minor AS amount_minor
             FROM spans p CROSS JOIN hold x CROSS JOIN hold_resolution r WHERE x.account_id = p.account_id
             AND r.hold_id = x.id AND r.resolved_at >= p.since AND r.resolved_at <= p.until"
        );
        let mut ends =
            End::find_by_statement(statement(self.backend(), &sql, values)).stream(self.connection()).await?;
        while let Some(End { account_id, at, id, amount_minor }) = ends.try_next().await? {
            let place = Place { at, part: HOLD_ENDS, id };
            let Some(pieces) = of_account.get(&account_id) else { continue };
            let within = pieces.get(pieces.partition_point(|piece| piece.until < place));
            if let Some(piece) = within.filter(|piece| piece.since < place) {
                moved.entry((account_id, piece.line)).or_default().1 -= amount_minor;
            }
        }
        Ok(())
    }
}

/// Rows of a statement, filled up to a power of two, so that few statements are prepared, with nobody's.
fn filled_up(rows: Vec<Vec<Value>>) -> (String, Vec<Value>) {
    let size = rows.len().next_power_of_two();
    let empty: Vec<Value> = rows.first().into_iter().flatten().map(Value::as_null).collect();
    let row = format!("({})", marks(empty.len()));
    let missing = size - rows.len();
    let values = rows.into_iter().flatten().chain(std::iter::repeat_n(empty, missing).flatten()).collect();
    (format!("VALUES {}", vec![row; size].join(",")), values)
}

/// The lines of a page, the oldest first.
fn by_time(rows: &[StatementEntry], newest_first: bool) -> impl Iterator<Item = &StatementEntry> {
    let last = rows.len().saturating_sub(1);
    (0..rows.len()).filter_map(move |place| rows.get(if newest_first { last - place } else { place }))
}
