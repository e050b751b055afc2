//! The request as protocol buffers, by the numbers of `opentelemetry/proto/metrics/v1/metrics.proto`.

use super::super::protobuf::{Fields, Value};
use super::{DataPoint, Kind, MAX_BUCKETS, Points, Tags, add_attribute, of_resource};

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
    for field in Fields(body) {
        if let (1, message) = field? {
            read_resource(message, &mut points)?;
        }
    }
    Ok(points)
}

fn read_resource(message: Value<'_>, points: &mut Points) -> Result<(), String> {
    let mut attributes = Tags::new();
    for field in message.fields() {
        let (1, resource) = field? else { continue };
        for field in resource.fields() {
            if let (1, attribute) = field? {
                read_attribute(attribute, &mut attributes)?;
            }
        }
    }
    let resource = of_resource(&attributes);
    for field in message.fields() {
        let (2, scope) = field? else { continue };
        for field in scope.fields() {
            if let (2, metric) = field? {
                read_metric(metric, &resource, points)?;
            }
        }
    }
    Ok(())
}

fn read_metric(message: Value<'_>, resource: &[(String, String)], points: &mut Points) -> Result<(), String> {
    let mut name = "";
    for field in message.fields() {
        if let (1, text) = field? {
            name = text.text()?;
        }
    }
    for field in message.fields() {
        let (number, data) = field?;
        let Some(kind) = Kind::of(number) else { continue };
        for field in data.fields() {
            if let (1, point) = field? {
                points.add(name, kind, resource, data_point(kind, point)?);
            }
        }
    }
    Ok(())
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
