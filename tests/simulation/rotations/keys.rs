//! The API of keys, which loses calls and answers.

use std::sync::Arc;
use std::time::Duration;

use jetond::applications::{
    ApiError, ApiErrorKind, ApiFuture, CreatedKey, Family, KeyIssuer, KeyName, Kind, Listed,
    RegeneratedKey, Reply, Roles,
};
use jetond::credential::{ClientSecret, RawAnswer};
use jetond::fault::FaultKind;
use jetond::instant::UnixTime;

use super::bug::Bug;
use super::history::Event;
use super::plane::{Change, Key, NotMade, unix};
use super::world::{Reliability, State, World};

/// The latest time at which a lost call is executed. The rest of a minute is for the list, which lags.
const LATEST: Duration = Duration::from_secs(45);

/// The same with a bug.
const TARDY: Duration = Duration::from_secs(300);

/// The longest time for which some replicas do not know a new secret of a key.
const REPLICAS: Duration = Duration::from_secs(100);

/// The same with a bug.
const SLOW_REPLICAS: Duration = Duration::from_secs(1_200);

/// The maximum lag of a list.
const LAG: Duration = Duration::from_secs(10);

/// The timeout of a call.
const DEADLINE: Duration = Duration::from_secs(10);

/// The API with one token.
pub(super) struct Keys {
    pub(super) world: Arc<World>,
    pub(super) token: Option<u32>,
}

/// The fate of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallOutcome {
    Answer,
    Refuse(ApiErrorKind),
    Lose,
    /// The server executes the call, but its answer is lost or a server failure.
    LoseAnswer(ApiErrorKind),
    Late(Duration),
    Twice(Duration),
}

// === impl Fate ===

impl CallOutcome {
    fn draw(call: &'static str, state: &mut State) -> Self {
        let fails = state.moods.api.fails(55, &mut state.rng);
        let (mood, rng) = (state.moods.api, &mut state.rng);
        let timeout = ApiErrorKind::Unreachable(FaultKind::Timeout);
        let is_making = matches!(call, "create" | "regenerate");
        let fate = match rng.u8(0..12) {
            _ if !fails => Self::Answer,
            _ if mood == Reliability::Outage && rng.bool() => {
                Self::Refuse(ApiErrorKind::Unreachable(FaultKind::Connect))
            }
            0 | 1 => Self::Refuse(ApiErrorKind::Busy),
            2 if is_making && rng.bool() => Self::Refuse(ApiErrorKind::Forbidden),
            2 | 3 => Self::Lose,
            4 | 5 => Self::LoseAnswer(timeout),
            6 | 7 => Self::LoseAnswer(ApiErrorKind::Busy),
            8..11 => Self::Late(Duration::from_millis(rng.u64(1..LATEST.as_secs() * 1_000))),
            _ => Self::Twice(Duration::from_millis(rng.u64(1..LATEST.as_secs() * 1_000))),
        };
        let tally = &mut state.tally;
        match fate {
            Self::Answer => {}
            Self::Refuse(_) | Self::Lose => tally.refused += 1,
            Self::LoseAnswer(_) => tally.lost += 1,
            Self::Late(_) => tally.late += 1,
            Self::Twice(_) => tally.twice += 1,
        }
        let fate_text = format!("{fate:?}");
        state.push(Event::Api {
            call,
            fate: fate_text,
        });
        fate
    }
}

// === impl Keys ===

impl Keys {
    /// Sends the call; returns its fate at the server.
    async fn send(&self, call: &'static str) -> Result<CallOutcome, ApiError> {
        self.world.point().await;
        let (fate, takes) = {
            let state = &mut *self.world.state();
            let takes = Duration::from_millis(state.rng.u64(1..400));
            (CallOutcome::draw(call, state), takes)
        };
        tokio::time::sleep(takes).await;
        let state = self.world.state();
        let token = self.token.and_then(|token| state.tokens.get(&token));
        let is_valid =
            token.is_some_and(|(secret, end)| *end > state.now() && state.plane.accepts(*secret));
        match fate {
            CallOutcome::Answer | CallOutcome::LoseAnswer(_) | CallOutcome::Twice(_)
                if !is_valid =>
            {
                Err(trouble(ApiErrorKind::Unauthorized))
            }
            // The server executes nothing for an invalid token.
            CallOutcome::Late(_) if !is_valid => Ok(CallOutcome::Lose),
            fate => Ok(fate),
        }
    }

    async fn change(&self, call: &'static str, change: Change) -> Reply<Key> {
        let fate = match self.send(call).await {
            Ok(fate) => fate,
            Err(trouble) => return Reply::Refused(trouble),
        };
        let reply = self.made(fate, &change);
        self.world.point().await;
        let is_lost = matches!(&reply, Reply::Lost(lost) if lost.kind != ApiErrorKind::Busy);
        let wait = if is_lost {
            DEADLINE
        } else {
            Duration::from_millis(5)
        };
        tokio::time::sleep(wait).await;
        reply
    }

    /// Makes the change at the server, or not, by the call's fate.
    fn made(&self, fate: CallOutcome, change: &Change) -> Reply<Key> {
        let state = &mut *self.world.state();
        let now = state.now();
        let timeout = ApiErrorKind::Unreachable(FaultKind::Timeout);
        let done = match fate {
            CallOutcome::Refuse(kind) => return Reply::Refused(trouble(kind)),
            CallOutcome::Lose => return Reply::Lost(lost(timeout)),
            CallOutcome::Late(by) => {
                let is_tardy = self.world.bug == Some(Bug::TardyIssuer);
                let by = if is_tardy { by + TARDY } else { by };
                state.plane.execute_late(now + by, change.clone());
                return Reply::Lost(lost(timeout));
            }
            CallOutcome::Answer | CallOutcome::LoseAnswer(_) | CallOutcome::Twice(_) => {
                self.execute(state, change)
            }
        };
        match (fate, done) {
            (CallOutcome::LoseAnswer(kind), _) => Reply::Lost(lost(kind)),
            (_, Err(NotMade::NameTaken)) => Reply::Refused(trouble(ApiErrorKind::Conflict)),
            (_, Err(NotMade::NoSuchKey)) => Reply::Refused(trouble(ApiErrorKind::NotFound)),
            // The copy of an answered regeneration comes with it, and either may be answered. No client could notice
            // a later one, which would revoke the secret of the answer.
            (CallOutcome::Twice(by), Ok(key)) if matches!(change, Change::Renew(..)) => {
                let last = self.execute(state, change).unwrap_or_else(|_| key.clone());
                let is_first = by.as_millis().is_multiple_of(2);
                Reply::Done(if is_first { key } else { last })
            }
            (CallOutcome::Twice(by), Ok(key)) => {
                state.plane.execute_late(now + by, change.clone());
                Reply::Done(key)
            }
            (_, Ok(key)) => Reply::Done(key),
        }
    }

    /// Makes the change at the server, with the planted bug.
    fn execute(&self, state: &mut State, change: &Change) -> Result<Key, NotMade> {
        let now = state.now();
        let late = state.plane.catch_up(now);
        state.history.0.extend(late);
        let (mut changes, bug) = (vec![change.clone()], self.world.bug);
        match (bug, change) {
            (Some(Bug::KeepsOldKey), Change::Delete(id)) => {
                let keys = state.plane.keys().iter();
                let kept = keys.clone().find(|key| key.id() == *id);
                return kept.cloned().ok_or(NotMade::NoSuchKey);
            }
            (Some(Bug::ManyNames), Change::Create(name, lag)) => {
                let name = format!("{name}-{}", state.rng.u32(..));
                changes = vec![Change::Create(name, *lag)];
            }
            (Some(Bug::DeletesEarly), Change::Create(..)) => {
                let old = state
                    .plane
                    .keys()
                    .iter()
                    .map(|key| Change::Delete(key.id()));
                changes.extend(old);
            }
            _ => {}
        }
        let mut done = None;
        for change in &changes {
            let (key, what) = state.plane.execute(now, change)?;
            state.push(what);
            done = done.or(Some(key));
        }
        done.ok_or(NotMade::NoSuchKey)
    }
}

impl KeyIssuer for Keys {
    fn list(&self, kind: Kind) -> ApiFuture<'_, Result<Listed, ApiError>> {
        Box::pin(async move {
            match self.send("list").await? {
                CallOutcome::Answer | CallOutcome::Twice(_) => {}
                CallOutcome::Refuse(kind) => return Err(trouble(kind)),
                CallOutcome::Lose | CallOutcome::LoseAnswer(_) | CallOutcome::Late(_) => {
                    tokio::time::sleep(DEADLINE).await;
                    return Err(lost(ApiErrorKind::Unreachable(FaultKind::Timeout)));
                }
            }
            if kind != Kind::Auto {
                return Err(trouble(ApiErrorKind::NoSuchEndpoint));
            }
            let state = &mut *self.world.state();
            let now = state.now();
            let late = state.plane.catch_up(now);
            state.history.0.extend(late);
            let is_late = !state.is_calm && state.rng.u8(0..4) == 0;
            let lag = match is_late {
                true => LAG.mul_f64(state.rng.f64()),
                false => Duration::ZERO,
            };
            let mut keys = state.plane.list(now.saturating_sub(lag));
            if self.world.bug == Some(Bug::NoLastLook) {
                keys.retain(|key| state.needs(&key.client_id));
            }
            Ok(Listed {
                family: Family::AccessKeys,
                keys,
                may_have_more: false,
                server_date: Some(date(now)),
            })
        })
    }

    fn create<'a>(&'a self, _: Family, name: &'a KeyName) -> ApiFuture<'a, Reply<CreatedKey>> {
        Box::pin(async move {
            let lag = draw_lag(&mut self.world.state());
            let change = Change::Create(name.as_str().to_owned(), lag);
            match self.change("create", change).await {
                Reply::Done(key) => Reply::Done(CreatedKey {
                    id: key.id(),
                    client_id: key.client_id(),
                    secret: ClientSecret::parse(&key.secret()).unwrap(),
                    server_date: Some(date(self.world.state().now())),
                }),
                Reply::Refused(trouble) => Reply::Refused(trouble),
                Reply::Lost(trouble) => Reply::Lost(trouble),
            }
        })
    }

    fn regenerate<'a>(&'a self, _: Family, id: &'a str) -> ApiFuture<'a, Reply<RegeneratedKey>> {
        Box::pin(async move {
            let lag = draw_lag(&mut self.world.state()).min(REPLICAS);
            let lag = match self.world.bug {
                Some(Bug::SlowReplicas) => SLOW_REPLICAS,
                _ => lag,
            };
            let change = Change::Renew(id.to_owned(), lag);
            let reply = match self.change("regenerate", change).await {
                Reply::Done(key) => Reply::Done(renewed(&key)),
                Reply::Refused(trouble) => Reply::Refused(trouble),
                Reply::Lost(_) if self.world.bug == Some(Bug::HiddenLoss) => {
                    return Reply::Refused(trouble(ApiErrorKind::Busy));
                }
                Reply::Lost(trouble) => return Reply::Lost(trouble),
            };
            self.world.record(Event::ApiAnswers);
            reply
        })
    }

    fn delete<'a>(&'a self, _: Family, id: &'a str) -> ApiFuture<'a, Reply<()>> {
        Box::pin(async move {
            match self.change("delete", Change::Delete(id.to_owned())).await {
                Reply::Done(_) => Reply::Done(()),
                Reply::Refused(trouble) => Reply::Refused(trouble),
                Reply::Lost(trouble) => Reply::Lost(trouble),
            }
        })
    }

    fn roles(&self) -> ApiFuture<'_, Option<Roles>> {
        Box::pin(async { None })
    }
}

/// Returns the answer to a regeneration.
fn renewed(key: &Key) -> RegeneratedKey {
    let secret = key.secret();
    let raw = RawAnswer::of(format!("{{\"clientSecret\":\"{secret}\"}}").as_bytes());
    RegeneratedKey {
        secret: Ok(ClientSecret::parse(&secret).unwrap()),
        raw,
    }
}

/// Draws how long a new key stays unknown to some replicas: mostly briefly, sometimes too long for its proof.
fn draw_lag(state: &mut State) -> Duration {
    let rng = &mut state.rng;
    let seconds = match rng.u8(0..20) {
        _ if state.is_calm => 0,
        0..10 => 0,
        10..16 => rng.u64(0..20),
        16..19 => rng.u64(20..100),
        _ => rng.u64(100..400),
    };
    Duration::from_secs(seconds)
}

/// Returns the issuer's clock at this time of the run.
pub(super) fn date(at: Duration) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(unix(at)))
}

/// Returns the error of a call that was not executed.
fn trouble(kind: ApiErrorKind) -> ApiError {
    let mut trouble = ApiError::lost();
    (trouble.kind, trouble.may_be_done) = (kind, false);
    trouble
}

/// Returns the error of a call that may have been executed.
fn lost(kind: ApiErrorKind) -> ApiError {
    let mut trouble = ApiError::lost();
    trouble.kind = kind;
    trouble
}
