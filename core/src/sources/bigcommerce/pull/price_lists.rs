//! The stream of price records: it goes through the store's price lists one after the other.
//! <https://developer.bigcommerce.com/docs/rest-management/price-lists>

use serde::{Deserialize, Serialize};

use super::pages::{Paging, Position, Rows, by_pages, id_of};
use super::{List, Shop, list_of, named};
use crate::error::{Error, ErrorCode};
use crate::http::{Request, percent};
use crate::sources::pull::{Page, PageBody, Pass, PullFailure, StreamFacts};

/// Where the stream stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tour {
    /// Price lists still to be read, the first of them now.
    lists: Vec<String>,
    /// Where in its records.
    records: String,
    /// Where the next page of price lists starts; none behind the last.
    more: Option<String>,
}

impl Tour {
    fn of(at: &str) -> Result<Self, Error> {
        if at.is_empty() {
            return Ok(Tour { more: Some(String::new()), ..Tour::default() });
        }
        serde_json::from_str(at).map_err(|_| Error::new(ErrorCode::Internal, "the cursor in the state was not made by this source"))
    }

    /// The same with the list that is read now from its beginning, by pages; `None` where it was not read by a cursor.
    pub(super) fn again(at: &str) -> Result<Option<String>, Error> {
        let tour = Tour::of(at)?;
        if tour.lists.is_empty() {
            let again = tour.more.as_deref().and_then(by_pages);
            return Ok(again.and_then(|again| Tour { more: Some(again), ..tour }.text()));
        }
        Ok(by_pages(&tour.records).and_then(|again| Tour { records: again, ..tour }.text()))
    }

    fn text(self) -> Option<String> {
        let ended = self.lists.is_empty() && self.more.is_none();
        if ended { None } else { serde_json::to_string(&self).ok() }
    }
}

/// Price lists themselves have no date to be filtered by: that of a list need not follow its records.
const LISTS: List = List { paging: Paging::Cursor, from: "", until: "", query: &[] };

impl Shop {
    /// The question for where the stream stands.
    pub(super) fn tour_page(&self, stream: &StreamFacts, pass: &Pass) -> Result<Request, Error> {
        let tour = Tour::of(&pass.at)?;
        match tour.lists.first() {
            Some(id) => {
                let mut path = "/v3/pricelists/".to_owned();
                percent(id, &mut path);
                path.push_str("/records");
                Ok(self.list_page(&path, &list_of(stream), pass, &tour.records.parse()?))
            }
            None => Ok(self.list_page("/v3/pricelists", &LISTS, pass, &tour.more.unwrap_or_default().parse()?)),
        }
    }

    /// Reads its answer. A list that was deleted meanwhile has no records.
    pub(super) fn read_tour(pass: &Pass, rows: &Rows<'_>) -> Result<Page, PullFailure> {
        let page = |wanted, rows: usize, tour: Tour| Page {
            body: PageBody::Nothing,
            wanted,
            rows: rows as u64,
            next: tour.text(),
            shop_time: None,
        };
        let mut tour = Tour::of(&pass.at).map_err(PullFailure::Stop)?;
        if tour.lists.is_empty() {
            let at: Position = tour.more.unwrap_or_default().parse().map_err(PullFailure::Stop)?;
            let more = at.next(LISTS.paging, pass.page_size, rows, b"id")?.map(|at| at.to_string());
            let lists = rows.rows.iter().filter_map(|row| id_of(row, b"id")).collect();
            // The lists are no rows of the stream; their records are.
            return Ok(page(Vec::new(), 0, Tour { lists, more, records: String::new() }));
        }
        let at: Position = tour.records.parse().map_err(PullFailure::Stop)?;
        match at.next(Paging::Cursor, pass.page_size, rows, b"variant_id")? {
            Some(next) => tour.records = next.to_string(),
            None => {
                tour.lists.remove(0);
                tour.records = String::new();
            }
        }
        Ok(page(named::products(rows, &[b"product_id"]), rows.rows.len(), tour))
    }
}
