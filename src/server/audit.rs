//! Log lines of what happens to whole dashboards: one each, with who did it and from where.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::auth::Guest;
use super::peer::PeerAddr;
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
}

/// Who sends a request, and from where.
#[derive(Clone, Debug)]
pub struct Sender {
    /// `None` where nobody said, as a script without a cookie.
    guest: Option<Guest>,
    address: Option<IpAddr>,
}

impl Sender {
    /// The person, where one is known.
    pub fn user(&self) -> Option<&User> {
        self.guest.as_ref().map(|guest| &guest.user)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let extensions = &parts.extensions;
        let address = extensions.get::<PeerAddr>().map(|peer| peer.0);
        Ok(Self { guest: extensions.get::<Guest>().cloned(), address })
    }
}

/// Writes the line. `sender` is `None` where the server did it by itself.
pub fn log(event: Event<'_>, dashboard: &DashboardId, sender: Option<&Sender>) {
    let user = sender.and_then(Sender::user);
    let (user, name) = (user.map(|user| user.id.as_str()), user.map(|user| user.name.as_str()));
    let from = sender.and_then(|sender| sender.address).map(tracing::field::display);
    let original = match event {
        Event::Copied(original) => Some(original.as_str()),
        _ => None,
    };
    tracing::info!(event = event.name(), %dashboard, user, name, from, original, "a dashboard was {}", event.name());
}
