//! What a list is asked for, how it is cut into pages, and how each generation of the API answers.
//! <https://developer.bigcommerce.com/docs/start/about/common-query-params>

use std::collections::HashSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::inspect::hex;
use crate::vendor::{Reply, query_pairs};

/// Rows of a page unless told, and at most.
const USUAL_PAGE: u64 = 50;
const LARGEST_PAGE: u64 = 250;

/// The two generations of the API word everything differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    V2,
    V3,
}

/// A refusal, before its generation words it.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) why: String,
}

pub(super) fn refuse(status: u16, why: impl Into<String>) -> Refusal {
    Refusal { status, why: why.into() }
}

pub(super) fn missing() -> Refusal {
    refuse(404, "The requested resource was not found.")
}

impl Refusal {
    pub(super) fn into_reply(self, generation: Generation) -> Reply {
        let body = match generation {
            Generation::V2 => json!([{"status": self.status, "message": self.why}]),
            Generation::V3 => json!({"status": self.status, "title": self.why, "errors": {},
                "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"}),
        };
        Reply::json(self.status, &body)
    }
}

/// The parameters of a request. Those that nobody asked for are refused, so that a misspelt filter is no full export.
pub(super) struct Query {
    generation: Generation,
    pairs: Vec<(String, String)>,
    now_s: i64,
    /// Whether the bounds of times are left out; the documents do not say.
    exclusive: bool,
    /// Rows of a page at most, whatever was asked for.
    cap: u64,
}

impl Query {
    pub(super) fn read(generation: Generation, query: &str, now_ms: i64, exclusive: bool) -> Self {
        Self { generation, pairs: query_pairs(query), now_s: now_ms.div_euclid(1_000), exclusive, cap: LARGEST_PAGE }
    }

    /// The same with smaller pages.
    pub(super) fn capped(&self, cap: u64) -> Self {
        Self { generation: self.generation, pairs: self.pairs.clone(), now_s: self.now_s, exclusive: self.exclusive, cap }
    }

    pub(super) fn now_s(&self) -> i64 {
        self.now_s
    }

    /// Refuses parameters that are not among these; a name that ends in `:` stands for itself and its `:min` and `:max`.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let known = |given: &str| {
            names.iter().any(|name| match name.strip_suffix(':') {
                Some(stem) => given.strip_prefix(stem).is_some_and(|rest| matches!(rest, "" | ":min" | ":max")),
                None => given == *name,
            })
        };
        match self.pairs.iter().find(|(name, _)| !known(name)) {
            None => Ok(()),
            Some((name, _)) => Err(self.invalid(format!("The filter `{name}` is not known here."))),
        }
    }

    pub(super) fn invalid(&self, why: String) -> Refusal {
        refuse(if self.generation == Generation::V2 { 400 } else { 422 }, why)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.text(name).map(|value| value.parse().map_err(|_| self.invalid(format!("`{name}` must be a number.")))).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(self.invalid(format!("`{name}` must be true or false."))),
        }
    }

    /// A list of numbers, divided by commas.
    pub(super) fn numbers(&self, name: &str) -> Result<Option<HashSet<u64>>, Refusal> {
        let parse = |part: &str| part.trim().parse().map_err(|_| self.invalid(format!("`{name}` must hold numbers.")));
        self.text(name).map(|value| value.split(',').map(parse).collect()).transpose()
    }

    /// A list of texts, divided by commas.
    pub(super) fn texts(&self, name: &str) -> Option<HashSet<String>> {
        self.text(name).map(|value| value.split(',').map(|part| part.trim().to_lowercase()).collect())
    }

    /// The parts that `include` names, each of which must be known.
    pub(super) fn include(&self, known: &[&str]) -> Result<HashSet<String>, Refusal> {
        let named = self.texts("include").unwrap_or_default();
        match named.iter().find(|part| !known.contains(&part.as_str())) {
            None => Ok(named),
            Some(part) => Err(self.invalid(format!("`{part}` can not be included."))),
        }
    }

    /// The time a parameter names, in seconds. A day without a time of day is meant at `start`.
    fn time(&self, name: &str, start: impl Fn(i64) -> i64) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let day = || Some(chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
        let whole = || {
            let time = chrono::DateTime::parse_from_rfc3339(text).or_else(|_| chrono::DateTime::parse_from_rfc2822(text));
            time.ok().map(|time| time.timestamp())
        };
        // Without an offset a time is the store's own, which is UTC here.
        let local = || Some(chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?.and_utc().timestamp());
        let seconds = whole().or_else(local).or_else(|| day().map(start));
        seconds.map(Some).ok_or_else(|| self.invalid(format!("`{name}` must be a time.")))
    }

    /// The range that `min_<name>` and `max_<name>` give.
    pub(super) fn range_v2(&self, name: &str) -> Result<Range, Refusal> {
        let (min, max) = (self.time(&format!("min_{name}"), |day| day)?, self.time(&format!("max_{name}"), |day| day)?);
        Ok(Range { exactly: None, min, max, exclusive: self.exclusive })
    }

    /// The range that `<name>`, `<name>:min` and `<name>:max` give.
    pub(super) fn range(&self, name: &str) -> Result<Range, Refusal> {
        self.range_from(name, |day| day)
    }

    /// As [`Query::range`], where a day without a time of day is taken at the present time of day.
    pub(super) fn range_at_this_hour(&self, name: &str) -> Result<Range, Refusal> {
        self.range_from(name, |day| day + self.now_s.rem_euclid(86_400))
    }

    fn range_from(&self, name: &str, start: impl Fn(i64) -> i64 + Copy) -> Result<Range, Refusal> {
        let (min, max) = (self.time(&format!("{name}:min"), start)?, self.time(&format!("{name}:max"), start)?);
        Ok(Range { exactly: self.time(name, start)?, min, max, exclusive: self.exclusive })
    }

    /// Whether a field is sorted by upwards: `sort=field`, `sort=field:asc` and `direction=asc` in all their combinations.
    pub(super) fn sort(&self, known: &[&'static str]) -> Result<(&'static str, bool), Refusal> {
        let (field, direction) = match self.text("sort").map(|sort| sort.split_once(':').unwrap_or((sort, "asc"))) {
            None => ("id", self.text("direction").unwrap_or("asc")),
            Some((field, direction)) => (field, self.text("direction").unwrap_or(direction)),
        };
        let field = known.iter().find(|name| **name == field).copied().or((field == "id").then_some("id"));
        match (field, direction) {
            (Some(field), "asc") => Ok((field, true)),
            (Some(field), "desc") => Ok((field, false)),
            _ => Err(self.invalid("`sort` is not known here.".to_owned())),
        }
    }

    /// Page and rows of a page.
    pub(super) fn page(&self) -> Result<(u64, u64), Refusal> {
        let page = self.number("page")?.unwrap_or(1);
        let limit = self.number("limit")?.unwrap_or(USUAL_PAGE);
        if limit > LARGEST_PAGE {
            return Err(refuse(413, format!("A page has at most {LARGEST_PAGE} rows.")));
        }
        if page == 0 || limit == 0 {
            return Err(self.invalid("`page` and `limit` count from 1.".to_owned()));
        }
        Ok((page, limit.min(self.cap)))
    }

    /// Cuts the page out of what matched.
    pub(super) fn cut<T>(&self, matched: impl Iterator<Item = T>) -> Result<Vec<T>, Refusal> {
        let (page, limit) = self.page()?;
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(matched.skip(size((page - 1).saturating_mul(limit))).take(size(limit)).collect())
    }

    /// A page of v3 out of everything that matched. `row` makes a row.
    pub(super) fn paged<T>(&self, matched: Vec<T>, row: impl FnMut(T) -> Value) -> Result<Reply, Refusal> {
        let total = matched.len() as u64;
        let rows: Vec<Value> = self.cut(matched.into_iter())?.into_iter().map(row).collect();
        Ok(Reply::json(200, &json!({"meta": {"pagination": self.pagination(total, rows.len())?}, "data": rows})))
    }

    /// As [`Query::paged`], for lists that can be walked by cursor too. `id` tells what a cursor points to.
    pub(super) fn walked<T>(&self, matched: Vec<T>, id: impl Fn(&T) -> u64, mut row: impl FnMut(T) -> Value) -> Result<Reply, Refusal> {
        let (page, limit) = self.page()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let total = matched.len();
        let place = |name: &str| {
            let Some(cursor) = self.text(name) else { return Ok(None) };
            let wanted = read_cursor(cursor).ok_or_else(|| self.invalid(format!("`{name}` is no cursor.")))?;
            let found = matched.iter().position(|one| id(one) == wanted);
            found.map(Some).ok_or_else(|| self.invalid(format!("`{name}` points to a row that is not in this list.")))
        };
        let (after, before) = (place("after")?, place("before")?);
        let start = match (after, before) {
            (Some(_), Some(_)) => return Err(self.invalid("One of `after` and `before`.".to_owned())),
            (Some(place), None) => place + 1,
            (None, Some(place)) => place.saturating_sub(limit),
            (None, None) => usize::try_from(page - 1).unwrap_or(usize::MAX).saturating_mul(limit).min(total),
        };
        let end = before.unwrap_or_else(|| start.saturating_add(limit).min(total));
        let ids: Vec<u64> = matched[start..end].iter().map(&id).collect();
        let rows: Vec<Value> = matched.into_iter().skip(start).take(end - start).map(&mut row).collect();
        let by_cursor = after.is_some() || before.is_some();
        let mut meta = json!({});
        if !by_cursor {
            meta["pagination"] = self.pagination(total as u64, rows.len())?;
        }
        if by_cursor || page == 1 {
            let cursor = |id: Option<&u64>| id.map(|id| write_cursor(*id)).unwrap_or_default();
            let (first, last) = (cursor(ids.first()), cursor(ids.last()));
            let mut links = json!({"current": self.link(&[])});
            if start > 0 && !ids.is_empty() {
                links["previous"] = self.link(&[("before", first.clone())]).into();
            }
            if end < total {
                links["next"] = self.link(&[("after", last.clone())]).into();
            }
            meta["cursor_pagination"] =
                json!({"count": rows.len(), "per_page": limit, "start_cursor": first, "end_cursor": last, "links": links});
        }
        Ok(Reply::json(200, &json!({"data": rows, "meta": meta})))
    }

    fn pagination(&self, total: u64, count: usize) -> Result<Value, Refusal> {
        let (page, limit) = self.page()?;
        let pages = total.div_ceil(limit);
        let link = |page: u64| self.link(&[("page", page.to_string()), ("limit", limit.to_string())]);
        let mut links = json!({"current": link(page)});
        if page > 1 {
            links["previous"] = link(page - 1).into();
        }
        if page < pages {
            links["next"] = link(page + 1).into();
        }
        Ok(json!({"total": total, "count": count, "per_page": limit, "current_page": page, "total_pages": pages, "links": links}))
    }

    /// This query with other places: links are queries, not addresses.
    fn link(&self, places: &[(&str, String)]) -> String {
        let kept = self.pairs.iter().filter(|(name, _)| {
            let moves = matches!(name.as_str(), "page" | "after" | "before") && !places.is_empty();
            !moves && !places.iter().any(|(place, _)| place == name)
        });
        let all =
            kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(places.iter().map(|(name, value)| (*name, value.as_str())));
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%5F", "_").replace("%2D", "-");
        let parts: Vec<String> = all.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        format!("?{}", parts.join("&"))
    }
}

/// A list of v2: bare, and with no body at all when there is nothing.
pub(super) fn bare(rows: Vec<Value>) -> Reply {
    if rows.is_empty() { nothing() } else { Reply::json(200, &Value::Array(rows)) }
}

/// What v2 answers where others have an empty list.
pub(super) fn nothing() -> Reply {
    Reply { status: 204, content_type: "application/json", headers: Vec::new(), body: bytes::Bytes::new() }
}

/// Bounds in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    exactly: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    exclusive: bool,
}

impl Range {
    /// No second before this one is in it.
    pub(super) fn earliest(&self) -> i64 {
        self.exactly.or(self.min).unwrap_or(i64::MIN)
    }

    pub(super) fn holds(&self, seconds: i64) -> bool {
        let edge = i64::from(self.exclusive);
        self.exactly.is_none_or(|only| seconds == only)
            && self.min.is_none_or(|min| seconds >= min.saturating_add(edge))
            && self.max.is_none_or(|max| seconds <= max.saturating_sub(edge))
    }
}

/// Cursors mean nothing to whoever is given them.
fn write_cursor(id: u64) -> String {
    hex(format!("row:{id}").as_bytes())
}

fn read_cursor(cursor: &str) -> Option<u64> {
    let byte = |place: usize| u8::from_str_radix(cursor.get(place..place + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..cursor.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()?.strip_prefix("row:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        // 13:45:00 of some day.
        Query::read(Generation::V3, text, 1_788_270_300_000, false)
    }

    fn body(reply: Result<Reply, Refusal>) -> Value {
        reply.map_or(Value::Null, |reply| serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    #[test]
    fn a_day_without_a_time_is_midnight_and_in_the_catalog_the_present_time_of_that_day() {
        let query = query("date_modified:min=2026-03-05");
        let midnight = 1_772_668_800;
        let plain = query.range("date_modified").unwrap_or_else(|_| unreachable!());
        assert!(plain.holds(midnight) && !plain.holds(midnight - 1));
        let quirk = query.range_at_this_hour("date_modified").unwrap_or_else(|_| unreachable!());
        let time_of_day = 1_788_270_300 % 86_400;
        assert!(quirk.holds(midnight + time_of_day) && !quirk.holds(midnight + time_of_day - 1));
    }

    #[test]
    fn cursors_walk_a_list_both_ways() {
        let list = || (1..=7_u64).collect::<Vec<_>>();
        let first = body(query("limit=3").walked(list(), |id| *id, Value::from));
        assert_eq!(first["data"], json!([1, 2, 3]));
        assert!(first["meta"]["pagination"].is_object(), "the first page has both blocks");
        let end = first["meta"]["cursor_pagination"]["end_cursor"].as_str().unwrap_or_default().to_owned();
        let second = body(query(&format!("limit=3&after={end}")).walked(list(), |id| *id, Value::from));
        assert_eq!((&second["data"], &second["meta"]["pagination"]), (&json!([4, 5, 6]), &Value::Null));
        let start = second["meta"]["cursor_pagination"]["start_cursor"].as_str().unwrap_or_default();
        let back = body(query(&format!("limit=3&before={start}")).walked(list(), |id| *id, Value::from));
        assert_eq!(back["data"], json!([1, 2, 3]));
        assert!(query("after=zz").walked(list(), |id| *id, Value::from).is_err());
    }

    #[test]
    fn links_are_queries_that_keep_the_filters() {
        let page = body(query("id:in=1,2&limit=1&page=1").paged(vec![1, 2], Value::from));
        let links = &page["meta"]["pagination"]["links"];
        assert_eq!(links["next"], "?id%3Ain=1%2C2&page=2&limit=1");
        assert_eq!(links["previous"], Value::Null);
    }
}
