//! SIGTERM and SIGINT, over all lives of the bot in one process: one that comes between two of them is not lost.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use crate::driver::Message;

/// What a signal has said, and who is to be told.
#[derive(Clone, Default)]
pub struct Signals {
    stopping: Arc<AtomicBool>,
    driver: Arc<Mutex<Option<Sender<Message>>>>,
}

impl Signals {
    /// Listens from now on, on a thread of its own.
    pub(crate) fn listen() -> io::Result<Self> {
        let signals = Self::default();
        let told = signals.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        drop(entered);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let name = tokio::select! {
                        _ = terminate.recv() => "SIGTERM",
                        _ = interrupt.recv() => "SIGINT",
                    };
                    told.came(name);
                }
            });
        })?;
        Ok(signals)
    }

    fn came(&self, name: &str) {
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        self.stop(name);
    }

    /// As if a signal had come: a driver that waits for the disk, and hears nobody, gives that up.
    pub(crate) fn stop(&self, by: &str) {
        tracing::info!(by, "told to stop");
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(driver) = &*self.driver.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = driver.send(Message::Terminate);
        }
    }

    /// The driver of this life is told, of one that came before too.
    pub(crate) fn tell(&self, driver: Sender<Message>) {
        let mut told = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopping.load(Ordering::Relaxed) {
            let _ = driver.send(Message::Terminate);
        }
        *told = Some(driver);
    }

    /// Whether one has come.
    pub(crate) fn stopping(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopping)
    }
}
