use PingVerdict::{Bid, Duplicate, Failed, Invalid, NoBid};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::http::ANSWER_BYTES_MAX;
use crate::ping::config::{PingAnswerConfig, PingConfig};
use crate::ping::preset::Preset;

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> OutboundAnswer {
    OutboundAnswer {
        status,
        headers: vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("date".to_owned(), "Sat, 21 Nov 2026 08:00:00 GMT".to_owned()),
        ],
        body: body.into(),
        truncated: false,
        duration: Duration::ZERO,
    }
}

fn adapter(config: Value) -> Adapter {
    let config: PingAnswerConfig = serde_json::from_value(config).unwrap();
    Adapter::of(&config).unwrap()
}

fn preset(preset: Preset) -> Adapter {
    let mut config = PingConfig::new("https://bids.example.com/");
    config.preset = Some(preset);
    // Ringba says no by a price of zero, so it has no price to agree on.
    let default_price_minor = (preset != Preset::Ringba).then_some(777);
    config.answer = Some(PingAnswerConfig { default_price_minor, ..PingAnswerConfig::default() });
    Adapter::of(&config.answer()).unwrap()
}

fn said(adapter: &Adapter, body: &str) -> Said {
    read(adapter, Currency::EUR, &answer(200, "", body))
}

/// What an adapter makes of answers: the verdict, the price and the reference or the reason.
fn expect(adapter: &Adapter, cases: &[(&str, PingVerdict, Option<i64>, Option<&str>)]) {
    for (body, verdict, price, word) in cases {
        let said = said(adapter, body);
        assert_eq!((said.verdict, said.price_minor), (*verdict, *price), "{body}: {said:?}");
        let found = if *verdict == Bid { &said.reference } else { &said.reason };
        assert_eq!(found.as_deref(), *word, "{body}");
    }
}

/// The answers that the systems' own pages show.
#[test]
fn every_presets_answers_are_understood() {
    expect(
        &preset(Preset::LeadDistro),
        &[
            (r#"{"accepted":true,"ping_id":"eyJ.a-b_c","message":"Lead accepted"}"#, Bid, Some(777), Some("eyJ.a-b_c")),
            (r#"{"accepted":false,"reason":"filtered","message":"no"}"#, NoBid, None, Some("filtered")),
            (r#"{"accepted":false,"reason":"duplicate"}"#, Duplicate, None, Some("duplicate")),
        ],
    );
    expect(
        &preset(Preset::Boberdoo),
        &[
            (r#"{"response":{"status":"Matched","lead_id":"1234","price":"12.50"}}"#, Bid, Some(1_250), Some("1234")),
            (r#"{"response":{"status":"Unmatched","lead_id":"1234"}}"#, NoBid, None, None),
            (r#"{"response":{"status":"Error","error":"Invalid Key"}}"#, Failed, None, Some("Invalid Key")),
            (r#"{"response":{"status":"Error","error":"Duplicate lead"}}"#, Duplicate, None, Some("Duplicate lead")),
            (
                "<?xml version=\"1.0\"?><response><status>Matched</status><lead_id>9</lead_id><price>7.5</price></response>",
                Bid,
                Some(750),
                Some("9"),
            ),
        ],
    );
    expect(
        &preset(Preset::LeadByte),
        &[
            (r#"{"Success":true,"Cost":15}"#, Bid, Some(1_500), None),
            (r#"{"Success":false,"Cost":0}"#, NoBid, None, None),
            (r#"{"Success":true,"Cost":0}"#, NoBid, None, None),
        ],
    );
    expect(
        &preset(Preset::Px),
        &[
            (
                r#"{"TransactionId":"D0447C7B-452B","Success":true,"Payout":8.5,"Message":null,"Errors":null,"Sold":null}"#,
                Bid,
                Some(850),
                Some("D0447C7B-452B"),
            ),
            (
                "<Result xmlns:xsi=\"urn:x\"><TransactionId>ce34</TransactionId><Success>true</Success>\
                 <Payout>8.50</Payout><Sold xsi:nil=\"true\" /></Result>",
                Bid,
                Some(850),
                Some("ce34"),
            ),
            (r#"{"Success":false,"Payout":0.0,"Message":"Duplicate lead"}"#, Duplicate, None, Some("Duplicate lead")),
            (r#"{"Success":false,"Payout":0.0,"Message":"Unsold"}"#, NoBid, None, Some("Unsold")),
        ],
    );
    expect(
        &preset(Preset::ClickDealer),
        &[
            (r#"{"Result":"Success","LeadId":"L-1","Payout":2.25,"Message":""}"#, Bid, Some(225), Some("L-1")),
            (r#"{"Result":"Failed","Response_code":"400"}"#, NoBid, None, Some("400")),
        ],
    );
    expect(
        &preset(Preset::Juiced),
        &[
            (
                r#"{"ping_id":"f47ac10b","message":"Match found","bids":[{"id":"7c","price":45},{"id":"a3","price":38.5}]}"#,
                Bid,
                Some(4_500),
                Some("f47ac10b"),
            ),
            (r#"{"ping_id":"f4","result":"No match found","bids":[]}"#, NoBid, None, Some("No match found")),
            (r#"{"ping_id":"f4","result":"Duplicate","bids":[]}"#, Duplicate, None, Some("Duplicate")),
        ],
    );
    expect(
        &preset(Preset::PingTree),
        &[
            (r#"{"status":"ping_accept","transaction_id":"t1"}"#, Bid, Some(777), Some("t1")),
            (r#"{"status":"ping_accept","transaction_id":"t1","price":"9.99"}"#, Bid, Some(999), Some("t1")),
            (r#"{"status":"ping_reject","message":"capped"}"#, NoBid, None, Some("capped")),
        ],
    );
    expect(
        &preset(Preset::Synaptis),
        &[
            (
                r#"{"ping_id":"p","bid":{"amount":21.5,"currency":"EUR","accept":true},"buyer_reference":"r1"}"#,
                Bid,
                Some(2_150),
                Some("r1"),
            ),
            (
                r#"{"bid":{"amount":21.5,"currency":"USD","accept":true}}"#,
                Invalid,
                None,
                Some("the price is in another currency than the campaign"),
            ),
            (r#"{"bid":{"amount":0,"accept":false}}"#, NoBid, None, None),
            ("", NoBid, None, None),
        ],
    );
    expect(
        &preset(Preset::LeadConduit),
        &[
            (r#"{"bid":true,"price":45.00,"exclusive":false,"buyer_id":"b-1"}"#, Bid, Some(4_500), Some("b-1")),
            (r#"{"bid":false,"reason":"over cap"}"#, NoBid, None, Some("over cap")),
        ],
    );
}

#[test]
fn bids_of_ringba_and_our_own_shape_hold_for_a_while() {
    let ringba = preset(Preset::Ringba);
    let bid = said(&ringba, r#"{"bidId":"RTB1","bidAmount":12.00,"phoneNumber":"+15550100","expireInSeconds":25}"#);
    assert_eq!((bid.verdict, bid.price_minor, bid.holds_for), (Bid, Some(1_200), Some(Duration::from_secs(25))));
    expect(
        &ringba,
        &[
            (r#"{"bidId":"RTB1","bidAmount":0,"rejectReason":"no capacity"}"#, NoBid, None, Some("no capacity")),
            (r#"{"rejectReason":"no capacity"}"#, NoBid, None, Some("no capacity")),
        ],
    );
    let ours = preset(Preset::Leadyard);
    let body =
        r#"{"bid":true,"price":"15.00","currency":"EUR","shared":["9.00","7,00"],"reference":"b-7","expires_in":60}"#;
    let bid = said(&ours, body);
    assert_eq!((bid.verdict, bid.price_minor, bid.shared_minor), (Bid, Some(1_500), vec![900, 700]));
    assert_eq!((bid.reference.as_deref(), bid.holds_for), (Some("b-7"), Some(Duration::from_secs(60))));
    let until = said(&ours, r#"{"bid":true,"price":1,"expires_at":"2026-11-21T08:00:45Z"}"#);
    assert_eq!(until.holds_for, Some(Duration::from_secs(45)));
    expect(
        &ours,
        &[
            (r#"{"bid":true,"price":1,"expires_in":0}"#, Invalid, None, Some("the bid has expired already")),
            (r#"{"bid":false,"duplicate":true}"#, Duplicate, None, None),
            (
                r#"{"bid":true,"price":1,"duplicate":true}"#,
                Invalid,
                None,
                Some("the answer is a bid and a refusal at once"),
            ),
            (r#"{"bid":true,"price":5,"shared":["1.00","-2"]}"#, Invalid, None, Some("the price is negative")),
        ],
    );
    assert_eq!(said(&ours, r#"{"bid":true,"price":5,"shared":["4",null,"2"]}"#).shared_minor, [400]);
}

#[test]
fn what_cannot_be_taken_says_why() {
    let ours = preset(Preset::Leadyard);
    for (body, why) in [
        (r#"{"bid":true,"price":NaN}"#, "the answer is not JSON"),
        (r#"{"bid":true,"price":"NaN"}"#, "the price is not a plain number"),
        (r#"{"bid":true,"price":"Infinity"}"#, "the price is not a plain number"),
        (r#"{"bid":true,"price":1e400}"#, "the price is absurdly high"),
        (r#"{"bid":true,"price":-1}"#, "the price is negative"),
        (r#"{"bid":true,"price":""}"#, "the price is empty"),
        (r#"{"bid":true,"price":1.005}"#, "the price has more decimals than its currency"),
        (r#"{"bid":true,"price":"1.005"}"#, "the price can be read in two ways; `answer.decimals` says which"),
        (r#"{"bid":true,"price":"$15"}"#, "the price is in another currency than the campaign"),
        (r#"{"bid":true,"price":15,"currency":"usd"}"#, "the price is in another currency than the campaign"),
        (r#"{"bid":true,"price":[15]}"#, "a value of the answer is a list or an object"),
        (r#"{"bid":true,"price":1,"price":99}"#, "a value of the answer is there twice"),
        (r#"{"bid":true,"bid":false,"price":1}"#, "a value of the answer is there twice"),
        (r#"{"price":15}"#, "the answer does not have the value by which a bid is known"),
        ("OK", "the answer does not have the value by which a bid is known"),
        ("[]", "the answer does not have the value by which a bid is known"),
        (r#"{"bid":true,"price":1,"reference":"a\u0000b"}"#, "the buyer's reference is too long or not printable"),
    ] {
        expect(&ours, &[(body, Invalid, None, Some(why))]);
    }
    let mut without = preset(Preset::Leadyard);
    without.default_price_minor = None;
    expect(&without, &[(r#"{"bid":true}"#, Invalid, None, Some("the buyer bids but names no price"))]);
    let not_utf8 = read(&ours, Currency::EUR, &answer(200, "", b"{\"bid\":true,\"price\":\"1\xff\"}".to_vec()));
    assert_eq!((not_utf8.verdict, not_utf8.reason.as_deref()), (Invalid, Some("the answer is not UTF-8")));
    let mut compressed = answer(200, "application/json", r#"{"bid":true,"price":1}"#);
    compressed.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    let compressed = read(&ours, Currency::EUR, &compressed);
    let why = "the answer is compressed, which was not asked for";
    assert_eq!((compressed.verdict, compressed.reason.as_deref()), (Invalid, Some(why)));
}

#[test]
fn statuses_come_before_words() {
    let ours = preset(Preset::Leadyard);
    let (bid, no, known) = (r#"{"bid":true,"price":5}"#, r#"{"bid":false}"#, r#"{"bid":false,"duplicate":true}"#);
    for (status, body, verdict) in [
        (200, bid, Bid),
        (201, bid, Bid),
        (204, bid, NoBid),
        (204, "", NoBid),
        (200, " \r\n", NoBid),
        (302, bid, Failed),
        (307, "", Failed),
        (400, bid, Failed),
        (400, no, NoBid),
        (409, known, Duplicate),
        (404, "", Failed),
        (404, "<html>not found</html>", Failed),
        (401, no, Failed),
        (403, no, Failed),
        (429, no, Failed),
        (500, bid, Failed),
        (503, no, Failed),
        (100, bid, Failed),
        (999, bid, Failed),
    ] {
        assert_eq!(read(&ours, Currency::EUR, &answer(status, "", body)).verdict, verdict, "{status} {body}");
    }
    let chosen = adapter(json!({ "statuses": [201, 402], "price": "price" }));
    for (status, verdict) in [(201, Bid), (402, Bid), (200, NoBid), (400, Failed), (500, Failed)] {
        assert_eq!(read(&chosen, Currency::EUR, &answer(status, "", bid)).verdict, verdict, "{status}");
    }
}

#[test]
fn texts_and_forms_are_read_by_patterns_and_names() {
    let text = adapter(json!({
        "format": "TEXT",
        "success": { "pattern": "^accepted" },
        "duplicate": { "pattern": "\\bdup" },
        "price": { "pattern": "price[=:] *([0-9.,]+)" },
        "reference": { "pattern": "id=(\\w+)" },
        "reason": { "pattern": "\\|(.*)$" },
        "default_reason": "refused",
    }));
    expect(
        &text,
        &[
            ("ACCEPTED|Price=15,50|id=x7", Bid, Some(1_550), Some("x7")),
            ("REJECTED|filtered", NoBid, None, Some("filtered")),
            ("REJECTED", NoBid, None, Some("refused")),
            ("rejected: DUP|known", Duplicate, None, Some("known")),
            ("accepted", Invalid, None, Some("the buyer bids but names no price")),
        ],
    );
    let form = adapter(json!({
        "format": "FORM",
        "success": { "path": "ok", "equals": [1, "yes"] },
        "price": "cents",
        "unit": "MINOR",
        "reason": "why",
    }));
    expect(
        &form,
        &[
            ("ok=1&cents=1550", Bid, Some(1_550), None),
            ("OK=Yes&cents=1550", Bid, Some(1_550), None),
            ("ok=0&why=too+far", NoBid, None, Some("too far")),
            ("ok=1&cents=15.5", Invalid, None, Some("the price has more decimals than its currency")),
        ],
    );
}

/// What an endless, deep or twisted answer costs: a pass over 64 KiB.
#[test]
fn hostile_answers_are_quick() {
    let fill = |piece: &str| piece.repeat(ANSWER_BYTES_MAX / piece.len());
    let laughs =
        format!("<!DOCTYPE l [<!ENTITY a \"ha\">{}]><r><price>&z;</price></r>", fill("<!ENTITY b \"&a;&a;\">"));
    let hostile = [
        fill("["),
        fill("{\"bid\":"),
        fill("{\"price\":["),
        format!("{{\"bid\":true,\"price\":{}}}", "9".repeat(60_000)),
        format!("{{\"bid\":true,\"price\":0.{}1}}", "0".repeat(60_000)),
        format!("{{\"bid\":true,\"price\":\"{}\"}}", "1,".repeat(30_000)),
        format!("{{{}\"bid\":true}}", "\"price\":1,".repeat(6_000)),
        format!("{{{}\"bid\":true}}", "\"\\u0070rice\":1,".repeat(4_000)),
        format!("[{}1]", "1,".repeat(32_000)),
        fill("<a>"),
        fill("<a x='1' y='&amp;'>"),
        fill("<!-- "),
        fill("&#65;"),
        laughs,
        format!("<r {}/>", "a='' ".repeat(13_000)),
        fill("price=1&"),
        fill("%41"),
        fill("\u{feff}"),
        fill("a"),
        fill(" "),
    ];
    let mut adapters: Vec<Adapter> = Preset::ALL.iter().map(|known| preset(*known)).collect();
    adapters.push(adapter(json!({ "success": { "pattern": "(a|aa)+$" }, "price": { "pattern": "(.*)*x(\\d+)" } })));
    let mut slowest = Duration::ZERO;
    for adapter in &adapters {
        for body in &hostile {
            for content_type in ["application/json", "text/xml", "application/x-www-form-urlencoded", "text/plain"] {
                let started = Instant::now();
                let said = read(adapter, Currency::EUR, &answer(200, content_type, body.as_str()));
                slowest = slowest.max(started.elapsed());
                assert_ne!(said.verdict, Bid, "{content_type} {}", &body[..40]);
            }
        }
    }
    println!("the slowest of {} hostile answers took {slowest:?}", adapters.len() * hostile.len() * 4);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No bytes panic, whoever reads them, and a bid is always a believable price.
    #[test]
    fn any_answer_is_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        near in "[{}\\[\\]\"<>/a-z:=&, 0-9.\\\\-]{0,80}",
        value in "[-+0-9.,' $€eEn\"{}\\[\\]]{0,20}",
        status in 190_u16..520,
        content_type in prop::sample::select(vec!["application/json", "text/xml", "text/plain", "", "a/x-www-form-urlencoded"]),
        which in 0..Preset::ALL.len(),
    ) {
        let adapter = preset(Preset::ALL[which]);
        let bodies = [
            bytes,
            near.into_bytes(),
            format!("{{\"bid\":true,\"Success\":true,\"price\":{value},\"Payout\":{value},\"Cost\":{value}}}").into_bytes(),
            format!("<r><Success>true</Success><Payout>{value}</Payout></r>").into_bytes(),
        ];
        for body in bodies {
            let said = read(&adapter, Currency::EUR, &answer(status, content_type, body));
            match said.verdict {
                Bid => prop_assert!(said.price_minor.is_some_and(|price| (1..=price::PRICE_MINOR_MAX).contains(&price))),
                _ => prop_assert!(said.price_minor.is_none() && said.shared_minor.is_empty() && said.reference.is_none()),
            }
            prop_assert_eq!(said.verdict == Invalid && said.reason.is_none(), false);
        }
    }

    /// A good bid is understood whatever stands around it, to the cent.
    #[test]
    fn good_bids_are_understood(minor in 1..=price::PRICE_MINOR_MAX, other in "[a-z]{1,8}_", text in "\\PC{0,30}") {
        let amount = format!("{}.{:02}", minor / 100, minor % 100);
        let ours = preset(Preset::Leadyard);
        let bid = json!({ "bid": true, "price": amount, "currency": "EUR", other.clone(): text }).to_string();
        prop_assert_eq!(said(&ours, &bid).price_minor, Some(minor));
        let bare = format!("{{\"{other}\":[[1]],\"bid\":true,\"price\":{amount}}}");
        prop_assert_eq!(said(&ours, &bare).price_minor, Some(minor));
    }
}
