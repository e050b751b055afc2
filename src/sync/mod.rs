//! Synchronisation of the copies of a dashboard. Pure: time and ids come in as arguments.
//!
//! - **S1 The log decides.** A dashboard is the fold of its log. The room judges each change against
//!   the state at the log's end and appends the verdict, a commit, with the next revision;
//!   `(dashboard, revision)` is the primary key, so of two nodes that judge at once one loses, reads
//!   the tail and judges again. Replicas apply commits without judging. A commit stores its effective
//!   ops, so a later change of the judging code never changes history.
//! - **S2 Exactly once.** `(client, seq)` identifies a change. It is checked and saved in the
//!   transaction of its commit. A change that comes again is answered, never applied again.
//! - **S3 An ack means durable.** Append, then ack and broadcast, in revision order. What any client
//!   saw as saved, and what any client saw of others' edits, survives `kill -9` at any moment.
//! - **S4 Nothing is silently lost.** Every op ends as exactly one of: applied; applied over another
//!   value, which a conflict record keeps; kept in a conflict record while the other value stays;
//!   refused with a reason, its content still in its author's hands.
//! - **S5 A conflict is real.** Only when what the cell says was written by another client after the
//!   writer's `base`, and the values differ. A value that two wrote is both of theirs. Edits to different
//!   cells merge. Note text merges by character. Frames take the latest without asking and never overlap
//!   (S9).
//! - **S6 Removal against edit.** A removed widget leaves a tombstone with its content. An edit to a
//!   widget that somebody removed meanwhile, and a removal of a widget that somebody edited meanwhile,
//!   whoever has written there since, become a conflict with both sides kept: restore with the edits, or
//!   let it go.
//! - **S7 Resume.** A client comes back with epoch and revision and gets the tail when the log still
//!   has it, else a snapshot; then it rebases its pending changes and pushes them again.
//! - **S8 Presence is not in the log.** It expires by itself, carries a server-verified identity, and
//!   is wiped on both sides when a session ends.
//! - **S9 Layout settles.** `layout::settle` is one pure function on whole grid units, used by browser
//!   and server alike: no two widgets overlap and none floats above free space.
//! - **S10 Everything is bounded.** Each limit has a name and its reason beside it. Over the limit
//!   there is a clear error; nothing is dropped quietly.
//! - **S11 Copies are checked.** Room and replica compare a digest of the dashboard at agreed
//!   revisions. A difference is counted, shown in the status view and healed by a snapshot.
//! - **S12 Pure inside.** `dashboard/` and `sync/` know no IO and no framework; `tests/tidy.rs` holds
//!   them to it.

pub mod conflict;
pub mod host;
pub mod link;
pub mod presence;
pub mod protocol;
pub mod replica;
pub mod room;
pub mod undo;
