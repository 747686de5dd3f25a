//! The names that `jetond setup` takes. The companion's help lists them too.

/// The names that `jetond setup` takes, each with what a person wants to do, in the order of the list.
pub static SETUPS: [(&str, &str); 13] = [
    ("git", "clone, fetch and push with git"),
    (
        "docker",
        "pull and push images with docker, podman or skopeo",
    ),
    (
        "kubectl",
        "reach a cluster with kubectl, helm or a client library",
    ),
    ("pip", "install packages with pip from a private index"),
    ("uv", "install packages with uv from a private index"),
    (
        "claude-code",
        "let Claude Code reach an LLM gateway or an MCP server",
    ),
    ("codex", "let Codex reach an LLM gateway"),
    ("openai", "call a model from Python with the OpenAI SDK"),
    ("mlflow", "log a training run to an MLflow server"),
    ("huggingface", "get models and data sets from a hub"),
    ("curl", "call an API with curl, in a shell or a script"),
    ("rclone", "copy data with rclone from or to a WebDAV server"),
    (
        "prometheus",
        "let Prometheus scrape targets that need a token",
    ),
];
