//! The programs under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a directory with programs that were built already, to test those.
const BUILT: &str = "HIVE_TESTS_BIN_DIR";

/// The path of one of the workspace's programs, such as `hive-agent`, as built from the present sources.
///
/// Cargo builds programs for the integration tests of their own package only. So the first call has Cargo build them
/// into the target directory and with the profile of the running test, which takes a moment when nothing changed.
///
/// # Panics
///
/// If they cannot be built.
pub fn binary(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let path = DIRECTORY.get_or_init(build).join(name);
    assert!(path.is_file(), "there is no program {}", path.display());
    path
}

fn build() -> PathBuf {
    if let Some(built) = std::env::var_os(BUILT) {
        return built.into();
    }
    // TARGET/PROFILE/deps/it-0123456789abcdef, or TARGET/PROFILE/torture
    let test = std::env::current_exe().expect("a test knows its program");
    let beside = test.parent().expect("a program lies in a directory");
    let directory = if beside.ends_with("deps") { beside.parent() } else { Some(beside) };
    let directory = directory.expect("deps/ lies in a profile's directory").to_owned();
    let target = directory.parent().expect("a profile's directory lies in the target directory");
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => panic!("{} is not the directory of a profile", directory.display()),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What Cargo tells a test about its package, a build script would take for a change of its own.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    let built = command
        .args(["build", "--quiet", "--workspace", "--bins", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(root)
        .output()
        .expect("cargo can be started; or set HIVE_TESTS_BIN_DIR to where the programs are");
    assert!(
        built.status.success(),
        "the programs under test cannot be built:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    directory
}
