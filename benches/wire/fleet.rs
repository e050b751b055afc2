//! Figures of a fleet of hosts as collectors send them, the same in each way to push.
//!
//! Ten of each host: four counters (two of them bytes, one with two decimals), four gauges that change slowly
//! (whole pages of memory, and one or two decimals), noise with three decimals, and noise of full precision.

use std::fmt::Write as _;

/// Names of the figures.
pub const FIELDS: [&str; 10] = [
    "bytes_received",
    "bytes_sent",
    "requests",
    "cpu_seconds",
    "memory_used",
    "cpu_percent",
    "temperature",
    "load",
    "latency_ms",
    "hit_ratio",
];
/// Lines of one body: a host at one time each.
const LINES: usize = 1_000;
/// Milliseconds from one figure of a host to the next.
const STEP_MS: u64 = 1_000;

/// Hosts with what each shows.
pub struct Fleet {
    hosts: Vec<[f64; 10]>,
    at: u64,
    random: u64,
}

/// What one host shows at one time.
pub struct Row {
    host: usize,
    at: u64,
    values: [f64; 10],
}

impl Fleet {
    pub fn new(hosts: usize, begin: u64) -> Self {
        let first = [1e9, 4e9, 0.0, 0.0, 8e9, 40.0, 55.0, 1.5, 0.0, 0.0];
        Self { hosts: vec![first; hosts], at: begin, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A number from 0 to 1.
    fn random(&mut self) -> f64 {
        // Xorshift: the same in each run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The rows of the next body.
    pub fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(LINES);
        while rows.len() < LINES {
            for host in 0..self.hosts.len() {
                let values = self.next(host);
                rows.push(Row { host, at: self.at, values });
            }
            self.at += STEP_MS;
        }
        rows
    }

    fn next(&mut self, host: usize) -> [f64; 10] {
        let mut values = self.hosts[host];
        let mut up =
            |value: &mut f64, least: f64, range: f64| *value += (least + self.random() * range).floor();
        up(&mut values[0], 80_000.0, 40_000.0);
        up(&mut values[1], 300_000.0, 90_000.0);
        up(&mut values[2], 0.0, 60.0);
        let mut walk = |value: &mut f64, by: f64, unit: f64| {
            let moved = *value + (self.random() - 0.5) * 2.0 * by;
            *value = (moved.max(0.0) * unit).round() / unit;
        };
        walk(&mut values[4], 800_000.0, 1.0 / 4096.0);
        walk(&mut values[5], 1.5, 100.0);
        walk(&mut values[6], 0.2, 10.0);
        walk(&mut values[7], 0.05, 100.0);
        values[3] = ((values[3] + self.random()) * 100.0).round() / 100.0;
        values[8] = (self.random() * 80_000.0).round() / 1000.0;
        values[9] = self.random();
        self.hosts[host] = values;
        values
    }
}

/// As line protocol, times in milliseconds.
pub fn lines(rows: &[Row]) -> Vec<u8> {
    let mut out = String::new();
    for Row { host, at, values } in rows {
        let _ = write!(out, "node,host=web-{host:04},region=eu-west,rack=r{:02} ", host % 40);
        for (n, (field, value)) in FIELDS.iter().zip(values).enumerate() {
            let between = if n == 0 { "" } else { "," };
            // The first three are counted.
            let whole = if n < 3 { "i" } else { "" };
            let _ = write!(out, "{between}{field}={value}{whole}");
        }
        let _ = writeln!(out, " {at}");
    }
    out.into_bytes()
}

/// As a request of Prometheus' remote write 1.0, packed.
pub fn remote_write(rows: &[Row]) -> Vec<u8> {
    let mut request = Vec::new();
    for Row { host, at, values } in rows {
        let (host, rack) = (format!("web-{host:04}"), format!("r{:02}", host % 40));
        for (field, value) in FIELDS.iter().zip(values) {
            let mut series = Vec::new();
            let labels = [
                ("__name__", format!("node_{field}")),
                ("host", host.clone()),
                ("rack", rack.clone()),
                ("region", "eu-west".to_owned()),
            ];
            for (name, value) in labels {
                let mut label = Vec::new();
                bytes(1, name.as_bytes(), &mut label);
                bytes(2, value.as_bytes(), &mut label);
                bytes(1, &label, &mut series);
            }
            let mut sample = vec![1 << 3 | 1];
            sample.extend(value.to_le_bytes());
            sample.push(2 << 3);
            varint(*at, &mut sample);
            bytes(2, &sample, &mut series);
            bytes(1, &series, &mut request);
        }
    }
    snap::raw::Encoder::new().compress_vec(&request).expect("far below what snappy takes")
}

/// As a request of OpenTelemetry's metrics: a resource for each host, a gauge for each figure.
pub fn otlp(rows: &[Row]) -> Vec<u8> {
    let mut request = Vec::new();
    for Row { host, at, values } in rows {
        let mut resource = Vec::new();
        attribute(1, "service.name", "node", &mut resource);
        attribute(1, "host.name", &format!("web-{host:04}"), &mut resource);
        let mut scope = Vec::new();
        for (field, value) in FIELDS.iter().zip(values) {
            let mut point = vec![3 << 3 | 1];
            point.extend((at * 1_000_000).to_le_bytes());
            point.push(4 << 3 | 1);
            point.extend(value.to_le_bytes());
            attribute(7, "region", "eu-west", &mut point);
            let mut gauge = Vec::new();
            bytes(1, &point, &mut gauge);
            let mut metric = Vec::new();
            bytes(1, format!("node.{field}").as_bytes(), &mut metric);
            bytes(5, &gauge, &mut metric);
            bytes(2, &metric, &mut scope);
        }
        let mut of_host = Vec::new();
        bytes(1, &resource, &mut of_host);
        bytes(2, &scope, &mut of_host);
        bytes(1, &of_host, &mut request);
    }
    request
}

fn attribute(field: u8, name: &str, value: &str, out: &mut Vec<u8>) {
    let (mut any, mut pair) = (Vec::new(), Vec::new());
    bytes(1, value.as_bytes(), &mut any);
    bytes(1, name.as_bytes(), &mut pair);
    bytes(2, &any, &mut pair);
    bytes(field, &pair, out);
}

/// A text, bytes, or a message of protocol buffers.
fn bytes(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
