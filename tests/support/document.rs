//! Check of every answer against the API document, `/v1/openapi.json`.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::http::Response;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../src/daemon/serve/openapi.json")).unwrap()
});

/// Fails unless the document has this method at this path of this socket, with this status and media type.
pub(super) fn assert_documented(socket: &Path, method: &str, target: &str, response: &Response) {
    let path = target.split('?').next().unwrap();
    let Some((template, item)) = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(template, _)| fits(template, path))
    else {
        return;
    };
    let socket = socket.file_name().unwrap().to_str().unwrap();
    let sockets = item["x-sockets"].as_array().unwrap();
    let operation = &item[method.to_ascii_lowercase()];
    // An answer without a type comes from hyper: it did not accept the input as HTTP.
    let (true, true, Some(kind)) = (
        sockets.iter().any(|name| name == socket),
        operation.is_object(),
        response.header("content-type"),
    ) else {
        return;
    };
    let mut documented = &operation["responses"][response.status.to_string()];
    if let Some(reference) = documented["$ref"].as_str() {
        documented = DOCUMENT.pointer(&reference[1..]).unwrap();
    }
    let media = kind.split(';').next().unwrap();
    assert!(
        documented["content"][media].is_object(),
        "openapi.json does not say that {method} {template} answers {} with {media}",
        response.status
    );
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted
            .zip(given)
            .all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
}
