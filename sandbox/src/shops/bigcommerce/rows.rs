//! Rows with numbers for ids, in the order of ids and in that of their last change.

use std::collections::{BTreeSet, HashSet};

use crate::shops::table::Changes;

/// The rows of one resource. Ids are numbers without gaps from the first on, as long as nothing is deleted.
pub(super) struct Rows {
    first: u64,
    changes: Changes,
    /// Second of the last change, and number.
    by_time: BTreeSet<(i64, u64)>,
    gone: HashSet<u64>,
}

impl Rows {
    pub(super) fn new(first: u64, count: u64, changed_ms: impl Fn(u64) -> i64) -> Self {
        let changes = Changes::new(count, changed_ms);
        let by_time = (0..count).map(|number| (seconds(changes.changed_ms(number)), number)).collect();
        Self { first, changes, by_time, gone: HashSet::new() }
    }

    pub(super) fn id(&self, number: u64) -> u64 {
        self.first + number
    }

    /// The number of the row with that id, where there is one.
    pub(super) fn find(&self, id: u64) -> Option<u64> {
        id.checked_sub(self.first).filter(|number| *number < self.changes.len() && !self.gone.contains(number))
    }

    /// All rows there are, by id.
    pub(super) fn numbers(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.numbers_from(0)
    }

    /// Those from a number on, by id.
    pub(super) fn numbers_from(&self, first: u64) -> impl DoubleEndedIterator<Item = u64> {
        (first..self.changes.len()).filter(|number| !self.gone.contains(number))
    }

    /// Those that changed in that second or later, by their last change and then by id.
    pub(super) fn by_change(&self, second: i64) -> impl DoubleEndedIterator<Item = u64> {
        self.by_time.range((second, 0)..).map(|(_, number)| *number)
    }

    pub(super) fn len(&self) -> u64 {
        self.by_time.len() as u64
    }

    /// When the row changed last. Times are told by the second.
    pub(super) fn changed_s(&self, number: u64) -> i64 {
        seconds(self.changes.changed_ms(number))
    }

    /// How often the row changed since the shop opened.
    pub(super) fn times(&self, number: u64) -> u64 {
        self.changes.change(number).times
    }

    pub(super) fn changed_rows(&self) -> u64 {
        self.changes.changed_rows()
    }

    /// Adds a row and gives its number.
    pub(super) fn push(&mut self, now_ms: i64) -> u64 {
        let number = self.changes.push(now_ms);
        self.by_time.insert((seconds(now_ms), number));
        number
    }

    pub(super) fn touch(&mut self, number: u64, now_ms: i64) {
        self.by_time.remove(&(self.changed_s(number), number));
        self.changes.touch(number, now_ms);
        self.by_time.insert((self.changed_s(number), number));
    }

    /// Changes so many rows, anywhere in the table.
    pub(super) fn touch_some(&mut self, count: u64, now_ms: i64) {
        for _ in 0..count.min(self.len()) {
            if let Some(number) = self.changes.pick().filter(|number| !self.gone.contains(number)) {
                self.touch(number, now_ms);
            }
        }
    }

    /// Deletes a row: nothing tells afterwards that it was there.
    pub(super) fn delete(&mut self, number: u64) {
        self.by_time.remove(&(self.changed_s(number), number));
        self.gone.insert(number);
    }
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_moves_a_row_to_the_end_and_a_deletion_takes_it_out() {
        let mut rows = Rows::new(100, 3, |number| 9_000 - i64::try_from(number).unwrap_or(0) * 1_000);
        assert_eq!(rows.by_change(i64::MIN).collect::<Vec<_>>(), [2, 1, 0]);
        rows.touch(2, 20_500);
        assert_eq!((rows.by_change(9).collect::<Vec<_>>(), rows.changed_s(2)), (vec![0, 2], 20));
        rows.delete(1);
        assert_eq!((rows.find(101), rows.find(102), rows.find(103), rows.find(99)), (None, Some(2), None, None));
        assert_eq!((rows.numbers().collect::<Vec<_>>(), rows.push(30_000), rows.len()), (vec![0, 2], 3, 3));
    }
}
