//! Compares the document with the code: it must describe exactly what the code has. The suite checks each answer that
//! it gets against the document.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::routes;
use crate::config::ProviderKind;
use crate::daemon::service::SocketKind;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::fault::FaultKind;
use crate::lifecycle::Phase;
use crate::problem::{Problem, Row, TABLE};
use crate::profile::ProfileName;
use crate::wire::rotation::StepEnd;
use crate::wire::{DEFAULT_MAX_WAIT, MAX_BODY, MAX_FRAME, MAX_MAX_WAIT, MAX_MIN_VALID, SinkState};

/// Returns the name of a row in an answer, and the status of that answer.
type Named = fn(&Row) -> (&'static str, u16);

fn document() -> Value {
    serde_json::from_slice(&super::document()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    let values = value.as_array().unwrap();
    values.iter().map(|text| text.as_str().unwrap()).collect()
}

/// Returns the target of a reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect(reference),
        None => value,
    }
}

/// Collects every object in a value.
fn objects<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            found.push(value);
            members.values().for_each(|value| objects(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
        _ => {}
    }
}

/// Returns the operations: method, path, and what the document says about each.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let members = item.as_object().unwrap().iter();
        members
            .filter(|(name, _)| !["parameters", "x-sockets"].contains(&name.as_str()))
            .map(|(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    });
    operations.collect()
}

#[test]
fn exactly_the_existing_routes_are_documented_with_method_and_sockets() {
    let document = document();
    let described: BTreeMap<(String, &str), Vec<&str>> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| {
            let sockets = texts(&document["paths"][path]["x-sockets"]);
            ((method, path), sockets)
        })
        .collect();
    let routed = routes::TABLE.iter().map(|row| {
        let sockets = row.doors.iter().map(|door| match door {
            SocketKind::Tokens => "jeton.sock",
            SocketKind::Admin => "admin.sock",
        });
        ((row.method.to_owned(), row.path), sockets.collect())
    });
    assert_eq!(described, routed.collect());
    for (_, path, _) in operations(&document) {
        let parameters = &document["paths"][path]["parameters"];
        assert_eq!(parameters.is_array(), path.contains("{profile}"), "{path}");
    }
}

#[test]
fn documented_problem_and_oauth2_codes_match_the_tables() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(
        texts(&schemas["Problem"]["properties"]["code"]["enum"]),
        names
    );

    let mut errors = texts(&schemas["OAuthError"]["properties"]["error"]["enum"]);
    let refusal = |row: &Row| Refusal::from(Problem::new(row.code)).error.as_str();
    let mut mapped: Vec<&str> = TABLE.iter().map(refusal).collect();
    mapped.extend(["unsupported_grant_type", "invalid_scope"]);
    mapped.sort_unstable();
    mapped.dedup();
    errors.sort_unstable();
    assert_eq!(errors, mapped);
}

#[test]
fn every_problem_code_is_documented_at_its_status() {
    let document = document();
    let mut seen = 0;
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let status: u16 = status.parse().unwrap();
            let content = resolved(&document, response)["content"]
                .as_object()
                .unwrap();
            for (kind, media) in content {
                let properties = &media["schema"]["properties"];
                let (codes, allowed): (_, Named) = match kind.as_str() {
                    "application/problem+json" => {
                        (&properties["code"], |row| (row.name, row.status))
                    }
                    _ if status >= 400 => (&properties["error"], |row| {
                        let refusal = Refusal::from(Problem::new(row.code));
                        (refusal.error.as_str(), refusal.status)
                    }),
                    _ => continue,
                };
                for code in texts(&codes["enum"]) {
                    let own = [("unsupported_grant_type", 400), ("invalid_scope", 400)];
                    let is = TABLE
                        .iter()
                        .map(allowed)
                        .chain(own)
                        .any(|row| row == (code, status));
                    assert!(is, "{method} {path}: {status} {code}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn documented_ranges_defaults_and_caps_match_the_code() {
    let document = document();
    let parameters = &document["paths"]["/v1/profiles/{profile}/token"]["get"]["parameters"];
    let range = |name: &str, max: Duration, default: Duration| {
        json!({
            "name": name,
            "in": "query",
            "schema": {
                "type": "number", "minimum": 0, "maximum": max.as_secs(), "default": default.as_secs(),
            },
        })
    };
    let mut said = parameters.clone();
    for parameter in said.as_array_mut().unwrap() {
        parameter.as_object_mut().unwrap().remove("description");
    }
    let wanted = json!([
        range("min_valid", MAX_MIN_VALID, Duration::ZERO),
        range("max_wait", MAX_MAX_WAIT, DEFAULT_MAX_WAIT),
    ]);
    assert_eq!(said, wanted);
    let name = &document["components"]["schemas"]["ProfileName"]["pattern"];
    let rest = ProfileName::MAX_LEN - 1;
    assert_eq!(name, &format!("^[a-z0-9][a-z0-9._-]{{0,{rest}}}$"));
    let says = |place: &str, bytes: usize| {
        let text = document.pointer(place).unwrap().as_str().unwrap();
        let cap = format!("t most {} KiB", bytes / 1_024);
        let body = format!("A body has at most {} KiB", bytes / 1_024);
        assert!(
            text.contains(&cap) || text.contains(&body),
            "{place}: {text}"
        );
    };
    says("/info/description", MAX_BODY);
    says("/paths/~1v1~1helper/post/description", MAX_FRAME);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let document = document();
    let mut all = vec![];
    objects(&document, &mut all);
    let used: Vec<&str> = all
        .iter()
        .filter_map(|object| object["$ref"].as_str())
        .collect();
    for reference in &used {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            let is_used = kind == "securitySchemes" || used.contains(&reference.as_str());
            assert!(is_used, "{reference}");
        }
    }
}

/// Returns the names that a type accepts, as listed in its error for an unknown name.
fn names_of<T: DeserializeOwned>() -> Vec<String> {
    let Err(error) = serde_json::from_value::<T>(json!("no such name")) else {
        panic!("it takes any text")
    };
    let error = error.to_string();
    let (_, listed) = error.split_once("expected one of ").unwrap();
    listed
        .split(", ")
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn documented_providers_phases_and_fault_kinds_match_the_code() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let providers = texts(&schemas["Profile"]["properties"]["provider"]["enum"]);
    let kinds = ProviderKind::ALL.iter().map(|kind| kind.name);
    assert_eq!(providers, kinds.collect::<Vec<_>>());
    let phases = &schemas["Profile"]["properties"]["phase"]["enum"];
    assert_eq!(texts(phases), names_of::<Phase>());
    let states = &schemas["Sink"]["properties"]["state"]["enum"];
    assert_eq!(texts(states), names_of::<SinkState>());
    let ends = &schemas["RotationStep"]["properties"]["end"]["enum"];
    assert_eq!(texts(ends), names_of::<StepEnd>());
    let kinds = &schemas["Fault"]["properties"]["kind"]["enum"];
    assert_eq!(texts(kinds), names_of::<FaultKind>());
}
