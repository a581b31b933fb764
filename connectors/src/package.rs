//! What is delivered: one sold lead, with what the buyer may know about its sale.

use leadyard_types::{BuyerId, CampaignId, Consent, ContractId, DeliveryId, LeadId, Money, PingId, SaleId, Timestamp};
use serde_json::{Map, Value, json};

/// Something the buyer knows by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<Id> {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
}

impl<Id> Named<Id> {
    /// An id and its name.
    pub fn new(id: Id, name: impl Into<String>) -> Self {
        Self { id, name: name.into() }
    }
}

/// One sold lead on its way to one destination. Its `Debug` form shows ids only.
#[derive(Clone)]
pub struct DeliveryPackage {
    /// The delivery: the key by which every remote system recognises a repetition.
    pub delivery_id: DeliveryId,
    /// The sale.
    pub sale_id: SaleId,
    /// The lead.
    pub lead_id: LeadId,
    /// The campaign it was sold in.
    pub campaign: Named<CampaignId>,
    /// The contract it was sold under.
    pub contract: Named<ContractId>,
    /// The buyer.
    pub buyer: Named<BuyerId>,
    /// The supplier's mark of the source.
    pub source_subid: Option<String>,
    /// What the buyer pays.
    pub price: Money,
    /// When it was sold.
    pub sold_at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// The normalised fields, personal ones included.
    pub fields: Map<String, Value>,
    /// The consent, where there is one.
    pub consent: Option<Consent>,
    /// The bid by which it was sold, where the buyer was asked for one: our id of the ping, and the buyer's own mark.
    pub ping: Option<PingMark>,
    /// Whether it is a test: nobody's enquiry, and not billed.
    pub test: bool,
    /// Where a buyer who answers can say later what became of the lead: the address is a secret of this sale.
    pub callback_url: Option<String>,
    /// Which attempt this is, 1 = the first.
    pub attempt: u32,
}

/// By what a buyer knows its bid again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingMark {
    /// The ping.
    pub id: PingId,
    /// What the buyer called it.
    pub reference: Option<String>,
}

impl std::fmt::Debug for DeliveryPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeliveryPackage")
            .field("delivery_id", &self.delivery_id)
            .field("sale_id", &self.sale_id)
            .field("lead_id", &self.lead_id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// The names a template may use, each a key of [`DeliveryPackage::context`].
pub const CONTEXT_NAMES: [&str; 16] = [
    "delivery_id",
    "sale_id",
    "lead_id",
    "campaign",
    "contract",
    "buyer",
    "source_subid",
    "price",
    "sold_at",
    "received_at",
    "fields",
    "consent",
    "ping",
    "test",
    "callback_url",
    "attempt",
];

/// The event's name in a webhook.
const EVENT_TYPE: &str = "lead.sold";

impl DeliveryPackage {
    /// What templates see: the keys of [`CONTEXT_NAMES`]. `price.amount` is a plain decimal, `price.amount_minor` the
    /// whole minor units.
    #[must_use]
    pub fn context(&self) -> Value {
        let mut context = self.facts();
        context.insert("callback_url".to_owned(), self.callback_url.clone().into());
        context.insert("attempt".to_owned(), self.attempt.into());
        Value::Object(context)
    }

    /// The body of a webhook without a template: a Standard Webhooks event. It is the same for every attempt, so that
    /// a receiver can compare repetitions.
    #[must_use]
    pub fn default_body(&self) -> Value {
        let mut data = self.facts();
        if let Some(url) = &self.callback_url {
            data.insert("callback_url".to_owned(), url.clone().into());
        }
        json!({ "type": EVENT_TYPE, "timestamp": time(self.sold_at), "data": data })
    }

    fn facts(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
        put("delivery_id", self.delivery_id.to_string().into());
        put("sale_id", self.sale_id.to_string().into());
        put("lead_id", self.lead_id.to_string().into());
        put("campaign", named(&self.campaign));
        put("contract", named(&self.contract));
        put("buyer", named(&self.buyer));
        put("source_subid", self.source_subid.clone().into());
        let printed = self.price.to_string();
        let amount = printed.split(' ').next().unwrap_or_default();
        put(
            "price",
            json!({
                "amount": amount,
                "amount_minor": self.price.amount_minor,
                "currency": self.price.currency.as_str(),
            }),
        );
        put("sold_at", time(self.sold_at));
        put("received_at", time(self.received_at));
        put("fields", Value::Object(self.fields.clone()));
        put("consent", self.consent.as_ref().map_or(Value::Null, |consent| json!(consent)));
        let mark = |ping: &PingMark| json!({ "id": ping.id.to_string(), "reference": ping.reference });
        put("test", self.test.into());
        put("ping", self.ping.as_ref().map_or(Value::Null, mark));
        facts
    }
}

fn named<Id: std::fmt::Display>(thing: &Named<Id>) -> Value {
    json!({ "id": thing.id.to_string(), "name": thing.name })
}

fn time(moment: Timestamp) -> Value {
    moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()
}

/// A package for tests, about a person with marked values.
#[cfg(test)]
pub(crate) fn sample() -> DeliveryPackage {
    use leadyard_types::Currency;
    use uuid::Uuid;

    let moment = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let fields = json!({
        "first_name": "Annegret",
        "last_name": "Müller-Lüdenscheid",
        "email": "annegret.mueller@example.org",
        "phone": "+4915123456789",
        "postal_code": "01067",
        "age": 41,
        "homeowner": true,
    });
    let Value::Object(fields) = fields else { unreachable!() };
    DeliveryPackage {
        delivery_id: Uuid::from_u128(0xd1).into(),
        sale_id: Uuid::from_u128(0x5a).into(),
        lead_id: Uuid::from_u128(0x1e).into(),
        campaign: Named::new(Uuid::from_u128(0xca).into(), "Solar DE"),
        contract: Named::new(Uuid::from_u128(0xc0).into(), "Solar Saxony"),
        buyer: Named::new(Uuid::from_u128(0xb0).into(), "Sunny Roofs"),
        source_subid: Some("ad-7".to_owned()),
        price: Money::new(4_250, Currency::EUR),
        sold_at: moment,
        received_at: moment - chrono::Duration::seconds(2),
        fields,
        consent: Some(Consent {
            text: Some("I agree to be called.".to_owned()),
            ip: Some("93.184.216.34".to_owned()),
            ..Consent::default()
        }),
        ping: None,
        test: false,
        callback_url: None,
        attempt: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Templates see exactly the published names.
    #[test]
    fn the_context_has_the_published_names() {
        let Value::Object(context) = sample().context() else { panic!() };
        let mut published = CONTEXT_NAMES.to_vec();
        published.sort_unstable();
        let mut found: Vec<&str> = context.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, published);
        assert_eq!(context["price"], json!({ "amount": "42.50", "amount_minor": 4_250, "currency": "EUR" }));
    }

    /// The standard body is an event of Standard Webhooks, the same for every attempt.
    #[test]
    fn the_default_body_is_a_standard_event() {
        let mut package = sample();
        let first = package.default_body();
        package.attempt = 7;
        assert_eq!(first, package.default_body());
        assert_eq!(first["type"], "lead.sold");
        assert_eq!(first["timestamp"], "2026-11-18T11:06:40Z");
        assert_eq!(first["data"]["fields"]["last_name"], "Müller-Lüdenscheid");
        assert_eq!(first["data"]["consent"]["ip"], "93.184.216.34");
        assert_eq!(first.as_object().unwrap().len(), 3);
    }

    /// A package that is printed by accident says nothing about the person.
    #[test]
    fn debug_shows_ids_only() {
        let printed = format!("{:?}", sample());
        for value in ["Annegret", "4915", "example.org", "01067", "93.184", "agree"] {
            assert!(!printed.contains(value), "{value}");
        }
    }
}
