//! Values of fields.

use super::shown;

/// A decimal number that is exact as two numbers that a `f64` holds, and its length; `None` for what is to be read
/// with more care.
pub(super) fn plain_number(text: &[u8]) -> Option<(usize, f64)> {
    /// Powers of ten that are exact, and below 2^64 as whole numbers.
    const POWERS: [f64; 20] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19,
    ];
    /// As many digits are below 2^64.
    const MAX_DIGITS: usize = 19;
    /// Whole numbers below this are exact.
    const EXACT: u64 = 1 << 53;
    let is_negative = text.first() == Some(&b'-');
    let begin = usize::from(is_negative);
    let (mut at, mut whole, mut point) = (begin, 0_u64, None);
    loop {
        match text.get(at) {
            Some(digit @ b'0'..=b'9') => whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')),
            Some(b'.') if point.is_none() => point = Some(at),
            _ => break,
        }
        at += 1;
        if at > begin + MAX_DIGITS + 1 {
            return None;
        }
    }
    let digits = at - begin - usize::from(point.is_some());
    let places = point.map_or(0, |point| at - point - 1);
    if matches!(text.get(at), Some(b'i' | b'u')) && point.is_none() && !(is_negative && text[at] == b'u') {
        at += 1;
    }
    let ends = matches!(text.get(at), None | Some(b',' | b' ' | b'\n' | b'\r'));
    if !ends || !(1..=MAX_DIGITS).contains(&digits) || whole >= EXACT {
        return None;
    }
    let number = whole as f64 / POWERS[places];
    Some((at, if is_negative { -number } else { number }))
}

/// A value as a number; `None` for a text.
pub(super) fn value(text: &[u8]) -> Result<Option<f64>, String> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    let whole = |digits: &[u8]| {
        let fits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if fits { number(digits) } else { None }
    };
    let read = match text {
        [b'"', ..] => return Ok(None),
        [b't' | b'T'] | b"true" | b"True" | b"TRUE" => Some(1.0),
        [b'f' | b'F'] | b"false" | b"False" | b"FALSE" => Some(0.0),
        [b'-', digits @ .., b'i'] => whole(digits).map(|number| -number),
        [digits @ .., b'i' | b'u'] => whole(digits),
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => number(text),
        other => {
            let name = String::from_utf8_lossy(other).to_ascii_lowercase();
            let known = ["nan", "inf", "infinity"].contains(&name.as_str());
            return Err(if known { NOT_FINITE.to_owned() } else { not_a_value(text) });
        }
    };
    match read {
        Some(number) if number.is_finite() => Ok(Some(number)),
        Some(_) => Err(NOT_FINITE.to_owned()),
        None => {
            let tail = String::from_utf8_lossy(text).to_ascii_lowercase();
            Err(if tail.ends_with("inf") || tail.ends_with("nan") {
                NOT_FINITE.to_owned()
            } else {
                not_a_value(text)
            })
        }
    }
}

/// What is said of NaN and the infinities.
const NOT_FINITE: &str = "only finite numbers are kept";

fn not_a_value(text: &[u8]) -> String {
    format!("{} is not a value", shown(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_numbers_are_those_of_the_standard_library(text in "-?[0-9]{0,21}(\\.[0-9]{0,20})?[iu,e]?") {
            if let Some((long, number)) = plain_number(text.as_bytes()) {
                let read = value(&text.as_bytes()[..long]).expect("a value").expect("a number");
                prop_assert_eq!(number.to_bits(), read.to_bits());
            }
        }
    }
}
