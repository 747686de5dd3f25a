//! Compares each family of keys on each line with the vendor's documents: paths, members and statuses.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::*;
use crate::sandbox::{Role, Setting};

/// The documented form of a family.
struct Documented {
    path: &'static str,
    /// The first and the last line with the family.
    lines: [Line; 2],
    /// The member that contains the list; `None` for a bare list.
    wrapper: Option<&'static str>,
    /// The members of a key in a list.
    item: &'static [&'static str],
    /// The error statuses for a request for the list.
    list_errors: &'static [u16],
    /// Whether keys can be created, shown and regenerated; otherwise only listed and deleted.
    is_whole: bool,
    /// Whether a key can be enabled and disabled.
    has_switch: bool,
    takes_administrator: bool,
}

const USER_ITEM: &[&str] = &["clientId", "createdAt", "id", "lastLogin", "name"];
const ADMIN_ITEM: &[&str] = &[
    "clientId",
    "createdAt",
    "createdBy",
    "id",
    "lastLogin",
    "name",
];
const ORGANISATION_ITEM: &[&str] = &[
    "clientId",
    "createdAt",
    "createdBy",
    "enabled",
    "id",
    "lastLogin",
    "name",
    "tenantId",
    "updatedAt",
];
const USER_LIST_ERRORS: &[u16] = &[401, 403, 500, 503];
const LIST_ERRORS: &[u16] = &[401, 403, 404, 500, 503];
const ORGANISATION_ERRORS: &[u16] = &[400, 401, 403, 404, 500, 503];
const CREATE_ERRORS: &[u16] = &[400, 401, 403, 409, 500, 503];
const SHOW_ERRORS: &[u16] = &[401, 403, 404, 500, 503];
const CHANGE_ERRORS: &[u16] = &[400, 401, 403, 404, 500, 503];

#[rustfmt::skip]
const FAMILIES: [Documented; 6] = [
    Documented {
        path: "/api/v1/user-applications", lines: [Line::V2_20, Line::V2_24], wrapper: None, item: USER_ITEM,
        list_errors: USER_LIST_ERRORS, is_whole: true, has_switch: false, takes_administrator: false,
    },
    Documented {
        path: "/api/v1/administration/user-applications", lines: [Line::V2_20, Line::V2_24], wrapper: None, item: ADMIN_ITEM,
        list_errors: LIST_ERRORS, is_whole: false, has_switch: false, takes_administrator: true,
    },
    Documented {
        path: "/api/v1/access-keys", lines: [Line::V2_24, Line::V3_0], wrapper: Some("accessKeys"), item: USER_ITEM,
        list_errors: USER_LIST_ERRORS, is_whole: true, has_switch: false, takes_administrator: false,
    },
    Documented {
        path: "/api/v1/administration/access-keys", lines: [Line::V2_24, Line::V3_0], wrapper: Some("accessKeys"), item: ADMIN_ITEM,
        list_errors: LIST_ERRORS, is_whole: false, has_switch: false, takes_administrator: true,
    },
    Documented {
        path: "/api/v1/apps", lines: [Line::V2_18, Line::V2_24], wrapper: None, item: ORGANISATION_ITEM,
        list_errors: ORGANISATION_ERRORS, is_whole: true, has_switch: true, takes_administrator: true,
    },
    Documented {
        path: "/api/v1/service-accounts", lines: [Line::V2_24, Line::V3_0], wrapper: None, item: ORGANISATION_ITEM,
        list_errors: ORGANISATION_ERRORS, is_whole: true, has_switch: true, takes_administrator: true,
    },
];

/// Returns the families of a line.
fn families(line: Line) -> impl Iterator<Item = &'static Documented> {
    FAMILIES
        .iter()
        .filter(move |family| (family.lines[0]..=family.lines[1]).contains(&line))
}

impl Documented {
    fn item(&self, line: Line) -> BTreeSet<&'static str> {
        let item = self.item.iter().copied();
        // applications have a client ID from 2.20 on
        item.filter(|name| *name != "clientId" || line >= Line::V2_20)
            .collect()
    }

    /// Returns the members of the answer to a creation.
    fn created(&self, line: Line) -> BTreeSet<&'static str> {
        let mut members = BTreeSet::from(["id", "name"]);
        if line >= Line::V2_20 {
            members.insert("clientId");
        }
        match self.path {
            "/api/v1/user-applications" => {
                members.insert("secret");
                // from 2.21 on
                if line >= Line::V2_23 {
                    members.insert("createdAt");
                }
            }
            "/api/v1/access-keys" => members.extend(["clientSecret", "createdAt"]),
            "/api/v1/apps" => drop(members.insert("secret")),
            _ => drop(members.insert("clientSecret")),
        }
        members
    }

    /// Returns the member of the answer to a regeneration.
    fn renewed(&self, line: Line) -> &'static str {
        match self.path {
            "/api/v1/user-applications" if line < Line::V2_24 => "secret",
            "/api/v1/apps" => "secret",
            _ => "clientSecret",
        }
    }
}

fn members(object: &Map<String, Value>) -> BTreeSet<&str> {
    object.keys().map(String::as_str).collect()
}

fn object(reply: &Reply) -> Map<String, Value> {
    reply.json().as_object().unwrap().clone()
}

/// Asserts that the answer has this status and the vendor's `Error`, if the documents have the status for it.
fn check_error(reply: &Reply, status: u16, documented: &[u16], what: &str) {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    assert!(documented.contains(&status), "{what}");
    let error = object(reply);
    assert_eq!(error["code"], status, "{what}");
    assert!(error["message"].is_string(), "{what}");
    let more: Vec<_> = members(&error)
        .into_iter()
        .filter(|name| !["code", "message", "details"].contains(name))
        .collect();
    assert!(more.is_empty(), "{what}: {more:?}");
}

/// Returns the keys of a list, without the wrapper.
fn listed(family: &Documented, reply: &Reply) -> Vec<Map<String, Value>> {
    assert_eq!(reply.status, 200, "{}", family.path);
    let list = match family.wrapper {
        None => reply.json(),
        Some(wrapper) => {
            assert_eq!(members(&object(reply)), BTreeSet::from([wrapper]));
            reply.json()[wrapper].clone()
        }
    };
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item.as_object().unwrap().clone())
        .collect()
}

#[tokio::test]
async fn every_key_family_behaves_as_documented_in_every_release() {
    for line in Line::ALL {
        for family in families(line).filter(|family| family.is_whole) {
            let sandbox = start(line).await;
            let token = token(&sandbox).await;
            let send = async |method: &str, path: &str, body: &str| {
                managed(&sandbox, &token, method, path, body).await
            };
            let (path, name) = (family.path, r#"{"name":"ci-runner"}"#);
            let what = format!("{line} {path}");

            let reply = send("POST", path, name).await;
            assert_eq!(reply.status, 201, "{what}");
            let created = object(&reply);
            assert_eq!(members(&created), family.created(line), "{what}");
            assert!(created.values().all(Value::is_string), "{what}");
            let id = created["id"].as_str().unwrap();
            if let Some(client_id) = created.get("clientId") {
                assert_ne!(client_id, id, "{what}");
                let is_name = client_id == "ci-runner";
                assert_eq!(is_name, family.has_switch, "{what}");
            }
            check_error(&send("POST", path, name).await, 409, CREATE_ERRORS, &what);
            for bad in ["{}", "[]", r#"{"name":null}"#, r#"{"name":""}"#, "x"] {
                check_error(&send("POST", path, bad).await, 400, CREATE_ERRORS, &what);
            }
            if line >= Line::V2_20 {
                for bad in [
                    "A1", "a", "1a", "a-", "a_", "a b", "ci\u{7}x", "ключ", "a.b",
                ] {
                    let body = json!({"name": bad}).to_string();
                    let reply = send("POST", path, &body).await;
                    check_error(&reply, 400, CREATE_ERRORS, &what);
                    let message = reply.json()["message"].to_string();
                    assert!(message.contains("^[a-z][-_a-z0-9]*[a-z0-9]$"), "{what}");
                }
            }

            let list = listed(family, &send("GET", path, "").await);
            let item = list.iter().find(|item| item["id"] == id).unwrap();
            assert_eq!(members(item), family.item(line), "{what}");
            assert_eq!(item["lastLogin"], Value::Null, "{what}");
            let one = format!("{path}/{id}");
            assert_eq!(&object(&send("GET", &one, "").await), item, "{what}");

            let reply = send("POST", &format!("{one}/secret"), "").await;
            assert_eq!(reply.status, 200, "{what}");
            let renewed = object(&reply);
            assert_eq!(members(&renewed), [family.renewed(line)].into(), "{what}");

            let reply = send("PATCH", &one, r#"{"enabled":false}"#).await;
            if family.has_switch {
                assert_eq!(
                    (reply.status, &reply.json()["enabled"]),
                    (200, &json!(false))
                );
                assert_eq!(members(&object(&reply)), family.item(line), "{what}");
            } else {
                assert_eq!(reply.status, 405, "{what}");
            }

            let reply = send("DELETE", &one, "").await;
            assert_eq!((reply.status, reply.body.len()), (204, 0), "{what}");
            check_error(&send("DELETE", &one, "").await, 404, CHANGE_ERRORS, &what);
            check_error(&send("GET", &one, "").await, 404, SHOW_ERRORS, &what);
            let reply = send("POST", &format!("{one}/secret"), "").await;
            check_error(&reply, 404, CHANGE_ERRORS, &what);
        }
    }
}

#[tokio::test]
async fn the_administration_endpoints_list_and_delete_keys_of_every_user() {
    for line in Line::ALL {
        for family in families(line).filter(|family| !family.is_whole) {
            let sandbox = start(line).await;
            let token = token(&sandbox).await;
            sandbox.set(Setting::parse("other-keys:3").unwrap());
            let what = format!("{line} {}", family.path);
            let list = listed(
                family,
                &managed(&sandbox, &token, "GET", family.path, "").await,
            );
            assert_eq!(list.len(), 4, "{what}");
            for item in &list {
                assert_eq!(members(item), family.item(line), "{what}");
            }
            let one = format!("{}/{}", family.path, list[3]["id"].as_str().unwrap());
            let delete = async || managed(&sandbox, &token, "DELETE", &one, "").await;
            assert_eq!(delete().await.status, 204, "{what}");
            check_error(&delete().await, 404, CHANGE_ERRORS, &what);
            for (method, path, allowed) in [("POST", family.path, "GET"), ("GET", &one, "DELETE")] {
                let reply = managed(&sandbox, &token, method, path, "{}").await;
                assert_eq!(reply.status, 405, "{what}");
                assert_eq!(reply.header("allow"), Some(allowed), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn forbidden_requests_get_401_or_403_in_every_family_and_release() {
    for line in Line::ALL {
        let sandbox = Sandbox::start(Options {
            role: Role::Practitioner,
            ..options(line)
        })
        .await
        .unwrap();
        let practitioner = token(&sandbox).await;
        let id = sandbox.applications()[0].id.clone();
        for family in families(line) {
            let one = format!("{}/{id}", family.path);
            let secret = format!("{one}/secret");
            let mut requests = vec![
                ("GET", family.path, family.list_errors),
                ("DELETE", &one, CHANGE_ERRORS),
            ];
            if family.is_whole {
                requests.push(("POST", family.path, CREATE_ERRORS));
                requests.push(("GET", &one, SHOW_ERRORS));
                requests.push(("POST", &secret, CHANGE_ERRORS));
            }
            if family.has_switch {
                requests.push(("PATCH", &one, CHANGE_ERRORS));
            }
            for (method, path, documented) in requests {
                let what = format!("{line} {method} {path}");
                let reply = managed(&sandbox, "wrong", method, path, "{}").await;
                check_error(&reply, 401, documented, &what);
                assert_eq!(reply.json()["message"], "Issuer is not familiar.");
                if family.takes_administrator {
                    let reply = managed(&sandbox, &practitioner, method, path, "{}").await;
                    check_error(&reply, 403, documented, &what);
                    let message = "You do not have sufficient permissions.";
                    assert_eq!(reply.json()["message"], message, "{what}");
                }
            }
        }
        assert_eq!(sandbox.applications().len(), 1, "{line}");
    }
}

/// Compares permissions, access rules and clusters: the lines that have them, and the members of an item.
#[tokio::test]
async fn cluster_and_rule_responses_have_the_documented_members_in_every_release() {
    const RULES: &str = "/api/v1/authorization/me/access-rules";
    for line in Line::ALL {
        let sandbox = start(line).await;
        let token = token(&sandbox).await;
        let get = async |path: &str| managed(&sandbox, &token, "GET", path, "").await;

        let cluster = get("/api/v1/clusters").await.json()[0].clone();
        let cluster = cluster.as_object().unwrap();
        for name in ["uuid", "name", "createdAt"] {
            assert!(cluster[name].is_string(), "{line} {name}");
        }
        assert!(cluster["tenantId"].is_number(), "{line}");
        let optional = [
            "domain",
            "version",
            "status",
            "updatedAt",
            "deletedAt",
            "lastLiveness",
        ];
        let required = ["uuid", "tenantId", "name", "createdAt"];
        let known = |name: &&str| !required.contains(name) && !optional.contains(name);
        assert_eq!(members(cluster).into_iter().find(known), None, "{line}");
        let path = format!("/api/v1/clusters/{}", cluster["uuid"].as_str().unwrap());
        assert_eq!(&object(&get(&path).await), cluster, "{line}");
        check_error(
            &get("/api/v1/clusters/nonsense").await,
            404,
            &[401, 403, 404, 500, 503],
            line.as_str(),
        );

        let reply = get(RULES).await;
        if line < Line::V2_23 {
            // in the documents from 2.21 on; earlier lines answer with the web page
            assert_eq!(
                reply.header("content-type"),
                Some("text/html; charset=utf-8")
            );
            continue;
        }
        let rules = object(&reply);
        assert_eq!(members(&rules), BTreeSet::from(["accessRules"]), "{line}");
        let rules = rules["accessRules"].as_object().unwrap();
        assert_eq!(
            members(rules),
            BTreeSet::from(["accessRules", "displayRecords", "totalRecords"])
        );
        let rule = rules["accessRules"][0].as_object().unwrap();
        let expected = BTreeSet::from([
            "subjectId",
            "subjectType",
            "roleId",
            "roleName",
            "scopeId",
            "scopeName",
            "scopeType",
            "clusterId",
            "tenantId",
            "id",
        ]);
        assert_eq!(members(rule), expected, "{line}");
        assert_eq!(rule["subjectType"], "user", "{line}");
        let count = get(&format!("{RULES}/count")).await.json();
        assert_eq!(count["count"], rules["totalRecords"], "{line}");
    }
}
