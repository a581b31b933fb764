//! States and provinces: one code for what people call by several names.
//!
//! Postal data names one state by different codes (Saxony is `13` in one row and `SN` in the next), people write codes
//! or names in several languages. The code kept is that of ISO 3166-2 without the country. Countries not listed here
//! are compared by the code or name as it was written.

use super::text::same;

/// A state: its ISO 3166-2 code without the country, and every other code or name it goes by.
type Region = (&'static str, &'static [&'static str]);

/// Germany; the numbers are GeoNames' codes.
const DE: &[Region] = &[
    ("BW", &["01", "Baden-Württemberg", "Baden-Wuerttemberg"]),
    ("BY", &["02", "Bayern", "Bavaria"]),
    ("HB", &["03", "Bremen", "Freie Hansestadt Bremen"]),
    ("HH", &["04", "Hamburg"]),
    ("HE", &["05", "Hessen", "Hesse"]),
    ("NI", &["06", "Niedersachsen", "Lower Saxony"]),
    ("NW", &["07", "NRW", "Nordrhein-Westfalen", "North Rhine-Westphalia"]),
    ("RP", &["08", "Rheinland-Pfalz", "Rhineland-Palatinate"]),
    ("SL", &["09", "Saarland"]),
    ("SH", &["10", "Schleswig-Holstein"]),
    ("BB", &["11", "Brandenburg"]),
    ("MV", &["12", "Mecklenburg-Vorpommern", "Mecklenburg-Western Pomerania"]),
    ("SN", &["13", "Sachsen", "Saxony"]),
    ("ST", &["14", "Sachsen-Anhalt", "Saxony-Anhalt"]),
    ("TH", &["15", "Thüringen", "Thueringen", "Thuringia"]),
    ("BE", &["16", "Berlin", "Land Berlin"]),
];

/// Austria.
const AT: &[Region] = &[
    ("1", &["01", "Burgenland"]),
    ("2", &["02", "Kärnten", "Kaernten", "Carinthia"]),
    ("3", &["03", "Niederösterreich", "Niederoesterreich", "Lower Austria"]),
    ("4", &["04", "Oberösterreich", "Oberoesterreich", "Upper Austria"]),
    ("5", &["05", "Salzburg"]),
    ("6", &["06", "Steiermark", "Styria"]),
    ("7", &["07", "Tirol", "Tyrol"]),
    ("8", &["08", "Vorarlberg"]),
    ("9", &["09", "Wien", "Vienna"]),
];

/// Switzerland.
const CH: &[Region] = &[
    ("AG", &["Aargau", "Kanton Aargau", "Argovie"]),
    ("AI", &["Appenzell Innerrhoden", "Kanton Appenzell Innerrhoden"]),
    ("AR", &["Appenzell Ausserrhoden", "Kanton Appenzell Ausserrhoden"]),
    ("BE", &["Bern", "Berne", "Kanton Bern", "Canton de Berne"]),
    ("BL", &["Basel-Landschaft", "Kanton Basel-Landschaft", "Baselland"]),
    ("BS", &["Basel-Stadt", "Kanton Basel-Stadt"]),
    ("FR", &["Freiburg", "Fribourg", "Canton de Fribourg"]),
    ("GE", &["Genf", "Genève", "Geneva", "Canton de Genève"]),
    ("GL", &["Glarus", "Kanton Glarus"]),
    ("GR", &["Graubünden", "Kanton Graubünden", "Grisons"]),
    ("JU", &["Jura", "Canton du Jura"]),
    ("LU", &["Luzern", "Kanton Luzern", "Lucerne"]),
    ("NE", &["Neuenburg", "Neuchâtel", "Canton de Neuchâtel"]),
    ("NW", &["Nidwalden", "Kanton Nidwalden"]),
    ("OW", &["Obwalden", "Kanton Obwalden"]),
    ("SG", &["St. Gallen", "Sankt Gallen", "Kanton St. Gallen"]),
    ("SH", &["Schaffhausen", "Kanton Schaffhausen"]),
    ("SO", &["Solothurn", "Kanton Solothurn"]),
    ("SZ", &["Schwyz", "Kanton Schwyz"]),
    ("TG", &["Thurgau", "Kanton Thurgau"]),
    ("TI", &["Tessin", "Ticino"]),
    ("UR", &["Uri", "Kanton Uri"]),
    ("VD", &["Waadt", "Vaud", "Canton de Vaud"]),
    ("VS", &["Wallis", "Valais", "Canton du Valais"]),
    ("ZG", &["Zug", "Kanton Zug"]),
    ("ZH", &["Zürich", "Zuerich", "Zurich", "Kanton Zürich"]),
];

/// The United States, with the district and the inhabited territories.
const US: &[Region] = &[
    ("AL", &["Alabama"]),
    ("AK", &["Alaska"]),
    ("AZ", &["Arizona"]),
    ("AR", &["Arkansas"]),
    ("CA", &["California"]),
    ("CO", &["Colorado"]),
    ("CT", &["Connecticut"]),
    ("DE", &["Delaware"]),
    ("DC", &["District of Columbia", "Washington DC", "Washington, D.C."]),
    ("FL", &["Florida"]),
    ("GA", &["Georgia"]),
    ("HI", &["Hawaii"]),
    ("ID", &["Idaho"]),
    ("IL", &["Illinois"]),
    ("IN", &["Indiana"]),
    ("IA", &["Iowa"]),
    ("KS", &["Kansas"]),
    ("KY", &["Kentucky"]),
    ("LA", &["Louisiana"]),
    ("ME", &["Maine"]),
    ("MD", &["Maryland"]),
    ("MA", &["Massachusetts"]),
    ("MI", &["Michigan"]),
    ("MN", &["Minnesota"]),
    ("MS", &["Mississippi"]),
    ("MO", &["Missouri"]),
    ("MT", &["Montana"]),
    ("NE", &["Nebraska"]),
    ("NV", &["Nevada"]),
    ("NH", &["New Hampshire"]),
    ("NJ", &["New Jersey"]),
    ("NM", &["New Mexico"]),
    ("NY", &["New York"]),
    ("NC", &["North Carolina"]),
    ("ND", &["North Dakota"]),
    ("OH", &["Ohio"]),
    ("OK", &["Oklahoma"]),
    ("OR", &["Oregon"]),
    ("PA", &["Pennsylvania"]),
    ("RI", &["Rhode Island"]),
    ("SC", &["South Carolina"]),
    ("SD", &["South Dakota"]),
    ("TN", &["Tennessee"]),
    ("TX", &["Texas"]),
    ("UT", &["Utah"]),
    ("VT", &["Vermont"]),
    ("VA", &["Virginia"]),
    ("WA", &["Washington"]),
    ("WV", &["West Virginia"]),
    ("WI", &["Wisconsin"]),
    ("WY", &["Wyoming"]),
    ("AS", &["American Samoa"]),
    ("GU", &["Guam"]),
    ("MP", &["Northern Mariana Islands"]),
    ("PR", &["Puerto Rico"]),
    ("VI", &["Virgin Islands", "U.S. Virgin Islands"]),
];

/// The known states of a country; empty where none are listed.
fn regions(country: &str) -> &'static [Region] {
    match country {
        "DE" => DE,
        "AT" => AT,
        "CH" => CH,
        "US" => US,
        _ => &[],
    }
}

/// The code of a state that was written as a code (`BE`, `DE-BE`, `16`) or a name (`Berlin`), if the country's states
/// are known here. Case does not matter.
#[must_use]
pub fn code(country: &str, written: &str) -> Option<&'static str> {
    let written = written.trim();
    let written = match written.split_once('-') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(country) => rest,
        _ => written,
    };
    let regions = regions(country);
    let by_code = regions.iter().find(|(code, _)| code.eq_ignore_ascii_case(written));
    let found = by_code.or_else(|| regions.iter().find(|(_, names)| names.iter().any(|name| same(name, written))));
    found.map(|(code, _)| *code)
}

/// What people call the state of a code, in its own country's words, if the country's states are known here.
#[must_use]
pub fn name(country: &str, code: &str) -> Option<&'static str> {
    let (_, names) = regions(country).iter().find(|(known, _)| *known == code)?;
    let is_short = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    names.iter().find(|name| !is_short(name)).or_else(|| names.last()).copied()
}

/// The state as it is compared: its code where the country's states are known, else what was written, upper-cased.
#[must_use]
pub fn canonical(country: &str, written: &str) -> String {
    code(country, written).map_or_else(|| written.trim().to_uppercase(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state is one thing whether written as code, as postal data's code or as a name (facts: state code or name).
    #[test]
    fn codes_and_names_are_one_state() {
        for written in ["SN", "sn", "13", "Saxony", "SACHSEN", "DE-SN", " sachsen "] {
            assert_eq!(code("DE", written), Some("SN"), "{written}");
        }
        assert_eq!(code("US", "new york"), Some("NY"));
        assert_eq!(code("AT", "Kärnten"), Some("2"));
        assert_eq!(code("AT", "AT-9"), code("AT", "wien"));
        assert_eq!(code("DE", "Saxonia"), None);
    }

    /// A state is called by its name, not by a number or letters.
    #[test]
    fn states_have_names() {
        for (country, code, wanted) in
            [("DE", "NW", "Nordrhein-Westfalen"), ("AT", "9", "Wien"), ("CH", "UR", "Uri"), ("US", "NY", "New York")]
        {
            assert_eq!(name(country, code), Some(wanted), "{country} {code}");
        }
        assert_eq!((name("DE", "XX"), name("FR", "75")), (None, None));
    }

    /// Where nothing is known, what was written is compared, upper-cased.
    #[test]
    fn unknown_countries_compare_as_written() {
        assert_eq!(canonical("FR", " Île-de-France"), "ÎLE-DE-FRANCE");
        assert_eq!(canonical("DE", "atlantis"), "ATLANTIS");
    }

    /// No code or name is listed for two states of one country.
    #[test]
    fn no_name_is_ambiguous() {
        for country in ["DE", "AT", "CH", "US"] {
            for (region, names) in regions(country) {
                for name in *names {
                    assert_eq!(code(country, name), Some(*region), "{country} {name}");
                }
            }
        }
    }
}
