//! Reads every row of the embedded engine and holds the tables against each other.

use bytes::Bytes;
use fjall::Readable;

use super::{
    AccountKey, CheckedRows, EngineError, RowProgress,
    embedded::{Head, Table, Tables, behind, inside, log_entry, reading},
};

/// Rows between two calls of the progress function.
const PROGRESS_EVERY: u64 = 10_000;
/// Sentences a report holds at most: beyond that the disk is lost and the list helps nobody.
const PROBLEMS_MAX: usize = 1_000;

struct Check<'a> {
    tables: &'a Tables,
    at: fjall::Snapshot,
    found: CheckedRows,
    seen: u64,
    progress: RowProgress,
}

pub(crate) fn check_tables(
    tables: &Tables,
    progress: RowProgress,
) -> Result<CheckedRows, EngineError> {
    let mut check = Check {
        tables,
        at: tables.db.snapshot(),
        found: CheckedRows::default(),
        seen: 0,
        progress,
    };
    check.heads();
    check.strays(Table::Rows);
    check.strays(Table::Log);
    (check.progress)(check.seen);
    Ok(check.found)
}

impl Check<'_> {
    fn problem(&mut self, text: String) {
        if self.found.problems.len() < PROBLEMS_MAX {
            self.found.problems.push(text);
        }
    }

    fn saw_one(&mut self) {
        self.seen += 1;
        if self.seen.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.seen);
        }
    }

    fn heads(&mut self) {
        for guard in self.at.iter(self.tables.of(Table::Heads)) {
            self.saw_one();
            let head = guard.into_inner().map_err(reading).and_then(|(key, row)| {
                Ok((AccountKey::new(Bytes::from(key))?, Head::from_row(&row)?))
            });
            match head {
                Ok((account, head)) => {
                    self.found.accounts += 1;
                    self.log(&account, head);
                }
                Err(error) => self.problem(format!("a head cannot be read: {error}")),
            }
        }
    }

    /// Every version from the floor to the head must be in the log, and none beside them.
    fn log(&mut self, account: &AccountKey, head: Head) {
        if head.floor > head.version {
            self.problem(format!("{account:?}: the log's floor is above the head"));
        }
        let range = inside(account, b"")..behind(account);
        let mut expected = head.floor + 1;
        for guard in self.at.range(self.tables.of(Table::Log), range) {
            self.saw_one();
            let read = guard.into_inner().map_err(reading);
            let entry = read.and_then(|(key, row)| Ok((key, log_entry(expected, row.into())?)));
            match entry {
                Ok((key, _)) if key == inside(account, &expected.to_be_bytes()) => {}
                Ok(_) => {
                    return self.problem(format!("{account:?}: the log lacks version {expected}"));
                }
                Err(error) => {
                    return self.problem(format!("{account:?}: version {expected}: {error}"));
                }
            }
            self.found.log_entries += 1;
            expected += 1;
        }
        if expected != head.version + 1 {
            self.problem(format!(
                "{account:?}: the log ends at version {}, the head is {}",
                expected - 1,
                head.version
            ));
        }
    }

    /// Every row must be readable and belong to an account with a head.
    fn strays(&mut self, table: Table) {
        let mut owner = Vec::new();
        for guard in self.at.iter(self.tables.of(table)) {
            self.saw_one();
            let key = match guard.into_inner().map_err(reading) {
                Ok((key, _)) => key,
                Err(error) => {
                    self.problem(format!("a row of {table:?} cannot be read: {error}"));
                    continue;
                }
            };
            if table == Table::Rows {
                self.found.rows += 1;
            }
            let length = key.first().map_or(0, |length| usize::from(*length));
            let Some(account) = key.get(1..=length) else {
                self.problem(format!("a key of {table:?} is malformed"));
                continue;
            };
            if account != owner {
                owner = account.to_vec();
                if !matches!(
                    self.at.get(self.tables.of(Table::Heads), account),
                    Ok(Some(_))
                ) {
                    let name = account.escape_ascii();
                    self.problem(format!("account {name} has rows in {table:?}, but no head"));
                }
            }
        }
    }
}
