//! Audit of whole dashboards, with who did it and from where: a log line each, and on a server with accounts an
//! entry of the audit log.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::access::audit::{dashboard_target, entry};
use super::access::who::Who;
use super::access::{Access, Mode};
use super::peer::PeerAddr;
use crate::app::audit::{Action, Actor, ActorKind, AuditEntry, Detail, Target, TargetKind};
use crate::dashboard::{DashboardId, User};

/// What happened to a dashboard as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Made,
    Imported,
    /// It begins as another one.
    Copied(&'a DashboardId),
    /// A document was brought into it.
    Replaced,
    Deleted,
    Restored,
    Purged,
    /// It was in the bin for as long as the settings say.
    Expired,
}

impl Event<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Imported => "imported",
            Self::Copied(_) => "copied",
            Self::Replaced => "changed by a document",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Purged => "purged",
            Self::Expired => "expired",
        }
    }

    /// A copy is made, and the original copied.
    fn action(self) -> Action {
        match self {
            Self::Made | Self::Copied(_) => Action::DashboardMade,
            Self::Imported => Action::DashboardImported,
            Self::Replaced => Action::DashboardReplaced,
            Self::Deleted => Action::DashboardDeleted,
            Self::Restored => Action::DashboardRestored,
            Self::Purged => Action::DashboardPurged,
            Self::Expired => Action::DashboardExpired,
        }
    }
}

/// Who sends a request, and from where.
#[derive(Clone, Debug)]
pub struct Sender {
    /// `None` where nobody said, as a script without a cookie.
    user: Option<User>,
    kind: ActorKind,
    address: Option<IpAddr>,
}

impl Sender {
    /// The person, where one is known.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// What they did, now.
    pub fn did(&self, what: Action, about: Target) -> AuditEntry {
        let id = self.user().map(|user| user.id.to_string());
        let who = Actor::new(self.kind, id, self.user().map_or("", |user| &user.name));
        entry(who, self.address.map(|address| address.to_string()), what, Some(about))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let extensions = &parts.extensions;
        let address = extensions.get::<PeerAddr>().map(|peer| peer.0);
        let who: Option<&Who> = extensions.get();
        let kind = match who {
            Some(Who::Person(_)) => ActorKind::Account,
            Some(Who::Token(_)) => ActorKind::Token,
            Some(Who::Nobody | Who::Guest(_) | Who::Visitor(_) | Who::Public(_) | Who::Screen(_)) | None => {
                ActorKind::Guest
            }
        };
        Ok(Self { user: who.and_then(Who::user), kind, address })
    }
}

/// Notes what happened to a dashboard, whose title is told where the store does not know it any more. `sender` is `None`
/// where the server did it by itself.
pub async fn note(
    access: &Access,
    event: Event<'_>,
    dashboard: &DashboardId,
    title: &str,
    sender: Option<&Sender>,
) {
    if access.mode() == Mode::Open {
        return log(event, dashboard, sender);
    }
    let about = Target::new(TargetKind::Dashboard, dashboard, title);
    let did = |what, about| match sender {
        Some(sender) => sender.did(what, about),
        None => entry(Actor::server(), None, what, Some(about)),
    };
    let noted = did(event.action(), about);
    let entries = match event {
        Event::Copied(original) => {
            let from = dashboard_target(original);
            // Who owns the original hears that there is a copy, and not where.
            let copied = did(Action::DashboardCopied, from.clone());
            vec![copied, noted.with(Detail { from: Some(from), ..Detail::default() })]
        }
        _ => vec![noted],
    };
    access.record(entries).await;
}

/// Writes the line. `sender` is `None` where the server did it by itself.
fn log(event: Event<'_>, dashboard: &DashboardId, sender: Option<&Sender>) {
    let user = sender.and_then(Sender::user);
    let (user, name) = (user.map(|user| user.id.as_str()), user.map(|user| user.name.as_str()));
    let from = sender.and_then(|sender| sender.address).map(tracing::field::display);
    let original = match event {
        Event::Copied(original) => Some(original.as_str()),
        _ => None,
    };
    tracing::info!(event = event.name(), %dashboard, user, name, from, original, "a dashboard was {}", event.name());
}
