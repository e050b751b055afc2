//! The state of every sync service in words, for the pill and the status view.

use crate::app::dashboard_store::{Safety, ServiceState, ServiceStatus, SyncState};
use crate::sync::link::{Ended, Link, State};
use crate::sync::protocol::Role;

/// With unsaved edits a cut shows after this long, else after [`QUIET_CUT_MS`].
pub const UNSAVED_CUT_MS: u64 = 1_000;
const QUIET_CUT_MS: u64 = 5_000;
/// Figures that come once a second are late after this long.
const DATA_LATE_MS: u64 = 5_000;

/// What the words are made of.
pub struct Seen<'a> {
    pub link: &'a Link,
    /// The room has answered the join of this connection.
    pub joined: bool,
    /// It ever has.
    pub ever_joined: bool,
    pub role: Role,
    pub pending: usize,
    pub conflicts: usize,
    pub online: bool,
    /// When the connection was lost.
    pub cut_at: Option<u64>,
    pub now: u64,
    pub people: usize,
    pub last_data_at: Option<u64>,
    pub wants_data: bool,
    pub socket_error: Option<&'a str>,
    pub room_error: Option<&'a str>,
    pub resyncs: u32,
    /// Why the edits that wait are not sent, where somebody has to decide.
    pub held: Option<&'a str>,
    /// Who moved the dashboard to the bin, in words, where it is there.
    pub in_bin: Option<&'a str>,
    /// True where this person may see no more of the dashboard than their own edits.
    pub withdrawn: bool,
    /// Own changes that this device keeps.
    pub kept: usize,
    /// Why it keeps none.
    pub not_kept: Option<String>,
}

impl Seen<'_> {
    /// The state of my work.
    pub fn sync_state(&self) -> SyncState {
        if let Some(reason) = self.in_bin {
            return SyncState::Error { reason: reason.to_owned() };
        }
        if let State::Ended(ended) = self.link.state() {
            return SyncState::Error { reason: self.held.unwrap_or(self.reason(ended)).to_owned() };
        }
        if self.joined {
            return match (self.role, self.pending, self.conflicts) {
                (Role::Viewer, ..) => SyncState::ReadOnly,
                (_, 0, 0) => SyncState::Saved,
                (_, 0, _) => SyncState::Conflict,
                _ => SyncState::Saving,
            };
        }
        if !self.online {
            return SyncState::Offline;
        }
        let patience = if self.pending > 0 { UNSAVED_CUT_MS } else { QUIET_CUT_MS };
        let cut = self.cut_at.map_or(0, |at| self.now.saturating_sub(at));
        match (self.ever_joined, cut < patience, self.pending) {
            (false, true, _) => SyncState::Connecting,
            (true, true, 0) => SyncState::Saved,
            (true, true, _) => SyncState::Saving,
            _ => SyncState::Reconnecting { retry_in_ms: self.retry_in_ms() },
        }
    }

    /// Every service of this tab.
    pub fn services(&self) -> Vec<ServiceStatus> {
        vec![self.socket(), self.room(), self.presence(), self.data(), self.offline_store()]
    }

    /// What would be lost with this tab. `fullness` is how much of the room for edits is taken, in percent.
    pub fn safety(&self, fullness: usize) -> Safety {
        let in_bin = self.in_bin.is_some();
        let ended = match self.link.state() {
            State::Ended(ended) => Some(ended),
            // It is looked for now and then, and is not there until it is.
            _ => in_bin.then_some(Ended::NotFound),
        };
        let (kept, not_kept, held) = (self.kept, self.not_kept.clone(), self.held.is_some());
        Safety { kept, not_kept, fullness, ended, held, in_bin, withdrawn: self.withdrawn }
    }

    fn reason(&self, ended: Ended) -> &'static str {
        match ended {
            // The server tells nobody which of the two it is.
            Ended::NotFound if self.withdrawn => {
                "This dashboard was deleted, or you no longer have access to it."
            }
            ended => reason(ended),
        }
    }

    fn retry_in_ms(&self) -> Option<u64> {
        match self.link.state() {
            State::Waiting { until } => Some(until.saturating_sub(self.now)),
            _ => None,
        }
    }

    fn socket(&self) -> ServiceStatus {
        let (state, says) = match self.link.state() {
            State::Open { .. } => (ServiceState::Ok, "Connected.".to_owned()),
            State::Connecting { .. } => (ServiceState::Waiting, "Connecting.".to_owned()),
            State::Waiting { until } => {
                let seconds = until.saturating_sub(self.now).div_ceil(1000);
                (ServiceState::Down, format!("Disconnected. The next try is in {seconds} s."))
            }
            State::Ended(ended) => (ServiceState::Down, self.in_bin.unwrap_or(self.reason(ended)).to_owned()),
        };
        let latency_ms = self.link.latency_ms();
        let last_error = self.socket_error.map(str::to_owned);
        ServiceStatus {
            name: "socket",
            label: "Connection",
            state,
            says,
            last_error,
            latency_ms,
            queue: None,
        }
    }

    fn room(&self) -> ServiceStatus {
        let (state, says) = match (self.joined, self.pending) {
            (true, 0) => (ServiceState::Ok, "Everything is saved.".to_owned()),
            (true, n) => (ServiceState::Waiting, format!("Saving {n}.")),
            (false, 0) => (ServiceState::Waiting, "Not joined.".to_owned()),
            (false, n) => (ServiceState::Waiting, format!("Not joined. Edits that wait to be saved: {n}.")),
        };
        let says = match self.resyncs {
            0 => says,
            n => format!("{says} Copies differed and were mended: {n}."),
        };
        ServiceStatus {
            name: "room",
            label: "Edits",
            state,
            says,
            last_error: self.room_error.map(str::to_owned),
            latency_ms: None,
            queue: Some(self.pending),
        }
    }

    fn presence(&self) -> ServiceStatus {
        let (state, says) = match (self.joined, self.people) {
            (false, _) => (ServiceState::Waiting, "Nobody can be seen while disconnected.".to_owned()),
            (true, 0) => (ServiceState::Ok, "Nobody else is here.".to_owned()),
            (true, 1) => (ServiceState::Ok, "One other session is here.".to_owned()),
            (true, n) => (ServiceState::Ok, format!("{n} other sessions are here.")),
        };
        let label = "Presence";
        ServiceStatus {
            name: "presence",
            label,
            state,
            says,
            last_error: None,
            latency_ms: None,
            queue: None,
        }
    }

    fn data(&self) -> ServiceStatus {
        let age = self.last_data_at.map(|at| self.now.saturating_sub(at));
        let (state, says) = match age {
            _ if !self.wants_data => (ServiceState::Ok, "No widget asks for data.".to_owned()),
            Some(age) if age < DATA_LATE_MS => (ServiceState::Ok, "Live.".to_owned()),
            Some(age) => (ServiceState::Down, format!("The last points came {} s ago.", age / 1000)),
            None => (ServiceState::Waiting, "No points have come yet.".to_owned()),
        };
        ServiceStatus {
            name: "data",
            label: "Data",
            state,
            says,
            last_error: None,
            latency_ms: age,
            queue: None,
        }
    }
}

impl Seen<'_> {
    fn offline_store(&self) -> ServiceStatus {
        let (state, says) = match &self.not_kept {
            Some(reason) => (ServiceState::Down, format!("Edits are kept in this tab only. {reason}")),
            None if self.pending == 0 => {
                (ServiceState::Ok, "This dashboard and your edits are kept on this device.".to_owned())
            }
            None if self.kept < self.pending => (ServiceState::Waiting, "Keeping your edits.".to_owned()),
            None => (ServiceState::Ok, "Your edits are kept on this device until they are saved.".to_owned()),
        };
        ServiceStatus {
            name: "offline store",
            label: "Kept on this device",
            state,
            says,
            last_error: None,
            latency_ms: None,
            queue: Some(self.kept),
        }
    }
}

const fn reason(ended: Ended) -> &'static str {
    match ended {
        Ended::NotSignedIn => "You are not signed in any more. Reload the page to sign in.",
        Ended::Forbidden => "You no longer have access to this dashboard.",
        Ended::NotFound => "This dashboard was deleted.",
        Ended::OtherProtocol => "The server has been updated. Reload the page to go on.",
    }
}

/// What a close code means to a person; `None` where it is nothing to speak of.
pub fn close_reason(code: u16) -> Option<&'static str> {
    use crate::sync::protocol::close;
    Some(match code {
        1000 | 1001 => return None,
        close::MALFORMED => "The server did not understand this page.",
        close::SILENT => "The server heard nothing from this tab for too long.",
        close::TOO_LARGE => "Something was too large to send at once.",
        close::TOO_MANY => "The server has too many connections.",
        close::DRAINING => "The server is restarting.",
        close::TOO_SLOW => "This connection is too slow for what happens here.",
        _ => "The connection was lost.",
    })
}
