//! Runs one accent: its issuer, its profile, and the check of each step's result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jetond::config::oauth2::ClientAuth;
use jetond::config::{self, LookupFailed, Names, Profile};
use jetond::credential::Credential;
use jetond::fault::Fault;
use jetond::provider::configured::{ProviderFiles, destination, provider};
use jetond::provider::{Granted, Provider};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::accent::{Accent, Step, StepKind};
use super::certificate::Certificate;
use super::issuer::{Issuer, line};
use super::text::Values;

/// Contained in every secret and token that must not be reported.
const CANARY: &str = "canary";

/// The length of the shortest token that is searched for in a fault.
const TELLING: usize = 6;

/// How many times other tasks get to run between two steps.
const TURNS: usize = 32;

/// A directory of names without accounts, because no profile here names one.
struct NoNames;

/// A running accent.
struct RunningAccent {
    issuer: Arc<Issuer>,
    values: Values,
    profile: Profile,
    files: ProviderFiles,
    credential: Credential,
    /// One provider for each profile.
    providers: Vec<Arc<dyn Provider>>,
    /// The folder with the CA file.
    _folder: TempDir,
}

/// The result of a step.
#[derive(Debug)]
enum StepResult {
    Token {
        token: String,
        /// In seconds.
        lifetime: Option<u64>,
        /// The granted scope if it is not the requested one.
        scope: Option<String>,
        /// The form that `jetond add` would write to the configuration.
        client_auth: Option<ClientAuth>,
    },
    Endpoint(String),
    /// A fault, and the forms that a proof tried.
    Fault(Fault, Vec<ClientAuth>),
}

impl StepResult {
    fn of(granted: Granted, client_auth: Option<ClientAuth>) -> Self {
        let grant = granted.grant;
        Self::Token {
            token: grant.token.expose().to_owned(),
            lifetime: grant.lifetime.map(|lifetime| lifetime.as_secs()),
            scope: grant.scope.map(|scope| scope.granted.into()),
            client_auth,
        }
    }
}

impl Names for NoNames {
    fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Err(LookupFailed(Cow::Borrowed("no names")))
    }

    fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Err(LookupFailed(Cow::Borrowed("no names")))
    }
}

/// Runs an accent. The error says which result was not the expected one.
pub(crate) async fn run(accent: Accent) -> Result<(), String> {
    let steps = accent.steps.len();
    let (running, steps_to_go) = RunningAccent::start(accent).await?;
    for (n, step) in steps_to_go.iter().enumerate() {
        let came = running.ask(step, n).await;
        let judged = running.judge(step, &came);
        judged.map_err(|why| format!("step {} of {steps}: {why}\n  came: {came:?}", n + 1))?;
        let_the_connection_be_idle().await;
    }
    Ok(())
}

/// Lets connection tasks whose answer was read return the connection, so that the next step can reuse it. Each task
/// needs one or two turns. With a single thread, it is certain to get them.
async fn let_the_connection_be_idle() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

impl RunningAccent {
    async fn start(accent: Accent) -> Result<(Self, Vec<Step>), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let certificate = accent.certificate.as_ref();
        let certificate = certificate.map(|shows| Certificate::make(shows, &accent.trusts));
        let certificate = certificate.transpose()?;
        let scheme = certificate.as_ref().map_or("http", |_| "https");
        let values = Values {
            at: format!("{scheme}://{}", listener.local_addr().unwrap()),
            id: accent.id,
            secret: accent.secret,
            now: SystemTime::now(),
        };
        let acceptor = certificate.as_ref().map(|made| made.acceptor.clone());
        let issuer = Issuer::start(listener, acceptor, accent.answers, &values)?;
        let has = |key| {
            let mut lines = accent.profile.iter();
            lines.any(|line| line.starts_with(key))
        };
        let mut lines = vec![format!("provider = \"{}\"", accent.provider)];
        match accent.provider.as_str() {
            "runai" if !has("url") => lines.push(format!("url = \"{}\"", values.at)),
            "oauth2" if !has("issuer") && !has("token-url") => {
                lines.push(format!("token-url = \"{}/token\"", values.at));
            }
            _ => {}
        }
        for line in &accent.profile {
            lines.push(values.text(line)?);
        }
        let folder = TempDir::new().unwrap();
        if let Some(made) = &certificate {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, &made.ca_file).unwrap();
            lines.push(format!("ca-file = \"{}\"", path.display()));
        }
        let text = format!("[profiles.an-accent]\n{}\n", lines.join("\n"));
        let config = config::parse(&text, &NoNames).map_err(|faults| format!("{faults:?}"))?;
        let profile = config.profiles.into_values().next();
        let profile = profile.ok_or("no profile")?;
        let credential = Credential::parse(&values.id, &values.secret);
        let mut credential = credential.map_err(|invalid| invalid.to_string())?;
        let discovered = has("issuer").then(|| "{{ at }}/token".to_owned());
        if let Some(bound_to) = accent.bound_to.or(discovered) {
            credential = credential.bound_to(&values.text(&bound_to)?);
        }
        let files = ProviderFiles::of(rustix::process::geteuid().as_raw());
        let providers = (0..accent.profiles).map(|_| provider(&profile, &files));
        let providers = providers.collect();
        let running = Self {
            issuer,
            values,
            profile,
            files,
            credential,
            providers,
            _folder: folder,
        };
        Ok((running, accent.steps))
    }

    async fn ask(&self, step: &Step, n: usize) -> StepResult {
        let provider = &self.providers[n % self.providers.len()];
        match step.asks {
            StepKind::Token => match provider.fetch(&self.credential).await {
                Ok(granted) => StepResult::of(granted, None),
                Err(fault) => StepResult::Fault(fault, vec![]),
            },
            StepKind::Proof => match provider.prove(&self.credential).await {
                Ok(proof) => StepResult::of(proof.granted, proof.client_auth),
                Err(unproved) => StepResult::Fault(unproved.fault, unproved.sent),
            },
            StepKind::Endpoint => match destination(&self.profile, &self.files).await {
                Ok(found) => StepResult::Endpoint(found.endpoint.to_string()),
                Err(fault) => StepResult::Fault(fault, vec![]),
            },
        }
    }

    fn judge(&self, step: &Step, came: &StepResult) -> Result<(), String> {
        let requests = self.issuer.take_requests();
        if let StepResult::Fault(fault, _) = came {
            self.tells_nothing(fault)?;
        }
        let mut decided = false;
        for (key, value) in &step.wanted {
            let value = self.values.text(value)?;
            let holds = match (key.as_str(), came) {
                ("token", StepResult::Token { token, .. }) => *token == value,
                ("endpoint", StepResult::Endpoint(endpoint)) => *endpoint == value,
                ("fault", StepResult::Fault(fault, _)) => fault.kind.as_str() == value,
                ("lifetime", StepResult::Token { lifetime, .. }) => is_lifetime(*lifetime, &value)?,
                ("scope", StepResult::Token { scope, .. }) => {
                    scope.as_deref().unwrap_or("as asked") == value
                }
                ("client-auth", StepResult::Token { client_auth, .. }) => {
                    client_auth.map(ClientAuth::as_str) == Some(&value)
                }
                ("tried", StepResult::Fault(_, sent)) => {
                    let sent: Vec<_> = sent.iter().map(|auth| auth.as_str()).collect();
                    sent.join(", ") == value
                }
                ("says", StepResult::Fault(fault, _)) => fault.detail.contains(&value),
                ("hides", StepResult::Fault(fault, _)) => !format!("{fault:?}").contains(&value),
                ("wait", StepResult::Fault(fault, _)) => {
                    let wait = fault.retry_after.map(|wait| wait.as_secs().to_string());
                    wait.unwrap_or("none".to_owned()) == value
                }
                ("asked", _) => {
                    let lines: Vec<_> = requests.iter().map(|request| line(request)).collect();
                    lines.join(", ") == value
                }
                ("sends", _) => requests.iter().any(|request| request.contains(&value)),
                ("withholds", _) => !requests.iter().any(|request| request.contains(&value)),
                ("basic", _) => requests.iter().any(|it| pair(it).as_ref() == Some(&value)),
                ("connections", _) => self.issuer.connections().to_string() == value,
                ("token" | "endpoint" | "fault" | "lifetime" | "scope" | "client-auth", _) => false,
                ("says" | "hides" | "wait" | "tried", _) => false,
                _ => return Err(format!("unknown key {key}")),
            };
            if !holds {
                return Err(format!(
                    "not so: {key}: {value:.200}\n  requests: {requests:?}"
                ));
            }
            decided |= matches!(key.as_str(), "token" | "endpoint" | "fault");
        }
        if decided {
            Ok(())
        } else {
            Err("the file does not say what must come of it".to_owned())
        }
    }

    /// Checks that a fault contains no secret, no token, and no terminal control characters.
    fn tells_nothing(&self, fault: &Fault) -> Result<(), String> {
        let told = format!("{fault:?}").to_lowercase();
        let mut secrets = vec![CANARY.to_owned(), self.values.secret.clone()];
        secrets.push(format!("{}:{}", self.values.id, self.values.secret));
        secrets.extend(self.issuer.written().iter().flat_map(|bytes| tokens(bytes)));
        for secret in secrets.iter().filter(|secret| secret.len() >= TELLING) {
            let encoded = STANDARD.encode(secret);
            // The last characters differ if the text is followed by other bytes.
            let encoded = &encoded[..encoded.len().saturating_sub(4)];
            let forms = [secret.to_lowercase(), encoded.to_lowercase()];
            if forms
                .iter()
                .any(|form| form.len() >= TELLING && told.contains(form))
            {
                return Err(format!("the fault tells {secret:.40}"));
            }
        }
        let is_shown = |c: char| (' '..='~').contains(&c);
        if fault.detail.is_empty() || !fault.detail.chars().all(is_shown) {
            return Err("the fault cannot be shown".to_owned());
        }
        Ok(())
    }
}

/// Compares a lifetime with `3600`, `3590..3600` or `none`.
fn is_lifetime(lifetime: Option<u64>, wanted: &str) -> Result<bool, String> {
    let Some(lifetime) = lifetime else {
        return Ok(wanted == "none");
    };
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("no lifetime: {wanted}"))
    };
    Ok(match wanted.split_once("..") {
        Some((from, to)) => (number(from)?..=number(to)?).contains(&lifetime),
        None => wanted != "none" && number(wanted)? == lifetime,
    })
}

/// Returns the decoded content of a request's `Authorization: Basic`.
fn pair(request: &str) -> Option<String> {
    let mut lines = request.lines();
    let header = lines.find_map(|line| line.strip_prefix("authorization: Basic "))?;
    String::from_utf8(STANDARD.decode(header).ok()?).ok()
}

/// Returns the tokens in an answer of any form.
fn tokens(answer: &[u8]) -> Vec<String> {
    let answer = String::from_utf8_lossy(answer);
    let members = [
        "access_token\":\"",
        "accessToken\":\"",
        "refresh_token\":\"",
        "id_token\":\"",
    ];
    let of = |member: &str| {
        let tokens = answer.split(member).skip(1);
        let tokens = tokens.filter_map(|rest| rest.split('"').next());
        tokens.map(str::to_owned).collect::<Vec<_>>()
    };
    members.iter().flat_map(|member| of(member)).collect()
}
