//! The output of a failed request: one line that says what to do, and the exit code.

use super::human;
use crate::instant::Now;
use crate::problem::{Code, Problem};
use crate::wire::frame::{Instruction, Reply};

/// Formats the output of a failed request.
pub fn failure(problem: &Problem, now: Now) -> Reply {
    let mut line = String::new();
    if let Some(profile) = &problem.profile {
        line.push_str(profile.as_str());
        line.push_str(": ");
    }
    line.push_str(&problem.detail());
    // An attempt does not open the store.
    if let Some(at) = problem.retry_at
        && problem.code != Code::Locked
    {
        let wait = at.since_epoch().saturating_sub(now.unix.since_epoch());
        line.push_str(&format!(" (next attempt in {})", human::duration(wait)));
    }
    refusal(problem.code, &line)
}

/// Answers a run at the token socket that needs the admin socket: with a redirect. Companions that do not know
/// redirects print `why` and exit with the code of a refusal.
pub fn to_admin(why: &str) -> Instruction {
    Instruction::SendToAdmin {
        otherwise: refusal(Code::Forbidden, why),
    }
}

/// Creates a refusal with this line and the exit code of `code`.
pub(super) fn refusal(code: Code, line: &str) -> Reply {
    Reply {
        stderr: format!("jeton: {line}\n"),
        exit: code.row().exit,
        ..Reply::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dialect::testing::{around, reply};
    use crate::instant::UnixTime;
    use crate::problem::EarlyEnd;
    use crate::profile::ProfileName;

    #[test]
    fn a_failure_message_has_the_fault_the_reason_and_the_next_attempt() {
        let research = ProfileName::parse("research").unwrap();
        let now = around().now;
        let at = now.unix.since_epoch() + Duration::from_secs(90);
        let problem = Problem::new(Code::Unavailable)
            .of(&research)
            .until(Some(UnixTime::from_epoch(at)));
        assert_eq!(
            failure(&problem, now),
            reply(
                "",
                "jeton: research: there is no valid token, and the issuer did not issue one; 'jeton status' shows why \
                 (next attempt in 1 min 30 s)\n",
                75
            )
        );
    }

    #[test]
    fn a_failure_message_says_that_the_wait_ended_early() {
        let now = around().now;
        let at = now.unix.since_epoch() + Duration::from_secs(90);
        let problem = Problem::new(Code::Unavailable)
            .until(Some(UnixTime::from_epoch(at)))
            .ended_early(Some(EarlyEnd::NextAttemptIsLater));
        let says = "the wait ended early, since the next attempt is due after it (next attempt in 1 min 30 s)\n";
        assert!(failure(&problem, now).stderr.ends_with(says));
    }

    #[test]
    fn a_companion_that_cannot_use_the_admin_socket_says_why() {
        let otherwise = reply("", "jeton: why\n", 77);
        assert_eq!(to_admin("why"), Instruction::SendToAdmin { otherwise });
    }
}
