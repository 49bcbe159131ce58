//! How an API server answers the product's requests, asked of the real one and of the embedded one alike.
//!
//! Each behaviour is a short conversation; what is kept of it is only what the product relies on: codes, reasons,
//! whether causes are named, and the fields it reads. Every difference is a bug of the embedded server.

mod applies;
mod creates;
mod deletes;
pub mod embedded;
mod patches;
pub mod rest;
mod scales;
mod stage;
mod status;
mod watches;

use color_eyre::eyre::Result;
use futures::future::BoxFuture;
use rest::Rest;
use serde_json::{Map, Value};
use stage::Stage;
use std::path::Path;

/// A conversation; what it returns is compared.
type Ask = for<'a> fn(&'a Stage) -> BoxFuture<'a, Result<Value>>;

/// One line of the table of behaviours: its name, and the function of the same name.
macro_rules! table {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$((stringify!($name), |stage| Box::pin($module::$name(stage)))),*]
    };
}

/// Every behaviour by the sentence that names it.
const ALL: &[(&str, Ask)] = table![
    creates::create_fills_the_metadata,
    creates::create_of_an_existing_name_is_a_conflict,
    creates::create_sets_the_defaults_of_a_route,
    creates::create_drops_a_status,
    creates::create_dry_run_stores_nothing,
    creates::create_with_another_namespace_is_refused,
    creates::create_with_a_bad_name_names_the_cause,
    creates::create_with_unreadable_text_is_refused,
    creates::create_generates_a_name,
    creates::a_gated_pod_waits_and_says_so,
    creates::get_of_a_missing_object_says_not_found,
    creates::get_of_an_unknown_resource_says_not_found,
    creates::answers_carry_a_date,
    creates::who_am_i_and_what_may_i,
    creates::list_of_nothing_is_an_empty_list_with_a_version,
    creates::list_selects_by_label,
    creates::list_selects_by_name,
    creates::labels_must_be_short_and_plain,
    creates::a_selection_comes_in_pages_of_one_version,
    watches::watch_tells_of_each_change_in_order,
    watches::watch_without_a_version_begins_with_what_exists,
    watches::watch_resumes_after_a_version,
    watches::watch_of_a_forgotten_version_is_expired,
    watches::watch_ends_after_its_time,
    watches::watch_by_label_tells_when_an_object_leaves,
    watches::watch_marks_the_end_of_what_existed,
    watches::watch_by_name_hears_of_one_object_only,
    patches::test_of_a_wrong_value_is_invalid_without_causes,
    patches::test_of_a_wrong_uid_is_invalid_without_causes,
    patches::test_of_a_wrong_version_is_invalid_without_causes,
    patches::test_of_a_missing_annotation_is_invalid,
    patches::test_below_a_missing_map_is_invalid,
    patches::test_that_a_missing_map_is_null_passes,
    patches::replace_of_a_missing_path_is_invalid,
    patches::remove_of_a_missing_path_is_invalid,
    patches::an_unknown_operation_is_invalid,
    patches::a_failed_test_leaves_all_operations_undone,
    patches::a_negative_weight_names_the_cause,
    patches::a_wrong_type_names_the_cause,
    patches::too_many_annotations_name_the_cause,
    patches::too_many_rules_and_matches_name_the_cause,
    patches::a_patch_of_tests_only_changes_no_version,
    patches::generation_rises_with_the_spec_only,
    patches::patch_dry_run_shows_the_old_version_and_stores_nothing,
    patches::patch_of_a_missing_object_says_not_found,
    patches::patch_cannot_change_the_uid,
    patches::patch_with_a_stale_version_conflicts,
    patches::merge_patch_with_a_stale_version_conflicts,
    patches::merge_patch_with_another_uid_is_refused,
    patches::merge_patch_removes_by_null,
    patches::strategic_patch_merges_lists_by_key,
    patches::strategic_patch_of_a_custom_resource_is_unsupported,
    patches::a_patch_of_an_unknown_kind_is_unsupported,
    patches::put_with_a_stale_version_conflicts,
    patches::the_last_annotation_takes_the_map_with_it,
    scales::scale_shows_the_replicas_and_the_selector,
    scales::scale_changes_the_replicas_alone,
    scales::scale_with_a_stale_version_conflicts,
    scales::scale_without_replicas_or_of_nothing_is_refused,
    scales::tables_have_these_columns,
    applies::a_create_records_every_field_that_is_set,
    applies::an_apply_creates_and_records_what_it_has,
    applies::an_apply_of_the_same_again_changes_no_version,
    applies::an_apply_shares_a_value_and_conflicts_over_another,
    applies::a_conflict_with_an_update_names_its_version,
    applies::a_forced_apply_takes_the_field,
    applies::what_is_no_longer_applied_is_removed,
    applies::items_of_lists_are_merged_and_removed_by_their_keys,
    applies::the_rules_of_a_route_are_owned_as_one,
    applies::an_update_takes_the_fields_it_changes,
    applies::each_subresource_has_its_own_entry,
    applies::an_apply_must_be_well_formed,
    applies::a_record_can_be_sent_and_forgotten,
    applies::kubectl_takes_over_what_it_applied_from_the_client_side,
    deletes::delete_removes,
    deletes::delete_of_a_missing_object_says_not_found,
    deletes::delete_with_another_uid_conflicts,
    deletes::delete_with_a_stale_version_conflicts,
    deletes::delete_with_the_right_preconditions_removes,
    deletes::delete_dry_run_leaves_the_object,
    deletes::delete_waits_for_finalizers,
    status::test_below_an_absent_status_is_invalid,
    status::an_absent_status_is_null_and_can_be_added,
    status::test_of_the_version_holds_through_status,
    status::test_of_the_uid_holds_through_status,
    status::test_of_a_status_field_holds_through_status,
    status::test_of_a_spec_field_holds_through_status,
    status::test_that_there_is_no_hold_holds_through_status,
    status::spec_changes_through_status_are_ignored,
    status::annotations_through_status_are_ignored,
    status::status_changes_through_the_object_are_ignored,
    status::test_of_a_status_field_guards_the_spec,
    status::status_raises_the_version_but_not_the_generation,
    status::status_dry_run_stores_nothing,
    status::a_version_cannot_be_changed,
];

/// What a server answered to every behaviour, by name.
pub type Answers = Map<String, Value>;

/// Asks a server everything; `namespace` exists and is used by nobody else.
///
/// # Errors
/// Fails only when the server cannot be reached; an odd answer is an answer.
pub async fn ask(rest: &Rest, namespace: &str) -> Result<Answers> {
    let mut answers = Map::new();
    for (name, ask) in ALL {
        let stage = Stage::new(rest.clone(), namespace, name);
        let answer = match ask(&stage).await {
            Ok(answer) => answer,
            // A conversation that could not go on is a difference to show, not a reason to end.
            Err(why) => Value::String(format!("stopped: {why:#}")),
        };
        answers.insert((*name).to_owned(), answer);
    }
    Ok(answers)
}

/// Lists every behaviour two servers do not share, with both answers.
pub fn differences(real: &Answers, other: &Answers) -> Vec<String> {
    ALL.iter()
        .filter(|(name, _)| real.get(*name) != other.get(*name))
        .map(|(name, _)| {
            let answer = |of: &Answers| of.get(*name).map_or("not asked".to_owned(), Value::to_string);
            format!("{name}:\n  real:     {}\n  embedded: {}", answer(real), answer(other))
        })
        .collect()
}

/// Reads the real server's committed answers.
///
/// # Errors
/// The file is missing or unreadable: run the rig with `--bless`.
pub fn committed() -> Result<Answers> {
    Ok(serde_json::from_str(&std::fs::read_to_string(golden())?)?)
}

/// How many behaviours there are.
pub fn count() -> usize {
    ALL.len()
}

/// Where the real server's answers are kept.
pub fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviours/real.json")
}
