//! Whatever comes in: each broken row is a rejection with a stable code and a pointer, its neighbours come out, and the
//! count of rows adds up, on every way through the façade.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cartwire::facade::Pipeline;
use serde_json::{Value, json};

const ORDER: &str = r#"{"type":"Order","id":"o1","version":3,"createdAt":"2026-01-02T03:04:05.000Z","lastModifiedAt":"2026-01-02T03:04:06.000Z","orderNumber":"A-1","orderState":"Open","customerId":"c1","customerEmail":"mara@example.com","country":"DE","totalPrice":{"type":"centPrecision","currencyCode":"EUR","centAmount":1990,"fractionDigits":2},"lineItems":[{"id":"l1","productId":"p1","name":{"en":"Tee"},"variant":{"id":1,"sku":"TEE"},"price":{"value":{"type":"centPrecision","currencyCode":"EUR","centAmount":1990,"fractionDigits":2}},"quantity":1,"totalPrice":{"type":"centPrecision","currencyCode":"EUR","centAmount":1990,"fractionDigits":2}}],"custom":{"type":{"typeId":"type","id":"t"},"fields":{"gift":"yes"}},"unknownToUs":1}"#;

fn order(number: usize) -> String {
    ORDER.replace("\"o1\"", &format!("\"o{number}\"")).replace("A-1", &format!("A-{number}"))
}

/// The order with one piece of its text replaced; the piece must be there.
fn with(old: &str, new: &str) -> String {
    assert!(ORDER.contains(old), "{old}");
    ORDER.replacen(old, new, 1)
}

fn options(source: bool, extra: &Value) -> Vec<u8> {
    let mut options = json!({
        "destination": {"type": "iterable", "api_key": "k", "project_type": "hybrid"},
        "now": "2026-02-01T00:00:00Z",
    });
    if source {
        options["source"] = json!({"type": "commercetools", "project": "demo", "locale": "en", "order_fields": [{"field": "gift"}]});
    }
    for (key, value) in extra.as_object().into_iter().flatten() {
        options[key] = value.clone();
    }
    options.to_string().into_bytes()
}

/// What became of each row.
#[derive(Debug, Default)]
struct Outcome {
    passed: BTreeSet<u64>,
    rejected: Vec<(u64, String, String)>,
    aside: BTreeSet<u64>,
}

impl Outcome {
    fn rows(&self) -> usize {
        let mut all: BTreeSet<u64> = &self.passed | &self.aside;
        let overlap = self.passed.intersection(&self.aside).count();
        assert_eq!(overlap, 0, "a row is in two lists: {self:?}");
        for (position, ..) in &self.rejected {
            assert!(all.insert(*position), "row {position} is in two lists: {self:?}");
        }
        all.len()
    }

    fn rejections(&self) -> Vec<(u64, &str, &str)> {
        self.rejected.iter().map(|(position, code, pointer)| (*position, code.as_str(), pointer.as_str())).collect()
    }
}

fn positions(list: &Value) -> BTreeSet<u64> {
    list.as_array().unwrap().iter().map(|entry| entry["position"].as_u64().unwrap()).collect()
}

fn rejected(answer: &Value) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = answer["rejected"].as_array().unwrap().iter();
    rows.map(|row| {
        let first = row["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] == "error").unwrap();
        (row["position"].as_u64().unwrap(), text(&first["code"]), text(&first["pointer"]))
    })
    .collect()
}

/// Runs all ways there are and answers what building made of it; checks that the ways agree.
fn run_with(source: bool, extra: &Value, data: &[u8]) -> Outcome {
    let pipeline = Pipeline::new(&options(source, extra)).unwrap();
    let plan: Value = serde_json::from_slice(&pipeline.build(data).unwrap()).unwrap();
    let mut built = Outcome { rejected: rejected(&plan), ..Outcome::default() };
    for request in plan["requests"].as_array().unwrap() {
        built.passed.extend(request["positions"].as_array().unwrap().iter().map(|position| position.as_u64().unwrap()));
    }
    built.passed.extend(positions(&plan["skipped"]));
    built.aside = &positions(&plan["ignored"]) | &positions(&plan["fetches"]);
    let report: Value = serde_json::from_slice(&pipeline.validate(data).unwrap()).unwrap();
    assert_eq!(report["ok"], json!(built.rejected.is_empty()), "{report:#}");
    let judged = rejected(&report);
    assert!(judged.iter().all(|row| built.rejected.contains(row)), "{judged:?} {built:?}");
    if source {
        let answer: Value = serde_json::from_slice(&pipeline.normalize(data).unwrap()).unwrap();
        let read: BTreeSet<u64> = answer["positions"].as_array().unwrap().iter().map(|position| position.as_u64().unwrap()).collect();
        let normalized =
            Outcome { passed: read, rejected: rejected(&answer), aside: &positions(&answer["ignored"]) | &positions(&answer["fetches"]) };
        assert_eq!(normalized.rows(), built.rows(), "{normalized:?} {built:?}");
        let unread = built.rejected.iter().filter(|(_, code, _)| code.starts_with("record."));
        assert!(unread.eq(normalized.rejected.iter()), "{normalized:?} {built:?}");
    }
    built
}

fn run(data: &[u8]) -> Outcome {
    run_with(true, &json!({}), data)
}

/// The broken row between two good ones: as lines, in an array and in a page.
fn between(row: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (first, last) = (order(11), order(12));
    let join = |before: &str, separator: &[u8], after: &str| {
        [before.as_bytes(), first.as_bytes(), separator, row, separator, last.as_bytes(), after.as_bytes()].concat()
    };
    vec![
        ("lines", join("", b"\n", "\n")),
        ("array", join("[", b",", "]")),
        ("page", join(r#"{"limit":3,"count":3,"results":["#, b",", r#"],"offset":0}"#)),
    ]
}

#[test]
fn the_good_row_of_these_tests_is_good() {
    for (layout, data) in between(ORDER.as_bytes()) {
        let outcome = run(&data);
        assert_eq!((outcome.rows(), outcome.rejected.len()), (3, 0), "{layout}: {outcome:?}");
    }
}

#[test]
fn a_broken_row_is_named_and_its_neighbours_come_out() {
    let invalid = |old: &str, new: &[u8]| {
        let at = ORDER.find(old).unwrap();
        [&ORDER.as_bytes()[..at], new, &ORDER.as_bytes()[at + old.len()..]].concat()
    };
    let text = |row: String| row.into_bytes();
    let cent = "\"centAmount\":1990";
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        // Wrong types.
        (
            "total is text",
            text(with(r#"{"type":"centPrecision","currencyCode":"EUR","centAmount":1990,"fractionDigits":2}"#, "\"19.90\"")),
            "record.malformed",
            "/totalPrice",
        ),
        (
            "lines are an object",
            text(with("\"lineItems\":[{", "\"lineItems\":{\"0\":{").replacen("}}],\"custom\"", "}}},\"custom\"", 1)),
            "record.malformed",
            "/lineItems",
        ),
        ("quantity is text", text(with("\"quantity\":1", "\"quantity\":\"1\"")), "record.malformed", "/lineItems/0/quantity"),
        ("quantity is a fraction", text(with("\"quantity\":1", "\"quantity\":1.5")), "record.malformed", "/lineItems/0/quantity"),
        ("id is a number", text(with("\"o1\"", "1")), "record.malformed", "/id"),
        ("time is no time", text(with("2026-01-02T03:04:05.000Z", "yesterday")), "record.malformed", "/createdAt"),
        // Numbers nobody can mean.
        ("1e400", text(with(cent, "\"centAmount\":1e400")), "record.invalid_json", "/totalPrice/centAmount"),
        ("2^63", text(with(cent, "\"centAmount\":9223372036854775808")), "record.malformed", "/totalPrice/centAmount"),
        ("-2^63-1", text(with(cent, "\"centAmount\":-9223372036854775809")), "record.malformed", "/totalPrice/centAmount"),
        ("99 digits", text(with("\"fractionDigits\":2", "\"fractionDigits\":99")), "record.malformed", "/totalPrice"),
        ("negative digits", text(with("\"fractionDigits\":2", "\"fractionDigits\":-1")), "record.malformed", "/totalPrice/fractionDigits"),
        ("NaN", text(with(cent, "\"centAmount\":NaN")), "record.invalid_json", "/totalPrice/centAmount"),
        ("Infinity", text(with(cent, "\"centAmount\":-Infinity")), "record.invalid_json", "/totalPrice/centAmount"),
        ("NaN where nobody reads", text(with("\"unknownToUs\":1", "\"unknownToUs\":NaN")), "record.invalid_json", "/unknownToUs"),
        // Keys and texts.
        ("a key twice", text(with("\"orderNumber\"", "\"orderNumber\":\"B-2\",\"orderNumber\"")), "record.malformed", ""),
        ("money twice", text(with(cent, "\"centAmount\":1,\"centAmount\":1990")), "record.malformed", "/totalPrice"),
        ("a lone surrogate", text(with("\"A-1\"", r#""A-\ud83d""#)), "record.invalid_json", "/orderNumber"),
        ("a raw NUL", text(with("\"A-1\"", "\"A-\0\"")), "record.invalid_json", "/orderNumber"),
        ("bad UTF-8 where it is read", invalid("\"A-1\"", b"\"A-\xff\""), "record.invalid_utf8", ""),
        ("bad UTF-8 where nobody reads", invalid("\"unknownToUs\":1", b"\"unknownToUs\":\"\xc3\x28\""), "record.invalid_utf8", ""),
        // Nesting.
        (
            "deep where it is read",
            text(with(cent, &format!("\"centAmount\":{}", deep(10_000)))),
            "record.malformed",
            "/totalPrice/centAmount",
        ),
        ("deep as a whole", text(deep(10_000)), "record.unsupported", ""),
        // No records at all.
        ("a number", b"17".to_vec(), "record.unsupported", ""),
        ("a text", b"\"order\"".to_vec(), "record.unsupported", ""),
        ("null", b"null".to_vec(), "record.unsupported", ""),
        ("nothing", b"{}".to_vec(), "record.unsupported", ""),
        ("a word", b"undefined".to_vec(), "record.invalid_json", ""),
        ("a NUL", b"\0".to_vec(), "record.invalid_json", ""),
        ("a page of no list", br#"{"results":{"id":"o1"},"limit":20,"count":1}"#.to_vec(), "record.unsupported", ""),
    ];
    let mut wrong = Vec::new();
    for (name, row, code, pointer) in &cases {
        for (layout, data) in between(row) {
            let outcome = run(&data);
            let (rows, seen) = (outcome.rows(), outcome.rejections());
            // As a line of its own a scalar is no document; as an item of a list it is a row of no known kind.
            let code = if layout == "lines" && !row.starts_with(b"{") && !row.starts_with(b"[") { "record.invalid_json" } else { code };
            if rows != 3 || seen != [(1, code, *pointer)] || outcome.passed != BTreeSet::from([0, 2]) {
                wrong.push(format!("{name} in {layout}: {outcome:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn depth_in_what_nobody_reads_harms_nothing() {
    let deep = format!("{}1{}", "[{\"a\":".repeat(5_000), "}]".repeat(5_000));
    for row in [
        with("\"unknownToUs\":1", &format!("\"unknownToUs\":{deep}")),
        with("\"gift\":\"yes\"", &format!("\"gift\":{deep}")),
        with("\"gift\":\"yes\"", &format!("\"other\":{deep}")),
    ] {
        for (layout, data) in between(row.as_bytes()) {
            let outcome = run(&data);
            assert_eq!((outcome.rows(), outcome.rejected.len()), (3, 0), "{layout}: {outcome:?}");
        }
    }
}

#[test]
fn a_cut_costs_only_the_row_it_went_through() {
    let (first, second) = (order(11), order(12));
    for cut in (1..second.len()).step_by(13) {
        let lines = format!("{first}\n{}", &second[..cut]);
        let outcome = run(lines.as_bytes());
        assert_eq!((outcome.rows(), outcome.rejections()), (2, vec![(1, "record.truncated", "")]), "line cut at {cut}: {outcome:?}");
        let page = format!("{{\"results\":[{first},{}", &second[..cut]);
        let outcome = run(page.as_bytes());
        assert_eq!((outcome.rows(), outcome.rejections()), (2, vec![(1, "record.truncated", "")]), "page cut at {cut}: {outcome:?}");
    }
    for cut in ["{\"results\":[", "[", "{", ""] {
        let outcome = run(cut.as_bytes());
        assert_eq!(outcome.rejections(), [(0, "record.truncated", "")], "{cut:?}");
    }
}

#[test]
fn fifty_megabytes_are_refused_at_once_and_neighbours_come_out() {
    let row = with("\"yes\"", &format!("\"{}\"", "x".repeat(50 << 20)));
    for (layout, data) in between(row.as_bytes()) {
        let pipeline = Pipeline::new(&options(true, &json!({}))).unwrap();
        let began = Instant::now();
        let plan: Value = serde_json::from_slice(&pipeline.build(&data).unwrap()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{layout}: {:?}", began.elapsed());
        assert_eq!(rejected(&plan), [(1, "record.too_large".to_owned(), String::new())], "{layout}");
        // Two purchases, and in front of them the addresses of their customers.
        assert_eq!(plan["requests"].as_array().unwrap().len(), 3, "{layout}");
    }
    let small =
        run_with(true, &json!({"max_record_bytes": 2_000}), format!("[{},{}]", order(1), with("yes", &"x".repeat(2_000))).as_bytes());
    assert_eq!((small.rows(), small.rejections()), (2, vec![(1, "record.too_large", "")]));
}

#[test]
fn garbage_costs_memory_in_proportion() {
    for garbage in ["}", ",", "x ", "\0", "\"", ":"] {
        let outcome = run(garbage.repeat(100_000).as_bytes());
        assert!(outcome.rows() <= 2, "{garbage:?}: {} rows", outcome.rows());
        assert!(outcome.passed.is_empty());
        let between = format!("{}\n{}\n{}\n", order(1), garbage.repeat(1_000), order(2));
        for format in ["auto", "ndjson"] {
            let outcome = run_with(true, &json!({"format": format}), between.as_bytes());
            assert_eq!(outcome.passed.len(), 2, "{garbage:?} as {format}: {outcome:?}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    for (layout, data) in between(ORDER.as_bytes()) {
        let outcome = run(&[b"\xEF\xBB\xBF".as_slice(), &data].concat());
        assert_eq!((outcome.rows(), outcome.passed.len()), (3, 3), "{layout}: {outcome:?}");
    }
    let outcome = run_with(false, &json!({}), &[b"\xEF\xBB\xBF".as_slice(), &canonical(), b"\n", &canonical()].concat());
    assert_eq!((outcome.rows(), outcome.passed.len()), (2, 2), "{outcome:?}");
}

/// The order as a canonical record.
fn canonical() -> Vec<u8> {
    let answer = Pipeline::new(&options(true, &json!({}))).unwrap().normalize(ORDER.as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["records"][0].to_string().into_bytes()
}

#[test]
fn canonical_records_are_read_as_carefully() {
    let good = String::from_utf8(canonical()).unwrap();
    let record: Value = serde_json::from_str(&good).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut record = record.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        record.pointer_mut(parent).unwrap()[name] = value;
        record.to_string().into_bytes()
    };
    let spell = |old: &str, new: &[u8]| {
        let at = good.find(old).unwrap_or_else(|| panic!("{old} in {good}"));
        [&good.as_bytes()[..at], new, &good.as_bytes()[at + old.len()..]].concat()
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("envelope is a list", with("/envelope", json!([])), "record.malformed", "/envelope"),
        ("no body", spell("\"body\":", b"\"bodi\":"), "record.malformed", "/bodi"),
        ("version is text", with("/envelope/version", json!("3")), "record.malformed", "/envelope/version"),
        ("unknown member", with("/what", json!(1)), "record.malformed", "/what"),
        ("a lone surrogate", spell("\"mara@example.com\"", br#""\udc00""#), "record.invalid_json", "/envelope/identity/email"),
        ("NaN", spell("\"mara@example.com\"", b"NaN"), "record.invalid_json", ""),
        ("bad UTF-8", spell("mara@", b"mar\xff@"), "record.invalid_utf8", ""),
        ("a raw NUL", spell("mara@", b"mara\0@"), "record.invalid_json", ""),
        ("deep", spell("\"mara@example.com\"", deep.as_bytes()), "record.malformed", "/envelope/identity/email"),
        ("deep as a whole", spell(&good, format!("{{\"a\":{deep}}}").as_bytes()), "record.malformed", "/a"),
        ("a number", b"17".to_vec(), "record.malformed", ""),
        ("null", b"null".to_vec(), "record.malformed", ""),
        ("nothing", b"{}".to_vec(), "record.malformed", ""),
        ("records is no list", br#"{"records":{}}"#.to_vec(), "record.malformed", "/records"),
    ];
    let mut wrong = Vec::new();
    for (name, row, code, pointer) in &cases {
        let data = [good.as_bytes(), b"\n", row, b"\n", good.as_bytes()].concat();
        let outcome = run_with(false, &json!({}), &data);
        if outcome.rows() != 3 || outcome.rejections() != [(1, *code, *pointer)] || outcome.passed != BTreeSet::from([0, 2]) {
            wrong.push(format!("{name}: {outcome:?}"));
        }
        // In a list, what is not JSON or not UTF-8 breaks the list: it is one value to whoever made it.
        if *code == "record.malformed" {
            let data = [b"[", good.as_bytes(), b",", row, b",", good.as_bytes(), b"]"].concat();
            let outcome = run_with(false, &json!({}), &data);
            if outcome.rows() != 3 || outcome.rejections() != [(1, *code, *pointer)] {
                wrong.push(format!("{name} in a list: {outcome:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let outcome = run_with(
        false,
        &json!({"max_record_bytes": good.len()}),
        format!("[{good},{good} ,{}]", good.replace("mara", "mara.mara")).as_bytes(),
    );
    assert_eq!((outcome.rows(), outcome.rejections()), (3, vec![(2, "record.too_large", "")]));
    let outcome = run_with(false, &json!({}), b"");
    assert_eq!(outcome.rejections(), [(0, "record.truncated", "")]);
}

#[test]
fn pages_in_lines_keep_their_rows_apart_however_many_threads_read() {
    let bad = with("\"quantity\":1", "\"quantity\":\"1\"");
    let page = |first: usize| format!("{{\"results\":[{},{bad},{}]}}", order(first), order(first + 1));
    let lines = format!("{}\n\n{bad}\n{}\n[{}]\n{}\n", page(1), page(3), order(5), page(6));
    let mut answers = BTreeSet::new();
    for threads in [1, 2, 3, 8] {
        let outcome = run_with(true, &json!({"threads": threads, "format": "ndjson"}), lines.as_bytes());
        assert_eq!((outcome.rows(), outcome.passed.len()), (11, 7), "{outcome:?}");
        let places: Vec<u64> = outcome.rejected.iter().map(|(position, ..)| *position).collect();
        // 0 to 2 the first page, 3 the blank line, 4 the broken line, 5 to 7 the second page, 8 the list, 9 to 11 the last.
        assert_eq!(places, [1, 4, 6, 10]);
        answers.insert(Pipeline::new(&options(true, &json!({"threads": threads}))).unwrap().build(lines.as_bytes()).unwrap());
    }
    assert_eq!(answers.len(), 1);
}

#[test]
fn options_that_are_not_options_are_refused_with_their_place() {
    for (options, path) in [
        (&b"["[..], ""),
        (b"17", ""),
        (b"\xff\xfe", ""),
        (br#"{"sourc":"commercetools"}"#, "/sourc"),
        (br#"{"threads":-1}"#, "/threads"),
        (br#"{"now":"soon"}"#, "/now"),
        (br#"{"max_record_bytes":1e400}"#, "/max_record_bytes"),
    ] {
        let error = Pipeline::new(options).unwrap_err();
        assert_eq!((error.code().name(), error.path().unwrap_or_default()), ("invalid_config", path), "{error}");
    }
    let deep = format!("{{\"source\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(Pipeline::new(deep.as_bytes()).unwrap_err().code().name(), "invalid_config");
}
