use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::package::sample;

fn redact(text: &str) -> String {
    Redactor::of(&sample()).text(text)
}

#[test]
fn what_says_nothing_about_the_person_stays() {
    let text = r#"{"error":"quota exceeded","code":"E42","limit":50}"#;
    assert_eq!(redact(text), text);
    assert_eq!(redact("<html>\r\n\t<b>502</b>   Bad Gateway\u{202e}</html>"), "<html> <b>502</b> Bad Gateway </html>");
}

#[test]
fn values_are_masked_in_every_writing() {
    for text in [
        "no such person: Annegret",
        "ANNEGRET is known",
        "M\u{fc}ller-L\u{fc}denscheid",
        r#"{"name":"M\u00fcller-L\u00FCdenscheid"}"#,
        r#"{"name":"M\\u00fcller"}"#,
        "name=M%C3%BCller",
        "name=M%25C3%25BCller",
        "M&#252;ller and M&#xfc;ller",
        "mueller@example.org exists",
        "annegret.mueller%40example.org",
        "somebody.else@example.net",
        "call +4915123456789",
        "call 0151 / 234 567-89",
        "call (0151) 2345.6789",
        "zip 01067",
        "age 41",
        "from 93.184.216.34",
        "subid ad-7",
        "bWFyaWEubXVlbGxlckBleGFtcGxlLm9yZw==",
        "6d617269612e6d75656c6c6572406578616d706c65",
    ] {
        let kept = redact(text);
        assert!(kept.contains(MASK), "{text} -> {kept}");
        for value in [
            "nnegret",
            "NNEGRET",
            "denscheid",
            "ller",
            "mueller",
            "else@",
            "2345",
            "567",
            "01067",
            "41",
            "184",
            "ad-7",
            "bWFy",
            "6d61",
        ] {
            assert!(!kept.contains(value), "{text} -> {kept}");
        }
    }
}

#[test]
fn an_excerpt_is_short_and_printable() {
    let redactor = Redactor::of(&sample());
    assert_eq!(redactor.excerpt(b""), None);
    assert_eq!(redactor.excerpt(b" \r\n\0"), None);
    let long = redactor.excerpt("a b\n".repeat(100_000).as_bytes()).unwrap();
    assert!(long.chars().count() <= EXCERPT_CHARS_MAX);
    assert!(!redactor.excerpt(&[0xff, 0xfe, 0x00, b'a', 0x1b, b'[']).unwrap().chars().any(char::is_control));
}

#[test]
fn short_values_only_count_alone() {
    let mut package = sample();
    package.fields = json!({ "state": "CA", "empty": "", "none": null }).as_object().unwrap().clone();
    let redactor = Redactor::of(&package);
    assert_eq!(redactor.text("cannot locate in CA, sorry"), "cannot locate in ***, sorry");
}

proptest! {
    /// Whatever a field holds and however the answer wraps it, the value is not in the excerpt.
    #[test]
    fn no_value_survives(value in "[\\p{L}\\p{N}][\\p{L}\\p{N} @.'-]{2,40}", before in ".{0,60}", after in ".{0,60}", how in 0_u8..4) {
        let mut package = sample();
        package.fields.clear();
        package.fields.insert("x".into(), value.clone().into());
        package.consent = None;
        package.source_subid = None;
        let written = match how {
            0 => value.clone(),
            1 => json!(value).to_string(),
            2 => value.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect() }).collect(),
            _ => url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20"),
        };
        let kept = Redactor::of(&package).text(&format!("{before} {written} {after}"));
        let trimmed: String = value.trim().chars().map(lower).collect();
        let alone = format!("{before} {after}").chars().map(lower).collect::<String>().contains(&trimmed);
        let lowered: String = kept.chars().map(lower).collect();
        prop_assert!(alone || MASK.contains(&trimmed) || !lowered.contains(&trimmed), "{kept}");
    }

    /// Any bytes give a short printable line.
    #[test]
    fn any_answer_is_made_printable(body in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        let kept = Redactor::of(&sample()).excerpt(&body).unwrap_or_default();
        prop_assert!(kept.chars().count() <= EXCERPT_CHARS_MAX && !kept.chars().any(char::is_control));
    }
}
