//! The request as protocol buffers, by the numbers of `opentelemetry/proto/metrics/v1/metrics.proto`.

use super::super::protobuf::{Fields, Value};
use super::{DataPoint, Kind, MAX_BUCKETS, Points, Tags, add_attribute, of_resource};
use crate::server::data::series::spelling::{Spellings, Way, spell};

/// Numbers of the fields that differ between the kinds of data points.
struct Numbers {
    attributes: u64,
    flags: u64,
}

impl Kind {
    /// By the field of a metric that has its data.
    fn of(field: u64) -> Option<Self> {
        match field {
            5 | 7 => Some(Self::Number),
            9 => Some(Self::Histogram),
            10 => Some(Self::ExponentialHistogram),
            11 => Some(Self::Summary),
            _ => None,
        }
    }

    fn numbers(self) -> Numbers {
        match self {
            Self::Number | Self::Summary => Numbers { attributes: 7, flags: 8 },
            Self::Histogram => Numbers { attributes: 9, flags: 10 },
            Self::ExponentialHistogram => Numbers { attributes: 1, flags: 10 },
        }
    }
}

pub(super) fn read(body: &[u8], mut points: Points) -> Result<Points, String> {
    let memory = points.batch.memory();
    let spellings = memory.as_ref().and_then(|memory| memory.spellings());
    let mut next = 0;
    for field in Fields(body) {
        if let (1, message) = field? {
            read_resource(message, spellings.as_deref(), &mut next, &mut points)?;
        }
    }
    drop(spellings);
    Ok(points)
}

/// What the points of a resource have in common.
struct Resource<'k> {
    tags: Tags,
    /// The tags, byte by byte; each point's series adds to it.
    spelled: Vec<u8>,
    spellings: Option<&'k Spellings>,
    /// Where the next series is looked for first.
    next: &'k mut usize,
}

fn read_resource<'k>(
    message: Value<'_>,
    spellings: Option<&'k Spellings>,
    next: &'k mut usize,
    points: &mut Points,
) -> Result<(), String> {
    let mut attributes = Tags::new();
    for field in message.fields() {
        let (1, resource) = field? else { continue };
        for field in resource.fields() {
            if let (1, attribute) = field? {
                read_attribute(attribute, &mut attributes)?;
            }
        }
    }
    let tags = of_resource(&attributes);
    let mut spelled = Vec::new();
    let texts = tags.iter().flat_map(|(tag, value)| [tag, value]);
    texts.for_each(|text| spell(text.as_bytes(), &mut spelled));
    let mut resource = Resource { tags, spelled, spellings, next };
    for field in message.fields() {
        let (2, scope) = field? else { continue };
        for field in scope.fields() {
            if let (2, metric) = field? {
                read_metric(metric, &mut resource, points)?;
            }
        }
    }
    Ok(())
}

fn read_metric(message: Value<'_>, resource: &mut Resource<'_>, points: &mut Points) -> Result<(), String> {
    let mut name = "";
    for field in message.fields() {
        if let (1, text) = field? {
            name = text.text()?;
        }
    }
    let of_resource = resource.spelled.len();
    spell(name.as_bytes(), &mut resource.spelled);
    let of_metric = resource.spelled.len();
    for field in message.fields() {
        let (number, data) = field?;
        let Some(kind) = Kind::of(number) else { continue };
        for field in data.fields() {
            let (1, point) = field? else { continue };
            if kind != Kind::Number {
                points.add(name, kind, &resource.tags, data_point(kind, point)?);
                continue;
            }
            let Plain { time_ns, value } = plain(point, &mut resource.spelled)?;
            let known = resource
                .spellings
                .and_then(|known| known.series(Way::Otlp, &resource.spelled, resource.next));
            match (known, value) {
                (Some(id), Some(value)) => points.add_known(id, time_ns, value),
                _ => {
                    let read = data_point(kind, point)?;
                    points.add_spelled(name, kind, &resource.tags, read, Some(&resource.spelled));
                }
            }
            resource.spelled.truncate(of_metric);
        }
    }
    resource.spelled.truncate(of_resource);
    Ok(())
}

/// A number as far as it is read without its attributes.
struct Plain {
    time_ns: u64,
    /// `None` where there is none, or flags say more of it.
    value: Option<f64>,
}

/// Reads a number, and spells its attributes.
fn plain(message: Value<'_>, spelled: &mut Vec<u8>) -> Result<Plain, String> {
    let Numbers { attributes, flags } = Kind::Number.numbers();
    let mut plain = Plain { time_ns: 0, value: None };
    let mut is_flagged = false;
    for field in message.fields() {
        match field? {
            (number, Value::Bytes(attribute)) if number == attributes => spell(attribute, spelled),
            (number, value) if number == flags => is_flagged |= value.number() != 0,
            (3, value) => plain.time_ns = value.number(),
            (4, value) => plain.value = Some(value.double()),
            (6, value) => plain.value = Some(value.number().cast_signed() as f64),
            _ => {}
        }
    }
    plain.value = plain.value.filter(|_| !is_flagged);
    Ok(plain)
}

fn data_point(kind: Kind, message: Value<'_>) -> Result<DataPoint, String> {
    let Numbers { attributes, flags } = kind.numbers();
    let mut point = DataPoint::default();
    for field in message.fields() {
        match field? {
            (number, value) if number == attributes => read_attribute(value, &mut point.attributes)?,
            (number, value) if number == flags => point.flags = value.number(),
            (3, value) => point.time_ns = value.number(),
            (4, value) if kind == Kind::Number => point.number = Some(value.double()),
            (4, value) => point.count = value.number(),
            (5, value) if kind != Kind::Number => point.sum = Some(value.double()),
            (6, value) => match kind {
                Kind::Number => point.number = Some(value.number().cast_signed() as f64),
                // One too many is kept, so that it is named as such.
                Kind::Histogram => point.buckets.extend(value.fixed64s().take(MAX_BUCKETS + 1)),
                Kind::Summary if point.quantiles.len() < MAX_BUCKETS => {
                    point.quantiles.push(quantile(value)?)
                }
                _ => {}
            },
            (7, value) if kind == Kind::Histogram => {
                point.bounds.extend(value.fixed64s().take(MAX_BUCKETS + 1).map(f64::from_bits));
            }
            _ => {}
        }
    }
    Ok(point)
}

fn quantile(message: Value<'_>) -> Result<(f64, f64), String> {
    let mut pair = (0.0, 0.0);
    for field in message.fields() {
        match field? {
            (1, value) => pair.0 = value.double(),
            (2, value) => pair.1 = value.double(),
            _ => {}
        }
    }
    Ok(pair)
}

fn read_attribute(message: Value<'_>, attributes: &mut Tags) -> Result<(), String> {
    let (mut name, mut value) = ("", None);
    for field in message.fields() {
        match field? {
            (1, text) => name = text.text()?,
            (2, any) => value = any_text(any)?,
            _ => {}
        }
    }
    add_attribute(attributes, name, value);
    Ok(())
}

/// A value as text; `None` for a list and what else is no plain value.
fn any_text(message: Value<'_>) -> Result<Option<String>, String> {
    let mut text = None;
    for field in message.fields() {
        match field? {
            (1, value) => text = Some(value.text()?.to_owned()),
            (2, value) => text = Some((value.number() != 0).to_string()),
            (3, value) => text = Some(value.number().cast_signed().to_string()),
            (4, value) => text = Some(value.double().to_string()),
            _ => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::super::protobuf::Message;
    use super::super::tests::{NOW, points, taken};
    use super::*;
    use proptest::prelude::*;

    fn message(parts: &[(u8, &[u8])]) -> Vec<u8> {
        let mut message = Message::default();
        parts.iter().for_each(|(field, bytes)| message.bytes(*field, bytes));
        message.0
    }

    #[test]
    fn a_sum_reads_with_its_attributes() {
        let any = message(&[(1, b"/pay")]);
        let attribute = message(&[(1, b"route"), (2, &any)]);
        let mut point = message(&[(7, &attribute)]);
        point.push(3 << 3 | 1);
        point.extend((NOW * 1_000_000).to_le_bytes());
        point.push(6 << 3 | 1);
        point.extend(42_i64.to_le_bytes());
        let sum = message(&[(1, &point)]);
        let metric = message(&[(1, b"http.requests"), (7, &sum)]);
        let scope = message(&[(2, &metric)]);
        let resource = message(&[(2, &scope)]);
        let body = message(&[(1, &resource)]);
        assert_eq!(taken(read(&body, points()).expect("reads")), ["http.requests{route=/pay} 42"]);
        assert!(read(&body[..body.len() - 3], points()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>) {
            let _ = read(&body, points());
        }
    }
}
