//! The server's side of the local socket.

use super::answer::{Answer, answer};
use super::{LINE_OCTETS_MAX, Request, Response};
use crate::failure::Failure;
use crate::house::House;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

/// Commands at the same time: scripts may run many; each holds an open file.
const CONNECTIONS_MAX: usize = 256;

/// An open local socket; removed when dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens it for this user alone. The leftover of a server that was killed is replaced, a living one is not.
    pub fn open(path: &Path) -> Result<Self> {
        if BlockingStream::connect(path).is_ok() {
            let text = format!(
                "another server answers at {}; stop it first",
                path.display()
            );
            return Err(Failure::could_not(text).into());
        }
        fs::remove_file(path).ok();
        let cannot = || format!("cannot open the local socket {}", path.display());
        let listener = UnixListener::bind(path).with_context(cannot)?;
        // The folder is closed to others already; this is the second lock.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(cannot)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers for ever.
    pub async fn serve(self, house: Arc<House>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // The semaphore is never closed.
            let Ok(permit) = room.clone().acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let house = house.clone();
                    tokio::spawn(async move {
                        // A command that goes away early is its own business.
                        let _ = talk(stream, &house).await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

async fn talk(stream: UnixStream, house: &Arc<House>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if (&mut stream)
            .take(LINE_OCTETS_MAX)
            .read_line(&mut line)
            .await?
            == 0
        {
            return Ok(());
        }
        let request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(_) => {
                let text =
                    "the running server does not know this command: is it another version?".into();
                return write(&mut stream, &Response::No { status: 3, text }).await;
            }
        };
        if matches!(request, Request::LogFollow) {
            return follow(&mut stream, house).await;
        }
        let Answer { response, then } = answer(request, house).await;
        write(&mut stream, &response).await?;
        if let Some(then) = then {
            then();
        }
    }
}

async fn follow(stream: &mut BufReader<UnixStream>, house: &House) -> std::io::Result<()> {
    let mut lines = house.journal.follow();
    let mut ignored = [0; 64];
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            // The follower left, or says something it should not.
            _ = stream.read(&mut ignored) => return Ok(()),
        };
        let text = match line {
            Ok(line) => line.to_string(),
            Err(RecvError::Lagged(missed)) => format!("({missed} lines left out)"),
            Err(RecvError::Closed) => return Ok(()),
        };
        write(stream, &Response::Ok(text.into())).await?;
    }
}

async fn write(stream: &mut BufReader<UnixStream>, response: &Response) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    stream.get_mut().write_all(&line).await
}
