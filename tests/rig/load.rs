//! An open-loop load generator that judges every transaction by itself: it knows nothing of the console.
//!
//! Transactions start by the clock, never by the answers, so a slow server gets no relief. Cut = 5xx, a reset, a short
//! body, or a socket that the client did not end.

use crate::cluster::{GATEWAY, lock};
use crate::objects::{CUSTOMERS, HOST};
use crate::record::{ASSET, Record, Verdict};
use color_eyre::eyre::{Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The path of the sockets.
pub const SOCKET: &str = "/socket";

/// The customers that send something.
const SPEAKING: usize = CUSTOMERS.len() - 1;

/// Longer than any transaction; who waits longer is stuck and counts as cut.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a client speaks on its socket.
const BEAT: Duration = Duration::from_millis(500);

/// How long an echo may take.
const ECHO: Duration = Duration::from_secs(5);

/// How much of what.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Transactions begun per second; 0 = sockets only.
    pub rate: u32,
    /// Short requests begun per second beside them, of one customer after the other: so finely the judge sees a switch.
    pub probes: u32,
    /// The shortest and longest transaction; durations are log-uniform between them.
    pub durations: (Duration, Duration),
    /// The share of responses sent in pieces, in percent.
    pub streams: u64,
    /// WebSockets open at any time; each client closes its own and opens the next.
    pub sockets: u32,
    /// How long a socket lives, shortest and longest.
    pub socket_lives: (Duration, Duration),
    /// Whether clients take a close with 1012 as a wish that they come back; else it is a cut.
    pub comes_back: bool,
    /// The seed of everything random.
    pub seed: u64,
}

impl Profile {
    /// The small steady load that keeps metrics alive.
    pub fn steady() -> Self {
        Self {
            rate: 40,
            probes: 0,
            durations: (Duration::from_millis(10), Duration::from_secs(5)),
            streams: 10,
            sockets: 2,
            socket_lives: (Duration::from_secs(2), Duration::from_secs(5)),
            comes_back: false,
            seed: 7,
        }
    }

    /// The load that judges: 200 transactions/s of up to 30 s, which is about 750 open at any time, 20 sockets, and a
    /// short request of every customer each 0.3 s.
    pub fn judge() -> Self {
        Self::lasting(Duration::from_secs(30))
    }

    /// The load that judges, with another longest transaction.
    pub fn lasting(longest: Duration) -> Self {
        Self {
            rate: 200,
            probes: 200,
            durations: (Duration::from_millis(10), longest),
            streams: 15,
            sockets: 20,
            socket_lives: (Duration::from_secs(20), Duration::from_secs(60)),
            comes_back: false,
            seed: 11,
        }
    }
}

/// A running load.
pub struct Load {
    begun: Instant,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    stop: watch::Sender<Stop>,
}

/// How far the load has been told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stop {
    /// Nothing is begun any more.
    ended: bool,
    /// Clients close the sockets they hold and open no others.
    hung_up: bool,
}

struct Shared {
    begun: Instant,
    records: Mutex<Vec<Record>>,
    idle: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

struct Transaction {
    customer: Option<&'static str>,
    /// What the request says; an unlisted one may name a customer nobody has listed.
    header: Option<&'static str>,
    path: &'static str,
    duration: Duration,
    body: Body,
}

/// The body a transaction asks for, and gets unless it is cut.
#[derive(Clone, Copy)]
enum Body {
    Bytes(usize),
    Pieces(usize),
}

impl Load {
    /// Begins.
    pub fn start(profile: Profile) -> Self {
        let begun = Instant::now();
        let shared = Arc::new(Shared { begun, records: Mutex::default(), idle: Mutex::default() });
        let (stop, stopped) = watch::channel(Stop::default());
        let task = tokio::spawn(drive(shared.clone(), profile, stopped));
        Self { begun, shared, task, stop }
    }

    /// The time since the load began.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The instant the load began, from which its records count.
    pub fn clock(&self) -> Instant {
        self.begun
    }

    /// Lets the clients close their sockets, however long they should have lived.
    pub fn hang_up(&self) {
        self.stop.send_modify(|stop| stop.hung_up = true);
    }

    /// Begins nothing any more, waits for what is open, and returns every transaction.
    /// Sockets live to their end, unless their clients were told to hang up.
    pub async fn end(mut self) -> Result<Vec<Record>> {
        self.stop.send_modify(|stop| stop.ended = true);
        (&mut self.task).await?;
        Ok(std::mem::take(&mut *lock(&self.shared.records)))
    }
}

impl Drop for Load {
    /// A part that has failed leaves no work open behind.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(shared: Arc<Shared>, profile: Profile, stop: watch::Receiver<Stop>) {
    let mut open = JoinSet::new();
    for n in 0..profile.sockets {
        let dice = Dice(profile.seed.wrapping_add(1 + u64::from(n)));
        open.spawn(sockets(shared.clone(), profile.clone(), dice, stop.clone()));
    }
    let mut dice = Dice(profile.seed);
    let mut probes = 0;
    let probe = || {
        probes += 1;
        probe(probes)
    };
    tokio::join!(
        begin(&shared, profile.rate, stop.clone(), || draw(&mut dice, &profile)),
        begin(&shared, profile.probes, stop, probe),
        async { while open.join_next().await.is_some() {} },
    );
}

/// Begins transactions by the clock until the end, and waits for those that are open then.
async fn begin(
    shared: &Arc<Shared>,
    rate: u32,
    mut stop: watch::Receiver<Stop>,
    mut next: impl FnMut() -> Transaction,
) {
    if rate == 0 {
        return;
    }
    let mut open = JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| stop.ended) => break,
            _ = clock.tick() => {
                open.spawn(one(shared.clone(), next()));
            }
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
    while open.join_next().await.is_some() {}
}

/// The shortest transaction, of each customer and the unlisted in turn, on every path of the slots.
fn probe(n: usize) -> Transaction {
    let turn = SPEAKING + 1;
    let customer = CUSTOMERS[..SPEAKING].get(n % turn).copied();
    let path = if (n / turn).is_multiple_of(2) { "/" } else { "/api/orders" };
    Transaction { customer, header: customer, path, duration: Duration::from_millis(10), body: Body::Bytes(64) }
}

fn draw(dice: &mut Dice, profile: &Profile) -> Transaction {
    let (customer, header) = who(dice);
    let path = match dice.below(10) {
        0..=5 => "/",
        6..=8 => "/api/orders",
        _ => ASSET,
    };
    let duration = dice.between(profile.durations);
    let body = match dice.below(100) < profile.streams {
        true => Body::Pieces(5),
        false => Body::Bytes(64 + dice.below(4096) as usize),
    };
    Transaction { customer, header, path, duration, body }
}

/// Every listed customer but the silent one has the same share; a fifth of all is unlisted, with an unknown name or none.
fn who(dice: &mut Dice) -> (Option<&'static str>, Option<&'static str>) {
    match dice.below(10) {
        0 => (None, None),
        1 => (None, Some("nobody")),
        _ => {
            let at = usize::try_from(dice.below(SPEAKING as u64)).unwrap_or(0);
            (Some(CUSTOMERS[at]), Some(CUSTOMERS[at]))
        }
    }
}

async fn one(shared: Arc<Shared>, transaction: Transaction) {
    let start = shared.begun.elapsed();
    let mut version = String::new();
    let asked = tokio::time::timeout(LIMIT, ask(&shared, &transaction, &mut version));
    let verdict = match asked.await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(why)) => Verdict::Broken(format!("{why:#}")),
        Err(_) => Verdict::Broken(format!("no end in {LIMIT:?}")),
    };
    let end = shared.begun.elapsed();
    let Transaction { customer, path, .. } = transaction;
    lock(&shared.records).push(Record { customer, path, start, end, version, verdict });
}

async fn ask(shared: &Arc<Shared>, transaction: &Transaction, version: &mut String) -> Result<Verdict> {
    let idle = lock(&shared.idle).pop();
    let mut sender = match idle {
        Some(sender) if sender.is_ready() => sender,
        _ => connect().await?,
    };
    let what = match transaction.body {
        Body::Bytes(bytes) => format!("bytes={bytes}"),
        Body::Pieces(pieces) => format!("pieces={pieces}"),
    };
    let query = format!("{}?ms={}&{what}", transaction.path, transaction.duration.as_millis());
    let mut request = http::Request::get(query).header("host", HOST);
    if let Some(header) = transaction.header {
        request = request.header("x-customer-id", header);
    }
    let response = sender.send_request(request.body(Empty::new())?).await?;
    let status = response.status();
    *version = version_of(&response);
    let body = response.into_body().collect().await?.to_bytes();
    if sender.ready().await.is_ok() {
        lock(&shared.idle).push(sender);
    }
    if status.is_server_error() {
        let said = String::from_utf8_lossy(&body).chars().take(120).collect();
        return Ok(Verdict::ServerError(status.as_u16(), said));
    }
    ensure!(status == http::StatusCode::OK, "answered by {status}");
    ensure!(!version.is_empty(), "the answer names no version");
    match transaction.body {
        Body::Bytes(bytes) => ensure!(body.len() == bytes, "{} of {bytes} bytes came", body.len()),
        Body::Pieces(pieces) => {
            let came = body.split(|byte| *byte == b'\n').filter(|line| *line == b"piece").count();
            ensure!(came == pieces, "{came} of {pieces} pieces came");
        }
    }
    Ok(Verdict::Whole)
}

fn version_of<T>(response: &http::Response<T>) -> String {
    let version = response.headers().get("x-version").and_then(|version| version.to_str().ok());
    version.unwrap_or_default().to_owned()
}

async fn connect() -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(GATEWAY).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens one socket after the other until it is told to stop.
async fn sockets(shared: Arc<Shared>, profile: Profile, mut dice: Dice, mut stop: watch::Receiver<Stop>) {
    while *stop.borrow_and_update() == Stop::default() {
        let (customer, header) = who(&mut dice);
        let start = shared.begun.elapsed();
        let mut version = String::new();
        let life = dice.between(profile.socket_lives);
        let verdict = match socket(header, life, profile.comes_back, &mut stop, &mut version).await {
            Ok(()) => Verdict::Whole,
            Err(why) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Verdict::Broken(format!("{why:#}"))
            }
        };
        let end = shared.begun.elapsed();
        lock(&shared.records).push(Record { customer, path: SOCKET, start, end, version, verdict });
    }
}

async fn socket(
    customer: Option<&str>,
    life: Duration,
    comes_back: bool,
    stop: &mut watch::Receiver<Stop>,
    version: &mut String,
) -> Result<()> {
    let stream = TcpStream::connect(GATEWAY).await?;
    let key = tokio_tungstenite::tungstenite::handshake::client::generate_key();
    let mut request = http::Request::get(SOCKET)
        .header("host", HOST)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", key);
    if let Some(customer) = customer {
        request = request.header("x-customer-id", customer);
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    *version = version_of(&response);
    ensure!(
        response.status() == http::StatusCode::SWITCHING_PROTOCOLS,
        "the upgrade was answered by {}",
        response.status()
    );
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await?);
    let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(upgraded, role, None).await;
    let until = Instant::now() + life;
    let mut beats = 0_u32;
    while Instant::now() < until && !stop.borrow().hung_up {
        beats += 1;
        let beat = Message::text(format!("beat {beats}"));
        socket.send(beat.clone()).await?;
        match tokio::time::timeout(ECHO, socket.next()).await {
            Ok(Some(Ok(echo))) if echo == beat => {}
            Ok(Some(Ok(Message::Close(Some(why))))) if comes_back && why.code == CloseCode::Restart => {
                // The goodbye of this side is sent while the rest is read.
                let _ = tokio::time::timeout(ECHO, async { while let Some(Ok(_)) = socket.next().await {} }).await;
                return Ok(());
            }
            Ok(other) => bail!("the socket brought {other:?} instead of its echo"),
            Err(_) => bail!("no echo in {ECHO:?}"),
        }
        let _ = tokio::time::timeout(BEAT, stop.wait_for(|stop| stop.hung_up)).await;
    }
    socket.close(None).await?;
    // What the other side still says after the client's goodbye is no cut.
    let _ = tokio::time::timeout(ECHO, async { while let Some(Ok(_)) = socket.next().await {} }).await;
    Ok(())
}

/// A small deterministic generator (splitmix64): the same seed gives the same load.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Log-uniform.
    fn between(&mut self, (shortest, longest): (Duration, Duration)) -> Duration {
        let share = self.below(1_000_000) as f64 / 1e6;
        let (low, high) = (shortest.as_secs_f64().ln(), longest.as_secs_f64().ln());
        Duration::from_secs_f64((low + (high - low) * share).exp())
    }
}
