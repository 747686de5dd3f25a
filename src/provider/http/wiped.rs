//! Enlarges buffers without leaving copies of their content in memory.

use zeroize::Zeroizing;

/// Enlarges a buffer to `room` bytes in all. Copies the content to new memory and wipes the old memory: it may
/// contain a part of a token, and `Vec` would free it without wiping.
pub(super) fn enlarge(buffer: &mut Zeroizing<Vec<u8>>, room: usize) {
    if room > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlarging_a_wiped_buffer_keeps_its_content_and_never_shrinks() {
        let mut buffer = Zeroizing::new(b"canary".to_vec());
        for (room, least) in [(3, 6), (100, 100), (50, 100)] {
            enlarge(&mut buffer, room);
            assert!(buffer.capacity() >= least, "{room}");
            assert_eq!(**buffer, *b"canary");
        }
    }
}
