//! `jetond sandbox`: runs a control plane like Run:ai's on this machine, until it is interrupted.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::{Exit, fail, is_lost, print_line};
use super::prompt;
use crate::credential::ClientSecret;
use crate::offload;
use crate::process::signals::{SignalRequest, Signals};
use crate::sandbox::{
    Fault, Line, OldTokens, Options, Role, Sandbox, Setting, Timeline, UnknownPath,
};
use crate::wire;

/// The arguments of `jetond sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct SandboxArgs {
    /// The release line to simulate: 2.18, 2.20, 2.23 (token API v1), 2.24 or 3.0 (v1 and v2)
    #[arg(long, value_name = "LINE", default_value = "2.24")]
    api: Line,
    /// Where to listen: a loopback address, port 0 for any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The client ID that the sandbox accepts
    #[arg(long, value_name = "ID", default_value = "sandbox")]
    client_id: String,
    /// A file with the client secret that the sandbox accepts; default: a random secret in a new file of mode 0600
    #[arg(long, value_name = "PATH")]
    client_secret_file: Option<PathBuf>,
    /// The lifetime of its tokens in seconds, at least 1
    #[arg(long, value_name = "S", default_value = "3600", value_parser = life)]
    token_life: Duration,
    /// A schedule of faults: lines `SECONDS FAULT`, such as `10 hang` and `20 none`, in seconds since the start; #
    /// begins a comment
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Serve over TLS with a CA of its own: its certificate is written to a new file, which is removed at the end
    #[arg(long)]
    tls: bool,
    /// Make its user a practitioner, not an administrator: administrative calls get 403
    #[arg(long)]
    practitioner: bool,
    /// A setting such as last-login:day; repeatable (the control address lists all settings)
    #[arg(long = "set", value_name = "SETTING")]
    settings: Vec<Setting>,
    /// Revoke a key's tokens when its secret is regenerated, or the key is deleted or disabled
    #[arg(long)]
    tokens_die: bool,
    /// Answer unknown paths with 404 instead of a web page
    #[arg(long)]
    no_web_page: bool,
}

fn life(text: &str) -> Result<Duration, String> {
    wire::seconds(text, Duration::from_secs(86_400 * 365))
        .filter(|life| *life >= Duration::from_secs(1))
        .ok_or_else(|| "seconds from 1 to a year".to_owned())
}

pub(super) fn sandbox(args: &SandboxArgs) -> Exit {
    try_sandbox(args).err().unwrap_or(Exit::Done)
}

fn try_sandbox(args: &SandboxArgs) -> Result<(), Exit> {
    // Held until the end, so that the files are removed with their sandbox.
    let made = if args.client_secret_file.is_none() || args.tls {
        Some(make_folder()?)
    } else {
        None
    };
    let path = match (&args.client_secret_file, &made) {
        (None, Some(folder)) => make_secret(folder.path())?,
        (path, _) => path.clone().unwrap_or_default(),
    };
    let secret = prompt::secret_from_file(&path)?;
    let secret = ClientSecret::parse(&secret).map_err(|why| {
        fail(
            Exit::Usage,
            format!(
                "the client secret in {} cannot be used: {why}",
                path.display()
            ),
        )
    })?;
    let timeline = args.script.as_deref().map(read_script).transpose()?;
    let mut options = Options {
        listen: args.listen,
        token_life: args.token_life,
        tls: args.tls,
        settings: args.settings.clone(),
        ..Options::new(args.api, args.client_id.clone(), secret)
    };
    if args.practitioner {
        options.role = Role::Practitioner;
    }
    if args.tokens_die {
        options.old_tokens = OldTokens::Die;
    }
    if args.no_web_page {
        options.unknown_path = UnknownPath::NotFound;
    }
    let runtime = offload::event_loop().map_err(|e| fail(Exit::Failed, e))?;
    // Absolute, so that the printed line works in another folder.
    let path = std::path::absolute(&path).unwrap_or(path);
    let ca = made.as_ref().map(|folder| folder.path().join("ca.pem"));
    let files = Files {
        secret: path,
        ca: ca.filter(|_| args.tls),
    };
    runtime.block_on(serve(options, args, &files, timeline.unwrap_or_default()))
}

/// The files that the printed line names.
struct Files {
    secret: PathBuf,
    /// The file for the CA's certificate, with TLS.
    ca: Option<PathBuf>,
}

fn read_script(path: &Path) -> Result<Timeline, Exit> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let why = format!("{} cannot be read: {e}", path.display());
        fail(Exit::Usage, why)
    })?;
    Timeline::parse(&text).map_err(|why| fail(Exit::Usage, format!("{}, {why}", path.display())))
}

async fn serve(
    options: Options,
    args: &SandboxArgs,
    files: &Files,
    timeline: Timeline,
) -> Result<(), Exit> {
    let mut signals = Signals::new().map_err(|e| fail(Exit::Failed, e))?;
    let sandbox = Sandbox::start(options).await.map_err(|e| {
        let what = format!("the sandbox cannot listen at {}: {e}", args.listen);
        match e.kind() {
            ErrorKind::InvalidInput => fail(Exit::Usage, e),
            // A retry cannot help.
            ErrorKind::PermissionDenied | ErrorKind::AddrNotAvailable => fail(Exit::Config, what),
            _ => fail(Exit::Later, what),
        }
    })?;
    let started = sandbox.run_script(timeline).await;
    started.map_err(|e| match e.kind() {
        ErrorKind::InvalidInput => fail(Exit::Usage, format!("{e}; the script needs --tls")),
        _ => fail(Exit::Failed, e),
    })?;
    let mut trust = String::new();
    if let (Some(path), Some(ca)) = (&files.ca, sandbox.ca()) {
        std::fs::write(path, ca).map_err(|e| not_made(&e))?;
        trust = format!(" --ca-file {}", quoted(&path.display().to_string()));
    }
    print_line(format!(
        "a Run:ai control plane of line {} is at {}",
        args.api,
        sandbox.url()
    ));
    print_line("enrol its application:");
    print_line(format!(
        "  jetond add sandbox --provider runai --url {} --client-id {} --client-secret-file {}{trust}",
        sandbox.url(),
        quoted(&args.client_id),
        quoted(&files.secret.display().to_string())
    ));
    print_line("make it fail, and end that:");
    print_line(format!(
        "  curl -X PUT --data FAULT {}/fault",
        sandbox.control_url()
    ));
    print_line(format!("  curl -X DELETE {}/fault", sandbox.control_url()));
    let faults: Vec<&str> = Fault::HELP.iter().map(|(example, _)| *example).collect();
    print_line(format!(
        "FAULT is one of: {} (curl {} explains them)",
        faults.join(", "),
        sandbox.control_url()
    ));
    print_line("change how it behaves:");
    print_line(format!(
        "  curl -X PUT --data SETTING {}/settings",
        sandbox.control_url()
    ));
    let settings: Vec<&str> = Setting::HELP.iter().map(|(example, _)| *example).collect();
    print_line(format!("SETTING is one of: {}", settings.join(", ")));
    print_line("Ctrl-C ends it");
    if is_lost() {
        // The address could not be printed, so no program can use the sandbox.
        sandbox.stop().await;
        return Err(Exit::Failed);
    }
    while signals.next().await != SignalRequest::Stop {}
    sandbox.stop().await;
    Ok(())
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/:@%+,=".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Makes a folder of mode 0700 that is removed with the sandbox.
fn make_folder() -> Result<tempfile::TempDir, Exit> {
    tempfile::Builder::new()
        .prefix("jeton-sandbox-")
        .tempdir()
        .map_err(|e| not_made(&e))
}

/// Writes a random secret into a file of mode 0600.
fn make_secret(folder: &Path) -> Result<PathBuf, Exit> {
    let mut random = [0u8; 24];
    getrandom::fill(&mut random).map_err(|e| fail(Exit::Failed, e))?;
    let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join("secret");
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{secret}"))
        .map_err(|e| not_made(&e))?;
    Ok(path)
}

fn not_made(error: &std::io::Error) -> Exit {
    let what = format!("no file for the sandbox could be made: {error}");
    fail(Exit::Failed, what)
}
