//! The command line of `jetond`: parses it and runs the command.

mod add;
mod admin;
mod app;
mod bound;
mod ca_variables;
mod check;
mod clusters;
mod companion;
mod demo;
mod doctor;
mod encrypt_store;
mod export;
mod git_config;
mod held_token;
mod helpers;
mod hosts;
mod import;
mod issuer;
mod keyring_call;
mod leading_options;
mod leftover;
mod migrate;
mod moves;
mod open_here;
mod open_rotations;
mod output;
mod passphrase;
mod prompt;
mod proof;
mod remove;
mod rotating;
mod run;
mod same_client;
mod sandbox;
mod search;
mod setup;
mod sink_folders;
mod socket_unit;
mod sockets;
mod store_choice;
mod target;
mod unit_files;
mod unlock;
mod usage;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::Level;

use self::leading_options::LeadingOptions;
use self::output::Exit;
use crate::paths::Env;
use crate::process::crash_loop::CrashRecord;
use crate::process::dispositions::{self, InheritedMask};
use crate::process::{hardening, logging};

/// Keeps bearer tokens fresh and serves them to local processes over a Unix socket.
#[derive(Debug, Parser)]
#[command(name = "jetond", version, disable_help_subcommand = true, max_term_width = 80, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(flatten)]
    run: run::RunArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 the issuer refuses, the output cannot be written, or jetond fails; 64 wrong usage; 75 temporary \
failure, try again later (a daemon already runs, the issuer cannot be reached, a disk is full); 78 fix something first \
(the configuration, a certificate, an address where no issuer answers).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground (the default)
    Run(run::RunOrWrapArgs),
    /// Enrol a credential: get one token as proof, then store it and write the profile
    Add(Box<add::AddArgs>),
    /// Manage the access keys of Run:ai users (formerly user applications or applications)
    #[command(
        visible_aliases = ["application", "user-application", "access-key"],
        aliases = ["apps", "applications", "user-applications", "access-keys", "key", "keys"],
        long_about = app::ABOUT
    )]
    App(Box<app::AppArgs>),
    /// Forget a profile and its credential
    Remove(remove::RemoveArgs),
    /// Move a profile's credential to another store: copy, read back, prove with a token, switch, remove the old copy
    Migrate(migrate::MigrateArgs),
    /// Create a store of encrypted credentials (age), which a passphrase unlocks; existing profiles stay where they are
    EncryptStore(encrypt_store::EncryptStoreArgs),
    /// Let the running daemon open the store of encrypted credentials, until it is locked or the daemon ends
    Unlock(unlock::UnlockArgs),
    /// Make the running daemon forget the key of the encrypted store, and every credential and token from it
    Lock(unlock::LockArgs),
    /// Write profiles to a passphrase-protected file, for another machine
    Export(export::ExportArgs),
    /// Import profiles from an exported file: show where each secret will be sent, ask, get a token with it, store it
    Import(import::ImportArgs),
    /// Report every fault of the configuration and the store
    Check(check::CheckArgs),
    /// Find out why tokens are not served (sockets, store, issuers, clock, system), and propose a fix
    Doctor(doctor::DoctorArgs),
    /// Print the lines that make git, docker, kubectl, pip and other tools get their tokens from Jeton, or apply them
    Setup(setup::SetupArgs),
    /// Create links to the companion under the helper names that docker, git and other tools start
    InstallHelpers(helpers::HelpersArgs),
    /// Remove the links that install-helpers has made
    UninstallHelpers(helpers::HelpersArgs),
    /// Show what Jeton does, in half a minute; needs no account
    Demo(demo::DemoArgs),
    /// Run a control plane like Run:ai's on this machine, for tests and trials
    Sandbox(sandbox::SandboxArgs),
    /// Make one call of the OS keyring for the jetond that has started this process
    #[command(name = crate::store::keyring::COMMAND, hide = true)]
    KeyringCall(keyring_call::KeyringCallArgs),
    /// Tell the jetond that has started this process of changes in the OS keyring
    #[command(name = crate::store::keyring::WATCH_COMMAND, hide = true)]
    KeyringWatch,
}

/// Runs `jetond` with this process's arguments and environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read here, once, and is an argument from here on"
)]
pub fn main() -> ExitCode {
    // Must come first: it decides how errors in the arguments are printed.
    logging::recognize_journal(std::env::var_os("JOURNAL_STREAM").as_deref());
    logging::report_panics();
    let mask = dispositions::reset();
    let args: Vec<OsString> = std::env::args_os().collect();
    let uid = rustix::process::geteuid().as_raw();
    let env = Env::from_vars(std::env::vars_os(), uid);
    let parsed = CommandLine::parse(&args);
    let is_daemon = match &parsed {
        Ok(line) => line.is_daemon(),
        // It may be the line of a unit, which a waiting client makes the service manager start again at once.
        Err(error) => !is_asked_for(error),
    };
    // Must come before any message, any file and any service.
    let life = env.service_folder().filter(|_| is_daemon);
    let life = life.and_then(CrashRecord::begin);
    let line = match parsed {
        Ok(line) => line,
        Err(error) => return output::finish(CommandLine::refuse(&error)).into(),
    };
    // Must come before anything else is read, since that may be a secret. A process that starts a command for its user
    // stays as it is, for the command would inherit the umask, the core limit and `no_new_privs`.
    if !line.starts_a_command() {
        hardening::harden();
    }
    output::finish(line.dispatch(&args, &env, &mask, life)).into()
}

/// Whether the error is only the answer to `--help` or `--version`.
fn is_asked_for(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}

/// Prints the answer to `--help` or `--version`, with colours on a terminal.
fn show(text: &clap::Error) {
    if std::io::stdout().is_terminal() {
        output::printed(text.print());
    } else {
        output::print(&text.render().to_string());
    }
}

// === impl CommandLine ===

impl CommandLine {
    /// Parses the arguments. Errors never quote the arguments' values.
    fn parse(args: &[OsString]) -> Result<Self, clap::Error> {
        let parsed = Self::try_parse_from(args).or_else(|error| Self::asking(args, error));
        let parsed = parsed.and_then(|mut line| {
            let joined = line.join_options();
            let wrong = |what| Self::command().error(ErrorKind::ArgumentConflict, what);
            joined.map_err(wrong).map(|()| line)
        });
        parsed.map_err(usage::without_values)
    }

    /// Parses `jetond add` again for a terminal, where missing arguments are asked for.
    fn asking(args: &[OsString], error: clap::Error) -> Result<Self, clap::Error> {
        if error.kind() != ErrorKind::MissingRequiredArgument || !prompt::possible() {
            return Err(error);
        }
        let command = Self::command().mut_subcommand("add", add::without_demands);
        let line = command.try_get_matches_from(args);
        let line = line.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        line.map_err(|_| error)
    }

    /// Prints the error in the arguments, or the answer to `--help` or `--version`.
    fn refuse(error: &clap::Error) -> Exit {
        if is_asked_for(error) {
            show(error);
            return Exit::Done;
        }
        if std::io::stderr().is_terminal() {
            // If standard error cannot be written to, only the exit code reports the error.
            let _: std::io::Result<()> = error.print();
        } else {
            logging::tell_text(Level::ERROR, &error.render().to_string());
        }
        Exit::Usage
    }

    /// Adds the options that stand before the command to the command's own.
    fn join_options(&mut self) -> Result<(), String> {
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        let mut before = LeadingOptions::new(std::mem::take(&mut self.run));
        let name = match command {
            Command::Run(args) => {
                let beside = args.has_command();
                before.run(&mut args.run, beside)?;
                "run"
            }
            Command::Add(args) => before.target(&mut args.target).map(|()| "add")?,
            Command::App(args) => before.target(args.target_mut()).map(|()| "app")?,
            Command::Remove(args) => before.target(&mut args.target).map(|()| "remove")?,
            Command::Migrate(args) => before.target(&mut args.target).map(|()| "migrate")?,
            Command::EncryptStore(args) => {
                before.target(&mut args.target).map(|()| "encrypt-store")?
            }
            Command::Unlock(args) => before.target(&mut args.target).map(|()| "unlock")?,
            Command::Lock(args) => before.target(&mut args.target).map(|()| "lock")?,
            Command::Export(args) => before.target(&mut args.target).map(|()| "export")?,
            Command::Import(args) => before.target(&mut args.target).map(|()| "import")?,
            Command::Check(args) => before.target(&mut args.target).map(|()| "check")?,
            Command::Doctor(args) => {
                before.target(&mut args.target)?;
                before.socket(&mut args.socket).map(|()| "doctor")?
            }
            Command::Setup(args) => before.target(&mut args.target).map(|()| "setup")?,
            Command::InstallHelpers(_) => "install-helpers",
            Command::UninstallHelpers(_) => "uninstall-helpers",
            Command::Demo(_) => "demo",
            Command::Sandbox(_) => "sandbox",
            Command::KeyringCall(_) => "keyring-call",
            Command::KeyringWatch => "keyring-watch",
        };
        before.end(name)
    }

    const fn starts_a_command(&self) -> bool {
        matches!(&self.command, Some(Command::Run(args)) if args.has_command())
    }

    /// Whether the line runs the daemon as a service manager would.
    const fn is_daemon(&self) -> bool {
        match &self.command {
            None => !self.run.stop_at_eof,
            Some(Command::Run(args)) => !args.has_command() && !args.run.stop_at_eof,
            Some(_) => false,
        }
    }

    fn dispatch(
        &self,
        args: &[OsString],
        env: &Env,
        mask: &InheritedMask,
        life: Option<CrashRecord>,
    ) -> Exit {
        match &self.command {
            None => run::run(&self.run, env, life),
            Some(Command::Run(run)) => run::run_or_wrap(run, args, env, mask, life),
            Some(Command::Add(args)) => add::add(args, env),
            Some(Command::App(args)) => app::app(args, env),
            Some(Command::Remove(args)) => remove::remove(args, env),
            Some(Command::Migrate(args)) => migrate::migrate(args, env),
            Some(Command::EncryptStore(args)) => encrypt_store::encrypt_store(args, env),
            Some(Command::Unlock(args)) => unlock::unlock(args, env),
            Some(Command::Lock(args)) => unlock::lock(args, env),
            Some(Command::Export(args)) => export::export(args, env),
            Some(Command::Import(args)) => import::import(args, env),
            Some(Command::Check(args)) => check::check(args, env),
            Some(Command::Demo(args)) => demo::demo(args, env),
            Some(Command::Doctor(args)) => doctor::doctor(args, env),
            Some(Command::Setup(args)) => setup::setup(args, env),
            Some(Command::InstallHelpers(args)) => helpers::install(args, env),
            Some(Command::UninstallHelpers(args)) => helpers::uninstall(args, env),
            Some(Command::Sandbox(args)) => sandbox::sandbox(args),
            Some(Command::KeyringCall(args)) => keyring_call::keyring_call(args),
            Some(Command::KeyringWatch) => keyring_call::keyring_watch(),
        }
    }
}
