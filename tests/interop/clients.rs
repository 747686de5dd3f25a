//! Check that the clients named in `docs/integrations.md` are installed and run.

use std::path::PathBuf;

use crate::support::TestEnv;
use crate::tools::{
    MissingProgram, Test, git_with_authtype, git_without_authtype, kubectl, program, python_program,
};

pub(crate) const TESTS: &[(&str, Test)] = &[(
    "each_client_prints_its_version",
    each_client_prints_its_version,
)];

fn each_client_prints_its_version() -> Result<(), MissingProgram> {
    let env = TestEnv::new();
    let tells = |program: PathBuf, argument: &str| {
        let mut command = env.command(&program);
        command.args(argument.split(' '));
        let output = env.finish("a client", command, b"", false);
        assert_eq!(output.code, 0, "{}: {output:?}", program.display());
    };
    tells(git_without_authtype()?, "--version");
    tells(git_with_authtype()?, "--version");
    tells(kubectl()?, "version --client");
    for name in ["pip", "uv", "twine", "mypy", "mlflow"] {
        tells(python_program(name)?, "--version");
    }
    for name in ["curl", "docker", "node", "podman", "prometheus", "skopeo"] {
        tells(program(name)?, "--version");
    }
    tells(program("docker-registry")?, "--version");
    tells(program("rclone")?, "version");
    Ok(())
}
