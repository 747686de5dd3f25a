//! Commands of root on a machine with a system daemon: they and their remedies are about that daemon. The machine
//! consists of `/etc`, `/var/lib` and `/run` in a mount namespace.

use crate::support::TestEnv;
use crate::support::env::Output;
use crate::support::mounts::can_mount_or_skip;

/// Sets up the machine with the service's user. `enrol NAME …` and `rebind NAME …` ask no questions.
const MACHINE: &str = r#"
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs tmpfs /var/lib
chmod 755 /var/lib
mount -t tmpfs -o mode=755 tmpfs /run
with="--client-id test-client --client-secret-file $SECRET"
enrol() { "$JETOND" add "$@" --provider runai --url "$URL" $with; }
rebind() { "$JETOND" add "$@" --rebind $with; }
service() {
  echo 'jeton:x:60077:60077::/var/lib/jeton:/usr/sbin/nologin' >>/etc/passwd
  echo 'jeton:x:60077:' >>/etc/group
}
# What the service manager does when it starts the service.
first_start() { chown -R 60077:60077 /var/lib/jeton; }
check() { echo "[$1]"; shift; "$@" 2>&1; echo "[$?]"; }
# The daemon of another test that listens at /run/jeton in a mount namespace of its own is seen by the name of its socket.
doctor() {
  for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    said=$("$JETOND" doctor 2>&1); code=$?
    case $said in *'a service listens at /run/jeton/'*) sleep 1 ;; *) break ;; esac
  done
  echo "$said"
  return $code
}
set +e
"#;

/// Runs these shell commands on the machine.
fn on_machine(env: &TestEnv, lines: &str) -> Output {
    let script = format!("{MACHINE}{lines}");
    let mut command = env.command("unshare");
    command
        .args(["--mount", "sh", "-eu", "-c", &script])
        .env("JETOND", env!("CARGO_BIN_EXE_jetond"))
        .env("JETON", env!("CARGO_BIN_EXE_jeton"))
        .env("SECRET", env.secret_file())
        .env("URL", env.sandbox().url());
    env.finish("a script", command, b"", false)
}

/// Returns the part of the output that `check NAME` printed.
#[track_caller]
fn part<'a>(output: &'a Output, name: &str) -> &'a str {
    let begin = format!("[{name}]\n");
    let found = output.stdout.split_once(&begin);
    let (_, rest) = found.unwrap_or_else(|| panic!("{name}: {output:?}"));
    let end = rest.find("\n[").map_or(rest.len(), |at| at + 1);
    let code = rest[end..]
        .split_once(']')
        .map_or(0, |(code, _)| code.len() + 1);
    &rest[..end + code]
}

#[track_caller]
fn says(output: &Output, name: &str, code: u8, says: &[&str]) {
    let part = part(output, name);
    for says in says {
        assert!(part.contains(says), "{name}: {says:?} in {part}");
    }
    assert!(part.ends_with(&format!("[{code}]")), "{name}: {part}");
}

#[test]
fn root_reads_the_store_of_the_configurations_daemon() {
    if !can_mount_or_skip("root_reads_the_store_of_the_configurations_daemon") {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
service
check early enrol research --system
check before "$JETOND" check
first_start
check good "$JETOND" check
check named "$JETOND" check --config /etc/jeton/config.toml
check examined doctor
rm /var/lib/jeton/credentials/research.json
check lacking "$JETOND" check
check lacking-named "$JETOND" check --config /etc/jeton/config.toml
check lacking-examined doctor
check followed rebind research --system
check mended "$JETOND" check
check named-add enrol second --config /etc/jeton/config.toml
check both "$JETOND" check
check missing "$JETOND" check --config /etc/jeton/none.toml
ls -A "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"
"#,
    );
    says(
        &out,
        "early",
        0,
        &["research is enrolled", "in /var/lib/jeton/"],
    );
    let ok = "research: ok, runai at";
    for name in ["before", "good", "named", "mended"] {
        says(&out, name, 0, &[ok]);
    }
    says(
        &out,
        "examined",
        0,
        &[
            "skip  research: credential",
            "the credential for http",
            "jetond run --system",
        ],
    );
    let rebind = "jetond add research --rebind --system\n";
    for name in ["lacking", "lacking-named"] {
        says(&out, name, 78, &["no credential is stored", rebind]);
    }
    says(&out, "lacking-examined", 1, &[rebind]);
    says(&out, "followed", 0, &["research is enrolled"]);
    says(&out, "named-add", 0, &["in /var/lib/jeton/"]);
    says(&out, "both", 0, &[ok, "second: ok"]);
    says(&out, "missing", 78, &["none.toml: there is no such file"]);
    assert_eq!(part(&out, "both").matches("ok, ").count(), 2, "{out:?}");
    // Root got no configuration or state of its own.
    let (config, state) = (env.path("config"), env.path("state"));
    let left = format!("{}:\n\n{}:\n", config.display(), state.display());
    assert!(out.stdout.ends_with(&left), "{out:?}");
}

#[test]
fn a_file_unreadable_for_the_daemon_is_reported_with_a_remedy() {
    if !can_mount_or_skip("a_file_unreadable_for_the_daemon_is_reported_with_a_remedy") {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
service
config=/etc/jeton/config.toml
enrol research --system >&2
first_start
chmod 640 $config
check group "$JETOND" check
check group-system "$JETOND" check --system
check group-examined "$JETOND" doctor --system
chgrp 60077 $config
check followed "$JETOND" check
chgrp 0 $config; chmod 600 $config
check private "$JETOND" check
chmod o+r $config; chmod 700 /etc/jeton
check folder "$JETOND" check
chmod o+x /etc/jeton
check open "$JETOND" check
chown 60077 $config
check its-own "$JETOND" check
chown 60078 $config
check of-another "$JETOND" check
chown 0 $config; chown 60078 /etc/jeton
check folder-of-another "$JETOND" check
chown 0 /etc/jeton
chown 0 /var/lib/jeton/credentials/research.json
check record "$JETOND" check
chown 60077 /var/lib/jeton/credentials/research.json
chown 60077 /var/lib/jeton/credentials
mkdir -m 755 /etc/pki
cp /etc/ssl/certs/ca-certificates.crt /etc/pki/ca.pem || printf '%s\n' none >/etc/pki/ca.pem
chmod 600 /etc/pki/ca.pem
check ca enrol second --system --ca-file /etc/pki/ca.pem
printf 'ca-file = "/etc/pki/ca.pem"\n' >>$config
check ca-check "$JETOND" check
check ca-examined "$JETOND" doctor
"#,
    );
    let config = "/etc/jeton/config.toml";
    let cannot = format!("{config}: uid 60077 cannot read it: Permission denied (mode 0640");
    let chgrp = format!("chgrp 60077 {config}\n");
    for name in ["group", "group-system", "group-examined"] {
        says(&out, name, 78, &[&cannot, &chgrp]);
    }
    for name in ["followed", "open", "its-own"] {
        says(&out, name, 0, &["research: ok"]);
    }
    let chmod = format!("(mode 0600, group 0): chmod o+r {config}\n");
    says(&out, "private", 78, &[&chmod]);
    says(
        &out,
        "folder",
        78,
        &["uid 60077 cannot look into", "chmod o+x /etc/jeton\n"],
    );
    says(
        &out,
        "of-another",
        78,
        &[
            "it belongs to uid 60078",
            "not to root or uid 60077",
            "chown 0 /etc/jeton/config.toml\n",
        ],
    );
    says(
        &out,
        "folder-of-another",
        78,
        &[
            "/etc/jeton: it belongs to uid 60078",
            "chown 0 /etc/jeton\n",
        ],
    );
    says(
        &out,
        "record",
        78,
        &["chown 60077 /var/lib/jeton/credentials/research.json"],
    );
    for name in ["ca", "ca-check"] {
        says(
            &out,
            name,
            78,
            &["uid 60077 cannot read it", "chmod o+r /etc/pki/ca.pem\n"],
        );
    }
    says(
        &out,
        "ca-examined",
        1,
        &["uid 60077 cannot read it", "chmod o+r /etc/pki/ca.pem"],
    );
}

#[test]
fn root_learns_where_its_own_profile_is_stored() {
    if !can_mount_or_skip("root_learns_where_its_own_profile_is_stored") {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
service
check alone enrol mine
rm -r "$XDG_CONFIG_HOME/jeton" "$XDG_STATE_HOME/jeton"
enrol research --system >&2
first_start
check beside enrol mine
check rebind rebind research
check remove "$JETOND" remove research --yes
check own-check "$JETOND" check
check system-check "$JETOND" check --system
check same-name enrol research
check both "$JETOND" check
check other "$JETOND" remove none --yes
check of-system "$JETOND" remove research --yes --system
cat /etc/jeton/config.toml
"#,
    );
    let own = env.config();
    let lives = format!("the profile will live in {}", own.display());
    assert!(!part(&out, "alone").contains("will live"), "{out:?}");
    says(
        &out,
        "beside",
        0,
        &[&lives, "/etc/jeton/config.toml", "--system"],
    );
    let shown = own.display();
    let unknown = format!("there is no profile research in {shown}");
    says(
        &out,
        "rebind",
        78,
        &[&unknown, "run: jetond add research --rebind --system"],
    );
    says(
        &out,
        "remove",
        78,
        &[&unknown, "run: jetond remove research --system\n"],
    );
    says(&out, "own-check", 0, &["mine: ok"]);
    says(&out, "system-check", 0, &["research: ok"]);
    // The system's profile of the same name has its credential elsewhere.
    says(
        &out,
        "same-name",
        0,
        &["research is enrolled", "the profile will live in"],
    );
    says(&out, "both", 0, &["mine: ok", "research: ok"]);
    assert!(!part(&out, "other").contains("--system"), "{out:?}");
    says(&out, "of-system", 0, &["research is removed"]);
    let comment = "# profiles are added here by: jetond add --system\n";
    assert!(out.stdout.ends_with(comment), "{out:?}");
}

#[test]
fn commands_of_a_user_use_the_users_own_store_beside_a_system_daemon() {
    if !can_mount_or_skip("commands_of_a_user_use_the_users_own_store_beside_a_system_daemon") {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
service
enrol research --system >&2
first_start
umask 022
install -m 755 "$JETOND" /mnt/jetond
mkdir -p /mnt/alice && chown 60001 /mnt/alice
alice() { setpriv --reuid=60001 --regid=60001 --clear-groups env -i PATH="$PATH" HOME=/mnt/alice /mnt/jetond "$@"; }
check none alice check
check system alice check --system
check remove alice remove research --yes
chmod 640 /etc/jeton/config.toml
check closed alice check --system
"#,
    );
    let rebind = "run: jetond add research --rebind --config /etc/jeton/config.toml; ";
    says(
        &out,
        "none",
        78,
        &[rebind, "for root: jetond check --system\n"],
    );
    says(&out, "system", 78, &["Permission denied"]);
    says(
        &out,
        "remove",
        78,
        &["as root, run: jetond remove research --system\n"],
    );
    says(&out, "closed", 78, &["run this as root or as uid 60077\n"]);
}

#[test]
fn check_as_root_uses_its_own_state_if_there_is_one_and_otherwise_the_systems() {
    if !can_mount_or_skip(
        "check_as_root_uses_its_own_state_if_there_is_one_and_otherwise_the_systems",
    ) {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
enrol research >&2
mkdir /etc/jeton
mv "$XDG_CONFIG_HOME/jeton/config.toml" /etc/jeton/config.toml
check own "$JETOND" check
rm "$XDG_STATE_HOME/jeton/credentials/research.json"
check lacking "$JETOND" check
rm -r "$XDG_STATE_HOME/jeton"
check neither "$JETOND" check
"#,
    );
    says(&out, "own", 0, &["research: ok"]);
    says(
        &out,
        "lacking",
        78,
        &["jetond add research --rebind --config /etc/jeton/config.toml"],
    );
    says(
        &out,
        "neither",
        78,
        &["jetond add research --rebind --system\n"],
    );
}

#[test]
fn remedies_of_the_systems_daemon_are_commands_for_the_system() {
    if !can_mount_or_skip("remedies_of_the_systems_daemon_are_commands_for_the_system") {
        return;
    }
    let env = TestEnv::with_sandbox(60);
    let out = on_machine(
        &env,
        r#"
service
enrol research --system >&2
first_start
umask 022
install -m 755 "$JETOND" /mnt/jetond
mkdir -m 700 /mnt/run; chown 60077 /mnt/run
socket=/mnt/run/jeton/jeton.sock
daemon() {
  setpriv --reuid=60077 --regid=60077 --clear-groups env -i PATH="$PATH" /mnt/jetond run --system --socket $socket 2>/dev/null &
  pid=$!
  until "$JETON" ready --socket $socket --wait 10 >/dev/null 2>&1 || "$JETON" status --socket $socket >/dev/null 2>&1; do :; done
}
end() { kill $pid; wait $pid; }
rm /var/lib/jeton/credentials/research.json
daemon
check lacking "$JETON" token research --socket $socket
check status "$JETON" status research --socket $socket
end
printf '# none\n' >/etc/jeton/config.toml
daemon
check empty "$JETON" status --socket $socket
check none "$JETON" token --socket $socket
end
"#,
    );
    let rebind = "'jetond add research --rebind --system'";
    says(&out, "lacking", 78, &[rebind]);
    says(&out, "status", 0, &[rebind]);
    let add = "jetond add NAME --provider runai --url https://… --system\n";
    says(&out, "empty", 0, &[add]);
    says(&out, "none", 78, &["'jetond add NAME --system'"]);
}

#[test]
fn check_as_root_finds_old_clusters_with_the_systems_daemons_token() {
    if !can_mount_or_skip("check_as_root_finds_old_clusters_with_the_systems_daemons_token") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    let setting = jetond::sandbox::Setting::parse("clusters:2.9.4,2.24.1").unwrap();
    env.sandbox().set(setting);
    let out = on_machine(
        &env,
        r#"
service
enrol research --system >/dev/null
first_start
umask 022
install -m 755 "$JETOND" /mnt/jetond
install -d -m 700 -o 60077 -g 60077 /run/jeton /run/jeton-admin
setpriv --reuid=60077 --regid=60077 --clear-groups env -i PATH="$PATH" /mnt/jetond run --system 2>/mnt/log &
daemon=$!
"$JETON" ready research --socket /run/jeton/jeton.sock --wait 20 >/dev/null
cd /
check checked "$JETOND" check
check examined "$JETOND" doctor
check checked-system "$JETOND" check --system
check examined-system "$JETOND" doctor --system
kill $daemon; wait $daemon
cat /mnt/log >&2
"#,
    );
    for name in ["checked", "examined", "checked-system", "examined-system"] {
        says(&out, name, 0, &["below it: sandbox (2.9.4)"]);
    }
}
