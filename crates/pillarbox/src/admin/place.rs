//! Where local sockets lie, so that commands find their server without being told.
//!
//! A development server's socket is `dev-PORT.sock` (the port of its web pages) in the runtime folder; an installed
//! server's is `admin.sock` in its data folder.

use crate::config::{self, Layers};
use crate::failure::Failure;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What a socket's path may have, in octets (`sun_path` with its final zero, on the systems we run on).
const PATH_OCTETS_MAX: usize = 103;

/// Folder of the development authority and, without a runtime folder, of sockets.
pub fn dev_folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value: &OsString| !value.is_empty())
            .map(PathBuf::from)
    };
    let share = set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(set("HOME")?.join(".local/share")));
    let share = share.ok_or_else(|| {
        Failure::could_not("neither HOME nor XDG_DATA_HOME is set: no place for the private CA")
    })?;
    Ok(share.join("pillarbox/dev"))
}

/// The folder of development sockets, made if it is not there, closed to others.
pub fn runtime_folder() -> Result<PathBuf, Failure> {
    let folder = runtime_folder_name()?;
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| {
        Failure::could_not(format!("cannot make folder {}: {error}", folder.display()))
    })?;
    Ok(folder)
}

fn runtime_folder_name() -> Result<PathBuf, Failure> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.is_dir());
    match runtime {
        Some(runtime) => Ok(runtime.join("pillarbox")),
        None => Ok(dev_folder()?.join("run")),
    }
}

/// The socket of a development server.
pub fn dev_socket(web_port: u16) -> Result<PathBuf, Failure> {
    let path = runtime_folder()?.join(format!("dev-{web_port}.sock"));
    if path.as_os_str().len() <= PATH_OCTETS_MAX {
        return Ok(path);
    }
    // Deep home folders, as tests have them: a short name in the temporary folder, told by the variables.
    let short = std::env::temp_dir().join(format!("pillarbox-{:016x}", crate::random::number()));
    let made = DirBuilder::new().mode(0o700).create(&short);
    made.map_err(|error| {
        Failure::could_not(format!("cannot make folder {}: {error}", short.display()))
    })?;
    Ok(short.join("admin.sock"))
}

/// The socket of an installed server.
pub fn serve_socket(data: &Path) -> Result<PathBuf, Failure> {
    let path = data.join("admin.sock");
    if path.as_os_str().len() > PATH_OCTETS_MAX {
        return Err(Failure::could_not(format!(
            "{} is too long a path for a socket; choose a shorter data folder",
            path.display()
        )));
    }
    Ok(path)
}

/// Finds the running server: the one that was named, the one of the configuration, the only development server.
pub fn find(admin: Option<&Path>, file: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(socket) = admin {
        return Ok(socket.to_owned());
    }
    if file.is_some() {
        return configured(file);
    }
    let running = running_dev_servers()?;
    match running.as_slice() {
        [only] => Ok(only.clone()),
        [] if Path::new(config::DEFAULT_FILE).exists() => configured(None),
        [] => Err(Failure::could_not(
            "no server is running here. Start one: pillarbox dev, or pillarbox serve",
        )),
        several => {
            let usual = several.iter().find(|path| path.ends_with("dev-1443.sock"));
            usual.cloned().ok_or_else(|| {
                let names: Vec<_> = several
                    .iter()
                    .map(|path| format!("  PILLARBOX_ADMIN={}", path.display()))
                    .collect();
                Failure::could_not(format!(
                    "several development servers are running; say which one:\n{}",
                    names.join("\n")
                ))
            })
        }
    }
}

fn configured(file: Option<&Path>) -> Result<PathBuf, Failure> {
    let file = config::file_to_read(file)?;
    let resolved = Layers {
        file: file.as_deref(),
        ..Layers::default()
    }
    .resolve(config::environment)?;
    serve_socket(&resolved.config.data)
}

/// Sockets somebody answers at; leftovers of servers that were killed are swept away.
fn running_dev_servers() -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = fs::read_dir(runtime_folder_name()?) else {
        return Ok(Vec::new());
    };
    let mut running = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !(name.starts_with("dev-") && name.ends_with(".sock")) {
            continue;
        }
        match UnixStream::connect(&path) {
            Ok(_) => running.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                drop(fs::remove_file(path))
            }
            Err(_) => {}
        }
    }
    running.sort();
    Ok(running)
}
