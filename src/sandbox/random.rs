//! Random IDs and secrets.

/// Makes a random UUID.
///
/// # Errors
/// The operating system gives no random bytes.
pub(super) fn uuid() -> Result<String, getrandom::Error> {
    let n = u128::from_be_bytes(random()?);
    // version 4 (RFC 9562 section 5.4)
    let n = n & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    Ok(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        n >> 80 & 0xffff,
        n >> 64 & 0xffff,
        n >> 48 & 0xffff,
        n & 0xffff_ffff_ffff
    ))
}

/// Makes a random secret of 40 characters.
///
/// # Errors
/// The operating system gives no random bytes.
pub(super) fn secret() -> Result<String, getrandom::Error> {
    Ok(random::<20>()?.iter().map(|b| format!("{b:02x}")).collect())
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_version_4_uuids() {
        let ids = [uuid().unwrap(), uuid().unwrap()];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(
                id[14..].starts_with('4') && "89ab".contains(&id[19..20]),
                "{id}"
            );
        }
    }
}
