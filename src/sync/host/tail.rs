//! The end of a room's log, encoded, in memory: for those who resume (S7).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::log::LogCommit;
use crate::dashboard::ClientId;

/// The last commits of a log, without a gap, up to its end.
#[derive(Debug)]
pub struct Tail {
    commits: VecDeque<LogCommit>,
    bytes: usize,
    max_commits: usize,
    max_bytes: usize,
    budget: TailBudget,
}

/// Budget of the bytes in the tails of all rooms together; a copy is the same one.
#[derive(Clone, Debug)]
pub struct TailBudget {
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

impl TailBudget {
    pub fn new(max_bytes: usize) -> Self {
        Self { bytes: Arc::default(), max_bytes }
    }

    /// Bytes in all tails now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.bytes() > self.max_bytes
    }
}

impl Tail {
    pub fn new(max_commits: usize, max_bytes: usize, budget: TailBudget) -> Self {
        Self { commits: VecDeque::new(), bytes: 0, max_commits, max_bytes, budget }
    }

    /// One of the same bounds and the same budget, with nothing in it.
    pub fn emptied(&self) -> Self {
        Self::new(self.max_commits, self.max_bytes, self.budget.clone())
    }

    /// Bytes of the commits here.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the commit that follows the last. Where there is no room for it, here or in all tails, the
    /// oldest here go.
    pub fn push(&mut self, commit: LogCommit) {
        self.bytes += commit.body.len();
        self.budget.bytes.fetch_add(commit.body.len(), Relaxed);
        self.commits.push_back(commit);
        while self.commits.len() > self.max_commits || self.bytes > self.max_bytes || self.budget.is_over() {
            if !self.forget_oldest() {
                break;
            }
        }
    }

    /// Where the tails of all rooms take most of their budget, gives up what is more than an equal part of
    /// it: a room that had the budget first does not keep it from those that are busy now.
    pub fn share(&mut self, rooms: usize) {
        let fair = self.budget.max_bytes / rooms.max(1);
        while self.bytes > fair && self.budget.bytes() > self.budget.max_bytes / 4 * 3 {
            if !self.forget_oldest() {
                break;
            }
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.commits.pop_front() else { return false };
        self.bytes -= oldest.body.len();
        self.budget.bytes.fetch_sub(oldest.body.len(), Relaxed);
        true
    }

    /// The bodies of every commit after a revision; `None` where the tail does not reach back that far.
    pub fn after(&self, revision: u64) -> Option<Vec<Arc<str>>> {
        let first = self.commits.front()?.revision;
        let skip = usize::try_from((revision + 1).checked_sub(first)?).ok()?;
        Some(self.commits.iter().skip(skip).map(|commit| commit.body.clone()).collect())
    }

    /// The commit at a revision, where it is here.
    pub fn get(&self, revision: u64) -> Option<Arc<str>> {
        let index = revision.checked_sub(self.commits.front()?.revision)?;
        self.commits.get(usize::try_from(index).ok()?).map(|commit| commit.body.clone())
    }

    /// The commit of a client's change, where it is here.
    pub fn find(&self, client: &ClientId, seq: u64) -> Option<Arc<str>> {
        let same =
            |commit: &&LogCommit| commit.author.as_ref().is_some_and(|(by, at)| *at == seq && by == client);
        self.commits.iter().rev().find(same).map(|commit| commit.body.clone())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(max_commits: usize, max_bytes: usize) -> Tail {
        Tail::new(max_commits, max_bytes, TailBudget::new(1_000))
    }

    fn commit(revision: u64) -> LogCommit {
        let client = ClientId::new("c1").expect("an id");
        LogCommit { revision, author: Some((client, revision)), body: revision.to_string().into() }
    }

    #[test]
    fn s7_a_tail_says_how_far_back_it_reaches() {
        let mut tail = tail(3, 1_000);
        assert_eq!(tail.after(0), None);
        (1..=5).for_each(|revision| tail.push(commit(revision)));
        assert_eq!(tail.after(1), None);
        let bodies = |revision| tail.after(revision).map(|all| all.iter().map(|b| b.to_string()).collect());
        let (three, none): (Vec<String>, Vec<String>) = (vec!["3".into(), "4".into(), "5".into()], vec![]);
        assert_eq!(bodies(2), Some(three));
        assert_eq!(bodies(5), Some(none));
        let client = ClientId::new("c1").expect("an id");
        assert_eq!(tail.find(&client, 4).as_deref(), Some("4"));
        assert_eq!(tail.find(&client, 1), None);
        let there = [2, 3, 5, 6].map(|revision| tail.get(revision).is_some());
        assert_eq!(there, [false, true, true, false]);
    }

    #[test]
    fn s10_a_tail_is_bounded_by_bytes_too() {
        let mut tail = tail(100, 2);
        (1..=5).for_each(|revision| tail.push(commit(revision)));
        assert_eq!(tail.after(3).map(|all| all.len()), Some(2));
        assert_eq!(tail.after(2), None);
    }

    #[test]
    fn s10_the_tails_of_all_rooms_have_one_bound() {
        let budget = TailBudget::new(8);
        let new = || Tail::new(100, 6, budget.clone());
        let (mut first, mut second) = (new(), new());
        (1..=9).for_each(|revision| first.push(commit(revision)));
        assert_eq!(budget.bytes(), 6);
        (1..=9).for_each(|revision| second.push(commit(revision)));
        assert_eq!((budget.bytes(), second.after(7).map(|all| all.len())), (8, Some(2)), "what is left");
        assert_eq!(second.after(6), None);
        // The one that was first gives up what is more than its part, and the other has room.
        first.share(2);
        assert_eq!((budget.bytes(), first.after(5).map(|all| all.len())), (6, Some(4)));
        second.push(LogCommit { body: "x".into(), ..commit(10) });
        assert_eq!(second.after(7).map(|all| all.len()), Some(3));
        let mut third = new();
        (1..=9).for_each(|revision| third.push(commit(revision)));
        assert!(budget.bytes() <= 8);
        drop((first, second));
        assert!(budget.bytes() <= 1, "what a room had is free with it: {}", budget.bytes());
        assert!(third.after(9).is_none_or(|all| all.is_empty()));
    }
}
