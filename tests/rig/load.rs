//! An open-loop load generator that judges every transaction by itself: it knows nothing of the console.
//!
//! Transactions start by the clock, never by the answers, so a slow server gets no relief. Cut = 5xx, a reset, a short
//! body, or a socket that the client did not end.

use crate::cluster::GATEWAY;
use crate::objects::{CUSTOMERS, HOST};
use color_eyre::eyre::{Result, bail, eyre};
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;

/// Longer than any transaction; who waits longer is stuck and counts as cut.
const LIMIT: Duration = Duration::from_secs(120);

/// How much of what.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Transactions begun per second.
    pub rate: u32,
    /// The shortest and longest transaction; durations are log-uniform between them.
    pub durations: (Duration, Duration),
    /// The share of responses sent in pieces, in percent.
    pub streams: u64,
    /// WebSockets open at any time; each client closes its own and opens the next.
    pub sockets: u32,
    /// How long a socket lives, shortest and longest.
    pub socket_lives: (Duration, Duration),
    /// The seed of everything random.
    pub seed: u64,
}

impl Profile {
    /// The small steady load that keeps metrics alive.
    pub fn steady() -> Self {
        Self {
            rate: 40,
            durations: (Duration::from_millis(10), Duration::from_secs(5)),
            streams: 10,
            sockets: 2,
            socket_lives: (Duration::from_secs(2), Duration::from_secs(5)),
            seed: 7,
        }
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Whole,
    /// The gateway or the application answered with 5xx.
    ServerError(u16),
    /// No answer, half an answer, or a socket the client did not end.
    Broken(String),
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Record {
    /// The listed customer; `None` for the unlisted.
    pub customer: Option<&'static str>,
    /// The path, without its query.
    pub path: &'static str,
    /// Start, since the load began.
    pub start: Duration,
    /// End, since the load began.
    pub end: Duration,
    /// The version that answered; empty when nobody did.
    pub version: String,
    /// How it ended.
    pub verdict: Verdict,
}

/// A running load.
pub struct Load {
    begun: Instant,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
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
    pieces: u32,
}

impl Load {
    /// Begins.
    pub fn start(profile: Profile) -> Self {
        let begun = Instant::now();
        let shared = Arc::new(Shared { begun, records: Mutex::default(), idle: Mutex::default() });
        let (stop, stopped) = tokio::sync::watch::channel(false);
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

    /// Begins nothing any more, waits for what is open, and returns every transaction.
    pub async fn end(self) -> Result<Vec<Record>> {
        self.stop.send_replace(true);
        self.task.await?;
        Ok(std::mem::take(&mut *crate::cluster::lock(&self.shared.records)))
    }
}

async fn drive(shared: Arc<Shared>, profile: Profile, mut stop: tokio::sync::watch::Receiver<bool>) {
    let mut dice = Dice(profile.seed);
    let mut open = JoinSet::new();
    for n in 0..profile.sockets {
        let dice = Dice(profile.seed.wrapping_add(1 + u64::from(n)));
        open.spawn(sockets(shared.clone(), profile.socket_lives, dice, stop.clone()));
    }
    let mut clock = tokio::time::interval(Duration::from_secs(1) / profile.rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = clock.tick() => {
                let transaction = draw(&mut dice, &profile);
                open.spawn(one(shared.clone(), transaction));
            }
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
    while open.join_next().await.is_some() {}
}

fn draw(dice: &mut Dice, profile: &Profile) -> Transaction {
    let (customer, header) = who(dice);
    let path = match dice.below(10) {
        0..=5 => "/",
        6..=8 => "/api/orders",
        _ => "/static/logo",
    };
    let duration = dice.between(profile.durations);
    let pieces = if dice.below(100) < profile.streams { 5 } else { 0 };
    Transaction { customer, header, path, duration, pieces }
}

/// Every listed customer has the same share; a fifth of all is unlisted, with an unknown name or none.
fn who(dice: &mut Dice) -> (Option<&'static str>, Option<&'static str>) {
    match dice.below(10) {
        0 => (None, None),
        1 => (None, Some("nobody")),
        _ => {
            let at = usize::try_from(dice.below(CUSTOMERS.len() as u64)).unwrap_or(0);
            (Some(CUSTOMERS[at].0), Some(CUSTOMERS[at].0))
        }
    }
}

async fn one(shared: Arc<Shared>, transaction: Transaction) {
    let start = shared.begun.elapsed();
    let (version, verdict) = match tokio::time::timeout(LIMIT, ask(&shared, &transaction)).await {
        Ok(Ok((version, status))) if status < 500 => (version, Verdict::Whole),
        Ok(Ok((version, status))) => (version, Verdict::ServerError(status)),
        Ok(Err(why)) => (String::new(), Verdict::Broken(format!("{why:#}"))),
        Err(_) => (String::new(), Verdict::Broken("no end".into())),
    };
    let end = shared.begun.elapsed();
    let Transaction { customer, path, .. } = transaction;
    crate::cluster::lock(&shared.records).push(Record { customer, path, start, end, version, verdict });
}

async fn ask(shared: &Arc<Shared>, transaction: &Transaction) -> Result<(String, u16)> {
    let idle = crate::cluster::lock(&shared.idle).pop();
    let mut sender = match idle {
        Some(sender) if sender.is_ready() => sender,
        _ => connect().await?,
    };
    let mut query = format!("{}?ms={}", transaction.path, transaction.duration.as_millis());
    if transaction.pieces > 0 {
        query.push_str(&format!("&pieces={}", transaction.pieces));
    }
    let mut request = http::Request::get(query).header("host", HOST);
    if let Some(header) = transaction.header {
        request = request.header("x-customer-id", header);
    }
    let response = sender.send_request(request.body(Empty::new())?).await?;
    let status = response.status().as_u16();
    let version = response.headers().get("x-version").and_then(|version| version.to_str().ok()).unwrap_or_default();
    let version = version.to_owned();
    let body = response.into_body().collect().await?.to_bytes();
    let pieces = body.split(|byte| *byte == b'\n').filter(|line| *line == b"piece").count();
    if status == 200 && pieces != transaction.pieces as usize {
        bail!("{pieces} of {} pieces came", transaction.pieces);
    }
    if sender.ready().await.is_ok() {
        crate::cluster::lock(&shared.idle).push(sender);
    }
    Ok((version, status))
}

async fn connect() -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(GATEWAY).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens one socket after the other until it is told to stop; an open one is always lived to its end.
async fn sockets(
    shared: Arc<Shared>,
    lives: (Duration, Duration),
    mut dice: Dice,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    while !*stop.borrow_and_update() {
        let (customer, header) = who(&mut dice);
        let start = shared.begun.elapsed();
        let mut version = String::new();
        let verdict = match socket(header, dice.between(lives), &mut version).await {
            Ok(()) => Verdict::Whole,
            Err(why) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Verdict::Broken(format!("{why:#}"))
            }
        };
        let end = shared.begun.elapsed();
        crate::cluster::lock(&shared.records).push(Record { customer, path: "/socket", start, end, version, verdict });
    }
}

async fn socket(customer: Option<&str>, life: Duration, version: &mut String) -> Result<()> {
    let stream = TcpStream::connect(GATEWAY).await?;
    let key = tokio_tungstenite::tungstenite::handshake::client::generate_key();
    let mut request = http::Request::get("/socket")
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
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        bail!("the upgrade was answered by {}", response.status());
    }
    *version =
        response.headers().get("x-version").and_then(|version| version.to_str().ok()).unwrap_or_default().to_owned();
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await?);
    let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(upgraded, role, None).await;
    let until = Instant::now() + life;
    while Instant::now() < until {
        socket.send(Message::text("beat")).await?;
        match tokio::time::timeout(Duration::from_secs(5), socket.next()).await {
            Ok(Some(Ok(Message::Text(_)))) => {}
            Ok(other) => return Err(eyre!("the socket brought {other:?} instead of its echo")),
            Err(_) => bail!("no echo in 5 s"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    socket.close(None).await?;
    while let Some(Ok(_)) = socket.next().await {}
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
