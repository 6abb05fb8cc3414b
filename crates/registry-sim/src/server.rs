//! A server: listeners on loopback, one thread, and in front of every listener the log and the faults.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::fault::Faults;
use crate::http::{Delivery, Reply, Request, serve};
use crate::log::Log;

/// What answers on a listener.
pub type Handler = Arc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// What stands in front of a server's listeners.
#[derive(Debug, Default)]
pub struct Front {
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    /// Every connection is reset.
    down: AtomicBool,
}

impl Front {
    /// Resets every connection, until it is said not to.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Answers with what the faults make of the answer.
    pub(crate) async fn pass<F>(&self, request: Request, answer: impl FnOnce(Request) -> F) -> Reply
    where
        F: Future<Output = Reply>,
    {
        if self.is_down() {
            return Reply { delivery: Delivery::Reset, ..Reply::new(503, Vec::new()) };
        }
        let (latency, fault) = self.faults.of(&request);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match fault {
            None => answer(request).await,
            Some(fault) => match fault.instead(&request) {
                Some(reply) => reply,
                None => fault.spoil(answer(fault.tamper(request)).await),
            },
        }
    }
}

/// How many connections may wait: a benchmark opens hundreds at once, and one that finds no place tries again a
/// second later.
const BACKLOG: u32 = 1024;

/// A bound socket: its address is known before it is served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpSocket,
    host: String,
}

impl Listener {
    /// On a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the system gives no port.
    pub fn bind() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let host = socket.local_addr()?.to_string();
        Ok(Self { socket, host })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// A running server; dropping it stops it and frees its ports.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the listeners on a thread of that name.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, front: &Arc<Front>, listeners: Vec<(Listener, Handler)>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let guard = runtime.enter();
        let mut bound = Vec::new();
        for (listener, handler) in listeners {
            bound.push((listener.socket.listen(BACKLOG)?, listener.host, handler));
        }
        drop(guard);
        let front = Arc::clone(front);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async move {
                for (socket, host, handler) in bound {
                    tokio::spawn(listen(socket, host.into(), handler, Arc::clone(&front)));
                }
                // An error is the handle gone without a word: as good as a stop.
                let _ = stopped.await;
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(socket: TcpListener, host: Arc<str>, handler: Handler, front: Arc<Front>) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            // Out of file descriptors: some connection will end.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (host, handler, front) = (Arc::clone(&host), Arc::clone(&handler), Arc::clone(&front));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            // How a connection ends is the client's affair.
            let _ = serve(stream, &host, |request| async {
                front.log.record(&request);
                front.pass(request, |request| handler(request)).await
            })
            .await;
        });
    }
}
