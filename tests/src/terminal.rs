//! A program in a terminal, as a person sees and uses it.

use std::ffi::OsStr;
use std::num::NonZeroU16;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard};

use nix::sys::signal::Signal;
use pty_process::{Command, OwnedReadPty, OwnedWritePty, Size};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vt100::{Callbacks, Parser, Screen};

use crate::binaries::binary;
use crate::hive::Hive;
use crate::process;
use crate::wait;

/// The terminal's height in rows.
pub const ROWS: u16 = 24;
/// The terminal's width in columns.
pub const COLUMNS: u16 = 100;
/// How many rows that went off the screen at its top are kept.
const SCROLLBACK: usize = 2_000;

/// `Ctrl-C`, as a key.
pub const CTRL_C: &str = "\x03";
/// `Ctrl-D`, as a key.
pub const CTRL_D: &str = "\x04";
/// The Enter key.
pub const ENTER: &str = "\r";
/// The Enter key together with Alt.
pub const ALT_ENTER: &str = "\x1b\r";
/// The arrow key that points up.
pub const UP: &str = "\x1b[A";

/// A program in a terminal of its own. It is killed when this is dropped.
pub struct Terminal {
    hive: Hive,
    child: Child,
    view: Arc<Mutex<View>>,
    hands: mpsc::UnboundedSender<Act>,
    wires: [JoinHandle<()>; 2],
}

/// What a person does with a terminal.
enum Act {
    Press(Vec<u8>),
    Resize { rows: u16, columns: u16 },
}

/// What the terminal shows, and all that it was ever sent.
struct View {
    parser: Parser<Questions>,
    sent: Vec<u8>,
}

/// Answers the questions that programs ask their terminal.
#[derive(Default)]
struct Questions {
    answers: Vec<u8>,
}

impl Callbacks for Questions {
    fn unhandled_csi(
        &mut self,
        screen: &mut Screen,
        _: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        end: char,
    ) {
        if end == 'n' && params.first().is_some_and(|first| *first == [6]) {
            let (row, column) = screen.cursor_position();
            self.answers.extend(format!("\x1b[{};{}R", row + 1, column + 1).bytes());
        }
    }
}

impl Terminal {
    /// Starts hivectl in a terminal, in the hive's root.
    pub fn hivectl(hive: &Hive, arguments: &[&str]) -> Self {
        Self::start(hive, binary("hivectl"), arguments, &[])
    }

    /// Starts any program there, with more variables in its environment.
    pub fn start(
        hive: &Hive,
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let (pty, pts) = pty_process::open().expect("there are terminals");
        pty.resize(Size::new(ROWS, COLUMNS)).expect("a terminal has a size");
        let command = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", hive.home())
            .env("USER", "dana")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(environment.iter().copied())
            .current_dir(hive.root())
            .kill_on_drop(true);
        let child = command.spawn(pts).expect("the program can be started");
        let parser = Parser::new_with_callbacks(size(ROWS), size(COLUMNS), SCROLLBACK, Questions::default());
        let view = Arc::new(Mutex::new(View { parser, sent: Vec::new() }));
        let (hands, acts) = mpsc::unbounded_channel();
        let (output, input) = pty.into_split();
        let wires = [
            tokio::spawn(show(output, Arc::clone(&view), hands.clone())),
            tokio::spawn(act(input, Arc::clone(&view), acts)),
        ];
        Self { hive: hive.clone(), child, view, hands, wires }
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        self.act(Act::Press(keys.as_bytes().to_vec()));
    }

    /// Makes the terminal larger or smaller. It cuts off what has no room.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.act(Act::Resize { rows, columns });
    }

    fn act(&self, act: Act) {
        self.hands.send(act).expect("the terminal is there");
    }

    /// Types a line, with Enter at its end.
    pub fn enter(&self, line: &str) {
        self.press(line);
        self.press(ENTER);
    }

    /// Sends the program a signal from outside.
    pub fn signal(&self, signal: Signal) {
        process::send(self.child.id().expect("the program runs"), signal);
    }

    /// What the screen shows now: its rows without the space at their ends.
    pub fn screen(&self) -> String {
        self.view().parser.screen().contents()
    }

    /// The same with all that went off at its top.
    pub fn history(&self) -> String {
        let mut view = self.view();
        let screen = view.parser.screen_mut();
        let columns = screen.size().1.get();
        let mut rows = Vec::new();
        for back in (1..=screen.scrollback_len()).rev() {
            screen.set_scrollback(back);
            rows.extend(screen.rows(0, columns).next());
        }
        screen.set_scrollback(0);
        rows.extend(screen.rows(0, columns));
        rows.join("\n").trim_end().to_owned()
    }

    /// Whether a text that the screen shows is bold.
    pub fn is_bold(&self, text: &str) -> bool {
        let view = self.view();
        let screen = view.parser.screen();
        let (rows, columns) = screen.size();
        let place =
            screen.rows(0, columns.get()).take(rows.get().into()).enumerate().find_map(|(row, line)| {
                let column = line[..line.find(text)?].chars().count();
                Some((u16::try_from(row).ok()?, u16::try_from(column).ok()?))
            });
        place.is_some_and(|(row, column)| screen.cell(row, column).is_some_and(vt100::Cell::bold))
    }

    /// The row of the screen, counted from 0, and the column in which the cursor is.
    pub fn cursor(&self) -> (u16, u16) {
        self.view().parser.screen().cursor_position()
    }

    /// Whether a program may leave the terminal so: at the beginning of a row with nothing behind it, on the screen
    /// that was there before, with its cursor and without modes of the program's own.
    pub fn is_as_before(&self) -> bool {
        let view = self.view();
        let screen = view.parser.screen();
        let (row, column) = screen.cursor_position();
        let below = screen.rows(0, screen.size().1.get()).skip(row.into());
        column == 0
            && below.into_iter().all(|row| row.trim().is_empty())
            && !screen.hide_cursor()
            && !screen.alternate_screen()
            && !screen.bracketed_paste()
    }

    /// All that the program wrote, with its control sequences.
    pub fn sent(&self) -> String {
        String::from_utf8_lossy(&self.view().sent).into_owned()
    }

    /// Waits until what the screen shows gives something.
    pub async fn until<T>(&self, what: &str, mut condition: impl FnMut(&str) -> Option<T>) -> T {
        let state = async || format!("--- screen\n{}\n{}", self.history(), self.hive.state());
        wait::until(what, state, async || condition(&self.screen())).await
    }

    /// Waits until the screen shows a text.
    pub async fn shows(&self, text: &str) {
        self.until(&format!("the screen shows {text:?}"), |screen| screen.contains(text).then_some(())).await;
    }

    /// Waits for the end of the program, and until the screen shows the last of what it wrote.
    pub async fn ended(&mut self) -> ExitStatus {
        let (view, hive) = (Arc::clone(&self.view), self.hive.clone());
        let child = &mut self.child;
        let output = &self.wires[0];
        let screen = move || lock(&view).parser.screen().contents();
        wait::until(
            "the program ends",
            async || format!("--- screen\n{}\n{}", screen(), hive.state()),
            // When nobody has the terminal open any more, all of it was read.
            async || child.try_wait().expect("the program is ours").filter(|_| output.is_finished()),
        )
        .await
    }

    fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.view)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.wires.iter().for_each(JoinHandle::abort);
    }
}

fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().expect("nobody panics while holding it")
}

/// Shows what the program writes, and answers its questions, until it closes the terminal.
async fn show(mut output: OwnedReadPty, view: Arc<Mutex<View>>, hands: mpsc::UnboundedSender<Act>) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut bytes).await {
        let answers = {
            let mut view = lock(&view);
            view.sent.extend(&bytes[..length]);
            view.parser.process(&bytes[..length]);
            std::mem::take(&mut view.parser.callbacks_mut().answers)
        };
        if !answers.is_empty() {
            // If nobody presses keys any more, nobody waits for an answer.
            let _ = hands.send(Act::Press(answers));
        }
    }
}

async fn act(mut input: OwnedWritePty, view: Arc<Mutex<View>>, mut acts: mpsc::UnboundedReceiver<Act>) {
    while let Some(act) = acts.recv().await {
        let done = match act {
            Act::Press(keys) => input.write_all(&keys).await.is_ok(),
            Act::Resize { rows, columns } => {
                lock(&view).parser.screen_mut().set_size(size(rows), size(columns));
                input.resize(Size::new(rows, columns)).is_ok()
            }
        };
        if !done {
            break;
        }
    }
}

fn size(lines: u16) -> NonZeroU16 {
    NonZeroU16::new(lines).expect("it is not zero")
}
