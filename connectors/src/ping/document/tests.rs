use proptest::prelude::*;

use super::*;

fn find(text: &str, format: AnswerFormat, path: &str) -> Result<Option<String>, DocumentProblem> {
    let document = Document::parse(text, format, None)?;
    Ok(document.find(&Path::parse(path).unwrap())?.map(|found| found.text))
}

fn json(text: &str, path: &str) -> Result<Option<String>, DocumentProblem> {
    find(text, AnswerFormat::Json, path)
}

fn xml(text: &str, path: &str) -> Result<Option<String>, DocumentProblem> {
    find(text, AnswerFormat::Xml, path)
}

fn is(text: &str) -> Result<Option<String>, DocumentProblem> {
    Ok(Some(text.to_owned()))
}

#[test]
fn json_values_are_found_by_path() {
    let text = r#"{"Bid":{"amount":15.50,"accept":true,"note":" a\u00fcb "},"list":[{"p":1},{"p":"2"}],"none":null}"#;
    assert_eq!(json(text, "bid.amount"), is("15.50"));
    assert_eq!(json(text, "BID.Accept"), is("true"));
    assert_eq!(json(text, "bid.note"), is("aüb"));
    assert_eq!(json(text, "list.0.p"), is("1"));
    assert_eq!(json(text, "list.1.p"), is("2"));
    assert_eq!(json(text, "list.2.p"), Ok(None));
    assert_eq!(json(text, "list.x"), Ok(None));
    assert_eq!(json(text, "none"), Ok(None));
    assert_eq!(json(text, "none.x"), Ok(None));
    assert_eq!(json(text, "bid.amount.x"), Ok(None));
    assert_eq!(json(text, "price|bid.price|bid.amount"), is("15.50"));
    assert_eq!(json(text, "bid"), Err(DocumentProblem::NotSingle));
    assert_eq!(json(text, "list"), Err(DocumentProblem::NotSingle));
    assert_eq!(json("[{\"price\":3}]", "0.price"), is("3"));
    assert_eq!(json("17", "price"), Ok(None));
    let document = Document::parse(text, AnswerFormat::Json, None).unwrap();
    let number = |path: &str| document.find(&Path::parse(path).unwrap()).unwrap().unwrap().number;
    assert!(number("bid.amount") && !number("list.1.p") && !number("bid.accept"));
}

/// Two prices are none: which one counts would be up to the parser.
#[test]
fn names_that_come_twice_are_refused_where_they_matter() {
    assert_eq!(json(r#"{"price":1,"price":1000}"#, "price"), Err(DocumentProblem::Twice));
    assert_eq!(json(r#"{"price":1,"PRICE":1000}"#, "price"), Err(DocumentProblem::Twice));
    assert_eq!(json(r#"{"price":1,"p\u0072ice":1000}"#, "price"), Err(DocumentProblem::Twice));
    assert_eq!(json(r#"{"x":1,"x":2,"price":3}"#, "price"), is("3"));
    assert_eq!(xml("<r><price>1</price><Price>2</Price></r>", "price"), Err(DocumentProblem::Twice));
    assert_eq!(xml("<r price='1' Price='2'/>", "@price"), Err(DocumentProblem::Twice));
    assert_eq!(find("price=1&price=2", AnswerFormat::Form, "price"), Err(DocumentProblem::Twice));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in ["", "{", "{}}", "{'a':1}", "{\"a\":NaN}", "{\"a\":1,}", "{\"a\":01}", "nul", "\"\\x\"", "<a/>"] {
        assert_eq!(json(text, "a"), Err(DocumentProblem::NotJson), "{text}");
    }
    assert_eq!(json(r#"{"a":"\ud800"}"#, "a"), Err(DocumentProblem::NotUtf8));
    let huge = format!("{{\"a\":{}}}", "9".repeat(60_000));
    assert_eq!(json(&huge, "a").unwrap().unwrap().len(), 60_000);
    assert_eq!(json(r#"{"a":1e999999999}"#, "a"), is("1e999999999"));
}

#[test]
fn xml_values_are_found_by_path() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- bid -->\
        <r:Response xmlns:r=\"urn:x\"><status>Matched</status><bid id=\"7\" r:price='9.50'> 15&#46;00 </bid>\
        <offers><offer><p>1</p></offer><offer><p>2</p></offer></offers>\
        <note>a &lt;b&gt; &amp; &#x263A;<![CDATA[ <c> ]]></note><empty/><nil r:nil=\"true\"/></r:Response>";
    assert_eq!(xml(text, "response.status"), is("Matched"));
    assert_eq!(xml(text, "status"), is("Matched"));
    assert_eq!(xml(text, "Response.Bid"), is("15.00"));
    assert_eq!(xml(text, "bid.@id"), is("7"));
    assert_eq!(xml(text, "bid.@price"), is("9.50"));
    assert_eq!(xml(text, "offers.offer.1.p"), is("2"));
    assert_eq!(xml(text, "offers.offer.2.p"), Ok(None));
    assert_eq!(xml(text, "offers.offer.p"), Err(DocumentProblem::Twice));
    assert_eq!(xml(text, "note"), is("a <b> & ☺ <c>"));
    assert_eq!(xml(text, "empty"), is(""));
    assert_eq!(xml(text, "nil"), Ok(None));
    assert_eq!(xml(text, "offers"), Err(DocumentProblem::NotSingle));
    assert_eq!(xml(text, "bid.@id.x"), Ok(None));
    assert_eq!(xml("<price>15</price>", "price"), is("15"));
    assert_eq!(xml("<bid><bid>15</bid></bid>", "bid"), is("15"));
    assert_eq!(xml("<bid><bid>15</bid></bid>", "bid.bid"), is("15"));
}

#[test]
fn hostile_xml_is_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;\">\
        <!ENTITY lol3 \"&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;\">]><r><price>&lol3;</price></r>";
    assert_eq!(xml(laughs, "price"), Err(DocumentProblem::Doctype));
    let external = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><price>&x;</price></r>";
    assert_eq!(xml(external, "price"), Err(DocumentProblem::Doctype));
    assert_eq!(xml("<!DOCTYPE r><r><price>1</price></r>", "price"), Err(DocumentProblem::Doctype));
    assert_eq!(xml("<r><price>&x;</price></r>", "price"), Err(DocumentProblem::Doctype));
    assert_eq!(xml("<r price='&x;'/>", "@price"), Err(DocumentProblem::Doctype));
    assert_eq!(xml(&"<a>".repeat(20_000), "a"), Err(DocumentProblem::TooDeep));
    assert_eq!(xml(&format!("<r>{}</r>", "<a/>".repeat(15_000)), "price"), Err(DocumentProblem::TooMany));
    let attributes: String = (0..8_000).map(|n| format!("a{n}='' ")).collect();
    assert_eq!(xml(&format!("<r {attributes}/>"), "price"), Err(DocumentProblem::TooMany));
    for text in [
        "",
        "text",
        "<r>",
        "<r></s>",
        "</r>",
        "<r/><r/>",
        "<r/>15",
        "<r",
        "<r><!-- </r>",
        "<r>&#xFFFFFFFF;</r>",
        "<r>&#0;</r>",
        "<r>& </r>",
        "<r a></r>",
        "{}",
    ] {
        assert!(xml(text, "price").is_err(), "{text}");
    }
}

#[test]
fn forms_and_texts() {
    let form = "status=Matched&price=15%2C00&bid.id=7&name=a+b";
    assert_eq!(find(form, AnswerFormat::Form, "price"), is("15,00"));
    assert_eq!(find(form, AnswerFormat::Form, "bid.id"), is("7"));
    assert_eq!(find(form, AnswerFormat::Form, "Name"), is("a b"));
    assert_eq!(find(form, AnswerFormat::Form, "other"), Ok(None));
    assert_eq!(find("price=15", AnswerFormat::Text, "price"), Ok(None));
}

#[test]
fn the_format_is_guessed() {
    for (text, content_type, expected) in [
        ("{\"a\":1}", "application/json; charset=utf-8", is("1")),
        ("{\"a\":1}", "application/problem+json", is("1")),
        ("{\"a\":1}", "text/html", is("1")),
        ("{\"a\":1}", "", is("1")),
        ("<r><a>1</a></r>", "text/xml", is("1")),
        ("<r><a>1</a></r>", "text/html", is("1")),
        ("a=1", "application/x-www-form-urlencoded", is("1")),
        ("a=1", "text/plain", Ok(None)),
        ("a=1", "application/json", Err(DocumentProblem::NotJson)),
        ("<r/>", "application/json", Err(DocumentProblem::NotJson)),
    ] {
        let document = Document::parse(text, AnswerFormat::Auto, Some(content_type));
        let found = document.and_then(|document| document.find(&Path::parse("a").unwrap()));
        assert_eq!(found.map(|found| found.map(|found| found.text)), expected, "{text} as {content_type}");
    }
    assert_eq!(decoded(b"\xef\xbb\xbf {} \r\n"), Ok("{}"));
    assert_eq!(decoded(b"{\"a\":\"\xff\"}"), Err(DocumentProblem::NotUtf8));
}

#[test]
fn paths_are_bounded() {
    for path in
        ["", ".", "a.", ".a", "a..b", "a|", "a\nb", &"a.".repeat(11), &"a".repeat(201), "1.2.3.4.5.6.7.8.9.10.11"]
    {
        assert_eq!(Path::parse(path), None, "{path}");
    }
    assert!(Path::parse("a.0.b | c").is_some());
}

/// Nesting costs a pass over the text, not a stack.
#[test]
fn deep_nesting_is_walked_past() {
    let deep = format!("{{\"x\":{}{},\"price\":7}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(json(&deep, "price"), is("7"));
    assert_eq!(json(&deep, "x"), Err(DocumentProblem::NotSingle));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    assert_eq!(json(&objects, "a.a.a.a"), Err(DocumentProblem::NotSingle));
    for open in ["[", "{\"a\":", "{\"price\":["] {
        assert_eq!(json(&open.repeat(10_000), "price"), Err(DocumentProblem::NotJson));
    }
}

proptest! {
    /// No bytes panic in any format.
    #[test]
    fn any_bytes_are_survived(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        near in "[<>/&;a-c\"'=!\\[\\]\\-?{}:, 0-9#x]{0,120}",
        path in "[a-c0-2@]{1,2}(\\.[a-c0-2@]{1,2}){0,3}",
        format in 0_usize..5,
    ) {
        let format = AnswerFormat::ALL[format];
        let _ = find(&near, format, &path);
        if let Ok(text) = decoded(&body) {
            let _ = find(text, format, &path);
        }
    }

    /// What a well-behaved buyer writes is found again, in every format.
    #[test]
    fn what_is_written_is_found(value in "[\\p{L}\\p{N}<>&\"' ]{0,40}") {
        let expected = Ok(Some(value.trim().to_owned()));
        let written = serde_json::json!({ "a": { "b": value } }).to_string();
        prop_assert_eq!(json(&written, "a.b"), expected.clone());
        let written = format!("<r><a><b>{}</b></a></r>", quick_xml::escape::escape(value.as_str()));
        prop_assert_eq!(xml(&written, "a.b"), expected.clone());
        let written = url::form_urlencoded::Serializer::new(String::new()).append_pair("a.b", &value).finish();
        prop_assert_eq!(find(&written, AnswerFormat::Form, "a.b"), expected);
    }
}
