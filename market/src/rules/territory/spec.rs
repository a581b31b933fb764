//! Areas as people write them: `state:BE,BB`, `prefix:10,12`, `range:01000-01999`, `codes:10115,10117`,
//! `radius:10115:25`.

use leadyard_types::Filter;

/// What an area looks like, for a person.
const EXPECTED: &str = "an area is state:BE,BB or prefix:10,12 or range:01000-01999 or codes:10115,10117 or \
                        radius:10115:25 (kilometres around a postal code)";

/// The filter of an area; several are taken together.
///
/// # Errors
/// Which one cannot be read, and what would be right. Whether its codes exist is for the compiler of filters and the
/// postal data to say.
pub fn parse_area(written: &[String]) -> Result<Filter, String> {
    let parts = written.iter().map(|one| parse_one(one)).collect::<Result<Vec<_>, _>>()?;
    match <[Filter; 1]>::try_from(parts) {
        Ok([only]) => Ok(only),
        Err(parts) if parts.is_empty() => Err(EXPECTED.to_owned()),
        Err(parts) => Ok(Filter::Any { of: parts }),
    }
}

fn parse_one(written: &str) -> Result<Filter, String> {
    let wrong = || format!("`{written}` is not an area: {EXPECTED}");
    let (kind, rest) = written.split_once(':').ok_or_else(wrong)?;
    let list = || {
        let values: Vec<String> = rest.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) { Err(wrong()) } else { Ok(values) }
    };
    match kind.trim().to_ascii_lowercase().as_str() {
        "state" | "states" => Ok(Filter::States { states: list()? }),
        "prefix" | "prefixes" => Ok(Filter::PostalPrefixes { prefixes: list()? }),
        "code" | "codes" => Ok(Filter::PostalCodes { codes: list()? }),
        "range" => {
            let (from, to) = rest.split_once('-').ok_or_else(wrong)?;
            Ok(Filter::PostalRange { from: from.trim().to_owned(), to: to.trim().to_owned() })
        }
        "radius" => {
            let (postal_code, km) = rest.rsplit_once(':').ok_or_else(wrong)?;
            let km = km.trim().trim_end_matches("km").trim_end().parse().map_err(|_| wrong())?;
            Ok(Filter::Radius { postal_code: postal_code.trim().to_owned(), km })
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Filter, String> {
        parse_area(&[written.to_owned()])
    }

    /// Every form is read as the filter it stands for; several are alternatives.
    #[test]
    fn areas_are_read_as_filters() {
        let states = |states: &[&str]| Filter::States { states: states.iter().map(|&state| state.into()).collect() };
        assert_eq!(parse("state:BE, BB"), Ok(states(&["BE", "BB"])));
        assert_eq!(parse("Prefix:10"), Ok(Filter::PostalPrefixes { prefixes: vec!["10".into()] }));
        assert_eq!(parse("codes:10115"), Ok(Filter::PostalCodes { codes: vec!["10115".into()] }));
        assert_eq!(parse("range:01000-01999"), Ok(Filter::PostalRange { from: "01000".into(), to: "01999".into() }));
        let circle = Filter::Radius { postal_code: "SW1A 1AA".into(), km: 25 };
        assert_eq!(parse("radius:SW1A 1AA:25km"), Ok(circle.clone()));
        let both = parse_area(&["state:BE".into(), "radius:SW1A 1AA:25".into()]);
        assert_eq!(both, Ok(Filter::Any { of: vec![states(&["BE"]), circle] }));
    }

    /// What cannot be read is named, with what would be right.
    #[test]
    fn what_cannot_be_read_is_named() {
        for written in [
            "",
            "10115",
            "radius:10115",
            "radius:10115:far",
            "radius:10115:-1",
            "state:",
            "state:BE,,BB",
            "range:1",
            "town:Berlin",
        ] {
            let said = parse(written).unwrap_err();
            assert!(said.contains(&format!("`{written}`")) && said.contains("radius:10115:25"), "{said}");
        }
        assert!(parse_area(&[]).is_err());
    }
}
