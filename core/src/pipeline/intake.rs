//! Intake: bytes in any layout to decoded rows. A row that cannot be read is a rejection; its neighbours are read on.

use serde_json::value::RawValue;

use crate::model::{FindingCode, Record};
use crate::sources::split::{End, value_end};
use crate::sources::{DecodeContext, Decoded, DecodedRecord, Source};

/// How rows are laid out in the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One document, or NDJSON if the first line is a whole document and another follows.
    #[default]
    Auto,
    /// One document.
    Json,
    /// One document a line.
    Lines,
}

impl Layout {
    /// Whether to read `data` line by line.
    #[must_use]
    pub fn is_lines(self, data: &[u8]) -> bool {
        match self {
            Layout::Json => false,
            Layout::Lines => true,
            Layout::Auto => {
                let data = unmarked(data).trim_ascii_start();
                let Some(end) = memchr::memchr(b'\n', data) else { return false };
                let first = data[..end].trim_ascii_end();
                // Only what stands in the first line counts: a broken second one must not make one document of them all.
                matches!((first.first(), first.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
                    && value_end(first, 0) == End::At(first.len())
                    && !data[end..].trim_ascii().is_empty()
            }
        }
    }
}

/// Reads one document, or many lines, and answers the position behind the last row. Positions are line numbers for lines,
/// else what the source counts.
pub fn read(source: Option<&dyn Source>, layout: Layout, data: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) -> u64 {
    read_each(source, layout, data, context, out, &mut |_| ())
}

/// [`read`] that hands out what was decoded after every document, so that the records of a line can be worked on and
/// forgotten before the next line is read.
pub fn read_each(
    source: Option<&dyn Source>,
    layout: Layout,
    data: &[u8],
    context: &DecodeContext<'_>,
    out: &mut Decoded,
    after: &mut dyn FnMut(&mut Decoded),
) -> u64 {
    let data = unmarked(data);
    if layout.is_lines(data) {
        lines(source, data, context, out, after)
    } else {
        let before = out.rows;
        document(source, data, context, out);
        after(out);
        context.position + (out.rows - before)
    }
}

/// The bytes without the mark that some editors and exports put in front of UTF-8.
fn unmarked(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data)
}

/// Reads lines. A blank line is no row but counts for positions, so that a position is a line number; a line that holds
/// several rows, such as a page, pushes those behind it on, so that no two rows share a position.
fn lines(
    source: Option<&dyn Source>,
    data: &[u8],
    context: &DecodeContext<'_>,
    out: &mut Decoded,
    after: &mut dyn FnMut(&mut Decoded),
) -> u64 {
    let mut context = *context;
    let mut rest = data;
    while !rest.is_empty() {
        let (line, behind) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        let before = out.rows;
        if !line.trim_ascii().is_empty() {
            document(source, line, &context, out);
            after(out);
        }
        context.position += (out.rows - before).max(1);
        rest = behind;
    }
    context.position
}

fn document(source: Option<&dyn Source>, data: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) {
    match source {
        Some(source) => source.decode(data, context, out),
        None => canonical(data, context, out),
    }
}

/// Canonical records: one, an array of them, or the whole answer of `normalize`.
fn canonical(data: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        records: Vec<&'a RawValue>,
        #[serde(default)]
        positions: Vec<u64>,
    }
    let reject = |out: &mut Decoded, code, message: &str| {
        out.rows += 1;
        out.reject(context.position, None, code, "", message);
    };
    let Ok(text) = std::str::from_utf8(data) else {
        return reject(out, FindingCode::RecordInvalidUtf8, "the bytes are not UTF-8");
    };
    let text = text.trim();
    let answer = if text.starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(text).map(|records| Answer { records, positions: Vec::new() })
    } else {
        match serde_json::from_str::<Answer<'_>>(text) {
            Ok(answer) => Ok(answer),
            Err(_) => serde_json::from_str::<&RawValue>(text).map(|record| Answer { records: vec![record], positions: Vec::new() }),
        }
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let code = if error.is_eof() { FindingCode::RecordTruncated } else { FindingCode::RecordInvalidJson };
            return reject(out, code, "the text is not JSON");
        }
    };
    for (index, raw) in answer.records.iter().enumerate() {
        let position = answer.positions.get(index).copied().unwrap_or(context.position + index as u64);
        out.rows += 1;
        if raw.get().len() > context.max_record_bytes {
            out.reject(
                position,
                None,
                FindingCode::RecordTooLarge,
                "",
                format!("{} bytes, {} are taken", raw.get().len(), context.max_record_bytes),
            );
            continue;
        }
        match serde_json::from_str::<Record>(raw.get()) {
            Ok(record) => out.records.push(DecodedRecord { position, record, findings: Vec::new() }),
            Err(error) => {
                // What lies inside of a text, such as half of a surrogate pair, shows only where the text is read.
                let code = if error.is_syntax() { FindingCode::RecordInvalidJson } else { FindingCode::RecordMalformed };
                // Read again, slowly, for the place of the fault.
                let mut reader = serde_json::Deserializer::from_str(raw.get());
                let (pointer, message) = match serde_path_to_error::deserialize::<_, Record>(&mut reader) {
                    Ok(_) => (String::new(), "the record cannot be read".to_owned()),
                    Err(error) => (crate::sources::pointer(error.path()), shape(error.inner())),
                };
                out.reject(position, None, code, pointer, message);
            }
        }
    }
}

/// What serde says is wrong, without the values it quotes.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if text.starts_with("missing field") || text.starts_with("unknown field") || text.starts_with("duplicate field") => {
            text.to_owned()
        }
        None => "it does not have the shape of a canonical record".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn lines_are_told_from_documents() {
        for (text, lines) in [
            ("{\"a\":1}\n{\"a\":2}\n", true),
            ("\n{\"a\":1}\r\n{\"a\":2}", true),
            ("{\"a\":1}\n", false),
            ("{\n  \"a\": 1\n}\n", false),
            ("[{\"a\":1},\n{\"a\":2}]", false),
            ("[\n{\"a\":1},\n{\"a\":2}\n]", false),
            ("{\"a\":1}\nnot json\n{\"a\":2}", true),
            ("{\"a\":{\"b\":1}\n}", false),
            ("\u{feff}{\"a\":1}\n{\"a\":2}", true),
            ("", false),
        ] {
            assert_eq!(Layout::Auto.is_lines(text.as_bytes()), lines, "{text:?}");
        }
    }

    #[test]
    fn a_broken_line_loses_only_itself_and_positions_are_line_numbers() {
        let mut out = Decoded::default();
        let context = DecodeContext::at(DateTime::UNIX_EPOCH);
        read(None, Layout::Lines, b"{\"envelope\":1}\n\nnot json\n{\"envelope\"", &context, &mut out);
        let seen: Vec<_> = out.rejected.iter().map(|row| (row.position, row.findings[0].code)).collect();
        assert_eq!(seen, [(0, FindingCode::RecordMalformed), (2, FindingCode::RecordInvalidJson), (3, FindingCode::RecordTruncated)]);
        assert_eq!(out.rows, 3);
        assert_eq!(out.rejected[0].findings[0].pointer, "/envelope");
    }
}
