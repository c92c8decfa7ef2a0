//! The rows of one resource: which there are, when each changed last, and what changed since the shop opened.

use std::collections::HashMap;

/// How often a row has changed since the shop opened, and when last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Change {
    pub(crate) times: u64,
    pub(crate) at_ms: i64,
}

/// When each row of a resource changed last. The rows themselves are made when they are asked for; 200,000 orders would not
/// fit otherwise.
pub(crate) struct Changes {
    /// When the row of that number changed last before the shop opened, or when it was made since.
    base_ms: Vec<i64>,
    changes: HashMap<u64, Change>,
    /// For picking rows to change: the same pages give the same changes.
    random: u64,
}

impl Changes {
    /// `count` rows.
    pub(crate) fn new(count: u64, changed_ms: impl Fn(u64) -> i64) -> Self {
        Self { base_ms: (0..count).map(changed_ms).collect(), changes: HashMap::new(), random: 1 }
    }

    pub(crate) fn len(&self) -> u64 {
        self.base_ms.len() as u64
    }

    /// Adds a row and gives its number.
    pub(crate) fn push(&mut self, now_ms: i64) -> u64 {
        self.base_ms.push(now_ms);
        self.len() - 1
    }

    /// When the row changed last.
    pub(crate) fn changed_ms(&self, number: u64) -> i64 {
        let base = usize::try_from(number).ok().and_then(|number| self.base_ms.get(number)).copied().unwrap_or(0);
        self.changes.get(&number).map_or(base, |change| change.at_ms)
    }

    /// What happened to the row since the shop opened.
    pub(crate) fn change(&self, number: u64) -> Change {
        self.changes.get(&number).copied().unwrap_or_default()
    }

    /// Changes a row.
    pub(crate) fn touch(&mut self, number: u64, now_ms: i64) {
        let change = self.changes.entry(number).or_default();
        change.times += 1;
        // A row changes after it was made, whatever the clock says.
        change.at_ms = now_ms.max(change.at_ms + 1);
    }

    /// Any row, where there is one.
    pub(crate) fn pick(&mut self) -> Option<u64> {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33).checked_rem(self.len())
    }

    /// Changes so many rows, anywhere in the table.
    pub(crate) fn touch_some(&mut self, count: u64, now_ms: i64) {
        for _ in 0..count.min(self.len()) {
            if let Some(number) = self.pick() {
                self.touch(number, now_ms);
            }
        }
    }

    /// Rows that changed since the shop opened.
    pub(crate) fn changed_rows(&self) -> u64 {
        self.changes.len() as u64
    }
}

/// Rows by id, where ids are in no order that their numbers tell.
pub(crate) struct Table {
    /// Id and number of every row, in the order of ids.
    ids: Vec<(String, u64)>,
    pub(crate) rows: Changes,
}

impl Table {
    /// A table of `count` rows.
    pub(crate) fn new(count: u64, id: impl Fn(u64) -> String, changed_ms: impl Fn(u64) -> i64) -> Self {
        let mut ids: Vec<(String, u64)> = (0..count).map(|number| (id(number), number)).collect();
        ids.sort_unstable();
        Self { ids, rows: Changes::new(count, changed_ms) }
    }

    /// The number of the row with that id.
    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        self.ids.binary_search_by(|(known, _)| known.as_str().cmp(id)).ok().map(|place| self.ids[place].1)
    }

    /// The numbers of the rows behind that id, in the order of ids.
    pub(crate) fn behind(&self, id: Option<&str>) -> impl Iterator<Item = u64> {
        let start = id.map_or(0, |id| self.ids.partition_point(|(known, _)| known.as_str() <= id));
        self.ids[start..].iter().map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_id_and_walked_behind_one() {
        let table = Table::new(3, |number| format!("{}", 9 - number), |_| 0);
        assert_eq!(table.find("8"), Some(1));
        assert_eq!(table.find("1"), None);
        assert_eq!(table.behind(None).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(table.behind(Some("7")).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(table.behind(Some("75")).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_change_moves_the_time_on_even_when_the_clock_stands() {
        let mut rows = Changes::new(2, |_| 50);
        rows.touch(1, 100);
        rows.touch(1, 100);
        assert_eq!((rows.changed_ms(0), rows.changed_ms(1), rows.change(1).times, rows.changed_rows()), (50, 101, 2, 1));
    }
}
