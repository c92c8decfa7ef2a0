//! Tables in the documentation are written by the code they describe. A block between `<!-- name:begin -->` and
//! `<!-- name:end -->` must be what the code says now; `UPDATE_DOCS=1 cargo test -p cartwire --test docs` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cartwire::ErrorCode;
use cartwire::destinations::{self, Backfill, Capabilities, PartialFailure, Promise, RetrySafety};
use cartwire::error::Error;
use cartwire::model::{FindingCode, Severity, SkipReason};
use cartwire::validate::{Policy, RULES};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The page with its block replaced; `None` when it has no such markers.
fn with_block(page: &str, name: &str, block: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let from = page.find(&begin)? + begin.len();
    let to = from + page[from..].find(&end)?;
    Some(format!("{}\n\n{}\n\n{}", &page[..from], block.trim(), &page[to..]))
}

/// Compares a page's block with what the code says, or writes it.
fn keep(file: &str, name: &str, block: &str) {
    let page = read(file);
    let wanted = with_block(&page, name, block).unwrap_or_else(|| panic!("{file} has no `<!-- {name}:begin -->` … `<!-- {name}:end -->`"));
    if page == wanted {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(file), wanted).unwrap_or_else(|error| panic!("{file}: {error}"));
        return;
    }
    let line = wanted.lines().zip(page.lines()).find(|(wanted, page)| wanted != page).map_or("", |(wanted, _)| wanted);
    panic!("{file}: the block `{name}` is not what the code says; run with UPDATE_DOCS=1. First difference:\n{line}");
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn error_codes() -> String {
    let mut out = String::from("| code | class | retryable | meaning |\n|---|---|---|---|\n");
    for code in ErrorCode::ALL {
        let retryable = if Error::new(*code, "").is_retryable() { "yes" } else { "no" };
        let _ = writeln!(out, "| `{}` | `{}` | {retryable} | {} |", code.name(), code.group().class(), cell(code.description().trim()));
    }
    out
}

fn finding_codes() -> String {
    let mut out = String::from("| code | severity | at least | looked for in | meaning |\n|---|---|---|---|---|\n");
    for code in FindingCode::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let looked_for = match RULES.iter().find(|rule| rule.code == *code) {
            Some(rule) if rule.kinds == cartwire::validate::Kinds::ALL => "every record".to_owned(),
            Some(rule) => rule.kinds.names().collect::<Vec<_>>().join(", "),
            None if code.name().starts_with("record.") => "the source's row".to_owned(),
            None => "the destination's build".to_owned(),
        };
        let (least, meaning) = (Policy::least(*code).name(), cell(code.description()));
        let _ = writeln!(out, "| `{}` | {severity} | {least} | {looked_for} | {meaning} |", code.name());
    }
    out
}

fn rules() -> String {
    let mut out = String::from("| code | what must hold |\n|---|---|\n");
    for rule in RULES {
        let _ = writeln!(out, "| `{}` | {} |", rule.code.name(), cell(rule.doc));
    }
    out
}

fn skip_reasons() -> String {
    let mut out = String::from("| reason | meaning |\n|---|---|\n");
    for reason in SkipReason::ALL {
        let _ = writeln!(out, "| `{}` | {} |", reason.name(), cell(reason.description()));
    }
    out
}

/// 1234567 as `1,234,567`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn capabilities(table: &Capabilities) -> String {
    let mut out = String::from(
        "| endpoint | call | records | bytes | rate | second sending harmless by | failed rows named by | backfill | promise |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for endpoint in table.endpoints {
        let bytes = match endpoint.max_record_bytes {
            0 => grouped(endpoint.max_bytes),
            row => format!("{}, a row {}", grouped(endpoint.max_bytes), grouped(row)),
        };
        let rate = endpoint.rate.map_or_else(
            || "not published".to_owned(),
            |rate| {
                let window = match rate.per_s {
                    1 => "second".to_owned(),
                    60 => "minute".to_owned(),
                    3_600 => "hour".to_owned(),
                    86_400 => "day".to_owned(),
                    seconds => format!("{} s", grouped(seconds)),
                };
                format!("{} per {window} and {}", grouped(rate.count), rate.scope)
            },
        );
        let safety = match endpoint.retry_safe_by {
            RetrySafety::UpsertById => "upsert by id",
            RetrySafety::EventId => "event id",
            RetrySafety::None => "nothing",
            RetrySafety::ReadOnly => "it only reads",
        };
        let failure = match endpoint.partial_failure {
            PartialFailure::Single => "one row per request",
            PartialFailure::ByValue => "identity",
            PartialFailure::ByIndex => "position",
            PartialFailure::Whole => "not at all",
        };
        let backfill = match endpoint.backfill {
            Backfill::Quiet => "quiet".to_owned(),
            Backfill::Withheld(why) => format!("not called: {why}"),
            Backfill::MayStartJourneys(why) => format!("may start journeys: {why}"),
        };
        let promise = match endpoint.promise {
            Promise::EffectivelyOnce => "effectively once".to_owned(),
            Promise::AtLeastOnce(window) => format!("at least once: {window}"),
        };
        let _ = writeln!(
            out,
            "| `{}` | `{} {}` | {} | {bytes} | {} | {safety} | {failure} | {} | {} |",
            endpoint.id,
            endpoint.method.as_str(),
            endpoint.path,
            grouped(endpoint.max_records),
            cell(&rate),
            cell(&backfill),
            cell(&promise),
        );
    }
    // Endpoints that share a note share its line.
    let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
    for endpoint in table.endpoints.iter().filter(|endpoint| !endpoint.note.is_empty()) {
        let id = format!("`{}`", endpoint.id);
        match notes.iter_mut().find(|(note, _)| *note == endpoint.note) {
            Some((_, ids)) => ids.push(id),
            None => notes.push((endpoint.note, vec![id])),
        }
    }
    if !notes.is_empty() {
        out.push('\n');
        for (note, ids) in notes {
            let _ = writeln!(out, "- {}: {}", ids.join(", "), note.replace('\n', " "));
        }
    }
    out
}

#[test]
fn the_error_page_lists_the_catalogue() {
    keep("docs/errors.md", "error-codes", &error_codes());
}

#[test]
fn the_findings_page_lists_codes_rules_and_skip_reasons() {
    keep("docs/findings.md", "finding-codes", &finding_codes());
    keep("docs/findings.md", "rules", &rules());
    keep("docs/findings.md", "skip-reasons", &skip_reasons());
}

#[test]
fn every_destinations_page_shows_its_capability_table() {
    for table in destinations::tables() {
        if !table.endpoints.is_empty() {
            keep(&format!("core/src/destinations/{}/README.md", table.destination), "capabilities", &capabilities(table));
        }
    }
}

#[test]
fn no_page_has_markers_that_nothing_writes() {
    let known: BTreeSet<&str> = ["error-codes", "finding-codes", "rules", "skip-reasons", "capabilities"].into();
    for file in ["docs/errors.md", "docs/findings.md"] {
        for line in read(file).lines() {
            if let Some(name) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(":begin -->")) {
                assert!(known.contains(name), "{file}: nothing writes the block `{name}`");
            }
        }
    }
}

#[test]
fn a_block_is_replaced_and_what_stands_around_it_is_kept() {
    let page = "# A\n\n<!-- x:begin -->\nold\n<!-- x:end -->\n\ntail\n";
    let new = with_block(page, "x", "| new |\n");
    assert_eq!(new.as_deref(), Some("# A\n\n<!-- x:begin -->\n\n| new |\n\n<!-- x:end -->\n\ntail\n"));
    assert_eq!(
        with_block(&new.unwrap_or_default(), "x", "| new |\n").as_deref(),
        Some("# A\n\n<!-- x:begin -->\n\n| new |\n\n<!-- x:end -->\n\ntail\n")
    );
    assert_eq!(with_block(page, "y", ""), None);
    assert_eq!(grouped(4_194_304), "4,194,304");
}
