//! The WebSocket: who comes in, and one task per session that reads frames and writes what waits.

pub mod bucket;
pub mod decode;
mod quota;
mod session;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::time::Instant;

use self::decode::{Decoded, decode};
use self::quota::{Permit, Quota};
use self::session::{Identity, Session, Term};
use self::wire::{Heard, NoUpgrade, Wire};
use super::access::identities::PROXY;
use super::access::proxy::Word;
use super::access::who::{Principal, Who};
use super::auth::{clean_name, person};
use super::clock::now_ms;
use super::errors::ApiError;
use super::origin::Origins;
use super::peer::PeerAddr;
use super::rooms::outbound::{End, Outbound};
use super::rooms::{Admission, RoomError, Rooms, Turned, frames, random_id};
use super::store::StoreError;
use crate::dashboard::{ClientId, Id, SessionId, User, UserId};
use crate::sync::protocol::{Code, HEARTBEAT_MS, PROTOCOL, ServerMessage, close};

/// The store's name for the secret that public client ids are derived with.
const CLIENT_SECRET: &str = "client";
/// Characters of a public client id: 132 bits of the hash.
const CLIENT_CHARS: usize = 22;
/// When those come back whom a full server turned away.
const FULL_RETRY_MS: u64 = 5_000;
/// The same after the store failed: soon, so that whoever waits is back when it is.
const STORE_RETRY_MS: u64 = 500;
/// When those come back whom a draining server turned away: it is up again by then.
const DRAINING_RETRY_MS: u64 = 1_000;
/// When those may come back who have as many sockets as they may: one of them may be gone by then.
const QUOTA_RETRY_S: u64 = 5;
/// How long a socket lives of somebody whom a proxy names: then it is opened anew, and the proxy asked again.
const MAX_NAMED: Duration = Duration::from_secs(12 * 60 * 60);

/// What a socket needs of the server.
#[derive(Clone)]
pub struct Sockets {
    pub rooms: Rooms,
    pub origins: Arc<Origins>,
    build: Arc<str>,
    quota: Arc<Quota>,
    key: Hmac<Sha256>,
}

impl Sockets {
    /// Reads the secret behind public client ids from the store. `build` names the files that browsers get.
    pub async fn new(rooms: Rooms, origins: Arc<Origins>, build: &str) -> Result<Self, StoreError> {
        let secret = rooms.store().secret(CLIENT_SECRET).await?;
        let key = Hmac::new_from_slice(&secret).expect("HMAC takes keys of any length");
        Ok(Self { rooms, origins, build: build.into(), quota: Arc::default(), key })
    }

    /// The id by which others see the client that has this secret. The same ever after, and no way back.
    fn public_client(&self, secret: &str) -> ClientId {
        let hash = self.key.clone().chain_update(secret).finalize().into_bytes();
        let text = URL_SAFE_NO_PAD.encode(hash);
        ClientId::new(&text[..CLIENT_CHARS]).expect("base64 without padding is an id")
    }
}

/// `GET /api/v1/ws`. Who it is, the cookie says, where there is one.
pub async fn upgrade(State(sockets): State<Sockets>, who: Who, mut request: Request) -> Response {
    let headers = request.headers();
    // A browser opens sockets for any page and sends its cookies along: only our own pages may. A token it does not send.
    let user = who.user();
    let named = user.is_some() && !headers.contains_key(ORIGIN);
    let from_elsewhere = who.token().is_none() && (named || !sockets.origins.may_change(headers));
    if from_elsewhere || !sockets.origins.is_own_host(headers) {
        return ApiError::new(Code::Forbidden, "This socket is for pages of this server.").into_response();
    }
    let (principal, limits) = (who.principal(), sockets.rooms.limits());
    let address = request.extensions().get().map(|peer: &PeerAddr| peer.network());
    let permit = match sockets.quota.take(&principal, address, limits) {
        Ok(permit) => permit,
        Err(error) => {
            sockets.rooms.metrics().rejected(Code::RateLimited);
            let error = ApiError::new(Code::RateLimited, error.to_string());
            return ([(RETRY_AFTER, QUOTA_RETRY_S)], error).into_response();
        }
    };
    let (response, opening) = match wire::upgrade(&mut request) {
        Ok(upgrade) => upgrade,
        Err(error) => return no_upgrade(&error),
    };
    let term = Term {
        ended: who.ended(),
        until: lifetime(&who, request.extensions().get()).map(|lives| Instant::now() + lives),
    };
    let opener = Opener { user, principal, term, permit };
    tokio::spawn(async move {
        // A browser that is gone before the answer has nobody to be told.
        if let Some(wire) = opening.wire(sockets.rooms.limits()).await {
            serve(sockets, opener, address, wire).await;
        }
    });
    response
}

/// Answers a request that opens no socket.
fn no_upgrade(error: &NoUpgrade) -> Response {
    let reason = format!("This address is a WebSocket: {error}.");
    let error = ApiError::new(Code::Invalid, reason).status(StatusCode::UPGRADE_REQUIRED);
    ([(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")], error).into_response()
}

/// Who opens a socket.
struct Opener {
    user: Option<User>,
    principal: Principal,
    term: Term,
    /// Counts the socket for as long as it is open.
    permit: Option<Permit>,
}

/// How long a socket lives; `None` for as long as whoever opens it may use it.
fn lifetime(who: &Who, word: Option<&Word>) -> Option<Duration> {
    let issuer = who.signed_in()?.session.issuer.as_deref();
    let is_named = issuer == Some(PROXY) || matches!(word, Some(Word::Person(_)));
    is_named.then_some(MAX_NAMED)
}

async fn serve(sockets: Sockets, opener: Opener, address: Option<IpAddr>, mut wire: Wire) {
    let Opener { user, principal, term, permit: _permit } = opener;
    let admission = match sockets.rooms.admit(address) {
        Ok(admission) => admission,
        Err(turned) => {
            let (code, retry, end, short) = match turned {
                Turned::Draining => (Code::Internal, DRAINING_RETRY_MS, close::DRAINING, "draining"),
                Turned::Full => (Code::Full, FULL_RETRY_MS, close::TOO_MANY, "server full"),
                Turned::FullForAddress => {
                    (Code::Full, FULL_RETRY_MS, close::TOO_MANY, "too many from this address")
                }
            };
            sockets.rooms.metrics().rejected(code);
            wire.say_and_close(frames::error(code, turned.to_string(), Some(retry)), end, short).await;
            return;
        }
    };
    let deadline = Duration::from_millis(sockets.rooms.limits().hello_ms);
    // The greeting's future is gone before the session's begins: an idle session holds only its own.
    let greeted = match tokio::time::timeout(deadline, Box::pin(greet(&sockets, user, &mut wire))).await {
        Ok(greeted) => greeted,
        Err(_) => Err(End { code: close::SILENT, reason: "no hello" }),
    };
    match greeted {
        Ok((client, user)) => {
            let session = SessionId::new(random_id()).expect("base64 without padding is an id");
            let identity = Identity { id: session, client, user, principal };
            welcome(&sockets, admission, wire, identity, term).await;
        }
        Err(end) => wire.close(end).await,
    }
}

/// Waits for a good `hello`; says who it is.
async fn greet(sockets: &Sockets, known: Option<User>, wire: &mut Wire) -> Result<(ClientId, User), End> {
    let text = match wire.hear().await {
        Heard::Text(text) => text,
        Heard::End(end) => return Err(end),
    };
    if text.len() > sockets.rooms.limits().hello_bytes {
        return Err(End { code: close::TOO_LARGE, reason: "hello too large" });
    }
    let malformed = |reason| End { code: close::MALFORMED, reason };
    let (secret, wish) = match decode(&text, usize::MAX) {
        Ok(Decoded::Hello { client, name }) => (client, name),
        Ok(Decoded::OtherProtocol) => {
            let reason = format!("This server speaks protocol {PROTOCOL}. Load the page again.");
            // It closes in any case.
            let _ = wire.say(frames::error(Code::Invalid, reason, None)).await;
            return Err(End { code: close::PROTOCOL, reason: "protocol not spoken here" });
        }
        Ok(_) => return Err(malformed("hello comes first")),
        Err(error) => {
            sockets.rooms.metrics().rejected(Code::Invalid);
            // It closes in any case; the reason is for whoever writes a client.
            let _ = wire.say(frames::error(Code::Invalid, error.to_string(), None)).await;
            return Err(malformed("hello comes first"));
        }
    };
    if Id::new(&secret).is_err() {
        let reason = "A client is 1 to 64 characters out of A-Z, a-z, 0-9, _ and -.";
        // It closes in any case.
        let _ = wire.say(frames::error(Code::Invalid, reason, None)).await;
        return Err(malformed("no client id"));
    }
    let client = sockets.public_client(&secret);
    let user = known.unwrap_or_else(|| nameless(&client, wish.as_deref()));
    Ok((client, user))
}

/// Somebody without a cookie, such as a script: known by the client, called as it wishes.
fn nameless(client: &ClientId, wish: Option<&str>) -> User {
    let number = client.as_str().bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let name = wish.and_then(clean_name).unwrap_or_else(|| format!("Guest {}", 100 + number % 900));
    let id = UserId::new(format!("c-{client}")).expect("an id with two characters more is an id");
    person(id, name)
}

async fn welcome(sockets: &Sockets, admission: Admission, wire: Wire, identity: Identity, term: Term) {
    let outbound = Arc::new(Outbound::new(sockets.rooms.limits()));
    outbound.send(frames::frame(&ServerMessage::Welcome {
        protocol: PROTOCOL,
        client: identity.client.clone(),
        session: identity.id.clone(),
        user: identity.user.clone(),
        heartbeat_ms: HEARTBEAT_MS,
        build: sockets.build.to_string(),
        now: Some(now_ms()),
    }));
    Session::new(sockets.rooms.clone(), admission, identity, outbound).run(wire, term).await;
}

/// What to answer where a room cannot be had.
fn room_error(error: &RoomError) -> (Code, Option<u64>) {
    match error {
        RoomError::NotFound | RoomError::InBin(_) => (Code::NotFound, None),
        RoomError::Full | RoomError::Busy(_) => (Code::Full, Some(FULL_RETRY_MS)),
        RoomError::NoMoreDashboards | RoomError::BinFull => (Code::Full, None),
        RoomError::Draining => (Code::Internal, Some(DRAINING_RETRY_MS)),
        RoomError::Spoilt => (Code::Internal, None),
        RoomError::Store(_) => (Code::Internal, Some(STORE_RETRY_MS)),
    }
}
