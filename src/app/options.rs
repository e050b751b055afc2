//! The options of a widget as people type and read them.

use serde_json::Value;

use crate::dashboard::number;
use crate::dashboard::widget::Takes;

/// An option's value as a field shows it.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads what somebody typed. An empty field unsets the option; a title is never unset.
pub fn parse(takes: Takes, text: &str) -> Result<Value, String> {
    let text = text.trim();
    match takes {
        Takes::Text(_) | Takes::Json(_) => Ok(Value::from(text)),
        _ if text.is_empty() => Ok(Value::Null),
        Takes::OneOf(_) => Ok(Value::from(text)),
        Takes::Flag => Ok(Value::from(text == "true")),
        Takes::Whole(..) => {
            text.parse::<i64>().map(Value::from).map_err(|_| "This takes a whole number.".to_owned())
        }
        Takes::Number => match number::read(&text.replace(',', ".")) {
            Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => Ok(Value::from(number as i64)),
            Some(number) => Ok(Value::from(number)),
            None => Err("This takes a number, as 12 or 0.5.".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_becomes_values() {
        assert_eq!(parse(Takes::Number, " 80 "), Ok(Value::from(80)));
        assert_eq!(parse(Takes::Number, "0,5"), Ok(Value::from(0.5)));
        assert_eq!(parse(Takes::Number, ""), Ok(Value::Null));
        assert!(parse(Takes::Number, "a lot").is_err());
        assert!(parse(Takes::Whole(0, 6), "1.5").is_err());
        assert_eq!(parse(Takes::Text(9), " a "), Ok(Value::from("a")));
        assert_eq!(parse(Takes::Flag, "true"), Ok(Value::from(true)));
    }
}
