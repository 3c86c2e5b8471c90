//! `config check`, `config show` and `config explain`. They need no running server.

use super::external::{ExternalChosen, spec_of};
use super::options::{OPTIONS, Spec};
use super::{Chosen, Layers, Origin, Raw, Resolved, environment, file_to_read};
use crate::cli::ConfigVerb;
use crate::commands::say;
use crate::failure::Failure;
use crate::{external, serve, suggest};
use pillarbox_store::mail::Naming;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The `config` commands.
pub fn run(verb: &ConfigVerb, file: Option<&Path>) -> Result<(), Failure> {
    match verb {
        ConfigVerb::Check => check(file),
        ConfigVerb::Show { origin, json } => show(file, *origin, *json),
        ConfigVerb::Explain { key } => explain(key),
    }
}

fn resolve(file: Option<&Path>) -> Result<Resolved, Failure> {
    let file = file_to_read(file)?;
    Layers {
        file: file.as_deref(),
        ..Layers::default()
    }
    .resolve(environment)
}

/// Reads everything that `serve` would, certificates included, and starts nothing.
fn check(file: Option<&Path>) -> Result<(), Failure> {
    let no = |failure: Failure| Failure::no(failure.text);
    let resolved = resolve(file).map_err(no)?;
    resolved.config.check_installation().map_err(no)?;
    crate::at_rest::check_data(&resolved.config.data).map_err(no)?;
    if resolved.config.tls_mode == super::TlsMode::Files {
        serve::certificate(&resolved.config).map_err(|error| Failure::no(format!("{error:#}")))?;
    }
    external::open(&resolved.config, Naming::Plain).map_err(no)?;
    say("The configuration is good.")
}

/// In the shape of the file, so that it can be pasted into one.
fn show(file: Option<&Path>, origin: bool, as_json: bool) -> Result<(), Failure> {
    let resolved = resolve(file)?;
    if as_json {
        let field = |one: &Chosen| {
            (
                one.spec.key.to_owned(),
                json!({"value": one.raw.to_string(), "origin": one.origin.to_string()}),
            )
        };
        let external = |one: &ExternalChosen| {
            let key = format!("oauth.external.{}.{}", one.name, one.key);
            (
                key,
                json!({"value": one.raw.to_string(), "origin": one.origin.to_string()}),
            )
        };
        let all = resolved.chosen.iter().map(field);
        let all: Map<String, Value> = all.chain(resolved.external.iter().map(external)).collect();
        return say(&Value::Object(all).to_string());
    }
    let mut section = "";
    for one in &resolved.chosen {
        let (within, name) = split(one.spec);
        if within != section {
            section = within;
            say(&format!("\n[{section}]"))?;
        }
        show_line(name, &one.raw, &one.origin, one.spec.help, origin)?;
    }
    let mut provider = "";
    for one in &resolved.external {
        if one.name != provider {
            provider = &one.name;
            say(&format!("\n[oauth.external.{provider}]"))?;
        }
        show_line(one.key, &one.raw, &one.origin, one.help, origin)?;
    }
    Ok(())
}

fn show_line(
    name: &str,
    raw: &Raw,
    from: &Origin,
    help: &str,
    origin: bool,
) -> Result<(), Failure> {
    let line = format!("{name} = {raw}");
    let comment = if origin {
        from.to_string()
    } else {
        help.to_owned()
    };
    say(&format!("{line:<46} # {comment}"))
}

fn explain(key: &str) -> Result<(), Failure> {
    let key = key.replace('_', "-");
    if let Some(spec) = spec_of(&key) {
        let more = match spec.more {
            "" => String::new(),
            more => format!("\n\n{more}"),
        };
        return say(&format!(
            "oauth.external.NAME.{}: {}{more}\n\n  default    {}\n  variable   {}\n  takes hold after a restart",
            spec.key,
            spec.help,
            spec.default,
            spec.variable("NAME")
        ));
    }
    let Some(spec) = OPTIONS.iter().find(|spec| spec.key == key) else {
        let hint = suggest::hint(&key, OPTIONS.iter().map(|spec| spec.key));
        return Err(Failure::no(format!("unknown key {key}{hint}")));
    };
    let reload = if spec.reload {
        "SIGHUP is enough"
    } else {
        "after a restart"
    };
    let more = if spec.more.is_empty() {
        String::new()
    } else {
        format!("\n\n{}", spec.more)
    };
    say(&format!(
        "{}: {}{more}\n\n  default    {}\n  variable   {}\n  takes hold {reload}",
        spec.key,
        spec.help,
        spec.default,
        spec.variable()
    ))
}

/// The first level is the section, the rest the key: `sign-in` and `imap.mechanisms`.
fn split(spec: &Spec) -> (&'static str, &'static str) {
    spec.key.split_once('.').unwrap_or(("", spec.key))
}
