//! One rotation: begun, disturbed, resumed by the next daemon, and judged at its end.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jetond::sandbox::{Application, OldTokens};
use rustix::process::{Pid, Signal, kill_process};

use super::form::{Form, Span};
use super::live::{Observation, TracedDaemon};
use super::mode::{FIRST, Mode};
use super::phase::{self, Phase};
use super::turns::CpuPermit;
use crate::behaviour::Behaviour;
use crate::judge::{ForbiddenOutcome, Violations, end_of};
use crate::place::{KillEnv, PROFILE};
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::env::Output;
use crate::tracer::Group;
use crate::words::tail;

/// The deadline for the first token after a daemon's start.
const SOON: Duration = Duration::from_secs(2);

/// How often a daemon is started if that takes longer. A busy machine is late sometimes; a daemon that waits for its
/// rotation is late each time.
const STARTS: usize = 3;

/// The timeout of a rotation: its longest waits take four minutes, and a busy machine is slow.
pub(crate) const END: Duration = Duration::from_secs(600);

/// Held during a start, so that the first token is not delayed by other starts of this test.
static STARTING: Mutex<()> = Mutex::new(());

/// The call at which a daemon is killed: the state of the disk at that moment, the kind of call, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) phase: Phase,
    pub(super) group: Group,
    pub(super) nth: usize,
}

/// A requested rotation.
pub(crate) struct RequestedRotation {
    pub(crate) place: KillEnv,
    mode: &'static Mode,
    /// The behaviour of the control plane.
    whole_form: Form,
    /// The process ID of the command that has requested it.
    command: u32,
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
pub(crate) struct RotationResult {
    /// The phase on the disk when it was disturbed; `None` if it was not.
    pub(crate) disturbed: Option<Phase>,
    pub(crate) broken: Violations,
    /// The time from the daemon's start to its first token.
    pub(crate) served_after: Duration,
}

/// Kills the daemon at this call, and judges what the next daemon makes of it.
pub(super) fn kill(mode: &'static Mode, form: Form, target: Target) -> RotationResult {
    let turn = CpuPermit::take();
    let mut place = KillEnv::with_life(mode.life);
    let mut former = place.replace_daemon();
    place.env.stop(&mut former);
    let mut live = TracedDaemon::new(&place.env);
    let daemon = place.env.spawn_command(live.command(&place.env));
    live.follow();
    place.daemon = place.env.serving(daemon);
    place.wait_for_token();

    let mut asked = RequestedRotation::new(place, mode, form);
    drop(turn);
    let (start, mut calls, mut disturbed) = (Instant::now(), 0, None);
    while disturbed.is_none() {
        assert!(start.elapsed() < END, "the rotation does not end");
        let sight = live.next();
        let phase = asked.phase();
        match sight {
            Observation::Call(group) if (phase, group) == (target.phase, target.group) => {
                calls += 1;
                if calls == target.nth {
                    asked.place.daemon.signal(Signal::KILL);
                    asked.place.daemon.wait();
                    disturbed = Some(asked.phase());
                }
            }
            _ if asked.is_over(phase) => break,
            Observation::Call(_) | Observation::Nothing => {}
            Observation::End => panic!("the daemon ended: {}", asked.place.daemon.log()),
        }
    }
    if disturbed.is_none() {
        let mut daemon = asked.place.replace_daemon();
        asked.place.env.stop(&mut daemon);
    }
    asked.ended(disturbed, target.nth)
}

/// Kills the command that has requested the rotation, which must stop nothing.
pub(super) fn kill_command(mode: &'static Mode, form: Form, at: Phase) -> RotationResult {
    let turn = CpuPermit::take();
    let place = KillEnv::with_life(mode.life);
    place.wait_for_token();
    let mut asked = RequestedRotation::new(place, mode, form);
    drop(turn);
    let (start, mut disturbed) = (Instant::now(), None);
    while disturbed.is_none() {
        assert!(start.elapsed() < END, "the rotation does not end");
        let phase = asked.phase();
        if phase == at && !asked.output.is_finished() {
            let pid = i32::try_from(asked.command).ok().and_then(Pid::from_raw);
            // The command may have ended in this moment.
            let _ = kill_process(pid.unwrap(), Signal::KILL);
            disturbed = Some(at);
        } else if asked.is_over(phase) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    asked.ended_alone(disturbed)
}

// === impl Asked ===

impl RequestedRotation {
    /// Requests the rotation.
    pub(crate) fn new(place: KillEnv, mode: &'static Mode, form: Form) -> Self {
        if form.has_dying_tokens {
            place.env.sandbox().set_old_tokens(OldTokens::Die);
        }
        let (command, output) = start_in_background(mode.command(&place.env));
        let mut asked = Self {
            mode,
            whole_form: form,
            command,
            output,
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
        self.output.is_finished() && (phase.is_over() || needs_human(&self.place, self.mode))
    }

    /// Starts the next daemon, waits for the end of the rotation, and judges it.
    pub(crate) fn ended(self, disturbed: Option<Phase>, chance: usize) -> RotationResult {
        let (mode, form) = (self.mode, self.whole_form);
        let (mut place, mut broken) = self.claimed();
        place.env.fault("none");
        let has_executed = chance.is_multiple_of(2) || form.locks_out();
        if has_executed {
            place.let_execute();
        }
        let is_whole = !mode.is_in_place || is_whole(&place);
        let mut served_after = Duration::ZERO;
        if is_whole {
            served_after = start(&mut place);
        } else {
            place.daemon = place.env.start();
        }
        // A call that is executed during the start revokes a secret that was whole before.
        let may_be_revoked = mode.is_in_place
            && form.behaviour == Behaviour::Late
            && !(has_executed && form.fault != "late:20");
        if served_after > SOON && !may_be_revoked {
            let what = format!("the first token came after {served_after:?}");
            broken.push((ForbiddenOutcome::Late, what));
        }
        if !mode.is_in_place {
            // Another person makes a key between the kill and the end.
            place.create("foreign-key");
            place.before.extend(place.key("foreign-key"));
        }
        broken.extend(wait_for_end(&place, mode, is_whole && !may_be_revoked));
        let _turn = CpuPermit::take();
        broken.extend(judge(&mut place, mode, form));
        broken.extend(end_of(place));
        RotationResult {
            disturbed,
            broken,
            served_after,
        }
    }

    /// Waits for the end of the rotation in the same daemon, after its command was killed, and judges it.
    fn ended_alone(self, disturbed: Option<Phase>) -> RotationResult {
        let (mode, form) = (self.mode, self.whole_form);
        let (mut place, mut broken) = self.claimed();
        broken.extend(wait_for_end(&place, mode, true));
        if disturbed.is_some() && phase::seen(&place.env, FIRST).is_first {
            let what = "the rotation has ended with its command".to_owned();
            broken.push((ForbiddenOutcome::Lost, what));
        }
        let _turn = CpuPermit::take();
        broken.extend(judge(&mut place, mode, form));
        broken.extend(end_of(place));
        RotationResult {
            disturbed,
            broken,
            served_after: Duration::ZERO,
        }
    }

    /// Waits for the end of the command, and checks what it claims.
    fn claimed(self) -> (KillEnv, Violations) {
        let Self {
            place,
            output,
            mode,
            ..
        } = self;
        let output = output.join().unwrap();
        let what = mode.name;
        place.env.add_output(what, output.stdout.as_bytes(), false);
        place.env.add_output(what, output.stderr.as_bytes(), false);
        let mut broken = vec![];
        let claims = output.code == 0 || output.stdout.contains(mode.claim);
        let is_done = || !phase::seen(&place.env, FIRST).is_first && place.works(PROFILE);
        if claims && !is_done() {
            broken.push((ForbiddenOutcome::FalseSuccess, tail(&output.stdout)));
        }
        (place, broken)
    }
}

/// Returns whether the issuer accepts a secret in the store: one of the record, or that of the kept answer.
fn is_whole(place: &KillEnv) -> bool {
    let record = phase::record(&place.env).unwrap_or_default();
    let slot = phase::slot(&place.env).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let secrets = [
        text(&record["client_secret"]),
        text(&record["previous"]["client_secret"]),
        phase::answered(&slot),
    ];
    let mut secrets = secrets.into_iter().flatten();
    secrets.any(|secret| place.gets_token(FIRST, &secret))
}

/// Returns whether the daemon says that the rotation needs a manual step. Only one in place may.
fn needs_human(place: &KillEnv, mode: &Mode) -> bool {
    if !mode.is_in_place {
        return false;
    }
    let status = place
        .env
        .get(&place.daemon, &format!("/v1/profiles/{PROFILE}"));
    status.json()["rotation"]["needs_human"] == true
}

/// Runs a program in the background. Its output is added to what is searched for secrets.
pub(super) fn in_background(command: Command) -> JoinHandle<Output> {
    start_in_background(command).1
}

/// The same; also returns its process ID.
fn start_in_background(mut command: Command) -> (u32, JoinHandle<Output>) {
    let child: Child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let output = std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    });
    (id, output)
}

/// Starts a daemon; returns the time to its first token.
fn start(place: &mut KillEnv) -> Duration {
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
            place.daemon.record_proc();
            return served_after;
        }
        starts += 1;
        place.daemon.signal(Signal::KILL);
        place.daemon.wait();
    }
}

/// Waits until no rotation is left or it needs a person, and checks that every request is served meanwhile: from now
/// on, or from the first token on.
pub(super) fn wait_for_end(place: &KillEnv, mode: &Mode, mut is_served: bool) -> Violations {
    let (start, mut looks) = (Instant::now(), 0_u32);
    let mut broken = vec![];
    while !phase::seen(&place.env, FIRST).phase.is_over() {
        if start.elapsed() > END {
            let journal = phase::journal(&place.env).unwrap_or_default();
            let what = format!("the rotation has not ended: {journal}");
            broken.push((ForbiddenOutcome::Orphaned, what));
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        looks += 1;
        if looks.is_multiple_of(5) {
            if needs_human(place, mode) {
                break;
            }
            let wrong = served(place);
            is_served |= wrong.is_none();
            broken.extend(wrong.filter(|_| is_served));
        }
    }
    broken
}

/// Requests a token; returns what is wrong with the answer.
pub(super) fn served(place: &KillEnv) -> Option<(ForbiddenOutcome, String)> {
    let (status, code) = place.answer(PROFILE);
    (status != 200).then(|| {
        let why = last_lines(&place.daemon);
        let what = format!("a request was answered {status} {code}: {why}");
        (ForbiddenOutcome::Late, what)
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
fn judge(place: &mut KillEnv, mode: &Mode, form: Form) -> Violations {
    if needs_human(place, mode) {
        return given_up(place, form);
    }
    let broken = judge_end(place);
    if phase::seen(&place.env, FIRST).is_first {
        // A process that was killed while it made the second slot leaves a token there, until the next rotation.
        place.remove_from_slots();
    }
    broken
}

/// Checks that the rotation in place needs a person with reason, and ends it as a person would.
fn given_up(place: &mut KillEnv, form: Form) -> Violations {
    let mut broken = vec![];
    if !form.has_dying_tokens || is_whole(place) {
        let what = "a person is needed, although the token or a secret works".to_owned();
        broken.push((ForbiddenOutcome::Lost, what));
    }
    let status = place.env.jeton(&["status", PROFILE]);
    if !(status.stdout + &status.stderr).contains("is locked out") {
        let what = "a person is needed, and the status does not say why".to_owned();
        broken.push((ForbiddenOutcome::Lost, what));
    }
    let keys = place.keys();
    let is_there = |key: &Application| keys.iter().any(|other| other.id == key.id);
    for key in place.before.iter().filter(|key| !is_there(key)) {
        broken.push((ForbiddenOutcome::Deleted, key.name.clone()));
    }
    let mut daemon = place.replace_daemon();
    place.env.stop(&mut daemon);
    let removed = place.env.jetond(&["remove", PROFILE, "--yes", "--force"]);
    let is_left = phase::journal(&place.env).is_some() || phase::slot(&place.env).is_some();
    if removed.code != 0 || is_left || !place.left_over().is_empty() {
        let what = format!("the profile cannot be removed: {}", tail(&removed.stderr));
        broken.push((ForbiddenOutcome::Leaked, what));
    }
    place.daemon = place.env.start();
    broken
}

/// Checks what must hold after the end of a rotation.
pub(super) fn judge_end(place: &KillEnv) -> Violations {
    let mut broken = vec![];
    let keys = place.keys();
    let phase::DiskState {
        client_id: in_force,
        is_first,
        ..
    } = phase::seen(&place.env, FIRST);
    let is_there = |key: &Application| keys.iter().any(|other| other.id == key.id);
    let others = place.before.iter().filter(|key| key.client_id != FIRST);
    for key in others.clone().filter(|key| !is_there(key)) {
        broken.push((ForbiddenOutcome::Deleted, key.name.clone()));
    }
    let is_other = |key: &Application| others.clone().any(|other| other.id == key.id);
    for key in keys.iter().filter(|key| !is_other(key)) {
        if key.client_id != in_force {
            broken.push((ForbiddenOutcome::Orphaned, format!("{} stays", key.name)));
        }
    }
    if !place.works(PROFILE) {
        let what = format!("the stored secret of {in_force} gets no token");
        broken.push((ForbiddenOutcome::Lost, what));
    }
    for command in [&["refresh", PROFILE][..], &["status", PROFILE]] {
        let said = place.env.jeton(command);
        if said.code != 0 {
            let what = format!("{command:?}: {}", tail(&said.stderr));
            broken.push((ForbiddenOutcome::Lost, what));
        }
    }
    let checked = place.env.jetond(&["check"]);
    if checked.code != 0 {
        broken.push((
            ForbiddenOutcome::Lost,
            format!("check: {}", tail(&checked.stderr)),
        ));
    }
    let left = place.left_over();
    if !is_first && !left.is_empty() {
        broken.push((ForbiddenOutcome::Leaked, format!("left over: {left:?}")));
    }
    broken
}
