//! Files of a backfill: laid where Cordial fetches them, then imported, then asked after. One request each, the state of
//! it in the job's name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::{Endpoint, Operation, Request, Secret};
use super::config::Config;
use super::{ContactRow, capabilities as endpoints, internal};
use crate::error::Error;
use crate::fingerprint;

/// A job whose file is laid and waits to be imported; its name follows.
pub(super) const LAID: &str = "laid:";
/// A job at Cordial; its id follows.
pub(super) const RUNNING: &str = "job:";

/// What a cell holds when the contact's value is to stay as it is. An empty cell might clear it.
const LEAVE: &str = "__leave__";

/// The request that lays a file with these rows. The file's name is made of its content: the same rows, the same file.
pub(super) fn lay(config: &Config, facts: &'static Endpoint, operations: &[&Operation]) -> Result<Request, Error> {
    let imports = config.imports.as_ref().ok_or_else(|| internal("files need `imports`"))?;
    let (content, kind, content_type) = if facts.id == endpoints::FILE_CONTACTS {
        (table(operations)?, "csv", "text/csv; charset=utf-8")
    } else {
        (lines(operations), "jsonl", "application/x-ndjson")
    };
    let what = facts.id.trim_start_matches("files.");
    let path = format!("/cartwire-{what}-{}.{kind}", name_of(&content));
    let authorization = imports.authorization.clone();
    let secret_headers: Vec<(&'static str, Secret)> =
        if authorization.is_empty() { Vec::new() } else { vec![("authorization", authorization)] };
    Ok(Request {
        endpoint: Cow::Borrowed(facts.id),
        method: facts.method,
        path,
        headers: vec![("content-type", content_type.to_owned())],
        secret_headers,
        body: Some(content),
    })
}

fn name_of(content: &[u8]) -> String {
    fingerprint::opaque(&[std::str::from_utf8(content).unwrap_or_default()])
}

/// The name of the file that [`lay`] makes of these rows.
pub(super) fn file(operations: &[&Operation]) -> Result<String, Error> {
    let first = operations.first().ok_or_else(|| internal("a file needs a row"))?;
    let what = first.endpoint.trim_start_matches("files.");
    Ok(if first.endpoint == endpoints::FILE_CONTACTS {
        format!("cartwire-{what}-{}.csv", name_of(&table(operations)?))
    } else {
        format!("cartwire-{what}-{}.jsonl", name_of(&lines(operations)))
    })
}

/// One row a line.
fn lines(operations: &[&Operation]) -> Vec<u8> {
    let mut out = Vec::with_capacity(operations.iter().map(|operation| operation.body.len() + 1).sum());
    for operation in operations {
        out.extend_from_slice(&operation.body);
        out.push(b'\n');
    }
    out
}

/// Contacts as a table: addresses first, then every attribute that some row has.
fn table(operations: &[&Operation]) -> Result<Vec<u8>, Error> {
    let broken = |error| internal("a contact's row is not its own").because(error);
    let mut rows = Vec::with_capacity(operations.len());
    let mut columns: BTreeSet<String> = BTreeSet::new();
    for operation in operations {
        let row: ContactRow<'_> = serde_json::from_slice(&operation.body).map_err(broken)?;
        let mut cells: BTreeMap<String, String> = BTreeMap::new();
        for (channel, contact) in &row.channels {
            cells.insert(format!("channels.{channel}.address"), cell(contact.address)?);
        }
        for (name, value) in row.ids.iter().chain(row.attributes.iter().filter(|(name, _)| name.as_ref() != "channels")) {
            if value.get() != "null" {
                cells.insert(name.to_string(), cell(value)?);
            }
        }
        columns.extend(cells.keys().cloned());
        rows.push(cells);
    }
    let mut out = String::new();
    line(columns.iter().map(String::as_str), &mut out);
    for cells in &rows {
        line(columns.iter().map(|column| cells.get(column).map_or(LEAVE, String::as_str)), &mut out);
    }
    Ok(out.into_bytes())
}

/// Scalars only: [`super::build`] sends what is none record by record.
fn cell(value: &RawValue) -> Result<String, Error> {
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) => Ok(text),
        Err(_) if value.get().starts_with(['[', '{']) => Err(internal("a list does not fit into a cell")),
        Err(_) => Ok(value.get().to_owned()),
    }
}

/// A line of RFC 4180.
fn line<'a>(cells: impl Iterator<Item = &'a str>, out: &mut String) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}

/// The endpoint and body of the import of a file that is laid.
pub(super) fn import(config: &Config, first: &Operation, file: &str) -> Result<(&'static str, Vec<u8>), Error> {
    let imports = config.imports.as_ref().ok_or_else(|| internal("files need `imports`"))?;
    let mut source = Map::new();
    for (name, value) in &imports.source {
        let text = value.expose().replace("{file}", file);
        let value = match (name.as_str(), text.parse::<u16>()) {
            ("port", Ok(port)) => Value::from(port),
            _ => Value::from(text),
        };
        source.insert(name.clone(), value);
    }
    let mut body = json!({"importName": file, "source": source});
    let endpoint = match first.endpoint.as_ref() {
        endpoints::FILE_CONTACTS => {
            body["hasHeader"] = true.into();
            body["nullMarker"] = LEAVE.into();
            body["suppressTriggers"] = true.into();
            // Without it every new address becomes subscribed.
            body["subscribe"] = false.into();
            if !imports.create_contacts {
                body["strategy"] = "updateOnly".into();
            }
            endpoints::IMPORT_CONTACTS
        }
        endpoints::FILE_ORDERS => {
            body["suppressTriggers"] = true.into();
            endpoints::IMPORT_ORDERS
        }
        endpoints::FILE_PRODUCTS => endpoints::IMPORT_PRODUCTS,
        endpoints::FILE_RECORDS => {
            body["suppressTriggers"] = true.into();
            endpoints::IMPORT_RECORDS
        }
        _ => return Err(internal("only files are imported")),
    };
    let body = serde_json::to_vec(&body).map_err(|error| internal("an import could not be written").because(error))?;
    Ok((endpoint, body))
}
