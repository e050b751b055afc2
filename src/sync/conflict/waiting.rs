//! Edits that wait beside the removal of their widget: of each field the last, and only what can be performed.

use serde_json::Value;

use crate::dashboard::number::same_value;
use crate::dashboard::{Op, OpError, Widget};
use crate::sync::protocol::MAX_OP_BYTES;

/// The edits that wait, with one more of the same author. Errors where a text could not take it as it was
/// removed, or where they are more than travels as one op.
pub fn with_edit(waiting: Option<&Value>, op: &Op, widget: &Widget) -> Result<Value, OpError> {
    let mut edits = waiting.map(ops).unwrap_or_default();
    let at = edits.iter().position(|edit| edit.cell() == op.cell());
    let edit = match (op, at.map(|at| &edits[at])) {
        (Op::EditText { id, update, .. }, before) => {
            let text = widget.text.as_ref().ok_or(OpError::NoText)?;
            let before = match before {
                Some(Op::EditText { update, .. }) if !update.is_empty() => Some(update),
                _ => None,
            };
            let update = match before {
                Some(before) => {
                    let (_, update) = text.apply(before)?.take(update)?;
                    before.merged(&update).ok_or(OpError::NotAnUpdate)?
                }
                None => text.take(update)?.1,
            };
            Op::edit_text(id, update)
        }
        _ => op.clone(),
    };
    match at {
        Some(at) => edits[at] = edit,
        None => edits.push(edit),
    }
    let edits = serde_json::to_value(edits).map_err(|_| OpError::TooLarge)?;
    // The same bound as an op's: what is kept here is sent as one.
    if edits.to_string().len() > MAX_OP_BYTES { Err(OpError::TooLarge) } else { Ok(edits) }
}

/// The fields that edits write, with their values; not the text.
pub fn values(edits: &Value) -> Vec<(String, Value)> {
    let value = |op| match op {
        Op::Set { field, value, .. } => Some((field, value)),
        _ => None,
    };
    ops(edits).into_iter().filter_map(value).collect()
}

/// True where a widget has edits already, as the one that was removed with them has. Of text this is known only
/// where the edits say so, by an empty update.
pub fn are_in(edits: &Value, widget: &Widget) -> bool {
    ops(edits).iter().all(|edit| match edit {
        Op::Set { field, value, .. } => same_value(&widget.value(field), value),
        Op::EditText { update, .. } => update.is_empty(),
        _ => false,
    })
}

fn ops(edits: &Value) -> Vec<Op> {
    serde_json::from_value(edits.clone()).unwrap_or_default()
}
