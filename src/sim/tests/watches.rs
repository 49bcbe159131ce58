//! Watches: resuming, bookmarks, expiry and ends.

use super::{Rig, pass, rig};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use kube::runtime::watcher;
use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

async fn label(rig: &Rig, value: &str) {
    let patch = json!({"metadata": {"labels": {"n": value}}});
    rig.api("HTTPRoute").patch("trackx", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

async fn version(rig: &Rig) -> String {
    rig.api("HTTPRoute").list(&kube::api::ListParams::default()).await.unwrap().metadata.resource_version.unwrap()
}

fn kind(event: &WatchEvent<DynamicObject>) -> &'static str {
    match event {
        WatchEvent::Added(_) => "ADDED",
        WatchEvent::Modified(_) => "MODIFIED",
        WatchEvent::Deleted(_) => "DELETED",
        WatchEvent::Bookmark(_) => "BOOKMARK",
        WatchEvent::Error(_) => "ERROR",
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_the_list_ended() {
    let rig = rig();
    let from = version(&rig).await;
    label(&rig, "1").await;
    let mut events = pin!(rig.api("HTTPRoute").watch(&WatchParams::default().timeout(10), &from).await.unwrap());
    assert_eq!(kind(&events.try_next().await.unwrap().unwrap()), "MODIFIED");
    label(&rig, "2").await;
    let WatchEvent::Modified(route) = events.try_next().await.unwrap().unwrap() else { panic!("no change") };
    assert_eq!(route.metadata.labels.unwrap()["n"], "2");
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_version_shows_the_present_state_first() {
    let rig = rig();
    let events: Vec<_> =
        rig.api("HTTPRoute").watch(&WatchParams::default().timeout(1), "0").await.unwrap().try_collect().await.unwrap();
    assert_eq!(events.iter().map(kind).collect::<Vec<_>>(), ["ADDED"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_leaves_the_selection_is_deleted_for_the_watcher() {
    let rig = rig();
    label(&rig, "1").await;
    let from = version(&rig).await;
    let params = WatchParams::default().labels("n=1").timeout(10);
    let mut events = pin!(rig.api("HTTPRoute").watch(&params, &from).await.unwrap());
    label(&rig, "2").await;
    assert_eq!(kind(&events.try_next().await.unwrap().unwrap()), "DELETED");
    label(&rig, "1").await;
    assert_eq!(kind(&events.try_next().await.unwrap().unwrap()), "ADDED");
}

#[tokio::test(start_paused = true)]
async fn a_short_watch_ends_in_time_and_without_a_bookmark() {
    let rig = rig();
    let from = version(&rig).await;
    let begin = Instant::now();
    let events: Vec<_> = rig
        .api("HTTPRoute")
        .watch(&WatchParams::default().timeout(5), &from)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(events.is_empty());
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_long_watch_gets_a_bookmark_each_minute_with_the_newest_version() {
    let rig = rig();
    let from = version(&rig).await;
    let mut events = pin!(rig.api("HTTPRoute").watch(&WatchParams::default().timeout(290), &from).await.unwrap());
    // A change of another kind moves the bookmark, too.
    let patch = json!({"data": {"x": "y"}});
    rig.api("ConfigMap").patch("trackx-customers", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let begin = Instant::now();
    let WatchEvent::Bookmark(mark) = events.try_next().await.unwrap().unwrap() else { panic!("no bookmark") };
    assert_eq!(begin.elapsed().as_secs(), 60);
    assert_eq!(mark.metadata.resource_version, version(&rig).await);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_forgotten_version_is_told_410() {
    let rig = rig();
    let from = version(&rig).await;
    label(&rig, "1").await;
    rig.sim.compact();
    let mut events = pin!(rig.api("HTTPRoute").watch(&WatchParams::default().timeout(5), &from).await.unwrap());
    let WatchEvent::Error(status) = events.try_next().await.unwrap().unwrap() else { panic!("no error") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    assert!(events.try_next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_clients_watcher_works_in_both_ways_of_listing_and_survives_a_break() {
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let rig = rig();
        let mut events = pin!(watcher(rig.api("HTTPRoute"), config).boxed());
        assert!(matches!(events.try_next().await.unwrap(), Some(watcher::Event::Init)));
        assert!(matches!(events.try_next().await.unwrap(), Some(watcher::Event::InitApply(_))));
        assert!(matches!(events.try_next().await.unwrap(), Some(watcher::Event::InitDone)));
        rig.sim.faults().break_watches();
        label(&rig, "1").await;
        let event = timeout(Duration::from_secs(60), events.try_next()).await.unwrap().unwrap();
        assert!(matches!(event, Some(watcher::Event::Apply(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_cluster_ends_its_watches() {
    let rig = rig();
    let from = version(&rig).await;
    let mut events = pin!(rig.api("HTTPRoute").watch(&WatchParams::default(), &from).await.unwrap());
    rig.sim.stop();
    assert!(events.try_next().await.unwrap().is_none());
    pass(1).await;
}
