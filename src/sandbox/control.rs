//! The control address: switches for people and programs over plain HTTP.
//!
//! It has its own port, since a fault can close the main one.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::answer::{self, Answer};
use super::fault::Fault;
use super::main_port::MainPort;
use super::moment::Moment;
use super::options::OldTokens;
use super::panel::SandboxHandle;
use super::server;
use super::service::{method_not_allowed, read_body};
use super::setting::Setting;
use super::timeline::Timeline;
use crate::credential::ClientSecret;

mod guard;

/// The maximum number of connections that are served at a time.
const MAX_CONNECTIONS: usize = 64;

const TEXT: &str = "text/plain; charset=utf-8";

/// Serves the control address until it is dropped.
pub(super) async fn run(door: MainPort, panel: SandboxHandle, url: String) {
    let mut connections = JoinSet::new();
    let address = door.address();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            stream = door.accept(), if connections.len() < MAX_CONNECTIONS => {
                let (panel, url) = (panel.clone(), url.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        let (panel, url) = (panel.clone(), url.clone());
                        async move { Ok::<_, Infallible>(answer(&panel, address, &url, request).await.map(Full::new)) }
                    });
                    // an error means that the client has left or sent no HTTP
                    let _ = server::http().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

async fn answer(
    panel: &SandboxHandle,
    address: SocketAddr,
    url: &str,
    request: Request<Incoming>,
) -> Answer {
    if let Err(refusal) = guard::check(&request, address) {
        let why = format!("{}\n", refusal.text(address));
        return answer::plain(StatusCode::BAD_REQUEST, TEXT, why);
    }
    let outcome = match (request.uri().path(), request.method()) {
        ("/", &Method::GET) => Ok(help(url)),
        ("/", _) => return method_not_allowed("GET"),
        ("/fault", &Method::GET) => Ok(fault_in_force(panel)),
        ("/fault", &Method::PUT) => put_fault(panel, request).await,
        ("/fault", &Method::DELETE) => set_fault(panel, None, None).await,
        ("/fault", _) => return method_not_allowed("GET, PUT, DELETE"),
        ("/script", &Method::PUT) => put_script(panel, request).await,
        ("/script", _) => return method_not_allowed("PUT"),
        ("/settings", &Method::GET) => Ok(settings(panel)),
        ("/settings", &Method::PUT) => put_settings(panel, request).await,
        ("/settings", _) => return method_not_allowed("GET, PUT"),
        ("/old-tokens", &Method::PUT) => put_old_tokens(panel, request).await,
        ("/old-tokens", _) => return method_not_allowed("PUT"),
        ("/stats", &Method::GET) => match serde_json::to_value(panel.stats()) {
            Ok(stats) => return answer::json(StatusCode::OK, &stats),
            Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, String::new())),
        },
        ("/stats", _) => return method_not_allowed("GET"),
        ("/secret", &Method::PUT) => put_secret(panel, request).await,
        ("/secret", _) => return method_not_allowed("PUT"),
        ("/revoke", &Method::POST) => {
            panel.issuer().tenant.ledger.revoke_all();
            Ok("every token issued so far is revoked\n".to_owned())
        }
        ("/revoke", _) => return method_not_allowed("POST"),
        _ => Err((
            StatusCode::NOT_FOUND,
            "no such path; GET / lists them".to_owned(),
        )),
    };
    match outcome {
        Ok(text) => answer::plain(StatusCode::OK, TEXT, text),
        Err((status, why)) => answer::plain(status, TEXT, format!("{why}\n")),
    }
}

type Outcome = Result<String, (StatusCode, String)>;

async fn put_fault(panel: &SandboxHandle, request: Request<Incoming>) -> Outcome {
    let requests = count(request.uri().query())?;
    let text = text(request).await?;
    let fault = match text.trim() {
        "none" => None,
        text => {
            Some(Fault::parse(text).map_err(|why| bad(&format!("{why}; GET / lists the faults")))?)
        }
    };
    set_fault(panel, fault, requests).await
}

async fn set_fault(panel: &SandboxHandle, fault: Option<Fault>, requests: Option<u64>) -> Outcome {
    match panel.set_fault(fault, requests).await {
        Ok(()) => Ok(fault_in_force(panel)),
        Err(why) if why.kind() == std::io::ErrorKind::InvalidInput => Err(bad(&why)),
        Err(why) => Err((StatusCode::INTERNAL_SERVER_ERROR, why.to_string())),
    }
}

async fn put_script(panel: &SandboxHandle, request: Request<Incoming>) -> Outcome {
    let timeline = Timeline::parse(&text(request).await?).map_err(|why| bad(&why))?;
    let steps = timeline.steps().len();
    match panel.play(timeline).await {
        Ok(()) => Ok(format!("script: {steps} steps\n")),
        Err(why) if why.kind() == std::io::ErrorKind::InvalidInput => Err(bad(&why)),
        Err(why) => Err((StatusCode::INTERNAL_SERVER_ERROR, why.to_string())),
    }
}

/// Applies settings, one per line: all of them, or none if one is wrong.
async fn put_settings(panel: &SandboxHandle, request: Request<Incoming>) -> Outcome {
    let text = text(request).await?;
    let mut parsed = Vec::new();
    for (n, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let setting = Setting::parse(line.trim());
        let wrong = |why| bad(&format!("line {}: {why}; GET / lists the settings", n + 1));
        parsed.push(setting.map_err(wrong)?);
    }
    if parsed.is_empty() {
        return Err(bad("there is no setting; GET / lists them"));
    }
    for setting in parsed {
        panel.issuer().tenant.set(setting, Moment::now());
    }
    Ok(settings(panel))
}

fn settings(panel: &SandboxHandle) -> String {
    let mut settings = String::new();
    for setting in panel.issuer().tenant.conduct.list() {
        // writing to a string cannot fail
        let _ = writeln!(settings, "{setting}");
    }
    settings
}

async fn put_old_tokens(panel: &SandboxHandle, request: Request<Incoming>) -> Outcome {
    let old_tokens = match text(request).await?.trim() {
        "survive" => OldTokens::Survive,
        "die" => OldTokens::Die,
        _ => return Err(bad("old tokens survive or die")),
    };
    panel.issuer().tenant.set_old_tokens(old_tokens);
    Ok("this counts from the next time that a key loses its secret\n".to_owned())
}

async fn put_secret(panel: &SandboxHandle, request: Request<Incoming>) -> Outcome {
    let secret = ClientSecret::parse(text(request).await?.trim_end_matches(['\r', '\n']))
        .map_err(|why| bad(&why))?;
    panel.issuer().tenant.keys.set_first_secret(secret);
    Ok("the client secret is changed; tokens issued so far stay valid\n".to_owned())
}

fn fault_in_force(panel: &SandboxHandle) -> String {
    match panel.issuer().switch.fault() {
        Some(fault) => format!("fault: {fault}\n"),
        None => "fault: none\n".to_owned(),
    }
}

/// Parses `count=N` in the query.
fn count(query: Option<&str>) -> Result<Option<u64>, (StatusCode, String)> {
    let mut requests = None;
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (name.as_ref(), value.parse()) {
            ("count", Ok(n)) if n > 0 => requests = Some(n),
            ("count", _) => return Err(bad("count is a whole number from 1")),
            _ => return Err(bad("the one parameter is count")),
        }
    }
    Ok(requests)
}

async fn text(request: Request<Incoming>) -> Result<String, (StatusCode, String)> {
    let body = read_body(request.into_body())
        .await
        .map_err(|status| (status, status.to_string()))?;
    String::from_utf8(body.into()).map_err(|_| bad("the body is not text"))
}

fn bad(why: &(impl ToString + ?Sized)) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, why.to_string())
}

fn help(url: &str) -> String {
    let mut help = format!(
        "The control address of a Run:ai-compatible sandbox, which is at {url}\n\n\
         PUT /fault           set a fault, until it is changed; `none` ends it\n\
         PUT /fault?count=N   the same for the next N requests that the fault applies to\n\
         DELETE /fault        end it\n\
         GET /fault           what is in force\n\
         PUT /script          faults over time, from now on: lines of SECONDS FAULT, the seconds counted from now,\n\
         \x20                    as `10 hang` and `20 none`; an empty one ends the one before\n\
         PUT /settings        change how it behaves, one setting a line\n\
         GET /settings        the settings in force\n\
         PUT /old-tokens      `die` or `survive`: a key's tokens when it loses its secret\n\
         GET /stats           counts, as JSON\n\
         PUT /secret          change the secret of the first key without its user\n\
         POST /revoke         revoke every token issued so far\n\n\
         For example: curl -X PUT --data hang THIS_ADDRESS/fault\n\n\
         Faults concern the token endpoints; refuse, hang and tls concern every request, reads those that read keys,\n\
         clusters or access rules, and swallow, keys, executed, late, again, twice and secret those that change keys.\n\n"
    );
    for (example, what) in Fault::HELP {
        // writing to a string cannot fail
        let _ = writeln!(help, "{example}\n    {what}");
    }
    help.push_str(
        "\nSettings are in force beside each other and beside a fault, until they are changed.\n\n",
    );
    for (example, what) in Setting::HELP {
        let _ = writeln!(help, "{example}\n    {what}");
    }
    help
}
