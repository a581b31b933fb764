//! Habits of writing, country by country.

use leadyard_tests::market::Selling;
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::field::UnknownFields;
use serde_json::{Value, json};

use crate::Answer::Rejected;
use crate::{JSON, check, post};

/// What people of each country write, and what is stored: `(country, field, written, stored or the code)`.
const HABITS: &[(&str, &str, &str, Result<&str, &str>)] = &[
    ("DE", "phone", "030 / 123 456", Ok("+4930123456")),
    ("DE", "phone", "(0)30-123456", Ok("+4930123456")),
    ("DE", "phone", "0049 (0) 30 123456", Ok("+4930123456")),
    ("DE", "phone", "+49.171.1234567", Ok("+491711234567")),
    ("DE", "phone", "0171/1234567", Ok("+491711234567")),
    ("DE", "phone", "+41 44 668 18 00", Ok("+41446681800")),
    ("DE", "phone", "12", Err("INVALID_PHONE")),
    ("DE", "phone", "030 123456 or 0171 1234567", Err("INVALID_PHONE")),
    ("DE", "postal_code", "01067", Ok("01067")),
    ("DE", "postal_code", "D-01067", Ok("01067")),
    ("DE", "postal_code", "DE 01067", Ok("01067")),
    ("DE", "postal_code", "1067", Err("INVALID_POSTAL_CODE")),
    ("DE", "postal_code", "10115 Berlin", Err("INVALID_POSTAL_CODE")),
    ("DE", "born", "1.2.1980", Ok("1980-02-01")),
    ("DE", "born", "02/01/1980", Err("INVALID_DATE")),
    ("DE", "size", "1 000", Ok("1000")),
    ("DE", "size", "1.000", Err("INVALID_INTEGER")),
    ("AT", "phone", "01 51444-0", Ok("+431514440")),
    ("AT", "phone", "0664/1234567", Ok("+436641234567")),
    ("AT", "postal_code", "A-1010", Ok("1010")),
    ("AT", "postal_code", "10115", Err("INVALID_POSTAL_CODE")),
    ("CH", "phone", "044 668 18 00", Ok("+41446681800")),
    ("CH", "postal_code", "CH-8001", Ok("8001")),
    ("US", "phone", "(212) 555-2368", Ok("+12125552368")),
    ("US", "phone", "212.555.2368", Ok("+12125552368")),
    ("US", "phone", "1-212-555-2368", Ok("+12125552368")),
    ("US", "phone", "1-800-FLOWERS", Err("INVALID_PHONE")),
    ("US", "phone", "555-2368", Err("INVALID_PHONE")),
    ("US", "postal_code", "02108", Ok("02108")),
    ("US", "postal_code", "02108-1234", Ok("02108")),
    ("US", "postal_code", "021081234", Ok("02108")),
    ("US", "postal_code", "2108", Err("INVALID_POSTAL_CODE")),
    ("US", "born", "11/21/1980", Ok("1980-11-21")),
    ("US", "born", "21/11/1980", Err("INVALID_DATE")),
    ("GB", "phone", "020 7946 0018", Ok("+442079460018")),
    ("GB", "phone", "+44 (0)7911 123456", Ok("+447911123456")),
    ("GB", "postal_code", "sw1a1aa", Ok("SW1A 1AA")),
    ("GB", "postal_code", "M1  1AE", Ok("M1 1AE")),
    ("GB", "postal_code", "12345", Err("INVALID_POSTAL_CODE")),
    ("FR", "phone", "01 42 68 53 00", Ok("+33142685300")),
    ("FR", "phone", "06.12.34.56.78", Ok("+33612345678")),
    ("FR", "postal_code", "F-75001", Ok("75001")),
    ("FR", "postal_code", "01000", Ok("01000")),
    ("NL", "phone", "020-6241111", Ok("+31206241111")),
    ("NL", "phone", "06 12345678", Ok("+31612345678")),
    ("NL", "postal_code", "1012ab", Ok("1012 AB")),
    ("NL", "postal_code", "NL-1012 AB", Ok("1012 AB")),
    ("NL", "postal_code", "1012", Err("INVALID_POSTAL_CODE")),
    ("BE", "phone", "02 555 12 12", Ok("+3225551212")),
    ("BE", "postal_code", "B-1000", Ok("1000")),
    ("LU", "postal_code", "L-1009", Ok("1009")),
    ("IT", "phone", "06 6982", Ok("+39066982")),
    ("IT", "phone", "347 1234567", Ok("+393471234567")),
    ("IT", "postal_code", "00184", Ok("00184")),
    ("IT", "postal_code", "I-00184", Ok("00184")),
    ("ES", "phone", "912 345 678", Ok("+34912345678")),
    ("ES", "postal_code", "E-28001", Ok("28001")),
    ("CA", "phone", "(416) 555-0123", Ok("+14165550123")),
    ("CA", "postal_code", "k1a-0b1", Ok("K1A 0B1")),
    ("PL", "phone", "22 621 02 15", Ok("+48226210215")),
    ("PL", "postal_code", "00-950", Ok("00-950")),
    ("SE", "phone", "08-123 456 78", Ok("+46812345678")),
    ("SE", "postal_code", "113 51", Ok("113 51")),
    ("DK", "phone", "32 12 34 56", Ok("+4532123456")),
    ("DK", "postal_code", "DK-2100", Ok("2100")),
    ("IE", "phone", "01 677 8899", Ok("+35316778899")),
    ("IE", "postal_code", "d02 af30", Ok("D02 AF30")),
    ("AU", "phone", "(02) 9374 4000", Ok("+61293744000")),
    ("AU", "postal_code", "2000", Ok("2000")),
    ("JP", "phone", "03-3224-9999", Ok("+81332249999")),
    ("JP", "postal_code", "100-0001", Ok("100-0001")),
    ("IN", "phone", "098765 43210", Ok("+919876543210")),
    ("IN", "postal_code", "110 001", Ok("110 001")),
    ("BR", "phone", "(11) 3071-3131", Ok("+551130713131")),
    ("BR", "postal_code", "01310-100", Ok("01310-100")),
    ("DE", "email", " Ada.Lovelace+x@Mail.Example.COM ", Ok("ada.lovelace+x@mail.example.com")),
    ("DE", "email", "o'neil@mail.example.com", Ok("o'neil@mail.example.com")),
    ("DE", "email", "ada@müller.example", Ok("ada@müller.example")),
    ("FR", "email", "ада@почта.example", Ok("ада@почта.example")),
    ("DE", "email", "ada@localhost", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail..example.com", Err("INVALID_EMAIL")),
    ("DE", "email", ".ada@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "Ada <ada@mail.example.com>", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail.example.com, eve@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@[127.0.0.1]", Err("INVALID_EMAIL")),
    ("DE", "email", "ada at mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail.example.com\u{200b}", Ok("ada@mail.example.com")),
];

/// E-mail addresses, telephone numbers, postal codes and dates in the habits of many countries: each is stored in one
/// spelling, or named.
#[tokio::test(flavor = "multi_thread")]
async fn every_country_has_its_habits() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let mut markets = std::collections::BTreeMap::new();
        for (country, field, written, wanted) in HABITS {
            if !markets.contains_key(country) {
                markets.insert(country, app.market_in(Selling::default(), country, UnknownFields::Refuse).await);
            }
            let postal_code = HABITS.iter().find_map(|habit| match habit {
                (of, "postal_code", written, Ok(_)) if of == country => Some(*written),
                _ => None,
            });
            let mut body = json!({ "email": "ada@mail.example.com", "postal_code": postal_code.unwrap() });
            body[*field] = json!(written);
            let answer = post(&app.client(&markets[country].key), JSON, body.to_string().into_bytes()).await;
            let what = format!("{country} {field} {written}");
            let answered: Value = serde_json::from_slice(&answer.body).unwrap();
            match wanted {
                Ok(stored) => {
                    assert_eq!(answered["problems"], json!([]), "{what}: {answered}");
                    let id = answered["lead_id"].as_str().unwrap().parse().unwrap();
                    let contents = app.store().read(OPERATE).lead_contents(&[id]).await.unwrap();
                    let value = contents[&id].fields[*field].value.as_ref().unwrap();
                    assert_eq!(&value.to_text(), stored, "{what}");
                }
                Err(code) => check(&what, &answer, Rejected(field, code)),
            }
        }
        app.finish().await;
    }
}
