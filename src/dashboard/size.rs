//! Size of a dashboard as JSON: measured once, then kept up with each op.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::Value;

use super::OpError;
use super::widget::escaped_bytes;

/// Bytes of a whole dashboard as JSON, with its tombstones and conflicts: who opens it waits for all of
/// them, and a server holds them for everybody who is on a slow line.
pub const MAX_DASHBOARD_BYTES: usize = 8 * 1024 * 1024;

/// Counts what is written to it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Bytes of a value as JSON. Takes values with string keys only, as all of a dashboard are.
pub fn json_bytes(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // A value that cannot be written cannot be sent either; what was counted until there stands.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Bytes of a field with its value; none where it is unset.
pub(super) fn field_bytes(field: &str, value: &Value) -> usize {
    if value.is_null() { 0 } else { entry_bytes(field, value) }
}

/// Bytes of a value under its key, with what stands between it and the next.
pub(super) fn entry_bytes(key: &str, value: &impl Serialize) -> usize {
    json_bytes(value) + escaped_bytes(key) + r#""":,"#.len()
}

/// The size of a dashboard that is being edited, and its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) bytes: usize,
    pub(super) max_bytes: usize,
}

impl Size {
    /// Checks that so many bytes more keep within the bound.
    pub(super) fn check(&self, more: usize) -> std::result::Result<(), OpError> {
        let fits = more == 0 || self.bytes.saturating_add(more) <= self.max_bytes;
        if fits { Ok(()) } else { Err(OpError::DashboardTooLarge(self.max_bytes)) }
    }

    /// Puts one size in another's place, where it keeps within the bound or is no larger.
    pub(super) fn replace(&mut self, old: usize, new: usize) -> std::result::Result<(), OpError> {
        self.check(new.saturating_sub(old))?;
        self.bytes = (self.bytes + new).saturating_sub(old);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Dashboard, Edit, Frame, Kind, Op, Stamp, User, UserId, Widget, WidgetId};

    const MOST: usize = 300_000;

    fn id(n: usize) -> WidgetId {
        WidgetId::new(format!("w{n}")).expect("an id")
    }

    fn table(bytes: usize) -> Widget {
        let mut table = Widget::new(Kind::Table, "Tabelle \"ä\"", Frame::new(0, 0, 6, 4));
        table.options.insert("data".to_owned(), "x".repeat(bytes).into());
        table
    }

    /// A dashboard, and what an edit is told of its size.
    struct Sized {
        dashboard: Dashboard,
        bytes: usize,
        revision: u64,
    }

    impl Sized {
        fn perform(&mut self, op: Op) -> std::result::Result<(), OpError> {
            self.revision += 1;
            let by = User { id: UserId::new("ada").expect("an id"), ..User::default() };
            let stamp = Stamp { by, at: 1_795_000_000_000, written_at: None, revision: self.revision };
            let mut edit = Edit::new(&mut self.dashboard, stamp).max_bytes(self.bytes, MOST);
            let done = edit.perform(&op);
            self.bytes = edit.bytes();
            edit.finish();
            let (counted, real) = (self.bytes, json_bytes(&self.dashboard));
            // A comma too many for each map that is not empty, and digits of frames.
            let drift = 8 + 12 * (self.dashboard.widgets.len() + self.dashboard.removed.len());
            assert!(counted.abs_diff(real) <= drift, "{op:?}: counted {counted}, is {real}");
            done
        }

        fn set(&mut self, n: usize, bytes: usize) -> std::result::Result<(), OpError> {
            self.perform(Op::Set { id: id(n), field: "data".to_owned(), value: "y".repeat(bytes).into() })
        }
    }

    #[test]
    fn s10_a_full_dashboard_takes_nothing_more_and_can_be_made_smaller() {
        let dashboard = Dashboard::new("Full");
        let bytes = json_bytes(&dashboard);
        let mut sized = Sized { dashboard, bytes, revision: 0 };
        let too_large = Err(OpError::DashboardTooLarge(MOST));
        for n in 0..5 {
            assert_eq!(sized.perform(table(50_000).add_op(id(n))), Ok(()));
        }
        assert_eq!(sized.perform(table(50_000).add_op(id(5))), too_large);
        assert!(!sized.dashboard.widgets.contains_key(&id(5)), "nothing of it is there");
        assert_eq!(sized.perform(table(40_000).add_op(id(5))), Ok(()));
        assert_eq!(sized.set(0, 60_000), too_large);
        assert_eq!(sized.set(0, 50_000), Ok(()), "no larger");
        let place = Op::Place { id: id(3), frame: Frame::new(12, 0, 6, 4), settled: false };
        assert_eq!(sized.perform(place), Ok(()));
        // What is removed stays with its content; what is emptied makes room.
        assert_eq!(sized.perform(Op::RemoveWidget { id: id(1) }), Ok(()));
        assert_eq!(sized.perform(table(50_000).add_op(id(6))), too_large);
        assert_eq!(sized.set(0, 10), Ok(()));
        assert_eq!(sized.perform(table(40_000).add_op(id(6))), Ok(()));
        assert_eq!(sized.perform(Op::RestoreWidget { id: id(1) }), Ok(()));
        let setting = |text: String| Op::SetDashboard { field: "value.host".to_owned(), value: text.into() };
        assert_eq!(sized.perform(setting("v".repeat(4_000))), Ok(()));
        assert_eq!(sized.perform(setting(String::new())), Ok(()));
        assert_eq!(
            sized.perform(Op::SetDashboard { field: "value.host".to_owned(), value: Value::Null }),
            Ok(())
        );
    }

    #[test]
    fn s10_one_that_is_too_large_already_is_made_smaller() {
        let mut dashboard = Dashboard::new("Too large");
        for n in 0..8 {
            dashboard.apply(&table(50_000).add_op(id(n)), &Stamp::default());
        }
        let bytes = json_bytes(&dashboard);
        let mut sized = Sized { dashboard, bytes, revision: 0 };
        assert!(bytes > MOST);
        assert_eq!(sized.perform(table(1).add_op(id(9))), Err(OpError::DashboardTooLarge(MOST)));
        for n in 0..4 {
            assert_eq!(sized.set(n, 5), Ok(()));
        }
        assert_eq!(sized.perform(Op::RemoveWidget { id: id(7) }), Ok(()));
        assert_eq!(sized.perform(table(1).add_op(id(9))), Ok(()));
    }

    #[test]
    fn s10_tombstones_are_kept_by_bytes_and_the_latest_always() {
        const EACH: usize = 60_000;
        let mut dashboard = Dashboard::new("Many");
        for n in 0..100 {
            let stamp = Stamp { revision: n as u64 + 1, ..Stamp::default() };
            dashboard.apply(&table(EACH).add_op(id(n)), &stamp);
            let removal = Op::RemoveWidget { id: id(n) };
            dashboard.apply(&removal, &stamp);
            let gone = dashboard.keep_bounds(&[removal]).removed;
            assert!(gone.iter().all(|(gone, _)| *gone == id(n - 35)), "the oldest first");
            assert!(dashboard.removed.contains_key(&id(n)));
        }
        let most = crate::dashboard::MAX_REMOVED_BYTES / EACH + 1;
        assert!(dashboard.removed.len() <= most && dashboard.removed.len() + 2 >= most);
    }
}
