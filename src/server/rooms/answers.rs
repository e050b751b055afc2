//! Encoded answers to the joins of one room, made once for all who come at the same revision.

use std::sync::Arc;

use super::frames::join;
use crate::server::unsent::{Busy, Encoded, Share, Unsent};

/// What joins at the log's end are answered with. A commit makes all of it old.
#[derive(Debug, Default)]
pub struct Answers {
    snapshot: Option<Encoded>,
    commits: Option<EncodedCommits>,
}

/// Commits up to the log's end: who has more of them gets the end of the same bytes.
#[derive(Debug)]
struct EncodedCommits {
    /// The revision that they come after.
    after: u64,
    /// Where each of them begins.
    starts: Vec<usize>,
    encoded: Encoded,
}

impl Answers {
    /// The whole dashboard, which has some `about` bytes: where there is no room for these, it is not
    /// encoded first.
    pub fn snapshot(
        &mut self,
        unsent: &Unsent,
        about: usize,
        encode: impl FnOnce() -> String,
    ) -> Result<Share, Busy> {
        if let Some(share) = self.snapshot.as_mut().and_then(|encoded| encoded.share(unsent)) {
            return share;
        }
        has_room(unsent, about)?;
        let (encoded, share) = Encoded::new(encode(), unsent)?;
        self.snapshot = Some(encoded);
        Ok(share)
    }

    /// The commits after a revision; `None` where they have to be encoded first.
    pub fn commits(&mut self, unsent: &Unsent, after: u64) -> Option<Result<Share, Busy>> {
        let known = self.commits.as_mut()?;
        let skip = usize::try_from(after.checked_sub(known.after)?).ok()?;
        let start = *known.starts.get(skip)?;
        let share = known.encoded.share(unsent)?;
        Some(share.map(|share| Share { bytes: share.bytes.slice(start..), ..share }))
    }

    /// Encodes the commits after a revision, all up to the log's end.
    pub fn encode_commits(
        &mut self,
        unsent: &Unsent,
        after: u64,
        bodies: &[Arc<str>],
    ) -> Result<Share, Busy> {
        let mut end = 0;
        let start = |body: &Arc<str>| {
            let start = end;
            end += body.len() + 1;
            start
        };
        let starts = bodies.iter().map(start).collect();
        has_room(unsent, end)?;
        let mut text = String::with_capacity(end);
        join(&mut text, bodies);
        let (encoded, share) = Encoded::new(text, unsent)?;
        self.commits = Some(EncodedCommits { after, starts, encoded });
        Ok(share)
    }
}

fn has_room(unsent: &Unsent, bytes: usize) -> Result<(), Busy> {
    if unsent.has_room(bytes) {
        return Ok(());
    }
    unsent.close_slowest(bytes);
    Err(Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_who_has_more_gets_the_end_of_the_same_bytes() {
        let unsent = Unsent::new(1_000);
        let mut answers = Answers::default();
        assert!(answers.commits(&unsent, 4).is_none());
        let bodies: Vec<Arc<str>> = ["five", "six", "seven"].map(Arc::from).to_vec();
        let all = answers.encode_commits(&unsent, 4, &bodies).expect("fits");
        assert_eq!(&all.bytes[..], b"five,six,seven");
        for (after, expected) in [(4, &b"five,six,seven"[..]), (5, b"six,seven"), (6, b"seven")] {
            let share = answers.commits(&unsent, after).expect("they are here").expect("fits");
            assert_eq!(&share.bytes[..], expected);
        }
        assert_eq!(unsent.bytes(), all.bytes.len(), "counted once");
        for after in [3, 7] {
            assert!(answers.commits(&unsent, after).is_none(), "{after}");
        }
    }

    #[test]
    fn s10_a_snapshot_is_encoded_once_and_not_at_all_without_room() {
        let unsent = Unsent::new(100);
        let mut answers = Answers::default();
        let mut encoded = 0;
        let mut ask = |answers: &mut Answers| {
            answers.snapshot(&unsent, 60, || {
                encoded += 1;
                "x".repeat(60)
            })
        };
        let shares = [ask(&mut answers), ask(&mut answers), ask(&mut answers)];
        assert!(shares.iter().all(Result::is_ok));
        assert_eq!(unsent.bytes(), 60);
        assert_eq!(ask(&mut Answers::default()).err(), Some(Busy), "another revision");
        assert_eq!(encoded, 1);
    }
}
