use PriceProblem::{Absurd, Ambiguous, Empty, Negative, NotANumber, OtherCurrency, TooManyDecimals};
use proptest::prelude::*;

use super::*;

const MAJOR: Writing = Writing { unit: PriceUnit::Major, decimals: DecimalMark::Auto };

fn euro(text: &str) -> Result<i64, PriceProblem> {
    of_text(text, MAJOR, Currency::EUR)
}

fn number(number: &str) -> Result<i64, PriceProblem> {
    of_number(number, PriceUnit::Major, Currency::EUR)
}

#[test]
fn prices_are_read_in_every_usual_writing() {
    for (text, expected) in [
        ("15", 1_500),
        ("15.5", 1_550),
        ("15.00", 1_500),
        ("15,00", 1_500),
        ("15,5", 1_550),
        (" 15 ", 1_500),
        ("15.0000", 1_500),
        ("015.00", 1_500),
        (".5", 50),
        (",50", 50),
        ("€.50", 50),
        ("0", 0),
        ("0.00", 0),
        ("15 EUR", 1_500),
        ("15EUR", 1_500),
        ("EUR 15", 1_500),
        ("eur15.00", 1_500),
        ("€15", 1_500),
        ("15 €", 1_500),
        ("€ 15,00 EUR", 1_500),
        ("1.234,50", 123_450),
        ("1,234.50", 123_450),
        ("1.000.000,0", 100_000_000),
        ("1,000,000", 100_000_000),
        ("1 234,50", 123_450),
        ("1\u{a0}234,50", 123_450),
        ("1\u{202f}234.50", 123_450),
        ("1'234.50", 123_450),
        ("1’234", 123_400),
        ("0.120", 12),
        ("1234.5", 123_450),
        ("1000.000", 100_000),
    ] {
        assert_eq!(euro(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_price_is_refused_by_its_name() {
    for (text, problem) in [
        ("", Empty),
        ("   ", Empty),
        ("NaN", NotANumber),
        ("nan", NotANumber),
        ("Infinity", NotANumber),
        ("-Infinity", NotANumber),
        ("inf", NotANumber),
        ("null", NotANumber),
        ("true", NotANumber),
        ("free", NotANumber),
        ("1e3", NotANumber),
        ("1E400", NotANumber),
        ("0x10", NotANumber),
        ("１５", NotANumber),
        ("٣", NotANumber),
        ("15..5", NotANumber),
        ("15.5.5,", NotANumber),
        ("1,2,3", NotANumber),
        ("1.23.456", NotANumber),
        ("1234,567.00", NotANumber),
        ("1.234,567.8", NotANumber),
        ("12 34", NotANumber),
        ("1 234'567", NotANumber),
        ("15 or 20", NotANumber),
        ("15;DROP", NotANumber),
        ("+15", NotANumber),
        ("(15)", NotANumber),
        ("15-", NotANumber),
        ("15 bananas", NotANumber),
        ("%15", NotANumber),
        ("1.", NotANumber),
        ("-15", Negative),
        ("−15", Negative),
        ("-0.01", Negative),
        ("€-15", Negative),
        ("-€15", Negative),
        ("15.001", Ambiguous),
        ("1.234", Ambiguous),
        ("1,234", Ambiguous),
        ("100,000", Ambiguous),
        ("15.0001", TooManyDecimals),
        ("0.001", TooManyDecimals),
        ("0.00000000000001", TooManyDecimals),
        ("1,234.567", TooManyDecimals),
        ("$15", OtherCurrency),
        ("15 USD", OtherCurrency),
        ("usd 15", OtherCurrency),
        ("US$ 15", OtherCurrency),
        ("€15 USD", OtherCurrency),
        ("£15", OtherCurrency),
        ("1000000.01", Absurd),
        ("1.234.567,5", Absurd),
        ("99999999999999999999", Absurd),
        ("999999999999999999999999999999", Absurd),
    ] {
        assert_eq!(euro(text), Err(problem), "{text}");
    }
    assert_eq!(euro(&"9".repeat(1_000)), Err(NotANumber));
}

#[test]
fn numbers_of_json_have_a_point() {
    for (written, expected) in [
        ("15", Ok(1_500)),
        ("15.5", Ok(1_550)),
        ("15.500", Ok(1_550)),
        ("1.234", Err(TooManyDecimals)),
        ("1e1", Ok(1_000)),
        ("1.5E+1", Ok(1_500)),
        ("150e-1", Ok(1_500)),
        ("1e-3", Err(TooManyDecimals)),
        ("0", Ok(0)),
        ("0.0", Ok(0)),
        ("-0", Err(Negative)),
        ("-15", Err(Negative)),
        ("1e400", Err(Absurd)),
        ("1e-400", Err(Absurd)),
        ("1e99999999999999999999", Err(Absurd)),
        ("1000000", Ok(100_000_000)),
        ("1000000.01", Err(Absurd)),
        ("9223372036854775807", Err(Absurd)),
        ("45.00000000000000710542735760100", Err(TooManyDecimals)),
        ("0.1", Ok(10)),
        ("1.15", Ok(115)),
    ] {
        assert_eq!(number(written), expected, "{written}");
    }
    assert_eq!(number(&"9".repeat(60_000)), Err(Absurd));
    assert_eq!(number(&format!("0.{}1", "0".repeat(30))), Err(TooManyDecimals));
}

#[test]
fn the_currency_decides_how_many_decimals_there_are() {
    let (yen, dinar): (Currency, Currency) = ("JPY".parse().unwrap(), "KWD".parse().unwrap());
    assert_eq!(of_text("1500", MAJOR, yen), Ok(1_500));
    assert_eq!(of_text("¥1500", MAJOR, yen), Ok(1_500));
    assert_eq!(of_text("1500.0", MAJOR, yen), Ok(1_500));
    assert_eq!(of_text("15.5", MAJOR, yen), Err(TooManyDecimals));
    assert_eq!(of_text("0.125", MAJOR, dinar), Ok(125));
    assert_eq!(of_text("1.125", MAJOR, dinar), Err(Ambiguous));
    assert_eq!(of_text("1.125", Writing { decimals: DecimalMark::Dot, ..MAJOR }, dinar), Ok(1_125));
    assert_eq!(of_number("1.125", PriceUnit::Major, dinar), Ok(1_125));
    assert_eq!(of_text("$15", MAJOR, Currency::USD), Ok(1_500));
    assert_eq!(of_text("US$15.25", MAJOR, Currency::USD), Ok(1_525));
    assert_eq!(of_text("15 kr", MAJOR, "SEK".parse().unwrap()), Ok(1_500));
}

#[test]
fn a_mark_that_is_named_is_no_longer_doubtful() {
    let (dot, comma) =
        (Writing { decimals: DecimalMark::Dot, ..MAJOR }, Writing { decimals: DecimalMark::Comma, ..MAJOR });
    assert_eq!(of_text("1,234", dot, Currency::EUR), Ok(123_400));
    assert_eq!(of_text("1.234", comma, Currency::EUR), Ok(123_400));
    assert_eq!(of_text("1.234", dot, Currency::EUR), Err(TooManyDecimals));
    assert_eq!(of_text("15,00", dot, Currency::EUR), Err(NotANumber));
    assert_eq!(of_text("1.234,50", dot, Currency::EUR), Err(NotANumber));
    assert_eq!(of_text("15.00", comma, Currency::EUR), Err(NotANumber));
}

#[test]
fn minor_units_are_whole() {
    let minor = Writing { unit: PriceUnit::Minor, ..MAJOR };
    assert_eq!(of_text("1550", minor, Currency::EUR), Ok(1_550));
    assert_eq!(of_text("1550.00", minor, Currency::EUR), Ok(1_550));
    assert_eq!(of_text("15.5", minor, Currency::EUR), Err(TooManyDecimals));
    assert_eq!(of_number("1550", PriceUnit::Minor, Currency::EUR), Ok(1_550));
    assert_eq!(of_number("1550.5", PriceUnit::Minor, Currency::EUR), Err(TooManyDecimals));
    assert_eq!(of_number("100000001", PriceUnit::Minor, Currency::EUR), Err(Absurd));
}

/// Writes an amount with marks of thousands and decimals.
fn written(minor: i64, thousands: &str, mark: &str) -> String {
    let whole = (minor / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push_str(thousands);
        }
        grouped.push(digit);
    }
    format!("{grouped}{mark}{:02}", minor % 100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the amount and its writing, it is read to the cent.
    #[test]
    fn every_amount_survives_every_writing(minor in 0..=PRICE_MINOR_MAX, sign in 0_usize..5) {
        for (thousands, mark) in [("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", ".")] {
            let plain = written(minor, thousands, mark);
            let text = match sign {
                0 => plain,
                1 => format!("€{plain}"),
                2 => format!("{plain} €"),
                3 => format!("EUR {plain}"),
                _ => format!("{plain}EUR"),
            };
            prop_assert_eq!(euro(&text), Ok(minor), "{}", text);
        }
        prop_assert_eq!(number(&written(minor, "", ".")), Ok(minor));
        let mantissa = format!("{minor}e-2");
        prop_assert_eq!(number(&mantissa), Ok(minor));
    }

    /// No text panics, and what passes is a believable price.
    #[test]
    fn any_text_is_survived(text in "\\PC{0,50}", near in "[-+0-9.,' €$eE]{0,24}", unit in 0_u8..2, mark in 0_usize..3) {
        let unit = if unit == 0 { PriceUnit::Major } else { PriceUnit::Minor };
        let writing = Writing { unit, decimals: DecimalMark::ALL[mark] };
        for text in [text, near] {
            for currency in [Currency::EUR, Currency::USD] {
                if let Ok(minor) = of_text(&text, writing, currency) {
                    prop_assert!((0..=PRICE_MINOR_MAX).contains(&minor));
                    prop_assert!(!text.contains('-'));
                }
                let _ = of_number(&text, unit, currency);
            }
        }
    }
}
