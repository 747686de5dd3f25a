//! `jetond setup git`, and what `doctor` reports about other helpers that git asks.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::server::Scheme;
use super::{gits, serving, set_up};
use crate::support::TestEnv;
use crate::support::env::Output;

/// Puts this git first on the PATH.
fn with_git(mut command: Command, program: &Path, folder: &Path) -> Command {
    let path = program.parent().unwrap().display();
    command
        .env("PATH", format!("{path}:/usr/bin:/bin"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(folder);
    command
}

/// Runs `jetond` with these arguments in this folder.
fn jetond(env: &TestEnv, program: &Path, folder: &Path, args: &[&str]) -> Output {
    let command = with_git(env.jetond_command(args), program, folder);
    env.finish("jetond", command, b"", false)
}

fn shell(env: &TestEnv, program: &Path, folder: &Path, script: &str) -> Output {
    let mut command = with_git(env.command("/bin/sh"), program, folder);
    command.args(["-ec", script]);
    env.finish("a shell", command, b"", false)
}

fn done(output: &Output) -> &str {
    assert_eq!(output.code, 0, "{output:?}");
    &output.stdout
}

#[test]
fn after_setup_git_uses_no_other_helper_for_the_address() {
    for (program, _) in gits() {
        let (env, server, mut daemon) = serving(Scheme::Basic, "");
        let home = env.path("home");
        let file = home.join(".gitconfig");
        let url = &server.url;
        let before = format!(
            "# mine\n[credential]\n\thelper = store\n\thelper = cache\n[credential \"{url}\"]\n\tusername = oauth2\n\thelper = store\n[core]\n\tpager = cat\n[credential]\n\thelper = store\n"
        );
        fs::write(&file, &before).unwrap();
        let setup = |args: &[&str]| {
            let args = [&["setup", "git", url], args].concat();
            jetond(&env, &program, &home, &args)
        };
        let fetch = format!("git ls-remote {url}/x.git");
        for _ in 0..2 {
            let applied = setup(&["--apply"]);
            let said = done(&applied);
            assert!(!said.contains(".gitconfig:"), "{said}");
            done(&shell(&env, &program, &home, &fetch));
            assert_eq!(server.sent(), ["", "Basic oauth2"]);
            assert!(!home.join(".git-credentials").exists());
            assert!(!home.join(".cache/git/credential").exists());
        }
        done(&setup(&["--undo"]));
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
        // The configuration consists of the helpers only. Without ours, git asks the file's own.
        assert_ne!(shell(&env, &program, &home, &fetch).code, 0);
        env.stop(&mut daemon);
    }
}

#[test]
fn the_printed_lines_have_the_same_effect_as_apply() {
    for (program, _) in gits() {
        let (env, server, mut daemon) = serving(Scheme::Basic, "");
        let home = env.path("home");
        fs::write(home.join(".gitconfig"), "[credential]\n\thelper = store\n").unwrap();
        let printed = jetond(&env, &program, &home, &["setup", "git", &server.url]);
        let lines = done(&printed);
        assert!(lines.contains("git below 2.46 sends nothing to a server that takes Bearer alone"));
        done(&shell(&env, &program, &home, lines));
        done(&shell(
            &env,
            &program,
            &home,
            &format!("git ls-remote {}/x.git", server.url),
        ));
        assert_eq!(server.sent(), ["", "Basic oauth2"]);
        assert!(!home.join(".git-credentials").exists());
        env.stop(&mut daemon);
    }
}

#[test]
fn each_later_helper_is_named_with_its_file_and_line() {
    for (program, _) in gits() {
        let env = set_up("url = \"https://git.example\"");
        let home = env.path("home");
        let file = home.join(".gitconfig");
        let repository = home.join("r");
        done(&shell(
            &env,
            &program,
            &home,
            "git init -q r; mkdir r/below",
        ));
        fs::write(
            repository.join(".git/config"),
            "[core]\n\tbare = false\n[credential]\n\thelper = store\n",
        )
        .unwrap();
        let below = repository.join("below");
        let setup = |args: &[&str]| {
            let args = [&["setup", "git", "https://git.example"], args].concat();
            jetond(&env, &program, &below, &args)
        };
        let of_repository = format!("{}:4: ", repository.join(".git/config").display());
        let printed = setup(&[]);
        assert!(done(&printed).contains(&of_repository), "{printed:?}");
        let applied = setup(&["--apply"]);
        let said = done(&applied);
        assert!(said.contains(&of_repository), "{said}");
        let old = said.contains("this is git 2.");
        assert_eq!(
            old,
            program.ends_with("git") && super::minor(&program).unwrap() < 46,
            "{said}"
        );

        // Lines that other programs add after ours.
        let mut text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        text.push_str(
            "[include]\n\tpath = more\n[credential \"https://other.example\"]\n\thelper = x\n",
        );
        fs::write(&file, &text).unwrap();
        fs::write(
            home.join("more"),
            "[credential \"https://*.example\"]\n\tusername = x\n\thelper = cache\n",
        )
        .unwrap();
        let of_include = format!("{}:3: ", home.join("more").display());
        let doctor = |folder: &Path| {
            let found = jetond(&env, &program, folder, &["doctor"]);
            found
                .stdout
                .lines()
                .filter(|line| line.contains("after the companion"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let [include, local] = &doctor(&below)[..] else {
            panic!("{:?}", doctor(&below))
        };
        assert!(
            include.contains(&of_include) && local.contains(&of_repository),
            "{include} {local}"
        );
        let [include] = &doctor(&home)[..] else {
            panic!("{:?}", doctor(&home))
        };
        assert!(include.contains(&of_include), "{include}");

        // After a second `--apply`, our lines are the last ones again.
        let applied = setup(&["--apply"]);
        assert!(!done(&applied).contains(&of_include), "{applied:?}");
        assert!(doctor(&home).is_empty());
        let undone = setup(&["--undo"]);
        let left = fs::read_to_string(&file).unwrap();
        assert!(
            !left.contains("jeton") && left.contains("path = more"),
            "{undone:?} {left} {lines}"
        );
        assert!(doctor(&home).is_empty());
    }
}

#[test]
fn setup_for_an_address_with_a_path_makes_git_send_the_path() {
    for (program, _) in gits() {
        let (env, server, mut daemon) = serving(Scheme::Basic, "");
        let url = format!("{}/team", server.url);
        super::bind(&env, "research", &format!("url = \"{url}\""));
        let home = env.path("home");
        let applied = jetond(&env, &program, &home, &["setup", "git", &url, "--apply"]);
        done(&applied);
        let set = format!("git config --get-urlmatch credential.useHttpPath {url}/x.git");
        assert_eq!(done(&shell(&env, &program, &home, &set)), "true\n");
        env.stop(&mut daemon);
    }
}

#[test]
fn doctor_also_names_a_later_helper_for_a_path_below_the_address() {
    for (program, _) in gits() {
        let (env, server, mut daemon) = serving(Scheme::Basic, "");
        let home = env.path("home");
        let url = &server.url;
        let setup = || jetond(&env, &program, &home, &["setup", "git", url, "--apply"]);
        done(&setup());
        let file = home.join(".gitconfig");
        let mut text = fs::read_to_string(&file).unwrap();
        let line = text.lines().count() + 2;
        text.push_str(&format!(
            "[credential \"{url}/team\"]\n\thelper = \"!f() {{ cat >>given; }}; f\"\n"
        ));
        fs::write(&file, text).unwrap();
        let fetch = format!("git ls-remote {url}/team/x.git");
        done(&shell(&env, &program, &home, &fetch));
        // git passes the token to the other helper.
        let given = home.join("given");
        let told = fs::read_to_string(&given).unwrap();
        assert!(told.contains(&env.token(&daemon, "research")));
        let found = format!(
            "{}:{line}: git gives the token to this helper, too",
            file.display()
        );
        let doctor = jetond(&env, &program, &home, &["doctor"]);
        assert!(doctor.stdout.contains(&found), "{found} {doctor:?}");
        // Now our lines are the last ones again.
        done(&setup());
        fs::remove_file(&given).unwrap();
        done(&shell(&env, &program, &home, &fetch));
        assert!(!given.exists());
        env.stop(&mut daemon);
    }
}

#[test]
fn setup_with_another_companion_path_replaces_the_first_one() {
    for (program, _) in gits() {
        let url = "https://git.example";
        let env = set_up(&format!("url = \"{url}\""));
        let home = env.path("home");
        let file = home.join(".gitconfig");
        let other = env.path("home/jeton");
        fs::copy(env!("CARGO_BIN_EXE_jeton"), &other).unwrap();
        let other = other.to_str().unwrap();
        let setup = |args: &[&str]| {
            let args = [&["setup", "git"], args].concat();
            jetond(&env, &program, &home, &args)
        };
        let before = format!("[credential \"{url}\"]\n\thelper = store\n");
        for edited in [false, true] {
            fs::write(&file, &before).unwrap();
            done(&setup(&[url, "--apply"]));
            let applied = setup(&[url, "--apply", "--jeton", other]);
            assert!(!done(&applied).contains("remove that line"), "{applied:?}");
            let text = fs::read_to_string(&file).unwrap();
            let helpers = text.lines().filter(|line| line.contains("helper"));
            let helpers: Vec<_> = helpers.map(str::trim).collect();
            let ours = format!("helper = {other} git");
            assert_eq!(helpers, ["helper = store", "helper =", &ours], "{text}");
            if edited {
                fs::write(&file, format!("{text}[core]\n\tpager = cat\n")).unwrap();
            }
            done(&setup(&["--undo"]));
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("jeton"), "{text}");
            assert_eq!(text.contains("pager"), edited, "{text}");
            assert!(text.contains("helper = store"), "{text}");
        }
    }
}
