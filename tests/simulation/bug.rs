//! The bugs that can be planted into a run.

/// A bug, in what the daemon is made to believe or in what passes its answers on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The daemon counts lifetimes on a clock that stands still in suspend.
    MonotonicClock,
    /// The daemon counts lifetimes on the wall clock.
    WallClock,
    /// Its alarms ring three seconds late.
    LateAlarm,
    /// A provider that asks again by itself.
    ImpatientProvider,
    /// A provider that asks five times more by itself.
    InsistentProvider,
    /// A provider that does not pass on what the issuer says about when to ask again.
    HastyProvider,
    /// A provider that asks twice at once.
    TwoCallsAtOnce,
    /// A jitter that is always the smallest.
    NoJitter,
    /// A door that is slow to pass answers on.
    SlowDoor,
    /// A door that is slow to pass on what those get who wait, but inside their deadline.
    LazyDoor,
    /// A door that tells some of an older generation.
    ForgetfulDoor,
    /// A door that says of no token that it is stale.
    FlatteringDoor,
    /// A door that tells those who watch everything twice.
    StutteringDoor,
    /// A daemon that takes all users for one.
    OneUser,
    /// A provider that calls a rejection an outage.
    PoliteProvider,
    /// A provider that goes on failing when its issuer works.
    DeafProvider,
}
