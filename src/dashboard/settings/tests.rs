//! Tests of settings: what they take, and what texts say of variables.

use super::*;
use serde_json::json;

#[test]
fn settings_take_what_they_say() {
    for (field, value) in [
        ("range", json!("6h")),
        ("range", Value::Null),
        ("timezone", json!("Europe/Berlin")),
        ("timezone", Value::Null),
        ("refresh", json!(5)),
        ("tags", json!(["prod", "Zahlungen, Süd"])),
        ("tags", json!([])),
        ("tags", Value::Null),
        ("variable.host", json!({"label": "Host", "choices": ["a", "b"]})),
        ("variable.host", json!({"values_of": {"source": "prometheus", "label": "instance"}})),
        ("value.host", json!("b")),
        ("annotation.a1", json!({"at": 1_795_000_000_000_u64, "text": "deployed"})),
    ] {
        assert_eq!(check_setting(field, &value), Ok(()), "{field} {value}");
    }
    for (field, value) in [
        ("range", json!(15)),
        ("range", json!("yesterday")),
        ("timezone", json!("")),
        ("timezone", json!(2)),
        ("refresh", json!(0)),
        ("refresh", json!(1.5)),
        ("tags", json!("prod")),
        ("tags", json!([1])),
        ("tags", json!([""])),
        ("tags", json!([" prod"])),
        ("tags", json!(["a\nb"])),
        ("tags", json!(["x".repeat(MAX_TAG_CHARS + 1)])),
        ("tags", json!(vec!["a"; MAX_TAGS + 1])),
        ("variable.", json!({})),
        ("variable.9", json!({})),
        ("variable.a b", Value::Null),
        ("variable.host", json!({"choices": [1]})),
        ("variable.host", json!({"choices": vec!["a"; MAX_CHOICES + 1]})),
        ("value.host", json!(1)),
        ("value.host", json!("x".repeat(MAX_CHOSEN_CHARS + 1))),
        ("annotation.a b", json!({"at": 1, "text": ""})),
        ("annotation.a", json!({"text": "when?"})),
        ("annotation.a", json!({"at": u64::MAX, "text": ""})),
        ("annotation.a", json!({"at": 1, "text": "", "more": "x"})),
        ("variable.host", json!({"choices": [], "more": "x"})),
        ("colour", json!("red")),
    ] {
        assert!(check_setting(field, &value).is_err(), "{field} {value}");
    }
}

#[test]
fn what_is_a_choice_itself_is_that_one() {
    let of = |choices: &[&str]| Variable {
        choices: choices.iter().map(|one| (*one).to_owned()).collect(),
        multi: true,
        ..Variable::default()
    };
    assert_eq!(of(&["(a|b)", "c"]).values("(a|b)"), ["(a|b)"]);
    assert_eq!(of(&["(a|b)", "a", "b"]).values("(a|b)"), ["a", "b"]);
    assert_eq!(of(&["a", "b"]).values("(a|b)"), ["a", "b"]);
    let one = Variable { multi: false, ..of(&["a"]) };
    assert_eq!(one.values("(a|b)"), ["(a|b)"]);
    assert_eq!(one.chosen(&["a.b".to_owned()]).as_deref(), Some("a.b"));
    assert_eq!(one.chosen(&["a".to_owned(), "b".to_owned()]), None);
    let settings: Settings =
        [("variable.x".to_owned(), json!({ "choices": ["(a|b)", "c"], "multi": true }))].into();
    assert_eq!(with_variables(&settings, "$x"), r"(\\(a\\|b\\))");
}

#[test]
fn s10_variables_and_annotations_are_counted() {
    let mut settings = Settings::new();
    for n in 0..MAX_VARIABLES {
        settings.insert(format!("variable.v{n}"), json!({}));
    }
    let room = |field: &str, value: &Value| has_room_for(&settings, field, value);
    assert_eq!(room("variable.more", &json!({})), Err(OpError::TooMany(MAX_VARIABLES)));
    assert_eq!(room("variable.v1", &json!({"label": "again"})), Ok(()));
    assert_eq!(room("variable.more", &Value::Null), Ok(()));
    assert_eq!(room("annotation.a", &json!({"at": 1, "text": ""})), Ok(()));
    assert_eq!(variables(&settings).count(), MAX_VARIABLES);
}

#[test]
fn variables_come_after_those_that_they_ask_about() {
    let of = |of: &str| json!({ "values_of": { "source": "s", "label": "l", "of": of } });
    let settings: Settings = [
        ("variable.a", of("x{b=\"$b\",c=~\"${c}\"}")),
        ("variable.b", of("x{c=\"$c\"}")),
        ("variable.c", json!({ "choices": ["1"] })),
        ("variable.d", of("$e")),
        ("variable.e", of("$d")),
    ]
    .map(|(field, value)| (field.to_owned(), value))
    .into();
    let turn: Vec<&str> = variables_in_turn(&settings).into_iter().map(|(name, _)| name).collect();
    assert_eq!(turn, ["c", "b", "a", "d", "e"]);
}

#[test]
fn variables_stand_in_texts() {
    let mut settings = Settings::new();
    settings.insert("variable.host".to_owned(), json!({"choices": ["a$host", "b"]}));
    settings.insert("variable.rate".to_owned(), json!({"choices": ["5m"]}));
    settings.insert("value.rate".to_owned(), json!("1m"));
    for (text, expected) in [
        ("up{h=\"$host\"}[$rate]", "up{h=\"a$host\"}[1m]"),
        ("${host}, ${rate:regex}s, [[rate]]", "a$host, 1ms, 1m"),
        ("$hosts $ $$rate ${host [[x", "$hosts $ $1m ${host [[x"),
        ("[5m] é$host", "[5m] éa$host"),
        ("", ""),
    ] {
        assert_eq!(with_variables(&settings, text), expected);
    }
    let text = "$host ${host:regex} $hosts [[host]] $rate é$host";
    let places: Vec<usize> = uses(&settings, text, "host").collect();
    assert!(places.iter().all(|at| text[*at..].starts_with("host")), "{places:?}");
    assert_eq!(places.len(), 4);
    settings.insert("variable.job".to_owned(), json!({"choices": ["a", "b"], "multi": true}));
    settings.insert("value.job".to_owned(), json!(r"(a\\.b|c)"));
    assert_eq!(with_variables(&settings, "{job=~\"$job\"}"), r#"{job=~"(a\\.b|c)"}"#);
    assert_eq!(in_words(&settings, "$job of $host"), "a.b, c of a$host");
    // One value matches itself and nothing more, whether it was chosen or is the first.
    for (chosen, expected) in [
        (Some("C++"), r"(C\\+\\+) C++"),
        (Some(r"(C\\+\\+)"), r"(C\\+\\+) C++"),
        (Some(r#"(say \"x\")"#), r#"(say \"x\") say "x""#),
        (Some(".*"), ".* .*"),
        (None, r"(a\\.b) a.b"),
    ] {
        let mut settings = settings.clone();
        settings.insert("variable.job".to_owned(), json!({"choices": ["a.b"], "multi": true}));
        settings.remove("value.job");
        settings.extend(chosen.map(|chosen| ("value.job".to_owned(), json!(chosen))));
        assert_eq!(with_variables(&settings, "$job ") + &in_words(&settings, "$job"), expected);
    }
    assert_eq!(uses(&settings, text, "hosts").count(), 0, "there is no such variable");
    assert_eq!(mentioned("$a ${b:csv} [[c]] [5m] $1 é$_d").collect::<Vec<_>>(), ["a", "b", "c", "_d"]);
}

#[test]
fn s10_a_hostile_text_is_filled_in_one_go_and_within_bounds() {
    let mut settings = Settings::new();
    settings.insert("variable.a".to_owned(), json!({"choices": ["x".repeat(MAX_CHOICE_CHARS)]}));
    for text in ["[[", "${", "[", "$", "${[["] {
        let hostile = text.repeat(256 * 1024 / text.len());
        assert_eq!(with_variables(&settings, &hostile), hostile);
    }
    let long = with_variables(&settings, &"$a ".repeat(80_000));
    assert!(long.len() < MAX_FILLED_BYTES + 3 * 80_000, "{}", long.len());
    assert!(long.ends_with("$a "), "what is not filled in stays");
}
