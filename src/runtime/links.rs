//! Where effects go: the seam between the loop and the adapters of cluster and metrics.

use crate::cluster::{self, DriveClient, Hurry, ReadClient, WatchSpec};
use crate::core::{
    Allowed, Event, Found, Identity, MetricsRequest, Read, ReadFailure, Right, Survey, SurveyRequest, Write,
};
use crate::metrics::{self, Poller};
use crate::model::{Authentication, MetricsEndpoint, Outcome, Rejection, ResourceKind, Span, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::any::Any;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Tells the time; a person's console asks the machine, a test its paused clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Ends what it stands for when it is dropped.
pub type Guard = Box<dyn Any + Send>;

/// Everything the console may ask of the world.
///
/// Each answer comes back as one [`Event`]; nothing here is retried, and every request ends by its own deadline.
pub trait Links: Send + Sync + 'static {
    /// Asks who we are and what we may do.
    fn identity(&self) -> BoxFuture<'static, Identity>;
    /// Watches everything the core decides on, until the guard is dropped.
    fn watch(&self, post: mpsc::Sender<Event>) -> Guard;
    /// Watches the ConfigMap of the customers, until the guard is dropped.
    fn watch_customers(&self, name: &str, post: mpsc::Sender<Event>) -> Guard;
    /// Polls metrics and gates, until the guard is dropped.
    fn poll(&self, request: MetricsRequest, post: mpsc::Sender<Event>) -> Guard;
    /// Ends what watches and polls wait for before they ask again.
    fn hurry(&self);
    /// Sends one write, once.
    fn write(&self, write: Write) -> BoxFuture<'static, Outcome>;
    /// Reads with quorum.
    fn read(&self, read: Read, deadline: Span) -> BoxFuture<'static, Result<Found, ReadFailure>>;
    /// Asks whether we may do these things.
    fn rights(&self, rights: Vec<Right>) -> BoxFuture<'static, Vec<Allowed>>;
    /// Looks at what no watch brings.
    fn survey(&self, request: SurveyRequest) -> BoxFuture<'static, Survey>;
}

/// The real links: a cluster's clients and the metrics source.
pub struct Wired {
    read: ReadClient,
    drive: Option<DriveClient>,
    metrics: Option<(String, Authentication)>,
    clock: Clock,
    hurry: Hurry,
}

impl Wired {
    /// Takes the clients; without one that can write, this console may only look.
    ///
    /// `metrics` is the source of this machine, a URL, which then is asked instead of the plan's.
    pub fn new(
        read: ReadClient,
        drive: Option<DriveClient>,
        metrics: Option<(String, Authentication)>,
        clock: Clock,
    ) -> Self {
        Self { read, drive, metrics, clock, hurry: Hurry::default() }
    }

    fn follow(&self, kinds: &[WatchSpec], post: mpsc::Sender<Event>) -> Guard {
        Box::new(cluster::watch(self.read.clone(), kinds, self.clock.clone(), self.hurry.clone(), post))
    }
}

impl Links for Wired {
    fn identity(&self) -> BoxFuture<'static, Identity> {
        let drive = self.drive.clone();
        async move { cluster::identity(drive.as_ref()).await }.boxed()
    }

    fn watch(&self, post: mpsc::Sender<Event>) -> Guard {
        self.follow(&WatchSpec::console(), post)
    }

    fn watch_customers(&self, name: &str, post: mpsc::Sender<Event>) -> Guard {
        self.follow(&[WatchSpec::one(ResourceKind::ConfigMap, name)], post)
    }

    fn poll(&self, mut request: MetricsRequest, post: mpsc::Sender<Event>) -> Guard {
        if let Some((url, auth)) = &self.metrics {
            request.source.endpoint = MetricsEndpoint::Url(url.clone());
            request.source.auth = auth.clone();
        }
        let poller = Poller::new(request, Some(self.read.client()));
        let every = poller.period();
        Box::new(metrics::spawn(poller, every, self.clock.clone(), self.hurry.clone(), post))
    }

    fn hurry(&self) {
        self.hurry.up();
    }

    fn write(&self, write: Write) -> BoxFuture<'static, Outcome> {
        let Some(drive) = self.drive.clone() else { return async { Outcome::NotApplied(only_looking()) }.boxed() };
        async move { cluster::write(&drive, &write).await }.boxed()
    }

    fn read(&self, read: Read, deadline: Span) -> BoxFuture<'static, Result<Found, ReadFailure>> {
        let client = self.read.clone();
        async move { cluster::read(&client, &read, deadline).await }.boxed()
    }

    fn rights(&self, rights: Vec<Right>) -> BoxFuture<'static, Vec<Allowed>> {
        let drive = self.drive.clone();
        async move { cluster::rights(drive.as_ref(), rights).await }.boxed()
    }

    fn survey(&self, request: SurveyRequest) -> BoxFuture<'static, Survey> {
        let client = self.read.clone();
        async move { cluster::survey(&client, &request).await }.boxed()
    }
}

/// What a console without a client that can write answers to itself; it never gets so far as to ask.
fn only_looking() -> Rejection {
    Rejection {
        code: 403,
        reason: "Forbidden".to_owned(),
        message: "this console may only look".to_owned(),
        causes: Vec::new(),
    }
}
