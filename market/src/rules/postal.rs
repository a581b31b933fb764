//! Postal codes: one spelling per country, and a table of their centres.

use std::collections::HashMap;

use super::facts::{Centre, PostalCentres, PostalPlace};

/// What a country's postal codes look like.
enum Shape {
    /// So many digits.
    Digits(usize),
    /// ZIP or ZIP+4; the five digits are kept.
    Zip,
    /// Letters (`A`) and digits (`9`) in one of these patterns, where the space is written.
    Patterns(&'static [&'static str]),
    /// Two to ten letters and digits, spaces and hyphens between.
    Other,
}

fn shape(country: &str) -> Shape {
    match country {
        "AT" | "BE" | "CH" | "DK" | "LI" | "LU" | "NO" => Shape::Digits(4),
        "DE" | "ES" | "FR" | "IT" => Shape::Digits(5),
        "US" => Shape::Zip,
        "GB" => Shape::Patterns(&["A9 9AA", "A99 9AA", "A9A 9AA", "AA9 9AA", "AA99 9AA", "AA9A 9AA"]),
        "NL" => Shape::Patterns(&["9999 AA"]),
        "CA" => Shape::Patterns(&["A9A 9A9"]),
        _ => Shape::Other,
    }
}

/// What a postal code of the country should look like, for a person.
#[must_use]
pub fn expected(country: &str) -> String {
    match shape(country) {
        Shape::Digits(count) => {
            let example = if count == 4 { "1010" } else { "01067" };
            format!("a postal code of {country} has {count} digits, leading zeros included, for example {example}")
        }
        Shape::Zip => {
            "a ZIP code has 5 digits, leading zeros included, or ZIP+4, for example 02108 or 02108-1234".into()
        }
        Shape::Patterns(patterns) => {
            let example = match patterns.first() {
                Some(&"9999 AA") => "1012 AB",
                Some(&"A9A 9A9") => "K1A 0B1",
                _ => "SW1A 1AA",
            };
            format!("a postal code of {country} looks like {example}")
        }
        Shape::Other => "a postal code has 2 to 10 letters and digits".into(),
    }
}

/// How many digits a code of the country has at least, if it is made of digits only: a number with fewer has lost its
/// leading zeros on the way.
#[must_use]
pub fn digits(country: &str) -> Option<usize> {
    match shape(country) {
        Shape::Digits(count) => Some(count),
        Shape::Zip => Some(5),
        Shape::Patterns(_) | Shape::Other => None,
    }
}

/// The code in its country's one spelling: `SW1A 1AA` for `sw1a1aa`, `02108` for `02108-1234`, `10115` for `D-10115`.
/// `None` if it cannot be one.
#[must_use]
pub fn canonical(country: &str, written: &str) -> Option<String> {
    let compact = compact(written);
    let compact = without_country(country, &compact);
    match shape(country) {
        Shape::Digits(count) => (compact.len() == count && is_digits(compact)).then(|| compact.to_owned()),
        Shape::Zip => (matches!(compact.len(), 5 | 9) && is_digits(compact)).then(|| compact.chars().take(5).collect()),
        Shape::Patterns(patterns) => patterns.iter().find_map(|pattern| fit(pattern, compact)),
        Shape::Other => other(written),
    }
}

/// The letters and digits of a code, upper-cased: how codes are looked up and compared, however they are spaced.
pub(crate) fn compact(written: &str) -> String {
    compact_chars(written).collect()
}

/// The characters of [`compact`], for comparing without allocating.
pub(crate) fn compact_chars(written: &str) -> impl Iterator<Item = char> + '_ {
    written.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase())
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Without the country's letters that people put in front (`D-10115`, `A-1010`, `F-75001`); only where codes begin with
/// a digit.
fn without_country<'a>(country: &str, compact: &'a str) -> &'a str {
    let habits: &[&str] = match country {
        "DE" => &["DE", "D"],
        "AT" => &["AT", "A"],
        "CH" => &["CH"],
        "LI" => &["LI", "FL"],
        "BE" => &["BE", "B"],
        "DK" => &["DK"],
        "ES" => &["ES", "E"],
        "FR" => &["FR", "F"],
        "IT" => &["IT", "I"],
        "LU" => &["LU", "L"],
        "NL" => &["NL"],
        "NO" => &["NO", "N"],
        _ => &[],
    };
    habits.iter().find_map(|habit| compact.strip_prefix(habit)).unwrap_or(compact)
}

/// The code written as the pattern has it, if its letters and digits fit.
fn fit(pattern: &str, compact: &str) -> Option<String> {
    let mut rest = compact.chars();
    let mut spelled = String::with_capacity(pattern.len());
    for wanted in pattern.chars() {
        match wanted {
            ' ' => spelled.push(' '),
            'A' => spelled.push(rest.next().filter(char::is_ascii_uppercase)?),
            _ => spelled.push(rest.next().filter(char::is_ascii_digit)?),
        }
    }
    rest.next().is_none().then_some(spelled)
}

/// Any other country's code: upper-cased, runs of spaces made one.
fn other(written: &str) -> Option<String> {
    let spelled = written.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    let letters = spelled.chars().filter(char::is_ascii_alphanumeric).count();
    let clean = spelled.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '-');
    (clean && (2..=10).contains(&letters) && spelled.len() <= 12).then_some(spelled)
}

/// The longest code kept, in letters and digits; no country has a longer one.
const KEY_CODE_BYTES: usize = 10;
/// The country's letters come first.
const COUNTRY_BYTES: usize = 2;

/// Country and code, packed.
type Key = [u8; KEY_CODE_BYTES + COUNTRY_BYTES];

/// Degrees are kept in ten-millionths (a centimetre): half the size of floats, and exact for every published decimal.
const UNITS_PER_DEGREE: f64 = 1e7;

/// A place, packed: 12 bytes.
#[derive(Debug, Clone, Copy)]
struct PackedPlace {
    latitude: i32,
    longitude: i32,
    state: u16,
}

/// Postal codes and their centres in memory, about 40 bytes a code: 60,000 codes are 2 MB, 1.5 million 50 MB.
#[derive(Debug, Default)]
pub struct PostalTable {
    places: HashMap<Key, PackedPlace>,
    states: Vec<(String, String)>,
    state_numbers: HashMap<(String, String), u16>,
}

impl PostalTable {
    /// An empty table with room for so many codes.
    #[must_use]
    pub fn with_capacity(codes: usize) -> Self {
        Self { places: HashMap::with_capacity(codes), ..Self::default() }
    }

    /// How many codes it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a code, or replaces what was known of it. `false` (and nothing is kept) if country, code or centre cannot
    /// be right: the importer names the row.
    pub fn insert(&mut self, country: &str, code: &str, place: &PostalPlace) -> bool {
        let (Some(key), Some(latitude), Some(longitude)) = (
            key(country, code),
            packed_degrees(place.centre.latitude, 90.0),
            packed_degrees(place.centre.longitude, 180.0),
        ) else {
            return false;
        };
        let Some(state) = self.state_number(&place.state_code, &place.state) else { return false };
        self.places.insert(key, PackedPlace { latitude, longitude, state });
        true
    }

    /// A country's codes with their places, each once, in no order: their letters and digits without blanks.
    pub(crate) fn places_of(&self, country: &str) -> impl Iterator<Item = (String, PostalPlace)> + '_ {
        let country = country.to_ascii_uppercase().into_bytes();
        self.places.iter().filter(move |(key, _)| key.starts_with(&country)).filter_map(|(key, packed)| {
            let code = key.get(COUNTRY_BYTES..)?.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte));
            Some((code.collect(), self.unpacked(*packed)?))
        })
    }

    fn unpacked(&self, packed: PackedPlace) -> Option<PostalPlace> {
        let (state_code, state) = self.states.get(usize::from(packed.state))?;
        let centre = Centre {
            latitude: f64::from(packed.latitude) / UNITS_PER_DEGREE,
            longitude: f64::from(packed.longitude) / UNITS_PER_DEGREE,
        };
        Some(PostalPlace { centre, state_code: state_code.clone(), state: state.clone() })
    }

    /// The number of a state's entry; `None` when the table is full of states (65,536, twenty times what exists).
    fn state_number(&mut self, code: &str, name: &str) -> Option<u16> {
        let entry = (code.to_owned(), name.to_owned());
        if let Some(number) = self.state_numbers.get(&entry) {
            return Some(*number);
        }
        let number = u16::try_from(self.states.len()).ok()?;
        self.states.push(entry.clone());
        self.state_numbers.insert(entry, number);
        Some(number)
    }
}

impl PostalCentres for PostalTable {
    /// The code's place. Where the data has only the outward part (`SW1A`, `K1A`, `1012`), that part's place.
    fn lookup(&self, country: &str, code: &str) -> Option<PostalPlace> {
        let whole = self.places.get(&key(country, code)?);
        let outward_chars = match (country, compact_chars(code).count()) {
            ("GB", length @ 5..=7) => length - 3,
            ("CA", 6) => 3,
            ("NL", 6) => 4,
            _ => 0,
        };
        let outward = || {
            let part: String = compact_chars(code).take(outward_chars).collect();
            self.places.get(&key(country, &part)?)
        };
        self.unpacked(*whole.or_else(outward)?)
    }
}

fn key(country: &str, code: &str) -> Option<Key> {
    let mut key = Key::default();
    let mut filled = 0;
    if country.len() != COUNTRY_BYTES || !country.is_ascii() {
        return None;
    }
    for c in country.chars().map(|c| c.to_ascii_uppercase()).chain(compact_chars(code)) {
        *key.get_mut(filled)? = u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric)?;
        filled += 1;
    }
    (filled > COUNTRY_BYTES).then_some(key)
}

/// Degrees in ten-millionths; `None` outside ±`limit` or not a number.
#[allow(clippy::cast_possible_truncation, reason = "within ±180 × 10^7, checked just before")]
fn packed_degrees(degrees: f64, limit: f64) -> Option<i32> {
    (degrees.abs() <= limit).then(|| (degrees * UNITS_PER_DEGREE).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each country's own spelling (check 2: postal codes keep leading zeros).
    #[test]
    fn codes_are_spelled_as_their_country_does() {
        for (country, written, wanted) in [
            ("DE", "01067", Some("01067")),
            ("DE", " D-01067 ", Some("01067")),
            ("DE", "1067", None),
            ("DE", "010670", None),
            ("DE", "0l067", None),
            ("AT", "A-1010", Some("1010")),
            ("CH", "8001", Some("8001")),
            ("CH", "08001", None),
            ("US", "02108", Some("02108")),
            ("US", "02108-1234", Some("02108")),
            ("US", "2108", None),
            ("GB", "sw1a1aa", Some("SW1A 1AA")),
            ("GB", "M1 1AE", Some("M1 1AE")),
            ("GB", "SW1A", None),
            ("NL", "1012ab", Some("1012 AB")),
            ("CA", "k1a-0b1", Some("K1A 0B1")),
            ("PL", "00-950", Some("00-950")),
            ("SE", "111  22", Some("111 22")),
            ("SE", "x", None),
            ("SE", "§§§§", None),
        ] {
            assert_eq!(canonical(country, written).as_deref(), wanted, "{country} {written}");
        }
    }

    /// What was put into the table comes out exactly, however the code is spaced.
    #[test]
    fn the_table_gives_back_what_it_was_given() {
        let mut table = PostalTable::with_capacity(3);
        let place = |latitude, longitude| PostalPlace {
            centre: Centre { latitude, longitude },
            state_code: "13".into(),
            state: "Saxony".into(),
        };
        assert!(table.insert("DE", "01067", &place(51.0526, 13.7262)));
        assert!(table.insert("GB", "SW1A", &place(51.501, -0.142)));
        assert!(table.insert("SE", "111 22", &place(59.3294, 18.0686)));
        assert_eq!(table.lookup("DE", "01067"), Some(place(51.0526, 13.7262)));
        assert_eq!(table.lookup("GB", "sw1a 1aa"), Some(place(51.501, -0.142)));
        assert_eq!(table.lookup("SE", "11122"), Some(place(59.3294, 18.0686)));
        assert_eq!(table.lookup("AT", "01067"), None);
        assert_eq!((table.len(), table.is_empty()), (3, false));
    }

    /// A row that cannot be right is refused, not kept wrong.
    #[test]
    fn the_table_refuses_nonsense() {
        let mut table = PostalTable::default();
        let place = |latitude| PostalPlace {
            centre: Centre { latitude, longitude: 0.0 },
            state_code: String::new(),
            state: String::new(),
        };
        assert!(!table.insert("DE", "01067", &place(90.5)));
        assert!(!table.insert("DE", "01067", &place(f64::NAN)));
        assert!(!table.insert("DE", "", &place(1.0)));
        assert!(!table.insert("DEU", "01067", &place(1.0)));
        assert!(!table.insert("DE", "01067012345", &place(1.0)));
        assert!(table.is_empty());
    }
}
