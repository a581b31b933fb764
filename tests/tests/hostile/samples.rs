//! What is wrong with a body or a lead, and what it is answered.

use crate::Answer::{self, Check, Refused, Rejected};
use crate::{FORM, JSON};

/// Bodies that are not a lead at all.
pub(crate) fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>, Answer)> {
    let nested = |open: &str, close: &str| format!("{{\"email\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
    let malformed = Refused(400, "MALFORMED_JSON");
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("half an object", JSON, text("{\"email\":"), malformed),
        ("nothing", JSON, Vec::new(), malformed),
        ("two objects", JSON, text("{} {}"), malformed),
        ("a comma too many", JSON, text("{\"email\":\"a@b.de\",}"), malformed),
        ("single quotes", JSON, text("{'email':'a@b.de'}"), malformed),
        ("a comment", JSON, text("{\"email\":\"a@b.de\"} // lead"), malformed),
        ("NaN", JSON, text("{\"size\":NaN}"), malformed),
        ("a number beyond floats", JSON, text("{\"size\":1e999}"), malformed),
        ("half a surrogate pair", JSON, text("{\"email\":\"\\ud800\"}"), malformed),
        ("a raw NUL", JSON, text("{\"email\":\"a\0@b.de\"}"), malformed),
        ("lists 10,000 deep", JSON, nested("[", "]").into_bytes(), malformed),
        ("objects 10,000 deep", JSON, nested("{\"a\":", "}").into_bytes(), malformed),
        ("a byte order mark", JSON, text("\u{feff}{}"), malformed),
        ("UTF-16", JSON, vec![0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], Refused(400, "INVALID_UTF8")),
        ("Latin-1", JSON, b"{\"email\":\"M\xfcller\"}".to_vec(), Refused(400, "INVALID_UTF8")),
        ("an overlong encoding", JSON, b"{\"email\":\"\xc0\xaf\"}".to_vec(), Refused(400, "INVALID_UTF8")),
        ("a list", JSON, text("[]"), Refused(400, "NOT_AN_OBJECT")),
        ("a list of leads", JSON, text("[{\"email\":\"a@b.de\"}]"), Refused(400, "NOT_AN_OBJECT")),
        ("a text", JSON, text("\"lead\""), Refused(400, "NOT_AN_OBJECT")),
        ("null", JSON, text("null"), Refused(400, "NOT_AN_OBJECT")),
        ("10 MB of x", JSON, vec![b'x'; 10_000_000], Refused(413, "BODY_TOO_LARGE")),
        ("one byte too many", JSON, vec![b' '; 64 * 1024 + 1], Refused(413, "BODY_TOO_LARGE")),
        ("10 MB of form", FORM, vec![b'a'; 10_000_000], Refused(413, "BODY_TOO_LARGE")),
        ("as many blanks as fit", JSON, vec![b' '; 64 * 1024], malformed),
        ("a form key in Latin-1", FORM, b"n%FCme=x".to_vec(), Refused(400, "INVALID_UTF8")),
        ("plain text", "text/plain", text("email=a"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("multipart", "multipart/form-data; boundary=x", text("--x--"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("XML", "application/xml", text("<lead/>"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("no content type", "", text("{}"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("a form as JSON", JSON, text("email=a%40b.de"), malformed),
    ]
}

/// Leads with something wrong in them, as JSON text.
pub(crate) fn leads() -> Vec<(&'static str, String, Answer)> {
    let good = r#""email":"ada@mail.example.com","postal_code":"10115""#;
    let with = |more: &str| format!("{{{good},{more}}}");
    let instead = |email: &str| format!("{{\"email\":{email},\"postal_code\":\"10115\"}}");
    let many = (0..201).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
    let beside = (0..3_000).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
    vec![
        ("a list for a text", instead("[\"a@b.de\"]"), Rejected("email", "WRONG_TYPE")),
        ("an object for a text", instead("{}"), Rejected("email", "WRONG_TYPE")),
        ("a number for an e-mail", instead("5"), Rejected("email", "INVALID_EMAIL")),
        ("true for an e-mail", instead("true"), Rejected("email", "INVALID_EMAIL")),
        ("null", instead("null"), Rejected("email", "REQUIRED")),
        ("blanks", instead("\"  \\u00a0\""), Rejected("email", "REQUIRED")),
        ("a NUL in a field", instead("\"a\\u0000@b.de\""), Rejected("email", "CONTROL_CHARACTER")),
        ("a line break in an e-mail", instead("\"a@b.de\\nBcc: c@d.de\""), Rejected("email", "CONTROL_CHARACTER")),
        ("an endless e-mail", instead(&format!("\"{}@b.de\"", "a".repeat(5_000))), Rejected("email", "TOO_LONG")),
        ("a NUL in a mark", with(r#""subid":"a\u0000b""#), Rejected("subid", "CONTROL_CHARACTER")),
        ("a NUL in an id", with(r#""external_id":"\u0000""#), Rejected("external_id", "CONTROL_CHARACTER")),
        ("an endless mark", with(&format!("\"subid\":\"{}\"", "x".repeat(201))), Rejected("subid", "TOO_LONG")),
        ("a list for a mark", with(r#""subid":["a"]"#), Rejected("subid", "WRONG_TYPE")),
        (
            "an id that lost digits",
            with(r#""external_id":123456789012345678901234"#),
            Rejected("external_id", "WRONG_TYPE"),
        ),
        (
            "a NUL in a consent",
            with(r#""consent":{"text_version":"\u0000"}"#),
            Rejected("consent.text_version", "CONTROL_CHARACTER"),
        ),
        ("a NUL in a basis", with(r#""consent":{"basis":"a\u0000"}"#), Rejected("consent.basis", "CONTROL_CHARACTER")),
        (
            "a NUL in a purpose",
            with(r#""consent":{"purposes":["\u0000"]}"#),
            Rejected("consent.purposes", "CONTROL_CHARACTER"),
        ),
        ("a NUL in a key", with(r#""what\u0000":1"#), Rejected("what", "UNKNOWN_FIELD")),
        ("a list for a consent", with(r#""consent":[1]"#), Rejected("consent", "WRONG_SHAPE")),
        ("a text for a list", with(r#""consent":{"purposes":"call"}"#), Rejected("consent.purposes", "WRONG_TYPE")),
        (
            "a number for a moment",
            with(r#""consent":{"given_at":1782900000}"#),
            Rejected("consent.given_at", "INVALID_TIME"),
        ),
        (
            "a moment without a zone",
            with(r#""consent":{"given_at":"2026-07-01T10:00:00"}"#),
            Rejected("consent.given_at", "INVALID_TIME"),
        ),
        (
            "an ancient consent",
            with(r#""consent":{"given_at":"0001-01-01T00:00:00Z"}"#),
            Rejected("consent.given_at", "OUT_OF_RANGE"),
        ),
        (
            "a far future consent",
            with(r#""consent":{"given_at":"9999-12-31T23:59:59Z"}"#),
            Rejected("consent.given_at", "OUT_OF_RANGE"),
        ),
        ("tomorrow's consent", with(r#""consent":{"given_at":"2026-07-02T10:00:00Z"}"#), Check("CONSENT")),
        (
            "a consent key misspelt",
            with(r#""consent":{"givenAt":"2026-07-01T10:00:00Z"}"#),
            Rejected("consent.givenAt", "UNKNOWN_KEY"),
        ),
        ("a future enquiry", with(r#""enquired_at":"2999-01-01T00:00:00Z""#), Rejected("enquired_at", "IN_FUTURE")),
        (
            "an ancient enquiry",
            with(r#""enquired_at":"-0044-03-15T00:00:00Z""#),
            Rejected("enquired_at", "INVALID_TIME"),
        ),
        (
            "last century's enquiry",
            with(r#""enquired_at":"1999-12-31T23:59:59Z""#),
            Rejected("enquired_at", "OUT_OF_RANGE"),
        ),
        (
            "a leap second that was none",
            with(r#""enquired_at":"2026-06-30T25:00:00Z""#),
            Rejected("enquired_at", "INVALID_TIME"),
        ),
        ("a huge integer", with(r#""size":123456789012345678901234567890"#), Rejected("size", "INVALID_INTEGER")),
        ("the largest integer", with(r#""size":18446744073709551615"#), Rejected("size", "OUT_OF_RANGE")),
        ("a huge integer as text", with(r#""size":"99999999999999999999999""#), Rejected("size", "OUT_OF_RANGE")),
        ("a negative zero", with(r#""size":-0.0"#), Rejected("size", "INVALID_INTEGER")),
        ("a fraction", with(r#""size":1.5"#), Rejected("size", "INVALID_INTEGER")),
        ("Arabic digits", with(r#""size":"٣""#), Rejected("size", "INVALID_INTEGER")),
        ("a day that never was", with(r#""born":"30.02.1980""#), Rejected("born", "INVALID_DATE")),
        ("an ancient birthday", with(r#""born":"1850-01-01""#), Rejected("born", "OUT_OF_RANGE")),
        ("a birthday to come", with(r#""born":"2999-01-01""#), Rejected("born", "OUT_OF_RANGE")),
        ("a repeated field", with(r#""email":"eve@mail.example.com""#), Rejected("email", "REPEATED")),
        ("a repeated mark", with(r#""subid":"a","subid":"a""#), Rejected("subid", "REPEATED")),
        ("a repeated consent", with(r#""consent":{"ip":"a","ip":"b"}"#), Rejected("consent.ip", "REPEATED")),
        ("fields that are none", r#"{"fields":5}"#.into(), Rejected("fields", "WRONG_TYPE")),
        ("a field beside fields", format!("{{\"fields\":{{{good}}},\"size\":1}}"), Rejected("size", "UNKNOWN_KEY")),
        ("too many fields", with(&many), Rejected("fields", "TOO_MANY_FIELDS")),
        ("endless keys beside fields", format!("{{\"fields\":{{{good}}},{beside}}}"), Rejected("f0", "UNKNOWN_KEY")),
        ("endless repetition", with(&vec!["\"size\":1"; 5_000].join(",")), Rejected("size", "REPEATED")),
        ("a key without a name", with(r#""":1"#), Rejected("", "UNKNOWN_FIELD")),
        ("an unknown field", with(r#""shoe":"44""#), Rejected("shoe", "UNKNOWN_FIELD")),
        ("a field of the prototype", with(r#""__proto__":{"admin":true}"#), Rejected("__proto__", "UNKNOWN_FIELD")),
    ]
}
