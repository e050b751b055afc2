//! Numbers as people of different countries write them: decimal points and commas, digits in groups, signs of
//! currencies, the real minus sign. What a column has in common tells what one value leaves open.

use super::Entry;
use crate::dashboard::number;

/// Words for a value that there is none of, in small letters.
const NONE: [&str; 16] = [
    "-", "–", "—", "−", "--", "---", "n/a", "#n/a", "na", "nan", "null", "nil", "none", "k.a.", "k. a.", "?",
];
/// Signs of currencies that are none of Unicode's, and percent.
const SIGNS: [&str; 9] = ["%", "‰", "kr.", "kr", "zł", "Kč", "Ft", "lei", "Fr."];

/// Reads the values of a column. It is one of numbers where most are.
pub fn column(values: &[&str], decimal_comma: bool) -> Vec<Entry> {
    let read: Vec<Value> = values.iter().map(|text| Value::read(text)).collect();
    let count = |wanted: fn(&Value) -> bool| read.iter().filter(|value| wanted(value)).count();
    if count(|value| matches!(value, Value::Number(_))) <= count(|value| matches!(value, Value::Other)) {
        return values.iter().map(|text| Entry::read(text, decimal_comma)).collect();
    }
    let shows = |mark: char| {
        let of = |value: &&Value| matches!(value, Value::Number(number) if number.decimal() == Some(mark));
        read.iter().filter(of).count()
    };
    let (points, commas) = (shows('.'), shows(','));
    let entry = |(value, text): (&Value, &&str)| match value {
        Value::Empty => Entry::Empty,
        Value::Other => Entry::Text((*text).to_owned()),
        Value::Number(number) => {
            let open = || match points.cmp(&commas) {
                std::cmp::Ordering::Less => ',',
                std::cmp::Ordering::Greater => '.',
                // Nothing tells: a point is one of decimals, and so is a comma where it does not separate values.
                std::cmp::Ordering::Equal if decimal_comma && !number.body.contains('.') => ',',
                std::cmp::Ordering::Equal => '.',
            };
            number.value(number.decimal().unwrap_or_else(open)).map_or_else(
                || Entry::Text((*text).to_owned()),
                |value| match number.bare {
                    true => Entry::Number(value),
                    false => Entry::Written(value, text.trim().to_owned()),
                },
            )
        }
    };
    read.iter().zip(values).map(entry).collect()
}

/// True for a word that says that there is no value.
pub fn is_none(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    text.is_empty() || NONE.contains(&text.as_str())
}

/// One value, as far as it can be read by itself.
enum Value<'a> {
    Empty,
    Number(Written<'a>),
    Other,
}

impl<'a> Value<'a> {
    fn read(text: &'a str) -> Self {
        match Written::read(text) {
            _ if is_none(text) => Self::Empty,
            Some(number) if number.value('.').is_some() || number.value(',').is_some() => {
                Self::Number(number)
            }
            _ => Self::Other,
        }
    }
}

/// A number as it is written.
struct Written<'a> {
    negative: bool,
    /// True where nothing stands beside the number.
    bare: bool,
    /// Digits, and what stands between them; an exponent at most.
    body: &'a str,
}

impl<'a> Written<'a> {
    /// Takes off what stands around a number.
    fn read(text: &'a str) -> Option<Self> {
        let mut body = text.trim();
        let mut bare = true;
        let mut negative = false;
        let mut plus = false;
        // As book-keepers write what is below zero.
        if let Some(inner) = body.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (body, negative) = (inner.trim(), true);
        }
        loop {
            let before = body;
            if let Some(rest) = body.strip_prefix(['-', '−', '–', '﹣', '－']) {
                if negative || plus {
                    return None;
                }
                (body, negative) = (rest, true);
            } else if let Some(rest) = body.strip_prefix('+') {
                if negative || plus {
                    return None;
                }
                (body, plus) = (rest, true);
            } else if bare {
                (body, bare) = match unsigned(body) {
                    Some(rest) => (rest, false),
                    None => (body, true),
                };
            }
            body = body.trim();
            if body.len() == before.len() {
                break;
            }
        }
        // A telephone's number begins with a plus, and has gaps.
        let phone = plus && body.contains(char::is_whitespace);
        let starts = body.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
        (starts && !phone).then_some(Self { negative, bare, body })
    }

    /// Its value where this stands before its decimals.
    fn value(&self, decimal: char) -> Option<f64> {
        let (digits, exponent) = match self.body.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, Some(exponent)),
            None => (self.body, None),
        };
        let (whole, fraction) = digits.split_once(decimal).unwrap_or((digits, ""));
        if !fraction.bytes().all(|b| b.is_ascii_digit()) || is_address(digits) {
            return None;
        }
        let whole = ungrouped(whole, decimal)?;
        let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
        let value = number::read(&format!("{whole}.{fraction}{exponent}"))?;
        Some(if self.negative { -value } else { value })
    }

    /// The mark before its decimals, where that is the only way to read it.
    fn decimal(&self) -> Option<char> {
        match (self.value('.'), self.value(',')) {
            (Some(_), None) => Some('.'),
            (None, Some(_)) => Some(','),
            _ => None,
        }
    }
}

/// A text without the sign of a currency or of percent at one of its ends; `None` where it has none.
fn unsigned(text: &str) -> Option<&str> {
    let is_currency = |c: char| matches!(c, '$' | '£' | '¥' | '¢' | '¤' | '\u{20a0}'..='\u{20cf}' | '฿');
    let code = |code: &str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
    let beside = |rest: &str| !rest.is_empty() && !rest.contains(|c: char| c.is_ascii_alphabetic());
    let stripped = text.strip_prefix(is_currency).or_else(|| text.strip_suffix(is_currency));
    let stripped = stripped.or_else(|| {
        SIGNS.iter().find_map(|sign| text.strip_suffix(sign).or_else(|| text.strip_prefix(sign)))
    });
    let coded = || {
        let front = text.get(..3).filter(|front| code(front)).map(|_| &text[3..]);
        let at = text.len().checked_sub(3)?;
        front.or_else(|| text.get(at..).filter(|end| code(end)).map(|_| &text[..at]))
    };
    stripped.or_else(coded).map(str::trim).filter(|rest| beside(rest))
}

/// The digits before the decimals without what groups them: threes, or twos before the last three.
fn ungrouped(whole: &str, decimal: char) -> Option<String> {
    let kind = |c: char| match c {
        '’' => '\'',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let mark = whole.chars().map(kind).find(|c| !c.is_ascii_digit());
    let Some(mark) = mark else {
        // A code begins with a zero that counts for nothing.
        let code = whole.len() > 1 && whole.starts_with('0');
        return (!code).then(|| whole.to_owned());
    };
    if mark == decimal || ![',', '.', '\'', ' '].contains(&mark) {
        return None;
    }
    let groups: Vec<&str> = whole.split(|c: char| kind(c) == mark).collect();
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let digits = |group: &&str| group.bytes().all(|b| b.is_ascii_digit());
    let even = middle.windows(2).all(|pair| pair[0].len() == pair[1].len());
    let fits = (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && last.len() == 3
        && middle.iter().all(|group| matches!(group.len(), 2 | 3))
        && even
        && groups.iter().all(digits);
    fits.then(|| groups.concat())
}

/// True for the address of a computer, as 192.168.100.200.
fn is_address(text: &str) -> bool {
    text.matches('.').count() == 3
        && text
            .split('.')
            .all(|part| (1..=3).contains(&part.len()) && part.parse::<u16>().is_ok_and(|n| n < 256))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[&str], decimal_comma: bool) -> Vec<Option<f64>> {
        let number = |entry: Entry| entry.number();
        column(values, decimal_comma).into_iter().map(number).collect()
    }

    fn one(text: &str) -> Option<f64> {
        numbers(&[text], false)[0]
    }

    #[test]
    fn a_number_has_one_value_wherever_it_is_written() {
        for (text, expected) in [
            ("1234.5", 1234.5),
            ("1,234.5", 1234.5),
            ("1.234,5", 1234.5),
            ("1 234,5", 1234.5),
            ("1\u{a0}234,5", 1234.5),
            ("1\u{202f}234,5", 1234.5),
            ("1'234.5", 1234.5),
            ("1’234.5", 1234.5),
            ("12,34,567.8", 1_234_567.8),
            ("1.234.567", 1_234_567.0),
            ("0,123", 0.123),
            ("1234,567", 1234.567),
            ("−5", -5.0),
            ("–5", -5.0),
            ("(1,234.50)", -1234.5),
            ("€ 1.234,50", 1234.5),
            ("1.234,50 €", 1234.5),
            ("-$1,234.50", -1234.5),
            ("$-1,234.50", -1234.5),
            ("CHF 1'234.50", 1234.5),
            ("1.234,50 EUR", 1234.5),
            ("₹12,34,567", 1_234_567.0),
            ("12,5 %", 12.5),
            ("99.9%", 99.9),
            ("1 200,00 zł", 1200.0),
            ("2.50E+2", 250.0),
            ("1e-3", 0.001),
            (".5", 0.5),
            ("+7", 7.0),
        ] {
            assert_eq!(one(text), Some(expected), "{text}");
        }
        for text in [
            "007",
            "10.0.0.1",
            "192.168.100.200",
            "2026-11-22",
            "22.11.2026",
            "10:02",
            "v1.2",
            "1.2.3",
            "+49 301 234",
            "12,34",
            "1,2,3",
            "5 km",
            "--5",
            "abc",
            "0123 456",
            "1,,234",
            "EUR",
            "$",
        ] {
            // With two decimals a comma is one of decimals.
            let expected = (text == "12,34").then_some(12.34);
            assert_eq!(one(text), expected, "{text}");
        }
    }

    #[test]
    fn a_column_tells_what_one_value_leaves_open() {
        assert_eq!(numbers(&["1.234", "5,5"], true), [Some(1234.0), Some(5.5)]);
        assert_eq!(numbers(&["1.234", "5.5"], true), [Some(1.234), Some(5.5)]);
        assert_eq!(numbers(&["1,234", "5.5"], false), [Some(1234.0), Some(5.5)]);
        assert_eq!(numbers(&["1,234"], false), [Some(1234.0)]);
        assert_eq!(numbers(&["1,234"], true), [Some(1.234)]);
        assert_eq!(numbers(&["1.234"], true), [Some(1.234)]);
    }

    #[test]
    fn what_is_none_is_empty_among_numbers_and_a_word_among_words() {
        for none in ["", " ", "-", "–", "NaN", "nan", "N/A", "null", "k.A."] {
            assert_eq!(column(&["1", none, "2"], false)[1], Entry::Empty, "{none}");
        }
        assert_eq!(column(&["a", "-", "b"], false)[1], Entry::Text("-".to_owned()));
        let mixed = column(&["1.000,5", "2,5", "see below"], true);
        assert_eq!(mixed[0], Entry::Number(1000.5));
        assert_eq!(mixed[2], Entry::Text("see below".to_owned()));
    }

    #[test]
    fn what_stands_beside_a_number_stays() {
        assert_eq!(column(&["€ 1.234,50", "7 €"], true)[0], Entry::Written(1234.5, "€ 1.234,50".to_owned()));
    }
}
