//! Every form of a place, and everything that is none.
use super::*;

fn names() -> Names {
    let text = str::to_owned;
    Names {
        name: text("podinfo"),
        namespace: text("prod"),
        target: text("podinfo-app"),
        service: text("shop"),
        ingress: text("front"),
        route: text("way"),
        interval: text("1m"),
        variables: [("direction", "inbound"), ("a b", "x"), ("matcher", "code=~\"5..\"")]
            .map(|(k, v)| (text(k), text(v)))
            .into(),
    }
}

#[test]
fn every_place_is_filled_in() {
    for (query, out) in [
        ("plain", "plain"),
        ("{{ namespace }}/{{target}}/{{  service}}", "prod/podinfo-app/shop"),
        ("{{ ingress }} {{ route }} {{ name }} [{{ interval }}]", "front way podinfo [1m]"),
        ("up{job=\"{{ variables.direction }}\"}", "up{job=\"inbound\"}"),
        ("{{ index variables \"direction\" }}", "inbound"),
        ("{{ index variables \"a b\" }}", "x"),
        ("{{ index variables `direction` }}", "inbound"),
        ("{{ (index variables \"direction\") }}{{ (variables).direction }}", "inboundinbound"),
        ("{{ variables.matcher }}", "code=~\"5..\""),
        ("a {{- name -}} b", "apodinfob"),
        ("a \n {{- name }} b", "apodinfo b"),
        ("a {{ name -}} \n b", "a podinfob"),
        ("a{{/* says nothing: }} */}}b", "ab"),
        ("a {{- /* x */ -}} b", "ab"),
        ("{{ \"{{\" }}x{{ `}}` }}", "{{x}}"),
        ("{{ \"a\\\"}}b\" }}", "a\"}}b"),
        ("sum by (le) (rate(x{a=\"{b}\"}[5m]))", "sum by (le) (rate(x{a=\"{b}\"}[5m]))"),
        ("}} is no place", "}} is no place"),
        ("ü{{ name }}ü", "üpodinfoü"),
    ] {
        assert_eq!(render(query, &names()).as_deref(), Ok(out), "{query}");
    }
}

#[test]
fn what_is_not_understood_is_named() {
    for (query, message, help) in [
        ("{{ namespase }}", "`{{ namespase }}` stands for nothing", "did you mean `namespace`?"),
        ("{{ cluster }}", "`{{ cluster }}` stands for nothing", "write one of name"),
        (
            "{{ variables.zone }}",
            "the metric has no variable `zone` in its templateVariables",
            "add `templateVariables",
        ),
        ("{{ index variables \"zone\" }}", "the metric has no variable `zone` in its templateVariables", "add"),
        ("{{ if name }}x{{ end }}", "`{{ if name }}` is not understood", "write one of"),
        ("{{ name | printf \"%s\" }}", "`{{ name | printf \"%s\" }}` is not understood", "write one of"),
        ("{{ .Name }}", "`{{ .Name }}` is not understood", "write one of"),
        ("{{ }}", "`{{  }}` is not understood", "write one of"),
        ("{{ variables }}", "`{{ variables }}` stands for nothing", "write one of"),
        ("{{ variables. }}", "`{{ variables. }}` is not understood", "write one of"),
        ("{{ index variables }}", "`{{ index variables }}` is not understood", "write one of"),
        ("{{ \"a\" \"b\" }}", "`{{ \"a\" \"b\" }}` is not understood", "write one of"),
        ("a {{ name", "`{{` has no `}}` after it:  name", "close it"),
        ("{{ \"}}", "`{{` has no `}}` after it:  \"}}", "close it"),
        ("{{-name}}", "`{{ -name }}` is not understood", "write one of"),
        ("{{ () }}", "`{{ () }}` is not understood", "write one of"),
        ("{{ (name)(name) }}", "`{{ (name)(name) }}` is not understood", "write one of"),
    ] {
        let error = render(query, &names()).expect_err(query);
        assert_eq!(error.to_string(), message, "{query}");
        assert!(error.help().starts_with(help), "{query}: {}", error.help());
    }
}
