//! A client: requests the tokens of random profiles until the run is over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::place::profile_name;
use super::promise::{GoodReply, Last, Moment, TokenParameters};
use super::stage::{HELD, ProfileState, SharedState};
use super::tally::Tally;
use super::wire::{self, Answer};

/// One of this many requests asks for more validity than usual, with a deadline.
const WAITING: usize = 16;

/// One of this many requests uses a new connection.
const ALONE: usize = 15;

/// The longest pause between two requests; on average it is half of that. Without a pause, 64 clients would measure how
/// they delay each other.
const PAUSE: Duration = Duration::from_millis(20);

/// The parameters of requests for more validity, in seconds. The first `min_valid` is for clients that know of no
/// token. The last `max_wait` is longer than most pauses between two attempts.
const MIN_VALID: [f64; 4] = [0.0, 12.5, 30.0, 86_400.0];
const MAX_WAIT: [f64; 7] = [0.0, 0.2, 0.5, 1.0, 2.5, 6.0, 12.0];

/// With less time left, in seconds, a token may have expired when the request reaches the daemon.
const EDGE: f64 = 1.0;

/// A request that takes longer counts as one that waited.
const WAITED: Duration = Duration::from_millis(100);

/// How long to wait for a reply after its deadline, so that the run ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a client; the result is its counts under each fault.
pub(crate) async fn run(number: usize, stage: Arc<SharedState>) -> Vec<Tally> {
    let profiles = stage.ways.len();
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut tallies = vec![Tally::default(); profiles + 1];
    let mut last: Vec<Last> = (0..profiles).map(|_| Last::default()).collect();
    let mut kept = wire::KeptConnection::default();
    // A different start for each client, so that they do not all wait at the same time.
    let mut n = number;
    while !stage.is_over() {
        tokio::time::sleep(PAUSE.mul_f64(random.f64())).await;
        n += 1;
        let profile = random.usize(..profiles);
        let scene = stage.scene(profile);
        let sent = Moment::now();
        let asked = choose(n, profile, scene, sent, &mut random);
        let target = asked.target();
        let asking = async {
            if n.is_multiple_of(ALONE) {
                wire::ask_once(&stage.socket, &target).await
            } else {
                kept.ask(&stage.socket, "GET", &target).await
            }
        };
        let answer = tokio::time::timeout(asked.max_wait + PATIENCE, asking).await;
        let came = Moment::now();
        stage.asked();
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let judged = judge(&asked, answer, sent, came, &mut last[profile]);
        if let Ok(GoodReply::Served { until }) = &judged {
            stage.given(profile, *until);
        }
        let tally = &mut tallies[scene.way];
        if let Some(what) = count(tally, &asked, judged, scene, sent, came) {
            stage.note(format!(
                "under {}: {what}; {asked:?}",
                stage.called(scene.way)
            ));
        }
    }
    tallies
}

/// Chooses the parameters: usually those of a client that just wants the token.
fn choose(
    n: usize,
    profile: usize,
    scene: ProfileState,
    now: Moment,
    random: &mut fastrand::Rng,
) -> TokenParameters {
    let is_held = scene.left(now.unix) > EDGE;
    let (min_valid, max_wait) = if n.is_multiple_of(WAITING) {
        (
            MIN_VALID[random.usize(usize::from(is_held)..MIN_VALID.len())],
            MAX_WAIT[random.usize(..MAX_WAIT.len())],
        )
    } else {
        // The usual deadline, since otherwise all clients would soon wait for the profiles without a token.
        (0.0, if is_held { 5.0 } else { 0.0 })
    };
    TokenParameters {
        profile: profile_name(profile),
        min_valid: Duration::from_secs_f64(min_valid),
        max_wait: Duration::from_secs_f64(max_wait),
        rejecting: scene.rejecting,
    }
}

fn judge(
    asked: &TokenParameters,
    answer: io::Result<Answer>,
    sent: Moment,
    came: Moment,
    last: &mut Last,
) -> Result<GoodReply, String> {
    let answer = answer.map_err(|error| format!("no answer: {error}"))?;
    asked.judge(&answer, sent, came, last)
}

/// Counts a request; the result describes a violation.
fn count(
    tally: &mut Tally,
    asked: &TokenParameters,
    judged: Result<GoodReply, String>,
    scene: ProfileState,
    sent: Moment,
    came: Moment,
) -> Option<String> {
    let took = came.at - sent.at;
    tally.requests += 1;
    tally.waited += u64::from(took >= WAITED);
    // A request for no more than the held validity does not have to wait, whatever its deadline.
    let left = scene.left(sent.unix);
    let has_to_wait = left < asked.wanted() + EDGE;
    let wait = if has_to_wait {
        asked.max_wait
    } else {
        Duration::ZERO
    };
    tally.late = tally.late.max(took.saturating_sub(wait));
    let is_served = matches!(judged, Ok(GoodReply::Served { .. }));
    if is_served && !has_to_wait {
        tally.held(took);
    }
    // A request for more validity that waited until the held token expired was refused rightly.
    let left_then = scene.left(came.unix);
    let what = if is_served {
        None
    } else if left_then >= HELD as f64 || (left >= HELD as f64 && !has_to_wait) {
        tally.failed += 1;
        Some(format!("failed with {left:.3} s of the token left"))
    } else if left_then > 0.0 {
        tally.early += 1;
        Some(format!("failed with {left_then:.3} s of the token left"))
    } else {
        tally.refused += 1;
        tally.outwaited += u64::from(left >= HELD as f64);
        None
    };
    match judged {
        Ok(_) => what,
        Err(why) => {
            tally.wrong += 1;
            Some(why)
        }
    }
}
