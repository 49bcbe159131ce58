//! Label sets: what names a series.

use std::sync::Arc;

/// The label that holds the metric name.
pub const NAME: &str = "__name__";

/// A set of labels, sorted by name; an empty value is the same as no label, as in Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(String, String)]>);

impl Labels {
    /// Makes a set; empty values are dropped, of a repeated name the last one counts.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let sorted: std::collections::BTreeMap<String, String> = pairs.into_iter().collect();
        Self(sorted.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Makes a set from literal pairs.
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    /// Returns a label's value; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok().and_then(|at| self.0.get(at));
        found.map_or("", |(_, value)| value)
    }

    /// Iterates over the pairs in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the set without the metric name.
    pub fn without_name(&self) -> Self {
        if self.get(NAME).is_empty() { self.clone() } else { self.filtered(|name| name != NAME) }
    }

    /// Returns the labels whose names pass.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// Returns the set with this label; an empty value removes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.0.iter().cloned().chain([(name.to_owned(), value.to_owned())]))
    }
}
