//! Values: from what was sent to what is stored, one function per kind of field (check 2).
//!
//! A value that is refused is never repeated in the message: it may be personal, and answers are logged by senders.

use std::net::IpAddr;

use chrono::{Datelike, NaiveDate};
use email_address::{EmailAddress, Options};
use leadyard_types::field::{FieldKind, FieldValue};
use rust_decimal::Decimal;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::{phone, postal, region};

/// The greatest number taken, and the least below zero: what every JSON reader keeps exactly (2^53 − 1).
pub const NUMBER_MAX: i64 = 9_007_199_254_740_991;
/// The digits kept after a decimal point.
const DECIMAL_PLACES_MAX: u32 = 9;
/// Dates before this year are slips of the pen, whatever the field.
pub const YEAR_MIN: i32 = 1900;
/// Dates after this year likewise.
pub const YEAR_MAX: i32 = 2100;
/// The longest address taken; longer ones break in browsers and mail.
const URL_CHARS_MAX: usize = 2_048;

/// Why a value is refused: a stable code and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable code such as `INVALID_EMAIL`.
    pub code: &'static str,
    /// What would be right, for a person.
    pub message: String,
}

fn fault(code: &'static str, message: impl Into<String>) -> Fault {
    Fault { code, message: message.into() }
}

/// What was sent, as text: trimmed, NFC. `None` for nothing: null, empty or blank.
///
/// # Errors
/// Lists and objects, and control characters (a line break or tab is fine within free text).
pub fn as_text(kind: FieldKind, sent: &Value) -> Result<Option<String>, Fault> {
    let text = match sent {
        Value::Null => return Ok(None),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) if has_lost_digits(kind, number) => {
            return Err(fault(
                "OUT_OF_RANGE",
                "a number this long loses digits on the way: send it as text, in quotes",
            ));
        }
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.nfc().collect(),
        Value::Array(_) | Value::Object(_) => {
            return Err(fault("WRONG_TYPE", "send one value: a text, a number or true/false, not a list or an object"));
        }
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'));
    let text = if kind == FieldKind::Text { text.replace("\r\n", "\n") } else { text.to_owned() };
    let allowed = |c: char| kind == FieldKind::Text && matches!(c, '\n' | '\t');
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(fault("CONTROL_CHARACTER", "send plain text without control characters"));
    }
    Ok((!text.is_empty()).then_some(text))
}

/// Whether a number that stands for a text (a customer's number, a telephone number) is a float that no longer says
/// what was written. Kinds that are numbers have messages of their own.
fn has_lost_digits(kind: FieldKind, number: &serde_json::Number) -> bool {
    !matches!(kind, FieldKind::Integer | FieldKind::Decimal)
        && number.is_f64()
        && number.as_f64().is_none_or(|float| float.abs() >= 9_007_199_254_740_992.0)
}

/// The value of a kind, normalised. `text` is what [`as_text`] made of `sent`.
///
/// # Errors
/// What cannot be a value of the kind, with what would be right.
pub fn typed(kind: FieldKind, country: &str, sent: &Value, text: &str) -> Result<FieldValue, Fault> {
    let text = match kind {
        FieldKind::Integer => return integer(text).map(FieldValue::Integer),
        FieldKind::Boolean => return boolean(text).map(FieldValue::Boolean),
        FieldKind::Text => text.to_owned(),
        FieldKind::Decimal => decimal(country, text)?.normalize().to_string(),
        FieldKind::Date => date(country, text)?.to_string(),
        FieldKind::Email => email(text)?,
        FieldKind::Phone => phone_number(country, text)?,
        FieldKind::PostalCode => postal_code(country, sent, text)?,
        FieldKind::State => state(country, text),
        FieldKind::Country => country_code(text)?,
        FieldKind::Url => address(text)?,
        FieldKind::Ip => ip(text)?,
    };
    Ok(FieldValue::Text(text))
}

/// Whether the character parts the digits of a long number: `1 234`, `1'234`.
fn parts_digits(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '’')
}

/// The digits of a number without the characters that part them; `None` if they part anything but thousands.
fn without_grouping(digits: &str, parts: impl Fn(char) -> bool + Copy) -> Option<String> {
    let mut groups = digits.split(parts);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.is_empty() || (1..=3).contains(&first.len());
    (grouped && rest.iter().all(|group| group.len() == 3))
        .then(|| rest.iter().fold(first.to_owned(), |all, group| all + group))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn out_of_range() -> Fault {
    fault("OUT_OF_RANGE", format!("numbers lie between -{NUMBER_MAX} and {NUMBER_MAX}"))
}

/// A sign and what follows it.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Result<i64, Fault> {
    let wrong = || fault("INVALID_INTEGER", "send a whole number such as 1234, without decimals");
    let (negative, digits) = signed(text);
    let digits = without_grouping(digits, parts_digits).filter(|digits| is_digits(digits)).ok_or_else(wrong)?;
    let number: i64 = digits.parse().map_err(|_| out_of_range())?;
    if number > NUMBER_MAX {
        return Err(out_of_range());
    }
    Ok(if negative { -number } else { number })
}

/// A decimal: `12.5` and `12,5` are the same. Where both separators are used, the last is the decimal one; one that
/// is repeated parts thousands. In the United States a lone comma before three digits parts thousands.
fn decimal(country: &str, text: &str) -> Result<Decimal, Fault> {
    let wrong = || fault("INVALID_DECIMAL", "send a number such as 12.5");
    // JSON writes very large and very small floats with an exponent; nothing in that range is meant.
    if text.contains(['e', 'E']) && text.parse::<f64>().is_ok() {
        return Err(out_of_range());
    }
    let (negative, number) = signed(text);
    let (whole, fraction, grouping) = split_decimal(country, number);
    let whole = without_grouping(whole, |c| c == grouping || parts_digits(c)).filter(|digits| is_digits(digits));
    let whole = whole.filter(|_| is_digits(fraction)).ok_or_else(wrong)?;
    let value = Decimal::from_str_exact(&format!("{whole}.{fraction}")).map_err(|_| out_of_range())?;
    if value > Decimal::from(NUMBER_MAX) {
        return Err(out_of_range());
    }
    if value.normalize().scale() > DECIMAL_PLACES_MAX {
        let message = format!("at most {DECIMAL_PLACES_MAX} digits after the decimal point are kept");
        return Err(fault("INVALID_DECIMAL", message));
    }
    Ok(if negative && !value.is_zero() { -value } else { value })
}

/// The whole part, the fraction, and the separator that may part thousands.
fn split_decimal<'a>(country: &str, number: &'a str) -> (&'a str, &'a str, char) {
    let Some(at) = number.rfind(['.', ',']) else { return (number, "0", ',') };
    let (whole, fraction) = (&number[..at], &number[at + 1..]);
    let (own, other) = if number[at..].starts_with(',') { (',', '.') } else { ('.', ',') };
    let is_american = own == ',' && country == "US" && fraction.len() == 3 && !whole.contains('.');
    if is_american || whole.contains(own) { (number, "0", own) } else { (whole, fraction, other) }
}

fn boolean(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "ja" | "1" | "on" => Ok(true),
        "false" | "no" | "nein" | "0" | "off" => Ok(false),
        _ => Err(fault("INVALID_BOOLEAN", "send true or false (yes/no, ja/nein, 1/0 and on/off are understood)")),
    }
}

/// A date: ISO, `DD.MM.YYYY`, and in the United States `MM/DD/YYYY`.
fn date(country: &str, text: &str) -> Result<NaiveDate, Fault> {
    let parts = |separator: char| -> Option<[u32; 3]> {
        let mut numbers = text.split(separator).map(|part| is_digits(part).then(|| part.parse().ok()).flatten());
        let parts = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(parts)
    };
    let (year, month, day) = if let Some([year, month, day]) = parts('-') {
        (year, month, day)
    } else if let Some([day, month, year]) = parts('.') {
        (year, month, day)
    } else if let Some([month, day, year]) = parts('/').filter(|_| country == "US") {
        (year, month, day)
    } else {
        return Err(invalid_date(country));
    };
    let year =
        i32::try_from(year).ok().filter(|year| (1000..=9999).contains(year)).ok_or_else(|| invalid_date(country))?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| invalid_date(country))?;
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) {
        Ok(date)
    } else {
        Err(fault("OUT_OF_RANGE", format!("dates lie between {YEAR_MIN}-01-01 and {YEAR_MAX}-12-31")))
    }
}

fn invalid_date(country: &str) -> Fault {
    let habit = if country == "US" { "11/21/2026" } else { "21.11.2026" };
    fault("INVALID_DATE", format!("send a calendar date such as 2026-11-21 or {habit}"))
}

/// One e-mail address of a lead, in lower case. People who ask for offers read their mail on the internet.
///
/// # Errors
/// What cannot be one: with a name, without a domain that has a dot.
pub fn email(text: &str) -> Result<String, Fault> {
    address_of(text, Options::default().with_required_tld())
}

/// One e-mail address of somebody who works with the market, a user, a buyer, a supplier, in lower case. Its domain may be
/// a host of their own network, without a dot: a domain has one part or more (RFC 5321, section 2.3.5).
///
/// # Errors
/// What cannot be one: with a name, without a domain.
pub fn mailbox(text: &str) -> Result<String, Fault> {
    address_of(text, Options::default())
}

fn address_of(text: &str, options: Options) -> Result<String, Fault> {
    let address = text.to_lowercase();
    let options = options.without_display_text().without_domain_literal();
    match EmailAddress::parse_with_options(&address, options) {
        Ok(_) => Ok(address),
        Err(_) => Err(fault("INVALID_EMAIL", "send one e-mail address such as name@example.com")),
    }
}

fn phone_number(country: &str, text: &str) -> Result<String, Fault> {
    phone::e164(country, text).ok_or_else(|| {
        fault(
            "INVALID_PHONE",
            format!("send a telephone number that exists, best with its country code, for example +493012345678; without one it is read as a number of {country}"),
        )
    })
}

fn postal_code(country: &str, sent: &Value, text: &str) -> Result<String, Fault> {
    if let Some(code) = postal::canonical(country, text) {
        return Ok(code);
    }
    let mut message = postal::expected(country);
    if sent.is_number() && postal::digits(country).is_some_and(|digits| text.len() < digits) {
        message.push_str("; a JSON number loses its leading zeros: send the code as text, in quotes");
    }
    Err(fault("INVALID_POSTAL_CODE", message))
}

/// A state as written; a code is upper-cased.
fn state(country: &str, text: &str) -> String {
    match region::code(country, text) {
        Some(code) if code.eq_ignore_ascii_case(text) => code.to_owned(),
        _ => text.to_owned(),
    }
}

/// The country codes of ISO 3166-1, and XK (Kosovo), which postal and phone data use.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether the text is an ISO 3166 country code, upper case.
#[must_use]
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && COUNTRIES.split(' ').any(|known| known == code)
}

fn country_code(text: &str) -> Result<String, Fault> {
    let code = text.to_ascii_uppercase();
    if is_country(&code) {
        Ok(code)
    } else {
        Err(fault("INVALID_COUNTRY", "send a two-letter ISO 3166 code such as DE"))
    }
}

fn address(text: &str) -> Result<String, Fault> {
    let wrong = || fault("INVALID_URL", "send a web address such as https://example.com/page");
    if text.chars().count() > URL_CHARS_MAX || text.chars().any(char::is_whitespace) {
        return Err(wrong());
    }
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    if is_web { Ok(url.into()) } else { Err(wrong()) }
}

fn ip(text: &str) -> Result<String, Fault> {
    let address: IpAddr =
        text.parse().map_err(|_| fault("INVALID_IP", "send an IPv4 or IPv6 address such as 203.0.113.7"))?;
    Ok(address.to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: FieldKind, country: &str, sent: &Value) -> Result<Option<FieldValue>, &'static str> {
        let text = as_text(kind, sent).map_err(|fault| fault.code)?;
        text.map(|text| typed(kind, country, sent, &text).map_err(|fault| fault.code)).transpose()
    }

    fn texts(kind: FieldKind, country: &str, cases: &[(Value, Result<&str, &'static str>)]) {
        for (sent, wanted) in cases {
            let found = read(kind, country, sent);
            assert_eq!(found, wanted.map(|text| Some(FieldValue::text(text))), "{kind} {country} {sent}");
        }
    }

    /// Null, empty and blank are absent, of every kind.
    #[test]
    fn nothing_is_absent() {
        for kind in FieldKind::ALL {
            for sent in [json!(null), json!(""), json!("  \u{a0}\u{feff}")] {
                assert_eq!(read(*kind, "DE", &sent), Ok(None), "{kind}");
            }
        }
    }

    /// Text is trimmed and NFC; control characters are refused, line breaks only fit free text.
    #[test]
    fn text_is_trimmed_and_composed() {
        texts(
            FieldKind::Text,
            "DE",
            &[
                (json!("  Mu\u{308}ller "), Ok("Müller")),
                (json!("a\r\nb\tc"), Ok("a\nb\tc")),
                (json!("a\u{0}b"), Err("CONTROL_CHARACTER")),
                (json!("a\u{1b}[31m"), Err("CONTROL_CHARACTER")),
                (json!(12.5), Ok("12.5")),
                (json!(12_345_678_901_234_567_890_u64), Ok("12345678901234567890")),
                (json!(1.234_567_890_123_456_8e22), Err("OUT_OF_RANGE")),
                (json!(["a"]), Err("WRONG_TYPE")),
                (json!({"a": 1}), Err("WRONG_TYPE")),
            ],
        );
        texts(FieldKind::Email, "DE", &[(json!("a@b.de\nBcc: c@d.de"), Err("CONTROL_CHARACTER"))]);
    }

    /// Integers: JSON or text, thousands parted; never a decimal; absurd ones named.
    #[test]
    fn integers_are_whole() {
        for (sent, wanted) in [
            (json!(12), Ok(12)),
            (json!(-3), Ok(-3)),
            (json!("1 234"), Ok(1234)),
            (json!("1\u{202f}234'567"), Ok(1_234_567)),
            (json!("+7"), Ok(7)),
            (json!("007"), Ok(7)),
            (json!("12.5"), Err("INVALID_INTEGER")),
            (json!(12.5), Err("INVALID_INTEGER")),
            (json!("1 23"), Err("INVALID_INTEGER")),
            (json!("--1"), Err("INVALID_INTEGER")),
            (json!("-"), Err("INVALID_INTEGER")),
            (json!("twelve"), Err("INVALID_INTEGER")),
            (json!("٣"), Err("INVALID_INTEGER")),
            (json!(9_007_199_254_740_992_i64), Err("OUT_OF_RANGE")),
            (json!("99999999999999999999999"), Err("OUT_OF_RANGE")),
            (json!(u64::MAX), Err("OUT_OF_RANGE")),
        ] {
            assert_eq!(read(FieldKind::Integer, "DE", &sent), wanted.map(|n| Some(FieldValue::Integer(n))), "{sent}");
        }
    }

    /// Decimals: comma and point, one canonical text.
    #[test]
    fn decimals_are_canonical() {
        texts(
            FieldKind::Decimal,
            "DE",
            &[
                (json!("12,5"), Ok("12.5")),
                (json!("12.50"), Ok("12.5")),
                (json!(12.5), Ok("12.5")),
                (json!(12), Ok("12")),
                (json!(100.0), Ok("100")),
                (json!("1.234,56"), Ok("1234.56")),
                (json!("1,234.56"), Ok("1234.56")),
                (json!("1 234,5"), Ok("1234.5")),
                (json!("1.234"), Ok("1.234")),
                (json!("-0"), Ok("0")),
                (json!("-0,5"), Ok("-0.5")),
                (json!("1.234.567"), Ok("1234567")),
                (json!("1,2,3"), Err("INVALID_DECIMAL")),
                (json!("1.2.3"), Err("INVALID_DECIMAL")),
                (json!(",5"), Err("INVALID_DECIMAL")),
                (json!("5,"), Err("INVALID_DECIMAL")),
                (json!("0.1234567891"), Err("INVALID_DECIMAL")),
                (json!("NaN"), Err("INVALID_DECIMAL")),
                (json!(1e300), Err("OUT_OF_RANGE")),
                (json!("99999999999999999"), Err("OUT_OF_RANGE")),
            ],
        );
        texts(
            FieldKind::Decimal,
            "US",
            &[
                (json!("2,500"), Ok("2500")),
                (json!("2,500,000"), Ok("2500000")),
                (json!("2,500.75"), Ok("2500.75")),
                (json!("12,5"), Ok("12.5")),
            ],
        );
    }

    /// Booleans in the words of forms.
    #[test]
    fn booleans_have_several_words() {
        for (sent, wanted) in [
            (json!(true), Ok(true)),
            (json!("Ja"), Ok(true)),
            (json!("on"), Ok(true)),
            (json!(1), Ok(true)),
            (json!(false), Ok(false)),
            (json!("NEIN"), Ok(false)),
            (json!("0"), Ok(false)),
            (json!("maybe"), Err("INVALID_BOOLEAN")),
            (json!(2), Err("INVALID_BOOLEAN")),
        ] {
            assert_eq!(read(FieldKind::Boolean, "DE", &sent), wanted.map(|b| Some(FieldValue::Boolean(b))), "{sent}");
        }
    }

    /// Dates in each country's habit; ancient and absurd ones have their own code.
    #[test]
    fn dates_are_iso() {
        texts(
            FieldKind::Date,
            "DE",
            &[
                (json!("2026-11-21"), Ok("2026-11-21")),
                (json!("21.11.2026"), Ok("2026-11-21")),
                (json!("1.2.1980"), Ok("1980-02-01")),
                (json!("11/21/2026"), Err("INVALID_DATE")),
                (json!("2026-02-30"), Err("INVALID_DATE")),
                (json!("21.11.26"), Err("INVALID_DATE")),
                (json!("1899-12-31"), Err("OUT_OF_RANGE")),
                (json!("2101-01-01"), Err("OUT_OF_RANGE")),
                (json!("tomorrow"), Err("INVALID_DATE")),
                (json!("2026-11-21-01"), Err("INVALID_DATE")),
            ],
        );
        texts(
            FieldKind::Date,
            "US",
            &[(json!("11/21/2026"), Ok("2026-11-21")), (json!("21/11/2026"), Err("INVALID_DATE"))],
        );
    }

    /// E-mail addresses are lower-cased and need a domain with a dot.
    #[test]
    fn emails_are_lower_case() {
        texts(
            FieldKind::Email,
            "DE",
            &[
                (json!(" Anna.Muster+x@Example.COM "), Ok("anna.muster+x@example.com")),
                (json!("anna@müller.de"), Ok("anna@müller.de")),
                (json!("anna@localhost"), Err("INVALID_EMAIL")),
                (json!("anna"), Err("INVALID_EMAIL")),
                (json!("Anna <anna@example.com>"), Err("INVALID_EMAIL")),
                (json!("anna@[127.0.0.1]"), Err("INVALID_EMAIL")),
                (json!("a@example.com,b@example.com"), Err("INVALID_EMAIL")),
            ],
        );
    }

    /// Who works with the market may read mail on a host of their own network; a name beside the address is none all the same.
    #[test]
    fn mailboxes_may_have_no_dot() {
        for (sent, wanted) in [("Admin@Localhost", "admin@localhost"), ("ada@mail.example.com", "ada@mail.example.com")]
        {
            assert_eq!(mailbox(sent).as_deref(), Ok(wanted));
        }
        for none in
            ["", "admin", "@localhost", "admin@", "Ada <admin@localhost>", "admin@[127.0.0.1]", "a@b c", "a@b\r\n"]
        {
            assert_eq!(mailbox(none).map_err(|fault| fault.code), Err("INVALID_EMAIL"), "{none}");
        }
    }

    /// Postal codes keep leading zeros; a number that lost them is told so.
    #[test]
    fn postal_codes_say_when_a_number_lost_its_zeros() {
        texts(
            FieldKind::PostalCode,
            "DE",
            &[(json!("01067"), Ok("01067")), (json!(10115), Ok("10115")), (json!(1067), Err("INVALID_POSTAL_CODE"))],
        );
        let message = |sent: Value| typed(FieldKind::PostalCode, "DE", &sent, "1067").unwrap_err().message;
        assert!(message(json!(1067)).contains("leading zeros: send the code as text"));
        assert!(!message(json!("1067")).contains("JSON number"));
        assert!(!message(json!("1067")).contains("1067 "));
    }

    /// Countries are ISO codes, addresses web addresses, IPs canonical, states upper-cased if they are codes.
    #[test]
    fn the_other_kinds_are_canonical() {
        texts(FieldKind::Country, "DE", &[(json!("at"), Ok("AT")), (json!("ZZ"), Err("INVALID_COUNTRY"))]);
        texts(FieldKind::State, "DE", &[(json!("be"), Ok("BE")), (json!("Berlin"), Ok("Berlin"))]);
        texts(
            FieldKind::Url,
            "DE",
            &[
                (json!("HTTPS://Example.com/a?b=1"), Ok("https://example.com/a?b=1")),
                (json!("javascript:alert(1)"), Err("INVALID_URL")),
                (json!("ftp://example.com"), Err("INVALID_URL")),
                (json!("example.com"), Err("INVALID_URL")),
                (json!("https://exa mple.com"), Err("INVALID_URL")),
            ],
        );
        texts(
            FieldKind::Ip,
            "DE",
            &[
                (json!("203.0.113.7"), Ok("203.0.113.7")),
                (json!("2001:DB8:0:0::1"), Ok("2001:db8::1")),
                (json!("::ffff:203.0.113.7"), Ok("203.0.113.7")),
                (json!("203.0.113.256"), Err("INVALID_IP")),
            ],
        );
    }
}
