//! Walks over the rows of one input and keeps a broken row from taking its neighbours along. What the rows are is the
//! source's business: see [`Handler`].

use serde::Deserialize;

use super::split::{End, Keys, skip_space, value_end};
use super::{DecodeContext, Decoded};
use crate::json;
use crate::model::{FindingCode, ResourceRef, pointer_token};

/// Why a row ends as a rejection.
#[derive(Debug)]
pub struct Failure {
    /// Stable code.
    pub code: FindingCode,
    /// JSON pointer into the row.
    pub pointer: String,
    /// One sentence, without values.
    pub message: String,
}

impl Failure {
    /// A failure at that place of the row.
    pub fn new(code: FindingCode, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Failure { code, pointer: pointer.into(), message: message.into() }
    }

    /// The same, of a part that stands at `prefix`.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }

    /// A row this source does not know.
    #[must_use]
    pub fn unsupported(message: &str) -> Self {
        Failure::new(FindingCode::RecordUnsupported, "", message)
    }

    /// A row whose shape does not fit.
    pub fn malformed(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Failure::new(FindingCode::RecordMalformed, pointer, message)
    }
}

/// What a document of its own is.
#[derive(Clone, Copy, Debug)]
pub enum Top<S> {
    /// A page; where the array of its rows starts.
    Page(usize),
    /// A row.
    Row(S),
}

/// What a source knows of its rows.
pub trait Handler {
    /// What the source tells of a row before it is read; `()` where it looks only when it reads.
    type Shape: Copy;

    /// What the platform calls the rows of a page, for messages.
    const LIST: &'static str;

    /// What the object at `at` is.
    fn top(&self, bytes: &[u8], at: usize) -> Top<Self::Shape>;

    /// What the row of a list or page at `at` is.
    fn listed(&self, bytes: &[u8], at: usize) -> Self::Shape;

    /// Reads the row at the start of `text`: its length, and how many positions it used (at least one).
    ///
    /// # Errors
    /// Why the row is rejected; what it wrote to `out` is taken back.
    fn row(&mut self, text: &str, shape: Self::Shape, position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure>;

    /// The name of a row that could not be read, for whoever looks for it in the shop.
    fn resource_of(&self, row: &[u8], shape: Self::Shape) -> Option<ResourceRef>;
}

/// Reads every row of `raw`: one document or several, each an object, a list, or a page.
pub fn read<H: Handler>(raw: &[u8], context: &DecodeContext<'_>, handler: &mut H, out: &mut Decoded) {
    let raw = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
    // Text once for the whole input; only where that fails is every row looked at alone.
    let text = std::str::from_utf8(raw).ok();
    let mut reader = Reader { context, handler, bytes: raw, text, position: context.position, lost: false, out };
    reader.documents();
    let rows = reader.position - context.position;
    out.rows += rows;
}

/// Reads one value at the start of `text`, and how long it is. The pointer of what does not fit is looked for only once
/// something did not.
///
/// # Errors
/// What the row is rejected for: cut, not JSON, or not of the shape.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, usize), Failure> {
    if let Some(read) = json::read(text) {
        return Ok(read);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => Ok((value, values.byte_offset())),
        Some(Err(error)) => Err(explain::<T>(text, &error)),
        None => Err(Failure::new(FindingCode::RecordTruncated, "", "the input ends before the row")),
    }
}

#[cold]
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Failure {
    // A cut number is a syntax error to the parser, or a value that does not fit, and a cut row all the same. What is wrong
    // before the end is wrong whether or not the end is missing, too.
    let is_cut = || value_end(text.as_bytes(), 0) == End::Truncated && is_at_end(text, error);
    if error.is_eof() || is_cut() {
        return Failure::new(FindingCode::RecordTruncated, "", "the input ends in the middle of the row");
    }
    let mut again = serde_json::Deserializer::from_str(text);
    let pointer = match serde_path_to_error::deserialize::<_, T>(&mut again) {
        Err(error) => pointer_of(error.path()),
        Ok(_) => String::new(),
    };
    if error.is_data() {
        return Failure::malformed(pointer, without_values(&error.to_string()));
    }
    let message = format!("not JSON at line {} column {} of the row", error.line(), error.column());
    Failure::new(FindingCode::RecordInvalidJson, pointer, message)
}

/// Whether the parser gave up at the last character that is no space.
fn is_at_end(text: &str, error: &serde_json::Error) -> bool {
    let text = text.trim_ascii_end();
    let last = text.rsplit('\n').next().unwrap_or_default();
    error.line() > text.matches('\n').count() && error.column() >= last.len()
}

/// The parser's sentence without the value it met, which may be personal: what is expected is enough.
fn without_values(message: &str) -> String {
    let sentence = message.rsplit_once(" at line ").map_or(message, |(sentence, _)| sentence);
    if sentence.starts_with("missing field `") || sentence.starts_with("duplicate field `") {
        return sentence.to_owned();
    }
    match sentence.rsplit_once(", expected ") {
        Some((_, "i64" | "u64" | "u32")) => "expected a whole number".to_owned(),
        Some((_, expected)) => format!("expected {expected}"),
        None => "the value does not fit".to_owned(),
    }
}

/// The JSON pointer of a path that serde kept.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", pointer_token(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

struct Reader<'r, H> {
    context: &'r DecodeContext<'r>,
    handler: &'r mut H,
    bytes: &'r [u8],
    text: Option<&'r str>,
    position: u64,
    /// A row without an end was met: everything behind it belongs to its rejection.
    lost: bool,
    out: &'r mut Decoded,
}

impl<H: Handler> Reader<'_, H> {
    fn documents(&mut self) {
        let mut next = skip_space(self.bytes, 0);
        if next == self.bytes.len() {
            self.reject(Failure::new(FindingCode::RecordTruncated, "", "the input is empty"), None);
            return;
        }
        while next < self.bytes.len() {
            let end = match self.bytes[next] {
                b'[' => self.rows(next),
                b'{' => match self.handler.top(self.bytes, next) {
                    Top::Page(rows) => self.page(next, rows),
                    Top::Row(shape) => Some(self.row(next, shape)),
                },
                _ => {
                    let line = memchr::memchr(b'\n', &self.bytes[next..]);
                    self.reject(Failure::new(FindingCode::RecordInvalidJson, "", "expected an object or a list"), None);
                    Some(line.map_or(self.bytes.len(), |line| next + line + 1))
                }
            };
            match end {
                Some(end) => next = skip_space(self.bytes, end),
                None => return,
            }
        }
    }

    /// The rows of a page. What follows them is only looked at for whether it is there.
    fn page(&mut self, start: usize, results: usize) -> Option<usize> {
        self.rows(results)?;
        let mut keys = Keys::new(self.bytes, start);
        keys.by_ref().for_each(drop);
        match value_end(self.bytes, start) {
            End::At(end) if keys.is_closed() => Some(end),
            End::At(_) => {
                let message = format!("the page is not JSON behind its {}", H::LIST);
                self.reject(Failure::new(FindingCode::RecordInvalidJson, "", message), None);
                None
            }
            End::Truncated => {
                self.reject(Failure::new(FindingCode::RecordTruncated, "", "the page ends before its end"), None);
                None
            }
        }
    }

    /// The rows of the array that starts at `start`, and its end; `None` where nothing behind can be read any more.
    fn rows(&mut self, start: usize) -> Option<usize> {
        let mut next = skip_space(self.bytes, start + 1);
        if self.bytes.get(next) == Some(&b']') {
            return Some(next + 1);
        }
        loop {
            if next >= self.bytes.len() {
                self.reject(Failure::new(FindingCode::RecordTruncated, "", "the list ends before its end"), None);
                return None;
            }
            let shape = self.handler.listed(self.bytes, next);
            next = skip_space(self.bytes, self.row(next, shape));
            match self.bytes.get(next) {
                Some(b',') => next = skip_space(self.bytes, next + 1),
                Some(b']') => return Some(next + 1),
                Some(_) => {
                    self.reject(Failure::new(FindingCode::RecordInvalidJson, "", "expected a comma or the end of the list"), None);
                    return None;
                }
                // A row that was cut has been rejected for that already; a cut between rows has not.
                None => {
                    if !self.lost {
                        self.reject(Failure::new(FindingCode::RecordTruncated, "", "the list ends before its end"), None);
                    }
                    return None;
                }
            }
        }
    }

    /// Reads the row at `start` and tells where it ends.
    fn row(&mut self, start: usize, shape: H::Shape) -> usize {
        let rest = self.bytes.len() - start;
        let known = (rest > self.context.max_record_bytes || self.text.is_none()).then(|| value_end(self.bytes, start));
        let end = match known {
            Some(End::At(end)) => end,
            _ => self.bytes.len(),
        };
        if known.is_some() && end - start > self.context.max_record_bytes {
            let message = format!("the row has {} bytes", end - start);
            self.reject(Failure::new(FindingCode::RecordTooLarge, "", message), None);
            return end;
        }
        let row = match self.text {
            Some(text) => text.get(start..end),
            None => std::str::from_utf8(&self.bytes[start..end]).ok(),
        };
        let Some(row) = row else {
            let named = self.handler.resource_of(&self.bytes[start..end], shape);
            self.reject(Failure::new(FindingCode::RecordInvalidUtf8, "", "the row holds bytes that are not UTF-8"), named);
            return end;
        };
        let before = (self.out.records.len(), self.out.ignored.len(), self.out.fetches.len());
        match self.handler.row(row, shape, self.position, self.out) {
            Ok((length, used)) => {
                self.position += used.max(1);
                start + length
            }
            Err(failure) => {
                // All of a row or nothing of it.
                self.out.records.truncate(before.0);
                self.out.ignored.truncate(before.1);
                self.out.fetches.truncate(before.2);
                let end = match value_end(self.bytes, start) {
                    End::At(end) => end,
                    End::Truncated => {
                        self.lost = true;
                        self.bytes.len()
                    }
                };
                let named = self.handler.resource_of(&self.bytes[start..end], shape);
                self.reject(failure, named);
                end
            }
        }
    }

    fn reject(&mut self, failure: Failure, resource: Option<ResourceRef>) {
        self.out.reject(self.position, resource, failure.code, failure.pointer, failure.message);
        self.position += 1;
    }
}
