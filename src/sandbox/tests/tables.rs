//! Compares the answers of each line with the documented fields, in one table per line.
//!
//! Source: the vendor's OpenAPI documents (v1.218 to v1.224) and, for 3.0, its reference. Members are in alphabetical
//! order; `s` is a text, `n` a number, `b` a boolean.

use serde_json::json;

use super::*;
use crate::sandbox::{Role, Setting, UnknownPath};

/// A method, a path (`{id}` is that of the last key created), a body, a status, and the shape of the answer.
type Row = (&'static str, &'static str, &'static str, u16, &'static str);

const NAME: &str = r#"{"name":"ci-runner"}"#;
const OFF: &str = r#"{"enabled":false}"#;

const ERROR: &str = "{code:n,details:s,message:s}";
const CLUSTER: &str = "{createdAt:s,deletedAt:null,domain:s,lastLiveness:s,name:s,\
    status:{conditions:[],config:{},dependencies:{},operands:{},platform:{kubeVersion:s,type:s},state:s},\
    tenantId:n,updatedAt:s,uuid:s,version:s}";
const MINIMAL: &str = "{dependenciesStatus:{},domain:s,ingressClass:s,name:s,platform:{kubeVersion:s,type:s},\
    state:s,tenantId:n,uuid:s,version:s}";
const PERMISSIONS: &str = "[{actions:[s],displayName:s,groupId:s,resourceType:s}]";
const RULES: &str = "{accessRules:{accessRules:[{clusterId:s,id:n,roleId:n,roleName:s,scopeId:s,scopeName:s,\
    scopeType:s,subjectId:s,subjectType:s,tenantId:n}],displayRecords:n,totalRecords:n}}";

const USER_KEY: &str = "{clientId:s,createdAt:s,id:s,lastLogin:null,name:s}";
const USED_KEYS: &str = "[{clientId:s,createdAt:s,id:s,lastLogin:s,name:s}]";
const ADMIN_KEYS: &str = "[{clientId:s,createdAt:s,createdBy:s,id:s,lastLogin:s,name:s}]";
const APP: &str = "{clientId:s,createdAt:s,createdBy:s,enabled:b,id:s,lastLogin:null,name:s,tenantId:s,updatedAt:s}";
const APPS: &str = "[{clientId:s,createdAt:s,createdBy:s,enabled:b,id:s,lastLogin:null,name:s,tenantId:s,updatedAt:s}]";

const CLUSTERS_PATH: &str = "/api/v1/clusters";
const CLUSTER_PATH: &str = "/api/v1/clusters/71f69d83-ba66-4822-adf5-55ce55efd210";
const RULES_PATH: &str = "/api/v1/authorization/me/access-rules";
const PERMISSIONS_PATH: &str = "/api/v1/authorization/permissions";

#[rustfmt::skip]
const V2_18: &[Row] = &[
    ("GET", PERMISSIONS_PATH, "", 200, PERMISSIONS),
    ("GET", CLUSTERS_PATH, "", 200, CLUSTER),
    ("GET", CLUSTER_PATH, "", 200, CLUSTER),
    ("GET", "/api/v1/clusters/nonsense", "", 404, ERROR),
    // the initial key is here, because there are no user keys
    ("GET", "/api/v1/apps", "", 200, "[{createdAt:s,createdBy:s,enabled:b,id:s,lastLogin:s,name:s,tenantId:s,updatedAt:s}]"),
    ("POST", "/api/v1/apps", NAME, 201, "{id:s,name:s,secret:s}"),
    ("POST", "/api/v1/apps", NAME, 409, ERROR),
    ("POST", "/api/v1/apps", r#"{"name":"No Rule!"}"#, 201, "{id:s,name:s,secret:s}"),
    ("POST", "/api/v1/apps", r#"{"name":""}"#, 400, ERROR),
    ("GET", "/api/v1/apps/{id}", "", 200, "{createdAt:s,createdBy:s,enabled:b,id:s,lastLogin:null,name:s,tenantId:s,updatedAt:s}"),
    ("PATCH", "/api/v1/apps/{id}", OFF, 200, "{createdAt:s,createdBy:s,enabled:b,id:s,lastLogin:null,name:s,tenantId:s,updatedAt:s}"),
    ("POST", "/api/v1/apps/{id}/secret", "", 200, "{secret:s}"),
    ("DELETE", "/api/v1/apps/{id}", "", 204, ""),
    ("DELETE", "/api/v1/apps/{id}", "", 404, ERROR),
];

#[rustfmt::skip]
const V2_20: &[Row] = &[
    ("GET", PERMISSIONS_PATH, "", 200, PERMISSIONS),
    ("GET", CLUSTERS_PATH, "", 200, CLUSTER),
    ("GET", "/api/v1/user-applications", "", 200, USED_KEYS),
    ("POST", "/api/v1/user-applications", NAME, 201, "{clientId:s,id:s,name:s,secret:s}"),
    ("POST", "/api/v1/user-applications", NAME, 409, ERROR),
    ("POST", "/api/v1/user-applications", r#"{"name":"No"}"#, 400, ERROR),
    ("POST", "/api/v1/user-applications", r#"{"name":7}"#, 400, ERROR),
    ("POST", "/api/v1/user-applications", "[]", 400, ERROR),
    ("GET", "/api/v1/user-applications/{id}", "", 200, USER_KEY),
    ("POST", "/api/v1/user-applications/{id}/secret", "", 200, "{secret:s}"),
    ("GET", "/api/v1/administration/user-applications", "", 200, ADMIN_KEYS),
    ("GET", "/api/v1/administration/user-applications?clientId=app", "", 200, ADMIN_KEYS),
    ("GET", "/api/v1/administration/user-applications?clientId=other", "", 200, "[]"),
    ("GET", "/api/v1/administration/user-applications?createdBy=other", "", 200, "[]"),
    ("DELETE", "/api/v1/user-applications/{id}", "", 204, ""),
    ("GET", "/api/v1/user-applications/{id}", "", 404, ERROR),
    ("DELETE", "/api/v1/user-applications/{id}", "", 404, ERROR),
    ("POST", "/api/v1/user-applications/{id}/secret", "", 404, ERROR),
    ("POST", "/api/v1/user-applications", NAME, 201, "{clientId:s,id:s,name:s,secret:s}"),
    ("DELETE", "/api/v1/administration/user-applications/{id}", "", 204, ""),
    ("GET", "/api/v1/apps", "", 200, "[]"),
    ("POST", "/api/v1/apps", NAME, 201, "{clientId:s,id:s,name:s,secret:s}"),
    ("GET", "/api/v1/apps", "", 200, APPS),
    ("GET", "/api/v1/apps/{id}", "", 200, APP),
    ("PATCH", "/api/v1/apps/{id}", OFF, 200, APP),
    ("PATCH", "/api/v1/apps/{id}", "{}", 400, ERROR),
    ("POST", "/api/v1/apps/{id}/secret", "", 200, "{secret:s}"),
    // a family does not show other families' keys
    ("GET", "/api/v1/user-applications/{id}", "", 404, ERROR),
    ("DELETE", "/api/v1/apps/{id}", "", 204, ""),
];

#[rustfmt::skip]
const V2_23: &[Row] = &[
    ("GET", PERMISSIONS_PATH, "", 200, PERMISSIONS),
    ("GET", RULES_PATH, "", 200, RULES),
    ("GET", "/api/v1/authorization/me/access-rules/count", "", 200, "{count:n}"),
    ("GET", CLUSTERS_PATH, "", 200, CLUSTER),
    ("GET", "/api/v1/user-applications", "", 200, USED_KEYS),
    ("POST", "/api/v1/user-applications", NAME, 201, "{clientId:s,createdAt:s,id:s,name:s,secret:s}"),
    ("GET", "/api/v1/user-applications/{id}", "", 200, USER_KEY),
    ("POST", "/api/v1/user-applications/{id}/secret", "", 200, "{secret:s}"),
    ("GET", "/api/v1/administration/user-applications", "", 200, ADMIN_KEYS),
    ("DELETE", "/api/v1/user-applications/{id}", "", 204, ""),
    ("POST", "/api/v1/apps", NAME, 201, "{clientId:s,id:s,name:s,secret:s}"),
    ("GET", "/api/v1/apps", "", 200, APPS),
    ("POST", "/api/v1/apps/{id}/secret", "", 200, "{secret:s}"),
    ("DELETE", "/api/v1/apps/{id}", "", 204, ""),
];

#[rustfmt::skip]
const V2_24: &[Row] = &[
    ("GET", PERMISSIONS_PATH, "", 200, PERMISSIONS),
    ("GET", RULES_PATH, "", 200, RULES),
    ("GET", CLUSTERS_PATH, "", 200, CLUSTER),
    ("GET", "/api/v1/access-keys", "", 200, "{accessKeys:[{clientId:s,createdAt:s,id:s,lastLogin:s,name:s}]}"),
    ("POST", "/api/v1/access-keys", NAME, 201, "{clientId:s,clientSecret:s,createdAt:s,id:s,name:s}"),
    ("POST", "/api/v1/access-keys", NAME, 409, ERROR),
    ("GET", "/api/v1/access-keys/{id}", "", 200, USER_KEY),
    // the deprecated family still exists, and shows the same keys
    ("GET", "/api/v1/user-applications/{id}", "", 200, USER_KEY),
    ("POST", "/api/v1/user-applications", NAME, 409, ERROR),
    ("POST", "/api/v1/user-applications/{id}/secret", "", 200, "{clientSecret:s}"),
    ("POST", "/api/v1/access-keys/{id}/secret", "", 200, "{clientSecret:s}"),
    ("GET", "/api/v1/administration/access-keys?clientId=app", "", 200, "{accessKeys:[{clientId:s,createdAt:s,createdBy:s,id:s,lastLogin:s,name:s}]}"),
    ("GET", "/api/v1/administration/access-keys?clientId=other", "", 200, "{accessKeys:[]}"),
    ("DELETE", "/api/v1/access-keys/{id}", "", 204, ""),
    ("DELETE", "/api/v1/access-keys/{id}", "", 404, ERROR),
    ("POST", "/api/v1/user-applications", NAME, 201, "{clientId:s,createdAt:s,id:s,name:s,secret:s}"),
    ("DELETE", "/api/v1/administration/access-keys/{id}", "", 204, ""),
    ("POST", "/api/v1/service-accounts", NAME, 201, "{clientId:s,clientSecret:s,id:s,name:s}"),
    ("POST", "/api/v1/service-accounts", NAME, 409, ERROR),
    ("GET", "/api/v1/service-accounts", "", 200, APPS),
    ("GET", "/api/v1/service-accounts/{id}", "", 200, APP),
    ("PATCH", "/api/v1/service-accounts/{id}", OFF, 200, APP),
    ("POST", "/api/v1/service-accounts/{id}/secret", "", 200, "{clientSecret:s}"),
    ("GET", "/api/v1/apps/{id}", "", 200, APP),
    ("POST", "/api/v1/apps/{id}/secret", "", 200, "{secret:s}"),
    ("DELETE", "/api/v1/service-accounts/{id}", "", 204, ""),
];

#[rustfmt::skip]
const V3_0: &[Row] = &[
    ("GET", PERMISSIONS_PATH, "", 200, PERMISSIONS),
    ("GET", RULES_PATH, "", 200, RULES),
    ("GET", CLUSTERS_PATH, "", 200, CLUSTER),
    ("GET", "/api/v1/clusters/minimal", "", 200, MINIMAL),
    ("GET", "/api/v1/clusters/71f69d83-ba66-4822-adf5-55ce55efd210/minimal", "", 200, MINIMAL),
    ("GET", "/api/v1/clusters/nonsense/minimal", "", 404, ERROR),
    ("GET", "/api/v1/access-keys", "", 200, "{accessKeys:[{clientId:s,createdAt:s,id:s,lastLogin:s,name:s}]}"),
    ("POST", "/api/v1/access-keys", NAME, 201, "{clientId:s,clientSecret:s,createdAt:s,id:s,name:s}"),
    ("GET", "/api/v1/access-keys/{id}", "", 200, USER_KEY),
    ("POST", "/api/v1/access-keys/{id}/secret", "", 200, "{clientSecret:s}"),
    ("GET", "/api/v1/administration/access-keys?clientId=app", "", 200, "{accessKeys:[{clientId:s,createdAt:s,createdBy:s,id:s,lastLogin:s,name:s}]}"),
    ("DELETE", "/api/v1/access-keys/{id}", "", 204, ""),
    ("POST", "/api/v1/service-accounts", NAME, 201, "{clientId:s,clientSecret:s,id:s,name:s}"),
    ("GET", "/api/v1/service-accounts/{id}", "", 200, APP),
    ("PATCH", "/api/v1/service-accounts/{id}", OFF, 200, APP),
    ("POST", "/api/v1/service-accounts/{id}/secret", "", 200, "{clientSecret:s}"),
    ("DELETE", "/api/v1/service-accounts/{id}", "", 204, ""),
];

/// The paths that a line does not have.
#[rustfmt::skip]
const ABSENT: [(Line, &[&str]); 5] = [
    (Line::V2_18, &[
        "/api/v2/token", "/api/v1/user-applications", "/api/v1/user-applications/x", "/api/v1/user-applications/x/secret",
        "/api/v1/administration/user-applications", "/api/v1/access-keys", "/api/v1/service-accounts",
        RULES_PATH, "/api/v1/clusters/minimal",
    ]),
    (Line::V2_20, &[
        "/api/v2/token", "/api/v1/access-keys", "/api/v1/access-keys/x/secret", "/api/v1/administration/access-keys",
        "/api/v1/service-accounts/x", RULES_PATH, "/api/v1/clusters/minimal",
    ]),
    (Line::V2_23, &[
        "/api/v2/token", "/api/v1/access-keys", "/api/v1/access-keys/x", "/api/v1/administration/access-keys/x",
        "/api/v1/service-accounts", "/api/v1/clusters/minimal",
    ]),
    (Line::V2_24, &["/api/v1/clusters/minimal", "/api/v1/me", "/api/v1/version", "/api/v1/asset/credentials/access-key"]),
    (Line::V3_0, &[
        "/api/v1/user-applications", "/api/v1/user-applications/x", "/api/v1/user-applications/x/secret",
        "/api/v1/administration/user-applications", "/api/v1/administration/user-applications/x", "/api/v1/apps",
        "/api/v1/apps/x", "/api/v1/apps/x/secret",
    ]),
];

/// Returns the shape of a value: names and types at all depths; for a list, those of its first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "b".to_owned(),
        Value::Number(_) => "n".to_owned(),
        Value::String(_) => "s".to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}:{}", shape(value)))
                .collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
    }
}

async fn check(line: Line, rows: &[Row]) {
    let sandbox = start(line).await;
    let token = token(&sandbox).await;
    let mut id = String::new();
    for (method, path, body, status, expected) in rows {
        let reply = managed(&sandbox, &token, method, &path.replace("{id}", &id), body).await;
        let what = format!("{line}: {method} {path} {body}: {reply:?}");
        assert_eq!(reply.status, *status, "{what}");
        if expected.is_empty() {
            assert!(reply.body.is_empty(), "{what}");
            assert_eq!(reply.header("content-type"), None, "{what}");
            continue;
        }
        let shape = shape(&reply.json());
        assert!(
            shape == *expected || shape == format!("[{expected}]"),
            "{what}\n{shape}\n{expected}"
        );
        let bare = shape == *expected;
        assert_eq!(
            !bare,
            [CLUSTERS_PATH, "/api/v1/clusters/minimal"].contains(path),
            "{what}"
        );
        if *status >= 400 {
            assert_eq!(reply.json()["code"], *status, "{what}");
        }
        if *status == 201 {
            id = reply.json()["id"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn line_2_18_answers_as_its_documents_say() {
    check(Line::V2_18, V2_18).await;
}

#[tokio::test]
async fn line_2_20_answers_as_its_documents_say() {
    check(Line::V2_20, V2_20).await;
}

#[tokio::test]
async fn line_2_23_answers_as_its_documents_say() {
    check(Line::V2_23, V2_23).await;
}

#[tokio::test]
async fn line_2_24_answers_as_its_documents_say() {
    check(Line::V2_24, V2_24).await;
}

#[tokio::test]
async fn line_3_0_answers_as_its_documents_say() {
    check(Line::V3_0, V3_0).await;
}

#[tokio::test]
async fn a_path_that_a_line_does_not_have_is_the_web_page_or_404_as_chosen() {
    for (line, paths) in ABSENT {
        let page = start(line).await;
        let not_found = Sandbox::start(Options {
            unknown_path: UnknownPath::NotFound,
            ..options(line)
        })
        .await
        .unwrap();
        for path in paths {
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                let reply = ask(&page.url(), method, path, "", "{}").await;
                let html = Some("text/html; charset=utf-8");
                assert_eq!(
                    (reply.status, reply.header("content-type")),
                    (200, html),
                    "{line} {path}"
                );
                let reply = ask(&not_found.url(), method, path, "", "{}").await;
                assert_eq!(reply.status, 404, "{line} {path}");
                assert_eq!(shape(&reply.json()), ERROR);
            }
        }
    }
}

/// Tests every combination of a line, a form and a grant: the status, and the shape of the answer.
#[tokio::test]
async fn token_endpoints_accept_the_grants_and_use_the_fields_of_their_release() {
    const V1: &str = "/api/v1/token";
    const V2: &str = "/api/v2/token";
    const APP_TOKEN: &str = r#"{"grantType":"app_token","AppId":"app","AppSecret":"s3cret & +"}"#;
    const OLD: &str = "{accessToken:s}";
    const TELLS: &str = "{accessToken:s,expiresIn:n}";
    const OAUTH: &str = "{access_token:s,expires_in:n,token_type:s}";
    #[rustfmt::skip]
    let rows = [
        (Line::V2_18, V1, GOOD_JSON, 400, ERROR),
        (Line::V2_18, V1, APP_TOKEN, 200, OLD),
        (Line::V2_20, V1, GOOD_JSON, 200, OLD),
        (Line::V2_20, V1, APP_TOKEN, 200, OLD),
        (Line::V2_23, V1, GOOD_JSON, 200, OLD),
        (Line::V2_23, V1, APP_TOKEN, 200, OLD),
        (Line::V2_24, V1, GOOD_JSON, 200, TELLS),
        (Line::V2_24, V1, APP_TOKEN, 200, TELLS),
        (Line::V2_24, V2, GOOD_FORM, 200, OAUTH),
        (Line::V3_0, V1, GOOD_JSON, 200, TELLS),
        (Line::V3_0, V1, APP_TOKEN, 400, ERROR),
        (Line::V3_0, V2, GOOD_FORM, 200, OAUTH),
    ];
    for (line, path, body, status, expected) in rows {
        let sandbox = start(line).await;
        let kind = if path == V1 { "application/json" } else { FORM };
        let reply = post(&sandbox, path, kind, body).await;
        assert_eq!(
            (reply.status, shape(&reply.json()).as_str()),
            (status, expected),
            "{line} {path} {body}"
        );
        if status == 200 {
            assert_eq!(probe(&sandbox, &reply.token()).await.status, 200);
        }
        let reply = post(&sandbox, path, kind, &body.replace("s3cret", "wrong")).await;
        let refused = if status == 400 { 400 } else { 401 };
        let shape_of_refusal = if path == V1 {
            ERROR
        } else {
            "{error:s,error_description:s}"
        };
        assert_eq!(
            (reply.status, shape(&reply.json()).as_str()),
            (refused, shape_of_refusal),
            "{line} {path} {body}"
        );
    }
}

#[tokio::test]
async fn requests_without_a_token_or_with_another_method_are_refused() {
    let sandbox = start(Line::V2_24).await;
    for (method, path, allowed) in [
        ("PUT", "/api/v1/access-keys", "GET, POST"),
        ("PATCH", "/api/v1/access-keys/x", "GET, DELETE"),
        ("PUT", "/api/v1/service-accounts/x", "GET, PATCH, DELETE"),
        ("GET", "/api/v1/access-keys/x/secret", "POST"),
        ("POST", "/api/v1/administration/access-keys", "GET"),
        ("GET", "/api/v1/administration/access-keys/x", "DELETE"),
        ("DELETE", "/api/v1/clusters", "GET"),
    ] {
        let reply = ask(&sandbox.url(), method, path, "", "{}").await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some(allowed)),
            "{method} {path}"
        );
        for method in allowed.split(", ") {
            let reply = managed(&sandbox, "wrong", method, path, NAME).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert_eq!(reply.json()["message"], "Issuer is not familiar.");
        }
    }
    assert_eq!(sandbox.applications().len(), 1);
}

#[tokio::test]
async fn a_practitioner_may_manage_own_keys_and_list_minimal_clusters() {
    for line in Line::ALL {
        let sandbox = Sandbox::start(Options {
            role: Role::Practitioner,
            ..options(line)
        })
        .await
        .unwrap();
        let token = token(&sandbox).await;
        let status = async |path| managed(&sandbox, &token, "GET", path, "").await.status;
        let hidden = line == Line::V3_0;
        let or = |has, status| if has { status } else { 200 }; // the web page
        #[rustfmt::skip]
        let rows = [
            (PERMISSIONS_PATH, 200),
            (CLUSTERS_PATH, or(hidden, 403)),
            (CLUSTER_PATH, or(hidden, 403)),
            ("/api/v1/clusters/minimal", 200),
            ("/api/v1/user-applications", 200),
            ("/api/v1/access-keys", 200),
            ("/api/v1/apps", or(!hidden, 403)),
            ("/api/v1/service-accounts", or(line >= Line::V2_24, 403)),
            ("/api/v1/administration/access-keys", or(line >= Line::V2_24, 403)),
            ("/api/v1/administration/user-applications", or((Line::V2_20..=Line::V2_24).contains(&line), 403)),
        ];
        for (path, expected) in rows {
            assert_eq!(status(path).await, expected, "{line} {path}");
        }
    }
}

#[tokio::test]
async fn access_rules_name_the_user_of_a_key_or_the_service_account() {
    let sandbox = start(Line::V2_24).await;
    let rule = async |token: &str| {
        let reply = managed(&sandbox, token, "GET", RULES_PATH, "").await;
        let rule = reply.json()["accessRules"]["accessRules"][0].clone();
        (rule["subjectType"].clone(), rule["subjectId"].clone())
    };
    let user = token(&sandbox).await;
    assert_eq!(
        rule(&user).await,
        (json!("user"), json!("user@sandbox.invalid"))
    );
    let account = managed(&sandbox, &user, "POST", "/api/v1/service-accounts", NAME)
        .await
        .json();
    sandbox.set(Setting::parse("access-rules:ci-runner=practitioner").unwrap());
    let reply = credential(
        &sandbox,
        "ci-runner",
        account["clientSecret"].as_str().unwrap(),
    )
    .await;
    assert_eq!(
        rule(&reply.token()).await,
        (json!("service-account"), json!("ci-runner"))
    );
}

#[tokio::test]
async fn the_metadata_of_clusters_omits_their_status() {
    let sandbox = start(Line::V2_23).await;
    let token = token(&sandbox).await;
    let path = "/api/v1/clusters?verbosity=metadata";
    let cluster = managed(&sandbox, &token, "GET", path, "").await.json()[0].clone();
    assert_eq!(
        (&cluster["version"], &cluster["status"]),
        (&json!("2.23.1"), &Value::Null)
    );
}
