//! The effects of the settings.

use serde_json::json;

use super::*;
use crate::sandbox::{Role, Setting};

const KEYS: &str = "/api/v1/access-keys";
const ACCOUNTS: &str = "/api/v1/service-accounts";
const RULES: &str = "/api/v1/authorization/me/access-rules";
const ADMIN_KEYS: &str = "/api/v1/administration/access-keys";
const NAME: &str = r#"{"name":"robot"}"#;

async fn with(line: Line, settings: &[&str]) -> Sandbox {
    let settings = settings.iter().map(|text| Setting::parse(text).unwrap());
    Sandbox::start(Options {
        settings: settings.collect(),
        ..options(line)
    })
    .await
    .unwrap()
}

fn set(sandbox: &Sandbox, setting: &str) {
    sandbox.set(Setting::parse(setting).unwrap());
}

async fn get(sandbox: &Sandbox, token: &str, path: &str) -> Reply {
    managed(sandbox, token, "GET", path, "").await
}

/// Creates a key at this path; returns its ID, and a token of its own.
async fn create(sandbox: &Sandbox, token: &str, path: &str, name: &str) -> (String, String) {
    let body = json!({"name": name}).to_string();
    let key = managed(sandbox, token, "POST", path, &body).await.json();
    let text = |field: &str| key[field].as_str().map(str::to_owned);
    // on 2.18 the answer has no client ID: it is the name
    let client_id = text("clientId").unwrap_or_else(|| name.to_owned());
    let secret = text("clientSecret").or_else(|| text("secret")).unwrap();
    let own = credential(sandbox, &client_id, &secret).await.token();
    (text("id").unwrap(), own)
}

#[tokio::test]
async fn a_new_subject_without_access_rules_can_only_get_a_token() {
    for line in Line::ALL {
        let sandbox = start(line).await;
        let first = token(&sandbox).await;
        let families: &[&str] = match line {
            Line::V2_24 => &["/api/v1/apps", ACCOUNTS],
            Line::V3_0 => &[ACCOUNTS],
            _ => &["/api/v1/apps"],
        };
        for path in families {
            let name = path.rsplit('/').next().unwrap();
            let (id, own) = create(&sandbox, &first, path, name).await;
            let mut paths = vec![
                "/api/v1/authorization/permissions",
                "/api/v1/clusters",
                path,
            ];
            if line >= Line::V2_23 {
                paths.push(RULES);
            }
            for path in paths {
                let reply = get(&sandbox, &own, path).await;
                assert_eq!(reply.status, 403, "{line} {path}");
                assert_eq!(
                    reply.json()["message"],
                    "You do not have sufficient permissions."
                );
            }
            let itself = format!("{path}/{id}");
            for (method, path) in [
                ("DELETE", itself.clone()),
                ("POST", format!("{itself}/secret")),
            ] {
                let reply = managed(&sandbox, &own, method, &path, "").await;
                assert_eq!(reply.status, 403, "{line} {method} {path}");
            }
            // the user may still do it, or the first application on lines without user keys
            let reply = managed(&sandbox, &first, "DELETE", &itself, "").await;
            assert_eq!(reply.status, 204, "{line}");
        }
    }
}

#[tokio::test]
async fn each_subject_has_its_own_access_rules_which_are_deleted_with_it() {
    let sandbox = start(Line::V2_24).await;
    let first = token(&sandbox).await;
    let (id, own) = create(&sandbox, &first, ACCOUNTS, "robot").await;
    set(&sandbox, "access-rules:robot=practitioner,administrator");
    let rules = get(&sandbox, &own, RULES).await.json()["accessRules"].clone();
    assert_eq!(rules["totalRecords"], 2);
    let rule = |n: usize, field: &str| rules["accessRules"][n][field].clone();
    assert_eq!(rule(0, "roleName"), "AI practitioner");
    assert_eq!(rule(1, "roleName"), "System administrator");
    for n in [0, 1] {
        assert_eq!(rule(n, "subjectId"), "robot");
        assert_eq!(rule(n, "subjectType"), "service-account");
    }
    assert_ne!(rule(0, "id"), rule(1, "id"));
    let count = get(&sandbox, &own, &format!("{RULES}/count")).await;
    assert_eq!(count.json(), json!({"count": 2}));
    assert_eq!(get(&sandbox, &own, ACCOUNTS).await.status, 200);
    // a service account is not a user with keys
    assert_eq!(get(&sandbox, &own, KEYS).await.status, 403);

    set(&sandbox, "access-rules:robot=practitioner");
    assert_eq!(get(&sandbox, &own, ACCOUNTS).await.status, 403);
    assert_eq!(get(&sandbox, &own, "/api/v1/clusters").await.status, 200);
    let path = format!("{ACCOUNTS}/{id}");
    managed(&sandbox, &first, "DELETE", &path, "").await;
    // the token stays valid after its key is deleted, but has no rights
    assert_eq!(get(&sandbox, &own, "/api/v1/clusters").await.status, 403);
    let (_, own) = create(&sandbox, &first, ACCOUNTS, "robot").await;
    assert_eq!(get(&sandbox, &own, "/api/v1/clusters").await.status, 403);

    // the user can lose its rules, and with them those of all its keys
    set(&sandbox, "access-rules:user=none");
    assert_eq!(get(&sandbox, &first, KEYS).await.status, 403);
    set(&sandbox, "access-rules:*=administrator");
    assert_eq!(get(&sandbox, &own, "/api/v1/clusters").await.status, 200);
    assert_eq!(get(&sandbox, &first, KEYS).await.status, 403);
}

#[tokio::test]
async fn the_role_option_gives_a_practitioner_its_access_rules() {
    let sandbox = Sandbox::start(Options {
        role: Role::Practitioner,
        ..options(Line::V2_18)
    })
    .await
    .unwrap();
    let first = token(&sandbox).await;
    assert_eq!(get(&sandbox, &first, "/api/v1/apps").await.status, 403);
    assert_eq!(get(&sandbox, &first, "/api/v1/clusters").await.status, 200);
}

#[tokio::test]
async fn the_own_keys_setting_forbids_a_key_to_manage_its_users_keys() {
    for line in Line::ALL.into_iter().filter(|line| line.has_user_keys()) {
        let path = match line {
            Line::V2_20 | Line::V2_23 => "/api/v1/user-applications",
            _ => KEYS,
        };
        // list, show another key, delete itself, regenerate another key, create
        for (own_keys, statuses) in [
            ("allowed", [200, 200, 204, 200, 201]),
            ("forbidden", [403; 5]),
            ("read-only", [200, 200, 403, 403, 403]),
            ("not-itself", [200, 200, 403, 200, 201]),
        ] {
            let sandbox = start(line).await;
            let first = token(&sandbox).await;
            let (id, own) = create(&sandbox, &first, path, "second").await;
            let other = sandbox.applications()[0].id.clone();
            set(&sandbox, &format!("own-keys:{own_keys}"));
            let requests = [
                ("GET", path.to_owned(), ""),
                ("GET", format!("{path}/{other}"), ""),
                ("DELETE", format!("{path}/{id}"), ""),
                ("POST", format!("{path}/{other}/secret"), ""),
                ("POST", path.to_owned(), r#"{"name":"third"}"#),
            ];
            for ((method, path, body), status) in requests.iter().zip(statuses) {
                let reply = managed(&sandbox, &own, method, path, body).await;
                assert_eq!(reply.status, status, "{line} {own_keys} {method} {path}");
            }
            // the user's other rights do not change
            assert_eq!(get(&sandbox, &own, "/api/v1/clusters").await.status, 200);
        }
    }
}

/// Returns `lastLogin` of the first key, which has just logged in.
async fn last_login(line: Line, setting: &str) -> (Value, Duration) {
    let sandbox = with(line, &[setting]).await;
    let first = token(&sandbox).await;
    let list = get(&sandbox, &first, KEYS).await.json();
    let login = sandbox.applications()[0].last_login.unwrap();
    (list["accessKeys"][0]["lastLogin"].clone(), login)
}

#[tokio::test]
async fn the_last_login_is_shown_as_configured() {
    use crate::sandbox::moment::rfc3339;
    let line = Line::V2_24;
    let (told, login) = last_login(line, "last-login:told").await;
    assert_eq!(told, rfc3339(login));
    assert_eq!(last_login(line, "last-login:null").await.0, Value::Null);
    let late = "last-login:after:80000";
    assert_eq!(last_login(line, late).await.0, Value::Null);
    let (told, login) = last_login(line, "last-login:day").await;
    let day = Duration::from_secs(login.as_secs() / 86_400 * 86_400);
    assert_eq!(told, rfc3339(day));
    let (told, login) = last_login(line, "last-login:skew:-600").await;
    assert_eq!(
        told,
        rfc3339(login.checked_sub(Duration::from_secs(600)).unwrap())
    );
    let (told, login) = last_login(line, "last-login:day,skew:86400").await;
    let day = Duration::from_secs((login.as_secs() / 86_400 + 1) * 86_400);
    assert_eq!(told, rfc3339(day));
}

#[tokio::test]
async fn a_delayed_last_login_shows_the_previous_one_until_then() {
    let sandbox = start(Line::V3_0).await;
    let first = token(&sandbox).await;
    let login = sandbox.applications()[0].last_login.unwrap();
    let shown = async |setting: &str| {
        set(&sandbox, setting);
        get(&sandbox, &first, KEYS).await.json()["accessKeys"][0]["lastLogin"].clone()
    };
    // earlier it is as if the login had not happened
    assert_eq!(shown("last-login:after:80000").await, Value::Null);
    let told = async {
        while shown("last-login:after:0.05").await.is_null() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    token(&sandbox).await;
    assert_ne!(sandbox.applications()[0].last_login.unwrap(), login);
    assert_eq!(
        shown("last-login:after:0").await,
        crate::sandbox::moment::rfc3339(sandbox.applications()[0].last_login.unwrap())
    );
}

#[tokio::test]
async fn a_deleted_key_can_stay_listed_but_no_longer_works() {
    let sandbox = with(Line::V2_24, &["deletion-seen:80000"]).await;
    let first = token(&sandbox).await;
    let (id, _) = create(&sandbox, &first, KEYS, "second").await;
    let path = format!("{KEYS}/{id}");
    let delete = async || managed(&sandbox, &first, "DELETE", &path, "").await.status;
    assert_eq!(delete().await, 204);
    let names = async || {
        let list = get(&sandbox, &first, KEYS).await.json();
        let keys = list["accessKeys"].as_array().unwrap().clone();
        let names = keys
            .iter()
            .map(|key| key["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["first-key", "second"]);
    assert_eq!(get(&sandbox, &first, &path).await.status, 200);
    // the key is deleted although it is still shown
    assert_eq!(delete().await, 404);
    let regenerated = managed(&sandbox, &first, "POST", &format!("{path}/secret"), "").await;
    assert_eq!(regenerated.status, 404);
    let secret = sandbox.secrets()[0].clone();
    let list = get(&sandbox, &first, KEYS).await.json();
    let client_id = list["accessKeys"][1]["clientId"].as_str().unwrap();
    assert_eq!(credential(&sandbox, client_id, &secret).await.status, 401);
    // its name is free: two keys of one name are listed, with different IDs
    create(&sandbox, &first, KEYS, "second").await;
    assert_eq!(names().await.len(), 3);
    set(&sandbox, "deletion-seen:0");
    assert_eq!(names().await, ["first-key", "second"]);
    assert_eq!(get(&sandbox, &first, &path).await.status, 404);
}

#[tokio::test]
async fn a_list_of_access_keys_is_cut_at_a_hundred_without_notice() {
    let sandbox = with(Line::V2_24, &["other-keys:300"]).await;
    let first = token(&sandbox).await;
    let listed = async |query: &str| {
        let list = get(&sandbox, &first, &format!("{ADMIN_KEYS}{query}"))
            .await
            .json();
        assert_eq!(list.as_object().unwrap().len(), 1);
        list["accessKeys"].as_array().unwrap().clone()
    };
    assert_eq!(listed("").await.len(), 100);
    // parameters that are not documented for these lists have no effect
    assert_eq!(listed("?offset=100&limit=3").await.len(), 100);
    // a search by client ID finds a key at any position
    let last = listed("?clientId=other-15-key-19").await;
    assert_eq!((last.len(), &last[0]["name"]), (1, &json!("key-19")));
    set(&sandbox, "max-items:100,paged");
    let mut ids = std::collections::HashSet::new();
    for (query, count) in [
        ("", 100),
        ("?offset=100", 100),
        ("?offset=200&limit=60", 60),
        ("?offset=300", 1),
        ("?offset=400", 0),
    ] {
        let page = listed(query).await;
        assert_eq!(page.len(), count, "{query}");
        ids.extend(
            page.iter()
                .map(|key| key["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(ids.len(), 261);
    set(&sandbox, "max-items:none");
    assert_eq!(listed("").await.len(), 301);
    set(&sandbox, "max-items:2");
    assert_eq!(listed("").await.len(), 2);
    // the older family's list is bare and has no limit
    let path = "/api/v1/administration/user-applications";
    let list = get(&sandbox, &first, path).await.json();
    assert_eq!(list.as_array().unwrap().len(), 301);
}

#[tokio::test]
async fn keys_of_other_users_are_listed_only_by_administration_endpoints() {
    let sandbox = with(Line::V2_20, &["other-keys:10000"]).await;
    let first = token(&sandbox).await;
    let path = "/api/v1/administration/user-applications";
    let list = get(&sandbox, &first, path).await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 10_001);
    assert_eq!(list[0]["name"], list[1]["name"]);
    assert_ne!(list[0]["createdBy"], list[1]["createdBy"]);
    let query = format!("{path}?createdBy=other-7@sandbox.invalid");
    let of_one = get(&sandbox, &first, &query).await.json();
    assert_eq!(of_one.as_array().unwrap().len(), 20);
    // only the administration endpoints can change the keys of other users
    let own = "/api/v1/user-applications";
    let id = list[1]["id"].as_str().unwrap();
    let own_list = get(&sandbox, &first, own).await.json();
    assert_eq!(own_list.as_array().unwrap().len(), 1);
    let another = format!("{own}/{id}");
    for (method, path) in [
        ("GET", another.clone()),
        ("DELETE", another.clone()),
        ("POST", format!("{another}/secret")),
    ] {
        let reply = managed(&sandbox, &first, method, &path, "").await;
        assert_eq!(reply.status, 404, "{method} {path}");
    }
    let path = format!("{path}/{id}");
    assert_eq!(
        managed(&sandbox, &first, "DELETE", &path, "").await.status,
        204
    );
    // they neither count as the user's, nor take names from the user
    create(&sandbox, &first, own, "key-1").await;
    assert_eq!(sandbox.applications().len(), 2);
}

#[tokio::test]
async fn the_clusters_setting_sets_cluster_versions_or_a_status() {
    for line in Line::ALL {
        let sandbox = with(line, &["clusters:2.20,null,2.9,absent,2.24.1-rc.1"]).await;
        let first = token(&sandbox).await;
        let mut paths = vec!["/api/v1/clusters", "/api/v1/clusters?verbosity=metadata"];
        if line >= Line::V3_0 {
            paths.push("/api/v1/clusters/minimal");
        }
        for path in paths {
            set(&sandbox, "clusters:2.20,null,2.9,absent,2.24.1-rc.1");
            let list = get(&sandbox, &first, path).await.json();
            let list = list.as_array().unwrap();
            let versions: Vec<_> = list.iter().map(|one| one.get("version").cloned()).collect();
            let expected = [
                Some(json!("2.20")),
                Some(Value::Null),
                Some(json!("2.9")),
                None,
                Some(json!("2.24.1-rc.1")),
            ];
            assert_eq!(versions, expected, "{line} {path}");
            // each cluster can be requested by its ID
            let (path, suffix) = match path.strip_suffix("/minimal") {
                Some(path) => (path, "/minimal"),
                None => ("/api/v1/clusters", ""),
            };
            for cluster in list {
                let id = cluster["uuid"].as_str().unwrap();
                let one = get(&sandbox, &first, &format!("{path}/{id}{suffix}")).await;
                assert_eq!(one.json()["name"], cluster["name"], "{line} {path}");
            }
            let path = format!("{path}{suffix}");
            for (setting, status) in [("403", 403), ("404", 404), ("none", 200)] {
                set(&sandbox, &format!("clusters:{setting}"));
                let reply = get(&sandbox, &first, &path).await;
                assert_eq!(reply.status, status, "{line} {path}");
                if status == 200 {
                    assert_eq!(reply.json(), json!([]));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_shifted_server_clock_appears_in_every_response() {
    let sandbox = with(Line::V2_24, &["clock:-864000"]).await;
    let reply = v2(&sandbox).await;
    let first = reply.token();
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox shows the machine's wall clock with an offset"
    )]
    let ten_days_ago = std::time::SystemTime::now() - Duration::from_secs(864_000);
    let is_close = |date: &str| {
        let date = httpdate::parse_http_date(date).unwrap();
        let apart = date
            .duration_since(ten_days_ago)
            .unwrap_or_else(|before| before.duration());
        apart < Duration::from_secs(3_600)
    };
    assert!(is_close(reply.header("date").unwrap()));
    let reply = managed(&sandbox, &first, "POST", KEYS, NAME).await;
    assert!(is_close(reply.header("date").unwrap()));
    let created = reply.json()["createdAt"].as_str().unwrap().to_owned();
    let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    let date = date.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(created[..16], crate::sandbox::moment::rfc3339(date)[..16]);
    // the wall clock does not affect which tokens are valid
    assert_eq!(get(&sandbox, &first, KEYS).await.status, 200);
    let reply = ask(&sandbox.url(), "GET", "/nowhere", "", "").await;
    assert!(is_close(reply.header("date").unwrap()));
}

#[tokio::test]
async fn settings_are_changed_and_read_at_the_control_address() {
    let sandbox = start(Line::V2_24).await;
    let control = async |method: &str, body: &str| {
        let reply = ask(&sandbox.control_url(), method, "/settings", "", body).await;
        (reply.status, String::from_utf8(reply.body).unwrap())
    };
    let (status, before) = control("GET", "").await;
    assert_eq!(status, 200);
    for setting in [
        "access-rules:user=administrator",
        "last-login:told",
        "clock:0",
    ] {
        assert!(before.lines().any(|line| line == setting), "{before}");
    }
    let (status, after) = control("PUT", "last-login:day\n\nclusters:2.9\n").await;
    assert_eq!(status, 200);
    for setting in ["last-login:day", "clusters:2.9", "clock:0"] {
        assert!(after.lines().any(|line| line == setting), "{after}");
    }
    // each printed line can be parsed
    for line in after.lines() {
        assert_eq!(Setting::parse(line).unwrap().to_string(), line);
    }
    let (status, why) = control("PUT", "clock:1\nnonsense:1\n").await;
    assert_eq!(status, 400);
    assert_eq!(
        why,
        "line 2: no setting has this name; GET / lists the settings\n"
    );
    assert_eq!(control("PUT", "").await.0, 400);
    assert_eq!(control("DELETE", "").await.0, 405);
    assert_eq!(control("GET", "").await.1, after);
    let help = ask(&sandbox.control_url(), "GET", "/", "", "").await;
    let help = String::from_utf8(help.body).unwrap();
    for (example, what) in Setting::HELP {
        assert!(help.contains(example) && help.contains(what), "{example}");
    }
}
