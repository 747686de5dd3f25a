//! The bugs that a test can plant into a run.

/// A bug in the daemon's inputs, or in the relay that passes its answers on to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The daemon counts lifetimes on a clock that stops during a suspend.
    MonotonicClock,
    /// The daemon counts lifetimes on the wall clock.
    WallClock,
    /// The daemon's timers fire three seconds late.
    LateAlarm,
    /// The provider repeats a request on its own.
    ImpatientProvider,
    /// The provider repeats a request five times on its own.
    InsistentProvider,
    /// The provider does not pass on the wait that the issuer states.
    HastyProvider,
    /// The provider sends two requests at once.
    TwoCallsAtOnce,
    /// The jitter is always the smallest.
    NoJitter,
    /// The relay passes answers on late.
    SlowDoor,
    /// The relay passes the answers of waiting requests on late, but within their deadlines.
    LazyDoor,
    /// The relay gives some clients an older generation.
    ForgetfulDoor,
    /// The relay never marks a token as stale.
    FlatteringDoor,
    /// The relay sends everything to watchers twice.
    StutteringDoor,
    /// The daemon treats all users as one.
    OneUser,
    /// The provider reports a rejection as an outage.
    PoliteProvider,
    /// The provider keeps failing after its issuer works again.
    DeafProvider,
}
