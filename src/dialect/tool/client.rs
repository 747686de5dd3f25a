//! How a tool's client treats a token from its helper, and the limits for requests that follow from it.

use std::time::Duration;

use crate::dialect::call::NextStep;
use crate::query::Question;

/// The behaviour of a tool's client towards a token from its helper.
pub(in crate::dialect) struct ClientBehaviour {
    /// How long the client keeps a token for which its protocol states no expiry. Zero if it asks each time, or if the
    /// protocol states the expiry.
    pub(in crate::dialect) interval: Duration,
    /// How long before a stated expiry the client asks again. If several clients speak the protocol, the longest.
    pub(in crate::dialect) window: Duration,
    /// How long the client waits for its helper; `None` if it waits without a limit, or if the limit is unknown.
    pub(in crate::dialect) timeout: Option<Duration>,
    /// The source of these facts.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers of the code; only a test reads it")
    )]
    pub(in crate::dialect) source: &'static str,
}

// === impl Client ===

impl ClientBehaviour {
    /// Returns how long the daemon may take for a reply: a second less than the client waits, or 4 s if that is
    /// unknown; at most 9 s.
    pub(in crate::dialect) fn deadline(&self) -> Duration {
        const UNKNOWN: Duration = Duration::from_secs(4);
        const MOST: Duration = Duration::from_secs(9);
        let less = |timeout: Duration| timeout.saturating_sub(Duration::from_secs(1));
        self.timeout.map_or(UNKNOWN, less).min(MOST)
    }

    /// Returns the validity that a token must have left for a client that keeps it without knowing its expiry.
    pub(in crate::dialect) fn min_valid(&self) -> Duration {
        const MORE: Duration = Duration::from_secs(60);
        if self.interval.is_zero() {
            Duration::ZERO
        } else {
            self.interval + MORE
        }
    }

    /// Applies this client's deadline, validity and window to a request, whatever its dialect and arguments say.
    pub(super) fn bind(&self, parsed: NextStep) -> NextStep {
        let NextStep::Ask(mut asked) = parsed else {
            return parsed;
        };
        match &mut asked {
            Question::Address(query, _) => {
                query.max_wait = query.max_wait.min(self.deadline());
                query.min_valid = query.min_valid.max(self.min_valid());
                // A client with an interval of its own does not learn the expiry.
                query.window = Some(self.window).filter(|_| self.interval.is_zero());
            }
            Question::Token(query, _) => {
                query.max_wait = query.max_wait.min(self.deadline());
                query.min_valid = query.min_valid.max(self.min_valid());
            }
            _ => {}
        }
        NextStep::Ask(asked)
    }

    /// Checks the numbers: a client that learns the expiry has no interval of its own, and so on.
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
    use crate::query::{AddressAnswer, AddressQuery, Print, PrintContext};
    use crate::wire::frame::Reply;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    const fn client(interval: u64, timeout: Option<u64>) -> ClientBehaviour {
        ClientBehaviour {
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
        fn print(&self, _: &AddressAnswer, _: PrintContext<'_>) -> Reply {
            Reply::default()
        }
    }

    #[test]
    fn client_limits_apply_to_every_request() {
        let bound = |query: AddressQuery, client: &ClientBehaviour| {
            let asked = Question::Address(query, Box::new(Nothing));
            match client.bind(NextStep::Ask(asked)) {
                NextStep::Ask(Question::Address(query, _)) => query,
                _ => panic!("asks for no token"),
            }
        };
        let told = ClientBehaviour {
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
        // The request's own values count if they ask for more validity or for a shorter wait.
        let own = AddressQuery {
            max_wait: secs(1),
            min_valid: secs(1_000),
            ..AddressQuery::default()
        };
        let got = bound(own, &client(300, Some(10)));
        assert_eq!((got.max_wait, got.min_valid), (secs(1), secs(1_000)));
    }

    #[test]
    fn client_limits_apply_to_a_request_without_an_address() {
        let asked = || NextStep::Ask(asked(&run(&["token", "research", "--max-wait", "60"])));
        match client(300, Some(5)).bind(asked()) {
            NextStep::Ask(Question::Token(query, _)) => {
                assert_eq!((query.max_wait, query.min_valid), (secs(4), secs(360)));
            }
            _ => panic!("asks for no token"),
        }
    }
}
