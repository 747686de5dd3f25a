//! The events on the machine: requests, rotations, and faults of everything around the daemon.

use std::sync::Arc;
use std::time::Duration;

use jetond::daemon::rotating::Rotations;
use jetond::daemon::service::SocketKind;
use jetond::instant::UnixTime;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::bug::Bug;
use super::history::Event;
use super::process;
use super::world::{Reliability, World};
use crate::clients::{answer, status_and_body};
use crate::daemon::Daemon;
use crate::world::UID;

/// A client without an answer gives up this long after its deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest time without events after everything works again. A rotation that began without a token may keep the
/// old key for days.
const MOST_DAYS: Duration = Duration::from_secs(14 * 86_400);

/// Longer than any wait of the schedule.
const RECOVERY: Duration = Duration::from_secs(17 * 60);

/// The maximum number of rotations in a run.
const ROTATIONS: u32 = 6;

/// A rotation in place needs tokens that last longer than this.
const LASTING: Duration = Duration::from_secs(1_000);

struct Story {
    world: Arc<World>,
    daemon: Arc<Daemon>,
    rotations: Arc<Rotations>,
    clients: JoinSet<()>,
    /// Since when this process has driven the rotation in place that needs a person, which tells one from the next.
    needs_human: Option<UnixTime>,
    /// The same for the one for which a person has stored another secret.
    mended: Option<UnixTime>,
}

/// A rotation that a person requests.
#[derive(Debug, Clone, Copy)]
struct Wish {
    finish: bool,
    in_place: bool,
    /// When the person disconnects.
    leaves: Duration,
}

/// Runs one process of the machine; returns whether the run has ended with it.
pub(super) async fn live(world: &Arc<World>) -> bool {
    let is_over = tokio::select! { biased;
        () = world.kill.notified() => false,
        () = lives(world) => true,
    };
    if !is_over {
        world.look();
        world.state().end_process();
    }
    is_over
}

async fn lives(world: &Arc<World>) {
    let (daemon, rotations) = process::start(world).await;
    let mut story = Story {
        world: Arc::clone(world),
        daemon: Arc::new(daemon),
        rotations,
        clients: JoinSet::new(),
        needs_human: None,
        mended: None,
    };
    while world.state().steps > 0 {
        world.state().steps -= 1;
        story.step().await;
        tokio::time::sleep(story.pause()).await;
    }
    story.end().await;
}

impl Story {
    async fn step(&mut self) {
        self.observe();
        let mends = self.world.state().rng.u8(0..4) == 0;
        if mends && self.may_mend() {
            return self.mend();
        }
        let kind = self.world.state().rng.u8(0..100);
        match kind {
            0..35 => self.ask(),
            35..52 => self.rotate(),
            52..74 => self.turn_a_mood(),
            74..82 => self.suspend().await,
            82..88 => self.jump(),
            88..94 => self.kill(),
            _ => self.reload(),
        }
    }

    /// Draws the time until the next event.
    fn pause(&self) -> Duration {
        let rng = &mut self.world.state().rng;
        let millis = match rng.u8(0..10) {
            0..3 => 0..500,
            3..6 => 500..20_000,
            6 | 7 => 20_000..150_000,
            _ => return self.world.lifetime.mul_f64(rng.f64() * 1.8),
        };
        Duration::from_millis(rng.u64(millis))
    }

    /// Sends requests for tokens from several clients.
    fn ask(&mut self) {
        let many = self.world.state().rng.u8(1..5);
        for _ in 0..many {
            let wait = match self.world.state().rng.u8(0..4) {
                0 => 0,
                1 | 2 => 5,
                _ => 60,
            };
            let ask = ask(
                self.connect(),
                Arc::clone(&self.world),
                Duration::from_secs(wait),
            );
            self.clients.spawn(ask);
        }
    }

    /// Requests a rotation as a person would, and disconnects sooner or later.
    fn rotate(&mut self) {
        let (is_open, rotations, wish) = {
            let state = &mut *self.world.state();
            let leaves = Duration::from_millis(state.rng.u64(0..300_000));
            let finish = state.rng.u8(0..4) == 0;
            let is_long = self.world.lifetime > LASTING;
            let in_place = state.rng.u8(0..8) < if is_long { 6 } else { 1 };
            let wish = Wish {
                finish: finish && !in_place,
                in_place,
                leaves,
            };
            (state.is_open, state.tally.all_rotations(), wish)
        };
        // A request to finish an open rotation is rare, so that rotations also end in other ways.
        if rotations < ROTATIONS && (!is_open || (wish.finish && wish.leaves.as_secs() < 100)) {
            self.rotate_so(wish);
        }
    }

    fn rotate_so(&mut self, wish: Wish) {
        let rotate = rotate(self.connect(), Arc::clone(&self.world), wish);
        self.clients.spawn(rotate);
    }

    /// Records when the status begins to show that a rotation in place needs a person.
    fn observe(&mut self) {
        let shown = self.rotations.shown(&self.world.name);
        let is_in_place = self.world.state().is_in_place;
        let needy = shown.filter(|shown| is_in_place && shown.needs_human);
        let needy = needy.map(|shown| shown.since);
        let needs_human = needy.filter(|since| self.mended != Some(*since));
        if needs_human.is_some() && needs_human != self.needs_human {
            let state = &mut *self.world.state();
            state.tally.needed_human += 1;
            state.push(Event::NeedsHuman);
        }
        if needs_human.is_some() && self.world.bug == Some(Bug::RestlessStore) {
            self.world.empty_slot();
        }
        self.needs_human = needs_human;
    }

    /// Returns whether a person is needed, and no earlier write of a keyring could undo what the person stores.
    fn may_mend(&self) -> bool {
        self.needs_human.is_some() && self.world.state().late_writes.is_empty()
    }

    /// Stores another secret, as the person does whom the rotation needs.
    fn mend(&mut self) {
        self.mended = self.needs_human.take();
        self.world.mend();
        self.reload();
    }

    fn turn_a_mood(&self) {
        let state = &mut *self.world.state();
        let is = Reliability::draw(&mut state.rng);
        let moods = &mut state.moods;
        let (of, mood) = match state.rng.u8(0..6) {
            0 => ("the token endpoint", &mut moods.tokens),
            1 | 2 => ("the disk", &mut moods.disk),
            _ => ("the API of keys", &mut moods.api),
        };
        *mood = is;
        let is = is.as_str();
        state.push(Event::Mood { of, is });
    }

    async fn suspend(&self) {
        // Immediate work is finished when a machine goes to sleep.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let lifetime = self.world.lifetime;
        let state = &mut *self.world.state();
        let by = match state.rng.u8(0..3) {
            0 => Duration::from_millis(state.rng.u64(1..60_000)),
            1 => lifetime.mul_f64(state.rng.f64() * 1.5),
            _ => Duration::from_secs(state.rng.u64(60..8 * 3_600)),
        };
        if let Some(clock) = &state.machine.clock {
            clock.suspend(by);
        }
        state.tally.disturbed += u32::from(state.is_open);
        state.push(Event::Suspended { by });
    }

    fn jump(&self) {
        /// More than a year.
        const FAR: i64 = 400 * 86_400;
        let state = &mut *self.world.state();
        let seconds = match state.rng.bool() {
            true => state.rng.i64(-FAR..=FAR),
            false => state.rng.i64(-7_200..=7_200),
        };
        if let Some(clock) = &state.machine.clock {
            clock.jump(seconds);
        }
        state.machine.stepped += seconds;
        state.tally.disturbed += u32::from(state.is_open);
        state.push(Event::Stepped { seconds });
    }

    fn kill(&self) {
        self.world.kill.notify_one();
    }

    fn reload(&mut self) {
        self.world.record(Event::Reloads);
        let mut stream = self.daemon.connect(SocketKind::Admin, UID);
        self.clients.spawn(async move {
            let text = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            // A process that stops accepts no connection.
            let _: std::io::Result<()> = stream.write_all(text.as_bytes()).await;
            let mut bytes = vec![];
            let _: std::io::Result<usize> = stream.read_to_end(&mut bytes).await;
        });
    }

    fn connect(&self) -> impl Fn(SocketKind) -> tokio::io::DuplexStream + Send + 'static {
        let daemon = Arc::clone(&self.daemon);
        move |door| daemon.connect(door, UID)
    }

    /// Makes everything work from now on. The open rotation ends; if there was none, a last one is made.
    async fn end(&mut self) {
        self.world.calm();
        tokio::time::sleep(RECOVERY).await;
        let asks_again = {
            let state = self.world.state();
            state.was_refused && state.is_open
        };
        const AGAIN: Wish = Wish {
            finish: false,
            in_place: false,
            leaves: PATIENCE,
        };
        if asks_again {
            self.rotate_so(AGAIN);
        }
        self.settle().await;
        if self.may_mend() {
            self.mend();
            self.settle().await;
        }
        if self.world.state().tally.all_rotations() == 0 {
            self.rotate_so(AGAIN);
            self.settle().await;
        }
        self.ask();
        self.leave().await;
        let left = self.left();
        let state = &mut *self.world.state();
        let rotations = state.tally.rotations;
        state.push(Event::End { rotations, left });
    }

    /// Waits until every client has disconnected.
    async fn leave(&mut self) {
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }

    /// Waits a limited time until no rotation is open or it needs a person. One that was just requested may not be
    /// written down yet.
    async fn settle(&mut self) {
        self.leave().await;
        let mut waited = Duration::ZERO;
        let mut pause = self.world.lifetime.max(Duration::from_secs(61));
        while !self.world.is_settled() && self.needs_human.is_none() && waited < MOST_DAYS {
            tokio::time::sleep(pause).await;
            self.observe();
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(6 * 3_600));
        }
    }

    /// Returns what is left of a rotation.
    fn left(&self) -> Vec<&'static str> {
        let is_settled = self.world.is_settled();
        let state = self.world.state();
        let is_current = |number| state.current() == Some(number);
        let keys = state.plane.keys();
        let has_others = keys.iter().any(|key| !is_current(key.number));
        // Nothing reads a keyring without need, so that a rest may stay there until the next rotation.
        let has_slot = self.world.is_file() && state.has_slot();
        let left = [
            (!is_settled, "a rotation that is open"),
            (has_slot, "a token that a rotation kept"),
            (has_others, "a key that nothing needs"),
            (keys.is_empty(), "no key"),
            (state.tally.all_rotations() == 0, "no rotation"),
        ];
        let left = left.into_iter().filter(|(is_so, _)| *is_so);
        left.map(|(_, what)| what).collect()
    }
}

/// Runs one client, which wants a token.
async fn ask(
    connect: impl Fn(SocketKind) -> tokio::io::DuplexStream,
    world: Arc<World>,
    max_wait: Duration,
) {
    let request = {
        let state = &mut *world.state();
        let request = state.next_request();
        state.push(Event::Asked { request, max_wait });
        request
    };
    let (name, wait) = (&world.name, max_wait.as_secs());
    let text = format!(
        "GET /v1/profiles/{name}/token?max_wait={wait} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    let mut stream = connect(SocketKind::Tokens);
    let answered = async {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = vec![];
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let text = tokio::time::timeout(max_wait + PATIENCE, answered).await;
    let Ok(text) = text else {
        return world.record(Event::Silence { request });
    };
    let (status, body) = status_and_body(&text);
    let token = answer(status, body, false).token;
    let token = token.and_then(|token| token.strip_prefix("tok-")?.parse().ok());
    let state = &mut *world.state();
    state.tally.requests += 1;
    let token = state.passed_on(world.bug, token);
    state.push(Event::Answered { request, token });
}

/// Requests a rotation as a person would, and reads its steps until it disconnects.
async fn rotate(
    connect: impl Fn(SocketKind) -> tokio::io::DuplexStream,
    world: Arc<World>,
    wish: Wish,
) {
    let Wish {
        finish,
        in_place,
        leaves,
    } = wish;
    world.record(Event::Rotates { finish, in_place });
    let name = &world.name;
    let body = format!("{{\"finish\":{finish},\"in_place\":{in_place},\"wait\":true}}");
    let length = body.len();
    let text = format!(
        "POST /v1/profiles/{name}/rotate HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = connect(SocketKind::Admin);
    let mut bytes = vec![];
    let read = async {
        // A process that stops accepts no connection.
        let _: std::io::Result<()> = stream.write_all(text.as_bytes()).await;
        let _: std::io::Result<usize> = stream.read_to_end(&mut bytes).await;
    };
    // The rotation goes on after its caller has disconnected.
    let _: Result<(), _> = tokio::time::timeout(leaves, read).await;
    let text = String::from_utf8(bytes).unwrap();
    let (_, body) = status_and_body(&text);
    for line in body.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let text_of = |key| line.get(key).and_then(Value::as_str);
        if let Some(step) = text_of("step").or_else(|| text_of("code")) {
            let end = text_of("end").unwrap_or_default();
            world.state().was_refused |= end == "failed";
            let step = format!("{step} {end}");
            world.record(Event::Told { step });
        }
    }
}
