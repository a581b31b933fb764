use std::time::Duration;

use tokio::time::Instant;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::package::sample;

fn code(source: &str, format: Format) -> String {
    check_template("template", source, format).map_or_else(|problem| problem.code, |()| "OK".to_owned())
}

#[test]
fn values_are_escaped_by_the_format() {
    let mut package = sample();
    package.fields.insert("tricky".into(), "a\"b\\c</x>&d e\n".into());
    let context = package.context();
    let json = render("{\"t\": {{ fields.tricky }}, \"u\": {{ fields.tricky|tojson }}, \"n\": {{ source_subid }}, \"all\": {{ fields }}}", Format::Json, &context).unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["t"], "a\"b\\c</x>&d e\n");
    assert_eq!(read["u"], read["t"]);
    assert_eq!(read["all"]["age"], 41);
    let xml = render("<t>{{ fields.tricky }}</t>", Format::Xml, &context).unwrap();
    assert_eq!(xml.matches('<').count(), 2, "{xml}");
    assert!(xml.contains("&lt;") && xml.contains("&amp;"));
    let form = render("t={{ fields.tricky }}&p={{ fields.phone }}", Format::Form, &context).unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(pairs, [("t".into(), "a\"b\\c</x>&d e\n".into()), ("p".into(), "+4915123456789".into())]);
    assert_eq!(render("{{ fields.tricky }}", Format::Text, &context).unwrap(), "a\"b\\c</x>&d e\n");
}

#[test]
fn templates_choose_repeat_and_format() {
    let context = sample().context();
    let text = "{% if fields.homeowner %}owner{% else %}tenant{% endif %} {{ price.amount }} {{ price.currency }} \
        {{ fields.phone|digits }} {{ fields.first_name|upper|truncate(3) }} {{ fields.company|default(\"-\") }}\
        {% for key in [\"age\", \"postal_code\"] %} {{ key }}={{ fields[key] }}{% endfor %} {{ attempt }}{# note #}";
    let rendered = render(text, Format::Text, &context).unwrap();
    assert_eq!(rendered, "owner 42.50 EUR 4915123456789 ANN - age=41 postal_code=01067 1");
    assert_eq!(code(text, Format::Text), "OK");
    let mut package = sample();
    package.source_subid = None;
    assert_eq!(render("[{{ source_subid }}]", Format::Text, &package.context()).unwrap(), "[]");
    assert_eq!(render("[{{ source_subid }}]", Format::Json, &package.context()).unwrap(), "[null]");
}

#[test]
fn formats_follow_content_types() {
    for (content_type, format) in [
        ("application/json", Format::Json),
        ("Application/JSON; charset=utf-8", Format::Json),
        ("application/vnd.buyer+json", Format::Json),
        ("text/xml", Format::Xml),
        ("application/soap+xml", Format::Xml),
        ("application/x-www-form-urlencoded", Format::Form),
        ("text/plain", Format::Text),
        ("", Format::Text),
    ] {
        assert_eq!(Format::of_content_type(content_type), format, "{content_type}");
    }
}

#[test]
fn wrong_templates_are_told_so_before_they_are_used() {
    for (source, expected) in [
        ("{{ fields.email", "TEMPLATE_SYNTAX"),
        ("{% if %}x", "TEMPLATE_SYNTAX"),
        ("{{ feilds.email }}", "TEMPLATE_UNKNOWN_NAME"),
        ("{{ campaign.nme }}", "TEMPLATE_SYNTAX"),
        ("{{ fields.email|shout }}", "TEMPLATE_SYNTAX"),
        ("{{ range(3) }}", "TEMPLATE_UNKNOWN_NAME"),
        ("{{ fields.email.upper() }}", "TEMPLATE_SYNTAX"),
        ("{% set x = 1 %}", "TEMPLATE_SYNTAX"),
        ("{% include \"x\" %}", "TEMPLATE_SYNTAX"),
        ("{% macro m() %}{% endmacro %}", "TEMPLATE_SYNTAX"),
        ("{% raw %}{{ x }}{% endraw %}", "TEMPLATE_SYNTAX"),
        ("{{ 'x' * 100000000 }}", "TEMPLATE_SYNTAX"),
        ("{{ {'a': 1}['a'] }}", "TEMPLATE_SYNTAX"),
        ("{{ ( }}", "TEMPLATE_SYNTAX"),
        ("{# never", "TEMPLATE_SYNTAX"),
    ] {
        assert_eq!(code(source, Format::Text), expected, "{source}");
    }
    assert_eq!(code("{\"a\": \"{{ fields.email }}\"}", Format::Json), "TEMPLATE_NOT_JSON");
    assert_eq!(code("{\"a\": {{ fields.email }}}", Format::Json), "OK");
    assert_eq!(code(&"x".repeat(TEMPLATE_BYTES_MAX + 1), Format::Text), "TOO_LONG");
    assert_eq!(code("Price *only* today: 5 * 3 }} 100%", Format::Text), "OK");
}

#[test]
fn failures_never_repeat_a_value() {
    let context = sample().context();
    for source in [
        "{{ fields.nothing }}",
        "{{ fields.first_name.nothing.more }}",
        "{{ fields.first_name|int }}",
        "{{ fields.first_name + 1 }}",
        "{{ fields.first_name|round }}",
        "{{ fields.email|nosuch }}",
        "{{ fields.email() }}",
        "{% for x in fields.age %}{% endfor %}",
        "{{ -fields.email }}",
    ] {
        let failure = render(source, Format::Text, &context).unwrap_err().to_string();
        for value in ["Annegret", "example.org", "41"] {
            assert!(!failure.contains(value), "{source}: {failure}");
        }
        assert!(failure.contains("line 1"), "{source}: {failure}");
    }
    let broken = render("{\"a\": \"{{ fields.email }}\"}", Format::Json, &context).unwrap_err();
    assert!(!broken.to_string().contains("example.org"));
}

/// Whatever is written, it ends soon, in little memory, and on a worker's ordinary stack.
#[test]
fn hostile_templates_are_bounded() {
    let bomb = "{% for a in fields.email %}".repeat(12) + "xxxxxxxxxxxxxxxxxxxxxxxx" + &"{% endfor %}".repeat(12);
    let silent = "{% for a in fields.email %}".repeat(6) + &"{% endfor %}".repeat(6);
    let growing = format!("{{{{ fields.email{} }}}}", "|replace(\"e\", \"eeeeeeeeee\")".repeat(15));
    let joining = format!("{{{{ fields.email{} }}}}", "|join(fields.email)".repeat(20));
    let quoting = format!("{{{{ '\"\\\\'{} }}}}", "|tojson".repeat(60));
    let nested =
        |open: &str, close: &str, times: usize| format!("{{{{ {}1{} }}}}", open.repeat(times), close.repeat(times));
    let ifs = "{% if 1 %}".repeat(800) + &"{% endif %}".repeat(700);
    let elifs = |times| "{% if 0 %}".to_owned() + &"{% elif 0 %}".repeat(times) + "{% endif %}";
    let hostile = vec![
        bomb,
        silent,
        growing,
        joining,
        quoting,
        nested("(", ")", 240),
        nested("[", "]", 240),
        nested("-", "", 480),
        nested("not ", "", 120),
        format!("{{{{ fields{} }}}}", ".a".repeat(240)),
        format!("{{{{ fields.email{} }}}}", "|trim".repeat(95)),
        format!("{{{{ 1{} }}}}", "+1".repeat(240)),
        format!("{{{{ fields{} }}}}", ".a".repeat(8_000)),
        format!("{{{{ {} }}}}", "fields.email~".repeat(35) + "1"),
        "{{ fields.email ".repeat(1_000),
        "{%".repeat(8_000),
        "{{ 1 }}".repeat(2_300),
        ifs,
        elifs(198),
        elifs(1_200),
        "{% if 1 %}".repeat(100) + &"{% endif %}".repeat(100),
    ];
    let worker = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        let mut package = sample();
        package.fields.insert("email".into(), "e\"".repeat(2_000).into());
        let context = package.context();
        for source in hostile {
            let started = Instant::now();
            let _ = check_template("template", &source, Format::Text);
            let output = render(&source, Format::Text, &context).unwrap_or_default();
            assert!(output.len() <= OUTPUT_BYTES_MAX);
            let name: String = source.chars().take(60).collect();
            assert!(started.elapsed() < Duration::from_secs(10), "{name}");
        }
    });
    worker.unwrap().join().unwrap();
}

proptest! {
    /// Any text is a template or is refused; nothing panics, and JSON results are JSON.
    #[test]
    fn any_text_is_survived(source in "([{}%#\"'()|.~a-z 0-9\\\\-]|\\{\\{|\\}\\}|\\{%|%\\}|fields|if |endif|for x in ){0,60}") {
        let context = json!({ "fields": { "a": "b" } });
        let _ = check_template("template", &source, Format::Json);
        if let Ok(output) = render(&source, Format::Json, &context) {
            prop_assert!(is_json(&output));
        }
    }
}
