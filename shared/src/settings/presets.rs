//! Well-known agents that speak ACP: how each maker says that it is started.

use super::AdapterKind;

/// What `adapter = "claude"` and the like stand for. Settings overrule each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The program and its arguments.
    pub command: &'static [&'static str],
    /// The mode in which it asks before it changes or runs something; none if it has no such mode.
    pub acp_mode: Option<&'static str>,
    /// What makes it ask where a mode does not.
    pub env: &'static [(&'static str, &'static str)],
    /// The command that installs it.
    pub install: &'static str,
}

/// How the work of an adapter is done: a preset is one more name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterFamily {
    /// By saying the instruction back.
    Echo,
    /// By a command that is run for each item.
    Exec,
    /// By an agent that speaks the Agent Client Protocol.
    Acp,
    /// By a server of chat completions.
    OpenAi,
}

impl AdapterKind {
    /// How its work is done.
    pub fn family(self) -> AdapterFamily {
        match self {
            Self::Echo => AdapterFamily::Echo,
            Self::Exec => AdapterFamily::Exec,
            Self::OpenAi => AdapterFamily::OpenAi,
            Self::Acp
            | Self::Claude
            | Self::Codex
            | Self::Gemini
            | Self::Opencode
            | Self::Qwen
            | Self::Goose => AdapterFamily::Acp,
        }
    }

    /// The agent that this names, if it does.
    pub fn preset(self) -> Option<Preset> {
        let preset = match self {
            Self::Echo | Self::Exec | Self::Acp | Self::OpenAi => return None,
            Self::Claude => Preset {
                command: &["claude-agent-acp"],
                acp_mode: Some("default"),
                env: &[],
                install: "npm install -g @agentclientprotocol/claude-agent-acp",
            },
            Self::Codex => Preset {
                command: &["codex-acp"],
                acp_mode: Some("read-only"),
                env: &[],
                install: "npm install -g @zed-industries/codex-acp",
            },
            Self::Gemini => Preset {
                command: &["gemini", "--acp"],
                acp_mode: Some("default"),
                env: &[],
                install: "npm install -g @google/gemini-cli",
            },
            // Its modes are agents; what it asks for is set by its permissions.
            Self::Opencode => Preset {
                command: &["opencode", "acp"],
                acp_mode: None,
                env: &[("OPENCODE_PERMISSION", r#"{"edit":"ask","bash":"ask"}"#)],
                install: "npm install -g opencode-ai",
            },
            Self::Qwen => Preset {
                command: &["qwen", "--acp"],
                acp_mode: Some("default"),
                env: &[],
                install: "npm install -g @qwen-code/qwen-code",
            },
            Self::Goose => Preset {
                command: &["goose", "acp"],
                acp_mode: Some("approve"),
                env: &[("GOOSE_MODE", "approve")],
                install: "brew install block-goose-cli",
            },
        };
        Some(preset)
    }
}
