//! What a buyer is sent.

use super::*;
use crate::ping::payload::write;

fn payload(config: &PingConfig) -> Payload {
    write(&config.plan(), &["s3cr3t-k3y".into()], &package()).map_err(|problem| panic!("{problem}")).unwrap()
}

fn body(config: &PingConfig) -> String {
    String::from_utf8(payload(config).body).unwrap()
}

#[test]
fn our_own_shape_shows_what_a_ping_may_show() {
    let sent: Value = serde_json::from_str(&body(&PingConfig::new("https://bids.example.com/"))).unwrap();
    let expected = json!({
        "ping_id": package().id.to_string(),
        "vertical": "solar",
        "campaign": "Solar DE",
        "country": "DE",
        "currency": "EUR",
        "places": 3,
        "test": false,
        "fields": { "postal_code": "01067", "state": "SN", "homeowner": true, "roof_m2": 80, "roof": "flat & <sunny>" },
    });
    assert_eq!(sent, expected);
}

#[test]
fn a_mapping_is_written_in_every_format() {
    let mapping = json!([
        { "name": "Key", "value": "{secret}" },
        { "name": "Lead.Zip", "field": "postal_code" },
        { "name": "Lead.Roof", "field": "roof" },
        { "name": "Lead.Owner", "field": "homeowner" },
        { "name": "Lead.Mail", "field": "email" },
        { "name": "Mode", "value": 1 },
    ]);
    let of = |format: &str| {
        config(json!({ "url": "https://bids.example.com/p?a=b", "format": format, "root": "Ping", "mapping": mapping }))
    };
    let form = "Key=s3cr3t-k3y&Lead.Zip=01067&Lead.Roof=flat+%26+%3Csunny%3E&Lead.Owner=true&Mode=1";
    assert_eq!(
        body(&of("JSON")),
        r#"{"Key":"s3cr3t-k3y","Lead":{"Owner":true,"Roof":"flat & <sunny>","Zip":"01067"},"Mode":1}"#
    );
    assert_eq!(body(&of("FORM")), form);
    assert_eq!(
        body(&of("XML")),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Ping><Key>s3cr3t-k3y</Key><Lead><Zip>01067</Zip>\
         <Roof>flat &amp; &lt;sunny&gt;</Roof><Owner>true</Owner></Lead><Mode>1</Mode></Ping>"
    );
    let query = payload(&of("QUERY"));
    assert_eq!((query.url.as_str(), query.body.len()), (format!("https://bids.example.com/p?a=b&{form}").as_str(), 0));
    assert!(query.headers.is_empty());
    for (format, content_type) in
        [("JSON", "application/json"), ("FORM", "application/x-www-form-urlencoded"), ("XML", "application/xml")]
    {
        let headers = payload(&of(format)).headers;
        assert_eq!(headers, [("content-type".to_owned(), content_type.to_owned())]);
    }
}

#[test]
fn all_fields_go_below_a_name_or_beside_the_others() {
    let beside = config(json!({
        "url": "https://bids.example.com/",
        "mapping": [{ "name": "state", "value": "fixed" }, { "name": "*", "fact": "FIELDS" }],
    }));
    let sent: Value = serde_json::from_str(&body(&beside)).unwrap();
    assert_eq!(
        (&sent["state"], &sent["postal_code"], &sent["roof_m2"]),
        (&json!("fixed"), &json!("01067"), &json!(80))
    );
    let below = config(json!({
        "url": "https://bids.example.com/",
        "format": "XML",
        "mapping": [{ "name": "a.b", "fact": "FIELDS" }, { "name": "a.id", "fact": "VERTICAL" }],
    }));
    let sent = body(&below);
    assert!(sent.contains("<ping><a><b><homeowner>true</homeowner>"), "{sent}");
    assert!(sent.ends_with("</b><id>solar</id></a></ping>"), "{sent}");
}

/// Whatever the settings ask for, a contact's value goes out as a hash or not at all.
#[test]
fn contacts_are_hashed_or_stay() {
    let hashes = json!([
        { "field": "phone", "name": "h.sha256", "algorithm": "SHA256" },
        { "field": "phone", "name": "h.md5", "algorithm": "MD5" },
        { "field": "email", "name": "h.hmac", "algorithm": "HMAC_SHA256" },
        { "field": "postal_code", "name": "h.zip", "algorithm": "SHA256" },
        { "field": "nothing", "name": "h.none", "algorithm": "SHA256" },
    ]);
    let mapping = json!([
        { "name": "a", "field": "phone" },
        { "name": "b", "field": "email" },
        { "name": "c", "field": "last_name" },
        { "name": "d", "fact": "FIELDS" },
    ]);
    for format in ["JSON", "FORM", "XML", "QUERY"] {
        let asked = config(json!({
            "url": "https://bids.example.com/", "format": format, "mapping": mapping, "hashes": hashes,
        }));
        let payload = payload(&asked);
        let sent = format!("{}{}", payload.url, String::from_utf8_lossy(&payload.body));
        assert_eq!(personal_in(&sent), None, "{sent}");
        assert_eq!(payload.hashes.len(), 4);
        for hash in &payload.hashes {
            assert!(sent.contains(hash.as_str()), "{sent}");
            assert!(!payload.shown.contains(hash.as_str()), "what is kept holds no hash: {}", payload.shown);
        }
    }
    let by_template = config(json!({
        "url": "https://bids.example.com/",
        "template": "{\"h\": {{ hashes.p }}, \"z\": {{ fields.postal_code }}, \"k\": {{ secret }}, \"n\": {{ places }}}",
        "hashes": [{ "field": "phone", "name": "p", "algorithm": "SHA256" }],
    }));
    let sent: Value = serde_json::from_str(&body(&by_template)).unwrap();
    // The digest of `+4915123456789`, by another program.
    assert_eq!(sent["h"], "663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8");
    assert_eq!((&sent["z"], &sent["k"], &sent["n"]), (&json!("01067"), &json!("s3cr3t-k3y"), &json!(3)));
    let personal = config(json!({ "url": "https://bids.example.com/", "template": "{\"p\": {{ fields.phone }}}" }));
    assert!(write(&personal.plan(), &[], &package()).is_err());
}

#[test]
fn without_a_secret_nothing_goes_out_that_needs_one() {
    for part in [
        json!({ "headers": [["authorization", "Bearer {secret}"]] }),
        json!({ "mapping": [{ "name": "key", "value": "{secret}" }] }),
        json!({ "hashes": [{ "field": "phone", "name": "p", "algorithm": "HMAC_SHA256" }] }),
        json!({ "template": "{\"k\": {{ secret }}}" }),
    ] {
        let mut whole = part.clone();
        whole["url"] = json!("https://bids.example.com/");
        let config = config(whole);
        assert!(write(&config.plan(), &[], &package()).is_err(), "{part}");
        assert!(write(&config.plan(), &["s3cr3t-k3y".into()], &package()).is_ok(), "{part}");
    }
}

/// What is kept of a ping shows its fields, and neither constants, nor keys, nor hashes.
#[test]
fn what_is_kept_shows_fields_only() {
    let asked = config(json!({
        "url": "https://bids.example.com/?token=t0k3n-in-url",
        "headers": [["authorization", "Bearer {secret}"], ["x-key", "k3y-in-header"]],
        "mapping": [
            { "name": "key", "value": "k3y-in-body" },
            { "name": "zip", "field": "postal_code" },
            { "name": "roof", "field": "roof" },
        ],
        "hashes": [{ "field": "phone", "name": "p", "algorithm": "MD5" }],
    }));
    let payload = payload(&asked);
    let shown = redactor(&package(), &payload).text_up_to(&payload.shown, SHOWN_CHARS_MAX);
    assert_eq!(shown, r#"{"key":"***","p":"***","roof":"flat & <sunny>","zip":"01067"}"#);
    let echo = "t0k3n-in-url S3CR3T-K3Y k3y-in-header k3y-in-body +49 151 23456789 MUELLER@example.org sorry";
    let kept = redactor(&package(), &payload).text(&format!("{echo} {}", payload.hashes[0]));
    assert_eq!(kept, "*** *** *** *** +*** *** sorry ***");
}

/// The destination's secrets are known to nobody but the buyer, wherever they are used and however short they are.
#[test]
fn no_secret_is_kept() {
    for part in [
        json!({ "template": "{\"k\": {{ secret }}}" }),
        json!({ "hashes": [{ "field": "phone", "name": "p", "algorithm": "HMAC_SHA256" }] }),
        json!({ "mapping": [{ "name": "k", "value": "{secret}" }] }),
    ] {
        let mut whole = part;
        whole["url"] = json!("https://bids.example.com/");
        let payload = write(&config(whole).plan(), &["k3y".into(), "old-k3y".into()], &package()).ok().unwrap();
        let redactor = redactor(&package(), &payload);
        let shown = redactor.text_up_to(&payload.shown, SHOWN_CHARS_MAX);
        assert!(!shown.contains("k3y"), "{shown}");
        assert_eq!(redactor.text("bad keys: K3Y, old-k3y"), "bad keys: ***, ***");
    }
}

#[test]
fn a_ping_has_an_end() {
    let mut package = package();
    for n in 0..50 {
        package.fields.insert(format!("long_{n}"), FieldValue::text(&"x".repeat(4_000)));
    }
    let config = PingConfig::new("https://bids.example.com/");
    assert_eq!(write(&config.plan(), &[], &package).err().as_deref(), Some("the ping is longer than 128 KiB"));
}
