//! What makes a folder an integration: registered, documented, switched by a feature, with a sane capability table and a
//! configuration that refuses what it does not know. The same for every source and destination, without naming one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cartwire::destinations::{self, Backfill, DestinationConfig, Endpoint, Method, PartialFailure, Promise, RetrySafety};
use cartwire::sources::{self, SourceConfig};
use serde_json::{Map, Value};

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folders(kind: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(core().join("src").join(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Kind, what its feature begins with, and the names registered in this build.
fn registries() -> [(&'static str, &'static str, BTreeSet<String>); 2] {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [("sources", "source-", names(sources::NAMES)), ("destinations", "destination-", names(destinations::NAMES))]
}

#[test]
#[cfg_attr(not(all(feature = "source-commercetools", feature = "destination-iterable")), ignore = "not every integration is in this build")]
fn every_folder_is_registered_and_every_name_has_a_folder() {
    for (kind, _, names) in registries() {
        assert_eq!(names, folders(kind), "{kind}: what is registered, and the folders");
        assert!(!names.is_empty(), "{kind}");
    }
}

#[test]
fn names_are_single_lower_case_words() {
    for (kind, _, names) in registries() {
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{kind}/{name}");
        }
    }
}

#[test]
fn every_folder_has_its_module_and_its_page() {
    for (kind, _, _) in registries() {
        for name in folders(kind) {
            for file in ["mod.rs", "README.md"] {
                assert!(core().join("src").join(kind).join(&name).join(file).is_file(), "{kind}/{name}/{file} is missing");
            }
        }
    }
}

#[test]
fn every_folder_has_a_feature() {
    let manifest = text(&core().join("Cargo.toml"));
    for (kind, prefix, _) in registries() {
        for name in folders(kind) {
            let feature = format!("{prefix}{name} =");
            assert!(manifest.lines().any(|line| line.starts_with(&feature)), "no feature `{prefix}{name}` in core/Cargo.toml");
        }
    }
}

/// The settings shown on an integration's page: every `json` block whose `type` is its name.
fn examples(kind: &str, name: &str) -> Vec<Map<String, Value>> {
    let page = text(&core().join("src").join(kind).join(name).join("README.md"));
    let mut found = Vec::new();
    for block in page.split("```json\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        if let Ok(Value::Object(object)) = serde_json::from_str(block)
            && object.get("type").is_some_and(|shown| shown == name)
        {
            found.push(object);
        }
    }
    assert!(!found.is_empty(), "{kind}/{name}/README.md shows no settings: a `json` block with `\"type\": \"{name}\"`");
    found
}

/// Opens the settings; the error's text where they are refused.
fn open(kind: &str, settings: Map<String, Value>) -> Result<String, String> {
    let settings = Value::Object(settings);
    if kind == "sources" {
        let config: SourceConfig = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap_or_default());
        config.open().map(|source| format!("{} {shown}", source.name())).map_err(|error| error.to_string())
    } else {
        let config: DestinationConfig = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap_or_default());
        config.open().map(|destination| format!("{} {shown}", destination.name())).map_err(|error| error.to_string())
    }
}

#[test]
fn the_settings_on_every_page_open_and_show_no_secret() {
    for (kind, _, names) in registries() {
        for name in names {
            for example in examples(kind, &name) {
                let secrets: Vec<String> = example
                    .iter()
                    .filter(|(key, _)| ["key", "secret", "token", "password"].iter().any(|word| key.ends_with(word)))
                    .filter_map(|(_, value)| value.as_str().filter(|text| text.len() > 3).map(str::to_owned))
                    .collect();
                let opened = open(kind, example).unwrap_or_else(|error| panic!("{kind}/{name}: {error}"));
                assert!(opened.starts_with(&name), "{kind}/{name} opens something else");
                assert!(secrets.iter().all(|secret| !opened.contains(secret)), "{kind}/{name} shows a secret");
            }
        }
    }
}

#[test]
fn settings_with_a_wrong_name_or_type_are_refused() {
    for (kind, _, names) in registries() {
        for name in names {
            for example in examples(kind, &name) {
                let mut wrong = example.clone();
                wrong.insert("no_such_setting".into(), Value::Bool(true));
                let error = open(kind, wrong).err().unwrap_or_default();
                assert!(error.contains("no_such_setting"), "{kind}/{name}: {error}");
                let mut wrong = example;
                wrong.insert("type".into(), "nonesuch".into());
                assert!(open(kind, wrong).is_err(), "{kind}: an unknown type");
            }
        }
    }
}

#[test]
fn an_opened_destination_agrees_with_its_table() {
    for name in destinations::NAMES {
        for example in examples("destinations", name) {
            let config: DestinationConfig =
                serde_json::from_value(Value::Object(example)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let destination = config.open().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(destination.capabilities().destination, *name);
            assert!(destinations::tables().iter().any(|table| table.destination == *name), "{name} has no table in the registry");
            assert!(!destination.backfill_notice().is_empty(), "{name} does not say how it keeps quiet in a backfill");
            let base = destination.base_url();
            assert!(base.starts_with("https://") && !base.ends_with('/'), "{name}: {base}");
            let check = destination.check();
            assert!(destination.capabilities().endpoint(&check.endpoint).is_some(), "{name}: the check's endpoint is not in the table");
            assert!(check.path.starts_with('/'), "{name}: {}", check.path);
            assert!(!check.secret_headers.is_empty(), "{name}: the check sends no credentials");
        }
    }
}

#[test]
fn every_destination_has_one_table_that_is_not_empty() {
    let named: Vec<&str> = destinations::tables().iter().map(|table| table.destination).collect();
    assert_eq!(named, destinations::NAMES);
    for table in destinations::tables() {
        assert!(!table.endpoints.is_empty(), "the table of {} is empty", table.destination);
    }
}

#[test]
fn every_row_of_every_table_is_sane() {
    for table in destinations::tables() {
        let ids: BTreeSet<&str> = table.endpoints.iter().map(|endpoint| endpoint.id).collect();
        assert_eq!(ids.len(), table.endpoints.len(), "{}: two rows share an id", table.destination);
        for endpoint in table.endpoints {
            let wrong = wrong_with(endpoint);
            assert!(wrong.is_empty(), "{}, {}: {}", table.destination, endpoint.id, wrong.join("; "));
        }
    }
}

/// What is wrong with a row.
fn wrong_with(endpoint: &Endpoint) -> Vec<&'static str> {
    let rules: &[(&'static str, bool)] = &[
        ("the id is empty or holds spaces", endpoint.id.is_empty() || endpoint.id.contains(char::is_whitespace)),
        ("the path does not start with `/` or is no path template", !is_path_template(endpoint.path)),
        ("no record fits", endpoint.max_records == 0),
        ("no byte fits", endpoint.max_bytes == 0),
        ("a row may be larger than a request", endpoint.max_record_bytes > endpoint.max_bytes),
        ("no request may be under way", endpoint.concurrency == 0),
        ("the rate allows nothing", endpoint.rate.is_some_and(|rate| rate.count == 0 || rate.per_s == 0 || rate.scope.is_empty())),
        (
            "partial failure is `single` though a request holds several rows, or is not though it holds one",
            (endpoint.partial_failure == PartialFailure::Single) != (endpoint.max_records == 1),
        ),
        ("one row per request, yet many per lane", endpoint.many_per_lane && endpoint.max_records == 1),
        (
            "a second sending is not harmless, yet the promise is effectively once",
            endpoint.retry_safe_by == RetrySafety::None && endpoint.promise == Promise::EffectivelyOnce,
        ),
        ("the window of a duplicate is not said", matches!(endpoint.promise, Promise::AtLeastOnce(window) if window.trim().is_empty())),
        (
            "the reason for the backfill rule is not said",
            matches!(endpoint.backfill, Backfill::Withheld(why) | Backfill::MayStartJourneys(why) if why.trim().is_empty()),
        ),
        ("a GET changes something", endpoint.method == Method::Get && endpoint.retry_safe_by != RetrySafety::ReadOnly),
        (
            "`null` clears members of something that is not written under an id",
            endpoint.null_clears && endpoint.retry_safe_by != RetrySafety::UpsertById,
        ),
    ];
    rules.iter().filter(|(_, broken)| *broken).map(|(what, _)| *what).collect()
}

/// `/catalogs/{catalog}/items`: absolute, no query, every placeholder a whole segment, named, and named once.
fn is_path_template(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut names = BTreeSet::new();
    rest.split('/').all(|segment| match segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && names.insert(name),
        None => !segment.is_empty() && !segment.contains(['{', '}', '?', '#', ' ']),
    })
}

#[test]
fn a_bad_row_is_noticed() {
    let good = Endpoint {
        id: "users.update",
        method: Method::Post,
        path: "/api/users/{user_id}",
        max_records: 1,
        max_bytes: 1_000,
        max_record_bytes: 0,
        rate: None,
        concurrency: 1,
        many_per_lane: false,
        retry_safe_by: RetrySafety::UpsertById,
        partial_failure: PartialFailure::Single,
        null_clears: false,
        backfill: Backfill::Quiet,
        promise: Promise::EffectivelyOnce,
        note: "",
        ..Endpoint::SINGLE
    };
    assert_eq!(wrong_with(&good), Vec::<&str>::new());
    for bad in [
        Endpoint { id: "", ..good },
        Endpoint { path: "api/users", ..good },
        Endpoint { path: "/api/{user", ..good },
        Endpoint { path: "/api/{}", ..good },
        Endpoint { path: "/api/{a}/{a}", ..good },
        Endpoint { path: "/api//users", ..good },
        Endpoint { path: "/api/users?x=1", ..good },
        Endpoint { max_records: 0, ..good },
        Endpoint { max_records: 2, ..good },
        Endpoint { max_bytes: 0, ..good },
        Endpoint { max_record_bytes: 1_001, ..good },
        Endpoint { concurrency: 0, ..good },
        Endpoint { rate: Some(destinations::Rate { count: 0, per_s: 1, scope: "project", budget: "" }), ..good },
        Endpoint { many_per_lane: true, ..good },
        Endpoint { retry_safe_by: RetrySafety::None, ..good },
        Endpoint { promise: Promise::AtLeastOnce(" "), ..good },
        Endpoint { backfill: Backfill::Withheld(""), ..good },
        Endpoint { method: Method::Get, ..good },
        Endpoint { null_clears: true, retry_safe_by: RetrySafety::EventId, ..good },
    ] {
        assert!(!wrong_with(&bad).is_empty(), "{bad:?}");
    }
}
