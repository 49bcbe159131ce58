//! Which kinds are followed, and the handle that ends it.

use super::Clock;
use super::client::ReadClient;
use super::follow::{Out, follow};
use super::hurry::Hurry;
use crate::core::Event;
use crate::model::ResourceKind;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// What is followed: all objects of a kind in the namespace, or the one of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSpec {
    /// The kind.
    pub kind: ResourceKind,
    /// Only the object of this name.
    pub name: Option<String>,
}

/// Everything that is being followed; dropping it ends all of it.
#[derive(Debug)]
pub struct Watches {
    client: ReadClient,
    out: Out,
    tasks: JoinSet<()>,
    customers: Option<AbortHandle>,
}

/// Follows kinds of objects, one task per kind, and sends what happens as events until the receiver is gone.
///
/// Each kind begins with a complete list ([`crate::core::Change::Reset`]). Plans and Leases are listed every 2 s with
/// quorum, Releases under way are read every 2 s beside their watch, every other watch lasts 4 s at most: no source is
/// without a sign of life for more than 5 s while the API server answers. Answers' `Date` headers become
/// [`Event::ServerTime`] at most every 10 s. `hurry` ends pauses after failures.
pub fn watch(client: ReadClient, kinds: &[WatchSpec], clock: Clock, hurry: Hurry, tx: mpsc::Sender<Event>) -> Watches {
    let mut watches = Watches { client, out: Out::new(tx, clock, hurry), tasks: JoinSet::new(), customers: None };
    for spec in kinds {
        watches.add(spec.clone());
    }
    watches
}

impl WatchSpec {
    /// Follows every object of a kind.
    pub fn all(kind: ResourceKind) -> Self {
        Self { kind, name: None }
    }

    /// Follows one object.
    pub fn one(kind: ResourceKind, name: impl Into<String>) -> Self {
        Self { kind, name: Some(name.into()) }
    }

    /// Returns what a console follows from its start: every kind but ConfigMap, of which it may read only the
    /// customers' one, when it knows its name.
    pub fn console() -> Vec<Self> {
        ResourceKind::ALL.into_iter().filter(|kind| *kind != ResourceKind::ConfigMap).map(Self::all).collect()
    }
}

impl Watches {
    /// Follows something more.
    pub fn add(&mut self, spec: WatchSpec) -> AbortHandle {
        self.tasks.spawn(follow(self.client.clone(), spec, self.out.clone()))
    }

    /// Follows the ConfigMap that lists the customers, and no longer the one before.
    pub fn customers(&mut self, config_map: &str) {
        let next = self.add(WatchSpec::one(ResourceKind::ConfigMap, config_map));
        if let Some(before) = self.customers.replace(next) {
            before.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Change, KubeEvent};
    use crate::model::{Timestamp, name_of};
    use axum::body::Body;
    use http::{Request, Response};
    use serde_json::{Value, json};
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::{Instant, sleep, timeout};

    /// What the server does with one request.
    enum Reply {
        /// A whole answer.
        Whole(u16, Value),
        /// Lines, each after a pause in milliseconds, then the end.
        Lines(Vec<(u64, Value)>),
        /// The head of an answer and then nothing.
        Silent,
    }

    type Log = Arc<Mutex<Vec<(u64, String)>>>;

    /// A server that follows a script; after its end every watch is quiet for 4 s and then ends.
    fn server(script: impl IntoIterator<Item = Reply>) -> (ReadClient, Log) {
        let script: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let log = Log::default();
        let (seen, begun) = (log.clone(), Instant::now());
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let at = u64::try_from(begun.elapsed().as_millis()).unwrap();
            seen.lock().unwrap().push((at, request.uri().to_string()));
            let reply = script.lock().unwrap().pop_front().unwrap_or(Reply::Lines(vec![(4000, Value::Null)]));
            async move {
                let (status, body) = match reply {
                    Reply::Whole(status, body) => (status, Body::from(body.to_string())),
                    Reply::Silent => {
                        (200, Body::from_stream(futures::stream::pending::<Result<String, kube::Error>>()))
                    }
                    Reply::Lines(lines) => {
                        let stream = futures::stream::unfold(lines.into_iter(), |mut lines| async move {
                            let (wait, line) = lines.next()?;
                            sleep(Duration::from_millis(wait)).await;
                            let text = if line.is_null() { String::new() } else { format!("{line}\n") };
                            Some((Ok::<_, kube::Error>(text), lines))
                        });
                        (200, Body::from_stream(stream))
                    }
                };
                let date =
                    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now_at(at + 2000)).unwrap();
                Ok::<_, kube::Error>(Response::builder().status(status).header("date", date).body(body).unwrap())
            }
        });
        (ReadClient::from_client(kube::Client::new(service, "ns"), "ns"), log)
    }

    fn now_at(ms: u64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(ms).unwrap()).unwrap()
    }

    fn object(name: &str, version: u64) -> Value {
        json!({"metadata": {"name": name, "resourceVersion": version.to_string()}, "spec": {"kept": {"x": 1}}})
    }

    fn listed(version: u64, items: &[Value]) -> Reply {
        Reply::Whole(200, json!({"items": items, "metadata": {"resourceVersion": version.to_string()}}))
    }

    fn event(kind: &str, object: Value) -> Value {
        json!({"type": kind, "object": object})
    }

    /// Follows one kind and returns what happened within `seconds`, one word per event with its second.
    async fn followed(spec: WatchSpec, script: Vec<Reply>, seconds: u64) -> (Vec<(u64, String)>, Log) {
        let (client, log) = server(script);
        let (tx, mut rx) = mpsc::channel(64);
        let begun = Instant::now();
        let clock: Clock = Arc::new(move || now_at(u64::try_from(begun.elapsed().as_millis()).unwrap()));
        let _watches = watch(client, &[spec], clock, Hurry::default(), tx);
        let mut told = Vec::new();
        let end = begun + Duration::from_secs(seconds);
        while let Ok(Some(event)) = tokio::time::timeout_at(end, rx.recv()).await {
            let word = match event {
                Event::Kube(KubeEvent { change, .. }) => match change {
                    Change::Reset(objects) => {
                        format!("reset {}", objects.iter().map(name_of).collect::<Vec<_>>().join(","))
                    }
                    Change::ResetPods(pods) => {
                        format!("reset {}", pods.iter().map(crate::core::PodSeen::name).collect::<Vec<_>>().join(","))
                    }
                    Change::Upsert(object) => format!("upsert {} {}", name_of(&object), object["spec"]["kept"]["x"]),
                    Change::Deleted(object) => format!("deleted {}", name_of(&object)),
                    Change::Alive => "alive".to_owned(),
                    Change::Failed { why, answered } => {
                        format!("failed{} {why}", if answered { "" } else { " (no answer)" })
                    }
                },
                Event::ServerTime(skew) => {
                    let ahead = skew.server.as_millisecond() - skew.local.as_millisecond();
                    format!("time {}", (ahead + 500).div_euclid(1000))
                }
                other => panic!("{other:?}"),
            };
            told.push((begun.elapsed().as_secs(), word));
        }
        (told, log)
    }

    fn words(told: &[(u64, String)]) -> Vec<&str> {
        told.iter().map(|(_, word)| word.as_str()).filter(|word| !word.starts_with("time")).collect()
    }

    fn paths(log: &Log) -> Vec<String> {
        log.lock().unwrap().iter().map(|(_, path)| path.clone()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_then_each_change_then_the_next_watch_where_the_last_one_ended() {
        let script = vec![
            listed(10, &[object("a", 7)]),
            Reply::Lines(vec![
                (100, event("ADDED", object("b", 11))),
                (100, event("MODIFIED", object("a", 12))),
                (100, event("DELETED", object("b", 13))),
                (100, event("BOOKMARK", object("", 20))),
            ]),
        ];
        let (told, log) = followed(WatchSpec::all(ResourceKind::Service), script, 3).await;
        let expected = ["reset a", "alive", "upsert b 1", "upsert a 1", "deleted b", "alive", "alive", "alive"];
        assert_eq!(words(&told), expected);
        let base = "/api/v1/namespaces/ns/services";
        let watch =
            |version| format!("{base}?watch=true&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion={version}");
        assert_eq!(paths(&log), [format!("{base}?limit=500"), watch(10), watch(20)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_is_waited_for_while_its_pages_come_and_given_up_when_one_does_not() {
        let page = |seconds: u64, name: &str, next: &str| {
            let metadata = json!({"resourceVersion": "5", "continue": next});
            Reply::Lines(vec![(seconds * 1000, json!({"items": [object(name, 1)], "metadata": metadata}))])
        };
        let slow = vec![page(15, "a", "1"), page(15, "b", "2"), page(15, "c", "")];
        let (told, _) = followed(WatchSpec::all(ResourceKind::Pod), slow, 46).await;
        assert!(told.contains(&(45, "reset a,b,c".to_owned())), "{told:?}");
        let stuck = vec![page(15, "a", "1"), page(30, "b", "")];
        let (told, _) = followed(WatchSpec::all(ResourceKind::Pod), stuck, 36).await;
        let failed: Vec<&(u64, String)> = told.iter().filter(|(_, word)| word.starts_with("failed")).collect();
        assert_eq!(failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [35], "{told:?}");
        assert!(failed[0].1.contains("no answer within 20s"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_kind_gives_a_sign_of_life_at_least_every_five_seconds() {
        let (told, _) = followed(WatchSpec::all(ResourceKind::Pod), vec![listed(1, &[])], 60).await;
        let alive: Vec<u64> = told.iter().filter(|(_, word)| word == "alive").map(|(at, _)| *at).collect();
        assert!(alive.len() >= 12, "{told:?}");
        assert!(alive.windows(2).all(|pair| pair[1] - pair[0] <= 5), "{alive:?}");
        assert!(!told.iter().any(|(_, word)| word.starts_with("failed")), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_that_is_too_old_leads_to_a_new_list_and_is_no_failure() {
        let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
        let script = vec![
            listed(1, &[object("a", 1)]),
            Reply::Lines(vec![(0, event("ERROR", gone.clone()))]),
            listed(5, &[object("b", 5)]),
            Reply::Lines(vec![(1000, Value::Null)]),
            Reply::Whole(410, gone),
            listed(9, &[object("c", 9)]),
        ];
        let (told, _) = followed(WatchSpec::all(ResourceKind::HTTPRoute), script, 4).await;
        let resets: Vec<&str> = words(&told).into_iter().filter(|w| *w != "alive").collect();
        assert_eq!(resets, ["reset a", "reset b", "reset c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn versions_that_are_always_too_old_do_not_make_a_busy_loop() {
        let gone = json!({"kind": "Status", "code": 410});
        let script = (0..1000).map(|i| if i % 2 == 0 { listed(1, &[]) } else { Reply::Whole(410, gone.clone()) });
        let (_, log) = followed(WatchSpec::all(ResourceKind::Pod), script.collect(), 60).await;
        assert!(paths(&log).len() < 50, "{}", paths(&log).len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_server_is_reported_asked_again_with_growing_pauses_and_recovers() {
        let broken = || Reply::Whole(500, json!({"kind": "Status", "message": "etcd", "code": 500}));
        let mut script = vec![listed(1, &[object("a", 1)])];
        script.extend((0..5).map(|_| broken()));
        script.push(Reply::Lines(vec![(100, event("ADDED", object("b", 2)))]));
        let (told, log) = followed(WatchSpec::all(ResourceKind::Deployment), script, 14).await;
        let failed = words(&told).iter().filter(|word| word.starts_with("failed")).count();
        assert_eq!(failed, 5, "{told:?}");
        assert!(told.iter().any(|(_, word)| word.contains("500") && word.contains("etcd")), "{told:?}");
        assert!(words(&told).contains(&"upsert b 1"), "{told:?}");
        let times: Vec<u64> = log.lock().unwrap().iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..7], [0, 0, 500, 1500, 3500, 7500, 12500]);
        let lists = paths(&log).iter().filter(|path| path.contains("limit")).count();
        assert_eq!(lists, 1, "what was known is not listed again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_on_a_dead_connection_is_given_up() {
        let script = vec![listed(1, &[]), Reply::Silent];
        let (told, _) = followed(WatchSpec::all(ResourceKind::Pod), script, 9).await;
        let failed: Vec<&(u64, String)> = told.iter().filter(|(_, word)| word.starts_with("failed")).collect();
        assert_eq!(failed.len(), 1, "{told:?}");
        assert_eq!(failed[0].0, 7);
        assert!(failed[0].1.contains("it went silent"), "{failed:?}");
        assert_eq!(told.last().map(|(_, word)| word.as_str()), Some("alive"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_right_and_a_missing_kind_are_said_plainly() {
        let denied = Reply::Whole(403, json!({"kind": "Status", "message": "dana cannot list gateways", "code": 403}));
        let (told, _) = followed(WatchSpec::all(ResourceKind::Gateway), vec![denied], 1).await;
        assert!(
            words(&told)[0].contains("may not read gateways in namespace ns (dana cannot list gateways)"),
            "{told:?}"
        );
        let unknown = Reply::Whole(404, json!("404 page not found"));
        let (told, _) = followed(WatchSpec::all(ResourceKind::RolloutPlan), vec![unknown], 1).await;
        assert!(words(&told)[0].contains("does not serve RolloutPlan (pilothouse.dev/v1alpha1)"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn plans_and_leases_are_listed_every_two_seconds_and_only_changes_are_told() {
        let script = vec![
            listed(1, &[object("a", 1), object("b", 1)]),
            listed(1, &[object("a", 1), object("b", 1)]),
            listed(2, &[object("a", 2)]),
            Reply::Whole(503, json!({})),
            listed(2, &[object("a", 2)]),
        ];
        let (told, log) = followed(WatchSpec::all(ResourceKind::Lease), script, 7).await;
        let expected = ["reset a,b", "alive", "upsert a 1", "deleted b"];
        assert_eq!(words(&told)[..4], expected);
        assert!(words(&told)[4].starts_with("failed"), "{told:?}");
        assert_eq!(words(&told)[5], "alive");
        let times: Vec<u64> = log.lock().unwrap().iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..5], [0, 2000, 4000, 6000, 6500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_release_under_way_is_read_every_two_seconds_beside_its_watch() {
        let release = |name: &str, phase: &str, version: u64| {
            let mut object = object(name, version);
            object["status"]["phase"] = json!(phase);
            object
        };
        let script = vec![
            listed(5, &[release("old", "Done", 1), release("r", "Baking", 5), object("proposed", 2)]),
            Reply::Lines(vec![(4500, Value::Null)]),
            Reply::Whole(200, release("r", "Baking", 5)),
            Reply::Whole(200, release("r", "Promoting", 8)),
        ];
        let (told, log) = followed(WatchSpec::all(ResourceKind::Release), script, 5).await;
        assert_eq!(words(&told)[..4], ["reset old,r,proposed", "alive", "alive", "upsert r 1"]);
        let reads: Vec<(u64, String)> = log.lock().unwrap().iter().filter(|(_, p)| !p.contains('?')).cloned().collect();
        let path = "/apis/pilothouse.dev/v1alpha1/namespaces/ns/releases/r".to_owned();
        assert_eq!(reads, [(2000, path.clone()), (4000, path)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_time_is_told_at_most_every_ten_seconds() {
        let (told, _) = followed(WatchSpec::all(ResourceKind::Pod), vec![listed(1, &[])], 41).await;
        let times: Vec<&(u64, String)> = told.iter().filter(|(_, word)| word.starts_with("time")).collect();
        assert!(times.len() >= 3 && times.len() <= 5, "{times:?}");
        assert!(times.iter().all(|(_, word)| word == "time 2"), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 10), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_config_maps_only_the_customers_one_is_followed_and_only_the_last_named() {
        let (client, log) = server((0..4).map(|_| listed(1, &[])));
        let (tx, mut rx) = mpsc::channel(64);
        let mut watches = watch(client, &[], Arc::new(|| now_at(0)), Hurry::default(), tx);
        watches.customers("one");
        assert!(rx.recv().await.is_some());
        watches.customers("two");
        sleep(Duration::from_secs(20)).await;
        let asked = paths(&log);
        assert!(asked.iter().all(|path| path.contains("fieldSelector=metadata.name%3D")), "{asked:?}");
        assert!(asked.iter().rev().take(3).all(|path| path.contains("%3Dtwo")), "{asked:?}");
        drop(watches);
        while let Ok(Some(_)) = timeout(Duration::from_secs(1), rx.recv()).await {}
        let before = paths(&log).len();
        sleep(Duration::from_secs(20)).await;
        assert_eq!(paths(&log).len(), before, "a dropped handle ends every task");
    }

    #[tokio::test(start_paused = true)]
    async fn who_hurries_ends_the_pause_after_failures() {
        for kind in [ResourceKind::Service, ResourceKind::Lease] {
            let (client, log) = server((0..20).map(|_| Reply::Whole(503, json!({}))));
            let (tx, mut rx) = mpsc::channel(64);
            let hurry = Hurry::default();
            let _watches = watch(client, &[WatchSpec::all(kind)], Arc::new(|| now_at(0)), hurry.clone(), tx);
            // By now it is asked every 5 s.
            sleep(Duration::from_secs(14)).await;
            let before = log.lock().unwrap().len();
            hurry.up();
            sleep(Duration::from_millis(1)).await;
            let asked: Vec<u64> = log.lock().unwrap().iter().skip(before).map(|(at, _)| *at).collect();
            assert_eq!(asked.len(), 1, "{kind:?}: {:?}", log.lock().unwrap());
            while rx.try_recv().is_ok() {}
        }
    }

    #[test]
    fn a_console_follows_every_kind_but_config_maps() {
        let kinds: Vec<ResourceKind> = WatchSpec::console().into_iter().map(|spec| spec.kind).collect();
        assert_eq!(kinds.len(), ResourceKind::ALL.len() - 1);
        assert!(!kinds.contains(&ResourceKind::ConfigMap));
    }
}
