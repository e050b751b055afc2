//! Frames and ops that mean harm: of the right shape more often than not, so that they come far.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep::dashboard::{Dashboard, Kind, Op, WidgetId};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Ids that there are, may come to be, and never will.
const IDS: [&str; 7] = ["w0", "w1", "w2", "w3", "w4", "-", "nobody"];
const FIELDS: [&str; 14] = [
    "title",
    "unit",
    "query",
    "decimals",
    "min",
    "max",
    "warn_at",
    "style",
    "conflicts",
    "text",
    "frame",
    "removed",
    "kind",
    "",
];

pub fn widget_id(n: u8) -> WidgetId {
    WidgetId::new(IDS[n as usize]).expect("an id")
}

/// An op in the making: typing is made for the text that is there then.
#[derive(Clone, Debug)]
pub enum Hostile {
    Json(Value),
    Typing { id: u8, author: u64, at: u32, remove: u32, insert: String, spoil: Vec<Spoil> },
}

impl Hostile {
    /// `None` where it is of no op's shape.
    pub fn op(&self, dashboard: &Dashboard) -> Option<Op> {
        let json = match self {
            Self::Json(json) => json.clone(),
            Self::Typing { id, author, at, remove, insert, spoil } => {
                let id = widget_id(*id);
                let text = dashboard.widgets.get(&id).and_then(|widget| widget.text.clone());
                let (update, _) = text.unwrap_or_default().splice(*author, *at, *remove, insert);
                let mut bytes = update.as_bytes().to_vec();
                spoil.iter().for_each(|spoil| spoil.bytes(&mut bytes));
                json!({"op": "edit_text", "id": id, "update": STANDARD.encode(bytes)})
            }
        };
        serde_json::from_value(json).ok()
    }
}

/// One thing done to good bytes.
#[derive(Clone, Debug)]
pub enum Spoil {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Drop(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

impl Spoil {
    fn bytes(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len().max(1);
        match self {
            Self::Set(at, to) => bytes.iter_mut().skip(at % length).take(1).for_each(|byte| *byte = *to),
            Self::Flip(at, bit) => {
                bytes.iter_mut().skip(at % length).take(1).for_each(|byte| *byte ^= 1 << (bit % 8));
            }
            Self::Cut(at) => bytes.truncate(at % length),
            Self::Drop(at) => {
                let at = at % length;
                bytes.drain(at..(at + 1).min(bytes.len()));
            }
            Self::Insert(at, more) => {
                let at = (at % length).min(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, size) => {
                let from = from % length;
                let part = bytes[from.min(bytes.len())..(from + size % 64).min(bytes.len())].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = || any::<usize>();
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, to)| Spoil::Set(at, to)),
        3 => (at(), any::<u8>()).prop_map(|(at, bit)| Spoil::Flip(at, bit)),
        1 => at().prop_map(Spoil::Cut),
        1 => at().prop_map(Spoil::Drop),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, more)| Spoil::Insert(at, more)),
        1 => (at(), at()).prop_map(|(from, size)| Spoil::Repeat(from, size)),
    ]
}

/// Any JSON, nested a little; now and then what a field wants.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        prop::sample::select(vec!["latest", "first", "ask", "area", "line", "3", "ms"]).prop_map(Value::from),
        (190usize..210).prop_map(|length| Value::from("é".repeat(length))),
        (0usize..5_000).prop_map(|length| Value::from("\u{0}".repeat(length))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn id() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => prop::sample::select(IDS.to_vec()).prop_map(Value::from),
        1 => ".{0,70}".prop_map(Value::from),
    ]
}

fn field() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => prop::sample::select(FIELDS.to_vec()).prop_map(Value::from),
        1 => ".{0,20}".prop_map(Value::from),
    ]
}

fn edge() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0u16..30, 1 => any::<u16>(), 1 => prop::sample::select(vec![24, 100, 60_000, u16::MAX])]
}

fn frame() -> impl Strategy<Value = Value> {
    (edge(), edge(), edge(), edge()).prop_map(|(x, y, w, h)| json!({"x": x, "y": y, "w": w, "h": h}))
}

fn widget() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(Kind::ALL.map(Kind::name).to_vec());
    let option = prop::sample::select(FIELDS.to_vec()).prop_map(str::to_owned);
    let options = prop::collection::btree_map(option, value(), 0..3);
    let bytes = prop::collection::vec(any::<u8>(), 0..60);
    let text = prop::option::weighted(0.3, (bytes, ".{0,20}"));
    (kind, ".{0,40}", frame(), options, text).prop_map(|(kind, title, frame, options, text)| {
        let mut widget = json!({"kind": kind, "title": title, "frame": frame, "options": options});
        if let Some((state, plain)) = text {
            widget["text"] = json!({"state": STANDARD.encode(state), "plain": plain});
        }
        widget
    })
}

fn choose() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => prop::sample::select(vec!["kept", "other", "reopen"]).prop_map(Value::from),
        1 => value().prop_map(|value| json!({"value": value})),
        1 => op_json().prop_map(|op| json!({"value": [op]})),
    ]
}

/// Ops that no conflict is settled with.
fn op_json() -> impl Strategy<Value = Value> {
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        3 => (id(), widget()).prop_map(|(id, widget)| json!({"op": "add_widget", "id": id, "widget": widget})),
        2 => id().prop_map(|id| json!({"op": "remove_widget", "id": id})),
        2 => id().prop_map(|id| json!({"op": "restore_widget", "id": id})),
        2 => (id(), frame(), any::<bool>()).prop_map(
            |(id, frame, settled)| json!({"op": "place", "id": id, "frame": frame, "settled": settled})
        ),
        5 => (id(), field(), value()).prop_map(
            |(id, field, value)| json!({"op": "set", "id": id, "field": field, "value": value})
        ),
        1 => (field(), value()).prop_map(
            |(field, value)| json!({"op": "set_dashboard", "field": field, "value": value})
        ),
        1 => prop::sample::select(vec!["latest", "first", "ask"]).prop_map(
            |value| json!({"op": "set_dashboard", "field": "conflicts", "value": value})
        ),
        2 => (id(), bytes).prop_map(
            |(id, bytes)| json!({"op": "edit_text", "id": id, "update": STANDARD.encode(bytes)})
        ),
    ]
}

pub fn hostile_op() -> impl Strategy<Value = Hostile> {
    // Records have the name of the commit that made them.
    let conflict = (1u64..20, 0usize..4).prop_map(|(revision, index)| format!("k{revision}-{index}"));
    let settle = (conflict, choose()).prop_map(
        |(conflict, choose)| json!({"op": "settle_conflict", "conflict": conflict, "choose": choose}),
    );
    let spoils = prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(spoil(), 1..5)];
    let author = prop_oneof![3 => 1u64..6, 1 => any::<u64>()];
    let insert = prop_oneof![".{0,12}", (0usize..40_000).prop_map(|length| "x".repeat(length))];
    let typing = (0u8..5, author, 0u32..30, 0u32..8, insert, spoils).prop_map(
        |(id, author, at, remove, insert, spoil)| Hostile::Typing { id, author, at, remove, insert, spoil },
    );
    prop_oneof![
        6 => op_json().prop_map(Hostile::Json),
        1 => settle.prop_map(Hostile::Json),
        3 => typing,
    ]
}

/// Frames: any text, and such that were good before something was done to them.
pub fn frame_text() -> impl Strategy<Value = String> {
    let ops = prop::collection::vec(op_json(), 0..4);
    let change = (value(), value(), ops).prop_map(|(seq, base, ops)| match seq.is_u64() {
        true => json!({"seq": seq, "base": 0, "ops": ops}),
        false => json!({"seq": 1, "base": base, "ops": ops}),
    });
    let push = (id(), prop::collection::vec(change, 0..4))
        .prop_map(|(id, changes)| json!({"type": "push", "dashboard": id, "changes": changes}));
    let said = prop_oneof![
        4 => push,
        1 => (value(), id(), value()).prop_map(
            |(protocol, client, name)| json!({"type": "hello", "protocol": protocol, "client": client, "name": name})
        ),
        1 => (id(), value()).prop_map(|(id, resume)| json!({"type": "join", "dashboard": id, "resume": resume})),
        1 => (id(), value(), value(), any::<u64>()).prop_map(|(id, epoch, at, revision)| json!({
            "type": "join", "dashboard": id, "resume": {"epoch": epoch, "revision": revision, "at": at},
        })),
        1 => (id(), value(), value()).prop_map(|(id, cursor, editing)| json!({
            "type": "presence", "dashboard": id, "presence": {"cursor": cursor, "selected": [], "editing": editing},
        })),
        1 => (id(), value()).prop_map(|(id, presence)| json!({
            "type": "presence", "dashboard": id, "presence": presence,
        })),
        1 => value().prop_map(|id| json!({"type": "ping", "id": id, "hidden": id})),
        1 => (value(), value()).prop_map(|(kind, more)| json!({"type": kind, "more": more})),
    ];
    let spoils = prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(spoil(), 1..6)];
    let spoilt = (said, spoils).prop_map(|(said, spoils)| {
        let mut bytes = said.to_string().into_bytes();
        spoils.iter().for_each(|spoil| spoil.bytes(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    });
    prop_oneof![8 => spoilt, 1 => ".{0,200}", 1 => "[\\[{\":,0-9a-z]{0,200}"]
}
