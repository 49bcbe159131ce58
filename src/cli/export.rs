//! `export`: what the key `e` writes to files, on standard output.

use super::args::{ExportArgs, Form, ListName};
use super::code::{Code, Failure};
use crate::core::{Closeup, Subject};
use crate::runtime::Engine;
use crate::ui::export::{audit, customers, releases};
use crate::ui::{Export, Mask};

/// Returns the list in the form that was asked for.
///
/// # Errors
/// Fails when the list does not have this form, or when there is no plan whose list it would be.
pub fn export(engine: &Engine, args: &ExportArgs) -> Result<String, Failure> {
    let seen = engine.view();
    if seen.header.plan.is_empty() {
        return Err(Failure::new(Code::Configuration, "there is no plan, and so nothing to export"));
    }
    let mut mask = args.privacy.then(Mask::default);
    if let Some(mask) = &mut mask {
        engine.names(|name, id| mask.learn(name, id));
    }
    let view = mask.as_mut().map_or_else(|| seen.clone(), |mask| mask.view(&seen));
    let look = |subject| {
        let closeup = engine.closeup(&subject)?;
        Some(match &mask {
            Some(mask) => mask.closeup(closeup),
            None => closeup,
        })
    };
    let list = match args.list {
        ListName::Customers => customers(&view, &view.customers.iter().collect::<Vec<_>>()),
        ListName::Audit => match look(Subject::Audit) {
            Some(Closeup::Audit(found)) => audit(&view, &found),
            _ => audit(&view, &Default::default()),
        },
        ListName::Releases => match look(Subject::Releases) {
            Some(Closeup::Releases(found)) => releases(&view, &found),
            _ => releases(&view, &Default::default()),
        },
    };
    form(list, args)
}

fn form(list: Export, args: &ExportArgs) -> Result<String, Failure> {
    let wanted = args.output.map(|form| match form {
        Form::Csv => "csv",
        Form::Md => "md",
        Form::Json => "json",
    });
    let known: Vec<&str> = list.files.iter().map(|(ending, _)| *ending).collect();
    let known = known.join(" or ");
    let found = list.files.into_iter().find(|(ending, _)| wanted.is_none_or(|wanted| wanted == *ending));
    found.map(|(_, text)| text).ok_or_else(|| {
        let text = format!("this list has no form {}: take {known}", wanted.unwrap_or_default());
        Failure::new(Code::Usage, text)
    })
}
