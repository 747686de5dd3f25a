//! systemd's journal behind standard error. It reads a line's priority from a prefix such as `<4>` (sd-daemon(3)), and
//! adds the time of each line.

use std::fmt::Display;

use tracing::Level;

/// Reports whether standard error is the stream that `JOURNAL_STREAM` names. The variable alone proves nothing, since
/// children inherit it together with other streams.
pub(super) fn is_stderr(variable: &str) -> bool {
    let stat = rustix::fs::fstat(rustix::stdio::stderr());
    stat.is_ok_and(|stat| names(variable, stat.st_dev, stat.st_ino))
}

/// Compares the value of `JOURNAL_STREAM` with a device and inode (systemd.exec(5)).
fn names(variable: &str, device: impl Display, inode: impl Display) -> bool {
    variable == format!("{device}:{inode}")
}

/// Puts the priority of `level` before each line of the text: the journal makes an entry of each line.
pub(super) fn with_priority(level: Level, text: &str) -> String {
    let prefix = match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    };
    text.split_inclusive('\n')
        .flat_map(|line| [prefix, line])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_stream_identifies_the_journal_by_device_and_inode() {
        for (variable, is_named) in [
            ("9:4711", true),
            ("9:471", false),
            ("9:47110", false),
            ("8:4711", false),
            ("4711:9", false),
            ("9", false),
            (":", false),
            ("9:4711:", false),
            (" 9:4711", false),
            ("", false),
        ] {
            assert_eq!(names(variable, 9, 4_711_u64), is_named, "{variable:?}");
        }
    }

    #[test]
    fn each_line_of_a_text_gets_the_priority_of_its_level() {
        for (level, text, expected) in [
            (Level::ERROR, "a\n", "<3>a\n"),
            (Level::WARN, "a\n\nb\n", "<4>a\n<4>\n<4>b\n"),
            (Level::INFO, "a\nb", "<6>a\n<6>b"),
            // A prefix inside the text does not count.
            (Level::DEBUG, "a\n<0>b\n", "<7>a\n<7><0>b\n"),
            (Level::TRACE, "{}\n", "<7>{}\n"),
            (Level::INFO, "", ""),
        ] {
            assert_eq!(with_priority(level, text), expected);
        }
    }
}
