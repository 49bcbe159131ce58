//! The time of one picture at 200x60, on a recorded release: the real view and the real face, without a terminal.

use crate::report::{Report, quantile};
use pilothouse::cli::{Demo, scenario};
use pilothouse::config::{Surroundings, Wanted, load};
use pilothouse::core::{Command, View};
use pilothouse::runtime::{Engine, await_picture, drive};
use pilothouse::ui::Ui;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const SIZE: (u16, u16) = (200, 60);
/// How many pictures are recorded; one per second of the cluster's time.
const PICTURES: u64 = 60;
/// How often the recording is drawn.
const ROUNDS: u64 = 10;

/// Measures the drawing of one picture, and the making of the view it draws.
pub fn measure(report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let (views, mut view_ms) = runtime.expect("a runtime").block_on(record());
    let around = Surroundings { folder: None, no_color: false, is_utf8: true };
    let mut ui = Ui::new(load(&Wanted::default(), &around).expect("the default settings hold").look);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal without a device");
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for (second, view) in (0..).zip(&views) {
            let now_ms = (round * PICTURES + second) * 1_000;
            let began = Instant::now();
            terminal.draw(|frame| ui.draw(frame, view, now_ms)).expect("a buffer takes every picture");
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    report.figure("perf.view_p50", quantile(&mut view_ms, 0.5), "ms");
    report.figure("perf.frame_200x60_p50", quantile(&mut times, 0.5), "ms");
    report.figure("perf.frame_200x60_p95", quantile(&mut times, 0.95), "ms");
}

/// Starts a release in an embedded cluster, moves its first wave, and records the view once a second from there on.
async fn record() -> (Vec<View>, Vec<f64>) {
    let scenario = scenario("good").expect("a scenario that comes with the program");
    let demo = Demo::start(&scenario, "2026-05-04T03:00:00Z".parse().expect("a time")).expect("the cluster starts");
    let (setup, links) = demo.console("bench@test".to_owned(), "00000000000000aa".to_owned(), false);
    let mut engine = Engine::open(setup, demo.clock(), links);
    let stop = CancellationToken::new();
    assert!(await_picture(&mut engine, Duration::from_secs(60), &stop).await, "the picture is complete");
    let release = engine.view().proposed.first().map(|row| row.name.clone());
    let start = Command::Start { release, version: None, image: None, commit: None };
    for command in [start, Command::Next { accept_no_traffic: None }] {
        let mark = engine.preview(&command).mark;
        drive(&mut engine, command, Some(mark), &stop, &mut std::io::sink()).await;
    }
    let (mut views, mut times) = (Vec::new(), Vec::new());
    for _ in 0..PICTURES {
        let end = tokio::time::Instant::now() + Duration::from_secs(1);
        while tokio::time::timeout_at(end, engine.step()).await.is_ok() {}
        let began = Instant::now();
        views.push(engine.view());
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let moved = views.last().is_some_and(|view| !view.header.new_version.is_empty());
    assert!(moved, "a release is under way in the recording");
    (views, times)
}
