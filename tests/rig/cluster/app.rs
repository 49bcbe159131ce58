//! The application of the rig's pods: a real HTTP server on the pod's own address with real termination.
//!
//! `/?ms=N` answers after N milliseconds, `&bytes=B` with a body of so many bytes, `/?ms=N&pieces=P` sends P pieces over
//! N milliseconds, an upgrade to a WebSocket echoes until the client closes, `/metrics` and `/healthz` are not counted. Every answer names the version
//! that STARTED it in the header `x-version`.

use super::metrics::{Fault, Kind, Metrics, Work};
use color_eyre::eyre::{Result, WrapErr};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, frame::coding::CloseCode};

/// The port every pod listens on; Envoy Gateway itself holds 8080 on all addresses of the namespace.
pub const PORT: u16 = 3000;

/// How often a terminating application looks whether it is idle.
const LOOK: Duration = Duration::from_millis(20);

/// What the application does at SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// It ends what it has begun; without, it dies at once as a program without a handler does.
    pub graceful: bool,
    /// It closes its sockets with 1012 so that clients come back, instead of waiting for them.
    pub reconnect: bool,
}

/// A running application.
pub struct App {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    version: String,
    manners: Manners,
    metrics: Arc<Metrics>,
    stopping: watch::Sender<bool>,
    /// Whether sockets are closed with 1012 at SIGTERM; begins as the manners say.
    reconnect: AtomicBool,
    killed: Arc<AtomicBool>,
    sockets: Mutex<JoinSet<()>>,
}

impl App {
    /// Starts listening on the pod's address.
    pub async fn start(ip: IpAddr, version: &str, manners: Manners) -> Result<Self> {
        let address = SocketAddr::new(ip, PORT);
        let listener = TcpListener::bind(address).await.wrap_err_with(|| format!("listening on {address}"))?;
        let shared = Arc::new(Shared {
            version: version.into(),
            manners,
            metrics: Arc::new(Metrics::default()),
            stopping: watch::Sender::new(false),
            reconnect: AtomicBool::new(manners.reconnect),
            killed: Arc::default(),
            sockets: Mutex::default(),
        });
        let server = tokio::spawn(serve(shared.clone(), listener));
        Ok(Self { shared, server })
    }

    /// Pieces of work that are open.
    pub fn open(&self) -> usize {
        self.shared.metrics.open()
    }

    /// Breaks the export of the metrics, or mends it.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.metrics.set_fault(fault);
    }

    /// Says whether the sockets are closed with 1012 at SIGTERM.
    pub fn set_reconnect(&self, reconnect: bool) {
        self.shared.reconnect.store(reconnect, Ordering::SeqCst);
    }

    /// SIGTERM: closes the listener and idle connections, answers what is open; returns what was still open when it
    /// ended by itself or the grace was over.
    pub async fn terminate(&self, grace: Duration) -> usize {
        if !self.shared.manners.graceful {
            return self.kill();
        }
        self.shared.stopping.send_replace(true);
        let idle = async {
            while self.shared.metrics.open() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(grace, idle).await;
        self.shared.metrics.open()
    }

    /// SIGKILL: every connection is reset; returns how much work that cut.
    pub fn kill(&self) -> usize {
        let open = self.shared.metrics.open();
        self.shared.killed.store(true, Ordering::SeqCst);
        self.server.abort();
        self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        open
    }
}

async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut stopping = shared.stopping.subscribe();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = asked(&mut stopping) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                connections.spawn(connection(shared.clone(), stream));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let mut stopping = shared.stopping.subscribe();
    let io = TokioIo::new(Socket { stream, killed: shared.killed.clone() });
    let service = hyper::service::service_fn(move |request| answer(shared.clone(), request));
    let mut connection =
        std::pin::pin!(hyper::server::conn::http1::Builder::new().serve_connection(io, service).with_upgrades());
    tokio::select! {
        _ = connection.as_mut() => return,
        () = asked(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    // A client that goes away ends the connection with an error; the work it left is counted as cut.
    let _ = connection.await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
    let path = request.uri().path();
    if path == "/metrics" {
        let (status, series) = shared.metrics.scrape();
        return Ok(text(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &series));
    }
    if path == "/healthz" {
        return Ok(text(StatusCode::OK, "ok\n"));
    }
    let customer = header_text(request.headers(), "x-customer-id");
    let query = request.uri().query().unwrap_or_default();
    let duration = Duration::from_millis(number(query, "ms").unwrap_or(0));
    let pieces = u32::try_from(number(query, "pieces").unwrap_or(0)).unwrap_or(u32::MAX);
    if header_text(request.headers(), "upgrade").eq_ignore_ascii_case("websocket") {
        return Ok(socket(&shared, request, &customer));
    }
    if pieces > 0 {
        let work = shared.metrics.begin(&customer, Kind::Stream);
        let body = Reply::pieces(pieces, duration / pieces, work);
        return Ok(versioned(&shared.version, StatusCode::OK, body));
    }
    let work = shared.metrics.begin(&customer, Kind::Http);
    tokio::time::sleep(duration).await;
    let body = number(query, "bytes").map_or_else(|| format!("{}\n", shared.version), filler);
    Ok(versioned(&shared.version, StatusCode::OK, Reply::whole(&body, Some(work))))
}

fn socket(shared: &Arc<Shared>, mut request: Request<Incoming>, customer: &str) -> Response<Reply> {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return text(StatusCode::BAD_REQUEST, "a WebSocket needs a key\n");
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    let work = shared.metrics.begin(customer, Kind::Socket);
    let app = shared.clone();
    let mut stopping = shared.stopping.subscribe();
    let echo = async move {
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                () = asked_to_close(&app, &mut stopping) => {
                    let close = CloseFrame { code: CloseCode::Restart, reason: "restarting".into() };
                    let _ = socket.close(Some(close)).await;
                    break;
                }
            };
            match message {
                Some(Ok(Message::Close(_))) => break,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
        // The close handshake ends when both sides have said it.
        while let Some(Ok(_)) = socket.next().await {}
        work.end(101);
    };
    shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).spawn(echo);
    let mut response = versioned(&shared.version, StatusCode::SWITCHING_PROTOCOLS, Reply::whole("", None));
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    if let Ok(accept) = accept.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// A body of so many bytes; nobody asks for more than a megabyte.
fn filler(bytes: u64) -> String {
    "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX).min(1 << 20))
}

async fn asked(stopping: &mut watch::Receiver<bool>) {
    // An error means that the application is gone, which stops everything too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Never ends where the application waits for its sockets.
async fn asked_to_close(shared: &Shared, stopping: &mut watch::Receiver<bool>) {
    asked(stopping).await;
    if !shared.reconnect.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}

fn versioned(version: &str, status: StatusCode, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(version) = version.parse() {
        response.headers_mut().insert("x-version", version);
    }
    response
}

fn text(status: StatusCode, body: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(body, None));
    *response.status_mut() = status;
    response
}

fn header_text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn number(query: &str, name: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// A body that ends its work when the last piece is taken.
struct Reply {
    piece: Bytes,
    left: u32,
    every: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    length: Option<u64>,
    work: Option<Work>,
}

impl Reply {
    fn whole(text: &str, work: Option<Work>) -> Self {
        let piece = Bytes::copy_from_slice(text.as_bytes());
        let length = Some(piece.len() as u64);
        let left = u32::from(!piece.is_empty());
        Self { piece, left, every: Duration::ZERO, sleep: None, length, work }
    }

    fn pieces(left: u32, every: Duration, work: Work) -> Self {
        Self { piece: Bytes::from_static(b"piece\n"), left, every, sleep: None, length: None, work: Some(work) }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if !self.every.is_zero() {
            let every = self.every;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let (0, Some(work)) = (self.left, self.work.take()) {
            work.end(StatusCode::OK.as_u16());
        }
    }
}

/// A connection that is reset instead of closed once its process was killed.
struct Socket {
    stream: TcpStream,
    killed: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.killed.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
