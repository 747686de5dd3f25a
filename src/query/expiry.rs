//! The expiry that the client of a tool is told.
//!
//! Many clients keep a token until the expiry that they are told. With the real one they would keep it while a newer one
//! is held already, and all of them would come back in the same second. So they are told an earlier one: after the next
//! refresh, spread over the clients.

use std::time::Duration;

use crate::instant::BootInstant;

/// How long the refresh has before the first client comes back: a tenth of what is left of the token, within these
/// bounds. The least one also covers what is lost when the expiry is printed in whole seconds.
const REFRESH_TAKES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// The part of what is left over which clients are spread, as a divisor: a tenth.
const SPREAD: u32 = 10;

/// In how many steps they are spread.
const STEPS: u32 = 1 << 20;

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedExpiry {
    /// The expiry that it is told: never later than the real one.
    pub at: BootInstant,
    /// Whether the client comes back after the next refresh. Otherwise it was told the real expiry.
    pub is_planned: bool,
}

/// The expiry to tell a client that comes back `window` before it.
///
/// The client then comes back after `next_refresh` and before `expires`, the real end. Where that cannot be, as with a
/// token that ends too soon for the window or a refresh that is not known, the real expiry is told. The window is not
/// subtracted: the client does that itself. `spread` is any number, the same for one peer and generation.
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

    /// What a client is told at second 10,000, in seconds from then, without any spread.
    fn told(expires_in: u64, refresh_in: Option<u64>, window: u64) -> (u64, bool) {
        let now = at(10_000);
        let after = |secs| now.after(Duration::from_secs(secs));
        let window = Duration::from_secs(window);
        let told = reported_expiry(now, after(expires_in), refresh_in.map(after), window, 0);
        (told.at.since(now).as_secs(), told.is_planned)
    }

    #[test]
    fn a_client_comes_back_after_the_refresh_or_is_told_the_real_expiry() {
        for (expires_in, refresh_in, window, want, is_planned) in [
            // A token of an hour: git takes the expiry as it is, Python's kubernetes comes back 5 min before.
            (3_570, Some(1_800), 0, 1_810, true),
            (3_570, Some(1_800), 300, 2_110, true),
            // Short of one, the refresh may take less.
            (57, Some(30), 0, 35, true),
            (57, Some(51), 0, 56, true),
            // No room for the window, or for the refresh.
            (570, Some(300), 300, 570, false),
            (57, Some(54), 0, 57, false),
            (57, Some(90), 0, 57, false),
            // Nothing is known of the next refresh, or it is overdue.
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
        fn the_client_comes_back_between_the_refresh_and_the_real_end(
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
                // Printed in whole seconds.
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
        fn no_moments_overflow(
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
    fn clients_are_spread_evenly_over_a_tenth_of_what_is_left() {
        let (now, expires, refresh) = (at(0), at(3_570), Some(at(1_800)));
        let told = |spread| reported_expiry(now, expires, refresh, Duration::ZERO, spread).at;
        let offset = |spread| told(spread).since(at(1_810)).as_secs();
        let steps = u64::from(STEPS);
        assert_eq!(
            (offset(0), offset(steps / 2), offset(steps - 1)),
            (0, 178, 356)
        );
        // Less where the real end is nearer.
        let late = reported_expiry(now, at(1_820), refresh, Duration::ZERO, steps - 1).at;
        assert!(at(1_819) < late && late < at(1_820));
    }
}
