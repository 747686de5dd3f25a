//! The authentication schemes that a server offers in `WWW-Authenticate` (RFC 9110 section 11.6.1).

/// Returns the schemes of one field value, which may hold several challenges.
///
/// A comma separates challenges, and also the parameters of one challenge. A word without `=` after it begins a
/// challenge. Elements that are not challenges are skipped.
pub(super) fn schemes(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    elements(field).filter_map(scheme)
}

/// Reports whether one of these fields offers a scheme.
pub(super) fn offers(fields: &[&[u8]], wanted: &[u8]) -> bool {
    let mut offered = fields.iter().flat_map(|field| schemes(field));
    offered.any(|scheme| scheme.eq_ignore_ascii_case(wanted))
}

/// Splits a comma-separated list into its elements. A comma inside quotes does not separate.
fn elements(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field.split(move |&byte| {
        let ends = byte == b',' && !is_quoted;
        if byte == b'"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = byte == b'\\' && is_quoted && !is_escaped;
        ends
    })
}

/// Returns the scheme with which an element begins; `None` if the element is only a parameter.
fn scheme(element: &[u8]) -> Option<&[u8]> {
    let element = element.trim_ascii();
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = element.iter().position(|byte| !is_of_token(byte));
    let (word, rest) = element.split_at(end.unwrap_or(element.len()));
    let is_parameter = rest.trim_ascii_start().starts_with(b"=");
    let is_cut_off = rest.first().is_none_or(|byte| *byte == b' ');
    (!word.is_empty() && is_cut_off && !is_parameter).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_of_a_www_authenticate_field_are_parsed() {
        for (field, want) in [
            ("Bearer", &["Bearer"][..]),
            ("Bearer realm=\"x\"", &["Bearer"]),
            ("Basic realm=\"x\", charset=\"UTF-8\"", &["Basic"]),
            ("Basic realm=\"x\",Bearer realm=\"y\"", &["Basic", "Bearer"]),
            ("Negotiate, Basic realm=x", &["Negotiate", "Basic"]),
            ("Negotiate YWJj==, bearer", &["Negotiate", "bearer"]),
            ("Basic realm=\"a, Bearer b\"", &["Basic"]),
            ("Basic realm=\"a\\\", Bearer \\\"b\"", &["Basic"]),
            ("Basic realm=\"a\\\\\", Bearer", &["Basic", "Bearer"]),
            ("Basic realm = \"x\", charset = \"UTF-8\"", &["Basic"]),
            (", ,Basic , ", &["Basic"]),
            ("", &[]),
            ("realm=\"x\"", &[]),
            ("\"Bearer\"", &[]),
            ("Bearer/x", &[]),
            ("Bearer:", &[]),
            ("Basic realm=\"open, Bearer", &["Basic"]),
        ] {
            let got: Vec<_> = schemes(field.as_bytes()).collect();
            let want: Vec<_> = want.iter().map(|scheme| scheme.as_bytes()).collect();
            assert_eq!(got, want, "{field}");
        }
    }
}
