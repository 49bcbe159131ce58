//! A part of the console that fails on order, for tests; released programs have none of it.

/// Panics if `PILOTHOUSE_TEST_PANIC` is `part:file`, for this part, and the file exists; what is in it is said.
///
/// Compiled only with debug assertions, so that no released program can be made to fail from outside.
#[inline]
pub(super) fn here(part: &str) {
    #[cfg(debug_assertions)]
    if let Ok(order) = std::env::var("PILOTHOUSE_TEST_PANIC")
        && let Some((wanted, file)) = order.split_once(':')
        && wanted == part
        && let Ok(said) = std::fs::read_to_string(file)
    {
        panic!("the {part} was told to fail by a test: {said}");
    }
    #[cfg(not(debug_assertions))]
    let _ = part;
}
