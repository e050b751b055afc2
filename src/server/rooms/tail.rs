//! The end of a room's log, encoded, in memory: for those who resume (S7).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::dashboard::ClientId;

/// The last commits of a log, without a gap, up to its end.
#[derive(Debug)]
pub struct Tail {
    commits: VecDeque<TailCommit>,
    bytes: usize,
    max_commits: usize,
    max_bytes: usize,
}

/// A durable commit.
#[derive(Clone, Debug)]
pub struct TailCommit {
    pub revision: u64,
    /// Empty for a commit read from the store, whose author is in its body.
    pub author: Option<(ClientId, u64)>,
    pub body: Arc<str>,
}

impl Tail {
    pub fn new(max_commits: usize, max_bytes: usize) -> Self {
        Self { commits: VecDeque::new(), bytes: 0, max_commits, max_bytes }
    }

    /// Adds the commit that follows the last.
    pub fn push(&mut self, commit: TailCommit) {
        self.bytes += commit.body.len();
        self.commits.push_back(commit);
        while self.commits.len() > self.max_commits || self.bytes > self.max_bytes {
            let Some(oldest) = self.commits.pop_front() else { break };
            self.bytes -= oldest.body.len();
        }
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
            |commit: &&TailCommit| commit.author.as_ref().is_some_and(|(by, at)| *at == seq && by == client);
        self.commits.iter().rev().find(same).map(|commit| commit.body.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(revision: u64) -> TailCommit {
        let client = ClientId::new("c1").expect("an id");
        TailCommit { revision, author: Some((client, revision)), body: revision.to_string().into() }
    }

    #[test]
    fn s7_a_tail_says_how_far_back_it_reaches() {
        let mut tail = Tail::new(3, 1_000);
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
        let mut tail = Tail::new(100, 2);
        (1..=5).for_each(|revision| tail.push(commit(revision)));
        assert_eq!(tail.after(3).map(|all| all.len()), Some(2));
        assert_eq!(tail.after(2), None);
    }
}
