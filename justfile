# Short names for what is done often; `.ci/run` is what decides.

# What to run before a commit.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test

# The console on an embedded cluster; needs nothing.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Everything in real time: the real program on a real pty, and killed in every phase.
real:
    cargo test --test pty
    cargo test --test crash

# One release and one rollback on a real API server, gateway and Prometheus.
rig:
    tests/rig/run

# Writes the screens' golden files anew; look at the difference before you commit it.
bless:
    PILOTHOUSE_BLESS=1 cargo test --lib ui::
