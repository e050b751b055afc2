//! Accounts, teams, tokens and what else the contract is told with.

use super::*;

pub fn user(name: &str) -> UserId {
    UserId::new(name).expect("an id")
}

pub fn team(name: &str) -> TeamId {
    TeamId(Id::new(name).expect("an id"))
}

pub fn dashboard(name: &str) -> DashboardId {
    DashboardId::new(name).expect("an id")
}

pub fn account(name: &str) -> Account {
    Account {
        id: user(name),
        email: format!("{name}@Example.com"),
        name: format!("{name} \"Z\" 🦦"),
        password: (name == "ada").then(|| "$argon2id$…".to_owned()),
        is_admin: name == "ada",
        made_at: 1_795_000_000_000,
        disabled_at: (name == "eve").then_some(7),
    }
}

pub fn session(n: u8, account: &str) -> Session {
    Session {
        hash: SessionHash::new([n; 32]),
        account: user(account),
        made_at: 5,
        used_at: 6,
        address: "2001:db8::1".to_owned(),
        agent: "Firefox \"1\"".to_owned(),
        issuer: (n == 2).then(|| "proxy".to_owned()),
    }
}

pub fn token(n: u8, owner: &str, of_team: Option<&str>) -> Token {
    Token {
        id: TokenId(Id::new(format!("{n:016x}")).expect("an id")),
        hash: TokenHash::new([n; 32]),
        name: "Robot \"R\" 🦦".to_owned(),
        owner: user(owner),
        team: of_team.map(team),
        scopes: if n == 1 { Scope::ALL.into() } else { [Scope::Push].into() },
        prefix: (n == 1).then(|| "app.%_".to_owned()),
        made_at: 1_795_000_000_000,
        expires_at: (n == 1).then_some(1_795_000_000_001),
        used_at: None,
    }
}

pub fn link(n: u8, on: &str) -> Link {
    Link {
        id: LinkId::new([n; 32]),
        dashboard: dashboard(on),
        role: if n == 1 { Role::Viewer } else { Role::Editor },
        may_query: n == 2,
        password: (n == 2).then(|| "$argon2id$…".to_owned()),
        name_required: n == 1,
        label: format!("Link \"{n}\" 🦦"),
        made_by: "Ada".to_owned(),
        made_at: 5,
        expires_at: 1_795_000_000_000,
    }
}

pub fn visit(n: u8, by: u8, account: Option<&str>) -> Visit {
    Visit {
        hash: VisitHash::new([n; 32]),
        link: LinkId::new([by; 32]),
        dashboard: dashboard("wall"),
        user: user("guest"),
        name: "Zoë \"Z\" 🦦".to_owned(),
        account: account.map(user),
        made_at: 5,
        used_at: 6,
    }
}

pub fn identity(issuer: &str, subject: &str, account: &str) -> Identity {
    let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
    Identity { issuer, subject, account: user(account), made_at: 5, used_at: 6 }
}

pub fn screen(n: u8, of: &str, dashboards: &[&str]) -> Screen {
    Screen {
        id: ScreenId::from_text(&format!("s{n}")).expect("an id"),
        hash: ScreenHash::new([n; 32]),
        name: format!("Hall \"{n}\" 🦦"),
        team: team(of),
        dashboards: dashboards.iter().map(|id| dashboard(id)).collect(),
        rotate_s: 60,
        made_by: "Bob".to_owned(),
        made_at: 5,
        used_at: 6,
        address: String::new(),
    }
}

pub fn second_factor(n: u8, account: &str) -> SecondFactor {
    SecondFactor {
        account: user(account),
        secret: TotpSecret([n; 20]),
        confirmed_at: 1_795_000_000_000,
        last_step: 59_833_333,
        recovery: (0..n).map(|code| RecoveryHash([code; 32])).collect(),
    }
}
