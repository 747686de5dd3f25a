//! An answer in pieces, of which the token is shared with all other answers that carry it.

use bytes::Bytes;

use super::AccessToken;

/// An answer in its order: before the token, the token, and after it; or all in the first piece.
pub type Pieces = [Bytes; 3];

/// Answers up to this length, in bytes, are one piece: splitting one takes longer than copying a token of the usual
/// length, and 4,096 of these that are never read hold 8 MiB.
const SMALL: usize = 2_048;

/// Splits an answer around the token that it carries, as it is or as JSON spells it. The copy of the token in it is freed, so that an answer that is
/// never read holds little memory however long its token is.
pub fn share(answer: Vec<u8>, token: &AccessToken) -> Pieces {
    let found = (answer.len() > SMALL)
        .then(|| token.find_shared(&answer))
        .flatten();
    let parts = found.and_then(|(at, shared)| {
        let (before, rest) = answer.split_at_checked(at)?;
        Some((before, rest.get(shared.len()..)?, shared))
    });
    match parts {
        Some((before, after, shared)) => [
            Bytes::copy_from_slice(before),
            shared,
            Bytes::copy_from_slice(after),
        ],
        None => [answer.into(), Bytes::new(), Bytes::new()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_long_answer_is_shared_and_a_short_answer_is_one_piece() {
        for (length, pieces) in [(1, 1), (1_000, 1), (2_000, 1), (2_040, 3), (65_536, 3)] {
            let token = AccessToken::parse(&"x".repeat(length)).unwrap();
            let answer = [b"before ", token.expose().as_bytes(), b" after"].concat();
            let shared = share(answer.clone(), &token);
            assert_eq!(shared.concat(), answer);
            assert_eq!(
                shared.iter().filter(|piece| !piece.is_empty()).count(),
                pieces
            );
            if pieces == 3 {
                assert_eq!(shared[1].as_ptr(), token.expose().as_ptr());
            }
        }
    }

    #[test]
    fn a_token_that_json_escapes_is_shared_in_its_spelling_too() {
        let token = AccessToken::parse(&"\"\\!".repeat(1_000)).unwrap();
        for text in [token.expose(), token.expose_json()] {
            let answer = format!("before {text} after").into_bytes();
            let shared = share(answer.clone(), &token);
            assert_eq!(shared.concat(), answer);
            assert_eq!(shared[1].as_ptr(), text.as_ptr());
        }
    }

    #[test]
    fn a_token_that_is_a_part_of_its_own_spelling_in_json_is_found() {
        for text in ["\\".repeat(2_100), "\"".repeat(2_100)] {
            let token = AccessToken::parse(&text).unwrap();
            let answer = format!("before {} after", token.expose_json()).into_bytes();
            let shared = share(answer.clone(), &token);
            assert_eq!(shared.concat(), answer);
            assert_eq!(shared[1].as_ptr(), token.expose_json().as_ptr());
        }
    }

    #[test]
    fn an_answer_without_the_token_stays_as_it_is() {
        let token = AccessToken::parse("T0KEN").unwrap();
        let answer = vec![b'a'; 5_000];
        assert_eq!(share(answer.clone(), &token).concat(), answer);
        assert_eq!(share(vec![], &token).concat(), b"");
    }

    #[test]
    fn shared_bytes_outlive_the_token() {
        let token = AccessToken::parse(&"x".repeat(3_000)).unwrap();
        let [_, shared, _] = share(token.expose().as_bytes().to_vec(), &token);
        drop(token);
        assert_eq!(shared, "x".repeat(3_000));
    }
}
