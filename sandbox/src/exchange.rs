//! What was sent and answered: kept in memory up to a bound, or appended to a file. Headers are never kept, so no key is.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use serde_json::Value;

use crate::{SandboxError, lock};

/// The ring in memory stops here even when fewer exchanges than allowed are in it.
const MOST_BYTES: usize = 64 << 20;

/// One request and what came back.
pub(crate) struct Exchange {
    pub(crate) vendor: &'static str,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) body: Bytes,
    /// None when the reply never left.
    pub(crate) status: Option<u16>,
    pub(crate) response: Bytes,
    /// Text stays text, even when it could be read as JSON.
    pub(crate) response_is_json: bool,
    pub(crate) fault: Option<&'static str>,
    pub(crate) number: u64,
}

impl Exchange {
    fn weight(&self) -> usize {
        self.body.len() + self.response.len() + self.url.len() + 64
    }

    fn line(&self) -> Vec<u8> {
        let text = |value: &str| Value::from(value).to_string();
        let mut line =
            format!(r#"{{"vendor":{},"method":{},"url":{}"#, text(self.vendor), text(&self.method), text(&without_key(&self.url)))
                .into_bytes();
        if !self.body.is_empty() {
            match one_line(&self.body) {
                Some(json) => {
                    line.extend(br#","body":"#);
                    line.extend(json);
                }
                None => line.extend(br#","body_is_json":false"#),
            }
        }
        if let Some(status) = self.status {
            line.extend(format!(r#","status":{status},"response":"#).bytes());
            match self.response_is_json.then(|| one_line(&self.response)).flatten() {
                Some(json) => line.extend(json),
                None => line.extend(text(&String::from_utf8_lossy(&self.response)).bytes()),
            }
        }
        if let Some(fault) = self.fault {
            line.extend(format!(r#","fault":{}"#, text(fault)).bytes());
        }
        line.extend(format!(r#","ref":"{}"}}"#, self.number).bytes());
        line.push(b'\n');
        line
    }
}

/// JSON as it was sent (numbers keep their digits), on one line; None for what is not JSON.
fn one_line(body: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<&serde_json::value::RawValue>(body).ok()?;
    // Line ends can't stand inside a JSON string, so they are only ever space.
    Some(body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect())
}

/// Some callers still put a key into the URL.
fn without_key(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let secret = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !matches!(name.as_str(), "api_key" | "apikey" | "api-key" | "token" | "access_token")
    };
    let kept: Vec<&str> = query.split('&').filter(secret).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

struct Kept {
    ring: VecDeque<Exchange>,
    bytes: usize,
    file: Option<BufWriter<File>>,
    number: u64,
}

/// Keeps exchanges.
pub(crate) struct Recorder {
    most: usize,
    path: Option<PathBuf>,
    kept: Mutex<Kept>,
}

impl Recorder {
    pub(crate) fn new(most: usize, path: Option<&Path>) -> Result<Self, SandboxError> {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path).map(BufWriter::new);
        let file = path.map(open).transpose().map_err(|error| SandboxError::Io(format!("`exchanges_file`: {error}")))?;
        Ok(Self { most, path: path.map(Path::to_owned), kept: Mutex::new(Kept { ring: VecDeque::new(), bytes: 0, file, number: 0 }) })
    }

    pub(crate) fn keeps(&self) -> bool {
        self.most > 0 || self.path.is_some()
    }

    pub(crate) fn record(&self, mut exchange: Exchange) {
        let mut kept = lock(&self.kept);
        kept.number += 1;
        exchange.number = kept.number;
        if let Some(file) = &mut kept.file {
            // A full disk must not change what the server answers; the file then simply ends early.
            let _ = file.write_all(&exchange.line()).and_then(|()| file.flush());
            return;
        }
        kept.bytes += exchange.weight();
        kept.ring.push_back(exchange);
        while kept.ring.len() > self.most || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.ring.pop_front() else { break };
            kept.bytes -= oldest.weight();
        }
    }

    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut kept = lock(&self.kept);
        if let (Some(file), Some(path)) = (&mut kept.file, &self.path) {
            let _ = file.flush();
            return std::fs::read(path).unwrap_or_default();
        }
        kept.ring.iter().flat_map(Exchange::line).collect()
    }

    pub(crate) fn flush(&self) {
        if let Some(file) = &mut lock(&self.kept).file {
            let _ = file.flush();
        }
    }

    /// Empties the ring; a file is kept as it is.
    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.kept);
        kept.ring.clear();
        kept.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_url_is_not_kept() {
        assert_eq!(without_key("http://h/api/lists?api_key=s3cret&x=1"), "http://h/api/lists?x=1");
        assert_eq!(without_key("http://h/api/lists?apiKey=s3cret"), "http://h/api/lists");
    }

    #[test]
    fn json_keeps_its_digits_and_loses_its_line_ends() {
        assert_eq!(one_line(b"{\"total\":\n 10.50}").as_deref(), Some(&b"{\"total\":  10.50}"[..]));
        assert_eq!(one_line(b"<html>"), None);
    }
}
