//! The endpoints that manage keys.
//!
//! Source of the fields: the vendor's OpenAPI documents (v1.218 to v1.224) and, for 3.0, its reference.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::{self, Answer};
use super::clusters;
use super::endpoint::{Endpoint, Family};
use super::keys::{Key, MAX_USER_KEYS, NotCreated, Owner};
use super::moment::{self, Moment};
use super::tenant::{Request, Tenant};

/// Answers a request to an endpoint of this family, from a bearer that may send it.
pub(super) fn answer(
    tenant: &mut Tenant,
    family: Family,
    request: &Request<'_>,
    now: Moment,
) -> Answer {
    let done = match (&request.method, request.endpoint) {
        (&Method::POST, Endpoint::Keys(_)) => create(tenant, family, request, now),
        (_, Endpoint::Keys(_)) => Ok(list(tenant, family, request.query, now)),
        (&Method::PATCH, Endpoint::Key(_, id)) => enable(tenant, family, id, request, now),
        (&Method::DELETE, Endpoint::Key(_, id)) => delete(tenant, family, id, now),
        (_, Endpoint::Key(_, id)) => show(tenant, family, id, now),
        (_, Endpoint::KeySecret(_, id)) => renew(tenant, family, id, now),
        _ => Err(StatusCode::NOT_FOUND),
    };
    done.unwrap_or_else(answer::error)
}

type Done = Result<Answer, StatusCode>;

fn list(tenant: &Tenant, family: Family, query: &str, now: Moment) -> Answer {
    let parameters = || url::form_urlencoded::parse(query.as_bytes());
    let asked = |key: &&Key| {
        parameters().all(|(name, value)| match name.as_ref() {
            "clientId" if family.is_administration() => value == key.client_id.as_str(),
            "createdBy" if family.is_administration() => value == key.created_by.as_str(),
            _ => true,
        })
    };
    let max_items = tenant.conduct.max_items;
    let number = |wanted: &str| {
        let (_, value) = parameters().find(|(name, _)| name == wanted && max_items.is_paged)?;
        value.parse().ok()
    };
    let is_wrapped = matches!(family, Family::AccessKeys | Family::AdminAccessKeys);
    // the bare lists have no limit in the vendor's documents
    let limit = max_items
        .limit
        .filter(|_| is_wrapped)
        .map_or(usize::MAX, usize::from);
    let (offset, limit) = if is_wrapped {
        let asked = number("limit").unwrap_or(usize::MAX);
        (number("offset").unwrap_or(0), limit.min(asked))
    } else {
        (0, limit)
    };
    let keys = shown(tenant, family, now).filter(asked);
    let items: Value = keys
        .skip(offset)
        .take(limit)
        .map(|key| item(tenant, family, key, now))
        .collect();
    let body = if is_wrapped {
        json!({"accessKeys": items})
    } else {
        items
    };
    answer::json(StatusCode::OK, &body)
}

/// Returns the keys that the control plane shows at this moment.
fn shown(tenant: &Tenant, family: Family, now: Moment) -> impl Iterator<Item = &Key> {
    let since = now.mono.checked_sub(tenant.conduct.deletion_seen);
    tenant.keys.shown_by(family, since.unwrap_or(now.mono))
}

fn show(tenant: &Tenant, family: Family, id: &str, now: Moment) -> Done {
    let key = shown(tenant, family, now).find(|key| key.id == id);
    let key = key.ok_or(StatusCode::NOT_FOUND)?;
    Ok(answer::json(
        StatusCode::OK,
        &item(tenant, family, key, now),
    ))
}

fn create(tenant: &mut Tenant, family: Family, request: &Request<'_>, now: Moment) -> Done {
    let line = tenant.line;
    let body = object(request)?;
    let name = body.get("name").and_then(Value::as_str);
    let name = name.ok_or(StatusCode::BAD_REQUEST)?;
    let bad = |message: &str, details: &str| {
        answer::error_with(StatusCode::BAD_REQUEST, message, details)
    };
    let key = match tenant.keys.create(line, Owner::of(family), name, now.unix) {
        Ok(key) => key,
        Err(NotCreated::Name) => {
            let rule = "name must match ^[a-z][-_a-z0-9]*[a-z0-9]$";
            return Ok(bad(rule, "answered by the sandbox"));
        }
        Err(NotCreated::Taken) => return Err(StatusCode::CONFLICT),
        Err(NotCreated::TooMany) => {
            let limit = format!("The limit of {MAX_USER_KEYS} keys for each user is reached");
            let guess = "the sandbox guesses: this answer is not documented";
            return Ok(bad(&limit, guess));
        }
        Err(NotCreated::NoRandom) => return Err(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut body = Map::new();
    let mut put = |name: &str, value: &str| drop(body.insert(name.to_owned(), value.into()));
    put("id", &key.id);
    put("name", &key.name);
    put(secret_name(family), key.secret.expose());
    if family != Family::Apps || line.apps_have_client_ids() {
        put("clientId", &key.client_id);
    }
    let tells_creation = match family {
        Family::UserApplications => line.user_applications_tell_creation(),
        _ => !family.is_of_the_organisation(),
    };
    if tells_creation {
        put("createdAt", &moment::rfc3339(key.created_at));
    }
    Ok(answer::json(StatusCode::CREATED, &body.into()))
}

fn delete(tenant: &mut Tenant, family: Family, id: &str, now: Moment) -> Done {
    let key = tenant.keys.remove(family, id, now.mono);
    let key = key.ok_or(StatusCode::NOT_FOUND)?;
    if key.owner == Owner::Organisation {
        tenant.conduct.forget(&key.client_id);
    }
    tenant.secret_lost(id);
    Ok(answer::no_content())
}

/// Replaces a key's secret. The old one is revoked at once.
fn renew(tenant: &mut Tenant, family: Family, id: &str, now: Moment) -> Done {
    let secret = tenant.keys.make_secret();
    let key = tenant.keys.find(family, id);
    let key = key.ok_or(StatusCode::NOT_FOUND)?;
    key.secret = secret.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    key.updated_at = now.unix;
    let name = match family {
        Family::UserApplications if tenant.line.user_applications_renew_client_secrets() => {
            "clientSecret"
        }
        _ => secret_name(family),
    };
    let body = json!({name: key.secret.expose()});
    tenant.secret_lost(id);
    Ok(answer::json(StatusCode::OK, &body))
}

fn enable(
    tenant: &mut Tenant,
    family: Family,
    id: &str,
    request: &Request<'_>,
    now: Moment,
) -> Done {
    let body = object(request)?;
    let enabled = body.get("enabled").and_then(Value::as_bool);
    let enabled = enabled.ok_or(StatusCode::BAD_REQUEST)?;
    let key = tenant.keys.find(family, id);
    let key = key.ok_or(StatusCode::NOT_FOUND)?;
    (key.enabled, key.updated_at) = (enabled, now.unix);
    if !enabled {
        tenant.secret_lost(id);
    }
    show(tenant, family, id, now)
}

fn object(request: &Request<'_>) -> Result<Map<String, Value>, StatusCode> {
    if !request.is_json {
        return Err(StatusCode::BAD_REQUEST);
    }
    serde_json::from_slice(&request.body).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Formats a key for lists and single answers, without its secret.
fn item(tenant: &Tenant, family: Family, key: &Key, now: Moment) -> Value {
    let mut item = Map::new();
    let mut put = |name: &str, value: Value| drop(item.insert(name.to_owned(), value));
    put("id", key.id.as_str().into());
    put("name", key.name.as_str().into());
    put("createdAt", moment::rfc3339(key.created_at).into());
    put("lastLogin", last_login(tenant, key, now).into());
    if family != Family::Apps || tenant.line.apps_have_client_ids() {
        put("clientId", key.client_id.as_str().into());
    }
    if family.is_administration() || family.is_of_the_organisation() {
        put("createdBy", key.created_by.as_str().into());
    }
    if family.is_of_the_organisation() {
        put("updatedAt", moment::rfc3339(key.updated_at).into());
        put("enabled", key.enabled.into());
        put("tenantId", clusters::TENANT_ID.to_string().into());
    }
    item.into()
}

/// Formats the last login that the control plane shows at this moment, as the settings say.
fn last_login(tenant: &Tenant, key: &Key, now: Moment) -> Option<String> {
    let setting = tenant.conduct.last_login;
    let until = now.mono.checked_sub(setting.after)?;
    let login = key.last_login(until).filter(|_| setting.is_told)?;
    let shown = login.skewed(setting.skew).unix;
    let past_the_day = if setting.by_day {
        Duration::new(shown.as_secs() % 86_400, shown.subsec_nanos())
    } else {
        Duration::ZERO
    };
    Some(moment::rfc3339(shown.saturating_sub(past_the_day)))
}

/// Returns the name of the member with the secret: `secret` in the older families.
const fn secret_name(family: Family) -> &'static str {
    match family {
        Family::Apps | Family::UserApplications => "secret",
        _ => "clientSecret",
    }
}
