//! Roles on the dashboard, as the shipped directory of people says them. Its owner changes them at any moment: while
//! edits wait, while they are on their way, while a tab is away, after the server started.

use lockstep::dashboard::{DashboardId, Id, UserId};
use lockstep::server::access::directory::{Account, Change, Directory, Grantee, Role, Team, TeamId};
use lockstep::sync::host::Grant;
use lockstep::sync::protocol::{self, ServerMessage};

use super::network::ConnId;
use super::node::dashboard_id;
use super::random::Random;
use super::tab::Tab;
use super::world::{Event, Fault, World};

/// Of a hundred days, on how many roles change.
const CHANGING: u64 = 40;
/// Of a hundred roles that were lowered, how many are given back by themselves.
const GIVEN_BACK: u64 = 60;
/// Of a hundred starts of the server, how many are followed by a change.
const AFTER_START: u64 = 20;
/// Of a hundred returns of a role, how often the person sends again what was handed back.
const SENDS_AGAIN: u64 = 50;
/// The longest that it takes the room to hear of a change.
const HEARD_WITHIN_MS: u64 = 5;
/// What the stream of roles differs by from the other two of a seed.
const STREAM: u64 = 0xa54f_f53a_5f1d_36f1;

/// The people and their roles.
pub struct Roles {
    /// Follows from the seed, and from nothing that happens on days without changes.
    random: Random,
    pub directory: Directory,
    changes: bool,
    /// Of a hundred pushes, how many are followed by a change before their answer.
    on_push: u64,
}

fn account(id: &UserId) -> Account {
    let (name, email) = (id.to_string(), format!("{id}@example.com"));
    Account { id: id.clone(), email, name, password: None, is_admin: false, made_at: 0, disabled_at: None }
}

fn team() -> TeamId {
    TeamId(Id::new("t1").expect("an id"))
}

/// What gives a person a role, by a grant of their own or by the team that the dashboard is of, and no other way.
fn changes(dashboard: &DashboardId, person: &UserId, role: Option<Role>, by_team: bool) -> [Change; 2] {
    let (granted, member) = if by_team { (None, role) } else { (role, None) };
    let to = Grantee::Account(person.clone());
    [
        Change::SetGrant { dashboard: dashboard.clone(), to, role: granted },
        Change::SetMember { team: team(), account: person.clone(), role: member },
    ]
}

impl Roles {
    /// Everybody may edit.
    pub fn new(seed: u64, tabs: &[Tab]) -> Self {
        let mut random = Random::new(seed ^ STREAM);
        let (owner, dashboard) = (UserId::new("owner").expect("an id"), dashboard_id());
        let mut begin = vec![
            Change::PutAccount(account(&owner)),
            Change::PutTeam(Team { id: team(), name: "Team".to_owned() }),
            Change::SetTeam { dashboard: dashboard.clone(), team: Some(team()) },
            Change::own(&dashboard, &owner),
        ];
        for tab in tabs {
            let person = &tab.author.by.id;
            begin.push(Change::PutAccount(account(person)));
            begin.extend(changes(&dashboard, person, Some(Role::Editor), false));
        }
        let directory = Directory::default().after(&begin).expect("good changes");
        let changes = random.percent(CHANGING);
        let on_push = if changes { random.below(20) } else { 0 };
        Self { random, directory, changes, on_push }
    }
}

impl World {
    /// What the person at a tab may do; `None` where the dashboard is not there for them.
    pub fn role_of(&self, n: usize) -> Option<Role> {
        self.roles.directory.role(&self.tabs[n].author.by.id, &dashboard_id())
    }

    fn role_of_conn(&self, conn: ConnId) -> Option<Role> {
        self.role_of(self.conns[conn as usize].tab)
    }

    /// Plans the day's changes of roles.
    pub fn plan_roles(&mut self, span: u64) {
        if !self.roles.changes {
            return;
        }
        for _ in 0..self.roles.random.between(1, 8) {
            let at = self.roles.random.below(span);
            self.change_role_after(at, None);
        }
    }

    /// Changes a role right after a tab has pushed, now and then.
    pub fn change_role_on_push(&mut self, n: usize) {
        if self.roles.changes && self.roles.random.percent(self.roles.on_push) {
            let wait = self.roles.random.below(self.climate.latency.1 * 3);
            self.change_role_after(wait, Some(n));
        }
    }

    /// Changes a role right after the server started, now and then.
    pub fn change_role_on_start(&mut self) {
        if self.roles.changes && !self.quiet && self.roles.random.percent(AFTER_START) {
            let wait = self.roles.random.below(500);
            self.change_role_after(wait, None);
        }
    }

    fn change_role_after(&mut self, wait: u64, n: Option<usize>) {
        let n = n.unwrap_or_else(|| self.roles.random.below(self.tabs.len() as u64) as usize);
        self.after(wait, Event::ChangeRole(n));
    }

    /// The owner gives the person at a tab another role, or none.
    pub fn change_role(&mut self, n: usize) {
        let (none, viewer, editor) = (None, Some(Role::Viewer), Some(Role::Editor));
        let roles = [none, none, viewer, viewer, viewer, editor, editor, Some(Role::Owner)];
        let role = *self.roles.random.pick(&roles).expect("there are some");
        self.give_role(n, role);
        if role < editor && self.roles.random.percent(GIVEN_BACK) {
            // Within a round trip, or later.
            let most = if self.roles.random.percent(30) { 200 } else { 8_000 };
            let wait = self.roles.random.below(most);
            self.after(wait, Event::RoleBack(n));
        }
    }

    /// Gives the person at a tab a role, on all of their devices. It counts from this moment on.
    pub fn give_role(&mut self, n: usize, role: Option<Role>) {
        let before = self.role_of(n);
        if before == role {
            return;
        }
        let person = self.tabs[n].author.by.id.clone();
        let by_team = self.roles.random.percent(50);
        let changes = changes(&dashboard_id(), &person, role, by_team);
        self.roles.directory = self.roles.directory.after(&changes).expect("good changes");
        self.report.role_changes += 1;
        self.node.roles_changed = true;
        let soon = self.roles.random.below(HEARD_WITHIN_MS);
        self.after(soon, Event::RolesChanged);
        if before.is_none() {
            self.tell_of_return(&person);
        }
    }

    /// What the directory says is as old as a backup that took the place of all data.
    pub fn restore_roles(&mut self, directory: Directory) {
        let without = (0..self.tabs.len()).filter(|n| self.role_of(*n).is_none()).collect::<Vec<_>>();
        self.roles.directory = directory;
        for n in without {
            let person = self.tabs[n].author.by.id.clone();
            self.tell_of_return(&person);
        }
    }

    /// Somebody hears that they have a role again, and loads the page anew.
    fn tell_of_return(&mut self, person: &UserId) {
        for n in 0..self.tabs.len() {
            if self.tabs[n].author.by.id == *person {
                self.reload_soon(n);
            }
        }
    }

    fn reload_soon(&mut self, n: usize) {
        let wait = self.roles.random.between(10, 2_000);
        self.after(wait, Event::Reload(n));
    }

    /// Loads a page anew that was turned away.
    pub fn reload(&mut self, n: usize) {
        if self.tabs[n].is_turned_away() {
            self.kill(n);
            self.load(n);
        }
    }

    /// The roles with which the day ends.
    pub fn settle_roles(&mut self) {
        for n in 0..self.tabs.len() {
            let ends = if self.roles.changes { self.roles.random.below(10) } else { 0 };
            let role = match ends {
                0..=5 => Some(Role::Editor),
                6..=7 => Some(Role::Viewer),
                _ => None,
            };
            // Who is behind all the time is so with the role that they have.
            if !self.roles.changes || self.roles.random.percent(50) {
                self.give_role(n, role);
            }
        }
    }

    /// What the person at a connection may do by now.
    pub fn grant_of(&self, conn: ConnId) -> Option<Grant> {
        let role = self.role_of_conn(conn)?;
        Some(Grant { role: role.to_wire(), owner: role == Role::Owner, may_query: true })
    }

    /// R1: what is judged is judged by the role of that moment.
    pub fn check_judged(&mut self, n: usize, taken: bool, seq: u64) {
        let role = self.role_of(n);
        if taken != (role >= Some(Role::Editor)) {
            let done = if taken { "taken" } else { "turned down" };
            self.ledger
                .fails(format!("R1: change {seq} of tab {n} is {done}, whose role is {role:?} by now"));
        }
    }

    /// R3: who has no role gets no frame of the dashboard.
    pub fn check_told(&mut self, conn: ConnId, message: &ServerMessage) {
        let of_dashboard = matches!(
            message,
            ServerMessage::Joined(_)
                | ServerMessage::Commits { .. }
                | ServerMessage::Rejected { .. }
                | ServerMessage::Role { .. }
        );
        if of_dashboard && self.role_of_conn(conn).is_none() {
            let tab = self.conns[conn as usize].tab;
            self.ledger.fails(format!("R3: tab {tab} has no role and gets {message:?}"));
        }
    }

    /// R3, R4: once it is quiet, a tab knows its role, and who has none has no copy.
    pub fn check_roles(&self) -> Result<(), String> {
        for (n, tab) in self.tabs.iter().enumerate() {
            let role = self.role_of(n).map(Role::to_wire);
            let believed = tab.life.as_ref().map(|life| life.replica.role());
            if role.is_none() && tab.has_copy() {
                return Err(format!("R3: the device of tab {n} has a copy, and its person no role"));
            }
            if role.is_some() && believed != role {
                return Err(format!("R4: tab {n} takes its role for {believed:?}, which is {role:?}"));
            }
        }
        Ok(())
    }

    /// The room gave a tab a role: who may edit again sends what was handed back, or does not.
    pub fn role_came(&mut self, n: usize, role: protocol::Role) {
        let aside = self.tabs[n].life.as_ref().is_some_and(|life| !life.aside.is_empty());
        if role == protocol::Role::Editor && aside && self.roles.random.percent(SENDS_AGAIN) {
            let wait = self.roles.random.below(1_000);
            self.after(wait, Event::SendAgain(n, self.tabs[n].lives));
        }
    }

    /// The person at a tab makes again what was handed back, but for typing.
    pub fn send_again(&mut self, n: usize) {
        let now = self.now;
        let Some(life) = &mut self.tabs[n].life else { return };
        life.replica.set_time(now);
        for ops in std::mem::take(&mut life.aside) {
            // What has lost its widget meanwhile cannot be made again.
            self.report.sent_again += u64::from(life.replica.edit(ops).is_ok());
        }
        self.made(n);
    }

    /// A tab hears that the dashboard is not there for it: the connection ends for good, and the copy goes.
    pub fn turned_away(&mut self, n: usize, code: u16) {
        let now = self.now;
        let keeps = self.fault == Some(Fault::KeepsCopies);
        self.tabs[n].leave(now, code, keeps);
        if let Some(conn) = self.tabs[n].life.as_mut().and_then(|life| life.conn.take()) {
            self.hang_up(conn);
        }
        if self.role_of(n).is_some() {
            // They have a role again by now, and the news of it crossed this.
            self.reload_soon(n);
        }
    }
}
