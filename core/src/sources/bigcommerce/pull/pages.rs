//! Answers of both generations, read as rows, and where the next page starts.
//! <https://developer.bigcommerce.com/docs/start/about/common-query-params>
//!
//! - v2 answers a bare array, and 204 without a body where there is nothing.
//! - v3 answers `{data, meta}`; `meta` tells the total, or a cursor.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::{Error, ErrorCode};
use crate::http::Reply;
use crate::sources::bigcommerce::wire::{Dec, Text};
use crate::sources::pull::{PullFailure, unreadable};
use crate::sources::split::{End, Keys, elements, skip_space, value_end};

/// Rows that either generation gives per page at most.
pub(super) const MOST_ROWS: u32 = 250;

/// How a list is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// In the order of ids, behind the last one: the filter of that name. Rows that change while they are read keep their
    /// places, and none can move over the edge of a page.
    Ids(&'static str),
    /// By the platform's cursor, where the answer has one; else as `Rows`.
    Cursor,
    /// By number of page.
    Rows,
    /// Not at all: one answer has everything.
    Whole,
}

/// Where in a list one stands. Its text is what cursors keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Position {
    #[default]
    Start,
    /// Behind this id.
    Id(u64),
    /// Behind this cursor.
    After(String),
    /// At so many rows, of a list that had so many when it was last asked; the rows per page that the platform gave last.
    Row { at: u64, total: Option<u64>, per: Option<u32> },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self {
            Position::Start => Ok(()),
            Position::Id(id) => write!(f, "id:{id}"),
            Position::After(cursor) => write!(f, "after:{cursor}"),
            Position::Row { at, total, per } => write!(f, "row:{at}:{}:{}", number(*total), number(per.map(u64::from))),
        }
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let foreign = || Error::new(ErrorCode::Internal, "the cursor in the state was not made by this source");
        if text.is_empty() {
            return Ok(Position::Start);
        }
        let (kind, rest) = text.split_once(':').ok_or_else(foreign)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| foreign());
        match kind {
            "id" => Ok(Position::Id(number(rest)?)),
            "after" if !rest.is_empty() => Ok(Position::After(rest.to_owned())),
            "row" => {
                let mut parts = rest.splitn(3, ':');
                let mut next = || parts.next().filter(|part| !part.is_empty()).map(number).transpose();
                let (at, total, per) = (next()?.ok_or_else(foreign)?, next()?, next()?);
                let per = per.map(|per| u32::try_from(per).map_err(|_| foreign())).transpose()?;
                Ok(Position::Row { at, total, per: per.filter(|per| *per > 0) })
            }
            _ => Err(foreign()),
        }
    }
}

impl Position {
    /// The parameters that lead here, for pages of at most `size` rows.
    pub fn parameters(&self, paging: Paging, size: u32) -> Vec<(&'static str, String)> {
        let limit = |rows: u32| ("limit", rows.to_string());
        match (paging, self) {
            (Paging::Whole, _) => Vec::new(),
            // Whether the filter takes the id itself in is not said of all lists: one row more, so that it always moves on.
            (Paging::Ids(filter), Position::Id(id)) => vec![(filter, id.to_string()), limit(size.saturating_add(1).min(MOST_ROWS))],
            (_, Position::After(cursor)) => vec![("after", cursor.clone()), limit(size)],
            (_, Position::Row { at, per, .. }) => {
                let size = per.map_or(size, |per| per.min(size)).max(1);
                // The page that has the row: it may begin before it, where pages became smaller on the way.
                vec![("page", (at / u64::from(size) + 1).to_string()), limit(size)]
            }
            (Paging::Ids(_) | Paging::Cursor, _) => vec![limit(size)],
            (Paging::Rows, _) => vec![("page", "1".to_owned()), limit(size)],
        }
    }

    /// Where the next page starts, `None` behind the last.
    pub fn next(&self, paging: Paging, size: u32, rows: &Rows<'_>, id: &[u8]) -> Result<Option<Position>, PullFailure> {
        match paging {
            Paging::Whole => Ok(None),
            Paging::Ids(_) => self.next_id(rows, id),
            // Once by pages, always by pages: see `Shop::start_again`.
            Paging::Cursor if rows.meta.cursor.is_some() && !matches!(self, Position::Row { .. }) => self.next_cursor(size, rows),
            Paging::Cursor | Paging::Rows => Ok(self.next_row(size, rows)),
        }
    }

    /// Behind the last id, if it is behind all others: else what comes behind it is not all that is left. At the end where
    /// nothing new came: a page with fewer rows than asked for may be all that the platform gives at once.
    fn next_id(&self, rows: &Rows<'_>, id: &[u8]) -> Result<Option<Position>, PullFailure> {
        let stop = |why: &str| PullFailure::Stop(Error::new(ErrorCode::Rejected, why));
        let behind = if let Position::Id(last) = self { *last } else { 0 };
        let (mut last, mut found) = (None, false);
        for row in &rows.rows {
            let own = number_of(row, id).ok_or_else(|| stop("a row of the page has no id to go on from"))?;
            if last.is_some_and(|last| own <= last) || own < behind {
                return Err(stop("the shop did not sort the page by id as it was asked to; rows would be missed"));
            }
            last = Some(own);
            found |= own > behind;
        }
        Ok(last.filter(|_| found).map(Position::Id))
    }

    fn next_cursor(&self, size: u32, rows: &Rows<'_>) -> Result<Option<Position>, PullFailure> {
        let Some(cursor) = &rows.meta.cursor else { return Ok(None) };
        if rows.rows.is_empty() {
            return Ok(None);
        }
        let next = match &cursor.links {
            // The platform's own words, where it says them: its description names one end of the page, its cursor the other.
            Some(links) => links.next.as_deref().and_then(|link| parameter(link, "after")),
            None if rows.rows.len() as u64 >= u64::from(size) => cursor.end_cursor.clone(),
            None => None,
        };
        let next = next.filter(|next| !next.is_empty()).map(Position::After);
        if next.is_some() && next.as_ref() == Some(self) {
            let why = "the shop leads from a page to the same page again";
            return Err(PullFailure::Stop(Error::new(ErrorCode::Rejected, why)));
        }
        Ok(next)
    }

    /// A row that goes from the list while it is read moves all behind it up, one of them over the edge of a page that was
    /// read already. The total tells: as many rows as it shrank by are read again.
    fn next_row(&self, size: u32, rows: &Rows<'_>) -> Option<Position> {
        let (at, before, per) = match self {
            Position::Row { at, total, per } => (*at, *total, *per),
            _ => (0, None, None),
        };
        let size = per.map_or(size, |per| per.min(size)).max(1);
        let began = at / u64::from(size) * u64::from(size);
        let count = rows.rows.len() as u64;
        let total = rows.meta.total;
        let gone = before.zip(total).map_or(0, |(before, now)| before.saturating_sub(now));
        if gone > 0 && began > 0 {
            return Some(Position::Row { at: began.saturating_sub(gone), total, per });
        }
        let end = began + count;
        let more = count > 0 && total.map_or(count >= u64::from(size), |total| end < total);
        // Fewer rows than asked for though there are more: the platform gives no more at once.
        let given = u32::try_from(count).ok().filter(|given| more && *given < size);
        more.then_some(Position::Row { at: end, total, per: given.or(per) })
    }
}

/// The beginning of a list, by pages, for one who stands behind a cursor.
pub(super) fn by_pages(at: &str) -> Option<String> {
    let by_cursor = matches!(at.parse(), Ok(Position::After(_)));
    by_cursor.then(|| Position::Row { at: 0, total: None, per: None }.to_string())
}

/// The value of a parameter in a query string such as `?after=MTA&limit=50`.
fn parameter(query: &str, name: &str) -> Option<String> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &behind[2..];
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The rows of an answer.
pub(super) struct Rows<'b> {
    pub rows: Vec<&'b [u8]>,
    meta: Meta,
}

/// What `meta` tells, as far as it is needed.
#[derive(Default)]
struct Meta {
    total: Option<u64>,
    cursor: Option<CursorMeta>,
}

#[derive(Deserialize)]
struct CursorMeta {
    end_cursor: Option<String>,
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    next: Option<String>,
}

impl<'b> Rows<'b> {
    /// The rows of an answer: none of one that says there is nothing, one of a single resource.
    pub fn of(reply: &'b Reply) -> Result<Self, PullFailure> {
        let body = &reply.body;
        if reply.status == 422 {
            return Err(refused());
        }
        if reply.status == 404 || body.trim_ascii().is_empty() {
            return Ok(Rows { rows: Vec::new(), meta: Meta::default() });
        }
        Rows::in_bytes(body).ok_or_else(unreadable)
    }

    /// The rows of a body; `None` of one that is neither a list nor a page nor a resource.
    pub fn in_bytes(body: &'b [u8]) -> Option<Self> {
        let start = skip_space(body, 0);
        if body.get(start) == Some(&b'[') {
            return Some(Rows { rows: Self::listed(body, start)?, meta: Meta::default() });
        }
        let End::At(end) = value_end(body, start) else { return None };
        if body.get(start) != Some(&b'{') {
            return None;
        }
        let (mut rows, mut meta) = (None, Meta::default());
        for key in Keys::new(body, start) {
            match (key.name, body.get(key.value)) {
                (b"data", Some(b'[')) => rows = Some(Self::listed(body, key.value)?),
                (b"data", Some(b'{')) => {
                    let End::At(end) = value_end(body, key.value) else { return None };
                    rows = Some(vec![&body[key.value..end]]);
                }
                (b"meta", _) => {
                    let End::At(end) = value_end(body, key.value) else { return None };
                    meta = Meta::of(&body[key.value..end])?;
                }
                _ => {}
            }
        }
        // A resource of v2 stands alone.
        Some(Rows { rows: rows.unwrap_or_else(|| vec![&body[start..end]]), meta })
    }

    fn listed(body: &'b [u8], at: usize) -> Option<Vec<&'b [u8]>> {
        let (spans, _) = elements(body, at)?;
        Some(spans.into_iter().map(|(start, end)| &body[start..end]).collect())
    }

    /// Whether it is there at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Meta {
    fn of(bytes: &[u8]) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire {
            pagination: Option<Pagination>,
            cursor_pagination: Option<CursorMeta>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Pagination {
            total: Dec,
        }
        // What stands here besides is of no use, and an empty list stands for nothing.
        if !bytes.starts_with(b"{") {
            return Some(Meta::default());
        }
        let wire: Wire = serde_json::from_slice(bytes).ok()?;
        let total = wire.pagination.and_then(|pagination| pagination.total.whole());
        Some(Meta { total: total.and_then(|total| u64::try_from(total).ok()), cursor: wire.cursor_pagination })
    }
}

/// What to do with an answer that refuses the question itself.
pub(super) fn refused() -> PullFailure {
    PullFailure::Stop(Error::new(ErrorCode::Rejected, "the shop answered with status 422: it does not take the question"))
}

/// The raw value of a member of a row.
pub(super) fn member<'r>(row: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    let key = Keys::new(row, 0).find(|key| key.name == name)?;
    let End::At(end) = value_end(row, key.value) else { return None };
    Some(&row[key.value..end])
}

/// An id that a member of a row holds, whether written as a number or as text; 0 is none.
pub(super) fn id_of(row: &[u8], name: &[u8]) -> Option<String> {
    serde_json::from_slice::<Text<'_>>(member(row, name)?).ok()?.id().map(str::to_owned)
}

pub(super) fn number_of(row: &[u8], name: &[u8]) -> Option<u64> {
    id_of(row, name)?.parse().ok()
}

/// Whether an answer's body is one whole JSON document, or empty.
pub(super) fn is_whole(body: &[u8]) -> bool {
    let start = skip_space(body, 0);
    match body.get(start) {
        None => true,
        Some(b'{' | b'[') => matches!(value_end(body, start), End::At(end) if skip_space(body, end) == body.len()),
        Some(_) => false,
    }
}

/// Writes a list of rows.
pub(super) fn list(rows: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'[');
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(row);
    }
    out.push(b']');
}
