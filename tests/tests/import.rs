//! Imports: whatever a file is like, its good rows are taken once and its bad rows are named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use leadyard_entity::reports::{ProfitBy, Totals};
use leadyard_market::import::{
    ImportError, LeadImport, LeadSummary, Mapping, Progress, Refused, RefusedFile, RefusedRow, SuppressionImport,
    Table, TableOptions, import_ad_spend, import_conversions, import_leads, import_postal_codes, import_suppression,
};
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Rows enough for several transactions.
const ROWS: usize = 3_000;
/// More memory than a file's reader may ever keep, in bytes: a row of 64 KiB and what is read ahead.
const BUFFERED_BYTES_MAX: usize = 512 * 1024;

/// A market with one buyer who takes everything that passes the checks.
async fn market(app: &TestApp) -> TestMarket {
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Buyer", 100_000_000, vec![]).await;
    app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
    market
}

fn mapping(value: Value) -> Mapping {
    serde_json::from_value(value).unwrap()
}

fn plain() -> Mapping {
    mapping(json!({ "external_id": "id", "fields": { "email": "mail", "postal_code": "zip" } }))
}

async fn try_import(
    app: &TestApp,
    market: &TestMarket,
    mapping: &Mapping,
    file: &[u8],
) -> Result<(LeadSummary, Vec<RefusedRow>), ImportError> {
    let plan = LeadImport {
        market: &app.app.market,
        principal: OPERATE,
        source_id: market.source_id,
        mapping,
        dry_run: false,
    };
    let mut refused = Vec::new();
    let summary = import_leads(&plan, Cursor::new(file), &mut refused, &mut ()).await?;
    assert_eq!(summary.rows, summary.broken + summary.repeated + summary.received, "{summary:?}");
    Ok((summary, refused))
}

async fn import(app: &TestApp, market: &TestMarket, file: &[u8]) -> (LeadSummary, Vec<RefusedRow>) {
    try_import(app, market, &plain(), file).await.unwrap()
}

async fn totals(app: &TestApp) -> Totals {
    app.store().read(OPERATE).totals().await.unwrap()
}

/// Which of some external ids were sold.
async fn sold(app: &TestApp, market: &TestMarket, ids: &[&str]) -> Vec<String> {
    let ids: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let sales = app.store().read(OPERATE).sold_sales_by_external_id(market.source_id, &ids).await.unwrap();
    sales.into_iter().filter_map(|sale| sale.external_id).collect()
}

/// `line check codes` of every refused row, in the file's order.
fn reasons(refused: &[RefusedRow]) -> Vec<String> {
    assert!(refused.is_sorted_by_key(|row| row.line), "refused rows are listed in the file's order");
    let codes = |row: &RefusedRow| {
        let named = row.problems.iter().map(|problem| format!("{}:{}", problem.field, problem.code));
        named.collect::<Vec<_>>().join(",")
    };
    refused.iter().map(|row| format!("{} {} {}", row.line, row.check, codes(row))).collect()
}

/// A file of so many good rows.
fn good_rows(rows: usize) -> Vec<u8> {
    let lines = (0..rows).map(|number| format!("A-{number},person{number}@mail.example.com,10115\n"));
    format!("id,mail,zip\n{}", lines.collect::<String>()).into_bytes()
}

/// Byte order marks, Windows-1252, UTF-16, semicolons, tabs, quotation marks and line breaks in quotation marks: the
/// same leads.
#[tokio::test(flavor = "multi_thread")]
async fn files_from_every_habit_are_the_same_leads() {
    let id = "Jürgen \"J\"; Groß, Köln €";
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    // The mapping does not know the last column; it must not break the rows.
    let note = quoted("two\nlines,\tand \"more\";");
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let mut seen = 0;
        for delimiter in [",", ";", "\t"] {
            let row = |cells: [&str; 4]| cells.join(delimiter) + "\r\n";
            let text = |mail: &str| row(["id", "mail", "zip", "note"]) + &row([&quoted(id), mail, "10115", &note]);
            let utf16 = |text: &str| -> Vec<u8> {
                std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
            };
            let windows = |text: &str| -> Vec<u8> {
                text.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).unwrap() }).collect()
            };
            let with_mark = |text: &str| [b"\xEF\xBB\xBF", text.as_bytes()].concat();
            for encoding in 0..4 {
                seen += 1;
                let text = text(&format!("a{seen}@mail.example.com"));
                let file = match encoding {
                    0 => text.into_bytes(),
                    1 => with_mark(&text),
                    2 => utf16(&text),
                    _ => windows(&text),
                };
                let (summary, refused) = import(&app, &market, &file).await;
                assert_eq!((summary.rows, summary.sold, refused), (1, 1, vec![]), "file {seen}, {delimiter:?}");
            }
        }
        assert_eq!(sold(&app, &market, &[id]).await.len(), seen);
        app.finish().await;
    }
}

/// A row of ten megabytes, zero bytes, text in no encoding, ragged rows, an open quotation mark, thousands of columns,
/// and values no field takes: each is named by its line and costs only itself, and memory stays bounded.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_rows_cost_only_themselves() {
    let mut file = b"id,mail,zip\n1,a@mail.example.com,10115\n".to_vec();
    file.extend(vec![b'x'; 10_000_000]);
    file.extend(b"\n3,\"");
    file.extend(b"y\n".repeat(100_000));
    // From here on lines are counted from 100,005: the open quotation mark costs its line only, and so do the rest.
    let before = reasons_of_table(&file).len();
    file.extend(b"4,c\0@mail.example.com,10115\n5,J\xFCrgen@mail.example.com,10115\n6,d@mail.example.com\n");
    file.extend(b"7,Zo\xC3\xAB \xC3\x84,10115,more\n8,f@mail.example.com,10115,,,\n");
    file.extend(vec![b','; 5_000]);
    file.extend(b"\n10,nobody,ABC\n=11,\"g@mail.example.com\"x,10115\n12,\"h@mail.example.com\",10115");
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let (summary, refused) = import(&app, &market, &file).await;
        assert_eq!(sold(&app, &market, &["1", "8", "12"]).await.len(), 3, "{summary:?}");
        assert_eq!((summary.sold, summary.rejected), (3, 1));
        let reasons = reasons(&refused);
        assert_eq!(reasons[..2], ["3 FORMAT :ROW_TOO_LONG", "4 FORMAT :ROW_TOO_LONG"]);
        let expected = [
            "100004 FORMAT :CONTROL_CHARACTER",
            "100005 FORMAT :INVALID_ENCODING",
            "100006 FORMAT :WRONG_COLUMN_COUNT",
            "100007 FORMAT :WRONG_COLUMN_COUNT",
            "100009 FORMAT :TOO_MANY_COLUMNS",
            "100010 FIELDS email:INVALID_EMAIL,postal_code:INVALID_POSTAL_CODE",
            "100011 FORMAT :TEXT_AFTER_QUOTE",
        ];
        assert_eq!(reasons[before..], expected);
        app.finish().await;
    }
}

/// The reasons of a file's broken rows; fails if reading it takes more memory than a few rows.
fn reasons_of_table(file: &[u8]) -> Vec<String> {
    let mut table = Table::open(Cursor::new(file), &TableOptions::default()).unwrap();
    let mut refused = Vec::new();
    while let Some(row) = table.next_row().unwrap() {
        assert!(table.buffered_bytes() <= BUFFERED_BYTES_MAX, "{} bytes are kept", table.buffered_bytes());
        if let Err(broken) = row {
            refused.push(RefusedRow::from(broken));
        }
    }
    reasons(&refused)
}

/// A message about a row names its line, its column by its heading, and what would be right, and never says what the
/// row said.
#[test]
fn messages_name_the_column() {
    let file = b"id,mail,zip\n1,secret\n2,secret,10115,secret\n3,sec\0ret,10115\n4,sec\xFFret \xC3\xA4,10115\n";
    let mut table = Table::open(Cursor::new(&file[..]), &TableOptions::default()).unwrap();
    let mut messages = Vec::new();
    while let Some(row) = table.next_row().unwrap() {
        let broken = row.unwrap_err();
        messages.push(format!("{}: {}", broken.line, broken.message));
    }
    assert_eq!(
        messages,
        [
            "2: as many values as there are headings are expected, 3, not 2: column 3 (`zip`) has no value",
            "3: as many values as there are headings are expected, 3, not 4: quote values that contain `,`",
            "4: column 2 (`mail`) has a zero byte in it; text without control characters is expected",
            "5: column 2 (`mail`) has characters that cannot be read; save the file as UTF-8",
        ]
    );
}

/// A file that never ends, as far as memory is concerned.
struct Endless {
    at: u64,
    bytes: u64,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let line = b"\"a \"\"quoted\"\" value\",b@mail.example.com,10115\n";
        let left = usize::try_from(self.bytes - self.at).unwrap().min(out.len());
        for byte in &mut out[..left] {
            *byte = line[usize::try_from(self.at % line.len() as u64).unwrap()];
            self.at += 1;
        }
        Ok(left)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        assert_eq!(to, SeekFrom::Start(0));
        self.at = 0;
        Ok(0)
    }
}

/// Reading a file takes the same memory whatever its size.
#[test]
fn memory_does_not_grow_with_the_file() {
    let mut table = Table::open(Endless { at: 0, bytes: 8_000_000 }, &TableOptions::default()).unwrap();
    let (mut rows, mut most) = (0, 0);
    while let Some(row) = table.next_row().unwrap() {
        rows += u64::from(row.is_ok());
        most = most.max(table.buffered_bytes());
    }
    assert!(rows > 150_000, "{rows}");
    assert!(most <= BUFFERED_BYTES_MAX, "{most} bytes are kept");
}

/// The same file again takes nothing twice and lists the refused rows again; with another mapping it changes nothing.
/// No more rows are under way at once than two transactions take.
#[tokio::test(flavor = "multi_thread")]
async fn running_again_takes_nothing_twice() {
    let mut file = good_rows(ROWS);
    file.extend(b"bad,nobody,10115\nA-9999,person0@mail.example.com,10115\nragged\n");
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let (first, refused) = import(&app, &market, &file).await;
        assert_eq!((first.rows, first.received, first.sold), (3_003, 3_002, 3_000));
        assert_eq!(first.rejected_by, [("DUPLICATE".to_owned(), 1), ("FIELDS".to_owned(), 1)].into());
        assert!(first.rows_under_way_max <= 1_024, "{}", first.rows_under_way_max);
        let before = totals(&app).await;
        let (second, again) = import(&app, &market, &file).await;
        assert_eq!((second.repeated, second.received, second.sold, second.broken), (3_002, 0, 0, 1));
        assert_eq!(again, refused);
        assert_eq!(
            reasons(&again),
            ["3002 FIELDS email:INVALID_EMAIL", "3003 DUPLICATE :DUPLICATE", "3004 FORMAT :WRONG_COLUMN_COUNT"]
        );
        let other = mapping(
            json!({ "external_id": "id", "subid": "zip", "fields": { "email": "mail", "postal_code": "zip" } }),
        );
        let (third, _) = try_import(&app, &market, &other, &file).await.unwrap();
        assert_eq!((third.repeated, third.changed, third.received), (3_002, 3_002, 0));
        assert_eq!(totals(&app).await, before);
        assert_eq!((before.received, before.sales), (3_002, 3_000));
        app.finish().await;
    }
}

/// Says when an import has come so far.
struct Reached<'a>(u64, &'a Notify);

impl Progress for Reached<'_> {
    fn at(&mut self, _: u64, _: u64, rows: u64) {
        if rows >= self.0 {
            self.1.notify_one();
        }
    }
}

/// An import that is cut off in the middle, again and again, loses and doubles nothing. (The kill of a whole process is
/// in the tests of the command line.)
#[tokio::test(flavor = "multi_thread")]
async fn an_import_cut_off_is_finished_by_the_next() {
    let file = good_rows(ROWS);
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        for rows in [256, 1_280, 2_560] {
            let (mapping, reached) = (plain(), Notify::new());
            let plan = LeadImport {
                market: &app.app.market,
                principal: OPERATE,
                source_id: market.source_id,
                mapping: &mapping,
                dry_run: false,
            };
            // Dropped where it stands: what waits for the writer is stored all the same, and nobody hears of it.
            let (mut nowhere, mut watch) = ((), Reached(rows, &reached));
            tokio::select! {
                done = import_leads(&plan, Cursor::new(&file), &mut nowhere, &mut watch) => panic!("{done:?}"),
                () = reached.notified() => {}
            }
        }
        let (summary, refused) = import(&app, &market, &file).await;
        assert_eq!(refused, []);
        assert!(summary.repeated >= 1_500 && summary.received > 0, "{summary:?}");
        let totals = totals(&app).await;
        assert_eq!((totals.received, totals.sold, totals.sales), (3_000, 3_000, 3_000));
        app.finish().await;
    }
}

/// A trial says what would be refused and stores nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_stores_nothing() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let mapping = plain();
        let plan = LeadImport {
            market: &app.app.market,
            principal: OPERATE,
            source_id: market.source_id,
            mapping: &mapping,
            dry_run: true,
        };
        let file = b"id,mail,zip\n1,a@mail.example.com,10115\n2,nobody,10115\n3\n";
        let mut refused = Vec::new();
        let summary = import_leads(&plan, Cursor::new(file), &mut refused, &mut ()).await.unwrap();
        assert_eq!((summary.rows, summary.received, summary.rejected, summary.broken), (3, 2, 1, 1));
        assert_eq!(reasons(&refused), ["3 FIELDS email:INVALID_EMAIL", "4 FORMAT :WRONG_COLUMN_COUNT"]);
        assert_eq!(totals(&app).await, Totals::default());
        app.finish().await;
    }
}

/// What cannot fit is said before the first row is taken, all of it at once, by its place in the mapping.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_does_not_fit_takes_nothing() {
    let file = b"id,mail,zip,zip,Dup,dup\n1,a@mail.example.com,10115,10117,x,y\n";
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let fields = |fields: Value| mapping(json!({ "fields": fields }));
        for (mapping, expected) in [
            (
                fields(json!({ "email": "e-mail", "postal_code": "zip" })),
                "fields.email UNKNOWN_COLUMN, fields.postal_code AMBIGUOUS_COLUMN",
            ),
            (fields(json!({ "email": "mail", "postal_code": "DUP" })), "fields.postal_code AMBIGUOUS_COLUMN"),
            (
                fields(json!({ "email": "MAIL", "postal_code": { "value": "10115" }, "shoe": "id" })),
                "fields.shoe UNKNOWN_FIELD",
            ),
            (fields(json!({ "email": "mail" })), "fields.postal_code REQUIRED"),
            (
                fields(
                    json!({ "email": "mail", "postal_code": { "value": "10115" }, "born": { "column": "id", "date": "%Q" } }),
                ),
                "fields.born INVALID_FORMAT",
            ),
            (mapping(json!({ "encoding": "klingon" })), "encoding UNKNOWN_ENCODING"),
            (mapping(json!({ "delimiter": "€" })), "delimiter INVALID_DELIMITER"),
        ] {
            let error = try_import(&app, &market, &mapping, file).await.unwrap_err();
            let ImportError::Mapping { problems, columns } = &error else { panic!("{error}") };
            let named: Vec<String> = problems.iter().map(|it| format!("{} {}", it.field, it.code)).collect();
            assert_eq!(named.join(", "), expected);
            let about_columns = expected.contains("COLUMN");
            assert_eq!(columns.is_empty(), !about_columns, "{error}");
            assert_eq!(error.to_string().contains("the file's columns: `id`, `mail`"), about_columns, "{error}");
        }
        for (file, expected) in [
            (&b""[..], "the file is empty: a line of headings is expected"),
            (b"\xEF\xBB\xBF\n\n", "the file is empty: a line of headings is expected"),
            (b"id,\"mail\n", "the headings, line 1: the quotation mark that begins a value must be closed"),
        ] {
            assert_eq!(try_import(&app, &market, &plain(), file).await.unwrap_err().to_string(), expected);
        }
        assert_eq!(totals(&app).await, Totals::default());
        app.finish().await;
    }
}

/// A file of refused rows that cannot be written ends the import with that error, however late it shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let mapping = plain();
        let plan = LeadImport {
            market: &app.app.market,
            principal: OPERATE,
            source_id: market.source_id,
            mapping: &mapping,
            dry_run: false,
        };
        let mut refused = RefusedFile::begin(Full).unwrap();
        let error = import_leads(&plan, Cursor::new(b"id,mail,zip\n1\n"), &mut refused, &mut ()).await.unwrap_err();
        assert!(matches!(&error, ImportError::Refused(error) if error.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(refused.finish().is_err());
        app.finish().await;
    }
}

/// People on a suppression list are refused by check 3, however their number is written; the list may come twice.
#[tokio::test(flavor = "multi_thread")]
async fn suppressed_people_are_refused() {
    let list = "name;E-Mail;telefon\nAda;ADA@mail.example.com;\nBob;;030 2000001\nNobody;;\nEve;nobody;\n";
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let plan = SuppressionImport {
            market: &app.app.market,
            principal: OPERATE,
            campaign_id: Some(market.campaign_id),
            country: None,
            reason: "asked us".to_owned(),
        };
        let mut refused = Vec::new();
        let first = import_suppression(&plan, Cursor::new(list), &mut refused, &mut ()).await.unwrap();
        assert_eq!((first.rows, first.added, first.repeated, first.broken), (4, 2, 0, 2));
        assert_eq!(reasons(&refused), ["4 FORMAT :REQUIRED", "5 FORMAT email:INVALID_EMAIL"]);
        let second = import_suppression(&plan, Cursor::new(list), &mut (), &mut ()).await.unwrap();
        assert_eq!((second.added, second.repeated), (0, 2));
        // One column without a heading, for everybody.
        let everywhere = SuppressionImport { campaign_id: None, country: Some("DE".to_owned()), ..plan };
        let list = Cursor::new("030/2000002\ncarl@mail.example.com\n");
        let third = import_suppression(&everywhere, list, &mut (), &mut ()).await.unwrap();
        assert_eq!(third.added, 2);
        let leads = b"id,mail,zip,phone\n1,ada@mail.example.com,10115,\n2,b@mail.example.com,10115,+49 30 2000001\n\
            3,c@mail.example.com,10115,0302000002\n4,Carl@Mail.Example.com,10115,\n5,d@mail.example.com,10115,030 2000003\n";
        let with_phone = mapping(json!({ "fields": { "email": "mail", "postal_code": "zip", "phone": "phone" } }));
        let (summary, refused) = try_import(&app, &market, &with_phone, leads).await.unwrap();
        assert_eq!((summary.sold, summary.rejected_by.get("SUPPRESSION")), (1, Some(&4)), "{refused:?}");
        app.finish().await;
    }
}

/// Ad spend is booked once; a corrected figure books the difference.
#[tokio::test(flavor = "multi_thread")]
async fn ad_spend_is_booked_by_difference() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        market(&app).await;
        let spent = async |file: &str| {
            let mut refused = Vec::new();
            let (running, file) = (&app.app.market, Cursor::new(file.as_bytes().to_vec()));
            let summary = import_ad_spend(running, OPERATE, None, file, &mut refused, &mut ()).await.unwrap();
            let lines = app.store().read(OPERATE).profit_and_loss("0000", "9999", ProfitBy::Source).await.unwrap();
            let minor = lines.iter().map(|line| line.ad_spend_minor).sum::<i64>();
            (summary.booked, summary.repeated, minor, reasons(&refused))
        };
        let first = "day,amount,source\n2026-06-01,12.50,Source\n01.06.2026,\"1,50\",Source\n2026-06-02,3,Source\n2026-06-31,1,Source\n2026-06-03,1.005,Source\n2026-06-03,1,Nobody\n";
        let refused = ["5 FORMAT day:INVALID_DATE", "6 FORMAT amount:INVALID_AMOUNT", "7 FORMAT source:UNKNOWN_SOURCE"];
        assert_eq!(spent(first).await, (2, 0, 1_700, refused.map(str::to_owned).to_vec()));
        assert_eq!(spent(first).await, (0, 2, 1_700, refused.map(str::to_owned).to_vec()));
        assert_eq!(spent("date;cost;source\n2026-06-01;10;Source\n").await, (1, 0, 1_300, vec![]));
        let file = Cursor::new("day,cost\n");
        let error = import_ad_spend(&app.app.market, OPERATE, None, file, &mut (), &mut ()).await.unwrap_err();
        assert!(error.to_string().contains("source: headings `day`, `amount`"), "{error}");
        app.finish().await;
    }
}

/// What buyers report is kept once per sale, found by the lead's id or the supplier's own.
#[tokio::test(flavor = "multi_thread")]
async fn conversions_are_kept_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;
        let (_, answer) = app.client(&market.key).send_json("/v1/leads", &lead(7), None).await.unwrap();
        import(&app, &market, &good_rows(3)).await;
        let by_lead = format!(
            "lead_id;kind;value;date\n{};won;1.234,50;2026-06-30\n{};WON;1;2999-01-01\nx;WON;1;2026-06-30\n",
            answer["lead_id"].as_str().unwrap(),
            answer["lead_id"].as_str().unwrap()
        );
        let by_external = "external_id,kind\nA-0,CONTACTED\nA-1,LOST\nA-2,maybe\nB-9,WON\n,WON\nA-2,\n";
        for (again, file, source) in [
            (false, by_lead.as_str(), None),
            (true, by_lead.as_str(), None),
            (false, by_external, Some(market.source_id)),
            (true, by_external, Some(market.source_id)),
        ] {
            let mut refused = Vec::new();
            let file = Cursor::new(file.as_bytes());
            let running = &app.app.market;
            let made = import_conversions(running, OPERATE, source, None, file, &mut refused, &mut ()).await.unwrap();
            let known = if source.is_none() { 1 } else { 2 };
            let (recorded, repeated) = if again { (0, known) } else { (known, 0) };
            assert_eq!((made.recorded, made.repeated, made.broken), (recorded, repeated, 2));
            let reasons = reasons(&refused);
            if source.is_none() {
                assert_eq!(reasons, ["3 FORMAT conversion.happened_at:IN_FUTURE", "4 FORMAT lead_id:INVALID_ID"]);
            } else {
                assert_eq!((made.not_sold, made.nothing), (1, 1));
                assert_eq!(reasons, ["4 FORMAT conversion.kind:NOT_ALLOWED", "6 FORMAT external_id:REQUIRED"]);
            }
        }
        app.finish().await;
    }
}

/// Postal codes route the leads that come after them, in both formats.
#[tokio::test(flavor = "multi_thread")]
async fn postal_codes_are_replaced() {
    let headed = "country\tpostal_code\tplace\tstate\tstate_code\tlatitude\tlongitude\nDE\t10115\tBerlin\tBerlin\tBE\t52.53\t13.38\nDE\t\tX\t\t\t1\t1\nDE\t10117\tX\0\t\t\t1\t1\n";
    let geonames = "DE\t10115\tBerlin Mitte\tBerlin\tBE\t\t\t\t\t52.532\t13.384\t6\nDE\t80331\tMünchen\tBayern\tBY\t\t\t\t\t48.135\t11.571\t6\nDE\t1\n";
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let mut refused = Vec::new();
        let first =
            import_postal_codes(app.store(), OPERATE, Cursor::new(headed), &mut refused, &mut ()).await.unwrap();
        assert_eq!((first.rows, first.codes, first.broken), (3, 1, 2));
        assert_eq!(reasons(&refused), ["3 FORMAT :INVALID_POSTAL_CODE", "4 FORMAT :CONTROL_CHARACTER"]);
        let second = import_postal_codes(app.store(), OPERATE, Cursor::new(geonames), &mut (), &mut ()).await.unwrap();
        assert_eq!((second.rows, second.codes, second.broken), (3, 2, 1));
        let known = app.store().read(OPERATE).postal_codes().await.unwrap();
        let places: BTreeSet<String> = known.into_iter().map(|code| code.place).collect();
        assert_eq!(places, ["Berlin Mitte".to_owned(), "München".to_owned()].into());
        let error =
            import_postal_codes(app.store(), OPERATE, Cursor::new("a\tb\n"), &mut (), &mut ()).await.unwrap_err();
        assert!(error.to_string().contains("GeoNames' twelve columns"), "{error}");
        app.finish().await;
    }
}
