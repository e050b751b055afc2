//! Every limit that the server enforces, with its default and the reason beside it (S10).

/// Limits of one server. Each can be set as `LOCKSTEP_LIMIT_<NAME>`; 0 is refused, and a large number
/// is the way to say "no limit".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Changes a second of one session, in the long run: faster than any hand, slower than a loop.
    pub changes_per_s: u32,
    /// Changes at once: what a laptop brings back from a train without waiting long.
    pub changes_burst: u32,
    /// Sessions in one room: each gets every frame, and more faces than this tell nobody anything.
    pub sessions_per_room: usize,
    /// Sessions in one room from one address: an office behind one has most of its seats, and nobody has all.
    pub room_sessions_per_address: usize,
    /// Sessions of this server: at 12 KiB each well within the memory of a small machine.
    pub sessions: usize,
    /// Sessions of this server from one address: the same for the whole server.
    pub sessions_per_address: usize,
    /// Sessions of one person with an account: all tabs of all devices, and not a script's.
    pub sessions_per_person: usize,
    /// Sessions of guests from one address, by links and by guest mode together: a meeting room.
    pub guest_sessions_per_address: usize,
    /// Connections of this server: a WebSocket for each session, and six in ten as many that fetch pages and
    /// push points. Where fewer fit into the open files of the process, fewer.
    pub connections: usize,
    /// Connections of one address, of IPv6 one /64 network: as many sessions as there may be from one, and what
    /// fetches their pages. Never more than half of all.
    pub connections_per_address: usize,
    /// Milliseconds in which the head of a request has to come: it is one packet, and a bad line has some losses.
    pub head_ms: u64,
    /// Milliseconds in which more of a body has to come, or more of an answer be read: a phone in a tunnel.
    pub body_ms: u64,
    /// Milliseconds that a connection is kept between two requests: what proxies in front keep theirs, and more.
    pub keep_alive_ms: u64,
    /// Dashboards that one session is in at once: the tabs of a wall, not a crawler's.
    pub joins_per_session: usize,
    /// Widgets on one dashboard: the limit of the pure core, which bounds a snapshot.
    pub widgets: usize,
    /// Bytes of one dashboard as JSON, with what was removed and what waits in conflicts: the limit of the
    /// pure core, which bounds what a join sends.
    pub dashboard_bytes: usize,
    /// Bytes of one frame from a client: a pasted dashboard fits, a film does not.
    pub frame_bytes: usize,
    /// Bytes of one op: a note's update with a long paste fits.
    pub op_bytes: usize,
    /// Frames that wait for one reader: some seconds of a busy room.
    pub outbound_messages: usize,
    /// Bytes that wait for one reader, counted the same way. Whole windows of live figures that go to
    /// everybody count apart, against eight times as many.
    pub outbound_bytes: usize,
    /// Bytes that wait to be sent on the whole server, each counted once however many wait for it: eight
    /// dashboards of the largest size. Over it joins and pages wait, and the slowest readers are closed.
    pub unsent_bytes: usize,
    /// Bytes of pages and documents with a dashboard's data that are made or wait to be read at the same
    /// time: a hundred usual ones. What has no room waits for a moment, and is told to come again then.
    pub page_bytes: usize,
    /// Milliseconds from the connection to a `hello`: a slow phone makes it, a port scanner is let go.
    pub hello_ms: u64,
    /// Bytes of the first frame: a `hello` is short, and before it nobody is trusted with more.
    pub hello_bytes: usize,
    /// Milliseconds of silence before a session counts as gone: three heartbeats.
    pub silence_ms: u64,
    /// The same for a tab that said that it is hidden, whose timers a browser slows to one a minute.
    pub hidden_silence_ms: u64,
    /// Rooms open at once: each holds its dashboard and the tail of its log in memory.
    pub rooms: usize,
    /// Dashboards that are kept, without those in the bin: nobody fills the disk with a loop.
    pub dashboards: usize,
    /// Dashboards in the bin: as many as there can be outside, so that whoever clears the list can have all
    /// of it back. A loop that makes and deletes ends here; what is in the bin is never pushed out by it.
    pub bin: usize,
    /// Dashboards that are made, imported, copied, deleted or restored a second from one address, in the
    /// long run: faster than any hand, and so slow that nobody fills the server within hours.
    pub dashboard_requests_per_s: u32,
    /// The same at once: a script that sets up a team's dashboards.
    pub dashboard_requests_burst: u32,
    /// Sockets that are opened a second from one address, in the long run.
    pub session_starts_per_s: u32,
    /// The same at once: an office behind one address that comes back after a restart.
    pub session_starts_burst: u32,
    /// Series that one address makes new in a minute: a collector on a large machine, with its first request.
    pub new_series_per_minute: u32,
    /// Bytes of a document that is imported: the largest public dashboards are a quarter of it.
    pub import_bytes: usize,
    /// Presence frames a second that one session may send. What comes faster is coalesced, never an error.
    pub presence_per_s: u32,
    /// Milliseconds that a room stays open without sessions: a reload comes back within it.
    pub room_idle_ms: u64,
    /// Inputs that wait for one room: every session's changes of a moment.
    pub room_inbox: usize,
    /// Commits of the log kept encoded in memory for those who resume (S7).
    pub tail_commits: usize,
    /// Bytes of the same.
    pub tail_bytes: usize,
    /// Bytes of the same in all rooms together: what does not fit is read from the store, or is a snapshot.
    pub tails_bytes: usize,
    /// Bytes of a dashboard's log that stay behind its newest snapshot, for those who resume (S7): with
    /// large edits the log would hold the disk's worth of them otherwise.
    pub log_bytes: usize,
    /// Bytes of one request that brings points, packed and unpacked: what a collector sends after a
    /// night without a network, in parts.
    pub ingest_bytes: usize,
    /// Series that are pushed: a mistake that makes a series of each request ends here.
    pub series: usize,
    /// Points kept of one series: a point a second over a day, with room.
    pub points_per_series: usize,
    /// Points kept of all series together: at some six bytes each a quarter of a small machine's memory.
    pub points: usize,
    /// Queries of sources that run at the same time, each for however many people.
    pub queries: usize,
    /// Milliseconds that a query goes on for nobody: a reload comes back within it.
    pub query_idle_ms: u64,
    /// Bytes of one answer of a source: 20 series of years, and not what a mistaken query brings.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            changes_per_s: 20,
            changes_burst: 100,
            sessions_per_room: 200,
            room_sessions_per_address: 150,
            sessions: 10_000,
            sessions_per_address: 7_500,
            sessions_per_person: 50,
            guest_sessions_per_address: 20,
            connections: 16_000,
            connections_per_address: 8_000,
            head_ms: 10_000,
            body_ms: 30_000,
            keep_alive_ms: 75_000,
            joins_per_session: 20,
            widgets: crate::dashboard::MAX_WIDGETS,
            dashboard_bytes: crate::dashboard::size::MAX_DASHBOARD_BYTES,
            frame_bytes: crate::sync::protocol::MAX_FRAME_BYTES,
            op_bytes: crate::sync::protocol::MAX_OP_BYTES,
            outbound_messages: 256,
            outbound_bytes: 1024 * 1024,
            unsent_bytes: 64 * 1024 * 1024,
            page_bytes: 32 * 1024 * 1024,
            hello_ms: 5_000,
            hello_bytes: 16 * 1024,
            silence_ms: 30_000,
            hidden_silence_ms: 120_000,
            rooms: 10_000,
            dashboards: 10_000,
            bin: 10_000,
            dashboard_requests_per_s: 1,
            dashboard_requests_burst: 30,
            session_starts_per_s: 50,
            session_starts_burst: 2_000,
            new_series_per_minute: 1_000,
            import_bytes: 2 * 1024 * 1024,
            presence_per_s: 30,
            room_idle_ms: 60_000,
            room_inbox: 1_024,
            tail_commits: 5_000,
            tail_bytes: 16 * 1024 * 1024,
            tails_bytes: 64 * 1024 * 1024,
            log_bytes: 16 * 1024 * 1024,
            ingest_bytes: 10 * 1024 * 1024,
            series: 10_000,
            points_per_series: 100_000,
            points: 50_000_000,
            queries: 5_000,
            query_idle_ms: 30_000,
            answer_bytes: 64 * 1024 * 1024,
        }
    }
}
