//! Matches of rules, read leniently: which requests they take, whether two of them can take the same one, and which
//! of the two then wins.
//!
//! A regular expression is never evaluated: dialects differ between gateways (RE2, PCRE, POSIX). It takes no concrete
//! request, may overlap with everything, and its precedence against a prefix is not known.

use super::backend::list;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// A match; what is missing in the JSON has the API's default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    /// The path condition.
    pub path: Path,
    /// The method, when the match names one.
    pub method: Option<String>,
    /// Header conditions, names in lower case, sorted by name, the first of each name only.
    pub headers: Vec<Condition>,
    /// Query conditions, sorted by name, the first of each name only.
    pub query: Vec<Condition>,
}

/// A path condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    /// Exactly this path.
    Exact(String),
    /// This path and everything below it, element by element.
    Prefix(String),
    /// A regular expression, or a type that this version does not know.
    Regex(String),
}

/// A condition on a header or a query parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Condition {
    /// The name.
    pub name: String,
    /// The value, or the regular expression.
    pub value: String,
    /// Whether the value is a regular expression, or of a type that this version does not know.
    pub regex: bool,
}

/// Requests whose winner is asked for: a concrete one, or all that a match stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe<'a> {
    /// The path.
    pub path: ProbePath<'a>,
    /// The method; `None` = one that no match names.
    pub method: Option<&'a str>,
    /// Header lines; the first of a name counts.
    pub headers: &'a [(&'a str, &'a str)],
    /// Query parameters; the first of a name counts.
    pub query: &'a [(&'a str, &'a str)],
    /// The match whose regular expressions the requests are known to satisfy.
    pub within: Option<&'a Match>,
}

/// The paths of a [`Probe`].
#[derive(Clone, Copy, Debug)]
pub(super) enum ProbePath<'a> {
    /// This path.
    At(&'a str),
    /// Paths below this prefix that no longer prefix takes.
    Below(&'a str),
    /// Paths that satisfy this regular expression.
    Regex(&'a str),
}

/// How specific a match is, in the order the Gateway API compares; greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    path_kind: u8,
    path_length: usize,
    method: bool,
    headers: usize,
    query: usize,
}

impl Match {
    /// Reads a match.
    pub(super) fn read(value: &Value) -> Self {
        let path = value["path"]["value"].as_str().unwrap_or("/").to_owned();
        Self {
            path: match value["path"]["type"].as_str().unwrap_or("PathPrefix") {
                "Exact" => Path::Exact(path),
                "PathPrefix" => Path::Prefix(path),
                _ => Path::Regex(path),
            },
            method: value["method"].as_str().map(str::to_owned),
            headers: conditions(&value["headers"], |name| name.to_ascii_lowercase()),
            query: conditions(&value["queryParams"], str::to_owned),
        }
    }

    /// Tells whether the match takes every request of the probe.
    pub(super) fn takes(&self, probe: &Probe) -> bool {
        let known = |mine: &Condition, theirs: fn(&Self) -> &Vec<Condition>| {
            probe.within.is_some_and(|m| theirs(m).contains(mine))
        };
        let header = |c: &Condition| {
            if c.regex {
                return known(c, |m| &m.headers);
            }
            first(probe.headers, |name| name.eq_ignore_ascii_case(&c.name)) == Some(c.value.as_str())
        };
        let parameter = |c: &Condition| {
            if c.regex {
                return known(c, |m| &m.query);
            }
            first(probe.query, |name| name == c.name) == Some(c.value.as_str())
        };
        self.path.takes(probe.path)
            && self.method.as_deref().is_none_or(|method| probe.method == Some(method))
            && self.headers.iter().all(header)
            && self.query.iter().all(parameter)
    }

    /// Tells whether a request can exist that both matches take; in doubt it can.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let methods_differ = matches!((&self.method, &other.method), (Some(a), Some(b)) if a != b);
        let disjoint = |mine: &[Condition], theirs: &[Condition]| {
            mine.iter().any(|a| theirs.iter().any(|b| a.name == b.name && !a.regex && !b.regex && a.value != b.value))
        };
        !methods_differ
            && self.path.overlaps(&other.path)
            && !disjoint(&self.headers, &other.headers)
            && !disjoint(&self.query, &other.query)
    }

    /// Tells whether both matches take exactly the same requests.
    pub(super) fn same(&self, other: &Self) -> bool {
        let paths = match (&self.path, &other.path) {
            (Path::Prefix(a), Path::Prefix(b)) => trimmed(a) == trimmed(b),
            (a, b) => a == b,
        };
        paths && self.method == other.method && self.headers == other.headers && self.query == other.query
    }

    /// Returns how specific the match is.
    pub(super) fn rank(&self) -> Rank {
        let (path_kind, path) = match &self.path {
            Path::Exact(path) => (2, path),
            Path::Prefix(path) => (1, path),
            Path::Regex(path) => (0, path),
        };
        Rank {
            path_kind,
            path_length: path.chars().count(),
            method: self.method.is_some(),
            headers: self.headers.len(),
            query: self.query.len(),
        }
    }

    /// Compares two matches by precedence alone; `None` when the Gateway API leaves the order to the gateway.
    ///
    /// `more` header conditions are added to `self` first.
    pub(super) fn compare(&self, more: usize, other: &Self) -> Option<Ordering> {
        let undecided = match (&self.path, &other.path) {
            (Path::Regex(a), Path::Regex(b)) => a != b,
            (Path::Regex(_), Path::Prefix(_)) | (Path::Prefix(_), Path::Regex(_)) => true,
            _ => false,
        };
        let mut rank = self.rank();
        rank.headers += more;
        (!undecided).then(|| rank.cmp(&other.rank()))
    }

    /// Tells whether any condition is a regular expression.
    pub(super) fn has_regex(&self) -> bool {
        matches!(self.path, Path::Regex(_)) || self.headers.iter().chain(&self.query).any(|c| c.regex)
    }

    /// Describes the match for people; `header` is the customer header. It holds foreign text.
    pub(super) fn describe(&self, header: &str) -> String {
        let path = match &self.path {
            Path::Exact(path) => path.clone(),
            Path::Prefix(path) => format!("{}/*", trimmed(path)),
            Path::Regex(regex) => format!("paths like {regex}"),
        };
        let mut text = self.method.as_ref().map_or(path.clone(), |method| format!("{method} {path}"));
        for condition in &self.headers {
            let is = if condition.regex { "like" } else { "=" };
            if condition.name.eq_ignore_ascii_case(header) {
                text.push_str(&format!(" for customer {is} {}", condition.value));
            } else {
                text.push_str(&format!(" with header {} {is} {}", condition.name, condition.value));
            }
        }
        for condition in &self.query {
            text.push_str(&format!(" with query {} = {}", condition.name, condition.value));
        }
        text
    }

    /// Finds the condition on a header.
    pub(super) fn header(&self, name: &str) -> Option<&Condition> {
        self.headers.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// Returns the same match without its condition on a header.
    pub(super) fn without_header(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.headers.retain(|c| !c.name.eq_ignore_ascii_case(name));
        rest
    }
}

impl Path {
    fn takes(&self, path: ProbePath) -> bool {
        match (self, path) {
            (Self::Exact(mine), ProbePath::At(path)) => mine == path,
            (Self::Prefix(mine), ProbePath::At(path) | ProbePath::Below(path)) => is_below(path, mine),
            (Self::Prefix(mine), ProbePath::Regex(_)) => trimmed(mine).is_empty(),
            (Self::Regex(mine), ProbePath::Regex(regex)) => mine == regex,
            _ => false,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(path), Self::Prefix(prefix)) | (Self::Prefix(prefix), Self::Exact(path)) => {
                is_below(path, prefix)
            }
            (Self::Prefix(a), Self::Prefix(b)) => is_below(a, b) || is_below(b, a),
            (Self::Regex(_), _) | (_, Self::Regex(_)) => true,
        }
    }
}

/// Returns a rule's matches as they stand; a rule without any matches every path, as in the API.
pub(super) fn raw_matches(rule: &Value) -> Vec<Value> {
    match list(&rule["matches"]) {
        [] => vec![json!({"path": {"type": "PathPrefix", "value": "/"}})],
        matches => matches.to_vec(),
    }
}

/// Reads a rule's matches.
pub(super) fn matches_of(rule: &Value) -> Vec<Match> {
    match list(&rule["matches"]) {
        [] => vec![Match::read(&Value::Null)],
        matches => matches.iter().map(Match::read).collect(),
    }
}

/// Tells whether a path is the prefix or lies below it, element by element; a slash at the end says nothing.
fn is_below(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(trimmed(prefix)) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

fn trimmed(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

/// Finds the first value of a name.
fn first<'a>(pairs: &[(&str, &'a str)], is_name: impl Fn(&str) -> bool) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| is_name(name)).map(|(_, value)| *value)
}

/// Reads conditions; of several with one name the API counts the first only.
fn conditions(value: &Value, name_form: impl Fn(&str) -> String) -> Vec<Condition> {
    let mut found: Vec<Condition> = Vec::new();
    for entry in list(value) {
        let name = name_form(entry["name"].as_str().unwrap_or_default());
        if found.iter().any(|c| c.name == name) {
            continue;
        }
        let value = entry["value"].as_str().unwrap_or_default().to_owned();
        found.push(Condition { name, value, regex: entry["type"].as_str().is_some_and(|t| t != "Exact") });
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(path: &str) -> Match {
        Match::read(&json!({"path": {"type": "PathPrefix", "value": path}}))
    }

    fn at<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)]) -> Probe<'a> {
        Probe { path: ProbePath::At(path), method: Some("GET"), headers, query: &[], within: None }
    }

    #[test]
    fn prefixes_are_compared_element_by_element() {
        for (path, taken) in [("/api", true), ("/api/", true), ("/api/v1", true), ("/apis", false), ("/", false)] {
            assert_eq!(prefix("/api").takes(&at(path, &[])), taken, "{path}");
            assert_eq!(prefix("/api/").takes(&at(path, &[])), taken, "{path}");
        }
        assert!(prefix("/").takes(&at("/anything", &[])));
        assert!(Match::read(&json!({})).takes(&at("/", &[])));
    }

    #[test]
    fn header_names_ignore_case_and_values_do_not_and_the_first_line_counts() {
        let m = Match::read(&json!({"headers": [{"name": "X-Customer-Id", "value": "acme"}]}));
        assert!(m.takes(&at("/", &[("x-customer-ID", "acme")])));
        assert!(!m.takes(&at("/", &[("x-customer-id", "ACME")])));
        assert!(m.takes(&at("/", &[("x-customer-id", "acme"), ("x-customer-id", "globex")])));
        assert!(!m.takes(&at("/", &[("x-customer-id", "globex"), ("x-customer-id", "acme")])));
        assert!(!m.takes(&at("/", &[])));
    }

    #[test]
    fn a_second_condition_on_the_same_header_does_not_count() {
        let m = Match::read(&json!({"headers": [{"name": "a", "value": "1"}, {"name": "A", "value": "2"}]}));
        assert_eq!(m.headers.len(), 1);
        assert!(m.takes(&at("/", &[("a", "1")])));
    }

    #[test]
    fn a_regex_takes_no_concrete_request_and_overlaps_with_everything() {
        let m = Match::read(&json!({"path": {"type": "RegularExpression", "value": "/v[0-9]+"}}));
        assert!(!m.takes(&at("/v1", &[])));
        assert!(m.overlaps(&prefix("/x")));
        assert_eq!(m.compare(0, &prefix("/x")), None);
        assert_eq!(m.compare(1, &m), Some(Ordering::Greater));
        assert_eq!(
            prefix("/x").compare(0, &Match::read(&json!({"path": {"type": "Exact", "value": "/x"}}))),
            Some(Ordering::Less)
        );
    }

    #[test]
    fn matches_that_exclude_each_other_do_not_overlap() {
        let read = |v: Value| Match::read(&v);
        let get = read(json!({"method": "GET"}));
        assert!(!get.overlaps(&read(json!({"method": "POST"}))));
        assert!(get.overlaps(&read(json!({}))));
        assert!(!prefix("/a").overlaps(&prefix("/ab")));
        assert!(prefix("/a").overlaps(&prefix("/a/b")));
        let tier = |v: &str| read(json!({"headers": [{"name": "tier", "value": v}]}));
        assert!(!tier("1").overlaps(&tier("2")));
        assert!(
            tier("1")
                .overlaps(&read(json!({"headers": [{"name": "tier", "type": "RegularExpression", "value": "2"}]})))
        );
    }

    #[test]
    fn a_slash_at_the_end_makes_no_other_match() {
        assert!(prefix("/a").same(&prefix("/a/")));
        assert!(!prefix("/a").same(&prefix("/b")));
    }
}
