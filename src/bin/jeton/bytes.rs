//! Compares, copies and joins bytes in the caller's memory.

/// Compares in a function of its own: otherwise the optimiser unrolls a table search into a kilobyte of comparisons.
#[inline(never)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one == other
}

/// Copies as many bytes as fit, and returns their number. The standard function would add the text of a panic that
/// cannot happen here.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to.len().min(from.len())
}

/// Joins the parts; `None` if they do not fit.
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
