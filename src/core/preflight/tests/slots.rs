//! Services, Deployments and their pods.

use super::{cluster, deployment, said, series, set};
use crate::core::preflight::preflight;
use crate::core::testbed::Bed;
use crate::core::{Change, Event, KubeEvent};
use crate::model::{Batch, Family, ResourceKind, ResourceRef, Slot};
use serde_json::{Value, json};

#[test]
fn what_does_not_exist_is_named() {
    assert_eq!(
        cluster("slot.no-service", |bed| {
            bed.objects.remove(&ResourceRef::new(ResourceKind::Service, "shop-b"));
        }),
        ["refused: Service shop-b of slot b does not exist: create it (pilothouse init prints it) [slot.no-service]"]
    );
    assert_eq!(
        cluster("slot.no-deployment", |bed| {
            bed.objects.remove(&ResourceRef::new(ResourceKind::Deployment, "shop-b"));
        }),
        [
            "refused: Deployment shop-b of slot b does not exist: create it (pilothouse init prints it) [slot.no-deployment]"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_not_said_to_be_missing() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.run();
    let kind = ResourceKind::Service;
    bed.tell(desk, Event::Kube(KubeEvent { kind, change: Change::Reset(Vec::new()) }));
    bed.tell(
        desk,
        Event::Kube(KubeEvent { kind, change: Change::Failed { why: "403 Forbidden".into(), answered: true } }),
    );
    let found = preflight(&bed.desks[desk].state, bed.now, None);
    let found: Vec<String> = found.iter().filter(|f| f.check.starts_with("slot.")).map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "refused: Services cannot be read (403 Forbidden), so it is not known whether the slots are what the plan says: the role pilothouse-viewer allows it (pilothouse manifests prints it) [slot.unread]"
        ]
    );
}

#[test]
fn a_service_that_selects_the_other_slots_pods_mixes_versions_and_is_refused() {
    let with = |labels: [Value; 2]| {
        cluster("slot.shared-selector", |bed| {
            for (name, labels) in ["shop-a", "shop-b"].into_iter().zip(labels) {
                deployment(bed, name, "/spec/template/metadata/labels", labels);
            }
            set(bed, ResourceKind::Service, "shop-a", "/spec/selector", json!({ "app": "shop" }));
        })
    };
    let labels = |slot: &str| json!({ "app": "shop", "app.kubernetes.io/version": "1", "pilothouse.dev/slot": slot });
    assert_eq!(
        with([labels("a"), labels("b")]),
        [
            "refused: Service shop-a of slot a also selects the pods of Deployment shop-b (app=shop): its customers would be on both versions; kubectl patch service shop-a --type=merge -p '{\"spec\":{\"selector\":{\"pilothouse.dev/slot\":\"a\"}}}' [slot.shared-selector]"
        ]
    );
    let unlabelled = json!({ "app": "shop", "app.kubernetes.io/version": "1" });
    assert_eq!(
        with([unlabelled, labels("b")]),
        [
            "refused: Service shop-a of slot a also selects the pods of Deployment shop-b (app=shop): its customers would be on both versions; give the pods of shop-b another value of one of these labels (pilothouse init prints it so) [slot.shared-selector]"
        ]
    );
}

#[test]
fn a_service_has_to_select_its_own_deployments_pods_and_no_third_ones() {
    assert_eq!(
        cluster("slot.selector-mismatch", |bed| set(
            bed,
            ResourceKind::Service,
            "shop-b",
            "/spec/selector",
            json!({ "app": "x" })
        )),
        [
            "refused: Service shop-b of slot b selects app=x, and the pods of Deployment shop-b do not carry that: nobody of this slot would answer there; correct the selector of the Service or the labels of the pod template [slot.selector-mismatch]"
        ]
    );
    assert_eq!(
        cluster("slot.no-selector", |bed| set(bed, ResourceKind::Service, "shop-a", "/spec/selector", json!({}))),
        [
            "warning: Service shop-a of slot a has no selector: somebody else keeps its endpoints, and whether they are pods of this slot alone cannot be checked here [slot.no-selector]"
        ]
    );
    assert_eq!(
        cluster("slot.third-party", |bed| {
            let mut other = bed.get(ResourceKind::Deployment, "shop-a").clone();
            other["metadata"] = json!({ "name": "jobs" });
            bed.put(ResourceKind::Deployment, other);
        }),
        [
            "warning: Service shop-a of slot a also selects the pods of Deployment jobs, which no release changes: customers of this slot would meet a version that nobody released [slot.third-party]"
        ]
    );
}

#[test]
fn ports_have_to_exist_and_to_lead_to_the_same_place() {
    let ports = |check: &str, ports: Value| {
        cluster(check, |bed| set(bed, ResourceKind::Service, "shop-b", "/spec/ports", ports))
    };
    assert_eq!(
        ports("slot.no-such-port", json!([{ "port": 81 }])),
        [
            "refused: HTTPRoute shop sends to port 80 of Service shop-b, which has no such port (it has 81): nobody would answer there; correct one of the two [slot.no-such-port]"
        ]
    );
    assert_eq!(
        ports("slot.target-port", json!([{ "port": 80, "targetPort": 9090 }])),
        [
            "warning: Service shop-a leads to container port 8080 and Service shop-b to 9090: unless the new version listens elsewhere, requests to one of them fail; correct targetPort [slot.target-port]"
        ]
    );
    assert_eq!(
        ports("slot.target-port-name", json!([{ "port": 80, "targetPort": "web" }])),
        [
            "refused: Service shop-b of slot b leads to the container port named web, and no container of Deployment shop-b has a port of that name: it would have no endpoint; name the port in the pod template, or use its number as targetPort [slot.target-port-name]"
        ]
    );
    assert_eq!(
        ports("slot.app-protocol", json!([{ "port": 80, "targetPort": 8080, "appProtocol": "kubernetes.io/h2c" }])),
        [
            "warning: Service shop-a has appProtocol none and Service shop-b has kubernetes.io/h2c: gateways would speak differently to the two versions; set the same one [slot.app-protocol]"
        ]
    );
}

#[test]
fn the_serving_slot_has_to_be_up_and_at_rest() {
    assert_eq!(
        cluster("slot.not-ready", |bed| {
            bed.ill.unready = Some(Slot::A);
            bed.pass(1);
        }),
        [
            "refused: Service shop-a of the serving slot a has no ready endpoint: bring the service up first (kubectl get endpointslices -l kubernetes.io/service-name=shop-a) [slot.not-ready]"
        ]
    );
    assert_eq!(
        cluster("slot.rolling", |bed| deployment(bed, "shop-a", "/status/updatedReplicas", json!(1))),
        [
            "refused: Deployment shop-a of the serving slot a is being changed (1 of 2 pods are of its newest template): its customers are on two versions now; wait for it: kubectl rollout status deployment shop-a [slot.rolling]"
        ]
    );
    assert_eq!(
        cluster("slot.unready", |bed| {
            deployment(bed, "shop-a", "/status/readyReplicas", json!(1));
            deployment(bed, "shop-a", "/spec/selector", json!({ "matchLabels": { "app": "shop" } }));
            deployment(bed, "shop-a", "/status/observedGeneration", json!(99));
        }),
        [
            "warning: 1 of 2 pods of the serving slot a are ready: the way back leads to fewer pods than are wanted; look at kubectl get pods -l app=shop [slot.unready]"
        ]
    );
    assert_eq!(
        cluster("slot.pod-waits", |bed| {
            let path = "/status/containerStatuses/0/state";
            let state = json!({ "waiting": { "reason": "ImagePullBackOff" } });
            set(bed, ResourceKind::Pod, "shop-a-1", path, state);
        }),
        [
            "warning: 1 pod of slot a cannot run (ImagePullBackOff): the slot has fewer pods than it should; look at kubectl describe pod shop-a-1 [slot.pod-waits]"
        ]
    );
}

#[test]
fn the_idle_slot_has_to_be_empty_and_able_to_come_up() {
    assert_eq!(
        cluster("slot.paused", |bed| deployment(bed, "shop-b", "/spec/paused", json!(true))),
        [
            "refused: Deployment shop-b of slot b is paused, so the new version would never come up there: kubectl rollout resume deployment shop-b [slot.paused]"
        ]
    );
    assert_eq!(
        cluster("slot.idle-runs", |bed| deployment(bed, "shop-b", "/spec/replicas", json!(1))),
        [
            "refused: the idle slot b still has 1 replicas: kubectl scale deployment shop-b --replicas=0 when nothing is open there [slot.idle-runs]"
        ]
    );
    assert_eq!(
        cluster("slot.target-not-ready", |bed| {
            set(bed, ResourceKind::RolloutPlan, "shop", "/spec/deploy", json!({ "by": "pipeline" }));
            deployment(bed, "shop-b", "/spec/replicas", json!(1));
        }),
        [
            "warning: Service shop-b of the idle slot b has no ready endpoint although shop-b has 1 replicas: the start will wait for them; look at kubectl describe deployment shop-b [slot.target-not-ready]"
        ]
    );
    assert_eq!(
        cluster("slot.no-probe", |bed| deployment(
            bed,
            "shop-b",
            "/spec/template/spec/containers/0/readinessProbe",
            Value::Null
        )),
        [
            "warning: no container of Deployment shop-b has a readinessProbe: its pods count as ready as soon as they run, and the first requests of a wave may come too early; add one [slot.no-probe]"
        ]
    );
    assert_eq!(
        cluster("slot.shared-volume", |bed| {
            for name in ["shop-a", "shop-b"] {
                let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
                deployment(bed, name, "/spec/template/spec/volumes", volumes);
            }
        }),
        [
            "warning: Deployments shop-a and shop-b mount the same PersistentVolumeClaim data: both versions would write there at once, and a ReadWriteOnce one keeps new pods on other nodes from starting; check accessModes (kubectl get pvc data) [slot.shared-volume]"
        ]
    );
}

#[test]
fn the_time_pods_get_to_end_is_compared_with_the_longest_open_transaction() {
    let long = |batch: &mut Batch| series(batch, Family::OldestAge)[1].points[0].1 = 95.0;
    let path = "/spec/template/spec/terminationGracePeriodSeconds";
    assert_eq!(
        said("slot.grace", |bed| deployment(bed, "shop-b", path, json!(120)), long),
        [
            "warning: pods of Deployment shop-a get 30s to end (terminationGracePeriodSeconds), and a transaction has been open for 1m35s: a node drain would cut such work, and so would force; raise it together with the next version, a change of the template restarts pods [slot.grace]"
        ]
    );
    // One finding for both slots: the same sentence twice would push the rest out of a dialog.
    assert_eq!(
        said("slot.grace", |bed| deployment(bed, "shop-b", path, json!(60)), long),
        [
            "warning: pods of Deployment shop-a get 30s, those of Deployment shop-b get 60s to end (terminationGracePeriodSeconds), and a transaction has been open for 1m35s: a node drain would cut such work, and so would force; raise it together with the next version, a change of the template restarts pods [slot.grace]"
        ]
    );
    assert_eq!(
        cluster("slot.grace-differs", |bed| deployment(bed, "shop-a", path, json!(60))),
        [
            "warning: pods of Deployment shop-b get 30s to end and those of shop-a 60s: the new version would lose work in a node drain that the old one finishes; kubectl patch deployment shop-b --type=merge -p '{\"spec\":{\"template\":{\"spec\":{\"terminationGracePeriodSeconds\":60}}}}' [slot.grace-differs]"
        ]
    );
    assert_eq!(
        cluster("slot.no-pre-stop", |bed| deployment(
            bed,
            "shop-b",
            "/spec/template/spec/containers/0/lifecycle",
            Value::Null
        )),
        [
            "note: no container of Deployment shop-b has a preStop hook: in a node drain the gateway may still send for some seconds after SIGTERM, and whether the application serves on until then cannot be seen here; lifecycle.preStop.sleep of 15 s is the usual answer [slot.no-pre-stop]"
        ]
    );
}
