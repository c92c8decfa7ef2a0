//! Reads a thing that is served in parts: all requests that do not need each other's answers go out in one step, and lists
//! are followed to their end.

use crate::http::{Reply, Request};
use crate::sources::pull::{PullFailure, Step};

use super::Shop;
use super::pages::{MOST_ROWS, Paging, Position, Rows};

/// One list or resource to be read.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// What it is a part as; the key in composed documents.
    pub part: &'static str,
    /// Path below the store, encoded.
    path: String,
    /// Parameters besides those of paging, encoded.
    pub query: String,
    paging: Paging,
    at: Position,
}

impl Ask {
    pub fn new(part: &'static str, path: String, paging: Paging) -> Self {
        Ask { part, path, query: String::new(), paging, at: Position::Start }
    }

    pub fn with(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// The same, of a list that has cursors.
    pub fn by_cursor(self) -> Self {
        Ask { paging: Paging::Cursor, ..self }
    }

    fn request(&self, shop: &Shop) -> Request {
        shop.ask(&self.path, &self.query, &self.at.parameters(self.paging, MOST_ROWS))
    }
}

/// What was asked so far, with its answers.
pub(super) struct Gathering<'r> {
    shop: &'r Shop,
    replies: &'r [Reply],
    asked: Vec<Ask>,
    /// The rows of the answers that are there.
    read: Vec<Rows<'r>>,
}

impl<'r> Gathering<'r> {
    pub fn new(shop: &'r Shop, replies: &'r [Reply]) -> Self {
        Gathering { shop, replies, asked: Vec::new(), read: Vec::new() }
    }

    /// Asks for more, and follows all lists to their end. The step to take first where answers are missing.
    pub fn ask(&mut self, asks: impl IntoIterator<Item = Ask>) -> Result<Option<Step>, PullFailure> {
        self.asked.extend(asks);
        while let Some(ask) = self.asked.get(self.read.len()) {
            let Some(reply) = self.replies.get(self.read.len()) else {
                let missing = &self.asked[self.replies.len()..];
                return Ok(Some(Step::Ask(missing.iter().map(|ask| ask.request(self.shop)).collect())));
            };
            let rows = Rows::of(reply)?;
            if let Some(at) = ask.at.next(ask.paging, MOST_ROWS, &rows, b"id")? {
                let next = Ask { at, ..ask.clone() };
                self.asked.push(next);
            }
            self.read.push(rows);
        }
        Ok(None)
    }

    /// Whether a part was asked for.
    pub fn has(&self, part: &str) -> bool {
        self.asked.iter().any(|ask| ask.part == part)
    }

    /// The rows of a part, of all its pages.
    pub fn rows(&self, part: &str) -> Vec<&'r [u8]> {
        let pages = self.asked.iter().zip(&self.read).filter(|(ask, _)| ask.part == part);
        pages.flat_map(|(_, rows)| rows.rows.iter().copied()).collect()
    }
}
