//! The dependency rule of the core, kept by reading its sources. Every path (`crate::…`, `super::…`) is resolved to the
//! module it names and compared with [`EDGES`]; words and calls are compared with the other laws below. Code under
//! `#[cfg(test)]`, files named `tests.rs` and comments may do as they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Which module may name which. A module of the core that is not listed here fails the test.
const EDGES: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("http", &[]),
    ("json", &[]),
    ("model", &["error"]),
    ("fingerprint", &["model", "error"]),
    ("normalize", &["model", "error", "fingerprint"]),
    ("validate", &["model", "error"]),
    ("sources", &["model", "normalize", "fingerprint", "http", "json", "error"]),
    ("destinations", &["model", "fingerprint", "http", "json", "error"]),
    ("state", &["model", "destinations", "error"]),
    ("decide", &["model", "fingerprint", "state", "destinations", "error"]),
    ("pipeline", &["sources", "destinations", "validate", "decide", "normalize", "fingerprint", "model", "error", "state"]),
    ("delivery", &["pipeline", "destinations", "sources", "state", "model", "http", "error"]),
    ("pull", &["delivery", "sources", "state", "model", "http", "error"]),
    (
        "facade",
        &[
            "pull",
            "delivery",
            "pipeline",
            "decide",
            "state",
            "destinations",
            "sources",
            "validate",
            "normalize",
            "fingerprint",
            "model",
            "http",
            "json",
            "error",
        ],
    ),
];

/// What `lib.rs` re-exports, and where it really lives.
const REEXPORTS: &[(&str, &str)] = &[("Error", "error"), ("ErrorCode", "error"), ("Result", "error")];

/// Items of `destinations` that are behaviour, not values: `state` and `decide` must not know them.
const BEHAVIOUR: &[&str] = &["Destination", "DestinationConfig", "tables"];

/// Where the clock, the network and the runtime are at home.
const OUTERMOST: &[&str] = &["delivery", "pull", "facade"];

/// Calls that ask for the time.
const CLOCKS: &[[&str; 2]] = &[["Utc", "now"], ["Local", "now"], ["SystemTime", "now"], ["Instant", "now"], ["Uuid", "now_v7"]];

/// Parts of `std` that reach outside the process; `state` may too, because it opens files.
const OUTSIDE: &[&str] = &["env", "fs", "net", "process", "thread"];

/// Vendors that have, or will have, a folder. A vendor's name is at home in its own folder and in the registries only.
const VENDORS: &[&str] = &["bigcommerce", "commercetools", "cordial", "dotdigital", "insider", "iterable"];

/// Files that list vendors because that is what they are for.
const REGISTRIES: &[&str] = &["sources/mod.rs", "destinations/mod.rs"];

/// Other files that may name a vendor: file, vendor, why. An entry that is not needed any more fails the test.
const NAMED_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("destinations/iterable/ids.rs", "commercetools", "short prefix of event ids that destinations store; it can never change"),
    ("destinations/iterable/ids.rs", "bigcommerce", "short prefix of event ids that destinations store; it can never change"),
];

/// Everything a file says that the laws are about.
#[derive(Default)]
struct Said {
    /// Paths in full, `use` groups spelled out, with their lines and the module they stand in.
    paths: Vec<(Vec<String>, usize, Vec<String>)>,
    /// Identifiers and literals, lower-cased.
    words: Vec<(String, usize)>,
}

/// Reads a file's tokens: comments are gone, documentation and test code are left out.
fn read(source: &str, module: &[String]) -> Said {
    let stream: TokenStream = source.parse().unwrap_or_else(|error| panic!("{module:?} does not lex: {error}"));
    let mut said = Said::default();
    walk(&stream.into_iter().collect::<Vec<_>>(), module, &[], &mut said);
    said
}

fn walk(tokens: &[TokenTree], module: &[String], prefix: &[String], said: &mut Said) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let inner = usize::from(is_punct(tokens.get(at + 1), '!'));
                match tokens.get(at + 1 + inner) {
                    Some(TokenTree::Group(attribute)) if attribute.delimiter() == Delimiter::Bracket => {
                        at += 2 + inner;
                        let text = attribute.stream().to_string().replace(' ', "");
                        if is_test_only(&text) {
                            at = after_item(tokens, at);
                        } else if !text.starts_with("doc=") {
                            walk(&attribute.stream().into_iter().collect::<Vec<_>>(), module, &[], said);
                        }
                    }
                    _ => at += 1,
                }
            }
            TokenTree::Ident(word) if *word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) = (tokens.get(at + 1), tokens.get(at + 2)) {
                    let inside: Vec<String> = module.iter().cloned().chain([name.to_string()]).collect();
                    walk(&body.stream().into_iter().collect::<Vec<_>>(), &inside, &[], said);
                    at += 3;
                } else {
                    at += 1;
                }
            }
            TokenTree::Ident(word) => {
                let line = word.span().start().line;
                let mut path: Vec<String> = prefix.to_vec();
                path.push(word.to_string());
                said.words.push((word.to_string().to_lowercase(), line));
                at += 1;
                let mut spelled_out = false;
                while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => {
                            said.words.push((next.to_string().to_lowercase(), next.span().start().line));
                            path.push(next.to_string());
                        }
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            walk(&group.stream().into_iter().collect::<Vec<_>>(), module, &path, said);
                            spelled_out = true;
                        }
                        _ => break,
                    }
                    at += 3;
                }
                if !spelled_out {
                    said.paths.push((path, line, module.to_vec()));
                }
            }
            TokenTree::Group(group) => {
                walk(&group.stream().into_iter().collect::<Vec<_>>(), module, &[], said);
                at += 1;
            }
            TokenTree::Literal(literal) => {
                said.words.push((literal.to_string().to_lowercase(), literal.span().start().line));
                at += 1;
            }
            TokenTree::Punct(_) => at += 1,
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_test_only(attribute: &str) -> bool {
    attribute == "test"
        || (attribute.starts_with("cfg(") && attribute.contains("test") && !attribute.contains("not(") && {
            let mut words = attribute.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '"');
            words.any(|word| word == "test") && !attribute.contains("any(")
        })
}

/// The position after the item that starts here: its body in braces or its semicolon.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            _ => {}
        }
    }
    at
}

/// The path from the crate's root; `None` for paths into other crates and for names without a path.
fn resolve(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" if !rest.is_empty() => Some(rest.to_vec()),
        "self" if !rest.is_empty() => Some(module.iter().chain(rest).cloned().collect()),
        "super" => {
            let ups = path.iter().take_while(|segment| *segment == "super").count();
            let base = module.get(..module.len().checked_sub(ups)?)?;
            let full: Vec<String> = base.iter().chain(&path[ups..]).cloned().collect();
            (ups < path.len()).then_some(full)
        }
        _ => None,
    }
}

/// The module a file is: `sources/mod.rs` is `sources`, `sources/split.rs` is `sources::split`.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// What is wrong with one file, and which exceptions it needed.
fn judge(file: &str, source: &str, folders: &[&str], exceptions: &mut BTreeSet<usize>) -> Vec<String> {
    let module = module_of(file);
    let Some(top) = module.first().map(String::as_str) else { return Vec::new() };
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == top) else {
        return vec![format!("{file}: the module `{top}` has no row in the table of allowed edges")];
    };
    let mut wrong = Vec::new();
    let said = read(source, &module);
    for (path, line, inside) in &said.paths {
        let place = format!("{file}:{line}: `{}`", path.join("::"));
        if let Some(full) = resolve(path, inside) {
            let named = full.first().map_or("", String::as_str);
            let target = REEXPORTS.iter().find(|(name, _)| *name == named).map_or(named, |(_, module)| module);
            if !EDGES.iter().any(|(name, _)| *name == target) {
                wrong.push(format!("{place}: `{target}` is no module in the table of allowed edges"));
            } else if target != top && !allowed.contains(&target) {
                wrong.push(format!("{place}: `{top}` must not import `{target}`"));
            }
            if target == "destinations"
                && ["state", "decide"].contains(&top)
                && let Some(item) = full.get(1).filter(|item| BEHAVIOUR.contains(&item.as_str()))
            {
                wrong.push(format!("{place}: `{top}` may know the values of destinations, not `{item}`"));
            }
            let sibling = full.get(1).filter(|name| target == top && folders.contains(&name.as_str()));
            if let (Some(own), Some(other)) = (module.get(1).filter(|own| folders.contains(&own.as_str())), sibling)
                && own != other
            {
                wrong.push(format!("{place}: `{top}/{own}` must not import `{top}/{other}`"));
            }
        }
        if OUTERMOST.contains(&top) {
            continue;
        }
        if CLOCKS.iter().any(|clock| path.windows(2).any(|pair| pair == clock)) {
            wrong.push(format!("{place}: only delivery and facade ask for the time; take it as an argument"));
        }
        let first = path.first().map_or("", String::as_str);
        if ["tokio", "reqwest"].contains(&first) {
            wrong.push(format!("{place}: only delivery and facade know `{first}`"));
        }
        if top != "state" && first == "std" && path.get(1).is_some_and(|part| OUTSIDE.contains(&part.as_str())) {
            wrong.push(format!("{place}: `{top}` is pure"));
        }
    }
    if !REGISTRIES.contains(&file) {
        for (word, line) in &said.words {
            for vendor in VENDORS.iter().filter(|vendor| word.contains(**vendor)) {
                let at_home = ["sources", "destinations"].contains(&top) && module.get(1).is_some_and(|own| own == vendor);
                match NAMED_ELSEWHERE.iter().position(|(where_, who, _)| *where_ == file && who == vendor) {
                    _ if at_home => {}
                    Some(exception) => drop(exceptions.insert(exception)),
                    None => wrong.push(format!("{file}:{line}: names the vendor `{vendor}` outside its folder")),
                }
            }
        }
    }
    wrong
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn vendor_folders() -> Vec<String> {
    let inside = |top: &str| fs::read_dir(sources().join(top)).into_iter().flatten().flatten();
    let folders = inside("sources").chain(inside("destinations")).filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_core_keeps_its_layers() {
    let mut found = Vec::new();
    files(&sources(), &mut found);
    found.sort();
    assert!(found.len() > 15, "only {} files were found", found.len());
    let folders = vendor_folders();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let mut exceptions = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in found {
        let file = path.strip_prefix(sources()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if file.ends_with("/tests.rs") || file.contains("/tests/") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        wrong.extend(judge(&file, &source, &folders, &mut exceptions));
    }
    assert!(wrong.is_empty(), "{} breaches of the layering:\n{}", wrong.len(), wrong.join("\n"));
    for (index, (file, vendor, _)) in NAMED_ELSEWHERE.iter().enumerate() {
        assert!(exceptions.contains(&index), "the exception for `{vendor}` in {file} is not needed any more");
    }
}

#[test]
fn every_vendor_folder_is_a_known_vendor() {
    for folder in vendor_folders() {
        assert!(VENDORS.contains(&folder.as_str()), "`{folder}` is missing in the list of vendors");
    }
}

#[test]
fn no_two_modules_import_each_other() {
    for (module, allowed) in EDGES {
        for other in *allowed {
            let back = EDGES.iter().find(|(name, _)| name == other).map(|(_, allowed)| *allowed);
            assert!(back.is_some_and(|back| !back.contains(module)), "{module} and {other}");
        }
    }
}

fn judged(file: &str, source: &str) -> Vec<String> {
    judge(file, source, &["iterable", "cordial", "commercetools", "bigcommerce"], &mut BTreeSet::new())
}

#[test]
fn breaches_are_caught_however_they_are_written() {
    for (file, source, expected) in [
        ("model/order.rs", "use crate::destinations::Operation;", "`model` must not import `destinations`"),
        ("model/order.rs", "use super::super::state::StateStore;", "`model` must not import `state`"),
        ("error.rs", "use super::model::Record;", "`error` must not import `model`"),
        ("validate/rules.rs", "use crate::{error::Error, model::{Record, Body}, sources};", "`validate` must not import `sources`"),
        ("validate/rules.rs", "fn f() { let x = crate::decide::Decision::Send; }", "`validate` must not import `decide`"),
        ("validate/rules.rs", "mod inner { fn f() { super::super::super::pipeline::run() } }", "`validate` must not import `pipeline`"),
        ("sources/mod.rs", "macro_rules! m { () => { $crate::delivery::go() } }", "`sources` must not import `delivery`"),
        ("model/mod.rs", "use crate::helpers::x;", "`helpers` is no module"),
        ("helpers.rs", "", "has no row"),
        ("state/mod.rs", "use crate::destinations::{Operation, Destination};", "not `Destination`"),
        (
            "destinations/iterable/payload.rs",
            "use crate::destinations::cordial::Row;",
            "`destinations/iterable` must not import `destinations/cordial`",
        ),
        ("sources/bigcommerce/mod.rs", "use super::commercetools::wire;", "`sources/bigcommerce` must not import `sources/commercetools`"),
        ("decide/mod.rs", "fn f() { let now = chrono::Utc::now(); }", "only delivery and facade ask for the time"),
        ("sources/commercetools/mod.rs", "fn f() -> Instant { std::time::Instant::now() }", "only delivery and facade ask for the time"),
        ("state/sqlite.rs", "const NOW: fn() -> SystemTime = SystemTime::now;", "only delivery and facade ask for the time"),
        ("pipeline/mod.rs", "use tokio::sync::mpsc;", "only delivery and facade know `tokio`"),
        ("destinations/iterable/mod.rs", "type C = reqwest::Client;", "only delivery and facade know `reqwest`"),
        ("sources/split.rs", "use std::{fmt, fs};", "`sources` is pure"),
        ("pipeline/batch.rs", "if name == \"iterable\" {}", "names the vendor `iterable`"),
        ("delivery/retry.rs", "struct DotdigitalRule;", "names the vendor `dotdigital`"),
        ("destinations/iterable/mod.rs", "const X: &str = \"from commercetools\";", "names the vendor `commercetools`"),
        ("facade.rs", "#[cfg(feature = \"source-bigcommerce\")] fn f() {}", "names the vendor `bigcommerce`"),
        ("model/mod.rs", "#[cfg(not(test))] fn f() { crate::state::x() }", "`model` must not import `state`"),
    ] {
        let found = judged(file, source);
        assert!(found.iter().any(|wrong| wrong.contains(expected)), "{file}: {source}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_not_caught() {
    for (file, source) in [
        ("validate/rules.rs", "use crate::model::{Record, order::Order}; use crate::Error; use super::Report;"),
        (
            "destinations/mod.rs",
            "mod raw { use super::Row; fn f() { super::super::model::x() } } #[cfg(feature = \"destination-iterable\")] pub mod iterable;",
        ),
        ("destinations/iterable/mod.rs", "use super::{Operation, Destination}; const NAME: &str = \"iterable\";"),
        ("sources/commercetools/map.rs", "use super::super::split; use super::wire::Order;"),
        ("delivery/mod.rs", "use tokio::time; fn now() { chrono::Utc::now(); std::fs::read(x); }"),
        ("state/sqlite.rs", "use std::fs; use crate::destinations::Operation;"),
        (
            "error.rs",
            "//! See [`crate::model::Finding`].\n/// Not `crate::model` either, nor Iterable.\npub(crate) fn f() {} // crate::state",
        ),
        ("model/mod.rs", "#[cfg(test)] mod tests { use crate::sources::x; fn f() { Utc::now(); } } #[cfg(test)] use crate::sources::y;"),
        ("model/mod.rs", "#[cfg(all(test, feature = \"sqlite\"))]\n#[allow(dead_code)]\nfn f() { crate::sources::x() }"),
    ] {
        assert_eq!(judged(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}
