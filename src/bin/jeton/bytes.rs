//! Comparing, copying and joining bytes in the caller's memory.

/// Compares as a call: otherwise the optimiser unrolls a table search into a kilobyte of comparisons.
#[inline(never)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one == other
}

/// Copies as much as fits and returns its length. The standard function would bring along the text of a panic that
/// cannot happen here.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// Joins the parts, if they fit.
#[inline(never)]
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
