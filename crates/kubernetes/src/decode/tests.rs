//! What every kind of field makes of every kind of value.
use super::*;
use serde_json::json;

fn read<T>(value: Value, f: impl FnOnce(&mut Fields<'_, '_>) -> T) -> (T, Vec<String>) {
    let mut reading = Reading::default();
    let map = value.as_object().expect("an object");
    let mut fields = Fields::new(map, "spec".to_owned(), &mut reading);
    let out = f(&mut fields);
    fields.finish();
    (out, reading.found.finish().iter().map(ToString::to_string).collect())
}

#[test]
fn a_half_is_no_whole_number_and_nothing_else_suffers() {
    let (read, told) = read(json!({"a": 0.5, "b": 5.0, "c": 7}), |f| (f.whole("a"), f.whole("b"), f.whole("c")));
    assert_eq!(read, (None, Some(5), Some(7)));
    assert_eq!(told, ["error spec.a (kind): 0.5 is not a whole number; write a whole number, such as 5"]);
}

#[test]
fn numbers_beyond_measure_are_refused() {
    for number in [json!(9_223_372_036_854_775_808_u64), json!(1e300), json!(-1e300), json!(2_147_483_648_i64)] {
        let (out, told) = read(json!({"a": number}), |f| f.whole("a"));
        assert_eq!(out, None);
        assert!(told[0].contains("is too large"), "{told:?}");
    }
    assert_eq!(read(json!({"a": -5}), |f| f.whole("a")).0, Some(-5));
}

#[test]
fn null_is_no_value() {
    let (out, told) = read(json!({"a": null, "b": null}), |f| (f.whole("a"), f.needed_text("b", "write it")));
    assert_eq!(out, (None, None));
    assert_eq!(told, ["error spec.b (missing): `b` is missing; write it"]);
}

#[test]
fn a_wrong_kind_is_told_once() {
    let (_, told) = read(json!({"a": [1]}), |f| f.needed_text("a", "write it"));
    assert_eq!(
        told,
        ["error spec.a (kind): a list is of the wrong kind; write a text; in quotes if it looks like a number"]
    );
}

#[test]
fn slips_of_the_pen_are_guessed() {
    let (_, told) = read(json!({"stepWieght": 5, "colour": 1}), |f| f.whole("stepWeight"));
    assert_eq!(
        told,
        [
            "warning spec.stepWieght (unknown): there is no field `stepWieght`; did you mean `stepWeight`?",
            "warning spec.colour (unknown): there is no field `colour`; leave it out: it does nothing",
        ]
    );
}

#[test]
fn a_list_is_read_entry_by_entry() {
    let (out, told) = read(json!({"a": [1, "2", 3.5, 4]}), |f| f.wholes("a"));
    assert_eq!(out, Some(vec![1, 4]));
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("error spec.a[1]"), "{told:?}");
    let (out, told) = read(json!({"a": vec![1; 101]}), |f| f.wholes("a"));
    assert_eq!(out, None);
    assert_eq!(told, ["error spec.a (value): 101 entries are too many; write at most 100"]);
}

#[test]
fn a_long_text_is_cut_between_characters() {
    assert_eq!(cut("kurz"), "kurz");
    let long = "ü".repeat(100);
    assert_eq!(cut(&long).len(), 60);
    assert_eq!(cut(&format!("x{long}")).len(), 59);
}

#[test]
fn a_port_is_a_number_or_a_name() {
    for (value, out) in [(json!(80), Some("80")), (json!("http"), Some("http")), (json!(0), None), (json!(""), None)] {
        assert_eq!(read(json!({"a": value}), |f| f.number_or_name("a")).0.as_deref(), out);
    }
    assert_eq!(read(json!({"a": true}), |f| f.number_or_name("a")).1.len(), 1);
}

#[test]
fn paths_are_remembered_without_their_indices() {
    let mut reading = Reading::that_remembers();
    let value = json!({"a": [{"b": 1}, {"b": 2}]});
    let mut fields = Fields::new(value.as_object().unwrap(), "spec".to_owned(), &mut reading);
    fields.children("a", |f| f.whole("b"));
    let asked: Vec<String> = reading.asked().into_iter().collect();
    assert_eq!(asked, ["spec.a", "spec.a[].b"]);
}
