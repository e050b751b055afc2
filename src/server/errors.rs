//! Mapping of errors to HTTP: a status, a code and a reason for each.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access::AccessError;
use super::access::directory::ChangeError;
use super::access::listing::InvalidAfter;
use super::rooms::RoomError;
use super::store::StoreError;
use crate::sync::protocol::Code;

/// An answer that is not the one asked for: `{"code":"...","reason":"..."}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: Code,
    /// For people: what happened and what to do.
    pub reason: String,
}

#[derive(Serialize)]
struct Body<'a> {
    code: Code,
    reason: &'a str,
}

impl ApiError {
    /// An error with the status that fits its code.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        let status = match code {
            Code::Invalid => StatusCode::BAD_REQUEST,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::NotJoined | Code::OutOfOrder => StatusCode::CONFLICT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Full => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code, reason: reason.into() }
    }

    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn not_signed_in() -> Self {
        Self::new(Code::Forbidden, "Sign in first.").status(StatusCode::UNAUTHORIZED)
    }

    pub fn no_accounts() -> Self {
        Self::new(Code::NotFound, "This server has no accounts.")
    }

    pub fn method_not_allowed() -> Self {
        Self::new(Code::Invalid, "This address does not take this method.")
            .status(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub fn no_screen() -> Self {
        Self::new(
            Code::Forbidden,
            "This is for screens alone. One that was revoked shows a new code at /screen.",
        )
    }

    pub fn no_such_dashboard() -> Self {
        Self::new(Code::NotFound, "There is no such dashboard.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body { code: self.code, reason: &self.reason });
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 2.into());
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Gone => Self::no_such_dashboard(),
            StoreError::TooMany => {
                Self::new(Code::Full, "There is no room for more of these. Nothing was changed.")
                    .status(StatusCode::CONFLICT)
            }
            StoreError::Closed => Self::new(Code::Full, "The server is stopping. Try again in a moment."),
            StoreError::Full(text) => {
                tracing::error!(error = %text, "the disk is full");
                Self::new(Code::Full, "The server's disk is full. Nothing was changed.")
                    .status(StatusCode::INSUFFICIENT_STORAGE)
            }
            StoreError::Damaged(why) => {
                tracing::error!(%why, "what is stored does not read");
                Self::new(
                    Code::Internal,
                    "What is stored is damaged and cannot be read. /status says what of it; a backup has it whole.",
                )
            }
            StoreError::Unknown(why) => {
                tracing::error!(%why, "the store failed while it was saving");
                Self::new(
                    Code::Internal,
                    "The server's disk failed while it was saving this. It may be saved or not: look before you \
                     try again.",
                )
                .status(StatusCode::SERVICE_UNAVAILABLE)
            }
            error @ (StoreError::Taken | StoreError::Exists | StoreError::Io(_) | StoreError::Newer(_)) => {
                tracing::error!(%error, "the store failed a request");
                Self::new(
                    Code::Internal,
                    "The server could not reach its store. Nothing was changed; try again.",
                )
                .status(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let reason = error.to_string();
        match error {
            RoomError::NotFound => Self::no_such_dashboard(),
            RoomError::InBin(_) => Self::new(Code::NotFound, reason),
            RoomError::Full | RoomError::Draining | RoomError::Busy(_) => {
                Self::new(Code::Full, format!("{reason} Try again in a moment."))
            }
            RoomError::NoMoreDashboards | RoomError::BinFull => {
                Self::new(Code::Full, reason).status(StatusCode::CONFLICT)
            }
            RoomError::Spoilt => Self::new(Code::Internal, reason),
            RoomError::Store(error) => error.into(),
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let reason = error.to_string();
        match error {
            AccessError::Wrong
            | AccessError::WrongPassword
            | AccessError::WrongCode
            | AccessError::SecondFactorRequired
            | AccessError::OwnSecondFactor
            | AccessError::NotYours(_)
            | AccessError::LinkPassword
            | AccessError::NotJoined
            | AccessError::NoFactorYet
            | AccessError::NoScreenEditor
            | AccessError::NotAdmitted
            | AccessError::Disabled => Self::new(Code::Forbidden, reason),
            AccessError::SignInOver => Self::new(Code::Forbidden, reason).status(StatusCode::UNAUTHORIZED),
            AccessError::SetUpOver | AccessError::NoSecondFactor => {
                Self::new(Code::Invalid, reason).status(StatusCode::CONFLICT)
            }
            AccessError::Wait(_) => Self::new(Code::RateLimited, reason),
            AccessError::Busy => Self::new(Code::Full, reason),
            AccessError::NoInvitation
            | AccessError::NoPairing
            | AccessError::SetupCode
            | AccessError::NoSession
            | AccessError::NoIdentity
            | AccessError::NoToken => Self::new(Code::NotFound, reason),
            AccessError::NameTaken | AccessError::LastWayIn => {
                Self::new(Code::Invalid, reason).status(StatusCode::CONFLICT)
            }
            AccessError::NotRemoved => {
                Self::new(Code::Internal, reason).status(StatusCode::SERVICE_UNAVAILABLE)
            }
            AccessError::NoEmail
            | AccessError::NoName
            | AccessError::WrongNewCode
            | AccessError::BadLink
            | AccessError::BadScreen(_)
            | AccessError::Weak(_)
            | AccessError::BadToken(_) => Self::new(Code::Invalid, reason),
            AccessError::Change(
                ChangeError::NoAccount | ChangeError::NoTeam | ChangeError::NoLink | ChangeError::NoScreen,
            ) => Self::new(Code::NotFound, reason),
            AccessError::Change(_) => Self::new(Code::Invalid, reason).status(StatusCode::CONFLICT),
            AccessError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidAfter> for ApiError {
    fn from(InvalidAfter: InvalidAfter) -> Self {
        Self::new(Code::Invalid, "`after` takes what `next` said.")
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::Invalid,
        };
        Self::new(code, rejection.body_text()).status(rejection.status())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Code::Invalid, rejection.body_text())
    }
}

/// An id in an address that cannot be one names nothing.
impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::no_such_dashboard()
    }
}
