//! Constants that a shared document asks its reader for, filled in with the values that it suggests.

use std::borrow::Cow;

use serde_json::Value;

use super::text_of;

/// Bytes that filling in may add to a document: as much as the largest document has.
const MAX_ADDED_BYTES: usize = 2 * 1024 * 1024;

/// The document with the values of its constant `__inputs` where it names them, as `${VAR_JOB}`.
pub fn with_constants(document: &Value) -> Cow<'_, Value> {
    let inputs = document.get("__inputs").and_then(Value::as_array).into_iter().flatten();
    let constant = |input: &Value| {
        let value = input.get("value").and_then(Value::as_str)?;
        (text_of(input, "type") == "constant" && !text_of(input, "name").is_empty())
            .then(|| (format!("${{{}}}", text_of(input, "name")), value.to_owned()))
    };
    let constants: Vec<(String, String)> = inputs.filter_map(constant).collect();
    if constants.is_empty() {
        return Cow::Borrowed(document);
    }
    let mut filled = document.clone();
    fill(&mut filled, &constants, &mut { MAX_ADDED_BYTES });
    Cow::Owned(filled)
}

fn fill(value: &mut Value, constants: &[(String, String)], room: &mut usize) {
    match value {
        Value::String(text) => {
            for (name, constant) in constants {
                let more = text.matches(name.as_str()).count().saturating_mul(constant.len());
                if more > 0 && more <= *room {
                    *room -= more;
                    *text = text.replace(name.as_str(), constant);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| fill(one, constants, room)),
        Value::Object(all) => {
            let named = all.iter_mut().filter(|(name, _)| name.as_str() != "__inputs");
            named.for_each(|(_, one)| fill(one, constants, room));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn constants_stand_where_they_are_named() {
        let input = |kind: &str, value: &str| json!({ "name": "A", "type": kind, "value": value });
        let document = |input: Value| json!({ "__inputs": [input], "a": ["x${A}${A}", { "b": "$A ${B}" }] });
        let filled = document(input("constant", "1"));
        assert_eq!(with_constants(&filled)["a"], json!(["x11", { "b": "$A ${B}" }]));
        for other in [document(input("datasource", "1")), json!({ "a": 1 })] {
            assert_eq!(*with_constants(&other), other);
        }
        let long = document(input("constant", &"x".repeat(MAX_ADDED_BYTES)));
        assert_eq!(with_constants(&long)["a"], long["a"], "there is no room for that");
    }
}
