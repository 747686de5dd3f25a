//! `jetond demo`: shows the daemon at work in half a minute, with the real programs and without an account.
//!
//! `story` has the order of the steps, at the speed of `pace`. `stage` runs the sandbox in this process and our own
//! programs as children, all in a temporary `home`. `clients` send requests all the time, each over a `link`.
//! `reporter` waits for events and reports them. `view` and `score` format them as `line`s, and `screen` prints these.

mod clients;
mod home;
mod line;
mod link;
mod pace;
mod reporter;
mod score;
mod screen;
mod stage;
mod story;
mod view;

use self::pace::Pace;
use self::screen::Screen;
use self::stage::DemoProcesses;
use self::story::DemoScript;
use super::output::{Exit, fail};
use crate::offload;
use crate::paths::Env;
use crate::process::signals::Signals;

/// The arguments of `jetond demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Run a shorter demo without pauses, for tests
    #[arg(long, hide = true)]
    quick: bool,
}

pub(super) fn demo(args: &DemoArgs, env: &Env) -> Exit {
    let pace = if args.quick { Pace::QUICK } else { Pace::SHOW };
    match offload::event_loop() {
        Ok(runtime) => runtime.block_on(play(pace, env)),
        Err(e) => fail(Exit::Failed, e),
    }
}

async fn play(pace: Pace, env: &Env) -> Exit {
    // From here on a signal ends the story, and this process cleans up before it ends.
    let (mut signals, mut stage) = match (Signals::new(), DemoProcesses::new()) {
        (Ok(signals), Ok(stage)) => (signals, stage),
        (Err(e), _) => return fail(Exit::Failed, e),
        (_, Err(why)) => return fail(Exit::Failed, why),
    };
    let mut screen = Screen::new(env);
    let told = tokio::select! { biased;
        // A hangup means that the terminal is gone.
        _ = signals.next() => Err("stopped before the end".to_owned()),
        told = DemoScript::new(pace, &mut stage, &mut screen).tell() => told,
    };
    screen.wipe();
    let cleared = stage.clear().await;
    match (told, cleared) {
        (Ok(score), Ok(())) => {
            for line in score.lines() {
                screen.line(&line);
            }
            match score.complaint() {
                None => Exit::Done,
                Some(complaint) => fail(Exit::Failed, complaint),
            }
        }
        (Ok(_), Err(why)) => fail(Exit::Failed, why),
        (Err(why), Ok(())) => fail(Exit::Failed, format!("{why}; nothing is left behind")),
        (Err(why), Err(more)) => {
            // A daemon that has ended unexpectedly is found when it is stopped, too.
            if why != more {
                fail(Exit::Failed, why);
            }
            fail(Exit::Failed, more)
        }
    }
}
