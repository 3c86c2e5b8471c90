//! The commands' side of the local socket. Blocking: a command does one thing and ends.

use super::{LINE_OCTETS_MAX, Request, Response};
use crate::failure::Failure;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to the running server.
pub struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the server at this socket.
    pub fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "this user may not administrate it (try as its owner, or with sudo)"
                }
                _ => "no server is running there. Start one: pillarbox dev, or pillarbox serve",
            };
            Failure::could_not(format!("{}: {why}", socket.display()))
        })?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Asks one thing.
    pub fn ask(&mut self, request: &Request) -> Result<Value, Failure> {
        self.send(request)?;
        let Some(line) = self.line()? else {
            return Err(Failure::could_not(
                "the server went away before it answered",
            ));
        };
        match serde_json::from_str(&line) {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::No { status, text }) => Err(Failure::with_status(status, text)),
            Err(_) => Err(Failure::could_not(
                "the server answered in a way this program does not know: is it another version?",
            )),
        }
    }

    /// Asks for lines until the server or the reader ends.
    pub fn follow(
        &mut self,
        request: &Request,
        mut each: impl FnMut(&str) -> bool,
    ) -> Result<(), Failure> {
        self.send(request)?;
        while let Some(line) = self.line()? {
            match serde_json::from_str(&line) {
                Ok(Response::Ok(Value::String(text))) if !each(&text) => return Ok(()),
                Ok(Response::No { status, text }) => {
                    return Err(Failure::with_status(status, text));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, request: &Request) -> Result<(), Failure> {
        let lost = |error: &dyn std::fmt::Display| {
            Failure::could_not(format!("the server cannot be asked: {error}"))
        };
        let mut line = serde_json::to_vec(request).map_err(|error| lost(&error))?;
        line.push(b'\n');
        self.reader
            .get_mut()
            .write_all(&line)
            .map_err(|error| lost(&error))
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let read = (&mut self.reader)
            .take(LINE_OCTETS_MAX)
            .read_line(&mut line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line)),
            Err(error) => Err(Failure::could_not(format!(
                "the server's answer cannot be read: {error}"
            ))),
        }
    }
}
