//! The events around the daemon: requests, and changes of the machine, the stores and the configuration.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jetond::lifecycle::Phase;
use tokio::task::JoinSet;

use crate::clients::Client;
use crate::coverage::EventKind;
use crate::daemon::Daemon;
use crate::history::{Ask, Event, StoreFailure};
use crate::world::{OTHERS, Reliability, SeenToken, Subject, UID, World};

/// The number of events in one run.
const STEPS: usize = 120;

/// Longer than any wait of the schedule.
const RECOVERY: Duration = Duration::from_secs(16 * 60);

/// Ten years.
const FAR: i64 = 10 * 365 * 86_400;

/// The course of one run.
pub(crate) struct Story {
    pub(crate) world: Arc<World>,
    pub(crate) daemon: Arc<Daemon>,
    clients: JoinSet<()>,
}

impl Story {
    pub(crate) fn new(world: &Arc<World>, daemon: Daemon) -> Self {
        Self {
            world: Arc::clone(world),
            daemon: Arc::new(daemon),
            clients: JoinSet::new(),
        }
    }

    /// Plays the run to its end. After all events, everything must be served again.
    pub(crate) async fn play(mut self) {
        for _ in 0..STEPS {
            self.step().await;
            tokio::time::sleep(self.pause()).await;
        }
        self.world.calm();
        self.ask(0, Ask::Reload, None);
        tokio::time::sleep(RECOVERY).await;
        for profile in 0..self.count() {
            let ask = Ask::Token {
                min_valid: Duration::ZERO,
                max_wait: Duration::from_secs(60),
                plain: false,
            };
            self.ask(profile, ask, None);
        }
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        self.world.record(Event::End);
    }

    fn count(&self) -> usize {
        self.world.state().subjects.len()
    }

    fn rng<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.world.state().rng)
    }

    fn ask(&mut self, profile: usize, ask: Ask, hangs_up: Option<Duration>) {
        let client = self.someone(profile);
        self.clients.spawn(client.ask(ask, hangs_up));
    }

    fn someone(&self, profile: usize) -> Client {
        Client {
            world: Arc::clone(&self.world),
            daemon: Arc::clone(&self.daemon),
            profile,
            uid: UID,
        }
    }

    /// Returns a client that reports a token: of our own user, of root, or of another user.
    fn reporter(&self, profile: usize) -> Client {
        let uid = self.rng(|rng| match rng.u8(0..8) {
            0..3 => UID,
            3 => 0,
            _ => OTHERS[rng.usize(0..OTHERS.len())],
        });
        Client {
            uid,
            ..self.someone(profile)
        }
    }

    /// Draws the time until the next event: from zero to several lifetimes of a token. It may be too short for
    /// running work to end.
    fn pause(&self) -> Duration {
        let count = self.count();
        let starting = (0..count).any(|p| self.world.phase(p) == Some(Phase::Starting));
        let state = &mut *self.world.state();
        let rng = &mut state.rng;
        let scale = state.subjects[rng.usize(0..count)].scale;
        let shortest = state.subjects.iter().map(|subject| subject.scale).min();
        let long = shortest.map_or(scale, |shortest| scale.min(shortest * 20));
        // It is sometimes a day, but mostly a time for many calls, not thousands.
        let most = if rng.u8(0..8) == 0 { 86_400 } else { 3_600 };
        let long = long.min(Duration::from_secs(most));
        let kind = rng.u8(0..10);
        if starting && kind < 8 {
            return Duration::from_millis(rng.u64(0..400));
        }
        match kind {
            0 | 1 => Duration::from_millis(rng.u64(0..100)),
            2..5 => Duration::from_millis(rng.u64(100..5_000)),
            5 | 6 => Duration::from_millis(rng.u64(5_000..60_000)),
            7 => Duration::from_millis(rng.u64(60_000..240_000)),
            _ => long.mul_f64(rng.f64() * 1.5),
        }
    }

    async fn step(&mut self) {
        let count = self.count();
        let profile = self.rng(|rng| rng.usize(0..count));
        match self.rng(|rng| rng.u8(0..100)) {
            0..27 => self.client(profile),
            27..32 => self.burst(profile),
            32..36 => self.refresh(profile),
            36..44 => self.report(profile),
            44..47 => self.watch(profile),
            47..57 => self.turn_the_mood(profile),
            57..66 => self.turn_the_store(profile),
            66..70 => self.new_secret(profile),
            70..76 => self.suspend().await,
            76..82 => self.jump(),
            _ => self.reload(profile),
        }
    }

    /// Sends a request of some kind. A profile that is not busy gets only requests that read its state.
    fn client(&mut self, profile: usize) {
        let (ask, hangs_up) = {
            let state = &mut *self.world.state();
            draw_ask(&state.subjects[profile], &mut state.rng)
        };
        if hangs_up.is_some() {
            self.world.meets(profile, EventKind::HangUp);
        }
        self.ask(profile, ask, hangs_up);
    }

    fn burst(&mut self, profile: usize) {
        self.world.meets(profile, EventKind::Burst);
        for _ in 0..self.rng(|rng| rng.u8(2..24)) {
            let scale = self.world.state().subjects[profile].scale;
            let ask = self.rng(|rng| draw_token(scale, rng));
            self.ask(profile, ask, None);
        }
    }

    fn refresh(&mut self, profile: usize) {
        self.world.meets(profile, EventKind::Refresh);
        self.ask(profile, Ask::Refresh, None);
    }

    /// Sends reports of a rejected token, mostly of the newest one; some are wrong.
    fn report(&mut self, profile: usize) {
        let seen = {
            let state = &mut *self.world.state();
            let (rng, seen) = (&mut state.rng, &state.subjects[profile].seen);
            let Some(newest) = seen.last() else { return };
            match rng.u8(0..10) {
                0 => SeenToken {
                    generation: rng.u64(1..1 << 52),
                    token: 0,
                    ..*newest
                },
                1..3 => seen[rng.usize(0..seen.len())],
                _ => *newest,
            }
        };
        let many = self.rng(|rng| if rng.bool() { 1 } else { rng.u8(1..12) });
        for _ in 0..many {
            let wait = self.rng(draw_wait);
            let client = self.reporter(profile);
            let ask = client.report(seen, wait);
            self.clients.spawn(client.ask(ask, None));
        }
    }

    fn watch(&mut self, profile: usize) {
        self.world.meets(profile, EventKind::Watch);
        let client = self.someone(profile);
        let (times, long, slow) = {
            let state = &mut *self.world.state();
            let scale = state.subjects[profile].scale;
            let rng = &mut state.rng;
            let long = scale
                .mul_f64(rng.f64() * 3.0)
                .min(Duration::from_secs(1_800));
            let slow = if rng.u8(0..3) == 0 {
                rng.u64(0..9_000)
            } else {
                0
            };
            (rng.u32(1..4), long, Duration::from_millis(slow))
        };
        self.clients.spawn(client.watch(times, long, slow));
    }

    fn turn_the_mood(&self, profile: usize) {
        let state = &mut *self.world.state();
        let subject = &mut state.subjects[profile];
        subject.mood = Reliability::draw(&mut state.rng);
        subject.is_busy = state.rng.u8(0..3) > 0;
        subject.is_rejecting = state.rng.u8(0..4) == 0;
    }

    fn turn_the_store(&self, profile: usize) {
        let (kind, takes) = self.rng(|rng| (rng.u8(0..10), rng.u64(0..2_500)));
        let secret = self.world.state().subjects[profile].stored.unwrap_or(0);
        let stored = match kind {
            0..=2 => Err(StoreFailure::NotEnrolled),
            3..=5 => Err(StoreFailure::Unusable),
            _ => Ok(secret),
        };
        match stored {
            Err(StoreFailure::NotEnrolled) => self.world.meets(profile, EventKind::StoreEmpty),
            Err(_) => self.world.meets(profile, EventKind::StoreBroken),
            Ok(_) => {}
        }
        let takes = if kind > 7 { takes } else { 0 };
        self.world.state().subjects[profile].load_takes = Duration::from_millis(takes);
        self.world.store(profile, stored);
    }

    /// Stores another secret as a person would, mostly with a request that the daemon reads it.
    fn new_secret(&mut self, profile: usize) {
        self.world.meets(profile, EventKind::NewSecret);
        let secret = self.rng(|rng| rng.u32(1..1_000_000));
        self.world.store(profile, Ok(secret));
        if self.rng(|rng| rng.u8(0..3)) > 0 {
            self.reload_with(profile, |_| {});
        }
    }

    async fn suspend(&self) {
        // Immediate work is finished when a machine goes to sleep.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.world.all_meet(EventKind::Suspend);
        let by = {
            let count = self.count();
            let state = &mut *self.world.state();
            let rng = &mut state.rng;
            let scale = state.subjects[rng.usize(0..count)].scale;
            match rng.u8(0..6) {
                0 => Duration::from_millis(rng.u64(1..2_000)),
                1 => Duration::from_millis(rng.u64(2_000..60_000)),
                2 | 3 => scale.mul_f64(rng.f64()),
                4 => Duration::from_secs(rng.u64(60..3_600)),
                _ => Duration::from_secs(8 * 3_600),
            }
        };
        self.world.clock.suspend(by);
        self.world.record(Event::Suspended { by });
    }

    fn jump(&self) {
        let seconds = self.rng(|rng| match rng.u8(0..4) {
            0 => rng.i64(-10..=10),
            1 => rng.i64(-7_200..=7_200),
            _ => rng.i64(-FAR..=FAR),
        });
        let met = if seconds < 0 {
            EventKind::JumpBack
        } else {
            EventKind::JumpForward
        };
        self.world.all_meet(met);
        self.world.clock.jump(seconds);
        self.world.record(Event::Jumped { seconds });
    }

    /// Writes the configuration again and reloads it, mostly with a change of this profile.
    fn reload(&mut self, profile: usize) {
        let named = self.world.state().subjects[profile].configured.is_some();
        let (kind, number) = self.rng(|rng| (rng.u8(0..6), rng.u32(1..1_000_000)));
        match kind {
            0 => self.reload_with(profile, |_| {}),
            1 if named => {
                self.world.meets(profile, EventKind::ReloadRemoved);
                self.reload_with(profile, |subject| subject.configured = None);
            }
            _ => {
                self.world.meets(profile, EventKind::ReloadChanged);
                self.reload_with(profile, |subject| subject.change(number));
            }
        }
    }

    fn reload_with(&mut self, profile: usize, change: impl FnOnce(&mut Subject)) {
        let count = self.count();
        let configured = |story: &Self, profile: usize| {
            let state = story.world.state();
            state.subjects[profile].configured.clone()
        };
        let before: Vec<_> = (0..count)
            .map(|profile| configured(self, profile))
            .collect();
        change(&mut self.world.state().subjects[profile]);
        for (profile, before) in before.into_iter().enumerate() {
            if before.is_some() && before == configured(self, profile) {
                self.world.meets(profile, EventKind::ReloadKept);
            }
        }
        self.ask(profile, Ask::Reload, None);
    }
}

/// Draws a request, and the time after which the client hangs up.
fn draw_ask(subject: &Subject, rng: &mut Rng) -> (Ask, Option<Duration>) {
    match rng.u8(if subject.is_busy { 0 } else { 8 }..10) {
        0..7 => {
            let hangs_up = (rng.u8(0..4) == 0).then(|| Duration::from_millis(rng.u64(0..5_000)));
            (draw_token(subject.scale, rng), hangs_up)
        }
        7 => (Ask::Oauth2, None),
        8 => (Ask::Status, None),
        _ => (Ask::Ready, None),
    }
}

fn draw_token(scale: Duration, rng: &mut Rng) -> Ask {
    let min_valid = match rng.u8(0..6) {
        0 => scale.mul_f64(rng.f64()),
        1 => Duration::from_secs(rng.u64(0..60)),
        2 => Duration::from_secs(86_400),
        _ => Duration::ZERO,
    };
    Ask::Token {
        min_valid: min_valid.min(Duration::from_secs(86_400)),
        max_wait: draw_wait(rng),
        plain: rng.u8(0..4) == 0,
    }
}

fn draw_wait(rng: &mut Rng) -> Duration {
    match rng.u8(0..8) {
        0 => Duration::ZERO,
        1 => Duration::from_millis(rng.u64(1..2_000)),
        2 => Duration::from_secs(60),
        3 => Duration::from_millis(rng.u64(0..60_000)),
        _ => Duration::from_secs(5),
    }
}
