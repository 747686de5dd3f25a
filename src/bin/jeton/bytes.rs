//! Bytes compared, copied and joined in memory that the caller has.

/// Comparing as a call: the optimiser otherwise unrolls a search in a table into a kilobyte of comparisons.
#[inline(never)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one == other
}

/// Copies what fits; the result is how much that is. (The standard one brings the text of a panic along that cannot happen here.)
pub(crate) fn copy(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// The parts one after the other, if they fit.
pub(crate) fn join<'a>(room: &'a mut [u8], parts: &[&[u8]]) -> Option<&'a [u8]> {
    let mut used = 0_usize;
    for part in parts {
        let (_, free) = room.split_at_mut_checked(used)?;
        if part.len() > free.len() {
            return None;
        }
        used += copy(free, part);
    }
    room.get(..used)
}
