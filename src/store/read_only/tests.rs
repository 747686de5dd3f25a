use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const SECRET: &str = "canary-secret";

struct TestStore {
    dir: tempfile::TempDir,
    owner: u32,
}

impl TestStore {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let owner = rustix::process::geteuid().as_raw();
        Self { dir, owner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn program(&self, script: &str) -> Vec<String> {
        let path = self.file("program", format!("#!/bin/sh\n{script}\n"));
        set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        vec![path.to_str().unwrap().to_owned()]
    }

    fn reader(&self, client_secret: SecretSource, surroundings: SourceContext) -> SourceReader {
        SourceReader {
            source: ReadOnlySource {
                client_id: ClientIdSource::Text("app".into()),
                client_secret,
            },
            owner: self.owner,
            surroundings: surroundings.into(),
        }
    }

    /// Reads the secret; returns the whole message on an error.
    fn read(&self, client_secret: SecretSource, surroundings: SourceContext) -> Result<(), String> {
        let read = self.reader(client_secret, surroundings).credential();
        let expected = ClientSecret::parse(SECRET).unwrap();
        match read {
            Ok(credential) if credential.client_secret == expected => Ok(()),
            Ok(_) => Err("another secret".to_owned()),
            Err(error) => Err(crate::causes::Causes(&error).to_string()),
        }
    }

    fn of_file(&self, path: PathBuf) -> Result<(), String> {
        self.read(SecretSource::File(path), SourceContext::default())
    }

    fn of_command(&self, script: &str) -> Result<(), String> {
        let path = [("PATH".into(), "/usr/bin:/bin".into())];
        let surroundings = SourceContext {
            variables: path.into(),
            ..SourceContext::default()
        };
        self.read(SecretSource::Command(self.program(script)), surroundings)
    }
}

#[test]
fn a_file_source_gives_the_secret_without_one_line_end() {
    let place = TestStore::new();
    for end in ["", "\n", "\r\n"] {
        let file = place.file("secret", format!("{SECRET}{end}"));
        place.of_file(file).unwrap();
    }
    for (bad, says) in [
        ("", "gives nothing, where a client secret should be"),
        ("\n", "gives nothing, where a client secret should be"),
        (
            "canary\n\n",
            "it has characters that a client ID or secret cannot have",
        ),
        ("canary\0", "it has characters"),
        ("\u{feff}canary", "it has characters"),
        (&"canary".repeat(200), "it is longer than 1024 bytes"),
    ] {
        let told = place.of_file(place.file("secret", bad)).unwrap_err();
        assert!(
            told.starts_with("client-secret: ") && told.contains(says),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn a_file_source_of_a_gibibyte_is_refused() {
    let place = TestStore::new();
    let path = place.file("secret", "");
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let told = place.of_file(path).unwrap_err();
    assert!(told.contains("it is larger than 65536 bytes"), "{told}");
}

#[test]
fn a_source_that_is_not_a_regular_file_is_refused_without_blocking() {
    let place = TestStore::new();
    let fifo = place.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let folder = place.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let socket = place.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [fifo, folder, socket, "/dev/null".into()] {
        let told = place.of_file(path.clone()).unwrap_err();
        assert!(
            told.contains("it is not a regular file"),
            "{}: {told}",
            path.display()
        );
    }
    let told = place.of_file(place.path("none")).unwrap_err();
    assert!(told.contains("there is no such file or folder"), "{told}");
}

#[test]
fn links_are_followed_and_a_file_writable_by_others_is_refused() {
    let place = TestStore::new();
    let data = place.path("..2026");
    std::fs::create_dir(&data).unwrap();
    symlink("..2026", place.path("..data")).unwrap();
    symlink("..data/secret", place.path("secret")).unwrap();
    let file = place.file("..2026/secret", SECRET);
    for (mode, is_good) in [
        (0o600, true),
        (0o400, true),
        (0o644, true),
        (0o622, false),
        (0o606, false),
    ] {
        set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let read = place.of_file(place.path("secret"));
        assert_eq!(read.is_ok(), is_good, "{mode:o}: {read:?}");
    }
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    let told = place.of_file(place.path("secret")).unwrap_err();
    assert!(
        told.contains("others can write to it (mode 0777)"),
        "{told}"
    );
}

#[test]
fn a_systemd_credential_is_read_from_the_credentials_folder() {
    let place = TestStore::new();
    place.file("ci.secret", SECRET);
    let source = || SecretSource::SystemdCredential("ci.secret".into());
    let passed = |folder| SourceContext {
        credentials: folder,
        ..SourceContext::default()
    };
    let folder = Some(place.dir.path().to_owned());
    place.read(source(), passed(folder)).unwrap();
    let told = place.read(source(), passed(None)).unwrap_err();
    assert!(told.contains("LoadCredential=ci.secret:/PATH"), "{told}");
    let folder = Some(place.path("none"));
    let told = place.read(source(), passed(folder)).unwrap_err();
    assert!(told.contains("there is no such file or folder"), "{told}");
}

#[test]
fn a_command_source_gives_the_secret_and_its_failures_quote_no_output() {
    let place = TestStore::new();
    place
        .of_command(&format!("echo {SECRET}; echo canary >&2"))
        .unwrap();
    for (script, says) in [
        ("", "gives nothing, where a client secret should be"),
        ("echo; echo", "it has characters"),
        (
            "echo canary; exit 1",
            "failed (exit status: 1); run it by hand",
        ),
        ("echo canary; kill -9 $$", "failed (signal: 9 (SIGKILL)"),
        (
            "exec head -c 1073741824 /dev/zero",
            "printed more than 65536 bytes, and was killed",
        ),
    ] {
        let told = place.of_command(script).unwrap_err();
        assert!(
            told.starts_with("client-secret: ") && told.contains(says),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn a_command_that_other_users_can_change_is_not_run() {
    let place = TestStore::new();
    let ran = place.path("ran");
    let words = place.program(&format!("touch {}; echo {SECRET}", ran.display()));
    set_permissions(&words[0], Permissions::from_mode(0o722)).unwrap();
    let source = SecretSource::Command(words);
    let told = place
        .read(source.clone(), SourceContext::default())
        .unwrap_err();
    assert!(
        told.contains("others can write to it (mode 0722)"),
        "{told}"
    );
    for (why, says) in [
        (NoCommands::Root, "since this daemon is root's"),
        (
            NoCommands::SystemUnit,
            "since this daemon is a service of the machine",
        ),
    ] {
        let surroundings = SourceContext {
            no_commands: Some(why),
            ..SourceContext::default()
        };
        let told = place.read(source.clone(), surroundings).unwrap_err();
        assert!(told.contains(says), "{told}");
    }
    assert!(!ran.exists());
}

#[test]
fn a_pair_of_source_files_replaced_during_the_read_is_read_again() {
    let place = TestStore::new();
    let id = place.file("id", "old");
    let (next, count) = (place.file("next", "new"), place.path("count"));
    // The command stands for the second file, and replaces the first one when it is read for the first time.
    let script = format!(
        "[ -e {0} ] || mv {1} {2}; echo >> {0}; echo {SECRET}",
        count.display(),
        next.display(),
        id.display()
    );
    let path = [("PATH".into(), "/usr/bin:/bin".into())];
    let surroundings = SourceContext {
        variables: path.into(),
        ..SourceContext::default()
    };
    let mut reader = place.reader(SecretSource::Command(place.program(&script)), surroundings);
    reader.source.client_id = ClientIdSource::File(id);
    assert_eq!(reader.credential().unwrap().client_id, "new");
    assert_eq!(std::fs::read_to_string(count).unwrap().len(), 2);
}

#[test]
fn a_secret_with_quotes_spaces_or_a_name_around_it_is_refused() {
    let place = TestStore::new();
    for (text, around) in [
        (format!("\"{SECRET}\"\n"), "quotes around it"),
        (format!(" {SECRET}\n"), "a space before it"),
        (format!("{SECRET} "), "a space after it"),
        (format!("CLIENT_SECRET={SECRET}\n"), "a name before it"),
    ] {
        let file = place.file("secret", &text);
        let why = place.of_file(file).unwrap_err();
        assert!(why.contains(around) && !why.contains(SECRET), "{why}");
        let why = place.of_command(&format!(
            "cat <<'END'\n{}\nEND",
            text.trim_end_matches('\n')
        ));
        let why = why.unwrap_err();
        assert!(why.contains(around) && !why.contains(SECRET), "{why}");
    }
    // Such characters inside the text are a part of it.
    let file = place.file("secret", "a\"b'c=d:e f");
    let reader = place.reader(SecretSource::File(file), SourceContext::default());
    let credential = reader.credential().unwrap();
    assert_eq!(credential.client_secret.expose(), "a\"b'c=d:e f");
    let id = place.file("id", "'app'\n");
    let reader = SourceReader {
        source: ReadOnlySource {
            client_id: ClientIdSource::File(id),
            ..reader.source
        },
        ..reader
    };
    let why = reader.client_id().unwrap_err().to_string();
    assert!(
        why.contains("the client ID") && why.contains("quotes around it"),
        "{why}"
    );
}
