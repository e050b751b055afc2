//! The request as JSON: names in camel case, whole numbers of 64 bits as texts or as numbers.

use serde::{Deserialize, Deserializer};

use super::{DataPoint, Kind, MAX_BUCKETS, Points, Tags, add_attribute, of_resource};

/// Objects of one request: each costs a few hundred bytes of memory, of however few it is written.
const MAX_OBJECTS: usize = 400_000;

/// A value, where `null` says the same as its absence: the JSON of protobuf has it for any field.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    #[serde(deserialize_with = "or_default")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceMetrics {
    #[serde(deserialize_with = "or_default")]
    resource: Resource,
    #[serde(deserialize_with = "or_default")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Attribute>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeMetrics {
    #[serde(deserialize_with = "or_default")]
    metrics: Vec<Metric>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    #[serde(deserialize_with = "or_default")]
    name: String,
    gauge: Option<Data>,
    sum: Option<Data>,
    histogram: Option<Data>,
    exponential_histogram: Option<Data>,
    summary: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    #[serde(deserialize_with = "or_default")]
    data_points: Vec<Point>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Point {
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Attribute>,
    #[serde(deserialize_with = "or_default")]
    time_unix_nano: Number,
    #[serde(deserialize_with = "or_default")]
    flags: u64,
    as_double: Option<Number>,
    as_int: Option<Number>,
    #[serde(deserialize_with = "or_default")]
    count: Number,
    sum: Option<Number>,
    #[serde(deserialize_with = "or_default")]
    bucket_counts: Vec<Number>,
    #[serde(deserialize_with = "or_default")]
    explicit_bounds: Vec<Number>,
    #[serde(deserialize_with = "or_default")]
    quantile_values: Vec<Quantile>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantile {
    #[serde(deserialize_with = "or_default")]
    quantile: Number,
    #[serde(deserialize_with = "or_default")]
    value: Number,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    #[serde(deserialize_with = "or_default")]
    key: String,
    #[serde(deserialize_with = "or_default")]
    value: Any,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Any {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Negative(i64),
    Float(f64),
    /// A whole number, or what JSON has no number for.
    Text(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Whole(0)
    }
}

impl Number {
    fn whole(&self) -> Result<u64, String> {
        match self {
            Self::Whole(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| format!("{text:?} is not a whole number")),
            Self::Negative(_) | Self::Float(_) => Err("a count and a time are whole numbers".to_owned()),
        }
    }

    fn float(&self) -> Result<f64, String> {
        match self {
            Self::Whole(number) => Ok(*number as f64),
            Self::Negative(number) => Ok(*number as f64),
            Self::Float(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| format!("{text:?} is not a number")),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Negative(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

pub(super) fn read(body: &[u8], mut points: Points) -> Result<Points, String> {
    if memchr::memchr_iter(b'{', body).count() > MAX_OBJECTS {
        return Err(format!("A request has at most {MAX_OBJECTS} objects. Send it in parts."));
    }
    let request: Request = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for of_resource_metrics in request.resource_metrics {
        let resource = of_resource(&attributes(of_resource_metrics.resource.attributes));
        let metrics = of_resource_metrics.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
        for metric in metrics {
            let all = [
                (Kind::Number, metric.gauge),
                (Kind::Number, metric.sum),
                (Kind::Histogram, metric.histogram),
                (Kind::ExponentialHistogram, metric.exponential_histogram),
                (Kind::Summary, metric.summary),
            ];
            for (kind, data) in all {
                for point in data.into_iter().flat_map(|data| data.data_points) {
                    points.add(&metric.name, kind, &resource, data_point(point)?);
                }
            }
        }
    }
    Ok(points)
}

fn data_point(point: Point) -> Result<DataPoint, String> {
    // One too many is kept, so that it is named as such.
    let some = MAX_BUCKETS + 1;
    let quantile = |one: &Quantile| Ok::<_, String>((one.quantile.float()?, one.value.float()?));
    Ok(DataPoint {
        attributes: attributes(point.attributes),
        time_ns: point.time_unix_nano.whole()?,
        flags: point.flags,
        number: point.as_double.or(point.as_int).map(|number| number.float()).transpose()?,
        count: point.count.whole()?,
        sum: point.sum.map(|sum| sum.float()).transpose()?,
        buckets: point.bucket_counts.iter().take(some).map(Number::whole).collect::<Result<_, _>>()?,
        bounds: point.explicit_bounds.iter().take(some).map(Number::float).collect::<Result<_, _>>()?,
        quantiles: point.quantile_values.iter().map(quantile).collect::<Result<_, _>>()?,
    })
}

fn attributes(all: Vec<Attribute>) -> Tags {
    let mut tags = Tags::new();
    for Attribute { key, value } in all {
        let number = value.int_value.or(value.double_value).map(Number::text);
        let text = value.string_value.or(value.bool_value.map(|value| value.to_string())).or(number);
        add_attribute(&mut tags, &key, text);
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, points, taken};
    use super::*;

    #[test]
    fn numbers_come_as_texts_and_as_they_are() {
        let time = format!("{NOW}000000");
        let body = serde_json::json!({"resourceMetrics": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeMetrics": [{"metrics": [
                {"name": "orders", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                    {"timeUnixNano": time, "asInt": "-42", "attributes": [
                        {"key": "paid", "value": {"boolValue": true}},
                        {"key": "code", "value": {"intValue": "200"}}]}]}},
                {"name": "size", "histogram": {"dataPoints": [
                    {"timeUnixNano": NOW * 1_000_000, "count": "3", "sum": 1.5, "bucketCounts": ["1", 2],
                     "explicitBounds": [10]}]}},
            ]}],
        }]});
        let read = read(body.to_string().as_bytes(), points()).expect("reads");
        assert_eq!(
            taken(read),
            [
                "orders{code=200,job=shop,paid=true} -42",
                "size_count{job=shop} 3",
                "size_sum{job=shop} 1.5",
                "size_bucket{job=shop,le=10} 1",
                "size_bucket{job=shop,le=+Inf} 3",
            ]
        );
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let body = serde_json::json!({"resourceMetrics": [{
            "resource": null,
            "scopeMetrics": [{"metrics": [
                {"name": "orders", "gauge": {"dataPoints": [
                    {"timeUnixNano": NOW * 1_000_000, "asDouble": 2.5, "asInt": null, "attributes": null,
                     "flags": null, "bucketCounts": null}]}, "sum": null},
                // As JavaScript's exporter writes large whole numbers.
                {"name": "ratio", "gauge": {"dataPoints": [
                    {"timeUnixNano": NOW * 1_000_000, "asDouble": 1, "attributes": [
                        {"key": "batch", "value": {"intValue": 1e22}}, {"key": "none", "value": null}]}]}},
                {"name": "nothing", "gauge": {"dataPoints": null}},
            ]}, {"metrics": null}, {}],
        }, {"scopeMetrics": null}]});
        let read = read(body.to_string().as_bytes(), points()).expect("reads");
        assert_eq!(taken(read), ["orders 2.5", "ratio{batch=10000000000000000000000} 1"]);
        assert!(super::read(br#"{"resourceMetrics":null}"#, points()).is_ok());
    }

    #[test]
    fn s10_a_body_of_nothing_but_objects_is_turned_down() {
        let body = format!("[{}]", vec!["{}"; MAX_OBJECTS + 1].join(","));
        assert!(read(body.as_bytes(), points()).is_err_and(|why| why.contains("in parts")));
    }
}
