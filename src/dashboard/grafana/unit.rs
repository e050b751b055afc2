//! Grafana's units as units here.

/// A unit here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Shown as it is named; empty for none.
    Plain(String),
    /// One that a number does not have here: dates, yes and no.
    Unknown,
}

/// Reads the id of a unit, as `percentunit`, `bytes` or `suffix:orders`.
pub fn read(id: &str) -> Unit {
    let known = match id {
        "" | "none" | "short" | "string" | "sishort" | "locale" => "",
        "percent" => "%",
        "percentunit" => "0-1",
        "bytes" => "bytes",
        "decbytes" => "decbytes",
        "bits" | "decbits" => "bits",
        "kbytes" | "deckbytes" => "KiB",
        "mbytes" | "decmbytes" => "MiB",
        "gbytes" | "decgbytes" => "GiB",
        "tbytes" | "dectbytes" => "TiB",
        "Bps" => "decbytes/s",
        "binBps" => "bytes/s",
        "bps" | "binbps" => "bits/s",
        "KBs" | "KiBs" => "KiB/s",
        "MBs" | "MiBs" => "MiB/s",
        "GBs" | "GiBs" => "GiB/s",
        "Kbits" | "Kibits" => "kbit/s",
        "Mbits" | "Mibits" => "Mbit/s",
        "Gbits" | "Gibits" => "Gbit/s",
        "s" | "dtdurations" | "clocks" => "s",
        "ms" | "dtdurationms" | "clockms" => "ms",
        "ns" => "ns",
        "µs" => "us",
        "m" => "min",
        "h" => "h",
        "d" => "d",
        "ops" => "ops/s",
        "reqps" => "req/s",
        "rps" => "reads/s",
        "wps" => "writes/s",
        "iops" => "io/s",
        "eps" => "events/s",
        "mps" => "messages/s",
        "recps" => "records/s",
        "rowsps" => "rows/s",
        "cps" => "/s",
        "pps" => "packets/s",
        "opm" => "ops/min",
        "rpm" => "reads/min",
        "reqpm" => "req/min",
        "wpm" => "writes/min",
        "cpm" => "/min",
        "hertz" | "rothz" => "Hz",
        "rotrpm" => "rpm",
        "celsius" => "°C",
        "fahrenheit" => "°F",
        "kelvin" => "K",
        "humidity" => "%H",
        "dB" => "dB",
        "dBm" => "dBm",
        "ppm" => "ppm",
        "volt" => "V",
        "mvolt" => "mV",
        "amp" => "A",
        "mamp" => "mA",
        "watt" => "W",
        "kwatt" => "kW",
        "mwatt" => "mW",
        "watth" => "Wh",
        "kwatth" => "kWh",
        "joule" => "J",
        "lux" => "lx",
        "lengthm" => "m",
        "lengthkm" => "km",
        "lengthmm" => "mm",
        "velocityms" => "m/s",
        "velocitykmh" => "km/h",
        "pressurehpa" => "hPa",
        "pressurebar" => "bar",
        "pressurepa" => "Pa",
        "litre" => "l",
        "massg" => "g",
        "masskg" => "kg",
        "degree" => "°",
        "currencyUSD" => "$",
        "currencyEUR" => "€",
        "currencyGBP" => "£",
        other => {
            // `suffix:orders`, `si:V` and `count:widgets` name the unit themselves.
            let named = ["suffix:", "si:", "count:"].into_iter().find_map(|kind| other.strip_prefix(kind));
            return match named {
                Some(name) if name.chars().count() <= crate::dashboard::widget::MAX_UNIT_CHARS => {
                    Unit::Plain(name.trim().to_owned())
                }
                _ => Unit::Unknown,
            };
        }
    };
    Unit::Plain(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known_or_named_or_not() {
        let plain = |unit: &str| Unit::Plain(unit.to_owned());
        for (id, unit) in [
            ("short", plain("")),
            ("percentunit", plain("0-1")),
            ("bytes", plain("bytes")),
            ("reqps", plain("req/s")),
            ("m", plain("min")),
            ("suffix: orders", plain("orders")),
            ("si:V", plain("V")),
            ("dateTimeAsIso", Unit::Unknown),
            ("bool_yes_no", Unit::Unknown),
            ("suffix:a very long unit that no widget has room for", Unit::Unknown),
        ] {
            assert_eq!(read(id), unit, "{id}");
        }
    }
}
