//! Answers of a room, for tests of a replica.

use crate::dashboard::{ClientId, DashboardId};
use crate::sync::protocol::{Joined, Role};
use crate::sync::room::Room;

/// The answer to a join of an editor: a snapshot of the room as it is.
pub fn joined(room: &Room, client: &ClientId) -> Joined {
    Joined {
        dashboard: DashboardId::new("d1").expect("an id"),
        role: Role::Editor,
        owner: false,
        epoch: room.epoch().to_owned(),
        revision: room.revision(),
        token: None,
        last_seq: room.last_seq(client),
        snapshot: Some(room.dashboard().clone()),
        commits: None,
        peers: Default::default(),
    }
}
