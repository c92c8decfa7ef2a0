//! Rounds of work taken in turns, so that whatever slows the machine slows all of them.

use std::time::{Duration, Instant};

/// Something to measure: called once per round, for all documents.
pub type Work<'a> = Box<dyn FnMut() + 'a>;

/// What some work cost.
pub struct Cost {
    /// The fastest round: the least disturbed by other programs.
    pub best: Duration,
    /// The round in the middle.
    pub median: Duration,
}

/// Runs every work in turns until `budget` is spent, at least 15 rounds. The first two rounds warm up and do not count.
pub fn rounds(budget: Duration, works: &mut [Work<'_>]) -> Vec<Cost> {
    let mut taken: Vec<Vec<Duration>> = works.iter().map(|_| Vec::new()).collect();
    let mut started = Instant::now();
    let mut round = 0;
    while round < 17 || started.elapsed() < budget {
        for (work, taken) in works.iter_mut().zip(&mut taken) {
            let before = Instant::now();
            work();
            taken.push(before.elapsed());
        }
        round += 1;
        if round == 2 {
            taken.iter_mut().for_each(Vec::clear);
            started = Instant::now();
        }
    }
    taken
        .into_iter()
        .map(|mut taken| {
            taken.sort_unstable();
            Cost { best: taken[0], median: taken[taken.len() / 2] }
        })
        .collect()
}
