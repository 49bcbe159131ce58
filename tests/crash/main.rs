//! A console dies by SIGKILL in each phase of a release; a second one shows what it found and finishes, or rolls back.
//!
//! The real binary, real time, the embedded cluster on loopback in this process. Route writes are slow, so that a
//! console dies with writes on their way: they land after its death.

mod cluster;
mod console;

use cluster::Cluster;
use console::{Console, verb};
use pilothouse::model::Phase;
use std::time::Duration;

/// What the second console does with what it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Finish,
    RollBack,
}

/// How the first console is brought to the phase in which it dies.
const fn way_to(phase: Phase) -> &'static [&'static [&'static str]] {
    const START: &[&str] = &["start", "4.12.0", "--yes", "4.12.0"];
    const FIRST: &[&str] = &["next", "--yes", "first"];
    const REST: &[&str] = &["next", "--yes", "rest"];
    const PROMOTE: &[&str] = &["promote", "--yes", "unlisted"];
    const FINISH: &[&str] = &["finish", "--yes", "trackx"];
    const BACK: &[&str] = &["rollback", "it does not work"];
    match phase {
        Phase::Preparing | Phase::Ready => &[START],
        Phase::Shifting | Phase::Verifying | Phase::Baking => &[START, FIRST],
        Phase::Promoting | Phase::Promoted => &[START, FIRST, REST, PROMOTE],
        Phase::DrainingOld | Phase::RetiringOld | Phase::Cleaning => &[START, FIRST, REST, PROMOTE, FINISH],
        _ => &[START, FIRST, BACK],
    }
}

async fn dies_in(phase: Phase, then: Then) {
    let cluster = Cluster::start().await;
    let verbs = way_to(phase);
    let (last, before) = verbs.split_last().expect("every phase has a way to it");
    for args in before {
        cluster.ready_for(args[0]).await;
        verb(&cluster, args).await.expect_done();
    }
    cluster.ready_for(last[0]).await;
    cluster.slow_routes(Duration::from_millis(400));
    let first = Console::spawn(&cluster, last);
    cluster.reaches(phase).await;
    first.kill();
    cluster.slow_routes(Duration::ZERO);

    let status = verb(&cluster, &["status"]).await;
    assert!(status.text.contains("trackx-4-12-0"), "the second console names what it found:\n{}", status.text);
    match then {
        Then::RollBack => {
            verb(&cluster, &["rollback", "the first console died"]).await.expect_done();
            cluster.is_rolled_back().await;
        }
        Then::Finish => {
            finish(&cluster).await;
            if phase.is_backward() { cluster.is_rolled_back().await } else { cluster.is_done().await }
        }
    }
    cluster.nobody_noticed();
}

/// Goes on from whatever is there, as a person who reads `status` would.
async fn finish(cluster: &Cluster) {
    const TAKE: [&str; 2] = ["--take", "the first console died"];
    for _ in 0..12 {
        let (phase, wave, left) = cluster.stands().await;
        let args: &[&str] = match phase {
            Phase::Done | Phase::RolledBack if !left => return,
            Phase::Ready => &["next", "--yes", "first"],
            Phase::Baking if wave == 1 => &["next", "--yes", "rest"],
            Phase::Baking => &["promote", "--yes", "unlisted"],
            Phase::Promoted => &["finish", "--yes", "trackx"],
            _ => &["resume", "--yes", "trackx"],
        };
        cluster.ready_for(args[0]).await;
        verb(cluster, &[args, &TAKE].concat()).await.expect_done();
    }
    panic!("not over after twelve orders: {:?}", cluster.stands().await);
}

macro_rules! deaths {
    ($($name:ident: $phase:ident, $then:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            dies_in(Phase::$phase, Then::$then).await;
        }
    )*};
}

deaths! {
    a_death_while_preparing_is_finished: Preparing, Finish;
    a_death_while_preparing_is_rolled_back: Preparing, RollBack;
    a_death_when_ready_is_finished: Ready, Finish;
    a_death_while_shifting_is_finished: Shifting, Finish;
    a_death_while_shifting_is_rolled_back: Shifting, RollBack;
    a_death_while_verifying_is_finished: Verifying, Finish;
    a_death_while_verifying_is_rolled_back: Verifying, RollBack;
    a_death_while_baking_is_finished: Baking, Finish;
    a_death_while_promoting_is_finished: Promoting, Finish;
    a_death_while_promoting_is_rolled_back: Promoting, RollBack;
    a_death_when_promoted_is_rolled_back: Promoted, RollBack;
    a_death_while_draining_old_is_finished: DrainingOld, Finish;
    a_death_while_draining_old_is_rolled_back: DrainingOld, RollBack;
    a_death_while_retiring_old_is_finished: RetiringOld, Finish;
    a_death_while_retiring_old_is_rolled_back: RetiringOld, RollBack;
    a_death_while_cleaning_is_finished: Cleaning, Finish;
    a_death_while_cleaning_is_rolled_back: Cleaning, RollBack;
    a_death_while_rolling_back_is_finished: RollingBack, Finish;
    a_death_while_verifying_back_is_finished: VerifyingBack, Finish;
    a_death_while_draining_new_is_finished: DrainingNew, Finish;
    a_death_while_retiring_new_is_finished: RetiringNew, Finish;
}
