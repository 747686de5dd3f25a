//! The end of an export: prints the result, and with `--move` removes the profiles here.

use std::path::Path;

use super::super::output::{Exit, print_note, report};
use super::super::remove;
use super::super::target::lines::quoted;
use super::Export;
use crate::settings::ConfigFile;
use crate::store::{MoveKind, ProfileLock, Removals};

impl Export<'_> {
    /// Prints the result; with `--move`, removes the profiles.
    pub(super) fn finish(&self, locks: &[ProfileLock]) -> Result<(), Exit> {
        let file = self.file.display();
        let import = format!("jetond import {}", quoted(Path::new(&self.file)));
        if !self.moves {
            report(format!(
                "{} is exported to {file}; on the other machine run: {import}",
                self.listed()
            ));
            return Ok(());
        }
        for lock in locks {
            let name = lock.profile();
            let removed = remove::remove_moved(self.target, &self.stores, lock);
            removed.inspect_err(|_| self.write_down_again(lock))?;
            report(format!("{name} is moved to {file}, and removed here"));
        }
        report(format!("on the other machine run: {import}"));
        Ok(())
    }

    /// Records the intent again after a removal that failed without any change, so that the same command continues
    /// later. A removal that has begun has a record of its own.
    fn write_down_again(&self, lock: &ProfileLock) {
        let name = lock.profile();
        let removals = Removals::new(&self.target.state, self.target.owner);
        let is_here = |found: ConfigFile| found.config.profiles.contains_key(name);
        if !matches!(removals.begun(name), Ok(None))
            || !self.target.read_to_change().is_ok_and(is_here)
        {
            return;
        }
        let file = self.file.clone();
        let meant = self.moves_of(name).begin(lock, MoveKind::Export { file });
        let shown = self.file.display();
        print_note(match meant {
            Ok(()) => format!("{shown} has {name}; to remove it here, run the same command again"),
            Err(_) => format!(
                "{shown} has {name}, which is still here as well; to go on, remove that file and run the same command again"
            ),
        });
    }
}
