//! The expiry to tell the clients of tools.
//!
//! Many clients keep a token until its expiry. If they got the real one, they would keep the token although a newer one
//! is already held, and all of them would come back in the same second. So they get an earlier expiry: after the next
//! refresh, and spread over the clients.

use std::time::Duration;

use crate::instant::BootInstant;

/// Time that the refresh has before the first client comes back: a tenth of the token's remaining validity, within
/// these bounds. The lower bound also covers the rounding to whole seconds.
const REFRESH_TAKES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// The clients are spread over this part of the remaining validity, as a divisor: a tenth.
const SPREAD: u32 = 10;

/// Number of steps of the spread.
const STEPS: u32 = 1 << 20;

/// The expiry to tell a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedExpiry {
    /// The expiry to tell the client, never later than the real one.
    pub at: BootInstant,
    /// Whether the client will come back after the next refresh. If not, the expiry is the real one.
    pub is_planned: bool,
}

/// Computes the expiry to tell a client that comes back `window` before it.
///
/// The client then comes back after `next_refresh` and before `expires`, the real expiry. If that is impossible, the
/// result is the real expiry. This is so if the token expires too soon for the window, or if the next refresh is not
/// known. The window is not subtracted, because the client does that itself. `spread` is any number that stays the same
/// for the same peer and generation.
pub fn reported_expiry(
    now: BootInstant,
    expires: BootInstant,
    next_refresh: Option<BootInstant>,
    window: Duration,
    spread: u64,
) -> ReportedExpiry {
    let left = expires.since(now);
    let (least, most) = REFRESH_TAKES;
    let refresh_takes = (left / SPREAD).clamp(least, most);
    let earliest = next_refresh
        .filter(|due| now < *due)
        .map(|due| due.after(refresh_takes).after(window))
        .filter(|earliest| *earliest < expires);
    let Some(earliest) = earliest else {
        return ReportedExpiry {
            at: expires,
            is_planned: false,
        };
    };
    let room = (left / SPREAD).min(expires.since(earliest));
    // The remainder of a division by the number of steps always fits.
    let step = u32::try_from(spread % u64::from(STEPS)).unwrap_or_default();
    ReportedExpiry {
        at: earliest.after(room / STEPS * step),
        is_planned: true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(secs: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(secs))
    }

    /// Returns the expiry for a client in second 10,000, in seconds from then, with no spread.
    fn told(expires_in: u64, refresh_in: Option<u64>, window: u64) -> (u64, bool) {
        let now = at(10_000);
        let after = |secs| now.after(Duration::from_secs(secs));
        let window = Duration::from_secs(window);
        let told = reported_expiry(now, after(expires_in), refresh_in.map(after), window, 0);
        (told.at.since(now).as_secs(), told.is_planned)
    }

    #[test]
    fn a_client_gets_an_expiry_after_the_refresh_or_the_real_one() {
        for (expires_in, refresh_in, window, want, is_planned) in [
            // A token of an hour. git uses the expiry as it is, and the kubernetes client for Python comes back 5 min
            // before it.
            (3_570, Some(1_800), 0, 1_810, true),
            (3_570, Some(1_800), 300, 2_110, true),
            // With little validity left, the refresh gets less time.
            (57, Some(30), 0, 35, true),
            (57, Some(51), 0, 56, true),
            // No room for the window or for the refresh.
            (570, Some(300), 300, 570, false),
            (57, Some(54), 0, 57, false),
            (57, Some(90), 0, 57, false),
            // The next refresh is not known or overdue.
            (3_570, None, 0, 3_570, false),
            (3_570, Some(0), 0, 3_570, false),
        ] {
            assert_eq!(
                told(expires_in, refresh_in, window),
                (want, is_planned),
                "{expires_in} {refresh_in:?} {window}"
            );
        }
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]

        #[test]
        fn a_planned_expiry_is_between_the_refresh_and_the_real_expiry(
            now in 0_u64..100_000,
            left in 1_u64..90_000,
            refresh_in in proptest::option::of(0_u64..90_000),
            window in 0_u64..4_000,
            spread: u64,
        ) {
            let (now, expires) = (at(now), at(now + left));
            let window = Duration::from_secs(window);
            let refresh = refresh_in.map(|secs| now.after(Duration::from_secs(secs)));
            let told = reported_expiry(now, expires, refresh, window, spread);
            prop_assert!(now <= told.at && told.at <= expires);
            if let (true, Some(refresh)) = (told.is_planned, refresh) {
                // The client sees whole seconds.
                let printed = told.at.before(Duration::from_secs(1));
                prop_assert!(refresh < printed.before(window));
                prop_assert!(told.at.before(window) < expires);
                let unspread = reported_expiry(now, expires, Some(refresh), window, 0);
                prop_assert!(unspread.at <= told.at);
                prop_assert!(told.at.since(unspread.at) <= expires.since(now) / 10);
            } else {
                prop_assert_eq!(told, ReportedExpiry { at: expires, is_planned: false });
            }
        }

        #[test]
        fn no_instants_overflow(
            moments in proptest::array::uniform3(any::<u64>()),
            window: u64,
            spread: u64,
        ) {
            let [now, expires, refresh] = moments.map(at);
            let window = Duration::from_secs(window);
            let told = reported_expiry(now, expires, Some(refresh), window, spread);
            prop_assert!(told.at <= expires);
        }
    }

    #[test]
    fn reported_expiries_are_spread_over_a_tenth_of_the_remaining_validity() {
        let (now, expires, refresh) = (at(0), at(3_570), Some(at(1_800)));
        let told = |spread| reported_expiry(now, expires, refresh, Duration::ZERO, spread).at;
        let offset = |spread| told(spread).since(at(1_810)).as_secs();
        let steps = u64::from(STEPS);
        assert_eq!(
            (offset(0), offset(steps / 2), offset(steps - 1)),
            (0, 178, 356)
        );
        // The spread is smaller if the real expiry is near.
        let late = reported_expiry(now, at(1_820), refresh, Duration::ZERO, steps - 1).at;
        assert!(at(1_819) < late && late < at(1_820));
    }
}
