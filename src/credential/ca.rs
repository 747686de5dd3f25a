//! The certificates that a credential was enrolled with, and their comparison with the present ones.

/// The certificates that vouched at enrolment for the server that gets the secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ca {
    /// The operating system's certificates.
    System,
    /// The certificates of a CA file, identified by the SHA-256 of its bytes. Records of version 1 have only this.
    Bytes(String),
    /// The certificates of a CA file, identified by the SHA-256 of each one's DER form: sorted, without duplicates.
    Set(Vec<String>),
}

/// The identity of a CA file's content at one time of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaContent {
    /// The SHA-256 of the bytes, in hexadecimal.
    pub bytes: String,
    /// The SHA-256 of each certificate's DER form, in hexadecimal: sorted, without duplicates.
    pub set: Vec<String>,
    /// Whether only root can change the file and the path that leads to it.
    pub only_root: bool,
}

/// The result of comparing the present certificates with those at enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaVerdict {
    /// They are equal.
    Same,
    /// They differ, and only root can have changed them.
    ChangedByRoot,
    /// They differ, and a user other than root may have changed them.
    Changed,
}

// === impl Ca ===

impl Ca {
    /// Compares the certificates at enrolment with the present content of the CA file; `None` stands for the system's
    /// certificates.
    ///
    /// Root decides about the system's certificates as well, so a change by root does not count as a change of the
    /// configuration.
    pub fn compare(&self, now: Option<&CaContent>) -> CaVerdict {
        let (same, now) = match (self, now) {
            (Self::System, None) => return CaVerdict::Same,
            (Self::System, Some(_)) | (_, None) => return CaVerdict::Changed,
            (Self::Bytes(bytes), Some(now)) => (*bytes == now.bytes, now),
            (Self::Set(set), Some(now)) => (*set == now.set, now),
        };
        match same {
            true => CaVerdict::Same,
            false if now.only_root => CaVerdict::ChangedByRoot,
            false => CaVerdict::Changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_may_change_the_certificates_and_never_their_source() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let now = |only_root| CaContent {
            bytes: "b".into(),
            set: set(&["1", "2"]),
            only_root,
        };
        let (same, root, changed) = (
            CaVerdict::Same,
            CaVerdict::ChangedByRoot,
            CaVerdict::Changed,
        );
        for (enrolled, by_root, by_others) in [
            (Ca::Set(set(&["1", "2"])), same, same),
            (Ca::Bytes("b".into()), same, same),
            (Ca::Set(set(&["1"])), root, changed),
            (Ca::Set(set(&["1", "2", "3"])), root, changed),
            (Ca::Set(vec![]), root, changed),
            (Ca::Bytes("1".into()), root, changed),
            (Ca::System, changed, changed),
        ] {
            assert_eq!(enrolled.compare(Some(&now(true))), by_root, "{enrolled:?}");
            let verdict = enrolled.compare(Some(&now(false)));
            assert_eq!(verdict, by_others, "{enrolled:?}");
            let at_system = enrolled.compare(None);
            assert_eq!(at_system == same, enrolled == Ca::System, "{enrolled:?}");
        }
    }
}
