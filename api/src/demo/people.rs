//! Made-up enquiries.

use serde_json::{Value, json};

/// Numbers from a seed (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A sequence that starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of a list.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(list.len() as u64)).unwrap_or_default();
        &list[index]
    }
}

const FIRST: [&str; 16] = [
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Klara", "Leon", "Mia",
    "Noah", "Paula", "Yusuf",
];
const LAST: [&str; 16] = [
    "Müller",
    "Schmidt",
    "Schneider",
    "Fischer",
    "Weber",
    "Meyer",
    "Wagner",
    "Becker",
    "Schulz",
    "Hoffmann",
    "Koch",
    "Bauer",
    "Richter",
    "Klein",
    "Wolf",
    "Neumann",
];
/// German postal codes with their state.
const GERMAN: [(&str, &str); 10] = [
    ("10115", "BE"),
    ("20095", "HH"),
    ("80331", "BY"),
    ("50667", "NW"),
    ("60311", "HE"),
    ("70173", "BW"),
    ("01067", "SN"),
    ("30159", "NI"),
    ("28195", "HB"),
    ("14467", "BB"),
];
/// American postal codes with their state.
const AMERICAN: [(&str, &str); 8] = [
    ("10001", "NY"),
    ("90001", "CA"),
    ("60601", "IL"),
    ("77001", "TX"),
    ("33101", "FL"),
    ("98101", "WA"),
    ("02108", "MA"),
    ("30301", "GA"),
];

/// The kinds of enquiries the demo makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Solar panels in Germany.
    Solar,
    /// Health insurance in Germany.
    Insurance,
    /// Personal injury in the United States.
    Legal,
}

/// How good a source is: how many of a hundred enquiries are broken or made up.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// With a field that cannot be right.
    pub broken: u64,
    /// Without consent.
    pub no_consent: u64,
    /// Sent before.
    pub repeated: u64,
}

/// An enquiry as a supplier would send it.
pub fn enquiry(dice: &mut Dice, topic: Topic, quality: Quality, number: u64, now: &str) -> Value {
    // A repeated enquiry is an earlier person's again.
    let person = if number > 20 && dice.percent(quality.repeated) { dice.below(number) } else { number };
    let mut own = Dice::new(person.wrapping_mul(7_919).wrapping_add(topic as u64));
    let (first, last) = (*own.pick(&FIRST), *own.pick(&LAST));
    let (code, state) = if topic == Topic::Legal { *own.pick(&AMERICAN) } else { *own.pick(&GERMAN) };
    let phone = if topic == Topic::Legal {
        format!("(212) 555-{:04}", own.below(10_000))
    } else {
        format!("030 {:07}", 2_000_000 + own.below(7_000_000))
    };
    let mut fields = json!({
        "first_name": first,
        "last_name": last,
        "email": format!("{}.{}@mail.example.com", first.to_lowercase(), person),
        "phone": phone,
        "postal_code": code,
        "state": state,
    });
    details(&mut own, topic, &mut fields);
    if dice.percent(quality.broken) {
        match dice.below(3) {
            0 => fields["email"] = "not an address".into(),
            1 => fields["phone"] = "12".into(),
            _ => fields["postal_code"] = "ABC".into(),
        }
    }
    let mut body = json!({ "fields": fields, "subid": format!("ad-{}", own.below(6)) });
    if !dice.percent(quality.no_consent) {
        body["consent"] = json!({
            "text": "I agree to be contacted by telephone about my enquiry.",
            "text_version": "2026-01",
            "given_at": now,
            "purposes": ["contact_by_phone"],
        });
    }
    body
}

fn details(own: &mut Dice, topic: Topic, fields: &mut Value) {
    match topic {
        Topic::Solar => {
            fields["roof"] = (*own.pick(&["pitched", "flat"])).into();
            fields["owner"] = own.percent(85).into();
            fields["monthly_bill_eur"] = (40 + own.below(260)).into();
        }
        Topic::Insurance => {
            fields["age"] = (18 + own.below(60)).into();
            fields["employment"] = (*own.pick(&["employed", "self-employed", "civil servant"])).into();
        }
        Topic::Legal => {
            fields["case"] = (*own.pick(&["car accident", "work accident", "medical"])).into();
            fields["months_ago"] = own.below(36).into();
        }
    }
}
