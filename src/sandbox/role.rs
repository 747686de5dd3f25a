//! The roles in access rules.

/// A role (the vendor's table of roles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Role {
    /// May do everything.
    #[default]
    Administrator,
    /// An AI practitioner: may manage their own keys, but neither those of others nor the organisation's. In 3.0,
    /// sees only the minimal clusters. Everything else is refused with 403.
    Practitioner,
}

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Administrator, Self::Practitioner];

    /// Returns the role's name in settings.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Practitioner => "practitioner",
        }
    }
}
