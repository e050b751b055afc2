//! A room's task with real accounts: roles that go while something is under way.

use super::*;
use crate::dashboard::{Dashboard, Op, User, UserId};
use crate::server::access::directory::{Account, Change, Grantee};
use crate::server::access::{Access, Mode};
use crate::server::data::sources::Sources;
use crate::server::limits::Limits;
use crate::server::rooms::input::JoinTicket;
use crate::server::store::memory::MemoryStore;
use crate::sync::host::DecodedChange;
use crate::sync::protocol;

fn title(seq: u64, value: &str) -> DecodedChange {
    let op = Op::SetDashboard { field: "title".to_owned(), value: value.into() };
    DecodedChange::Change(protocol::Change { seq, base: 0, ops: vec![op], age_ms: None })
}

/// A room, and whatever gives roles in it.
async fn actor() -> (RoomActor, Arc<Access>) {
    let (limits, store) = (Arc::new(Limits::default()), Arc::new(MemoryStore::default()));
    let access = Access::open(store.clone(), |_| Mode::Accounts).await.expect("opens");
    let access = Arc::new(access);
    let sources = Sources::new([], limits.clone());
    let rooms = Rooms::new(store, access.clone(), limits, Arc::default(), sources);
    let id = rooms.create_with(Dashboard::new("Start")).await.expect("made");
    let opened = rooms.store().open(&id).await.expect("opens").expect("is there");
    let tokens = ResumeTokens::new(&[0; 32], &id);
    let actor = RoomActor::new(id, rooms, Arc::new(Slot::default()), opened, tokens).expect("reads");
    (actor, access)
}

/// Gives somebody a role on the dashboard of a room, or takes it.
async fn give(actor: &RoomActor, access: &Access, name: &str, role: Option<Role>) {
    let id = UserId::new(name).expect("an id");
    let account = Account {
        id: id.clone(),
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        password: None,
        is_admin: false,
        made_at: 0,
        disabled_at: None,
    };
    let (dashboard, to) = (actor.id.clone(), Grantee::Account(id));
    let changes = vec![Change::PutAccount(account), Change::SetGrant { dashboard, to, role }];
    access.change(changes).await.expect("changes");
}

/// Lets an editor in.
async fn come(actor: &mut RoomActor, access: &Access, name: &str) -> (SessionId, Arc<Outbound>) {
    give(actor, access, name, Some(Role::Editor)).await;
    let id = UserId::new(name).expect("an id");
    let (outbound, session) =
        (Arc::new(Outbound::new(actor.rooms.limits())), SessionId::new(name).expect("an id"));
    let person = (ClientId::new(name).expect("an id"), User { id: id.clone(), ..User::default() });
    let (principal, ticket) = (Principal::Account(id), JoinTicket::default());
    let endpoint = Endpoint { principal, outbound: outbound.clone(), ticket };
    let member = endpoint.member(session.clone(), person, None, true);
    let join = RoomMessage::Join { member, resume: None, unanswered: Unanswered::default() };
    actor.take(join).await.expect("taken");
    assert!(frames_of(&outbound)[0].contains("\"editor\""));
    (session, outbound)
}

fn push(session: &SessionId, outbound: &Arc<Outbound>, changes: Vec<DecodedChange>) -> RoomMessage {
    RoomMessage::Push { session: session.clone(), outbound: outbound.clone(), changes }
}

fn frames_of(outbound: &Outbound) -> Vec<String> {
    std::iter::from_fn(|| outbound.try_next_frame()).map(|frame| frame.text()).collect()
}

#[tokio::test]
async fn who_loses_a_dashboard_while_the_disk_writes_is_not_told_what_it_wrote() {
    let (mut actor, access) = actor().await;
    let (ada, hers) = come(&mut actor, &access, "ada").await;
    let (_, his) = come(&mut actor, &access, "bob").await;
    actor.take(push(&ada, &hers, vec![title(1, "secret")])).await.expect("judged");
    give(&actor, &access, "bob", None).await;
    actor.handle(Input::Flush).await.expect("goes on");
    let (hers, his) = (frames_of(&hers), frames_of(&his));
    assert!(hers.iter().any(|frame| frame.contains("secret")), "{hers:?}");
    assert!(his.iter().all(|frame| !frame.contains("secret")), "{his:?}");
    assert!(his.iter().any(|frame| frame.contains("\"forbidden\"")), "{his:?}");
}

#[tokio::test]
async fn a_role_that_goes_counts_for_what_was_taken_out_of_the_inbox_before() {
    let (mut actor, access) = actor().await;
    let (session, outbound) = come(&mut actor, &access, "ada").await;
    actor.take(push(&session, &outbound, vec![title(1, "first")])).await.expect("taken");
    give(&actor, &access, "ada", Some(Role::Viewer)).await;
    let later = vec![title(1, "first"), title(2, "later")];
    actor.take(push(&session, &outbound, later)).await.expect("taken");
    actor.handle(Input::Flush).await.expect("goes on");
    let room = actor.host.room();
    assert_eq!((room.revision(), &*room.dashboard().title), (1, "first"));
    let told = frames_of(&outbound);
    let of_type = |name: &str| told.iter().position(|frame| frame.contains(&format!("\"type\":\"{name}\"")));
    assert!(of_type("commits") < of_type("role") && of_type("role") < of_type("rejected"), "{told:?}");
    let forbidden = told.iter().filter(|frame| frame.contains("\"forbidden\"")).collect::<Vec<_>>();
    assert!(matches!(forbidden[..], [one] if one.contains("\"seq\":2")), "{told:?}");
}
