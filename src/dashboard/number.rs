//! Reading a number that somebody wrote.
//!
//! By way of JSON, which the page reads anyhow: the standard library's own reader would bring its tables of
//! powers a second time.

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
