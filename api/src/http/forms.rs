//! `/f/{form}`: a source's web form. Showing it is for trying a source out; sending to it is for real sites, which are
//! redirected afterwards.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use leadyard_market::snapshot::Vertical;
use leadyard_types::{Door, FieldKind, FieldProblem, LeadAnswer, LeadState, Principal, Required, SourceId};

use super::body::{Expected, from_form};
use super::leads::draft;
use super::openapi::Everywhere;
use super::receive::Sent;
use super::wire::{FormBody, ProblemBody};
use super::{HttpState, Problem};

/// A field people do not see and programs fill in.
const HONEYPOT: &str = "website_url";

/// The source of a form's path; a path that is no text names none.
async fn source(state: &HttpState, form: Result<Path<String>, PathRejection>) -> Result<SourceId, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such form");
    let Path(form) = form.map_err(|_| missing())?;
    let known = state.market.snapshot().forms.get(&form).copied();
    if let Some(source) = known {
        return Ok(source);
    }
    let fresh = state.market.refresh().await.map_err(leadyard_market::IntakeError::from)?;
    fresh.forms.get(&form).copied().ok_or_else(missing)
}

/// Takes what a visitor filled in.
#[utoipa::path(
    post, path = "/f/{form}", operation_id = "form_submit", tag = "forms",
    params(("form" = String, Path, description = "The form's key: a source's.")),
    request_body(description = "What the visitor filled in.",
        content((FormBody = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "Thanks, as a page.", body = String, content_type = "text/html"),
        (status = 303, description = "On to where the campaign sends visitors."),
        (status = 400, description = "The body cannot be read.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such form.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is longer than 64 KiB.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "What to put right, as a page.", body = String, content_type = "text/html"),
        Everywhere
    )
)]
pub(super) async fn submit(
    State(state): State<HttpState>,
    form: Result<Path<String>, PathRejection>,
    Sent(body): Sent,
) -> Result<Response, Problem> {
    let source_id = source(&state, form).await?;
    let mut sent = from_form(&body, Expected::Lead)?;
    let trap = sent.fields.remove(HONEYPOT).and_then(|value| value.as_str().map(|text| !text.is_empty()));
    if trap == Some(true) {
        sent.problems.push(FieldProblem::new(HONEYPOT, "NOT_EMPTY", "this field stays empty"));
    }
    let draft = draft(sent, source_id, Door::Form, None);
    let answer = state.market.submit(Principal::Source { source_id }, draft).await?;
    Ok(match &answer.redirect_url {
        Some(url) if answer.problems.is_empty() => Redirect::to(url).into_response(),
        _ => thanks(&answer),
    })
}

fn thanks(answer: &LeadAnswer) -> Response {
    if answer.state == LeadState::Rejected && !answer.problems.is_empty() {
        let items: String = answer
            .problems
            .iter()
            .map(|problem| format!("<li>{}: {}</li>", escape(&problem.field), escape(&problem.message)))
            .collect();
        let page =
            page("Please check", &format!("<ul>{items}</ul><p><a href=\"javascript:history.back()\">Back</a></p>"));
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
    }
    Html(page("Thank you", "<p>We have received your enquiry.</p>")).into_response()
}

/// A page with the fields of a source's vertical, for trying it out.
#[utoipa::path(
    get, path = "/f/{form}", operation_id = "form_show", tag = "forms",
    params(("form" = String, Path, description = "The form's key: a source's.")),
    responses(
        (status = 200, description = "The form.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such form.", body = ProblemBody,
            content_type = "application/problem+json"),
        Everywhere
    )
)]
pub(super) async fn show(
    State(state): State<HttpState>,
    form: Result<Path<String>, PathRejection>,
) -> Result<Html<String>, Problem> {
    let source_id = source(&state, form).await?;
    let snapshot = state.market.snapshot();
    let missing = || Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such form");
    let campaign = snapshot.sources.get(&source_id).and_then(|source| snapshot.campaigns.get(&source.campaign_id));
    let vertical = campaign.and_then(|campaign| snapshot.verticals.get(&campaign.vertical_id)).ok_or_else(missing)?;
    Ok(Html(page("Your enquiry", &inputs(vertical))))
}

fn inputs(vertical: &Vertical) -> String {
    let mut html = String::from("<form method=\"post\">");
    for field in &vertical.terms.fields {
        let required = if field.required == Required::Never { "" } else { " required" };
        let (key, label) = (escape(&field.key), escape(&field.label));
        let input = if field.allowed.is_empty() {
            let kind = match field.kind {
                FieldKind::Email => "email",
                FieldKind::Phone => "tel",
                FieldKind::Integer => "number",
                FieldKind::Date => "date",
                FieldKind::Url => "url",
                _ => "text",
            };
            format!("<input type=\"{kind}\" name=\"{key}\"{required}>")
        } else {
            let options: String =
                field.allowed.iter().map(|value| format!("<option>{}</option>", escape(value))).collect();
            format!("<select name=\"{key}\"{required}><option value=\"\"></option>{options}</select>")
        };
        html.push_str(&format!("<p><label>{label}<br>{input}</label></p>"));
    }
    let trap = format!("<p hidden><input name=\"{HONEYPOT}\" tabindex=\"-1\" autocomplete=\"off\"></p>");
    html + &trap + "<p><button>Send</button></p></form>"
}

fn page(title: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><body style=\"font-family:sans-serif;max-width:36em;margin:3em auto\"><h1>{title}</h1>{content}</body></html>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
