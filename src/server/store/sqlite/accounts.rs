//! Accounts, teams, grants and sessions in the file.

use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Acquire as _, Row as _};

use super::super::StoreError;
use super::links;
use super::writer::Undone;
use super::{failed, identities, screens, signed, spoilt, tokens, unsigned};
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, Id, UserId};
use crate::server::access::directory::{Account, Change, Directory, Grantee, Role, Team, TeamId};
use crate::server::access::invitations::{Invitation, InvitationHash, Purpose};
use crate::server::access::sessions::{Session, SessionHash};

/// What there is to write of sessions.
pub(super) enum SessionWrite {
    Put { session: Session, removed: Vec<SessionHash> },
    Uses(Vec<(SessionHash, u64)>),
    Remove(Vec<SessionHash>),
}

pub(super) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    }
}

pub(super) fn role(row: &SqliteRow) -> Result<Role, StoreError> {
    role_of_text(row.try_get("role").map_err(failed)?)
}

fn role_of_text(text: &str) -> Result<Role, StoreError> {
    let role = [Role::Viewer, Role::Editor, Role::Owner].into_iter().find(|role| role_text(*role) == text);
    role.ok_or_else(|| spoilt(format!("{text:?} is no role")))
}

pub(super) fn id(row: &SqliteRow, column: &str) -> Result<Id, StoreError> {
    Id::new(row.try_get::<&str, _>(column).map_err(failed)?).map_err(spoilt)
}

pub(super) fn user(row: &SqliteRow, column: &str) -> Result<UserId, StoreError> {
    UserId::new(row.try_get::<&str, _>(column).map_err(failed)?).map_err(spoilt)
}

pub(super) fn dashboard(row: &SqliteRow) -> Result<DashboardId, StoreError> {
    DashboardId::new(row.try_get::<&str, _>("id").map_err(failed)?).map_err(spoilt)
}

/// The whole directory, as of one moment.
pub(super) async fn directory(readers: &SqlitePool) -> Result<Directory, StoreError> {
    let mut reader = readers.acquire().await.map_err(failed)?;
    let mut moment = reader.begin().await.map_err(failed)?;
    let mut changes = Vec::new();
    let mut rows = sqlx::query("SELECT * FROM accounts").fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let disabled_at: Option<i64> = row.try_get("disabled_at").map_err(failed)?;
        changes.push(Change::PutAccount(Account {
            id: user(&row, "id")?,
            email: row.try_get("email").map_err(failed)?,
            name: row.try_get("name").map_err(failed)?,
            password: row.try_get("password").map_err(failed)?,
            is_admin: row.try_get("is_admin").map_err(failed)?,
            made_at: unsigned(&row, "made_at")?,
            disabled_at: disabled_at.map(|at| u64::try_from(at).map_err(spoilt)).transpose()?,
        }));
    }
    drop(rows);
    let mut rows = sqlx::query("SELECT id, name FROM teams").fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let name = row.try_get("name").map_err(failed)?;
        changes.push(Change::PutTeam(Team { id: TeamId(id(&row, "id")?), name }));
    }
    drop(rows);
    let mut rows = sqlx::query("SELECT * FROM memberships").fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let (team, account, role) = (TeamId(id(&row, "team")?), user(&row, "account")?, role(&row)?);
        changes.push(match row.try_get("from_group").map_err(failed)? {
            false => Change::SetMember { team, account, role: Some(role) },
            true => {
                let by_hand = row.try_get::<Option<&str>, _>("by_hand").map_err(failed)?;
                let by_hand = by_hand.map(role_of_text).transpose()?;
                Change::SetGroupRole { team, account, role, by_hand }
            }
        });
    }
    drop(rows);
    let owned = "SELECT id, team FROM dashboards WHERE team IS NOT NULL";
    let mut rows = sqlx::query(owned).fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        changes.push(Change::SetTeam { dashboard: dashboard(&row)?, team: Some(TeamId(id(&row, "team")?)) });
    }
    drop(rows);
    let grants =
        "SELECT d.id, g.account, g.team, g.role FROM grants g JOIN dashboards d ON d.n = g.dashboard";
    let mut rows = sqlx::query(grants).fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let is_account = row.try_get::<Option<&str>, _>("account").map_err(failed)?.is_some();
        let to = if is_account {
            Grantee::Account(user(&row, "account")?)
        } else {
            Grantee::Team(TeamId(id(&row, "team")?))
        };
        changes.push(Change::SetGrant { dashboard: dashboard(&row)?, to, role: Some(role(&row)?) });
    }
    drop(rows);
    let mut rows = sqlx::query("SELECT * FROM invitations").fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        changes.push(Change::PutInvitation(invitation(&row)?));
    }
    drop(rows);
    let mut rows = sqlx::query("SELECT * FROM tokens").fetch(&mut *moment);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        changes.push(Change::PutToken(tokens::token(&row)?));
    }
    drop(rows);
    changes.extend(links::links(&mut moment).await?);
    changes.extend(identities::identities(&mut moment).await?);
    changes.extend(screens::screens(&mut moment).await?);
    moment.commit().await.map_err(failed)?;
    let mut directory = Directory::default();
    for change in changes {
        directory.change(change).map_err(spoilt)?;
    }
    Ok(directory)
}

fn invitation(row: &SqliteRow) -> Result<Invitation, StoreError> {
    let hash: &[u8] = row.try_get("hash").map_err(failed)?;
    let is_reset = row.try_get::<Option<&str>, _>("account").map_err(failed)?.is_some();
    let purpose = if is_reset {
        Purpose::Reset(user(row, "account")?)
    } else {
        let email = row.try_get("email").map_err(failed)?;
        Purpose::Join { team: TeamId(id(row, "team")?), role: role(row)?, email }
    };
    Ok(Invitation {
        hash: InvitationHash::new(hash.try_into().map_err(spoilt)?),
        purpose,
        uses_left: u32::try_from(unsigned(row, "uses_left")?).map_err(spoilt)?,
        made_at: unsigned(row, "made_at")?,
        expires_at: unsigned(row, "expires_at")?,
        made_by: row.try_get("made_by").map_err(failed)?,
    })
}

/// The dashboards that nobody has.
pub(super) async fn orphans(readers: &SqlitePool) -> Result<Vec<DashboardId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM dashboards d WHERE team IS NULL AND NOT EXISTS (SELECT 1 FROM grants WHERE dashboard = d.n)
         ORDER BY id",
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.iter().map(dashboard).collect()
}

/// All sessions.
pub(super) async fn sessions(readers: &SqlitePool) -> Result<Vec<Session>, StoreError> {
    let mut rows = sqlx::query("SELECT * FROM sessions ORDER BY hash").fetch(readers);
    let mut sessions = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let hash: &[u8] = row.try_get("hash").map_err(failed)?;
        sessions.push(Session {
            hash: SessionHash::new(hash.try_into().map_err(spoilt)?),
            account: user(&row, "account")?,
            made_at: unsigned(&row, "made_at")?,
            used_at: unsigned(&row, "used_at")?,
            address: row.try_get("address").map_err(failed)?,
            agent: row.try_get("agent").map_err(failed)?,
            issuer: row.try_get("issuer").map_err(failed)?,
        });
    }
    Ok(sessions)
}

/// Makes a change. The first of several may leave the others undone.
pub(super) async fn change(to: &mut SqliteConnection, change: &Change) -> Result<(), Undone> {
    match change {
        Change::PutAccount(account) => {
            put_account(&mut *to, account).await?;
            let is_disabled = account.disabled_at.is_some();
            if is_disabled { tokens::remove_all_of(to, &account.id).await } else { Ok(()) }
        }
        Change::RemoveAccount(id) => {
            let query = sqlx::query("DELETE FROM accounts WHERE id = $1").bind(id.as_str());
            query.execute(to).await?;
            Ok(())
        }
        Change::PutTeam(Team { id, name }) => {
            let query = sqlx::query(
                "INSERT INTO teams (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            );
            query.bind(id.0.as_str()).bind(name.as_str()).execute(to).await?;
            Ok(())
        }
        Change::RemoveTeam(id) => {
            sqlx::query("DELETE FROM teams WHERE id = $1").bind(id.0.as_str()).execute(to).await?;
            Ok(())
        }
        Change::SetMember { team, account, role: Some(role) } => {
            let query = sqlx::query(
                "INSERT INTO memberships (account, team, role) VALUES ($1, $2, $3)
                 ON CONFLICT (account, team) DO UPDATE SET role = excluded.role, from_group = 0, by_hand = NULL",
            );
            query.bind(account.as_str()).bind(team.0.as_str()).bind(role_text(*role)).execute(to).await?;
            Ok(())
        }
        Change::SetGroupRole { team, account, role, by_hand } => {
            let query = sqlx::query(
                "INSERT INTO memberships (account, team, role, from_group, by_hand) VALUES ($1, $2, $3, 1, $4)
                 ON CONFLICT (account, team) DO UPDATE SET role = excluded.role, from_group = 1, by_hand = excluded.by_hand",
            );
            let query = query.bind(account.as_str()).bind(team.0.as_str()).bind(role_text(*role));
            query.bind(by_hand.map(role_text)).execute(to).await?;
            Ok(())
        }
        Change::SetMember { team, account, role: None } => {
            let query = sqlx::query("DELETE FROM memberships WHERE account = $1 AND team = $2");
            query.bind(account.as_str()).bind(team.0.as_str()).execute(to).await?;
            Ok(())
        }
        Change::SetTeam { dashboard, team } => {
            let query = sqlx::query("UPDATE dashboards SET team = $1 WHERE id = $2");
            let team = team.as_ref().map(|team| team.0.as_str());
            let done = query.bind(team).bind(dashboard.as_str()).execute(to).await?;
            if done.rows_affected() == 0 { Err(Undone::Half(StoreError::Gone)) } else { Ok(()) }
        }
        Change::SetGrant { dashboard, to: grantee, role } => set_grant(to, dashboard, grantee, *role).await,
        // Its grants and links, and its turns on screens, go with it.
        Change::Forget(_) => Ok(()),
        Change::PutInvitation(invitation) => put_invitation(to, invitation).await,
        Change::RemoveInvitation(hash) => {
            sqlx::query("DELETE FROM invitations WHERE hash = $1").bind(hash.as_bytes()).execute(to).await?;
            Ok(())
        }
        Change::PutToken(token) => tokens::put(to, token).await,
        Change::RemoveToken(id) => tokens::remove(to, id).await,
        Change::PutLink(link) => links::put_link(to, link).await,
        Change::RemoveLink(id) => links::remove_link(to, id).await,
        Change::PutIdentity(identity) => identities::put(to, identity).await,
        Change::RemoveIdentity { issuer, subject } => identities::remove(to, issuer, subject).await,
        Change::PutScreen(screen) => screens::put(to, screen).await,
        Change::RemoveScreen(id) => screens::remove(to, id).await,
    }
}

async fn put_account(to: &mut SqliteConnection, account: &Account) -> Result<(), Undone> {
    let query = sqlx::query(
        "INSERT INTO accounts (id, email, folded, name, password, is_admin, made_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET email = excluded.email, folded = excluded.folded, name = excluded.name,
            password = excluded.password, is_admin = excluded.is_admin, disabled_at = excluded.disabled_at",
    );
    // No mail address is an id.
    let folded = if account.email.is_empty() { account.id.to_string() } else { fold(account.email.trim()) };
    query
        .bind(account.id.as_str())
        .bind(account.email.as_str())
        .bind(folded)
        .bind(account.name.as_str())
        .bind(account.password.as_deref())
        .bind(account.is_admin)
        .bind(signed(account.made_at))
        .bind(account.disabled_at.map(signed))
        .execute(to)
        .await?;
    Ok(())
}

async fn put_invitation(to: &mut SqliteConnection, invitation: &Invitation) -> Result<(), Undone> {
    let (team, role, email, account) = match &invitation.purpose {
        Purpose::Join { team, role, email } => {
            (Some(team.0.as_str()), Some(role_text(*role)), email.as_deref(), None)
        }
        Purpose::Reset(account) => (None, None, None, Some(account.as_str())),
    };
    sqlx::query(
        "INSERT INTO invitations (hash, team, role, email, account, uses_left, made_at, expires_at, made_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (hash) DO UPDATE SET uses_left = excluded.uses_left",
    )
    .bind(invitation.hash.as_bytes())
    .bind(team)
    .bind(role)
    .bind(email)
    .bind(account)
    .bind(i64::from(invitation.uses_left))
    .bind(signed(invitation.made_at))
    .bind(signed(invitation.expires_at))
    .bind(invitation.made_by.as_str())
    .execute(to)
    .await?;
    Ok(())
}

async fn set_grant(
    to: &mut SqliteConnection,
    dashboard: &DashboardId,
    grantee: &Grantee,
    role: Option<Role>,
) -> Result<(), Undone> {
    let (account, team) = match grantee {
        Grantee::Account(account) => (Some(account.as_str()), None),
        Grantee::Team(team) => (None, Some(team.0.as_str())),
    };
    sqlx::query(
        "DELETE FROM grants WHERE dashboard = (SELECT n FROM dashboards WHERE id = $1) AND account IS $2 AND team IS $3",
    )
    .bind(dashboard.as_str())
    .bind(account)
    .bind(team)
    .execute(&mut *to)
    .await?;
    let Some(role) = role else { return Ok(()) };
    let query = sqlx::query(
        "INSERT INTO grants (dashboard, account, team, role) SELECT n, $2, $3, $4 FROM dashboards WHERE id = $1",
    );
    let done =
        query.bind(dashboard.as_str()).bind(account).bind(team).bind(role_text(role)).execute(to).await?;
    if done.rows_affected() == 0 { Err(Undone::Half(StoreError::Gone)) } else { Ok(()) }
}

pub(super) async fn write_sessions(to: &mut SqliteConnection, write: &SessionWrite) -> Result<(), Undone> {
    match write {
        SessionWrite::Put { session, removed } => {
            remove(to, removed).await?;
            sqlx::query(
                "INSERT INTO sessions (hash, account, made_at, used_at, address, agent, issuer)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(session.hash.as_bytes())
            .bind(session.account.as_str())
            .bind(signed(session.made_at))
            .bind(signed(session.used_at))
            .bind(session.address.as_str())
            .bind(session.agent.as_str())
            .bind(session.issuer.as_deref())
            .execute(to)
            .await?;
        }
        SessionWrite::Uses(used) => {
            for (hash, at) in used {
                let query = sqlx::query("UPDATE sessions SET used_at = MAX(used_at, $1) WHERE hash = $2");
                query.bind(signed(*at)).bind(hash.as_bytes()).execute(&mut *to).await?;
            }
        }
        SessionWrite::Remove(hashes) => remove(to, hashes).await?,
    }
    Ok(())
}

async fn remove(to: &mut SqliteConnection, hashes: &[SessionHash]) -> Result<(), Undone> {
    for hash in hashes {
        sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash.as_bytes()).execute(&mut *to).await?;
    }
    Ok(())
}
