//! A host over a store of a few lines: what it asks for, what it tells, and in which order.

use super::recovery::PanickedChange;
use super::*;
use crate::dashboard::{Dashboard, Op, User, UserId};
use crate::sync::protocol::{Change, Cursor, Presence, Resume, Role};
use crate::sync::room::{Author, Verdict};

const EDITOR: Grant = Grant { role: Role::Editor, owner: false, may_query: true };
const VIEWER: Grant = Grant { role: Role::Viewer, ..EDITOR };

/// A host and what its store has.
struct Scene {
    host: Host<&'static str>,
    now: Time,
    start: String,
    log: Vec<LogCommit>,
    /// What the store answers to appends.
    appends: Result<(), LogError>,
    /// True where it takes them whatever it answers.
    takes_all: bool,
    prepared: Prepared,
}

fn limits() -> HostLimits {
    HostLimits {
        widgets: 500,
        dashboard_bytes: 1_000_000,
        compact_from: 2_000,
        sessions: 4,
        sessions_per_network: 2,
        screens: 1,
        outbound_bytes: 1_000_000,
        idle_ms: 60_000,
        log_commits: 5_000,
        log_bytes: 1_000_000,
        tail_bytes: 1_000_000,
    }
}

fn session(name: &str) -> SessionId {
    SessionId::new(name).expect("an id")
}

fn author(name: &str) -> Author {
    let by = User { id: UserId::new(name).expect("an id"), name: name.to_owned(), ..User::default() };
    Author { client: ClientId::new(name).expect("an id"), by, role: Role::Viewer, may_query: false }
}

fn title(seq: u64, value: &str) -> DecodedChange {
    let op = Op::SetDashboard { field: "title".to_owned(), value: value.into() };
    DecodedChange::Change(Change { seq, base: 0, ops: vec![op], age_ms: None })
}

fn push(name: &str, changes: Vec<DecodedChange>) -> Input<&'static str> {
    Input::Push { session: session(name), changes }
}

fn cursor(name: &str) -> Input<&'static str> {
    let cursor = Some(Cursor { on: "canvas".to_owned(), x: 0.5, y: 0.5, at: None });
    let presence = Some(Box::new(Presence { cursor, ..Presence::default() }));
    Input::Presence { session: session(name), presence }
}

/// What somebody is told, by type and in order: commits by their titles, messages by their code.
fn told(outputs: &[Output<&'static str>]) -> Vec<String> {
    let message = |message: &ServerMessage| match message {
        ServerMessage::Rejected { seq, code, expected, .. } => format!("{seq} {code:?}, expected {expected}"),
        ServerMessage::Error { code, .. } => format!("{code:?}"),
        ServerMessage::Role { role, .. } => format!("role {role:?}"),
        ServerMessage::Commits { forgotten, .. } => format!("forgotten {forgotten:?}"),
        other => panic!("{other:?}"),
    };
    let tell = |output: &Output<&'static str>| match output {
        Output::Commits { bodies, .. } => Some(format!("all: {} commits", bodies.len())),
        Output::Again { to, .. } => Some(format!("{to}: again")),
        Output::Joined(admitted) => Some(format!("{}: joined", admitted.session)),
        Output::Send { to, message: of } => Some(format!("{to}: {}", message(of))),
        Output::Dismiss { endpoint, message: of } => Some(format!("{endpoint}: dismissed, {}", message(of))),
        Output::Fence(endpoint) => Some(format!("{endpoint}: fenced")),
        Output::NotJoined => Some("the sender: not joined".to_owned()),
        Output::Ended(ended) => Some(format!("ended: {ended:?}")),
        _ => None,
    };
    outputs.iter().filter_map(tell).collect()
}

impl Scene {
    fn new() -> Self {
        Self::with(limits(), 100)
    }

    fn with(limits: HostLimits, tail_commits: usize) -> Self {
        let room = Room::new("e1".to_owned(), Dashboard::new("Start"));
        let start = serde_json::to_string(&room.state()).expect("JSON");
        let (now, log) = (Time { unix_ms: 1_000, ..Time::default() }, Vec::new());
        let stored = StoredLog { epoch: "e1".to_owned(), state: start.clone(), revision: 0, commits: vec![] };
        let tail = Tail::new(tail_commits, 1_000_000, TailBudget::new(1_000_000));
        let id = DashboardId::new("d1").expect("an id");
        let host = Host::new(id, limits, stored, tail, now).expect("reads");
        let prepared = Prepared::Ready;
        Self { host, now, start, log, appends: Ok(()), takes_all: false, prepared }
    }

    /// Editors who are in the room.
    fn with_people(names: &[&'static str]) -> Self {
        let mut scene = Self::new();
        for name in names {
            let outputs = scene.join(name, Some(EDITOR), None, None);
            assert_eq!(told(&outputs), [format!("{name}: joined")]);
        }
        scene
    }

    fn join(
        &mut self,
        name: &'static str,
        grant: Option<Grant>,
        resume: Option<Resume>,
        vouched: Option<u64>,
    ) -> Vec<Output<&'static str>> {
        self.run(Input::Join(Box::new(Join { member: member(name, name), grant, resume, vouched })))
    }

    /// One step, and what it asks for.
    fn step(&mut self, input: Input<&'static str>) -> (Vec<Output<&'static str>>, Option<Request>) {
        let mut outputs = Vec::new();
        self.host.handle(self.now, input, &mut outputs);
        let asks = matches!(outputs.last(), Some(Output::Request(_)));
        let request = match asks.then(|| outputs.pop()).flatten() {
            Some(Output::Request(request)) => Some(request),
            _ => None,
        };
        assert!(!outputs.iter().any(|output| matches!(output, Output::Request(_))), "one, and the last");
        (outputs, request)
    }

    /// All that follows from an input.
    fn run(&mut self, input: Input<&'static str>) -> Vec<Output<&'static str>> {
        let (mut outputs, mut request) = self.step(input);
        while let Some(asked) = request {
            let answer = self.answer(asked);
            let (more, next) = self.step(Input::Answer(answer));
            outputs.extend(more);
            request = next;
        }
        outputs
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Append { commits, .. } => {
                if self.appends.is_ok() || self.takes_all {
                    self.log.extend(commits);
                }
                Answer::Appended(self.appends)
            }
            Request::Open => {
                let (epoch, state) = ("e1".to_owned(), self.start.clone());
                Answer::Opened(Ok(Some(StoredLog { epoch, state, revision: 0, commits: self.log.clone() })))
            }
            Request::Tail { after, commits, .. } => {
                let tail = self.log.iter().filter(|commit| commit.revision > after).take(commits);
                Answer::Tail(Ok(tail.cloned().collect()))
            }
            Request::Find { client, seq } => {
                let author = Some((client, seq));
                let found = self.log.iter().find(|commit| commit.author == author);
                Answer::Found(Ok(found.map(|commit| commit.body.clone())))
            }
            Request::Renew => Answer::Renewed(Ok(())),
            Request::Delete => Answer::Deleted(true),
            Request::Prepare(Preparation::Tail { after }) if self.host.commits_after(after).is_none() => {
                Answer::Prepared(Prepared::Missing)
            }
            Request::Prepare(_) => Answer::Prepared(self.prepared),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.elapsed += Duration::from_millis(ms);
        self.now.unix_ms += ms;
    }

    fn tick(&mut self) -> Vec<Output<&'static str>> {
        self.run(Input::Tick(Tick { rooms: 1, is_quiet: true }))
    }

    fn stands_at(&self, revision: u64, title: &str) {
        assert_eq!((self.host.room.revision(), &*self.host.room.dashboard().title), (revision, title));
    }
}

fn member(name: &'static str, client: &str) -> Member<&'static str> {
    Member {
        session: session(name),
        author: author(client),
        owner: false,
        kind: MemberKind::Person,
        network: None,
        follows_compactions: true,
        endpoint: name,
    }
}

fn resume(revision: u64) -> Option<Resume> {
    Some(Resume { epoch: "e1".to_owned(), revision, token: None })
}

#[test]
fn s3_nobody_hears_of_what_is_not_durable() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    assert!(scene.run(push("ada", vec![title(1, "one"), title(2, "two")])).is_empty());
    let (outputs, request) = scene.step(Input::Flush);
    assert!(outputs.is_empty() && !scene.host.is_ready());
    let Some(Request::Append { commits, summary }) = request else { panic!("{request:?}") };
    let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision).collect();
    assert_eq!((&*revisions, &*summary.title, scene.host.judged().count()), (&[1, 2][..], "two", 2));
    let (outputs, request) = scene.step(Input::Answer(Answer::Appended(Ok(()))));
    assert_eq!(told(&outputs), ["all: 2 commits"]);
    assert!(request.is_none() && scene.host.is_ready() && scene.host.judged().count() == 0);
}

#[test]
fn s3_what_was_not_appended_is_told_to_nobody_and_pushed_again() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    scene.appends = Err(LogError::Full);
    scene.run(push("ada", vec![title(1, "one"), title(2, "two"), title(9, "gap")]));
    let outputs = scene.run(Input::Flush);
    // One word for the first of them, in the place of all that counted on it.
    assert_eq!(told(&outputs), ["ada: 1 Internal, expected 1"]);
    scene.stands_at(0, "Start");
    scene.appends = Ok(());
    scene.run(push("ada", vec![title(1, "again")]));
    assert_eq!(told(&scene.run(Input::Flush)), ["all: 1 commits"]);
    scene.stands_at(1, "again");
}

#[test]
fn s3_what_was_appended_in_spite_of_an_error_is_told_and_not_rejected() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    (scene.appends, scene.takes_all) = (Err(LogError::Other), true);
    scene.run(push("ada", vec![title(1, "one")]));
    assert_eq!(told(&scene.run(Input::Flush)), ["all: 1 commits"]);
    scene.stands_at(1, "one");
}

#[test]
fn s3_nothing_half_applied_is_kept_or_told_after_a_panic() {
    let mut scene = Scene::with_people(&["ada"]);
    scene.run(push("ada", vec![title(1, "whole")]));
    // What a panic in the middle of the next change leaves behind.
    let DecodedChange::Change(half) = title(2, "half") else { panic!("a change") };
    let ada = Author { role: Role::Editor, ..author("ada") };
    assert!(matches!(scene.host.room.judge(&ada, &half, 2), Verdict::Committed(_)));
    let mut outputs = Vec::new();
    let (by, client) = (session("ada"), ada.client.clone());
    scene.host.survive(PanickedChange { session: by, client, seq: 2 }, &mut outputs);
    let Some(Output::Request(Request::Append { commits, summary })) = outputs.pop() else {
        panic!("{outputs:?}")
    };
    assert!(matches!(&outputs[..], [Output::Trouble(Trouble::ChangePanicked { seq: 2, .. })]));
    assert_eq!((commits.len(), &*summary.title), (1, "whole"));
    let answer = scene.answer(Request::Append { commits, summary });
    let outputs = scene.run(Input::Answer(answer));
    assert!(outputs.iter().all(|output| !format!("{output:?}").contains("half")), "{outputs:?}");
    assert_eq!(told(&outputs), ["all: 1 commits"]);
    assert_eq!(told(&scene.run(Input::Flush)), ["ada: 2 Invalid, expected 2"]);
    scene.stands_at(1, "whole");
}

#[test]
fn s3_what_was_judged_before_the_end_is_durable_and_told_before_it() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    scene.run(push("ada", vec![title(1, "last")]));
    let (outputs, request) = scene.step(Input::Drain { retry_after_ms: 700 });
    assert!(outputs.is_empty() && matches!(request, Some(Request::Append { .. })));
    // Somebody loses the dashboard while the disk writes, and hears of none of it.
    let (outputs, _) = scene.step(Input::Roles(vec![(session("bob"), None)]));
    assert_eq!(told(&outputs), ["bob: dismissed, Forbidden"]);
    let answer = scene.answer(request.expect("an append"));
    let outputs = scene.run(Input::Answer(answer));
    assert_eq!(told(&outputs), ["all: 1 commits", "ended: Drained { retry_after_ms: 700 }"]);
    assert!(scene.host.begin_last_snapshot(scene.now), "the next one has nothing to repeat");
    assert_eq!(scene.host.take_members().len(), 1);
    // Nothing is taken after the end.
    scene.run(push("ada", vec![title(2, "late")]));
    assert!(scene.run(Input::Flush).is_empty());
    scene.stands_at(1, "last");
}

#[test]
fn s3_an_end_whose_append_failed_says_first_what_was_not_saved() {
    let mut scene = Scene::with_people(&["ada"]);
    scene.appends = Err(LogError::Other);
    scene.run(push("ada", vec![title(1, "last")]));
    let outputs = scene.run(Input::Drain { retry_after_ms: 700 });
    let ended = "ended: Drained { retry_after_ms: 700 }";
    assert_eq!(told(&outputs), ["ada: 1 Internal, expected 1", ended]);
    scene.stands_at(0, "Start");
}

#[test]
fn s8_nothing_is_left_of_the_presence_of_whoever_left() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    scene.run(cursor("ada"));
    scene.pass(40);
    let sent = |outputs: &[Output<&'static str>]| {
        let mut peers = outputs.iter().filter_map(|output| match output {
            Output::Presence(peers) => Some(peers.clone()),
            _ => None,
        });
        peers.next()
    };
    let here = sent(&scene.tick()).expect("presence goes out");
    assert!(here[&session("ada")].as_ref().is_some_and(|peer| peer.presence.cursor.is_some()));
    scene.run(Input::Leave(session("ada")));
    assert_eq!(told(&scene.run(cursor("ada"))), ["the sender: not joined"]);
    assert_eq!(sent(&scene.tick()), None, "not faster than it may");
    scene.pass(40);
    let gone = sent(&scene.tick()).expect("it is news");
    assert_eq!(gone.into_iter().collect::<Vec<_>>(), [(session("ada"), None)]);
    let outputs = scene.join("eve", Some(EDITOR), None, None);
    let Some(Output::Joined(admitted)) = outputs.first() else { panic!("{outputs:?}") };
    assert_eq!(admitted.peers.keys().collect::<Vec<_>>(), [&session("bob"), &session("eve")]);
}

#[test]
fn r1_a_role_that_fell_while_the_disk_wrote_counts_for_what_comes_after() {
    let mut scene = Scene::with_people(&["ada", "bob"]);
    scene.run(push("ada", vec![title(1, "first")]));
    // The first is answered once it is durable; the second waits behind that.
    let (_, request) = scene.step(push("ada", vec![title(1, "first"), title(2, "later")]));
    let request = request.expect("an append");
    let grants = vec![(session("ada"), Some(VIEWER)), (session("bob"), None)];
    let (outputs, _) = scene.step(Input::Roles(grants));
    assert_eq!(told(&outputs), ["bob: dismissed, Forbidden"]);
    let answer = scene.answer(request);
    let mut outputs = scene.run(Input::Answer(answer));
    outputs.extend(scene.run(Input::Flush));
    let expected = ["all: 1 commits", "ada: role Viewer", "ada: again", "ada: 2 Forbidden, expected 2"];
    assert_eq!(told(&outputs), expected);
    scene.stands_at(1, "first");
}

#[test]
fn r1_a_role_that_goes_while_a_join_is_answered_keeps_its_session_out() {
    let mut scene = Scene::new();
    let join = Join { member: member("ada", "ada"), grant: Some(EDITOR), resume: None, vouched: None };
    let (_, request) = scene.step(Input::Join(Box::new(join)));
    assert!(matches!(request, Some(Request::Prepare(Preparation::Snapshot))));
    scene.step(Input::Roles(vec![(session("ada"), None)]));
    let outputs = scene.run(Input::Answer(Answer::Prepared(Prepared::Ready)));
    assert_eq!(told(&outputs), ["ada: dismissed, NotFound"]);
    assert!(scene.host.member(&session("ada")).is_none() && scene.host.joining().is_none());
}

#[test]
fn s7_who_resumes_gets_the_tail_of_memory_then_of_the_store_then_a_snapshot() {
    let mut scene = Scene::with(limits(), 1);
    scene.join("ada", Some(EDITOR), None, None);
    scene.run(push("ada", vec![title(1, "one"), title(2, "two")]));
    scene.run(Input::Flush);
    let mut asks = |after: u64, missing: usize| {
        let (mut asked, log) = (Vec::new(), scene.log.clone());
        scene.log.drain(..missing);
        let join =
            Join { member: member("bob", "bob"), grant: Some(EDITOR), resume: resume(after), vouched: None };
        let (_, mut request) = scene.step(Input::Join(Box::new(join)));
        while let Some(now) = request {
            asked.push(match &now {
                Request::Prepare(Preparation::Tail { .. }) => "memory",
                Request::Prepare(Preparation::Stored { bodies, .. }) if bodies.len() == 2 => {
                    "all of the store"
                }
                Request::Prepare(Preparation::Snapshot) => "a snapshot",
                Request::Tail { after: 0, .. } => "the store",
                other => panic!("{other:?}"),
            });
            let answer = scene.answer(now);
            request = scene.step(Input::Answer(answer)).1;
        }
        scene.log = log;
        asked
    };
    assert!(asks(2, 0).is_empty(), "who has everything gets nothing");
    assert_eq!(asks(1, 0), ["memory"]);
    assert_eq!(asks(0, 0), ["memory", "the store", "all of the store"]);
    assert_eq!(asks(0, 1), ["memory", "the store", "a snapshot"], "the log does not reach back that far");
    assert_eq!(asks(3, 0), ["a snapshot"], "nobody vouches for what the log does not have");
}

#[test]
fn s7_a_log_that_a_client_has_seen_otherwise_takes_another_name() {
    let with_log = || {
        let mut scene = Scene::with(limits(), 1);
        scene.join("ada", Some(EDITOR), None, None);
        scene.run(push("ada", vec![title(1, "one"), title(2, "two")]));
        scene.run(Input::Flush);
        scene
    };
    for (revision, vouched) in [(1, 1_000), (2, 1_000)] {
        let outputs = with_log().join("bob", Some(EDITOR), resume(revision), Some(vouched));
        assert_eq!(told(&outputs), ["bob: joined"], "{revision}");
    }
    for (revision, vouched) in [(1, 999), (2, 999), (3, 1_000)] {
        let mut scene = with_log();
        let outputs = scene.join("bob", Some(EDITOR), resume(revision), Some(vouched));
        assert_eq!(told(&outputs), ["ended: Restored"], "{revision}");
        assert_eq!(scene.host.take_members().len(), 2, "the one who came hears it too");
    }
}

#[test]
fn s2_a_change_that_comes_again_is_answered_wherever_its_commit_is() {
    let mut scene = Scene::with(limits(), 1);
    scene.join("ada", Some(EDITOR), None, None);
    scene.run(push("ada", vec![title(1, "one"), title(2, "two")]));
    scene.run(Input::Flush);
    let again = vec![title(1, "one"), title(2, "two"), title(3, "three")];
    let outputs = scene.run(push("ada", again));
    assert_eq!(told(&outputs), ["ada: again", "ada: again"]);
    assert_eq!(told(&scene.run(Input::Flush)), ["all: 1 commits"]);
    scene.log.clear();
    assert_eq!(told(&scene.run(push("ada", vec![title(1, "one")]))), ["ada: forgotten Some(1)"]);
}

#[test]
fn s10_a_batch_is_flushed_when_it_is_large_and_the_rest_of_a_push_comes_after() {
    let mut scene = Scene::with(HostLimits { outbound_bytes: 16, ..limits() }, 100);
    scene.join("ada", Some(EDITOR), None, None);
    let outputs = scene.run(push("ada", (1..=3).map(|seq| title(seq, "title")).collect()));
    assert_eq!(told(&outputs), ["all: 1 commits", "all: 1 commits", "all: 1 commits"]);
    scene.stands_at(3, "title");
}

#[test]
fn s10_a_room_has_so_many_seats() {
    let mut scene = Scene::new();
    let mut comes = |name: &'static str, kind, network| {
        let member = Member { kind, network, ..member(name, name) };
        let join = Join { member, grant: Some(EDITOR), resume: None, vouched: None };
        told(&scene.run(Input::Join(Box::new(join)))).concat()
    };
    let (person, guest, screen) = (MemberKind::Person, MemberKind::Guest, MemberKind::Screen);
    assert_eq!(comes("p1", person, Some(1)), "p1: joined");
    assert_eq!(comes("g1", guest, Some(1)), "g1: joined");
    assert_eq!(comes("p2", person, Some(1)), "p2: dismissed, Full", "of its network");
    assert_eq!(comes("g2", guest, Some(2)), "g2: joined");
    assert_eq!(comes("g3", guest, Some(2)), "g3: dismissed, Full", "of guests");
    assert_eq!(comes("s1", screen, Some(1)), "s1: joined", "a screen takes no place of a person");
    assert_eq!(comes("s2", screen, None), "s2: dismissed, Full", "of screens");
    assert_eq!(comes("p3", person, None), "p3: joined");
    assert_eq!(comes("p4", person, None), "p4: dismissed, Full", "of people");
    assert_eq!(comes("p3", person, None), "p3: joined", "who is here has a seat");
    let names: Vec<String> = scene.host.people().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["g1", "g2", "p1", "p3"], "a screen is nobody");
}

#[test]
fn s10_a_join_that_has_no_room_to_be_answered_leaves_nobody_behind() {
    let mut scene = Scene::with_people(&["ada"]);
    scene.prepared = Prepared::Busy;
    assert_eq!(told(&scene.join("bob", Some(EDITOR), None, None)), ["bob: dismissed, Full"]);
    assert_eq!(told(&scene.join("ada", Some(EDITOR), None, None)), ["ada: dismissed, Full"]);
    assert_eq!(scene.host.members().len(), 0, "who asked anew would miss what was asked for");
}

#[test]
fn s2_an_older_session_of_the_same_client_is_fenced_off() {
    let mut scene = Scene::with_people(&["ada"]);
    let join = Join { member: member("new", "ada"), grant: Some(EDITOR), resume: None, vouched: None };
    assert_eq!(told(&scene.run(Input::Join(Box::new(join)))), ["ada: fenced", "new: joined"]);
    assert_eq!(told(&scene.run(push("ada", vec![title(1, "late")]))), ["the sender: not joined"]);
}

#[test]
fn a_snapshot_is_due_after_many_commits_or_a_while_and_a_room_ends_when_nobody_comes() {
    let mut scene = Scene::with_people(&["ada"]);
    let due = |scene: &mut Scene| {
        let outputs = scene.tick();
        outputs.iter().any(|output| matches!(output, Output::SaveSnapshot { .. }))
    };
    scene.run(push("ada", vec![title(1, "one")]));
    scene.run(Input::Flush);
    scene.pass(59_000);
    assert!(!due(&mut scene));
    scene.pass(1_000);
    assert!(scene.host.deadline() <= scene.now.elapsed && due(&mut scene));
    scene.run(push("ada", (2..=250).map(|seq| title(seq, "more")).collect()));
    scene.run(Input::Flush);
    scene.pass(5_000);
    assert!(!due(&mut scene), "one is being saved");
    scene.run(Input::SnapshotSaved(true));
    assert!(due(&mut scene));
    scene.run(Input::SnapshotSaved(false));
    scene.run(Input::Leave(session("ada")));
    scene.pass(60_000);
    let noisy = scene.run(Input::Tick(Tick { rooms: 1, is_quiet: false }));
    assert!(told(&noisy).is_empty(), "somebody is at the door");
    assert_eq!(told(&scene.tick()), ["ended: Idle"]);
    assert!(scene.host.begin_last_snapshot(scene.now), "the one before was not saved");
}
