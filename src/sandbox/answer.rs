//! The bodies of the control plane's answers, with the fields of its OpenAPI documents.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::endpoint::Api;
use super::fault::Fault;
use super::grant::Refusal;
use super::line::Line;
use super::moment::Moment;

/// A complete answer.
pub(super) type Answer = Response<Bytes>;

/// Makes an answer of this status, content type and body.
pub(super) fn plain(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Adds a header to the answer.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}

/// Makes an answer in JSON.
pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
    plain(status, "application/json", body.to_string())
}

/// Makes the vendor's `Error`, with the message that its documents have for the status.
pub(super) fn error(status: StatusCode) -> Answer {
    error_with(
        status,
        match status.as_u16() {
            400 => "Required parameter is missing",
            401 => "Issuer is not familiar.",
            403 => "You do not have sufficient permissions.",
            404 => "Resource id not found.",
            409 => "Resource with this name already exists",
            503 => "Please try again in few minutes.",
            500.. => "Something went wrong.",
            _ => status.canonical_reason().unwrap_or("Something went wrong."),
        },
        "answered by the sandbox",
    )
}

/// Makes the vendor's `Error` with this message.
pub(super) fn error_with(status: StatusCode, message: &str, details: &str) -> Answer {
    let body = json!({"code": status.as_u16(), "message": message, "details": details});
    json(status, &body)
}

/// Makes the empty answer 204.
pub(super) fn no_content() -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Makes the answer of a fault that has its own body.
pub(super) fn canned(status: u16, body: impl Into<Bytes>) -> Answer {
    plain(status_of(status), "application/json", body)
}

/// Makes the answer to a refused token request. The first endpoint's answer to a wrong secret is not documented. The
/// vendor's `Error` with 401 is a guess, and clients must accept other answers, too.
pub(super) fn refused(api: Api, refusal: Refusal) -> Answer {
    let status = match refusal {
        Refusal::Client => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    let (code, text) = match refusal {
        Refusal::ContentType => ("invalid_request", "The content type is not supported"),
        Refusal::Unreadable => ("invalid_request", "Invalid request"),
        Refusal::Missing => ("invalid_request", "Required parameter is missing"),
        Refusal::UnsupportedGrant => ("unsupported_grant_type", "The grant type is not supported"),
        Refusal::Client => ("invalid_client", "Client authentication failed"),
    };
    match api {
        Api::V1 => error_with(status, text, code),
        Api::V2 => json(status, &json!({"error": code, "error_description": text})),
    }
}

/// Makes the answer with a token (`TokenResponse` in camel case, `OAuth2TokenResponse` in snake case).
pub(super) fn granted(line: Line, api: Api, token: &str, expires_in: u64) -> Answer {
    let body = match api {
        Api::V1 if line.v1_tells_expiry() => json!({"accessToken": token, "expiresIn": expires_in}),
        Api::V1 => json!({"accessToken": token}),
        Api::V2 => json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}),
    };
    // required by RFC 6749 section 5.1
    with(
        json(StatusCode::OK, &body),
        CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    )
}

/// Makes the web application's page, which `app.run.ai` sent with 200 for unknown paths.
pub(super) fn web_page() -> Answer {
    let scripts: String = (0..30)
        .map(|n| format!("<script type=\"module\" src=\"/assets/chunk-{n:04}.js\"></script>\n"))
        .collect();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Run:ai</title>\n\
         <!-- the sandbox of jetond -->\n{scripts}<link rel=\"stylesheet\" href=\"/assets/index.css\">\n</head>\n\
         <body>\n<noscript>You need to enable JavaScript to run this app.</noscript>\n<div id=\"app\"></div>\n\
         <p>access_token accessToken</p>\n</body>\n</html>\n"
    );
    plain(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// Makes the answer that replaces the usual one during a fault.
pub(super) fn instead(fault: &Fault, now: Moment) -> Answer {
    let retry_after = |value: String| {
        let answer = error(StatusCode::TOO_MANY_REQUESTS);
        match HeaderValue::try_from(value) {
            Ok(value) => with(answer, RETRY_AFTER, value),
            Err(_) => answer,
        }
    };
    match fault {
        Fault::Status(status) => error(status_of(*status)),
        Fault::RateLimit(seconds) => retry_after(seconds.to_string()),
        Fault::RetryAfterDate(seconds) => {
            retry_after(now.http_date(Duration::from_secs(u64::from(*seconds))))
        }
        Fault::Html => web_page(),
        Fault::Garbage => plain(
            StatusCode::OK,
            "application/json",
            &b"{\"access_token\": \xff\xfe\0]"[..],
        ),
        Fault::Redirect { status, location } => {
            let answer = plain(status_of(*status), "text/plain", "");
            match HeaderValue::try_from(location) {
                Ok(location) => with(answer, LOCATION, location),
                Err(_) => answer,
            }
        }
        Fault::Answer { status, body } => canned(*status, body.clone()),
        _ => plain(StatusCode::OK, "application/json", ""),
    }
}

/// Converts the status of a fault, which was checked when the fault was parsed.
fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_page_is_about_two_kilobytes_and_not_json() {
        let page = web_page();
        assert!(
            (1_800..2_400).contains(&page.body().len()),
            "{}",
            page.body().len()
        );
        assert!(serde_json::from_slice::<Value>(page.body()).is_err());
    }

    #[test]
    fn an_error_has_the_fields_and_message_of_the_vendor_documentation() {
        let answer = error(StatusCode::SERVICE_UNAVAILABLE);
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["code"], 503);
        assert_eq!(body["message"], "Please try again in few minutes.");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
    }
}
