//! Asking the metrics source again and again.

use super::profile::{self, Whose};
use super::source::{Prometheus, Question, Range};
use crate::cluster::{Clock, Hurry};
use crate::core::{Event, GateAnswer, GateQuery, MetricsRequest};
use crate::gate::step;
use crate::model::{Batch, Family, LabelledPoints, RawSeries, Reading, Span, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The shortest window of raw samples.
const SHORTEST_WINDOW: Duration = Duration::from_secs(15);

/// The window while the scrape interval is not known, and when that has shown less than two samples.
const UNKNOWN_WINDOW: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(300)];

/// The shortest and the longest pause between the begins of two rounds.
const PERIOD: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Even a source that needs longer than a period for its answers gets this much rest.
const REST: Duration = Duration::from_millis(250);

/// The source's own time.
const SOURCE_TIME: &str = "time()";

/// Asks one set of questions, round after round.
pub struct Poller {
    request: MetricsRequest,
    prometheus: Prometheus,
    /// The spacing of samples, as the last round showed it.
    measured: Option<Duration>,
    /// Whether the last round showed samples and no spacing.
    too_narrow: bool,
}

/// A poller at work; dropping it ends it.
#[derive(Debug)]
pub struct Polling {
    task: JoinHandle<()>,
}

impl Poller {
    /// Prepares a poller; `client` is for a source behind the API server's proxy, and the one that cannot write will
    /// do. Has to be called inside a tokio runtime. A source that cannot be used answers with the reason.
    pub fn new(request: MetricsRequest, client: Option<kube::Client>) -> Self {
        let prometheus = Prometheus::new(&request.source, client);
        Self { request, prometheus, measured: None, too_narrow: false }
    }

    /// Asks one round: every family at once, then every query of every gate at once.
    ///
    /// `now` is the console's time and only stamps the events. The gates' ranges end at the source's own time, which
    /// is asked for: a console whose clock is wrong would look at a part of the window, or at the future. Returns
    /// [`Event::Metrics`], and [`Event::Gates`] when there are gates.
    pub async fn poll(&mut self, now: Timestamp) -> Vec<Event> {
        let window = self.window();
        let MetricsRequest { source, namespace, strangers, gates } = &self.request;
        let whose = Whose { namespace, strangers };
        let mut queries = Family::ALL.map(|family| profile::query(family, source, whose, window)).to_vec();
        if !gates.is_empty() {
            queries.push(SOURCE_TIME.to_owned());
        }
        let questions: Vec<Question> = queries.into_iter().map(|query| Question { query, range: None }).collect();
        let keep = |place: usize, series| profile::read(Family::ALL.get(place).copied(), source, series);
        let mut answers = self.prometheus.ask(now, &questions, &keep).await;
        let time = answers.get(Family::ALL.len()).and_then(source_time).unwrap_or(now);
        answers.truncate(Family::ALL.len());
        let families: BTreeMap<_, _> = Family::ALL.into_iter().zip(answers).collect();
        let mut events = vec![];
        if !gates.is_empty() {
            let answers = ask_gates(&mut self.prometheus, gates, now, time).await;
            events.push(Event::Gates { at: now, answers });
        }
        let batch = Batch { at: now, families };
        self.measure(&batch);
        events.insert(0, Event::Metrics(batch));
        events
    }

    /// Returns how often it is worth asking: twice per scrape.
    pub fn period(&self) -> Duration {
        period(self.interval().map(Span))
    }

    fn interval(&self) -> Option<Duration> {
        self.request.source.interval.map(|span| span.0).or(self.measured)
    }

    fn window(&self) -> Duration {
        match self.interval() {
            // Whole seconds, rounded up: PromQL durations are written so.
            Some(interval) => Duration::from_secs((interval * 5).as_secs_f64().ceil() as u64).max(SHORTEST_WINDOW),
            None => UNKNOWN_WINDOW[usize::from(self.too_narrow)],
        }
    }

    /// Takes the median spacing of the pods' own samples.
    fn measure(&mut self, batch: &Batch) {
        let Some(Reading::Value(series)) = batch.families.get(&Family::InFlight) else { return };
        let mut gaps: Vec<i64> = series
            .iter()
            .flat_map(|one| one.points.windows(2).filter_map(|pair| Some(pair.get(1)?.0 - pair.first()?.0)))
            .collect();
        gaps.sort_unstable();
        match gaps.get(gaps.len() / 2).and_then(|gap| u64::try_from(*gap).ok()).filter(|gap| *gap > 0) {
            Some(gap) => self.measured = Some(Duration::from_millis(gap)),
            None => self.too_narrow = true,
        }
    }
}

/// Returns how often a source with this scrape interval is worth asking: half of it, from 0.5 s to 5 s.
pub fn period(interval: Option<Span>) -> Duration {
    interval.map_or(PERIOD.1, |interval| interval.0 / 2).clamp(PERIOD.0, PERIOD.1)
}

/// Polls until the receiver is gone or the handle is dropped, at most `every` apart and more often where the scrape
/// interval turns out shorter, or if somebody hurries.
pub fn spawn(mut poller: Poller, every: Duration, clock: Clock, hurry: Hurry, tx: mpsc::Sender<Event>) -> Polling {
    let task = tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            for event in poller.poll(clock()).await {
                if tx.send(event).await.is_err() {
                    return;
                }
            }
            hurry.wait_until((begun + every.min(poller.period())).max(Instant::now() + REST)).await;
        }
    });
    Polling { task }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the source's own time.
fn source_time(answer: &Reading<Vec<RawSeries>>) -> Option<Timestamp> {
    let (_, seconds) = answer.value()?.first()?.points.first()?;
    Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
}

async fn ask_gates(
    prometheus: &mut Prometheus,
    gates: &[GateQuery],
    now: Timestamp,
    time: Timestamp,
) -> Vec<GateAnswer> {
    let questions: Vec<Question> = gates
        .iter()
        .flat_map(|gate| {
            let range = Some(range(gate, time));
            gate.queries.iter().map(move |query| Question { query: query.clone(), range })
        })
        .collect();
    let mut answers = prometheus.ask(now, &questions, &|_, series| series).await.into_iter();
    let mut of_gate =
        |gate: &GateQuery| -> Vec<Reading<Vec<LabelledPoints>>> { answers.by_ref().take(gate.queries.len()).collect() };
    gates.iter().map(|gate| GateAnswer { gate: gate.gate.clone(), answers: of_gate(gate) }).collect()
}

/// Lays the steps so that the last one is `now` and the first is not before the window's begin.
fn range(gate: &GateQuery, now: Timestamp) -> Range {
    let step = step(gate.window).0.as_secs().max(1);
    let window = i64::try_from(gate.window.0.as_millis()).unwrap_or(i64::MAX);
    let lowest = now.as_millisecond().saturating_sub(window).max(gate.not_before.as_millisecond());
    let (begin, end) = (lowest.saturating_add(999).div_euclid(1000), now.as_second());
    let steps = u64::try_from(end - begin).unwrap_or(0) / step;
    let back = i64::try_from(steps * step).unwrap_or(0);
    Range { start: end - back, end, step: u32::try_from(step).unwrap_or(u32::MAX) }
}
