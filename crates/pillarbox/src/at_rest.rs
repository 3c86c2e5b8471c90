//! Who on this machine may read what the server keeps: nobody but its own user. Checked before anything is opened, so that a
//! folder restored or copied with the wrong modes is noticed and not served.
//!
//! Deliberately absent: encryption with a key that lies beside what it encrypts. It keeps nobody out who can read both; disks
//! that can be lost are encrypted whole, by the system.

use crate::failure::Failure;
use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// What the group and all others may not have.
const GROUP_AND_OTHERS: u32 = 0o077;
/// The same for keys from elsewhere: usual tools give them to a group, which may read them and nothing more.
const ALL_BUT_GROUP_READING: u32 = 0o037;

/// Makes the data folder if it is not there; files and folders made from now on are their owner's alone.
pub fn prepare(data: &Path) -> Result<()> {
    umask(Mode::from_bits_truncate(GROUP_AND_OTHERS));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make folder {}", data.display()))?;
    check_data(data)?;
    Ok(())
}

/// Refuses a data folder that others may look into, or in which keys are.
pub fn check_data(data: &Path) -> Result<(), Failure> {
    let authority = data.join("authority");
    let keys = authority.join("ca-key.pem");
    let store = data.join("store");
    let inside = [data, &store, &authority, &keys].map(|path| (path, GROUP_AND_OTHERS));
    refuse(&inside)
}

/// Refuses a file with a key or secret from elsewhere that not only its owner and group may read.
pub fn check_key_file(file: &Path) -> Result<(), Failure> {
    refuse(&[(file, ALL_BUT_GROUP_READING)])
}

/// All that are too open, each with what to do.
fn refuse(paths: &[(&Path, u32)]) -> Result<(), Failure> {
    let mut found = Vec::new();
    for (path, closed) in paths {
        let mode = match fs::metadata(path) {
            Ok(facts) => facts.permissions().mode(),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                let text = format!("cannot look at {}: {error}", path.display());
                return Err(Failure::could_not(text));
            }
        };
        if mode & closed != 0 {
            let remedy = mode & 0o777 & !closed;
            found.push(format!(
                "{path} is open to other users of this machine (mode {mode:03o}), and holds keys. Close it: chmod {remedy:03o} {path}",
                path = path.display(),
                mode = mode & 0o777,
            ));
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(Failure::could_not(found.join("\n"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failure is the message")]
mod tests {
    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn folders_that_others_may_enter_are_refused_with_the_remedy() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let key = data.join("authority/ca-key.pem");
        assert!(check_data(&data).is_ok(), "not there yet");
        fs::create_dir_all(data.join("authority")).unwrap();
        fs::create_dir(data.join("store")).unwrap();
        fs::write(&key, "key").unwrap();
        let all = [data.clone(), data.join("store"), data.join("authority")];
        all.iter().for_each(|folder| set(folder, 0o700));
        set(&key, 0o600);
        assert!(check_data(&data).is_ok());
        for (path, mode, remedy) in [
            (&data, 0o755, "700"),
            (&data, 0o710, "700"),
            (&all[1], 0o770, "700"),
            (&all[2], 0o701, "700"),
            (&key, 0o644, "600"),
            (&key, 0o440, "400"),
        ] {
            let before = fs::metadata(path).unwrap().permissions().mode();
            set(path, mode);
            let refused = check_data(&data).unwrap_err();
            let wanted = format!("(mode {mode:03o})");
            let command = format!("chmod {remedy} {}", path.display());
            assert!(
                refused.text.contains(&wanted) && refused.text.ends_with(&command),
                "{refused}"
            );
            set(path, before);
        }
        set(&all[1], 0o755);
        set(&key, 0o644);
        assert_eq!(
            check_data(&data).unwrap_err().text.lines().count(),
            2,
            "all at once"
        );
    }

    #[test]
    fn keys_from_elsewhere_may_have_a_group_that_reads_them() {
        let home = tempfile::tempdir().unwrap();
        let key = home.path().join("key.pem");
        fs::write(&key, "key").unwrap();
        for (mode, good) in [
            (0o400, true),
            (0o600, true),
            (0o640, true),
            (0o660, false),
            (0o644, false),
            (0o604, false),
        ] {
            set(&key, mode);
            assert_eq!(check_key_file(&key).is_ok(), good, "{mode:o}");
        }
    }
}
