//! Windows of a list, and what becomes of its order when they are asked for again.

use std::collections::{BTreeMap, BTreeSet};

use crate::dashboard::DashboardId;

/// A run of the list as it was answered last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// What it was asked for with; `None` for the first.
    pub after: Option<String>,
    /// By this the server knows the same answer again.
    pub etag: Option<String>,
    pub ids: Vec<DashboardId>,
}

/// Changes of the order that do not show yet, so that nothing moves away from under somebody's hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The first window as it is now; empty where it did not change.
    first: Vec<DashboardId>,
    /// What is in the list no more.
    gone: BTreeSet<DashboardId>,
    /// What is new further down, each with the one before it.
    between: Vec<(DashboardId, DashboardId)>,
}

impl Held {
    /// Takes a new answer for a window. `shown` is the order that shows, `more` says that others follow the
    /// answer.
    pub fn take(
        &mut self,
        nth: usize,
        window: &Window,
        answer: &[DashboardId],
        shown: &[DashboardId],
        more: bool,
    ) {
        for id in gone(&window.ids, answer, shown, more) {
            self.gone.insert(id);
        }
        for id in answer {
            self.gone.remove(id);
        }
        if nth == 0 {
            self.first = answer.to_vec();
            return;
        }
        for pair in answer.windows(2).filter(|pair| !shown.contains(&pair[1])) {
            self.between.retain(|(_, new)| *new != pair[1]);
            self.between.push((pair[0].clone(), pair[1].clone()));
        }
    }

    /// The order that `shown` becomes.
    pub fn order(&self, shown: &[DashboardId]) -> Vec<DashboardId> {
        let first: BTreeSet<&DashboardId> = self.first.iter().collect();
        let left = shown.iter().filter(|id| !first.contains(id) && !self.gone.contains(*id));
        let mut order: Vec<DashboardId> = self.first.iter().chain(left).cloned().collect();
        for (before, new) in &self.between {
            if order.contains(new) || self.gone.contains(new) {
                continue;
            }
            if let Some(at) = order.iter().position(|id| id == before) {
                order.insert(at + 1, new.clone());
            }
        }
        order
    }

    /// How many came, went or moved up, from an order to another.
    pub fn count(from: &[DashboardId], to: &[DashboardId]) -> usize {
        let before: BTreeMap<&DashboardId, usize> = from.iter().zip(0..).collect();
        let places: Vec<usize> = to.iter().filter_map(|id| before.get(id).copied()).collect();
        let (came, went) = (to.len() - places.len(), from.len() - places.len());
        // Whoever stands before one that was before it has moved up; the others only made room.
        let mut first_behind = usize::MAX;
        let mut moved = 0;
        for place in places.into_iter().rev() {
            moved += usize::from(place > first_behind);
            first_behind = first_behind.min(place);
        }
        came + went + moved
    }
}

/// What a window had and the list has no more: what stood before the last one of the answer and is not in it.
/// What stood behind that was only pushed out by new ones.
fn gone(
    before: &[DashboardId],
    answer: &[DashboardId],
    shown: &[DashboardId],
    more: bool,
) -> Vec<DashboardId> {
    let place = |id: &DashboardId| shown.iter().position(|one| one == id);
    let there: BTreeSet<&DashboardId> = answer.iter().collect();
    let end = answer.last().and_then(&place);
    let missing = before.iter().filter(|id| !there.contains(id));
    // A last one that nobody knew came up from behind the window; where none follows, the answer is all there is.
    missing.filter(|id| !more || end.is_none() || place(id) < end).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<DashboardId> {
        text.chars().map(|name| DashboardId::new(name.to_string()).expect("a letter is an id")).collect()
    }

    /// What `shown` becomes where its first window was `window` and is `answer` now.
    fn becomes(shown: &str, window: &str, answer: &str, more: bool) -> String {
        let mut held = Held::default();
        let window = Window { ids: ids(window), ..Window::default() };
        held.take(0, &window, &ids(answer), &ids(shown), more);
        held.order(&ids(shown)).iter().map(DashboardId::as_str).collect()
    }

    #[test]
    fn what_changed_goes_up_and_what_it_pushed_out_stays() {
        assert_eq!(becomes("abcdef", "abc", "eab", true), "eabcdf");
        assert_eq!(becomes("abc", "abc", "nab", true), "nabc");
        assert_eq!(becomes("abc", "abc", "abc", false), "abc");
    }

    #[test]
    fn what_was_deleted_goes_wherever_it_stood() {
        assert_eq!(becomes("abcdef", "abc", "acd", true), "acdef");
        assert_eq!(becomes("abc", "abc", "abx", true), "abx", "the last one, with another from behind it");
        assert_eq!(becomes("abc", "abc", "ab", false), "ab");
        assert_eq!(becomes("abc", "abc", "", false), "");
    }

    #[test]
    fn a_window_further_down_changes_in_its_place() {
        let mut held = Held::default();
        let window = Window { ids: ids("de"), ..Window::default() };
        held.take(1, &window, &ids("dn"), &ids("abcde"), true);
        assert_eq!(held.order(&ids("abcde")), ids("abcdn"));
        // It came back.
        held.take(1, &Window { ids: ids("dn"), ..Window::default() }, &ids("de"), &ids("abcde"), true);
        assert!(held.order(&ids("abcde")).contains(&ids("e")[0]));
    }

    #[test]
    fn changes_are_counted_as_people_would() {
        for (from, to, count) in [
            ("abcd", "abcd", 0),
            ("abcd", "dabc", 1),
            ("abcd", "dcab", 2),
            ("abcd", "nabcd", 1),
            ("abcd", "acd", 1),
            ("abcd", "ndac", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(Held::count(&ids(from), &ids(to)), count, "{from} {to}");
        }
    }
}
