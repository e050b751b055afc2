//! Identity of whoever sends a request, and the principal that roles are given to.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::SignedIn;
use super::links::LinkId;
use super::screens::{ScreenId, Showing};
use super::tokens::{TokenHolder, TokenId};
use super::visits::Visiting;
use crate::dashboard::{User, UserId};
use crate::server::auth::person;

/// Whoever sends a request, as far as it is known. In the extensions of every request.
#[derive(Clone, Debug, Default)]
pub enum Who {
    #[default]
    Nobody,
    /// Somebody who is known by a cookie, on a server without accounts.
    Guest(User),
    /// Somebody who signed in.
    Person(Box<SignedIn>),
    /// A program that has a token.
    Token(Box<TokenHolder>),
    /// Somebody who came by a share link.
    Visitor(Box<Visiting>),
    /// Somebody without an account whom guest mode lets in.
    Public(User),
    /// A television that was paired.
    Screen(Box<Showing>),
}

/// What has roles on dashboards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Whoever reaches the server.
    Anyone,
    Account(UserId),
    Token(TokenId),
    /// A share link, whoever came by it.
    Link(LinkId),
    /// Whoever guest mode lets in.
    Public,
    Screen(ScreenId),
}

impl Who {
    /// The person as others see them; `None` for nobody who is known.
    pub fn user(&self) -> Option<User> {
        match self {
            Self::Nobody => None,
            Self::Guest(user) | Self::Public(user) => Some(user.clone()),
            Self::Person(signed_in) => Some(person_of(signed_in)),
            Self::Token(holder) => Some(holder.user()),
            Self::Visitor(visiting) => Some(visiting.visit.person()),
            Self::Screen(showing) => Some(showing.screen.user()),
        }
    }

    pub fn principal(&self) -> Principal {
        match self {
            Self::Nobody | Self::Guest(_) => Principal::Anyone,
            Self::Person(signed_in) => Principal::Account(signed_in.account.id.clone()),
            Self::Token(holder) => Principal::Token(holder.token.id.clone()),
            Self::Visitor(visiting) => Principal::Link(visiting.visit.link),
            Self::Public(_) => Principal::Public,
            Self::Screen(showing) => Principal::Screen(showing.screen.id.clone()),
        }
    }

    /// The session of somebody who signed in.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match self {
            Self::Person(signed_in) => Some(signed_in),
            Self::Nobody
            | Self::Guest(_)
            | Self::Token(_)
            | Self::Visitor(_)
            | Self::Public(_)
            | Self::Screen(_) => None,
        }
    }

    /// Somebody who came by a share link.
    pub fn visiting(&self) -> Option<&Visiting> {
        match self {
            Self::Visitor(visiting) => Some(visiting),
            Self::Nobody
            | Self::Guest(_)
            | Self::Person(_)
            | Self::Token(_)
            | Self::Public(_)
            | Self::Screen(_) => None,
        }
    }

    /// True for whoever has no account on a server that has some: by a share link, or by guest mode.
    pub fn is_guest(&self) -> bool {
        matches!(self, Self::Visitor(_) | Self::Public(_))
    }

    /// True for an admin of the server.
    pub fn is_admin(&self) -> bool {
        self.signed_in().is_some_and(|signed_in| signed_in.account.is_admin)
    }
}

fn person_of(signed_in: &SignedIn) -> User {
    person(signed_in.account.id.clone(), signed_in.account.name.clone())
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
