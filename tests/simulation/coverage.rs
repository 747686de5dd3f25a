//! How often each fault met each phase of a profile.

use std::fmt::Write as _;

use jetond::lifecycle::Phase;

/// The required number for each pair in a thousand seeds.
pub(crate) const WANTED: u32 = 50;

macro_rules! rows {
    ($($name:ident),* $(,)?) => {
        /// An event that a profile can meet: first those of its issuer, then those around it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum EventKind {
            $($name),*
        }

        pub(crate) const ROWS: &[EventKind] = &[$(EventKind::$name),*];
    };
}

rows! {
    Dns,
    Connect,
    TlsName,
    TlsExpired,
    TlsUntrusted,
    NoCa,
    Timeout,
    Hang,
    Reset,
    Redirect,
    Malformed,
    InterimAnswers,
    TooLarge,
    Rejected,
    Doubted,
    RateLimited,
    RateLimitedUntil,
    ServerError,
    ServerErrorUntil,
    NoEndpoint,
    BindingChanged,
    SlowGrant,
    ShortGrant,
    UnstatedGrant,
    SameToken,
    TwoTokens,
    StoreEmpty,
    StoreBroken,
    Suspend,
    JumpForward,
    JumpBack,
    ReloadKept,
    ReloadChanged,
    ReloadRemoved,
    NewSecret,
    Burst,
    HangUp,
    Refresh,
    RejectHeld,
    RejectOther,
    Watch,
}

use EventKind::*;

pub(crate) const PHASES: [Phase; 7] = [
    Phase::Starting,
    Phase::Fresh,
    Phase::Retrying,
    Phase::Rejected,
    Phase::Expired,
    Phase::Resting,
    Phase::Misconfigured,
];

/// Returns why a pair is impossible; `None` if it is possible.
fn impossible(met: EventKind, phase: Phase) -> Option<&'static str> {
    match (met, phase) {
        (RejectHeld, Phase::Starting) => Some("there is no token yet that could be reported"),
        _ => None,
    }
}

/// Returns whether a pair is possible, but so rare that no number of it can be required.
fn is_rare(met: EventKind, phase: Phase) -> bool {
    // The issuer gives a token again that the daemon did not take: with its reserve, it had expired on arrival.
    (met, phase) == (SameToken, Phase::Starting)
}

/// The counts: one row for each of [`ROWS`] and one column for each of [`PHASES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coverage([[u32; PHASES.len()]; ROWS.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([[0; PHASES.len()]; ROWS.len()])
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, met: EventKind, phase: Phase) {
        if let Some(column) = PHASES.iter().position(|p| *p == phase) {
            self.0[met as usize][column] += 1;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, row) in self.0.iter_mut().zip(&other.0) {
            for (sum, count) in sum.iter_mut().zip(row) {
                *sum += count;
            }
        }
    }

    /// Returns the pairs that this many seeds met too rarely.
    pub(crate) fn missing(&self, seeds: u64) -> Vec<String> {
        // Fewer than a thousand seeds cannot be expected to meet all pairs.
        let wanted = if seeds < 1_000 { 0 } else { WANTED };
        let mut missing = vec![];
        for (met, row) in ROWS.iter().zip(&self.0) {
            for (phase, count) in PHASES.iter().zip(row) {
                match impossible(*met, *phase) {
                    Some(why) if *count > 0 => {
                        missing.push(format!("{met:?} met {phase:?} {count} times, but: {why}"));
                    }
                    None if *count < wanted && !is_rare(*met, *phase) => {
                        missing.push(format!("{met:?} met {phase:?} only {count} times"));
                    }
                    _ => {}
                }
            }
        }
        missing
    }

    /// Formats the table, with the reason for each impossible pair.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<18}", "");
        for phase in PHASES {
            write!(text, "{:>14}", format!("{phase:?}").to_lowercase()).unwrap();
        }
        text.push('\n');
        let mut reasons = vec![];
        for (met, row) in ROWS.iter().zip(&self.0) {
            write!(text, "{:<18}", format!("{met:?}")).unwrap();
            for (phase, count) in PHASES.iter().zip(row) {
                match impossible(*met, *phase) {
                    Some(why) => {
                        text.push_str("             -");
                        reasons.push(format!("- {met:?} in {phase:?}: {why}\n"));
                    }
                    None => write!(text, "{count:>14}").unwrap(),
                }
            }
            text.push('\n');
        }
        text + &reasons.concat()
    }
}
