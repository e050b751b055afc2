//! Values of PostgreSQL in its binary form: parameters as the statement wants them, and columns.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgTypeKind, PgValueRef};
use sqlx::{Encode, Postgres, Type, TypeInfo as _, ValueRef as _};

use crate::server::data::rows::{Cell, MAX_TEXT_CHARS, Role};
use crate::server::data::sql::statement::Bound;

/// From 1970 to 2000, at which PostgreSQL's times begin.
const EPOCH_MS: i64 = 946_684_800_000;
const DAY_MS: i64 = 86_400_000;
/// A digit of PostgreSQL's numbers.
const BASE: u32 = 10_000;
/// Digits of a number that is bound; more than any that means something.
const MAX_DIGITS: usize = 100;

/// A parameter in the type that the statement has for it.
pub struct Value {
    bytes: Vec<u8>,
    wanted: PgTypeInfo,
}

impl Type<Postgres> for Value {
    /// Each says its own.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Value {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.wanted.clone())
    }
}

/// A value as a statement wants it. Errors say why it cannot stand there, behind its name.
pub fn bind(bound: &Bound, wanted: &PgTypeInfo) -> Result<Value, String> {
    let bytes = match (bound, wanted.kind()) {
        (Bound::Chosen(values), PgTypeKind::Array(element)) => array(values, element)?,
        (Bound::Chosen(values), _) => match &values[..] {
            [only] => text(only, wanted)?,
            _ => return Err("has several values here; write IN ($name) or = ANY($name).".to_owned()),
        },
        (Bound::Time(ms), _) => time(i64::try_from(*ms).unwrap_or(i64::MAX), wanted)?,
        (Bound::Span(ms), _) => span(i64::try_from(*ms).unwrap_or(i64::MAX), wanted)?,
        (Bound::Number(number), _) => text(&number.to_string(), wanted)?,
    };
    Ok(Value { bytes, wanted: wanted.clone() })
}

fn time(ms: i64, wanted: &PgTypeInfo) -> Result<Vec<u8>, String> {
    Ok(match wanted.name() {
        "TIMESTAMPTZ" | "TIMESTAMP" => ((ms - EPOCH_MS) * 1_000).to_be_bytes().to_vec(),
        "DATE" => date(ms).to_be_bytes().to_vec(),
        "TEXT" | "VARCHAR" | "UNKNOWN" => return Err(untyped("timestamptz")),
        _ => text(&(ms / 1_000).to_string(), wanted)?,
    })
}

fn date(ms: i64) -> i32 {
    i32::try_from((ms - EPOCH_MS).div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

fn span(ms: i64, wanted: &PgTypeInfo) -> Result<Vec<u8>, String> {
    Ok(match wanted.name() {
        // Microseconds, days and months.
        "INTERVAL" => [&(ms * 1_000).to_be_bytes()[..], &[0; 8]].concat(),
        "TEXT" | "VARCHAR" | "UNKNOWN" => return Err(untyped("interval")),
        "INT2" | "INT4" | "INT8" => text(&(ms / 1_000).max(1).to_string(), wanted)?,
        _ => text(&format!("{}.{:03}", ms / 1_000, ms % 1_000), wanted)?,
    })
}

fn untyped(kind: &str) -> String {
    format!("stands where nothing says what is wanted; write its type behind it, as ::{kind}.")
}

/// A text as a value of a type.
fn text(value: &str, wanted: &PgTypeInfo) -> Result<Vec<u8>, String> {
    let number = || format!("is {:?}, where a number is wanted.", short(value));
    let wide = || format!("is {:?}, which does not fit in {}.", short(value), wanted.name().to_lowercase());
    let whole = || value.trim().parse::<i64>().map_err(|_| number());
    let real = || value.trim().parse::<f64>().map_err(|_| number());
    if let PgTypeKind::Domain(inner) = wanted.kind() {
        return text(value, inner);
    }
    if matches!(wanted.kind(), PgTypeKind::Enum(_)) {
        return Ok(value.as_bytes().to_vec());
    }
    Ok(match wanted.name() {
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => {
            if value.contains('\0') {
                return Err("has a character that PostgreSQL has not.".to_owned());
            }
            value.as_bytes().to_vec()
        }
        "INT2" => i16::try_from(whole()?).map_err(|_| wide())?.to_be_bytes().to_vec(),
        "INT4" => i32::try_from(whole()?).map_err(|_| wide())?.to_be_bytes().to_vec(),
        "INT8" => whole()?.to_be_bytes().to_vec(),
        "FLOAT4" => (real()? as f32).to_be_bytes().to_vec(),
        "FLOAT8" => real()?.to_be_bytes().to_vec(),
        "NUMERIC" => numeric(value.trim()).ok_or_else(number)?,
        "BOOL" => match value.trim().to_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "on" => vec![1],
            "false" | "f" | "0" | "no" | "off" => vec![0],
            _ => return Err(format!("is {:?}, where true or false is wanted.", short(value))),
        },
        "TIMESTAMPTZ" | "TIMESTAMP" | "DATE" => {
            let read = crate::dashboard::table::time::read(value)
                .or_else(|| crate::dashboard::table::time::unix(value.trim().parse().ok()?));
            let wrong = || format!("is {:?}, where a time is wanted.", short(value));
            return time(i64::try_from(read.ok_or_else(wrong)?).unwrap_or(i64::MAX), wanted);
        }
        other => {
            let kind = other.to_lowercase();
            return Err(format!("stands where {kind} is wanted; write ::text behind it, and cast that."));
        }
    })
}

fn short(value: &str) -> String {
    value.chars().take(40).collect()
}

/// A list of one dimension.
fn array(values: &[String], element: &PgTypeInfo) -> Result<Vec<u8>, String> {
    let oid = element.oid().ok_or("is a list of a type that is not known here.")?;
    let long = |count: usize| i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes();
    // Dimensions, NULLs, the type; then how many, and the number of the first.
    let mut out =
        [1_i32.to_be_bytes(), [0; 4], oid.0.to_be_bytes(), long(values.len()), 1_i32.to_be_bytes()].concat();
    for value in values {
        let bytes = text(value, element)?;
        out.extend(long(bytes.len()));
        out.extend(bytes);
    }
    Ok(out)
}

/// A decimal number as PostgreSQL has it: groups of four digits, where the point is, and the sign.
fn numeric(text: &str) -> Option<Vec<u8>> {
    let (is_negative, plain) = match text.strip_prefix('-') {
        Some(plain) => (true, plain),
        None => (false, text),
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() + fraction.len() > MAX_DIGITS
        || !are_digits(whole)
        || !are_digits(fraction)
    {
        return None;
    }
    let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let padded = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let all = whole.clone() + &padded;
    let digits: Vec<u16> = (0..all.len() / 4).filter_map(|at| all[at * 4..at * 4 + 4].parse().ok()).collect();
    let small = |count: usize| u16::try_from(count).ok();
    let weight = i16::try_from(whole.len() / 4).ok()? - 1;
    let sign: u16 = if is_negative { 0x4000 } else { 0 };
    let mut out = [
        small(digits.len())?.to_be_bytes(),
        weight.to_be_bytes(),
        sign.to_be_bytes(),
        small(fraction.len())?.to_be_bytes(),
    ]
    .concat();
    out.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
    Some(out)
}

/// What a column of a type is; `None` where it has no place in an answer.
pub fn role(kind: &PgTypeInfo) -> Option<Role> {
    if let PgTypeKind::Domain(inner) = kind.kind() {
        return role(inner);
    }
    Some(match kind.name() {
        "TIMESTAMPTZ" | "TIMESTAMP" | "DATE" => Role::Time,
        "INT2" | "INT4" | "INT8" | "FLOAT4" | "FLOAT8" | "NUMERIC" | "BOOL" | "OID" => Role::Number,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => Role::Text,
        _ if matches!(kind.kind(), PgTypeKind::Enum(_)) => Role::Text,
        _ => return None,
    })
}

/// A cell and how many bytes it has. Errors say what is wrong with it, behind the name of its column.
pub fn read(value: &PgValueRef<'_>) -> Result<(Cell, usize), String> {
    if value.is_null() {
        return Ok((Cell::Null, 0));
    }
    let strange = || "has a value that does not read.".to_owned();
    let bytes = value.as_bytes().map_err(|_| strange())?;
    let kind = value.type_info();
    let mut inner: &PgTypeInfo = &kind;
    while let PgTypeKind::Domain(next) = inner.kind() {
        inner = next;
    }
    let long = bytes.len();
    let cell = match inner.name() {
        "TIMESTAMPTZ" | "TIMESTAMP" => moment(be(bytes).ok_or_else(strange)?.div_euclid(1_000)),
        "DATE" => moment(be(bytes).ok_or_else(strange)?.saturating_mul(DAY_MS)),
        "INT2" | "INT4" | "INT8" => Some(Cell::Number(be(bytes).ok_or_else(strange)? as f64)),
        "OID" => Some(Cell::Number(u32::from_be_bytes(bytes.try_into().map_err(|_| strange())?).into())),
        "FLOAT4" => {
            // As it is written: 0.1 is 0.1, and not 0.10000000149.
            let single = f32::from_be_bytes(bytes.try_into().map_err(|_| strange())?);
            Some(Cell::Number(single.to_string().parse().map_err(|_| strange())?))
        }
        "FLOAT8" => Some(Cell::Number(f64::from_be_bytes(bytes.try_into().map_err(|_| strange())?))),
        "NUMERIC" => Some(Cell::Number(read_numeric(bytes).ok_or_else(strange)?)),
        "BOOL" => Some(Cell::Number(f64::from(bytes.first() == Some(&1)))),
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|_| strange())?;
            if text.chars().nth(MAX_TEXT_CHARS).is_some() {
                return Err(format!("has a text of more than {MAX_TEXT_CHARS} characters."));
            }
            Some(Cell::Text(text.into()))
        }
    };
    cell.map(|cell| (cell, long)).ok_or_else(|| "has a time that is before 1970 or infinite.".to_owned())
}

/// A time of so many milliseconds from 2000 on; `None` where it is before 1970 or infinite.
fn moment(ms: i64) -> Option<Cell> {
    let is_finite = ms.unsigned_abs() < u64::MAX / 4_000;
    u64::try_from(ms.saturating_add(EPOCH_MS)).ok().filter(|_| is_finite).map(Cell::Time)
}

/// A whole number of two, four or eight bytes.
fn be(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
        4 => i32::from_be_bytes(bytes.try_into().ok()?).into(),
        _ => i64::from_be_bytes(bytes.try_into().ok()?),
    })
}

fn read_numeric(bytes: &[u8]) -> Option<f64> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign) = (word(0)?, word(1)? as i16, word(2)?);
    let mut digits = String::new();
    for at in 0..count {
        let digit = u32::from(word(4 + usize::from(at))?);
        digits.push_str(&format!("{:04}", digit % BASE));
    }
    let minus = match sign {
        0 => "",
        0x4000 => "-",
        0xD000 => return Some(f64::INFINITY),
        0xF000 => return Some(f64::NEG_INFINITY),
        _ => return Some(f64::NAN),
    };
    // Read as a decimal, it is the number next to it.
    let exponent = (i32::from(weight) + 1 - i32::from(count)) * 4;
    format!("{minus}{}e{exponent}", if digits.is_empty() { "0" } else { &digits }).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimal_numbers_are_written_as_they_are_read(whole in 0..u64::MAX, fraction in "[0-9]{0,12}", minus in any::<bool>()) {
            let text = format!("{}{whole}{}{fraction}", if minus { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
            let bytes = numeric(&text).expect("a number");
            prop_assert_eq!(read_numeric(&bytes), text.parse().ok());
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_none() {
        for text in ["", "-", ".5", "1.2.3", "1e5", "0x1", "abc", &"9".repeat(101)] {
            assert_eq!(numeric(text), None, "{text}");
        }
    }
}
