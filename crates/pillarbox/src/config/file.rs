//! Reads the TOML file into keys with their lines. Unknown keys are refused here.

use super::FILE_OCTETS_MAX;
use super::external;
use super::options::OPTIONS;
use super::raw::Raw;
use crate::failure::Failure;
use crate::suggest;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// One key of the file.
pub(super) struct Entry {
    /// As in the table of options.
    pub key: String,
    /// As written.
    pub raw: Raw,
    /// Counted from 1.
    pub line: usize,
}

/// All keys of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let cannot = |why: String| Failure::could_not(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|error| cannot(error.to_string()))?
        .len();
    if size > FILE_OCTETS_MAX {
        return Err(cannot(format!(
            "{size} octets is more than a configuration has"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
    let line_of = |at: usize| {
        text.as_bytes()[..at.min(text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    };
    let at =
        |line: usize, why: String| Failure::could_not(format!("{}:{line}: {why}", path.display()));
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        at(line, error.message().to_owned())
    })?;
    let mut entries = Vec::new();
    let mut tables = vec![(String::new(), table.get_ref())];
    while let Some((prefix, table)) = tables.pop() {
        for (key, value) in table {
            let line = line_of(key.span().start);
            let key = format!("{prefix}{}", key.get_ref().replace('_', "-"));
            if let DeValue::Table(inner) = value.get_ref() {
                known(&key, true).map_err(|why| at(line, why))?;
                tables.push((format!("{key}."), inner));
                continue;
            }
            known(&key, false).map_err(|why| at(line, why))?;
            let raw =
                Raw::from_toml(value.get_ref()).map_err(|why| at(line, format!("{key}: {why}")))?;
            entries.push(Entry { key, raw, line });
        }
    }
    Ok(entries)
}

fn known(key: &str, is_table: bool) -> Result<(), String> {
    if let Some(found) = external::known(key, is_table) {
        return found;
    }
    let sections = || {
        OPTIONS
            .iter()
            .filter_map(|spec| spec.key.rsplit_once('.').map(|(section, _)| section))
    };
    let keys = || OPTIONS.iter().map(|spec| spec.key);
    if is_table {
        let below = format!("{key}.");
        if sections().any(|section| section == key || section.starts_with(&below)) {
            return Ok(());
        }
        return Err(format!(
            "unknown section [{key}]{}",
            suggest::hint(key, sections())
        ));
    }
    if keys().any(|known| known == key) {
        return Ok(());
    }
    Err(format!("unknown key {key}{}", suggest::hint(key, keys())))
}
