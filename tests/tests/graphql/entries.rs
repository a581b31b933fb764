//! Pages of statements: whichever page of whichever lines is asked for, it is a piece of the whole list, and balances are
//! those of a loop over all lines.

use std::collections::HashMap;

use leadyard_connectors::fake::Behaviour;
use leadyard_entity::model::{hold, hold_resolution, ledger_account, ledger_transfer};
use leadyard_entity::read::{Cursor, HoldFilter, Page, PageArgs, TimeOrder, TransferFilter};
use leadyard_entity::statements::{EntryFilter, EntryKind, StatementEntry};
use leadyard_market::finance;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{ContractTerms, Currency, Money, Timestamp, TransferKind, Verdict};
use uuid::Uuid;

/// A line as the plain loop makes it; its beginning is the order of lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    at: Timestamp,
    part: u8,
    id: Uuid,
    kind: EntryKind,
    transfer: Option<TransferKind>,
    change: i64,
    held_change: i64,
    balance: i64,
    held: i64,
}

impl Line {
    fn of(entry: &StatementEntry) -> Self {
        let (kind, transfer) = (entry.kind().unwrap(), entry.transfer_kind().unwrap());
        let part = match kind {
            EntryKind::Hold => 0,
            EntryKind::HoldPosted | EntryKind::HoldVoided => 1,
            EntryKind::Transfer => 2,
        };
        let (at, id, change, held_change) = (entry.at, entry.id, entry.change_minor, entry.held_change_minor);
        Self { at, part, id, kind, transfer, change, held_change, balance: entry.balance_minor, held: entry.held_minor }
    }

    fn fits(&self, filter: &EntryFilter) -> bool {
        (filter.kinds.is_empty() || filter.kinds.contains(&self.kind))
            && (filter.transfers.is_empty() || self.transfer.is_some_and(|kind| filter.transfers.contains(&kind)))
    }
}

/// Every line of every account, the oldest first, with how the account stood then.
async fn every_line(app: &TestApp) -> HashMap<Uuid, Vec<Line>> {
    let read = app.store().read(OPERATE);
    let all = PageArgs { limit: 100_000, backward: false, after: None, before: None };
    let every = TransferFilter::default();
    let transfers = read.page::<ledger_transfer::Entity>(&every, TimeOrder::Oldest, &all).await.unwrap().rows;
    let holds = read.page::<hold::Entity>(&HoldFilter::default(), TimeOrder::Oldest, &all).await.unwrap().rows;
    let ids: Vec<Uuid> = holds.iter().map(|row| row.id).collect();
    let ends = read.by_ids::<hold_resolution::Entity>(&ids).await.unwrap();
    let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
    let line = |at, part, id, kind, transfer, change, held_change| Line {
        at,
        part,
        id,
        kind,
        transfer,
        change,
        held_change,
        balance: 0,
        held: 0,
    };
    for row in transfers {
        let kind: TransferKind = row.kind.parse().unwrap();
        for (account, change) in [(row.debit_account_id, -row.amount_minor), (row.credit_account_id, row.amount_minor)]
        {
            let of = lines.entry(account).or_default();
            of.push(line(row.posted_at, 2, row.id, EntryKind::Transfer, Some(kind), change, 0));
        }
    }
    for row in holds {
        let of = lines.entry(row.account_id).or_default();
        of.push(line(row.created_at, 0, row.id, EntryKind::Hold, None, 0, row.amount_minor));
        if let Some(end) = ends.get(&row.id) {
            let kind: EntryKind = format!("HOLD_{}", end.kind).parse().unwrap();
            of.push(line(end.resolved_at, 1, row.id, kind, None, 0, -row.amount_minor));
        }
    }
    for lines in lines.values_mut() {
        lines.sort();
        let (mut balance, mut held) = (0, 0);
        for line in lines {
            (balance, held) = (balance + line.change, held + line.held_change);
            (line.balance, line.held) = (balance, held);
        }
    }
    lines
}

/// A buyer whose money is reserved, taken and let go, several lines at one moment, beside top-ups and payouts.
async fn moved(app: &TestApp) {
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Asked", 1_000_000, vec![]).await;
    let hook = app.webhook(buyer, "/asked").await;
    let agreed = ContractTerms { verdict: Verdict::Sync, destinations: vec![hook], ..terms(1_700) };
    app.contract(market.campaign_id, buyer, "asked", agreed).await;
    let client = app.client(&market.key);
    for number in 0..9 {
        if number % 2 == 0 {
            app.clock.advance(chrono::Duration::hours(7));
        }
        let reject = Behaviour::Reject { reason: "no".into() };
        app.receiver.program("/asked", if number % 3 == 1 { reject } else { Behaviour::Accept });
        client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        app.idle().await;
        let money = Money::new(100 + i64::try_from(number).unwrap(), Currency::EUR);
        finance::top_up(app.store(), OPERATE, buyer, money, &format!("more {number}"), "more").await.unwrap();
    }
}

/// One page, as the store reads it.
async fn page(
    app: &TestApp,
    account: Uuid,
    span: (Timestamp, Timestamp),
    (filter, newest_first): (&EntryFilter, bool),
    args: &PageArgs,
) -> Page<StatementEntry> {
    let read = app.store().read(OPERATE);
    let mut pages = read.statement_entries(&[account], span, filter, newest_first, args).await.unwrap();
    pages.remove(&account).unwrap()
}

/// Walks through a whole list in pages of a size, from one end to the other, and compares every page with its piece.
async fn walk(
    app: &TestApp,
    account: Uuid,
    span: (Timestamp, Timestamp),
    (filter, newest_first): (&EntryFilter, bool),
    (limit, backward): (u32, bool),
    expected: &[Line],
) {
    let size = usize::try_from(limit).unwrap();
    let (mut from, mut until): (Option<Cursor>, Option<Cursor>) = (None, None);
    let (mut start, mut end) = (0, expected.len());
    loop {
        let args = PageArgs { limit, backward, after: from.clone(), before: until.clone() };
        let page = page(app, account, span, (filter, newest_first), &args).await;
        let piece = if backward { end.saturating_sub(size).max(start)..end } else { start..(start + size).min(end) };
        let told: Vec<Line> = page.rows.iter().map(Line::of).collect();
        assert_eq!(told, expected[piece.clone()], "{filter:?} {newest_first} {args:?}");
        let more = if backward { piece.start > start } else { piece.end < end };
        let behind = if backward { page.has_previous } else { page.has_next };
        assert_eq!(behind, more, "{filter:?} {newest_first} {args:?}");
        let before = if backward { page.has_next } else { page.has_previous };
        assert_eq!(before, args.after.is_some() || args.before.is_some());
        if !more {
            return;
        }
        // The cursors as clients hand them back.
        let cursor = |row: Option<&StatementEntry>| Some(row.unwrap().cursor().to_string().parse().unwrap());
        if backward {
            (until, end) = (cursor(page.rows.first()), piece.start);
        } else {
            (from, start) = (cursor(page.rows.last()), piece.end);
        }
    }
}

/// Pages of every size, forward and backward, from either end, with and without a filter, of every account: together they
/// are all lines of the time asked for, once each and in order, and each tells the balance that adding up every line
/// since the beginning comes to.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_a_piece_of_all_lines() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moved(&app).await;
        let lines = every_line(&app).await;
        let filters = [
            EntryFilter::default(),
            EntryFilter { kinds: vec![EntryKind::Hold, EntryKind::HoldVoided], transfers: vec![] },
            EntryFilter { kinds: vec![EntryKind::Transfer], transfers: vec![] },
            EntryFilter { kinds: vec![], transfers: vec![TransferKind::Sale, TransferKind::Payout] },
            EntryFilter { kinds: vec![EntryKind::Hold], transfers: vec![TransferKind::Sale] },
        ];
        let longest = lines.values().map(Vec::len).max().unwrap();
        assert!(longest > 25, "{longest} lines of one account");
        let buyer = lines.iter().find(|(_, lines)| lines.iter().any(|line| line.held_change != 0)).unwrap();
        let moments: Vec<Timestamp> = buyer.1.iter().map(|line| line.at).collect();
        let together = moments.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(together > 5, "{together} lines are of one moment with another");
        let (first, last) = (moments[0], *moments.last().unwrap() + chrono::Duration::microseconds(1));
        for (account, all) in &lines {
            for span in
                [(first - chrono::Duration::days(1), last), (moments[moments.len() / 3], *moments.last().unwrap())]
            {
                for (number, filter) in filters.iter().enumerate() {
                    let within = all.iter().filter(|line| (span.0..span.1).contains(&line.at) && line.fits(filter));
                    let mut expected: Vec<Line> = within.cloned().collect();
                    for newest_first in [false, true] {
                        let sizes = if number == 0 { vec![1, 3, 7, 100] } else { vec![2, 100] };
                        for limit in sizes {
                            for backward in [false, true] {
                                let asked = (filter, newest_first);
                                walk(&app, *account, span, asked, (limit, backward), &expected).await;
                            }
                        }
                        expected.reverse();
                    }
                }
            }
        }
        app.finish().await;
    })
    .await;
}

/// Between any two cursors stands what stands between them in the whole list, of several accounts at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_between_two_places_is_what_stands_between_them() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moved(&app).await;
        let lines = every_line(&app).await;
        let accounts: Vec<Uuid> = lines.keys().copied().collect();
        let read = app.store().read(OPERATE);
        let known = read.by_ids::<ledger_account::Entity>(&accounts).await.unwrap();
        assert_eq!(known.len(), accounts.len());
        let (buyer, own) = lines.iter().max_by_key(|(_, lines)| lines.len()).unwrap();
        let span = (own[0].at, own.last().unwrap().at + chrono::Duration::microseconds(1));
        let every = PageArgs { limit: 100, backward: false, after: None, before: None };
        let cursors: Vec<Cursor> = page(&app, *buyer, span, (&EntryFilter::default(), false), &every)
            .await
            .rows
            .iter()
            .map(StatementEntry::cursor)
            .collect();
        let place = |line: &Line| (line.at, line.part, line.id);
        for newest_first in [false, true] {
            for (one, other) in (0..own.len()).flat_map(|one| [(one, one), (one, one + 1), (one, one + 4)]) {
                let Some(other) = (other < own.len()).then_some(other) else { continue };
                let (after, before) = if newest_first { (other, one) } else { (one, other) };
                let (after, before) = (Some(cursors[after].clone()), Some(cursors[before].clone()));
                let args = PageArgs { limit: 100, backward: false, after, before };
                let filter = EntryFilter::default();
                let pages = read.statement_entries(&accounts, span, &filter, newest_first, &args).await.unwrap();
                for (account, all) in &lines {
                    let within = |line: &&Line| place(line) > place(&own[one]) && place(line) < place(&own[other]);
                    let mut expected: Vec<Line> = all.iter().filter(within).cloned().collect();
                    if newest_first {
                        expected.reverse();
                    }
                    let told: Vec<Line> = pages[account].rows.iter().map(Line::of).collect();
                    assert_eq!(told, expected, "{one} to {other}");
                }
            }
        }
        app.finish().await;
    })
    .await;
}
