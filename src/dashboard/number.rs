//! Numbers: reading one that somebody wrote, and telling whether two values are the same.
//!
//! Read by way of JSON, which the page reads anyhow: the standard library's own reader would bring its tables of
//! powers a second time.

use serde_json::{Number, Value};

/// A whole number in words of English, its digits in threes: `250,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// True where two values are the same as values, whichever way their numbers are written: 100 is 100.0.
pub fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same_value(one, other)))
        }
        (one, other) => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    // Whole numbers beyond what a float tells apart differ all the same.
    let whole = |number: &Number| number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

/// A number as people write it: `12`, `-0.5`, `+.5`, `7.`, `007`, `1e-3`. `None` for anything else, and for what
/// is greater than a float can be.
pub fn read(text: &str) -> Option<f64> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(plain(whole) && plain(fraction)) || whole.len() + fraction.len() == 0 {
        return None;
    }
    // JSON wants a digit on either side of the point, and none before the first that counts.
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    serde_json::from_str(&format!("{sign}{whole}.{fraction}0e{exponent}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (250_000, "250,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn values_are_compared_as_values() {
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        for (one, other) in [
            ("100", "100.0"),
            ("0", "-0.0"),
            ("[1, {\"a\": 2.0}]", "[1.0, {\"a\": 2}]"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert!(same_value(&json(one), &json(other)), "{one} {other}");
        }
        for (one, other) in [
            ("100", "100.5"),
            ("100", "\"100\""),
            ("9007199254740993", "9007199254740992"),
            ("[1]", "[1, 1]"),
            ("{\"a\": 1}", "{\"b\": 1}"),
            ("null", "0"),
        ] {
            assert!(!same_value(&json(one), &json(other)), "{one} {other}");
        }
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, number) in [
            ("12", 12.0),
            ("-0.5", -0.5),
            ("+.5", 0.5),
            ("7.", 7.0),
            ("007", 7.0),
            ("0", 0.0),
            ("1e-3", 0.001),
            ("2.50E+2", 250.0),
            ("0.1", 0.1),
            ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for text in
            ["", ".", "-", "e5", "1e", "1e5.0", "1,5", " 1", "1 ", "inf", "NaN", "0x10", "--1", "1e999"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn reads_what_the_standard_library_reads() {
        for number in [0.1 + 0.2, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e23, 9007199254740993.0] {
            for text in [format!("{number}"), format!("{number:e}"), format!("-{number:e}")] {
                assert_eq!(read(&text), text.parse().ok(), "{text}");
            }
        }
    }
}
