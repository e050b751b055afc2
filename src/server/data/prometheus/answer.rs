//! Reader of the answers of Prometheus' API, as they come: of each series its points, and of all series only as many
//! as are wanted.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, BufReader, Read};

use axum::body::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::sync::mpsc;

use crate::server::data::series::key::NAME_LABEL;
use crate::server::data::{Curve, Point};

/// Characters of what a server says: of an error, and of each word about an answer.
const MAX_SAID: usize = 300;
/// Such words of one answer.
const MAX_NOTES: usize = 3;
/// Bytes that are read at once of an answer that still comes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The answer of an address that gives no series, such as the values of a label.
#[derive(Deserialize)]
pub(super) struct Reply<T> {
    pub(super) status: String,
    #[serde(default = "Option::default")]
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// What is wanted of the answer to a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The query's place among those of the widget, and its text.
    pub(super) line: usize,
    pub(super) query: String,
    /// Milliseconds from one point to the next; a step without a value is a gap.
    pub(super) step: u64,
    /// The last step that is asked for, Unix milliseconds.
    pub(super) end: u64,
    /// Series that are kept: first those that are `known` and have values at the end, then others that do.
    pub(super) most: usize,
    pub(super) known: BTreeMap<String, u64>,
    /// A value of each series.
    pub(super) latest: bool,
}

/// The answer to a query.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) is_success: bool,
    pub(super) has_data: bool,
    /// In the server's words.
    pub(super) error: Option<String>,
    pub(super) curves: Vec<Curve>,
    /// All series, and those that have a value at the end.
    pub(super) count: usize,
    pub(super) living: usize,
    /// Warnings and the like, in the server's words.
    pub(super) notes: Vec<String>,
    /// Each series has a range of values where one was asked for, or it is a text.
    pub(super) is_unfit: bool,
    has_infinite: bool,
    /// How much the series that are kept are wanted: 0 most.
    ranks: Vec<u8>,
}

impl Response {
    fn keep(&mut self, curve: Curve, wanted: &Wanted) {
        self.count += 1;
        let living = wanted.latest || curve.is_living(wanted.end, wanted.step);
        self.living += usize::from(living);
        let rank = match living {
            true if wanted.known.is_empty() || wanted.known.contains_key(&curve.name) => 0,
            true => 1,
            false => 2,
        };
        if self.curves.len() >= wanted.most {
            let Some(worst) = (0..self.ranks.len()).max_by_key(|at| self.ranks[*at]) else { return };
            if self.ranks[worst] <= rank {
                return;
            }
            self.ranks.remove(worst);
            self.curves.remove(worst);
        }
        self.ranks.push(rank);
        self.curves.push(curve);
    }

    fn note(&mut self, text: &str) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(said(text));
        }
    }

    /// Adds what the answer itself does not say.
    pub(super) fn end(&mut self) {
        if self.has_infinite {
            self.note("Infinite values are left out.");
        }
    }
}

/// Reads an answer that is there.
pub(super) fn read_slice(body: &[u8], wanted: &Wanted) -> serde_json::Result<Response> {
    ResponseSeed(wanted).deserialize(&mut serde_json::Deserializer::from_slice(body))
}

/// Reads an answer while its parts come, the first of which is there. For a thread that may wait.
pub(super) fn read_parts(
    first: Bytes,
    coming: mpsc::Receiver<Bytes>,
    wanted: &Wanted,
) -> serde_json::Result<Response> {
    let parts = BufReader::with_capacity(BUFFER_BYTES, Parts { part: first, coming });
    ResponseSeed(wanted).deserialize(&mut serde_json::Deserializer::from_reader(parts))
}

/// The parts of a body as one.
struct Parts {
    part: Bytes,
    coming: mpsc::Receiver<Bytes>,
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.coming.blocking_recv() {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let read = self.part.len().min(out.len());
        out[..read].copy_from_slice(&self.part.split_to(read));
        Ok(read)
    }
}

/// A text of the server, as long as people read.
pub(super) fn said(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_SAID).collect()
}

/// Reads a whole answer into a [`Response`].
struct ResponseSeed<'a>(&'a Wanted);

impl<'de> DeserializeSeed<'de> for ResponseSeed<'_> {
    type Value = Response;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Response, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ResponseSeed<'_> {
    type Value = Response;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an answer of Prometheus' API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Response, A::Error> {
        let mut response = Response::default();
        let mut has_status = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "status" => {
                    has_status = true;
                    response.is_success = map.next_value::<String>()? == "success";
                }
                "error" => response.error = map.next_value::<Option<String>>()?.map(|error| said(&error)),
                "warnings" | "infos" => {
                    for text in map.next_value::<Option<Vec<String>>>()?.unwrap_or_default() {
                        response.note(&text);
                    }
                }
                "isPartial" => {
                    if map.next_value::<Option<bool>>()? == Some(true) {
                        response.note("The answer is partial.");
                    }
                }
                "data" => {
                    response.has_data = map.next_value_seed(DataSeed(self.0, &mut response))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_status {
            return Err(serde::de::Error::missing_field("status"));
        }
        response.end();
        Ok(response)
    }
}

/// Reads `data`; true where there is any.
struct DataSeed<'a>(&'a Wanted, &'a mut Response);

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the data of an answer")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut has_result = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "resultType" => {
                    let kind: String = map.next_value()?;
                    self.1.is_unfit = kind == "string" || (self.0.latest && kind == "matrix");
                }
                "result" if self.1.is_unfit => {
                    has_result = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "result" => {
                    has_result = true;
                    map.next_value_seed(ResultSeed(self.0, self.1))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(has_result)
    }
}

/// Reads `result`: series, or the time and the value of a scalar.
struct ResultSeed<'a>(&'a Wanted, &'a mut Response);

impl<'de> DeserializeSeed<'de> for ResultSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("series")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (mut time, mut points) = (None, Vec::new());
        while let Some(element) = seq.next_element_seed(ElementSeed(self.0))? {
            match element {
                Element::Series(curve, has_infinite) => {
                    self.1.has_infinite |= has_infinite;
                    self.1.keep(curve, self.0);
                }
                Element::Time(at) => time = Some(at),
                Element::Value(value) => {
                    self.1.has_infinite |= value.is_infinite();
                    points.extend(time.take().map(|at| point(at, value)));
                }
            }
        }
        if !points.is_empty() {
            self.1.keep(Curve { points, ..named(BTreeMap::new(), self.0) }, self.0);
        }
        Ok(())
    }
}

/// What stands in `result`.
enum Element {
    /// And whether it has infinite values.
    Series(Curve, bool),
    Time(f64),
    Value(f64),
}

struct ElementSeed<'a>(&'a Wanted);

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Element, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = Element;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a series, a time or a value")
    }

    fn visit_f64<E>(self, at: f64) -> Result<Element, E> {
        Ok(Element::Time(at))
    }

    fn visit_u64<E>(self, at: u64) -> Result<Element, E> {
        Ok(Element::Time(at as f64))
    }

    fn visit_i64<E>(self, at: i64) -> Result<Element, E> {
        Ok(Element::Time(at as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Element, E> {
        Ok(Element::Value(read(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let (mut metric, mut points) = (BTreeMap::new(), Points::default());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "metric" => {
                    metric = map.next_value::<Option<BTreeMap<String, String>>>()?.unwrap_or_default()
                }
                "values" => map.next_value_seed(SamplesSeed(&mut points, self.0.step))?,
                "value" => map.next_value_seed(SampleSeed(&mut points, 0))?,
                // Histograms, which no line shows.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Element::Series(Curve { points: points.all, ..named(metric, self.0) }, points.has_infinite))
    }
}

#[derive(Default)]
struct Points {
    all: Vec<Point>,
    has_infinite: bool,
}

impl Points {
    /// Adds a point, and a gap before it where steps are missing; a step of 0 has none.
    fn add(&mut self, at: f64, value: f64, step: u64) {
        self.has_infinite |= value.is_infinite();
        let point = point(at, value);
        match self.all.last() {
            Some((before, _)) if step > 0 && point.0 > before + step => self.all.push((before + step, None)),
            _ => {}
        }
        self.all.push(point);
    }
}

/// Reads the samples of a series.
struct SamplesSeed<'a>(&'a mut Points, u64);

impl<'de> DeserializeSeed<'de> for SamplesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SamplesSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(SampleSeed(self.0, self.1))?.is_some() {}
        Ok(())
    }
}

/// Reads a sample: seconds, and the value as text.
struct SampleSeed<'a>(&'a mut Points, u64);

impl<'de> DeserializeSeed<'de> for SampleSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SampleSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let missing = || serde::de::Error::invalid_length(1, &"a time and a value");
        let at: f64 = seq.next_element()?.ok_or_else(missing)?;
        let value = seq.next_element_seed(ValueSeed)?.ok_or_else(missing)?;
        self.0.add(at, value, self.1);
        Ok(())
    }
}

/// Reads a value that stands there as text, without a copy of the text.
struct ValueSeed;

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ValueSeed {
    type Value = f64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value as text")
    }

    fn visit_str<E>(self, value: &str) -> Result<f64, E> {
        Ok(read(value))
    }
}

/// A value as Prometheus writes it: `1.5`, `NaN`, `+Inf`. What is none is not a number.
fn read(value: &str) -> f64 {
    value.parse().unwrap_or(f64::NAN)
}

fn point(at: f64, value: f64) -> Point {
    // NaN and the infinities have no place on a chart.
    ((at * 1000.0).round().max(0.0) as u64, Some(value).filter(|value| value.is_finite()))
}

/// A curve under the name that Prometheus shows, `up{job="a"}`; the query's text where it has none.
fn named(mut metric: BTreeMap<String, String>, wanted: &Wanted) -> Curve {
    let base = metric.remove(NAME_LABEL).unwrap_or_default();
    let mut name = base.clone();
    for (at, (label, value)) in metric.iter().enumerate() {
        let _ = write!(name, "{}{label}=\"", if at == 0 { "{" } else { ", " });
        for c in value.chars() {
            match c {
                '"' | '\\' => name.extend(['\\', c]),
                '\n' => name.push_str("\\n"),
                c => name.push(c),
            }
        }
        name.push('"');
    }
    if !metric.is_empty() {
        name.push('}');
    }
    if name.is_empty() {
        wanted.query.clone_into(&mut name);
    }
    Curve { name, base, tags: metric.into_iter().collect(), line: wanted.line, points: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, wanted: &Wanted) -> Response {
        read_slice(text.as_bytes(), wanted).expect("reads")
    }

    fn wanted(query: &str) -> Wanted {
        Wanted { query: query.to_owned(), step: 10_000, end: 60_000, most: 20, ..Wanted::default() }
    }

    fn matrix(series: &[(&str, &[(u64, &str)])]) -> String {
        let one = |(name, values): &(&str, &[(u64, &str)])| {
            let values: Vec<_> = values.iter().map(|(at, value)| serde_json::json!([at, value])).collect();
            serde_json::json!({"metric": {"n": name}, "values": values})
        };
        let result: Vec<_> = series.iter().map(one).collect();
        serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
            .to_string()
    }

    #[test]
    fn a_matrix_gives_curves_with_gaps_where_steps_are_missing() {
        let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up","job":"a","b":"\"q\""},"values":[[20,"1"],[30,"NaN"],[60.000,"2.5"]]},
            {"metric":{},"values":[[20,"+Inf"]]},{"metric":{"a":"h"},"histograms":[[1,{}]]}]}}"#;
        let read = read_all(text, &Wanted { line: 1, ..wanted("sum(x)") });
        let curves = read.curves;
        assert_eq!(curves[0].name, "up{b=\"\\\"q\\\"\", job=\"a\"}");
        assert_eq!((curves[0].base.as_str(), curves[0].line, curves[0].tags.len()), ("up", 1, 2));
        assert_eq!(
            curves[0].points,
            [(20_000, Some(1.0)), (30_000, None), (40_000, None), (60_000, Some(2.5))]
        );
        assert_eq!((curves[1].name.as_str(), &curves[1].points), ("sum(x)", &vec![(20_000, None)]));
        assert!(curves[2].points.is_empty() && (read.count, read.living) == (3, 1));
        assert_eq!(read.notes, ["Infinite values are left out."]);
    }

    #[test]
    fn names_are_as_people_write_them() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"a":"caf\u0065\u0301 \u200d \\ \n"},"value":[1,"1"]}]}}"#;
        let name = &read_all(text, &Wanted { latest: true, ..wanted("q") }).curves[0].name;
        assert_eq!(name, "{a=\"cafe\u{301} \u{200d} \\\\ \\n\"}");
    }

    #[test]
    fn a_vector_gives_a_point_each_and_errors_have_words() {
        let latest = Wanted { latest: true, ..wanted("1+1") };
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1.5,"7"]}]}}"#;
        assert_eq!(read_all(text, &latest).curves[0].points, [(1_500, Some(7.0))]);
        let text = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        let curve = &read_all(text, &latest).curves[0];
        assert_eq!((curve.name.as_str(), &curve.points), ("1+1", &vec![(1_000, Some(2.0))]));
        let text = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        let read = read_all(text, &latest);
        assert!(!read.is_success && !read.has_data && read.error.as_deref() == Some("parse error"));
        let read = read_all(r#"{"status":"success","data":null}"#, &latest);
        assert!(read.is_success && !read.has_data);
        let text =
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[]}]}}"#;
        assert!(read_all(text, &latest).is_unfit && !read_all(text, &wanted("q")).is_unfit);
    }

    #[test]
    fn what_the_server_says_of_its_answer_is_kept_with_a_bound() {
        let long = "x".repeat(1_000);
        let text = format!(
            r#"{{"status":"success","isPartial":true,"warnings":["shard 2 is away"],"infos":["{long}","c","d"],
            "data":{{"resultType":"vector","result":[]}}}}"#
        );
        let notes = read_all(&text, &wanted("q")).notes;
        assert_eq!(
            (notes.len(), notes[0].as_str(), notes[1].as_str()),
            (3, "The answer is partial.", "shard 2 is away")
        );
        assert_eq!(notes[2].len(), MAX_SAID);
    }

    #[test]
    fn those_that_have_values_now_come_first_and_those_that_are_known_before_others() {
        let (ended, living): (&[_], &[_]) = (&[(10, "1")], &[(10, "1"), (60, "1")]);
        let text = matrix(&[("a", ended), ("b", living), ("c", ended), ("d", living), ("e", living)]);
        let names = |known: &[&str], most| -> Vec<String> {
            let known = known.iter().map(|name| (format!("{{n=\"{name}\"}}"), 0)).collect();
            let read = read_all(&text, &Wanted { most, known, ..wanted("q") });
            assert_eq!((read.count, read.living), (5, 3));
            read.curves.into_iter().map(|curve| curve.tags[0].1.clone()).collect()
        };
        assert_eq!(names(&[], 20), ["a", "b", "c", "d", "e"]);
        assert_eq!(names(&[], 4), ["a", "b", "d", "e"]);
        assert_eq!(names(&[], 2), ["b", "d"]);
        assert_eq!(names(&["e", "a"], 2), ["b", "e"]);
        assert_eq!(names(&["e", "d"], 2), ["d", "e"]);
    }
}
