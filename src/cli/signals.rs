//! Signals that end a process. While it writes files it ends between two of them, so that none is half written and no temporary
//! file is left; while it asks registries it ends with what is known until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::{CliError, Outcome, note};
use crate::tree;

/// How long a signal waits for the file that is being written. A disk that takes longer will not come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// From now on SIGINT, SIGTERM and SIGHUP (on Windows Ctrl-C) end the process between two files, with 128 and the signal's
/// number as its exit code.
pub(super) fn end_between_files() -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before this returns: no file is written without it.
    let registered = {
        let _context = runtime.enter();
        Signals::register()?
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let code = runtime.block_on(registered.first());
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(_paused) = tree::try_pause_writing() {
                end(code);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        end(code)
    })?;
    Ok(())
}

#[expect(clippy::exit, reason = "a signal ends the process; the main thread may be anywhere")]
fn end(code: u8) -> ! {
    note("stopped: every file is as it was or as planned; run again to go on");
    std::process::exit(code.into())
}

/// The signal that ended a run, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct StopSignal(Arc<AtomicU8>);

impl StopSignal {
    /// Done when SIGINT, SIGTERM or SIGHUP (on Windows Ctrl-C) comes.
    pub(super) async fn comes(self) {
        match Signals::register() {
            Ok(signals) => self.0.store(signals.first().await, Ordering::SeqCst),
            // Without a handler the process just ends, as it always has.
            Err(_) => std::future::pending().await,
        }
    }

    /// On a thread of its own, for a run that does not wait for requests.
    pub(super) fn watch(&self) -> Result<(), CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Registered before this returns.
        let registered = {
            let _context = runtime.enter();
            Signals::register()?
        };
        let stop = self.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            stop.0.store(runtime.block_on(registered.first()), Ordering::SeqCst);
        })?;
        Ok(())
    }

    /// How a run ends that was stopped; `None` where no signal came.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code > 0).map(Outcome::Stopped)
    }

    /// How a run ends that left something undone.
    pub(super) fn or_interrupted(&self) -> Outcome {
        self.outcome().unwrap_or(Outcome::Stopped(INTERRUPTED))
    }
}

/// 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

#[cfg(unix)]
struct Signals(Vec<(tokio::signal::unix::Signal, u8)>);

#[cfg(unix)]
impl Signals {
    fn register() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let codes = [INTERRUPTED, 143, 129];
        let signals = kinds.into_iter().zip(codes).map(|(kind, code)| Ok((signal(kind)?, code)));
        Ok(Signals(signals.collect::<std::io::Result<_>>()?))
    }

    /// The exit code of the first that comes.
    async fn first(mut self) -> u8 {
        std::future::poll_fn(|context| {
            let come = self
                .0
                .iter_mut()
                .find_map(|(signal, code)| signal.poll_recv(context).is_ready().then_some(*code));
            come.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn register() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn first(self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }
}
