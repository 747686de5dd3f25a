//! Certificates in other forms, and the commands that convert them.
//!
//! One form is OpenSSL's own. In addition to a certificate, it holds the purposes for which the certificate is trusted
//! or rejected. Without these, the certificate would be trusted for more than its owner intended.

use std::path::Path;

use super::pem::Pem;
use super::x509::CertificateFacts;

/// The label of a block in OpenSSL's own form.
const LABEL: &str = "TRUSTED CERTIFICATE";

/// Returns the text for a file with such a block, to follow its name and its path: what is in it, and the command that
/// converts it. `None` if there is no such block.
pub(super) fn words(pem: &Pem, path: &Path) -> Option<String> {
    if pem.count(LABEL) == 0 {
        return None;
    }
    let path = word(path);
    let command = match pem.count(LABEL) + pem.count("CERTIFICATE") {
        1 => format!("openssl x509 -in {path} -out NEW.pem"),
        // The command for one certificate would convert only the first one.
        _ => format!(
            "openssl crl2pkcs7 -nocrl -certfile {path} | openssl pkcs7 -print_certs -out NEW.pem"
        ),
    };
    Some(format!(
        "has a block BEGIN {LABEL}, a form of OpenSSL's that is not read: convert the file, and name the new one: {command}"
    ))
}

/// Returns the text that follows "holds no certificate in PEM form", if the file holds one in another form.
pub(super) fn hint(bytes: &[u8], pem: &Pem, path: &Path) -> String {
    let path = word(path);
    if CertificateFacts::read(bytes).is_some() {
        return format!(
            "; it holds one in DER form, so convert it: openssl x509 -inform DER -in {path} -out NEW.pem"
        );
    }
    if pem.count("PKCS7") > 0 {
        return format!(
            "; it holds a PKCS #7 block, so convert it: openssl pkcs7 -print_certs -in {path} -out NEW.pem"
        );
    }
    String::new()
}

/// Quotes a path as one word of a shell.
pub(super) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
