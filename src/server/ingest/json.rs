//! `POST /api/v1/series`: points as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::batch::Batch;
use super::{Allowed, Ingest, IngestError, Outcome};
use crate::server::data::series::key::Key;
use crate::server::data::series::matching::Match;
use crate::server::errors::ApiError;
use crate::server::peer::PeerAddr;
use crate::sync::protocol::Code;

/// When to come back where there was no room. A date has whole seconds, so it is one less at times.
const RETRY_IN: Duration = Duration::from_secs(3);

/// One point.
#[derive(Deserialize)]
struct Item {
    series: String,
    value: f64,
    /// Unix milliseconds; now where nothing is said.
    #[serde(default)]
    at: Option<i64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Answer {
    accepted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    /// Which of the items, from 1.
    item: usize,
    reason: String,
}

/// `POST /api/v1/series` with `{"series","value","at"?,"tags"?}` or an array of them: 200
/// `{"accepted":n}` once they are on the disk. Where some do not fit, the others are taken all the same: 400
/// with `refused`, by item.
pub async fn write(State(ingest): State<Ingest>, request: Request) -> Response {
    match ingest.take(request, read).await {
        Ok(outcome) => answer(&outcome),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
pub struct Meant {
    #[serde(default, rename = "match")]
    wanted: String,
}

#[derive(Serialize)]
pub struct Deleted {
    deleted: usize,
}

/// `DELETE /api/v1/series?match=` with names as widgets write them, or what names begin with and a `*`: 200
/// `{"deleted":n}` once they are gone for good, with their points.
pub async fn delete(
    State(ingest): State<Ingest>,
    peer: Option<Extension<PeerAddr>>,
    headers: HeaderMap,
    meant: Result<Query<Meant>, QueryRejection>,
) -> Response {
    let prefix = match ingest.check(&headers, None) {
        Ok(Allowed { prefix }) => prefix,
        Err(error) => return failed(&error),
    };
    let text = meant.map(|Query(meant)| meant.wanted).unwrap_or_default();
    let Some(wanted) = Match::read(&text) else {
        let reason = "Which series? Say ?match= with a name, such as orders or orders{host=a}, or with what names \
                      begin with and a star, such as orders*.";
        return ApiError::new(Code::Invalid, reason).into_response();
    };
    let wanted = match prefix {
        Some(prefix) => Match::Within(Box::new(wanted), prefix),
        None => wanted,
    };
    match ingest.delete(wanted).await {
        Ok(deleted) => {
            let from = peer.map(|Extension(PeerAddr(ip))| ip);
            tracing::info!(matching = %text, deleted, from = ?from, "series deleted");
            Json(Deleted { deleted }).into_response()
        }
        Err(error) => failed(&error),
    }
}

fn read(body: &[u8], mut batch: Batch) -> Result<Batch, String> {
    let wants = |error: serde_json::Error| {
        format!("{error}. A point is written {{\"series\":\"orders\",\"value\":42}}, several as an array.")
    };
    let body = body.trim_ascii();
    let items: Vec<&RawValue> = match body.first() {
        Some(b'[') => serde_json::from_slice(body).map_err(wants)?,
        _ => vec![serde_json::from_slice(body).map_err(wants)?],
    };
    for (item, place) in items.iter().zip(1..) {
        if let Err(why) = add(item, place, &mut batch) {
            batch.refused.add(place, 1, why);
        }
    }
    Ok(batch)
}

fn add(item: &RawValue, place: usize, batch: &mut Batch) -> Result<(), String> {
    let item: Item = serde_json::from_str(item.get()).map_err(|error| error.to_string())?;
    let at = item.at.map_or_else(|| batch.now(), |at| batch.check_time(at))?;
    let key = Key::new(&item.series, item.tags.into_iter().collect())?;
    let series = batch.series(key, place)?;
    batch.add(series, at, item.value);
    Ok(())
}

fn answer(outcome: &Outcome) -> Response {
    let accepted = outcome.accepted;
    if outcome.refused.is_empty() {
        return Json(Answer { accepted, code: None, reason: None, refused: Vec::new() }).into_response();
    }
    let refused = outcome.refused.told().iter();
    let body = Answer {
        accepted,
        code: Some(Code::Invalid),
        reason: Some(format!("{accepted} taken, not these: {}.", outcome.refused.words("item"))),
        refused: refused.map(|(item, reason)| Refused { item: *item, reason: reason.clone() }).collect(),
    };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn failed(error: &IngestError) -> Response {
    let code = match error {
        IngestError::NoToken | IngestError::NoScope => Code::Forbidden,
        IngestError::TooLarge(_) | IngestError::UnpacksTooLarge(_) => Code::TooLarge,
        IngestError::Busy | IngestError::Cut => Code::RateLimited,
        IngestError::Store(_) => Code::Internal,
        _ => Code::Invalid,
    };
    let body = Answer { accepted: 0, code: Some(code), reason: Some(error.to_string()), refused: Vec::new() };
    with_headers(error, (error.status(), Json(body)).into_response())
}

/// What clients look for beside the status.
pub(super) fn with_headers(error: &IngestError, mut response: Response) -> Response {
    let headers = response.headers_mut();
    match error {
        IngestError::NoToken => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        IngestError::Busy | IngestError::Store(_) => {
            // As a date: InfluxDB's client for JavaScript reads a number of seconds as milliseconds.
            let date = httpdate::fmt_http_date(SystemTime::now() + RETRY_IN);
            headers.extend(HeaderValue::from_str(&date).map(|date| (RETRY_AFTER, date)));
        }
        _ => {}
    }
    response
}

/// The same for clients that send a password once they are asked for it, as collectd does.
pub(super) fn with_headers_of_basic(error: &IngestError, response: Response) -> Response {
    let mut response = with_headers(error, response);
    if matches!(error, IngestError::NoToken) {
        let basic = HeaderValue::from_static("Basic realm=\"Lockstep\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_back_is_a_date_a_few_seconds_ahead() {
        let response = with_headers(&IngestError::Busy, StatusCode::SERVICE_UNAVAILABLE.into_response());
        let date = response.headers()[RETRY_AFTER].to_str().expect("text");
        let at = httpdate::parse_http_date(date).expect("a date");
        assert!(at > SystemTime::now() && at <= SystemTime::now() + RETRY_IN, "{date}");
    }
}
