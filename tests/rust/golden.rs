//! Runs every golden case through the façade; writes them with `UPDATE_GOLDEN=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cartwire::facade::Pipeline;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for source in fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for case in fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()) {
            if case.join("case.json").exists() {
                cases.push(case);
            }
        }
    }
    cases.sort();
    cases
}

/// Re-indents JSON text without reading its values: numbers keep every digit they were written with.
fn indent(json: &[u8]) -> String {
    let (mut out, mut depth, mut text, mut escaped) = (Vec::with_capacity(json.len() * 2), 0usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 2));
    };
    for (index, byte) in json.iter().enumerate() {
        if text {
            out.push(*byte);
            (text, escaped) = match byte {
                _ if escaped => (true, false),
                b'\\' => (true, true),
                b'"' => (false, false),
                _ => (true, false),
            };
            continue;
        }
        match byte {
            b'"' => {
                text = true;
                out.push(*byte);
            }
            b'{' | b'[' => {
                out.push(*byte);
                if !matches!(json.get(index + 1), Some(b'}' | b']')) {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                if !matches!(json[index - 1], b'{' | b'[') {
                    depth -= 1;
                    line(&mut out, depth);
                }
                out.push(*byte);
            }
            b',' => {
                out.push(*byte);
                line(&mut out, depth);
            }
            b':' => out.extend(b": "),
            _ => out.push(*byte),
        }
    }
    out.push(b'\n');
    String::from_utf8(out).unwrap()
}

fn source(case: &Path) -> Vec<u8> {
    ["source.json", "source.ndjson", "source.bin"].iter().find_map(|name| fs::read(case.join(name)).ok()).expect("a source file")
}

/// The options of one call: what `case.json` says, with that destination.
fn options(case: &Value, destination: Option<&Value>) -> Vec<u8> {
    let mut options = Map::new();
    for key in ["now", "source", "mode", "resource", "format", "validate", "max_record_bytes"] {
        if let Some(value) = case.get(key) {
            options.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(destination) = destination {
        options.insert("destination".to_owned(), destination.clone());
    }
    serde_json::to_vec(&options).unwrap()
}

/// Every destination, as set up for all cases together unless the case says otherwise.
fn destinations(case: &Value) -> Map<String, Value> {
    let mut all: Map<String, Value> = serde_json::from_slice(&fs::read(golden().join("destinations.json")).unwrap()).unwrap();
    all.extend(case.get("destinations").and_then(Value::as_object).cloned().unwrap_or_default());
    all
}

#[test]
fn every_golden_case_gives_the_bytes_on_file() {
    let update = updating();
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut exchanges = String::new();
    let cases = cases();
    for case in &cases {
        let name = case.strip_prefix(golden()).unwrap().display().to_string().replace('\\', "/");
        let spec: Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).expect(&name);
        assert!(spec["title"].as_str().is_some_and(|title| title.len() > 10), "{name} says what it shows");
        let data = source(case);
        let mut check = |file: &str, bytes: &[u8]| {
            digests.insert(format!("{name}/{file}"), cartwire::fingerprint::hex(&Sha256::digest(bytes)));
            let text = indent(bytes);
            serde_json::from_slice::<Value>(bytes).unwrap_or_else(|error| panic!("{name}/{file} is no JSON: {error}"));
            let path = case.join(file);
            if update {
                fs::write(path, text).unwrap();
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                wrong.push(format!("{name}/{file}"));
            }
        };
        let plain = Pipeline::new(&options(&spec, None)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let normalized = plain.normalize(&data).unwrap();
        check("canonical.json", &normalized);
        assert_eq!(normalized, plain.normalize(&data).unwrap(), "{name}: same input, same bytes");
        for (destination, config) in &destinations(&spec) {
            let with = Pipeline::new(&options(&spec, Some(config))).unwrap_or_else(|error| panic!("{name}: {error}"));
            let plan = with.build(&data).unwrap();
            check(&format!("{destination}.json"), &plan);
            assert_eq!(plan, with.build(&data).unwrap(), "{name}: same input, same bytes");
            let read: Value = serde_json::from_slice(&plan).unwrap();
            for request in read["requests"].as_array().unwrap() {
                let mut exchange = json!({
                    "vendor": request["destination"], "method": request["method"], "ref": format!("golden/{name}"),
                    "url": format!("https://golden.invalid{}", request["path"].as_str().unwrap()),
                });
                if !request["body"].is_null() {
                    exchange["body"] = request["body"].clone();
                }
                exchanges.push_str(&exchange.to_string());
                exchanges.push('\n');
            }
        }
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&digests).unwrap());
    let path = golden().join("digests.json");
    if update {
        fs::write(&path, &text).unwrap();
    } else {
        assert_eq!(wrong, Vec::<String>::new(), "differ from the file; read the diff after UPDATE_GOLDEN=1");
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "digests.json is not of these cases");
    }
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        fs::write(Path::new(&folder).join("golden.ndjson"), exchanges).unwrap();
    }
    println!("{} golden cases", cases.len());
    assert!(cases.len() >= 30, "the issue of a golden case is to show something: there are only {}", cases.len());
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn answer(case: &str, file: &str) -> String {
    fs::read_to_string(golden().join("commercetools").join(case).join(file)).unwrap()
}

#[test]
fn one_order_has_one_key_and_one_payload_however_it_is_heard() {
    if updating() {
        return;
    }
    let polled = answer("heard_by_poll", "iterable.json");
    let key = |case: &str| {
        let canonical: Value = serde_json::from_str(&answer(case, "canonical.json")).unwrap();
        canonical["records"][0]["envelope"]["idempotency_key"].as_str().unwrap().to_owned()
    };
    for transport in ["message", "cloudevents", "sns", "eventbridge", "pubsub"] {
        let case = format!("heard_by_{transport}");
        assert_eq!(answer(&case, "iterable.json"), polled, "{case}");
        assert_eq!(key(&case), key("heard_by_poll"), "{case}");
    }
}

#[test]
fn every_finding_code_is_shown_by_a_case() {
    if updating() {
        return;
    }
    let answers: String = cases()
        .iter()
        .flat_map(|case| fs::read_dir(case).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("source.")))
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    let missing: Vec<&str> = cartwire::model::FindingCode::ALL
        .iter()
        .map(|code| code.name())
        .filter(|name| !answers.contains(&format!("\"code\": \"{name}\"")))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn indenting_keeps_every_byte_that_counts() {
    assert_eq!(
        indent(br#"{"a":[],"b":{"c":"x\",{"},"d":[1.10,2]}"#),
        "{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"x\\\",{\"\n  },\n  \"d\": [\n    1.10,\n    2\n  ]\n}\n"
    );
}
