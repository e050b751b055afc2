//! Ingestion of points over HTTP: as JSON, and as the write APIs of InfluxDB, Prometheus and OpenTelemetry have them.
//!
//! What does not fit in a batch is named with its line, and the rest of the batch is taken.

pub mod batch;
mod budget;
pub mod collectd;
pub mod influx;
pub mod influx_v1;
pub mod influx_v3;
pub mod json;
pub mod line;
pub mod otlp;
mod protobuf;
pub mod remote_write;

use std::io::Read as _;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use self::batch::{Batch, Refusals};
use self::budget::{Budget, Busy, Share};
use super::access::{Access, Mode};
use super::data::series::SeriesStore;
use super::data::series::matching::Match;
use super::data::series::runs::{Named, Runs};
use super::limits::Limits;
use super::metrics::Metrics;
use super::peer::PeerAddr;
use super::rates::AddressRate;
use super::store::StoreError;
use crate::app::access::Scope;

/// Bytes of requests that are worked on at once; more of them wait.
const AT_ONCE: usize = 64 * 1024 * 1024;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(10);
/// Bytes of a body that has not come yet for which there is a place: most are smaller.
const EXPECTED: usize = 64 * 1024;
/// Bytes from which on a body is read beside the tasks of the server, which would wait.
const LARGE: usize = 32 * 1024;

/// The way in for points.
#[derive(Clone)]
pub struct Ingest(Arc<Shared>);

struct Shared {
    series: Arc<SeriesStore>,
    metrics: Arc<Metrics>,
    /// The hash of the token that whoever brings points has to know.
    token: Option<[u8; 32]>,
    /// Knows the tokens of people, and whether without any whoever reaches the server may bring points.
    access: Arc<Access>,
    most_bytes: usize,
    budget: Budget,
    /// Of series that nobody has pushed before.
    new_series: AddressRate,
}

/// Why nothing of a request was taken.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("Pushing points needs a token that this server knows.")]
    NoToken,
    #[error("This token may not push points: that takes the scope push, and an owner who edits dashboards.")]
    NoScope,
    #[error("The body has more than {0} bytes. Send it in parts.")]
    TooLarge(usize),
    #[error("The body unpacks to more than {0} bytes. Send it in parts.")]
    UnpacksTooLarge(usize),
    #[error("The body does not read as {0}.")]
    NotPacked(&'static str),
    #[error("The content encoding {0:?} is not known here. It takes gzip, or none.")]
    Encoding(String),
    #[error("The body did not come whole in time. Send it again.")]
    Cut,
    #[error("The server takes in as much as it can. Try again in a moment.")]
    Busy,
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for IngestError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl IngestError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NoScope => StatusCode::FORBIDDEN,
            Self::TooLarge(_) | Self::UnpacksTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotPacked(_) | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            // Senders take what begins with a 4 for "never send that again".
            Self::Busy | Self::Cut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::Full(_)) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What somebody may push and delete.
#[derive(Debug, Default)]
struct Allowed {
    /// What the names of series begin with; `None` for all.
    prefix: Option<String>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Points that are kept, and on the disk.
    pub accepted: u64,
    pub refused: Refusals,
}

impl Ingest {
    pub fn new(
        series: Arc<SeriesStore>,
        metrics: Arc<Metrics>,
        token: Option<&str>,
        access: Arc<Access>,
        limits: &Limits,
    ) -> Self {
        let token = token.map(|token| Sha256::digest(token).into());
        let most_bytes = limits.ingest_bytes;
        let budget = Budget::new(AT_ONCE, most_bytes);
        let per_minute = limits.new_series_per_minute;
        let new_series = AddressRate::new(f64::from(per_minute) / 60.0, per_minute);
        Self(Arc::new(Shared { series, metrics, token, access, most_bytes, budget, new_series }))
    }

    /// Takes a request's points: all that `read` makes of its body.
    async fn take(
        &self,
        request: Request<Body>,
        read: impl FnOnce(&[u8], Batch) -> Result<Batch, String> + Send + 'static,
    ) -> Result<Outcome, IngestError> {
        self.take_with(request, None, read).await
    }

    /// The same, where the address may have a password.
    async fn take_with(
        &self,
        request: Request<Body>,
        password: Option<&str>,
        read: impl FnOnce(&[u8], Batch) -> Result<Batch, String> + Send + 'static,
    ) -> Result<Outcome, IngestError> {
        let taken = match self.check(request.headers(), password) {
            Ok(_) => self.try_take(request, password, read).await,
            Err(error) => Err(error),
        };
        let metrics = &self.0.metrics;
        metrics.ingest_requests.fetch_add(1, Relaxed);
        match &taken {
            Ok(outcome) => {
                metrics.ingest_points.fetch_add(outcome.accepted, Relaxed);
                metrics.ingest_refused.fetch_add(outcome.refused.count(), Relaxed);
            }
            Err(_) => {
                metrics.ingest_failed.fetch_add(1, Relaxed);
            }
        }
        taken
    }

    async fn try_take(
        &self,
        request: Request<Body>,
        password: Option<&str>,
        read: impl FnOnce(&[u8], Batch) -> Result<Batch, String> + Send + 'static,
    ) -> Result<Outcome, IngestError> {
        let said = request.headers().get(AUTHORIZATION).cloned();
        let unsaid = || request.extensions().get().copied().unwrap_or(Packing::Plain);
        let packing = Packing::of(request.headers())?.unwrap_or_else(unsaid);
        let most = self.0.most_bytes;
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let peer = request.extensions().get().copied().unwrap_or(PeerAddr(Ipv6Addr::LOCALHOST.into()));
        let mut body = request.into_body().into_data_stream();
        if length.is_some_and(|length: usize| length > most) {
            return Err(IngestError::TooLarge(most));
        }
        let mut share = self.0.budget.share(peer.network());
        // As long as bytes come: the connection knows when they do not.
        let Some(gathered) = gather(&mut body, &mut share, length.unwrap_or(0), most).await? else {
            return Err(IngestError::TooLarge(most));
        };
        // A token may be revoked by the time at which all of it is there.
        let Allowed { prefix } = self.check_said(said.as_ref(), password)?;
        let is_packed = packing != Packing::Plain;
        if is_packed {
            // What came packed may need all the room that there is for one beside it.
            share.grow(gathered.len() + most, WAIT).await?;
        }
        let (window, memory) = (self.0.series.window(), self.0.series.memory().clone());
        let work = move |body: &[u8]| {
            let unpacked = match packing {
                Packing::Plain => None,
                Packing::Gzip => Some(gunzip(body, most)?),
                Packing::Snappy => Some(unsnap(body, most)?),
                Packing::PerhapsSnappy => unsnap(body, most).ok(),
            };
            let batch = Batch::of(window, memory).within(prefix);
            let batch = read(unpacked.as_deref().unwrap_or(body), batch).map_err(IngestError::Unreadable)?;
            Ok::<_, IngestError>(batch.finish())
        };
        let (mut runs, mut refused, texts) = if gathered.len() < LARGE && !is_packed {
            work(&gathered)?
        } else {
            let done = tokio::task::spawn_blocking(move || work(&gathered)).await;
            done.map_err(|error| IngestError::Unreadable(error.to_string()))??
        };
        self.0.metrics.ingest_texts.fetch_add(texts, Relaxed);
        self.allow_new(&mut runs, peer, &mut refused);
        let taken = self.0.series.push(runs).await?;
        drop(share);
        for (place, count, why) in taken.refused {
            refused.add(place, count, why);
        }
        Ok(Outcome { accepted: taken.points, refused })
    }

    /// Keeps the series that are known, or new and not too many for their sender; the others are refused.
    fn allow_new(&self, runs: &mut Runs, peer: PeerAddr, refused: &mut Refusals) {
        let mut has_room = None;
        runs.retain(|series| {
            let Named::Key(key) = &series.named else { return true };
            let Err(wait) = self.0.new_series.take(peer) else { return true };
            let memory = self.0.series.memory();
            let room = || memory.size().series < memory.bounds().series;
            // Where there is a place for it, it is refused for now only.
            refused.is_for_now |= *has_room.get_or_insert_with(room);
            let why = format!(
                "the series {:?} is new, and your address makes too many of them; try again in {} s",
                key.whole(),
                wait.as_secs_f64().ceil()
            );
            refused.add(series.place, series.count() as u64, why);
            false
        });
    }

    /// How long points are kept, in milliseconds.
    fn kept_ms(&self) -> u64 {
        self.0.series.memory().bounds().kept_ms
    }

    /// Deletes series; how many there were.
    async fn delete(&self, wanted: Match) -> Result<usize, IngestError> {
        Ok(self.0.series.delete(wanted).await?)
    }

    /// Whether who asks may push points and delete series.
    fn check_token(&self, headers: &HeaderMap) -> Result<(), IngestError> {
        self.check(headers, None).map(drop)
    }

    /// The same, where the address may have a password.
    fn check(&self, headers: &HeaderMap, password: Option<&str>) -> Result<Allowed, IngestError> {
        self.check_said(headers.get(AUTHORIZATION), password)
    }

    fn check_said(&self, said: Option<&HeaderValue>, password: Option<&str>) -> Result<Allowed, IngestError> {
        let Shared { token: wanted, access, .. } = &*self.0;
        if wanted.is_none() && access.mode() == Mode::Open {
            return Ok(Allowed::default());
        }
        let said = said.and_then(|value| value.to_str().ok());
        let token = said.and_then(token_of).or_else(|| password.map(str::to_owned));
        let token = token.ok_or(IngestError::NoToken)?;
        // Hashes are compared: how long that takes tells nothing of the token.
        if wanted.is_some_and(|wanted| <[u8; 32]>::from(Sha256::digest(&token)) == wanted) {
            return Ok(Allowed::default());
        }
        let holder = access.find_token(&token).ok_or(IngestError::NoToken)?;
        let may_push = access.token_may(&holder.token, Scope::Push);
        if may_push { Ok(Allowed { prefix: holder.token.prefix }) } else { Err(IngestError::NoScope) }
    }
}

/// The token of `Authorization: Bearer`, `Token`, or `Basic`, where it is the password.
fn token_of(said: &str) -> Option<String> {
    let (scheme, rest) = said.split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" => Some(rest.to_owned()),
        "basic" => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    /// One block, as Prometheus' remote write has it.
    Snappy,
    /// Such a block, or else as it is.
    PerhapsSnappy,
}

impl Packing {
    /// As the sender says; `None` where it says nothing.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, IngestError> {
        let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match encoding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "snappy" => Ok(Some(Self::Snappy)),
            "" | "identity" => Ok(Some(Self::Plain)),
            other => Err(IngestError::Encoding(other.to_owned())),
        }
    }
}

/// The whole body; `None` where it has more than so many bytes.
async fn gather(
    body: &mut BodyDataStream,
    share: &mut Share,
    expected: usize,
    most: usize,
) -> Result<Option<Vec<u8>>, IngestError> {
    let mut gathered = Vec::with_capacity(expected.min(EXPECTED));
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| IngestError::Cut)?;
        if gathered.len() + part.len() > most {
            return Ok(None);
        }
        // Before it is kept: growing takes up to twice of what is there.
        share.grow(gathered.len() + part.len(), WAIT).await?;
        gathered.extend_from_slice(&part);
    }
    Ok(Some(gathered))
}

/// Unpacks as far as the bound, and not further.
fn gunzip(body: &[u8], most: usize) -> Result<Vec<u8>, IngestError> {
    let mut out = Vec::with_capacity(body.len().saturating_mul(8).min(most));
    let reader = flate2::read::MultiGzDecoder::new(body);
    let read = reader.take((most as u64).saturating_add(1)).read_to_end(&mut out);
    read.map_err(|_| IngestError::NotPacked("gzip"))?;
    if out.len() > most { Err(IngestError::UnpacksTooLarge(most)) } else { Ok(out) }
}

/// Unpacks a block whose own word for its size is within the bound.
fn unsnap(body: &[u8], most: usize) -> Result<Vec<u8>, IngestError> {
    let not_snappy = |_| IngestError::NotPacked("snappy");
    if snap::raw::decompress_len(body).map_err(not_snappy)? > most {
        return Err(IngestError::UnpacksTooLarge(most));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(not_snappy)
}
