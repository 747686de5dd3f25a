//! The identity of a configuration, whatever path leads to it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Resolves links and dots in a path, as far as the path exists.
pub fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match nearest(&absolute) {
        // Joined with an empty path, a file would become a folder.
        (real, rest) if rest.as_os_str().is_empty() => real,
        (folder, rest) => folder.join(rest),
    }
}

/// Returns a text that is equal for two processes of this machine exactly if their paths lead to the same file, even if
/// they are in different containers. It is based on the folder's inode, since each change replaces the file.
fn identity(path: &Path) -> Option<String> {
    let real = real_path(path);
    let (folder, rest) = nearest(real.parent()?);
    let rest = rest.join(real.file_name()?);
    let meta = folder.metadata().ok()?;
    let (device, inode) = (meta.dev(), meta.ino());
    Some(format!("{device}:{inode}:{}", rest.display()))
}

/// Returns an identifier of this configuration and state, which distinguishes their daemon from every other one of this
/// machine.
pub fn source_id(config: &Path, state: &Path) -> Option<String> {
    let state = identity(&state.join("credentials"))?;
    Some(format!("{} {state}", identity(config)?))
}

/// Returns the longest existing prefix of a path, without links, and the rest.
fn nearest(path: &Path) -> (PathBuf, PathBuf) {
    path.ancestors()
        .find_map(|beginning| {
            let real = beginning.canonicalize().ok()?;
            Some((real, path.strip_prefix(beginning).ok()?.to_owned()))
        })
        .unwrap_or_else(|| (PathBuf::from("/"), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_identified_through_links_and_before_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("real/a.toml", root.join("a.toml")).unwrap();
        let real = root.join("real/a.toml");
        let ways = [
            real.clone(),
            root.join("link/a.toml"),
            root.join("link/../real/./a.toml"),
        ];
        for there in [false, true] {
            if there {
                fs::write(&real, "").unwrap();
            }
            for way in &ways {
                assert_eq!(real_path(way), real, "{}", way.display());
                assert_eq!(identity(way), identity(&real));
            }
            assert_ne!(identity(&real), identity(&root.join("real/b.toml")));
            assert_ne!(identity(&real), identity(&root.join("a.toml2")));
        }
        assert_eq!(real_path(&root.join("a.toml")), real, "now it leads there");
        assert!(!real_path(&real).to_str().unwrap().ends_with('/'));
        let known = identity(&real);
        fs::write(root.join("new"), "").unwrap();
        fs::rename(root.join("new"), &real).unwrap();
        assert_eq!(identity(&real), known, "after a change");
        let deep = root.join("none/yet/c");
        assert_eq!(real_path(&deep), deep);
        assert!(identity(&deep).unwrap().ends_with(":none/yet/c"));
    }
}
