//! Screens, as pages and the server tell each other of them over HTTP.

use serde::{Deserialize, Serialize};

use crate::dashboard::{DashboardId, Id};

/// Dashboards of one screen.
pub const MAX_DASHBOARDS: usize = 20;
/// Seconds for which a screen shows each of several dashboards.
pub const MIN_ROTATE_S: u32 = 5;
pub const MAX_ROTATE_S: u32 = 3_600;
/// Characters of a pairing code.
pub const CODE_CHARS: usize = 6;

/// A screen, as people who may change it see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenCard {
    pub id: Id,
    pub name: String,
    pub team: Id,
    pub team_name: String,
    pub dashboards: Vec<ScreenDashboard>,
    pub rotate_s: u32,
    /// Unix milliseconds.
    pub used_at: u64,
    /// True while it has a socket open.
    pub is_on: bool,
    /// The name of whoever paired it, and when.
    #[serde(default)]
    pub made_by: String,
    #[serde(default)]
    pub made_at: u64,
    /// Where it was used last.
    #[serde(default)]
    pub address: String,
}

/// A code that a device shows, to find the device: the body of `POST /api/v1/pairings/find`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingCode {
    pub code: String,
}

/// The device that shows a code: the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskingDevice {
    /// Where it asked for the code.
    pub address: String,
    /// What its browser calls itself.
    pub agent: String,
    /// When it asked, Unix milliseconds.
    pub asked_at: u64,
}

/// A dashboard in the rotation of a screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenDashboard {
    pub id: DashboardId,
    pub title: String,
}

/// What pairs a screen that shows a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewScreen {
    pub code: String,
    pub name: String,
    pub team: Id,
    pub dashboards: Vec<DashboardId>,
    pub rotate_s: u32,
}

/// A change of a screen; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScreenChange {
    pub name: Option<String>,
    pub dashboards: Option<Vec<DashboardId>>,
    pub rotate_s: Option<u32>,
}

/// What a screen is to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenState {
    /// Changes with each change of the rest; `after` of the next request.
    pub revision: u64,
    pub name: String,
    /// In the order of their turns; empty when none is there any more.
    pub dashboards: Vec<DashboardId>,
    pub rotate_s: u32,
    /// The build of the server's page; a page of another one loads itself anew.
    pub build: String,
}
