//! Schedule for a rejected credential while a token is held.

use super::{ATTEMPT_FLOOR, FLOOR, RejectionCount, last_call, probe_due};
use crate::instant::BootInstant;
use crate::token::Validity;

/// Like [`probe_due`], but makes one more attempt before the expiry of the held token. The probes become as rare as
/// every quarter of an hour. A credential that works again within that time must not cost the token. The retries before
/// the circuit breaker opens keep their delays if that leaves time for an answer, because an issuer's replicas may lag
/// behind.
pub fn probe_due_holding(
    now: BootInstant,
    rejections: RejectionCount,
    held: Option<&Validity>,
) -> BootInstant {
    let probe = probe_due(now, rejections);
    let last = held.map(|held| {
        let last = last_call(held);
        if rejections.has_opened_breaker() {
            last
        } else {
            last.max(held.expires.before(ATTEMPT_FLOOR))
        }
    });
    match last {
        Some(last) if now < last => probe.min(last.max(now.after(FLOOR))),
        _ => probe,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const fn at(secs: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(secs))
    }

    /// Returns the validity of an hour's token. It is served for 3,570 s, and the last attempt is due 60 s before that.
    fn hour() -> Validity {
        Validity::new(at(0), Some(Duration::from_secs(3_600)))
    }

    #[test]
    fn a_probe_due_after_the_expiry_is_made_once_before_it() {
        for (now, rejections, due) in [
            (1_800, 1, 1_805),
            (1_805, 2, 1_865),
            (2_705, 6, 3_510),
            (3_509, 2, 3_510),
            // The quick retry.
            (3_509, 1, 3_514),
            (3_566, 1, 3_568),
            // The last attempt has been made.
            (3_510, 7, 4_410),
            (3_568, 1, 3_573),
            (4_000, 6, 4_900),
        ] {
            let probe =
                probe_due_holding(at(now), RejectionCount::certain(rejections), Some(&hour()));
            assert_eq!(probe, at(due), "{now} {rejections}");
        }
        assert_eq!(
            probe_due_holding(at(2_705), RejectionCount::certain(6), None),
            at(3_605)
        );
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]

        #[test]
        fn one_probe_falls_before_the_expiry_and_none_is_later_than_scheduled(
            secs in 1u64..90_000, part in 0.0f64..1.0, times in 1u32..40, are_doubtful: bool,
        ) {
            let held = Validity::new(at(1_000), Some(Duration::from_secs(secs)));
            let start = held.issued.after(held.lifetime.mul_f64(part));
            let rejections = (0..times).fold(RejectionCount::NONE, |it, _| it.and_one(are_doubtful));
            let (mut now, mut rejections) = (start, rejections);
            let mut tries = vec![];
            while held.holds(now) {
                let due = probe_due_holding(now, rejections, Some(&held));
                prop_assert!(due <= probe_due(now, rejections) && due >= now.after(FLOOR));
                let later = now.after(Duration::from_millis(1));
                prop_assert!(due <= probe_due_holding(later, rejections, Some(&held)));
                tries.push(due);
                (now, rejections) = (due, rejections.and_one(are_doubtful));
            }
            let late = last_call(&held);
            let in_time = |at: &&BootInstant| **at >= late && held.holds(**at);
            if start.after(FLOOR) < late {
                prop_assert!(tries.iter().any(|at| in_time(&at)), "{tries:?}");
            }
        }
    }
}
