//! Repeats in the audit log: what comes again and again within a minute is counted, and stored as one entry.
//!
//! The first is stored at once, and those after it as a second entry when their minute is over. It reads no clock: each
//! entry has its time, Unix milliseconds.

use hashlink::LinkedHashMap;

use crate::app::audit::{Action, AuditEntry};

/// How long the same counts as a repeat.
const WINDOW_MS: u64 = 60_000;
/// Entries that are told apart. Of more, those that began first are stored early.
const MAX_OPEN: usize = 10_000;

/// What makes two entries the same: what was done, from where, by whom, and to what.
type Key = (&'static str, Option<String>, Option<String>, String);

struct Repeat {
    begun_at: u64,
    /// The last one, and how many there were after the first.
    last: AuditEntry,
    count: u32,
}

/// What has been stored within a minute and may come again.
#[derive(Default)]
pub struct Repeats(LinkedHashMap<Key, Repeat>);

fn key(entry: &AuditEntry) -> Key {
    let AuditEntry { who, address, what, about, detail, .. } = entry;
    // One that has a reference is asked for by it.
    let told_apart = [&detail.email, &detail.label, &detail.provider, &detail.reference];
    let [email, label, provider, reference] = told_apart.map(|text| text.as_deref().unwrap_or_default());
    let about = about.as_ref().map_or("", |about| &about.id);
    (
        what.name(),
        address.clone(),
        who.id.clone(),
        format!("{about}\n{email}\n{label}\n{provider}\n{reference}"),
    )
}

impl Repeats {
    /// Takes what was done. What is to be stored of it now, with what became due.
    pub fn admit(&mut self, entries: Vec<AuditEntry>) -> Vec<AuditEntry> {
        let mut stored = Vec::with_capacity(entries.len());
        for entry in entries {
            stored.extend(self.due(entry.at));
            if !Action::is_repeatable(entry.what) {
                stored.push(entry);
                continue;
            }
            let key = key(&entry);
            if let Some(known) = self.0.get_mut(&key) {
                known.count = known.count.saturating_add(1);
                known.last = entry;
                continue;
            }
            if self.0.len() >= MAX_OPEN {
                stored.extend(self.0.pop_front().and_then(|(_, first)| first.into_entry()));
            }
            self.0.insert(key, Repeat { begun_at: entry.at, last: entry.clone(), count: 0 });
            stored.push(entry);
        }
        stored
    }

    /// The repeats whose minute is over at a time.
    pub fn due(&mut self, now: u64) -> Vec<AuditEntry> {
        let mut due = Vec::new();
        // A clock that was set back ends all minutes.
        let is_over = |one: &Repeat| now.checked_sub(one.begun_at).is_none_or(|age| age >= WINDOW_MS);
        while self.0.front().is_some_and(|(_, first)| is_over(first)) {
            due.extend(self.0.pop_front().and_then(|(_, first)| first.into_entry()));
        }
        due
    }

    /// All repeats, whether their minute is over or not.
    pub fn take_all(&mut self) -> Vec<AuditEntry> {
        self.0.drain().filter_map(|(_, one)| one.into_entry()).collect()
    }
}

impl Repeat {
    /// The entry that stands for the repeats; `None` where there was none.
    fn into_entry(self) -> Option<AuditEntry> {
        let Self { mut last, count, .. } = self;
        last.detail.count = Some(count).filter(|count| *count > 0);
        last.detail.count.is_some().then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::audit::{Actor, ActorKind, Detail};

    fn entry(what: Action, at: u64, email: &str) -> AuditEntry {
        let address = Some("192.0.2.1".to_owned());
        let detail = Detail::email(email);
        AuditEntry { n: 0, at, who: Actor::default(), address, what, about: None, detail }
    }

    fn failed(at: u64, email: &str) -> AuditEntry {
        entry(Action::SignInFailed, at, email)
    }

    #[test]
    fn what_repeats_within_a_minute_is_one_entry_with_a_count() {
        let mut repeats = Repeats::default();
        let mut stored = Vec::new();
        for second in 0..50 {
            stored.extend(repeats.admit(vec![failed(5_000 + second * 1_000, "ada")]));
        }
        assert_eq!(stored, [failed(5_000, "ada")], "the first at once");
        assert_eq!(repeats.due(64_999), []);
        let mut rest = failed(54_000, "ada");
        rest.detail.count = Some(49);
        assert_eq!(repeats.due(65_000), [rest]);
        assert_eq!(
            repeats.admit(vec![failed(65_001, "ada")]),
            [failed(65_001, "ada")],
            "a minute of its own"
        );
        assert_eq!(repeats.take_all(), [], "nothing came again");
        assert!(repeats.0.is_empty());
    }

    #[test]
    fn others_and_what_says_something_each_time_are_entries_of_their_own() {
        let mut repeats = Repeats::default();
        let other = AuditEntry { address: None, ..failed(1, "ada") };
        let signed_out = entry(Action::SignOut, 1, "");
        let all = vec![failed(1, "ada"), failed(1, "bob"), other, signed_out.clone(), signed_out];
        assert_eq!(repeats.admit(all.clone()), all);
    }

    #[test]
    fn a13_sign_ins_of_one_account_from_one_address_in_one_way_are_counted() {
        let signed_in = |at: u64, account: &str, provider: Option<&str>| {
            let who = Actor::new(ActorKind::Account, Some(account.to_owned()), account);
            let detail =
                provider.map_or_else(Detail::default, |name| Detail::default().by_provider(name, None, None));
            AuditEntry { who, ..entry(Action::SignIn, at, "").with(detail) }
        };
        let mut repeats = Repeats::default();
        let firsts =
            [signed_in(1, "ada", None), signed_in(1, "ada", Some("Keycloak")), signed_in(1, "bob", None)];
        for _ in 0..3 {
            repeats.admit(firsts.to_vec());
        }
        let counts =
            repeats.take_all().into_iter().map(|one| (one.who.name, one.detail.provider, one.detail.count));
        let two =
            |name: &str, provider: Option<&str>| (name.to_owned(), provider.map(str::to_owned), Some(2));
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [two("ada", None), two("ada", Some("Keycloak")), two("bob", None)]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let mut repeats = Repeats::default();
        repeats.admit(vec![failed(90_000, "ada"), failed(90_001, "ada")]);
        let stored = repeats.admit(vec![failed(10, "ada")]);
        assert_eq!((stored.len(), stored[0].detail.count, stored[1].detail.count), (2, Some(1), None));
    }

    #[test]
    fn s10_memory_is_bounded_and_nothing_is_lost_by_that() {
        let mut repeats = Repeats::default();
        repeats.admit(vec![failed(1, "first"), failed(2, "first")]);
        let many = (0..2 * MAX_OPEN).map(|n| failed(3, &n.to_string())).collect();
        let stored = repeats.admit(many);
        assert_eq!(repeats.0.len(), MAX_OPEN);
        assert_eq!(stored.len(), 2 * MAX_OPEN + 1);
        assert!(stored.iter().any(|one| one.detail.count == Some(1)));
    }
}
