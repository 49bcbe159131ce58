//! Lists in pages: all of them show the version of the first.

use super::failure::Failure;
use super::request::Query;
use super::resources::Resource;
use super::select::Selection;
use super::store::Store;
use crate::model::name_of;
use serde_json::{Value, json};
use std::sync::Arc;

/// A list, or one page of it.
pub struct Page {
    /// The objects, in order of namespace and name.
    pub objects: Vec<Arc<Value>>,
    /// The metadata of the list: its version, and the token of the next page if there is one.
    pub metadata: Value,
}

/// Reads the page that was asked for, the whole list where nothing was said of pages.
///
/// The token of the next page is the version of the first and the last key that was returned.
///
/// # Errors
/// 400 for a token that was never given out, 410 for one whose version is no longer remembered.
pub fn read(store: &Store, resource: &Resource, selection: &Selection, query: &Query) -> Result<Page, Failure> {
    let (version, mut objects) = match query.get("continue") {
        None => store.list(resource),
        Some(token) => {
            let unreadable = || Failure::bad_request("continue key is not valid: no version in it");
            let (version, last) = token.split_once(' ').ok_or_else(unreadable)?;
            let last = last.split_once('/').ok_or_else(unreadable)?;
            let version = version.parse().map_err(|_| unreadable())?;
            let mut objects = store.list_at(resource, version)?;
            objects.retain(|object| key(object) > last);
            (version, objects)
        }
    };
    objects.retain(|object| selection.takes(object));
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    let left = match limit.filter(|limit: &usize| *limit < objects.len()) {
        Some(limit) => objects.split_off(limit).len(),
        None => 0,
    };
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if let Some(last) = objects.last().filter(|_| left > 0) {
        let (namespace, name) = key(last);
        metadata["continue"] = json!(format!("{version} {namespace}/{name}"));
        // The real server does not count what a selector would leave out of the rest.
        if selection.is_whole() {
            metadata["remainingItemCount"] = json!(left);
        }
    }
    Ok(Page { objects, metadata })
}

fn key(object: &Value) -> (&str, &str) {
    (object["metadata"]["namespace"].as_str().unwrap_or_default(), name_of(object))
}
