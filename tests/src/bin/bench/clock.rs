//! Moments that two processes can compare, and this program as a task that tells when it runs.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use hive_shared::time::Stamp;

/// The word that makes this program a task.
pub(crate) const STAMP: &str = "--stamp";

/// How long after `earlier` it is now. Both are of the machine's clock; nothing if that was set back between.
pub(crate) fn since(earlier: Stamp) -> Duration {
    Stamp::now().since(earlier)
}

/// With `--stamp MILLIS [FILE]` this program waits so long and then tells the time, as microseconds of the Unix epoch:
/// on stdout, or in a file that appears whole. Nothing if it was called for anything else.
pub(crate) fn as_stamp() -> Option<anyhow::Result<()>> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != STAMP {
        return None;
    }
    let (millis, file) = (args.next(), args.next());
    let wait = millis.and_then(|text| text.to_str()?.parse().ok());
    Some(wait.context("--stamp needs a number of milliseconds").and_then(|wait| {
        sleep(Duration::from_millis(wait));
        tell(&Stamp::now().as_micros().to_string(), file.as_deref().map(Path::new))
    }))
}

fn tell(moment: &str, file: Option<&Path>) -> anyhow::Result<()> {
    use std::io::Write as _;
    let Some(file) = file else { return Ok(std::io::stdout().write_all(moment.as_bytes())?) };
    let half = file.with_extension("tmp");
    std::fs::write(&half, moment)?;
    Ok(std::fs::rename(half, file)?)
}

/// What [`as_stamp`] told.
pub(crate) fn read(told: &str) -> anyhow::Result<Stamp> {
    let micros = told.trim().parse().with_context(|| format!("'{told}' is no stamp"))?;
    Ok(Stamp::from_micros(micros))
}
