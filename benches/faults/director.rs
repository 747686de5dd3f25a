//! The directors, one for each profile, which set and end its faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::place::{BenchEnv, profile_name};
use super::stage::{HELD, SharedState};
use super::tally::Tally;
use super::way::IssuerFault;
use super::wire;

/// How long a profile is without a first token. It is less than the 5 s after which a rejected credential is retried;
/// the next attempt would come a minute later.
const COLD: Duration = Duration::from_secs(4);

/// A token with this much time left, in seconds, is a new one.
const NEW: u64 = 30;

/// How long a fault continues after the token's expiry.
const OUTLASTS: Duration = Duration::from_secs(6);

/// The interval at which the profile's state is read.
const LOOK: Duration = Duration::from_millis(200);

/// How long a profile may take to recover. A hanging attempt takes 10 s. Each outage here is longer than the 30 s in
/// which callers cause the next attempt soon, so that attempt comes with the back-off at the latest, which is within a
/// minute. The same holds for the attempt with a credential that was rejected twice.
const RECOVERY: Duration = Duration::from_secs(75);

/// A profile's state, as far as its director needs it.
struct State {
    expires_in: Option<u64>,
    failures: u64,
    kind: Option<String>,
}

/// A reader of one profile's state.
struct Watch {
    name: String,
    stage: Arc<SharedState>,
    connection: wire::KeptConnection,
}

impl Watch {
    /// Returns its state now. An invalid reply is reported, and counts as no change.
    async fn look(&mut self, last: State) -> State {
        let target = format!("/v1/profiles/{}", self.name);
        let answer = self
            .connection
            .ask(&self.stage.socket, "GET", &target)
            .await;
        let state = answer.ok().and_then(|answer| State::parse(&answer.body));
        state.unwrap_or_else(|| {
            self.stage.note(format!("{target} was not answered"));
            last
        })
    }

    /// Triggers an attempt now, without waiting for its result.
    async fn refresh(&self) {
        let target = format!("/v1/profiles/{}/refresh", self.name);
        let socket = self.stage.socket.clone();
        tokio::spawn(async move {
            // It fails, as it has to.
            let _ = wire::KeptConnection::default()
                .ask(&socket, "POST", &target)
                .await;
        });
    }
}

impl State {
    fn unknown() -> Self {
        Self {
            expires_in: None,
            failures: 0,
            kind: None,
        }
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(body).ok()?;
        Some(Self {
            expires_in: json["expires_in"].as_u64(),
            failures: json["counts"]["failures"].as_u64()?,
            kind: json["last_fault"]["kind"].as_str().map(str::to_owned),
        })
    }
}

/// Takes a profile, which already has its first fault, through all faults until the run is over. The result is how
/// often the daemon met each fault.
pub(crate) async fn direct(
    profile: usize,
    stage: Arc<SharedState>,
    place: Arc<BenchEnv>,
) -> Vec<Tally> {
    let faults = stage.ways.len();
    let mut tallies = vec![Tally::default(); faults + 1];
    let mut watch = Watch {
        name: profile_name(profile),
        stage: stage.clone(),
        connection: wire::KeptConnection::default(),
    };
    tokio::time::sleep(COLD).await;
    let mut way = profile;
    for turn in 0.. {
        place.put(profile, None).await;
        stage.put(profile, None);
        let Some(before) = recovered(&mut watch, &mut tallies[way]).await else {
            break;
        };
        way = (profile + turn) % faults;
        stage.put(profile, Some(way));
        place.put(profile, Some(stage.ways[way])).await;
        watch.refresh().await;
        if !endured(&mut watch, stage.ways[way], before, &mut tallies[way]).await {
            break;
        }
        if turn == 0 {
            stage.opened();
        }
    }
    tallies
}

/// Waits for a new token; `None` if the run is over before.
async fn recovered(watch: &mut Watch, tally: &mut Tally) -> Option<State> {
    let start = Instant::now();
    let mut state = State::unknown();
    while !watch.stage.is_over() {
        state = watch.look(state).await;
        tally.recovery = tally.recovery.max(start.elapsed());
        if state.expires_in >= Some(NEW) {
            return Some(state);
        }
        if start.elapsed() > RECOVERY {
            let what = format!("no token {RECOVERY:?} after {:?} was over", state.kind);
            watch.stage.note(format!("{}: {what}", watch.name));
            // No client waits for it any longer.
            watch.stage.opened();
            return None;
        }
        tokio::time::sleep(LOOK).await;
    }
    None
}

/// Counts how often the fault is met until it has lasted long enough after the token's expiry. Returns whether that was
/// before the run was over.
async fn endured(watch: &mut Watch, way: &IssuerFault, before: State, tally: &mut Tally) -> bool {
    let mut ended: Option<Instant> = None;
    let mut state = before;
    while ended.is_none_or(|ended| ended.elapsed() < OUTLASTS) {
        if watch.stage.is_over() {
            return false;
        }
        tokio::time::sleep(LOOK).await;
        let seen = state.failures;
        state = watch.look(state).await;
        let more = state.failures - seen;
        if more > 0 && state.kind.as_deref() != Some(way.told_as) {
            let (kind, fault) = (&state.kind, way.fault);
            watch.stage.note(format!("{fault} is told as {kind:?}"));
        }
        tally.met += more;
        if state.expires_in >= Some(HELD) {
            tally.met_held += more;
        }
        if state.expires_in.is_none() {
            ended.get_or_insert_with(Instant::now);
        }
    }
    true
}
