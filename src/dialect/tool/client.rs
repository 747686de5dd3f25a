//! How a tool treats the answer of its helper, and what follows for a request.

use std::time::Duration;

use crate::dialect::call::Parsed;
use crate::query::Asked;

/// How a tool treats the answer of its helper.
pub(in crate::dialect) struct Client {
    /// How long it keeps a token for which its protocol states no expiry; zero if it asks each time, or is told the
    /// expiry.
    pub(in crate::dialect) interval: Duration,
    /// How long before the expiry that it is told it comes back by itself: the longest where several clients speak the
    /// protocol.
    pub(in crate::dialect) window: Duration,
    /// How long it waits for its helper; `None` if it waits without end, or that is not known.
    pub(in crate::dialect) timeout: Option<Duration>,
    /// Where that is written.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tells the reader; a test demands it")
    )]
    pub(in crate::dialect) source: &'static str,
}

// === impl Client ===

impl Client {
    /// How long the daemon may take for an answer: a second less than the client waits; 4 s where that is not known; at
    /// most 9 s.
    pub(in crate::dialect) fn deadline(&self) -> Duration {
        const UNKNOWN: Duration = Duration::from_secs(4);
        const MOST: Duration = Duration::from_secs(9);
        let less = |timeout: Duration| timeout.saturating_sub(Duration::from_secs(1));
        self.timeout.map_or(UNKNOWN, less).min(MOST)
    }

    /// The validity that a token must have left for a client that keeps it and is told no expiry.
    pub(in crate::dialect) fn min_valid(&self) -> Duration {
        const MORE: Duration = Duration::from_secs(60);
        if self.interval.is_zero() {
            Duration::ZERO
        } else {
            self.interval + MORE
        }
    }

    /// Gives a request this client's deadline, validity and window, whatever its dialect and its arguments say.
    pub(super) fn bind(&self, parsed: Parsed) -> Parsed {
        let Parsed::Ask(mut asked) = parsed else {
            return parsed;
        };
        match &mut asked {
            Asked::Address(query, _) => {
                query.max_wait = query.max_wait.min(self.deadline());
                query.min_valid = query.min_valid.max(self.min_valid());
                // One that keeps an interval of its own is told no expiry.
                query.window = Some(self.window).filter(|_| self.interval.is_zero());
            }
            Asked::Token(query, _) => {
                query.max_wait = query.max_wait.min(self.deadline());
                query.min_valid = query.min_valid.max(self.min_valid());
            }
            _ => {}
        }
        Parsed::Ask(asked)
    }

    /// Whether the numbers fit together: a client that is told the expiry keeps no interval of its own.
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        let is_known = self
            .timeout
            .is_none_or(|timeout| timeout > Duration::from_secs(1));
        is_known && (self.interval.is_zero() || self.window.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;
    use crate::query::{AddressAnswer, AddressQuery, Print, Surroundings};
    use crate::wire::frame::Reply;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    const fn client(interval: u64, timeout: Option<u64>) -> Client {
        Client {
            interval: secs(interval),
            window: secs(0),
            timeout: match timeout {
                Some(timeout) => Some(secs(timeout)),
                None => None,
            },
            source: "a test",
        }
    }

    #[test]
    fn the_daemon_answers_a_second_before_the_client_gives_up() {
        for (timeout, deadline) in [
            (None, 4),
            (Some(0), 0),
            (Some(1), 0),
            (Some(3), 2),
            (Some(5), 4),
            (Some(10), 9),
            (Some(60), 9),
        ] {
            assert_eq!(client(0, timeout).deadline(), secs(deadline), "{timeout:?}");
        }
    }

    #[test]
    fn a_client_that_caches_gets_a_token_that_outlives_its_interval() {
        assert_eq!(client(0, None).min_valid(), secs(0));
        assert_eq!(client(300, None).min_valid(), secs(360));
    }

    struct Nothing;

    impl Print<AddressAnswer> for Nothing {
        fn print(&self, _: &AddressAnswer, _: Surroundings<'_>) -> Reply {
            Reply::default()
        }
    }

    #[test]
    fn a_request_is_bound_whatever_its_dialect_says() {
        let bound = |query: AddressQuery, client: &Client| {
            let asked = Asked::Address(query, Box::new(Nothing));
            match client.bind(Parsed::Ask(asked)) {
                Parsed::Ask(Asked::Address(query, _)) => query,
                _ => panic!("asks for no token"),
            }
        };
        let told = Client {
            window: secs(300),
            ..client(0, None)
        };
        let query = || AddressQuery {
            max_wait: secs(30),
            ..AddressQuery::default()
        };
        let got = bound(query(), &told);
        assert_eq!((got.max_wait, got.min_valid), (secs(4), secs(0)));
        assert_eq!(got.window, Some(secs(300)));
        let got = bound(query(), &client(300, Some(10)));
        assert_eq!((got.max_wait, got.min_valid), (secs(9), secs(360)));
        assert_eq!(got.window, None);
        // Its own wishes count where they ask for more validity or less time.
        let own = AddressQuery {
            max_wait: secs(1),
            min_valid: secs(1_000),
            ..AddressQuery::default()
        };
        let got = bound(own, &client(300, Some(10)));
        assert_eq!((got.max_wait, got.min_valid), (secs(1), secs(1_000)));
    }

    #[test]
    fn a_request_without_an_address_is_bound_too() {
        let asked = || Parsed::Ask(asked(&run(&["token", "research", "--max-wait", "60"])));
        match client(300, Some(5)).bind(asked()) {
            Parsed::Ask(Asked::Token(query, _)) => {
                assert_eq!((query.max_wait, query.min_valid), (secs(4), secs(360)));
            }
            _ => panic!("asks for no token"),
        }
    }
}
