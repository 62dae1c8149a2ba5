//! A terminal that hands over each key as it is pressed.

use std::io::{self, Write};
use std::sync::Once;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType, disable_raw_mode, enable_raw_mode, is_raw_mode_enabled};
use crossterm::{cursor, execute, queue};

/// The terminal of this process in raw mode. It is as before when this is dropped, also when the program panics.
#[derive(Debug)]
pub struct RawTerminal(());

impl RawTerminal {
    /// Takes the terminal over.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if is_raw_mode_enabled().unwrap_or(false) {
                    // What went wrong is told below what was drawn.
                    let _ = execute!(io::stdout(), Print("\r\n"), Clear(ClearType::FromCursorDown));
                    restore();
                }
                before(panic);
            }));
        });
        enable_raw_mode()?;
        let raw = Self(());
        execute!(io::stdout(), EnableBracketedPaste)?;
        Ok(raw)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. A second time does no harm.
fn restore() {
    let mut out = io::stdout();
    // A terminal that is gone needs nothing.
    let _ = queue!(out, DisableBracketedPaste, cursor::Show).and_then(|()| out.flush());
    let _ = disable_raw_mode();
}

/// Whether the terminal, once it is narrower, wraps again what it shows. Nearly all do; these cut it off.
pub fn rewraps() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some();
    let term = std::env::var("TERM").unwrap_or_default();
    !(set("XTERM_VERSION") || term == "linux" || term.starts_with("screen") && !set("TMUX"))
}
