//! Requests of collectd's plugin `write_http`: `POST /api/v1/collectd` with its JSON.
//!
//! A value is called `plugin.dsname`, as a field of a measurement is, and one called `value` as the plugin alone.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::batch::Batch;
use super::json::with_headers_of_basic;
use super::{Ingest, IngestError};
use crate::server::data::series::key::Key;

/// Values of one reading.
#[derive(Deserialize)]
struct Reading {
    values: Vec<Option<f64>>,
    dsnames: Vec<String>,
    /// Unix seconds, with a fraction.
    time: f64,
    host: String,
    plugin: String,
    #[serde(default)]
    plugin_instance: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    type_instance: String,
}

/// `POST /api/v1/collectd` with an array of readings: 204 once they are on the disk. Where some do not fit, the
/// others are taken all the same: 400 with the reasons.
pub async fn write(State(ingest): State<Ingest>, request: Request) -> Response {
    match ingest.take(request, read).await {
        Ok(outcome) if outcome.refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => {
            (StatusCode::BAD_REQUEST, format!("{}\n", outcome.refused.words("reading"))).into_response()
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &IngestError) -> Response {
    with_headers_of_basic(error, (error.status(), format!("{error}\n")).into_response())
}

fn read(body: &[u8], mut batch: Batch) -> Result<Batch, String> {
    let readings: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for (reading, place) in readings.iter().zip(1..) {
        if let Err(why) = add(reading, place, &mut batch) {
            batch.refused.add(place, 1, why);
        }
    }
    Ok(batch)
}

fn add(reading: &RawValue, place: usize, batch: &mut Batch) -> Result<(), String> {
    let reading: Reading = serde_json::from_str(reading.get()).map_err(|error| error.to_string())?;
    // A time that is far off stays so when it is cut.
    let at = batch.check_time((reading.time * 1_000.0) as i64)?;
    let tags = [
        ("host", &reading.host),
        ("instance", &reading.plugin_instance),
        ("type", &reading.kind),
        ("type_instance", &reading.type_instance),
    ];
    let tags: Vec<(String, String)> = tags
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(tag, value)| (tag.to_owned(), value.clone()))
        .collect();
    for (value, field) in reading.values.iter().zip(&reading.dsnames) {
        let Some(value) = value else { continue };
        let plugin = &reading.plugin;
        let name = if field == "value" { plugin.clone() } else { format!("{plugin}.{field}") };
        let series = batch.series(Key::new(&name, tags.clone())?, place)?;
        batch.add(series, at, *value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::data::series::retention::Window;

    #[test]
    fn readings_are_series_and_bad_ones_are_named() {
        let body = br#"[
            {"values":[1.5,null,2],"dstypes":["gauge","gauge","gauge"],"dsnames":["shortterm","midterm","longterm"],
             "time":1795000000.967,"interval":1.000,"host":"rack7","plugin":"load","plugin_instance":"","type":"load"},
            {"values":[1],"dsnames":["value"]},
            {"values":[7],"dsnames":["value"],"time":1795000000.5,"host":"rack7","plugin":"cpu","plugin_instance":"0",
             "type":"cpu","type_instance":"idle"}]"#;
        let window = Window::around(1_795_000_000_000, 86_400_000);
        let (runs, refused, _) = read(body, Batch::new(window)).expect("reads").finish();
        let runs = runs.into_list();
        let points: Vec<_> = runs.iter().map(|run| (run.key.whole(), run.points[0])).collect();
        assert_eq!(
            points,
            [
                ("load.shortterm{host=rack7,type=load}", (1_795_000_000_967, 1.5)),
                ("load.longterm{host=rack7,type=load}", (1_795_000_000_967, 2.0)),
                ("cpu{host=rack7,instance=0,type=cpu,type_instance=idle}", (1_795_000_000_500, 7.0)),
            ]
        );
        assert_eq!(refused.told()[0].0, 2);
    }
}
