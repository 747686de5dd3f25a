//! The options that select a token, and how it is printed: shared by all verbs and dialects that hand out a token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::args::{Args, Opt, OptionArgument, Usage};
use super::call::Call;
use super::human;
use crate::instant::BootInstant;
use crate::query::{Freshness, TokenAnswer, TokenQuery};
use crate::wire;

/// The validity that the token must have left (minimum).
pub(super) static MIN_VALID: Opt = Opt {
    name: "--min-valid",
    takes: OptionArgument::Seconds(wire::MAX_MIN_VALID),
    help: "require a token that stays valid for S more seconds",
};

/// The longest wait for such a token.
pub(super) static MAX_WAIT: Opt = Opt {
    name: "--max-wait",
    takes: OptionArgument::Seconds(wire::MAX_MAX_WAIT),
    help: "wait at most S seconds for the token (5)",
};

/// Builds the token query of these arguments. It waits no longer than the companion does.
pub(super) fn token_query(args: &Args<'_>, call: &Call<'_>) -> Result<TokenQuery, Usage> {
    Ok(TokenQuery {
        profile: args.profile(),
        min_valid: args.seconds(&MIN_VALID)?.unwrap_or_default(),
        max_wait: max_wait(args, call)?,
    })
}

/// Returns the longest wait for a token that these arguments allow.
pub(super) fn max_wait(args: &Args<'_>, call: &Call<'_>) -> Result<Duration, Usage> {
    let max_wait = args.seconds(&MAX_WAIT)?;
    Ok(max_wait
        .unwrap_or(wire::DEFAULT_MAX_WAIT)
        .min(wait_limit(call)))
}

/// Returns how long the companion waits for the daemon, less a reserve for sending the reply, so that it arrives in
/// time.
pub(super) fn wait_limit(call: &Call<'_>) -> Duration {
    const WAY_BACK: Duration = Duration::from_millis(200);
    call.run.deadline.map_or(Duration::MAX, |left| {
        left.saturating_sub(WAY_BACK.min(left / 2))
    })
}

/// Writes the token between two texts.
pub(super) fn token_between(before: &str, answer: &TokenAnswer, after: &str) -> Zeroizing<Vec<u8>> {
    token_among(&[before, after], answer)
}

/// Joins the texts with the token between each two of them. The buffer has its final size from the start, since a
/// growing one leaves copies of the token behind.
pub(super) fn token_among(texts: &[&str], answer: &TokenAnswer) -> Zeroizing<Vec<u8>> {
    let token = answer.held.token.expose();
    texts.join(token).into_bytes().into()
}

/// Writes the token inside a JSON string, between two texts; otherwise like [`token_between`]. It also fits other
/// formats that quote as C does: of the characters that need an escape, a token can only have `"` and `\\`.
pub(super) fn json_token_between(
    before: &str,
    answer: &TokenAnswer,
    after: &str,
) -> Zeroizing<Vec<u8>> {
    let token = answer.held.token.expose_json();
    let parts = [before.as_bytes(), token.as_bytes(), after.as_bytes()];
    parts.concat().into()
}

/// Writes the credentials of Basic authentication, with the token as the password (RFC 7617 section 2), between two
/// texts.
pub(super) fn basic_between(
    before: &str,
    username: &str,
    answer: &TokenAnswer,
    after: &str,
) -> Zeroizing<Vec<u8>> {
    let pair = [username, ":", answer.held.token.expose()].concat();
    let pair = Zeroizing::new(pair.into_bytes());
    let pair = Zeroizing::new(STANDARD.encode(&*pair));
    let parts = [before.as_bytes(), pair.as_bytes(), after.as_bytes()];
    parts.concat().into()
}

/// Returns a note for people if the token does not fully meet the request.
pub(super) fn stale_note(answer: &TokenAnswer, now: BootInstant) -> String {
    let profile = &answer.profile;
    match answer.freshness {
        Freshness::Good => String::new(),
        Freshness::Short => format!(
            "jeton: {profile}: this token is valid for only {} more; no newer one came in time\n",
            human::duration(answer.held.validity.remaining(now))
        ),
        Freshness::Reported => format!(
            "jeton: {profile}: this token was reported as rejected; there is no newer one yet\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::*;
    use crate::query::Question;

    #[test]
    fn the_wait_ends_before_the_companion_gives_up() {
        let mut short = run(&["token", "--max-wait", "60"]);
        for (deadline, want) in [(2_000, 1_800), (100, 50)] {
            short.deadline = Some(Duration::from_millis(deadline));
            let Question::Token(query, _) = asked(&short) else {
                panic!()
            };
            assert_eq!(query.max_wait, Duration::from_millis(want));
        }
    }
}
