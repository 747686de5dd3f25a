//! `jetond setup rclone`: a remote of rclone whose token comes from a command.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// rclone, by `bearer_token_command` of its WebDAV remotes. DVC has a setting of the same name.
pub(super) static RECIPE: Recipe = Recipe {
    name: "rclone",
    wants: "copy data with rclone from or to a WebDAV server",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (jeton, profile) = (subject.jeton_text()?, subject.profile()?);
    let address = subject.address()?;
    // rclone splits the value at spaces; quotes as in CSV keep a word together.
    let jeton = match jeton.contains([' ', '"']) {
        true => format!("\"{}\"", jeton.replace('"', "\"\"")),
        false => jeton.to_owned(),
    };
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            "these lines are for ~/.config/rclone/rclone.conf; then: rclone ls jeton:".to_owned(),
        ],
        text: format!(
            "[jeton]\ntype = webdav\nurl = {address}\nvendor = other\nbearer_token_command = {jeton} token {profile} --for rclone\n"
        ),
    })
}
