//! What goes through the suppliers' doors, as it is written and as it is described: answers are made of these types, so the
//! description is that of what is sent.

use leadyard_types::{
    BuyerVerdict, Check, FieldProblem, LeadAnswer, LeadState, Money, QuoteAnswer, QuoteState, SaleId, SaleState,
    Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

/// A text that is one of these words.
fn one_of<'a>(words: impl Iterator<Item = &'a str>, description: &str, lower: bool) -> Object {
    let spelt = words.map(|word| if lower { word.to_ascii_lowercase() } else { word.to_owned() });
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(spelt.collect::<Vec<_>>()))
        .description(Some(description.to_owned()))
        .build()
}

fn lead_status() -> Object {
    let description = "What became of the lead; `received` where a buyer's verdict is still awaited.";
    one_of(LeadState::ALL.iter().map(|state| state.as_str()), description, true)
}

fn quote_status() -> Object {
    one_of(QuoteState::ALL.iter().map(|state| state.as_str()), "Whether a price is promised.", true)
}

fn check() -> Object {
    let description = "The check that said no. Left empty where none did.";
    let mut object = one_of(Check::ALL.iter().map(|check| check.as_str()), description, false);
    object.schema_type = [Type::String, Type::Null].into_iter().collect();
    if let Some(words) = &mut object.enum_values {
        words.push(Value::Null);
    }
    object
}

/// The fields of the source's vertical, each by its key; which there are, the operator says.
#[derive(ToSchema)]
#[schema(value_type = std::collections::BTreeMap<String, Value>, example = json!({ "email": "ada@mail.example.com", "phone": "030 1234567", "postal_code": "10115" }))]
#[allow(dead_code, reason = "described here, read key by key in `body`")]
pub(super) struct LeadFields(Map<String, Value>);

/// The evidence that a lead may be passed on.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described here, read part by part in `body`")]
pub(super) struct ConsentBody {
    /// The text the person agreed to, or a reference to it.
    text: Option<String>,
    /// The version of that text.
    text_version: Option<String>,
    /// When the person agreed.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_at: Option<Timestamp>,
    /// The page where.
    page_url: Option<String>,
    /// From which address.
    ip: Option<String>,
    /// What for: `contact_by_phone`. In a form: separated by commas.
    purposes: Option<Vec<String>>,
    /// Recipients named in the text. In a form: separated by commas.
    recipients: Option<Vec<String>>,
    /// Certificates of the moment. In a form: separated by commas.
    certificate_urls: Option<Vec<String>>,
    /// A declared basis where there is no recorded moment.
    basis: Option<String>,
}

/// A lead. Instead of standing under `fields`, the fields may stand beside the other keys.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described here, read key by key in `body`")]
pub(super) struct LeadBody {
    fields: Option<LeadFields>,
    consent: Option<ConsentBody>,
    /// A mark of your own, up to 200 characters, passed through to reports.
    subid: Option<String>,
    /// An id of your own, up to 200 characters, passed through.
    external_id: Option<String>,
    /// When the enquiry was made, where that is not now; never in the future.
    #[schema(value_type = Option<String>, format = DateTime)]
    enquired_at: Option<Timestamp>,
}

/// A lead by the promise of a ping. What was priced is as it was in the ping.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described here, read key by key in `body`")]
pub(super) struct PostBody {
    /// What the ping was answered with.
    ping_id: Uuid,
    fields: Option<LeadFields>,
    consent: Option<ConsentBody>,
    /// A mark of your own, up to 200 characters, passed through to reports.
    subid: Option<String>,
    /// An id of your own, up to 200 characters, passed through.
    external_id: Option<String>,
    /// When the enquiry was made, where that is not now; never in the future.
    #[schema(value_type = Option<String>, format = DateTime)]
    enquired_at: Option<Timestamp>,
}

fn buyer_verdict() -> Object {
    one_of(BuyerVerdict::ALL.iter().map(|verdict| verdict.as_str()), "What became of the lead.", true)
}

fn sale_status() -> Object {
    let description = "Where the sale stands: `sold` is taken and charged; `rejected` is not taken, as a duplicate is; \
                       `unknown_expired` had ended unanswered, and nothing is charged.";
    let final_ones = [SaleState::Sold, SaleState::Rejected, SaleState::UnknownExpired];
    one_of(final_ones.into_iter().map(SaleState::as_str), description, true)
}

/// What a buyer says of a lead it was posted.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described here, read key by key in `verdicts`")]
pub(super) struct VerdictBody {
    #[schema(schema_with = buyer_verdict)]
    verdict: String,
    /// Why it is not taken, up to 500 characters; what would tell who the person is is not kept.
    reason: Option<String>,
    /// A mark of your own: up to 100 letters, digits and `- _ . : / #`.
    reference: Option<String>,
}

/// What a verdict came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerdictAnswered {
    /// The sale.
    sale_id: Uuid,
    #[schema(schema_with = sale_status)]
    status: String,
}

impl VerdictAnswered {
    pub(super) fn of(sale: SaleId, state: SaleState) -> Self {
        Self { sale_id: sale.0, status: state.as_str().to_ascii_lowercase() }
    }
}

/// A lead as a web form sends it: a pair for each field, and `consent_text`, `consent_purposes` and so on.
#[derive(ToSchema)]
#[schema(value_type = std::collections::BTreeMap<String, String>)]
#[allow(dead_code, reason = "described here, read pair by pair in `body`")]
pub(super) struct FormBody(Map<String, Value>);

/// An amount of one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Price {
    /// The amount in the smallest unit of the currency: 1250 is 12.50 EUR.
    #[schema(example = 1250)]
    amount_minor: i64,
    /// The currency by ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

impl From<Money> for Price {
    fn from(money: Money) -> Self {
        Self { amount_minor: money.amount_minor, currency: money.currency.to_string() }
    }
}

/// Something wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WrongField {
    /// The field's key as it was sent, or a path such as `consent.given_at`.
    field: String,
    /// What is wrong, stable, for programs: `REQUIRED`, `INVALID_EMAIL`, `TOO_LONG` …
    code: String,
    /// What would be right, for people.
    message: String,
}

impl From<FieldProblem> for WrongField {
    fn from(problem: FieldProblem) -> Self {
        Self { field: problem.field, code: problem.code, message: problem.message }
    }
}

fn wrong(problems: &[FieldProblem]) -> Vec<WrongField> {
    problems.iter().cloned().map(WrongField::from).collect()
}

/// What became of a lead. It is stored, whatever its status.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeadAnswered {
    /// The lead's id.
    lead_id: Uuid,
    #[schema(schema_with = lead_status)]
    status: String,
    #[schema(schema_with = check)]
    check: Option<&'static str>,
    /// What that check says, for people.
    message: Option<String>,
    /// Every problem of the fields, where the check is `FIELDS`.
    problems: Vec<WrongField>,
    /// What you earn for it.
    price: Option<Price>,
    /// Where to send the visitor.
    redirect_url: Option<String>,
    /// Whether this is the first answer given again.
    repeated: bool,
    /// In answer to a post, the ping's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    ping_id: Option<Uuid>,
    /// Whether it was a test: nothing is billed, capped or counted. Left out where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    test: bool,
}

impl LeadAnswered {
    /// What is said of a lead.
    pub(super) fn of(answer: &LeadAnswer) -> Self {
        Self {
            lead_id: answer.lead_id.into(),
            status: answer.state.as_str().to_ascii_lowercase(),
            check: answer.check.map(Check::as_str),
            message: answer.message.clone(),
            problems: wrong(&answer.problems),
            price: answer.payout.map(Price::from),
            redirect_url: answer.redirect_url.clone(),
            repeated: answer.repeated,
            ping_id: None,
            test: answer.test,
        }
    }

    /// The same in answer to a post.
    pub(super) fn posted(self, ping_id: Uuid) -> Self {
        Self { ping_id: Some(ping_id), ..self }
    }
}

/// What a lead would bring.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PingAnswered {
    /// By which a post refers to it.
    ping_id: Uuid,
    #[schema(schema_with = quote_status)]
    status: String,
    /// What is promised in all.
    price: Option<Price>,
    /// What is promised for each sale: one where the lead goes to one buyer.
    legs: Vec<Price>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(schema_with = check)]
    check: Option<&'static str>,
    /// What that check says, for people.
    message: Option<String>,
    /// Every problem of the fields, where the check is `FIELDS`.
    problems: Vec<WrongField>,
    /// Whether it was a test: nothing is billed, capped or counted. Left out where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    test: bool,
}

impl PingAnswered {
    /// What is said of a ping.
    pub(super) fn of(answer: &QuoteAnswer) -> Self {
        Self {
            ping_id: answer.quote_id.into(),
            status: answer.state.as_str().to_ascii_lowercase(),
            price: answer.price.map(Price::from),
            legs: answer.legs.iter().copied().map(Price::from).collect(),
            expires_at: answer.expires_at,
            check: answer.check.map(Check::as_str),
            message: answer.message.clone(),
            problems: wrong(&answer.problems),
            test: answer.test,
        }
    }
}

/// An error as RFC 9457 has it. Nothing was stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemBody {
    /// Always `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong, stable, for programs.
    #[schema(example = "MALFORMED_JSON")]
    code: &'static str,
    /// What would be right, for people. It never repeats what was sent.
    detail: String,
    /// The fields concerned.
    problems: Vec<WrongField>,
}

impl ProblemBody {
    /// An error with its fields.
    pub(super) fn new(
        status: u16,
        title: &str,
        code: &'static str,
        detail: String,
        problems: Vec<FieldProblem>,
    ) -> Self {
        let problems = problems.into_iter().map(WrongField::from).collect();
        Self { kind: "about:blank", title: title.to_owned(), status, code, detail, problems }
    }
}

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Live {
    /// Always `live`.
    #[schema(example = "live")]
    pub(super) status: &'static str,
}

/// Whether the process can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    pub(super) status: &'static str,
    /// What it goes by.
    pub(super) checks: ReadyChecks,
}

/// What readiness goes by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadyChecks {
    /// `ok`, `slow` or `failed`.
    #[schema(example = "ok")]
    pub(super) database: &'static str,
    /// `ok`, or `ended`: this process takes no lead until it is started anew.
    #[schema(example = "ok")]
    pub(super) placement: &'static str,
    /// `ok`, `silent`, `none` or, where the database does not say, `unknown`.
    #[schema(example = "ok")]
    pub(super) workers: &'static str,
}
