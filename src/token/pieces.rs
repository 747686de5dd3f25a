//! Answers in pieces. All answers with the same token share its piece.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::AccessToken;

/// An answer in order: the part before the token, the token, and the part after it. It may also be all in the first
/// piece. It is sent without joining the pieces, in one system call.
#[derive(Clone, Default)]
pub struct Pieces([Bytes; 3]);

/// Answers up to this length, in bytes, stay in one piece. Splitting takes longer than copying a token of the usual
/// length, and 4,096 such answers that are never read hold 8 MiB.
const SMALL: usize = 2_048;

/// Splits an answer around the token in it, which may be in plain or JSON form. The answer's own copy of the token is
/// freed, so that an unread answer holds little memory, however long the token is.
pub fn share(answer: Vec<u8>, token: &AccessToken) -> Pieces {
    let found = (answer.len() > SMALL)
        .then(|| token.find_shared(&answer))
        .flatten();
    let parts = found.and_then(|(at, shared)| {
        let (before, rest) = answer.split_at_checked(at)?;
        Some((before, rest.get(shared.len()..)?, shared))
    });
    match parts {
        Some((before, after, shared)) => Pieces([
            Bytes::copy_from_slice(before),
            shared,
            Bytes::copy_from_slice(after),
        ]),
        None => answer.into(),
    }
}

/// Builds an answer from these texts and the token in JSON form between them. The pieces are never joined, so that
/// memory holds the token only once, however long the answer is kept.
pub fn around_in_json(before: String, token: &AccessToken, after: String) -> Pieces {
    Pieces([before.into(), token.share_in_json(), after.into()])
}

// === impl Pieces ===

impl From<Bytes> for Pieces {
    fn from(whole: Bytes) -> Self {
        Self([whole, Bytes::new(), Bytes::new()])
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(whole: Vec<u8>) -> Self {
        Bytes::from(whole).into()
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        let left = self.0.iter().find(|piece| !piece.is_empty());
        left.map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        for piece in &mut self.0 {
            let taken = count.min(piece.len());
            piece.advance(taken);
            count -= taken;
        }
    }

    fn chunks_vectored<'a>(&'a self, room: &mut [IoSlice<'a>]) -> usize {
        let left = self.0.iter().filter(|piece| !piece.is_empty());
        let filled = room.iter_mut().zip(left);
        filled
            .map(|(slot, piece)| *slot = IoSlice::new(piece))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concat(pieces: &Pieces) -> Vec<u8> {
        pieces.clone().copy_to_bytes(pieces.remaining()).into()
    }

    #[test]
    fn an_answer_around_a_token_shares_its_bytes_at_any_length() {
        for text in ["T0KEN", "\"T\\0KEN"] {
            let token = AccessToken::parse(text).unwrap();
            let pieces = around_in_json("before ".to_owned(), &token, " after".to_owned());
            assert_eq!(pieces.0[1].as_ptr(), token.expose_json().as_ptr());
            let whole = format!("before {} after", token.expose_json());
            assert_eq!(concat(&pieces), whole.as_bytes());
        }
    }

    #[test]
    fn a_partly_written_answer_continues_in_order_from_any_offset() {
        let pieces = |first, second, third| {
            Pieces([first, second, third].map(|piece: &'static str| piece.into()))
        };
        for (answer, slices) in [
            (pieces("ab", "cde", "f"), 3),
            (pieces("abcdef", "", ""), 1),
            (pieces("", "abc", "def"), 2),
            (pieces("", "", ""), 0),
        ] {
            let whole = concat(&answer);
            for sent in 0..=whole.len() {
                let mut left = answer.clone();
                left.advance(sent);
                assert_eq!(left.remaining(), whole.len() - sent);
                assert_eq!(left.has_remaining(), !left.chunk().is_empty());
                let mut room = [IoSlice::new(&[]); 4];
                let filled = left.chunks_vectored(&mut room);
                let slices_left = room[..filled].iter().flat_map(|slice| slice.to_vec());
                assert!(slices_left.eq(whole[sent..].iter().copied()));
                assert!(sent > 0 || filled == slices);
                // The caller may ask for fewer slices than there are pieces.
                let filled = left.chunks_vectored(&mut room[..1]);
                assert_eq!(filled, usize::from(left.has_remaining()));
            }
        }
    }

    #[test]
    fn a_long_answer_shares_the_token_bytes_and_a_short_one_is_a_single_piece() {
        for (length, pieces) in [(1, 1), (1_000, 1), (2_000, 1), (2_040, 3), (65_536, 3)] {
            let token = AccessToken::parse(&"x".repeat(length)).unwrap();
            let answer = [b"before ", token.expose().as_bytes(), b" after"].concat();
            let shared = share(answer.clone(), &token);
            assert_eq!(concat(&shared), answer);
            let left = shared.0.iter().filter(|piece| !piece.is_empty());
            assert_eq!(left.count(), pieces);
            if pieces == 3 {
                assert_eq!(shared.0[1].as_ptr(), token.expose().as_ptr());
            }
        }
    }

    #[test]
    fn the_json_form_of_an_escaped_token_is_shared() {
        let token = AccessToken::parse(&"\"\\!".repeat(1_000)).unwrap();
        for text in [token.expose(), token.expose_json()] {
            let answer = format!("before {text} after").into_bytes();
            let shared = share(answer.clone(), &token);
            assert_eq!(concat(&shared), answer);
            assert_eq!(shared.0[1].as_ptr(), text.as_ptr());
        }
    }

    #[test]
    fn a_token_contained_in_its_own_json_form_is_found() {
        for text in ["\\".repeat(2_100), "\"".repeat(2_100)] {
            let token = AccessToken::parse(&text).unwrap();
            let answer = format!("before {} after", token.expose_json()).into_bytes();
            let shared = share(answer.clone(), &token);
            assert_eq!(concat(&shared), answer);
            assert_eq!(shared.0[1].as_ptr(), token.expose_json().as_ptr());
        }
    }

    #[test]
    fn an_answer_without_the_token_is_unchanged() {
        let token = AccessToken::parse("T0KEN").unwrap();
        let answer = vec![b'a'; 5_000];
        assert_eq!(concat(&share(answer.clone(), &token)), answer);
        assert_eq!(concat(&share(vec![], &token)), b"");
    }

    #[test]
    fn shared_bytes_outlive_the_token() {
        let token = AccessToken::parse(&"x".repeat(3_000)).unwrap();
        let Pieces([_, shared, _]) = share(token.expose().as_bytes().to_vec(), &token);
        drop(token);
        assert_eq!(shared, "x".repeat(3_000));
    }
}
