//! What the subject of an access rule may do.

/// A role (the vendor's table of roles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Role {
    /// Everything.
    #[default]
    Administrator,
    /// An AI practitioner: keys of their own, and neither those of others nor the organisation's; in 3.0 no more of
    /// clusters than the minimal. What they may not is 403.
    Practitioner,
}

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Administrator, Self::Practitioner];

    /// The role as a setting names it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Practitioner => "practitioner",
        }
    }
}
