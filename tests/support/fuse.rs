//! A FUSE file system with one file, `secret`, served by this process. No kernel can watch such a file for changes. It
//! implements only the part of the kernel's protocol (`include/uapi/linux/fuse.h`) that a reader of the file needs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

/// The file system, before it is served.
pub(crate) struct Fuse {
    device: File,
    content: Arc<Mutex<String>>,
}

const ROOT: u64 = 1;
const FILE: u64 = 2;
const NO_ENTRY: i32 = 2;
const NOT_IMPLEMENTED: i32 = 38;

// === impl Fuse ===

impl Fuse {
    /// Opens a connection to the kernel. Returns `None` on a machine without FUSE.
    pub(crate) fn open(content: &str) -> Option<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        Some(Self {
            device: device.ok()?,
            content: Arc::new(Mutex::new(content.to_owned())),
        })
    }

    /// Returns the standard input for the shell that mounts it, and the command that does.
    pub(crate) fn mount(&self, at: &Path) -> (Stdio, String) {
        let line = format!(
            "mount -t fuse -o ro,fd=0,rootmode=40000,user_id=0,group_id=0 standin {}",
            at.display()
        );
        (Stdio::from(self.device.try_clone().unwrap()), line)
    }

    /// Serves the file on a new thread. Returns the content: a change of it is visible at the next read.
    pub(crate) fn serve(self) -> Arc<Mutex<String>> {
        let content = Arc::clone(&self.content);
        std::thread::spawn(move || {
            let mut request = vec![0; 1 << 20];
            loop {
                match (&self.device).read(&mut request) {
                    Ok(len) => {
                        let Some(answer) = self.answer(&request[..len]) else {
                            continue;
                        };
                        // The write fails if the caller was interrupted and no longer waits for the answer.
                        let _: io::Result<usize> = (&self.device).write(&answer);
                    }
                    // It is not mounted yet.
                    Err(error) if error.raw_os_error() == Some(1) => std::thread::yield_now(),
                    // It was unmounted.
                    Err(_) => return,
                }
            }
        });
        content
    }

    /// Returns the answer to a request, or `None` for a request without one.
    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().unwrap());
        let (operation, unique, node, body) = (word(4), long(8), long(16), 40);
        let content = self.content.lock().unwrap();
        let done = match operation {
            // FORGET, INTERRUPT, BATCH_FORGET
            2 | 36 | 42 => return None,
            // LOOKUP
            1 if &request[body..] == b"secret\0" => {
                let head = [FILE, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
                Ok([head, attributes(FILE, content.len())].concat())
            }
            1 => Err(NO_ENTRY),
            // GETATTR
            3 => Ok([vec![0; 16], attributes(node, content.len())].concat()),
            // OPEN, OPENDIR: bypass the page cache
            14 | 27 => Ok([0, 1].map(u64::to_le_bytes).concat()),
            // READ
            15 => {
                let from = usize::try_from(long(body + 8)).unwrap().min(content.len());
                let most = usize::try_from(word(body + 16)).unwrap();
                let rest = &content.as_bytes()[from..];
                Ok(rest[..most.min(rest.len())].to_vec())
            }
            // STATFS
            17 => Ok(vec![0; 80]),
            // RELEASE, FLUSH, READDIR, RELEASEDIR, DESTROY
            18 | 25 | 28 | 29 | 38 => Ok(vec![]),
            // INIT: version 7.31, and writes of 4 KiB
            26 => {
                let words = [7, 31, 0, 0, 0, 4_096, 1];
                let words = words.map(u32::to_le_bytes).concat();
                Ok([words, vec![0; 36]].concat())
            }
            _ => Err(NOT_IMPLEMENTED),
        };
        let (error, data) = match done {
            Ok(data) => (0, data),
            Err(error) => (-error, vec![]),
        };
        let len = u32::try_from(16 + data.len()).unwrap();
        let head = [&len.to_le_bytes()[..], &error.to_le_bytes()];
        Some([&head.concat()[..], &unique.to_le_bytes(), &data].concat())
    }
}

/// Returns the attributes of a node, `struct fuse_attr`: owned by root, and accessible to root only.
fn attributes(node: u64, len: usize) -> Vec<u8> {
    let (len, mode): (u64, u32) = match node {
        ROOT => (0, 0o040_755),
        _ => (u64::try_from(len).unwrap(), 0o100_600),
    };
    let longs = [node, len, 1, 0, 0, 0].map(u64::to_le_bytes).concat();
    let words = [0, 0, 0, mode, 1, 0, 0, 0, 4_096, 0];
    [longs, words.map(u32::to_le_bytes).concat()].concat()
}
