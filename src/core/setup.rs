//! What a console is opened with.

/// What a console is told when it opens.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The namespace it works in.
    pub namespace: String,
    /// The cluster's name, as the kubeconfig context says it.
    pub cluster: String,
    /// The plan to open; `None` takes the only one there is.
    pub plan: Option<String>,
    /// `user@host` of the person at the keyboard.
    pub person: String,
    /// Sixteen hexadecimal digits that no other console has; ids are derived from it.
    pub session: String,
    /// Whether no client that can write exists.
    pub watch: bool,
    /// Whether it speaks to somebody who may act elsewhere, as `status` does: it names the next step, and what speaks
    /// against one, as a console that may write would.
    pub advises: bool,
}
