//! One rotation: begun, disturbed, resumed by the next daemon, and judged at its end.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jetond::sandbox::Application;
use rustix::process::Signal;

use super::form::{Form, Span};
use super::live::{Live, Sight};
use super::mode::Mode;
use super::phase::{self, Phase};
use super::turns::Turn;
use crate::judge::{Bar, Broken, end_of};
use crate::place::{PROFILE, Place};
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::env::Output;
use crate::tracer::Group;
use crate::words::tail;

/// The lifetime of tokens, in seconds. The old key is deleted after four lifetimes, which is also how long a rotation
/// waits for late calls.
pub(crate) const LIFE: u64 = 15;

/// The deadline for the first token after a daemon's start.
const SOON: Duration = Duration::from_secs(2);

/// How often a daemon is started if that takes longer. A busy machine is late sometimes; a daemon that waits for its
/// rotation is late each time.
const STARTS: usize = 3;

/// The timeout of a rotation, including its waits on a busy machine.
pub(crate) const END: Duration = Duration::from_secs(300);

/// Held during a start, so that the first token is not delayed by other starts of this test.
static STARTING: Mutex<()> = Mutex::new(());

/// The client ID of the key that is rotated.
pub(crate) const FIRST: &str = "test-client";

/// The call at which a daemon is killed: the state of the disk at that moment, the kind of call, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) phase: Phase,
    pub(super) group: Group,
    pub(super) nth: usize,
}

/// A requested rotation.
pub(crate) struct Asked {
    pub(crate) place: Place,
    /// The output of `jeton rotate`, which ends at the switch or with the daemon.
    output: JoinHandle<Output>,
    /// The behaviour that the control plane is to begin, until it does.
    form: Option<Form>,
    /// The number of creations that it has affected.
    creations: u64,
    /// The number of keys that had been created before.
    created: u64,
}

/// The result of a rotation.
pub(crate) struct Walked {
    /// The phase on the disk when it was disturbed; `None` if it was not.
    pub(crate) disturbed: Option<Phase>,
    pub(crate) broken: Broken,
    /// The time from the daemon's start to its first token.
    pub(crate) served_after: Duration,
}

/// Kills the daemon at this call, and judges what the next daemon makes of it.
pub(super) fn kill(mode: &Mode, form: Form, target: Target) -> Walked {
    let turn = Turn::take();
    let mut place = Place::with_life(LIFE);
    let mut former = place.replace_daemon();
    place.env.stop(&mut former);
    let mut live = Live::new(&place.env);
    let daemon = place.env.spawn_command(live.command(&place.env));
    live.follow();
    place.daemon = place.env.serving(daemon);
    let _token = place.env.token(&place.daemon, PROFILE);

    let mut asked = Asked::new(place, mode, form);
    drop(turn);
    let (start, mut calls, mut disturbed) = (Instant::now(), 0, None);
    while disturbed.is_none() {
        assert!(start.elapsed() < END, "the rotation does not end");
        let sight = live.next();
        let phase = asked.phase();
        match sight {
            Sight::Call(group) if (phase, group) == (target.phase, target.group) => {
                calls += 1;
                if calls == target.nth {
                    asked.place.daemon.signal(Signal::KILL);
                    asked.place.daemon.wait();
                    disturbed = Some(asked.phase());
                }
            }
            _ if asked.is_over(phase) => break,
            Sight::Call(_) | Sight::Nothing => {}
            Sight::End => panic!("the daemon ended: {}", asked.place.daemon.log()),
        }
    }
    if disturbed.is_none() {
        let mut daemon = asked.place.replace_daemon();
        asked.place.env.stop(&mut daemon);
    }
    asked.ended(disturbed, target.nth)
}

// === impl Asked ===

impl Asked {
    /// Requests the rotation.
    pub(crate) fn new(place: Place, mode: &Mode, form: Form) -> Self {
        let mut command = place.env.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(mode.arguments);
        let mut asked = Self {
            output: in_background(command),
            created: place.env.sandbox().stats().keys_created,
            creations: 0,
            place,
            form: Some(form),
        };
        asked.behave(Phase::Checking);
        asked
    }

    /// Returns the phase on the disk. Puts the control plane's behaviour in force when its time has come.
    pub(crate) fn phase(&mut self) -> Phase {
        let phase = phase::seen(&self.place.env, FIRST).phase;
        self.behave(phase);
        phase
    }

    fn behave(&mut self, phase: Phase) {
        let Some(form) = self.form.filter(|form| form.begins().0 <= phase) else {
            return;
        };
        if form.span != Span::Creations {
            self.form = None;
        } else if phase <= Phase::Creating && self.is_creation_next() {
            self.creations += 1;
        } else {
            return;
        }
        let sandbox = self.place.env.sandbox();
        let set = match (form.fault(), form.begins().1) {
            (Some(fault), Some(calls)) => {
                let set = sandbox.set_fault_for(fault, calls);
                self.place.env.block_on(set)
            }
            (fault, _) => self.place.env.block_on(sandbox.set_fault(fault)),
        };
        set.unwrap();
    }

    /// Returns whether the next change of keys is a creation: all earlier ones were executed, and their keys deleted.
    fn is_creation_next(&self) -> bool {
        let created = self.place.env.sandbox().stats().keys_created - self.created;
        let keys = self.place.keys();
        created == self.creations && !keys.iter().any(|key| key.name.starts_with("jeton-"))
    }

    /// Returns whether the rotation has ended or was refused.
    pub(crate) fn is_over(&self, phase: Phase) -> bool {
        self.output.is_finished() && phase.is_over()
    }

    /// Starts the next daemon, waits for the end of the rotation, and judges it.
    pub(crate) fn ended(self, disturbed: Option<Phase>, chance: usize) -> Walked {
        let Self {
            mut place, output, ..
        } = self;
        let output = output.join().unwrap();
        place
            .env
            .came_out("jeton rotate", output.stdout.as_bytes(), false);
        place
            .env
            .came_out("jeton rotate", output.stderr.as_bytes(), false);
        let mut broken = vec![];
        let claims = output.code == 0 || output.stdout.contains(r#""step":"switched""#);
        let in_force = phase::seen(&place.env, FIRST).client_id;
        if claims && (in_force == FIRST || !place.works(PROFILE)) {
            broken.push((Bar::FalseSuccess, tail(&output.stdout)));
        }
        place.env.fault("none");
        if chance.is_multiple_of(2) {
            place.let_execute();
        }
        let served_after = start(&mut place);
        if served_after > SOON {
            let what = format!("the first token came after {served_after:?}");
            broken.push((Bar::Late, what));
        }
        // Another person makes a key between the kill and the end.
        place.create("foreign-key");
        place.before.extend(place.key("foreign-key"));
        broken.extend(wait_for_end(&place));
        let _turn = Turn::take();
        broken.extend(judge(&place));
        broken.extend(end_of(place));
        Walked {
            disturbed,
            broken,
            served_after,
        }
    }
}

/// Runs a program in the background. Its output is added to what is searched for secrets.
pub(super) fn in_background(mut command: Command) -> JoinHandle<Output> {
    let child: Child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    })
}

/// Starts a daemon; returns the time to its first token.
fn start(place: &mut Place) -> Duration {
    let _alone = STARTING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut starts = 1;
    loop {
        let start = Instant::now();
        place.daemon = place.env.spawn(&[]);
        wait_until("the daemon to serve a token", || {
            accepts(&place.daemon.socket) && place.answer(PROFILE).0 == 200
        });
        let served_after = start.elapsed();
        if served_after <= SOON || starts == STARTS {
            place.daemon.look_at_proc();
            return served_after;
        }
        starts += 1;
        place.daemon.signal(Signal::KILL);
        place.daemon.wait();
    }
}

/// Waits until no rotation is left, and checks that every request is served meanwhile.
pub(super) fn wait_for_end(place: &Place) -> Broken {
    let (start, mut looks) = (Instant::now(), 0_u32);
    let mut broken = vec![];
    while !phase::seen(&place.env, FIRST).phase.is_over() {
        if start.elapsed() > END {
            let journal = phase::journal(&place.env).unwrap_or_default();
            let what = format!("the rotation has not ended: {journal}");
            broken.push((Bar::Orphaned, what));
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        looks += 1;
        if looks.is_multiple_of(5) {
            broken.extend(served(place));
        }
    }
    broken
}

/// Requests a token; returns what is wrong with the answer.
pub(super) fn served(place: &Place) -> Option<(Bar, String)> {
    let (status, code) = place.answer(PROFILE);
    (status != 200).then(|| {
        let why = last_lines(&place.daemon);
        let what = format!("a request was answered {status} {code}: {why}");
        (Bar::Late, what)
    })
}

/// Returns a daemon's last log lines about its attempts to get a token.
pub(super) fn last_lines(daemon: &Daemon) -> String {
    let log = daemon.log();
    let of_attempts = |line: &&str| line.contains("attempt") || line.contains(" WARN ");
    let lines: Vec<&str> = log.lines().filter(of_attempts).collect();
    lines[lines.len().saturating_sub(6)..].join(" / ")
}

/// Checks what must hold at the end.
pub(super) fn judge(place: &Place) -> Broken {
    let mut broken = vec![];
    let keys = place.keys();
    let in_force = phase::seen(&place.env, FIRST).client_id;
    let is_there = |key: &Application| keys.iter().any(|other| other.id == key.id);
    let others = place.before.iter().filter(|key| key.client_id != FIRST);
    for key in others.clone().filter(|key| !is_there(key)) {
        broken.push((Bar::Deleted, key.name.clone()));
    }
    let is_other = |key: &Application| others.clone().any(|other| other.id == key.id);
    for key in keys.iter().filter(|key| !is_other(key)) {
        if key.client_id != in_force {
            broken.push((Bar::Orphaned, format!("{} stays", key.name)));
        }
    }
    if !place.works(PROFILE) {
        let what = format!("the stored secret of {in_force} gets no token");
        broken.push((Bar::Lost, what));
    }
    for command in [&["refresh", PROFILE][..], &["status", PROFILE]] {
        let said = place.env.jeton(command);
        if said.code != 0 {
            let what = format!("{command:?}: {}", tail(&said.stderr));
            broken.push((Bar::Lost, what));
        }
    }
    let checked = place.env.jetond(&["check"]);
    if checked.code != 0 {
        broken.push((Bar::Lost, format!("check: {}", tail(&checked.stderr))));
    }
    let left = place.left_over();
    if in_force != FIRST && !left.is_empty() {
        broken.push((Bar::Leaked, format!("left over: {left:?}")));
    }
    broken
}
