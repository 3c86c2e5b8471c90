//! The wire log of a development server: what mail programs and we said to each other, connection by connection, as it went
//! through TLS. Secrets are cut to their first letters before anything is kept ([`secrets`]).
//!
//! In memory and bounded: the latest connections, of each the latest lines, of each line its beginning. A real server has
//! none of this. HTTP is not in it.

mod secrets;
pub mod watched;

use pillarbox_protocols::sessions::Protocol;
use pillarbox_store::mail::Millis;
use secrets::Secrets;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections kept; the oldest that has ended makes room, else the oldest.
const CONNECTIONS_MAX: usize = 50;
/// Lines kept of one connection.
const LINES_MAX: usize = 400;
/// Octets kept of one line.
const LINE_OCTETS_MAX: usize = 512;
/// Lines one side may say in a row before the rest is only counted: a message that is read or sent pushes nothing out.
const LINES_IN_A_ROW_MAX: usize = 40;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The mail program.
    Client,
    /// We.
    Server,
    /// Nobody: something that happened to the connection.
    Note,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Millis,
    /// Who.
    pub from: From,
    /// What, printable: control characters and what is not UTF-8 as escapes, line ends left out.
    pub text: String,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its token, as in the log.
    pub token: Arc<str>,
    /// The service.
    pub protocol: Protocol,
    /// From where.
    pub peer: IpAddr,
    /// Since when.
    pub since: Millis,
    /// Whether it still stands.
    pub open: bool,
    /// Lines that fell out.
    pub lost: u64,
    /// Oldest first.
    pub lines: VecDeque<Line>,
}

/// Cheap to clone; all clones are one log.
#[derive(Clone, Default)]
pub struct WireLog(Arc<Mutex<VecDeque<Connection>>>);

impl WireLog {
    /// Begins a connection.
    fn open(&self, token: &str, protocol: Protocol, peer: IpAddr, now: Millis) -> Pen {
        let token: Arc<str> = token.into();
        let mut all = self.lock();
        if all.len() >= CONNECTIONS_MAX {
            let ended = all.iter().position(|one| !one.open).unwrap_or(0);
            all.remove(ended);
        }
        all.push_back(Connection {
            token: token.clone(),
            protocol,
            peer: peer.to_canonical(),
            since: now,
            open: true,
            lost: 0,
            lines: VecDeque::new(),
        });
        Pen {
            log: self.clone(),
            token,
            secrets: Secrets::new(protocol),
            client: Half::default(),
            server: Half::default(),
            last: From::Note,
            in_a_row: 0,
            left_out: 0,
        }
    }

    /// The newest connections first; `only` is one connection's token.
    pub fn connections(&self, only: Option<&str>, limit: usize) -> Vec<Connection> {
        let all = self.lock();
        let wanted = all
            .iter()
            .rev()
            .filter(|one| only.is_none_or(|only| *one.token == *only));
        wanted.take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Connection>> {
        // Nothing panics while holding it; a poisoned log is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Octets of a line that has not come to its end.
#[derive(Default)]
struct Half {
    octets: Vec<u8>,
    more: usize,
}

/// Writes one connection's log.
struct Pen {
    log: WireLog,
    token: Arc<str>,
    secrets: Secrets,
    client: Half,
    server: Half,
    last: From,
    in_a_row: usize,
    /// Octets since the last line that was kept.
    left_out: usize,
}

impl Pen {
    fn said(&mut self, from: From, mut bytes: &[u8], now: Millis) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|octet| *octet == b'\n');
            let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            bytes = rest;
            let half = match from {
                From::Client => &mut self.client,
                _ => &mut self.server,
            };
            // Secrets are looked for in what is kept only, so enough is kept of a line to see them whole.
            let room = secrets::LINE_OCTETS_MAX.saturating_sub(half.octets.len());
            let kept = piece.len().min(room);
            half.octets.extend_from_slice(&piece[..kept]);
            half.more += piece.len() - kept;
            if end.is_some() {
                let Half { octets, more } = std::mem::take(half);
                self.line(from, &octets, more, now);
            }
        }
    }

    fn line(&mut self, from: From, octets: &[u8], more: usize, now: Millis) {
        let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
        let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
        let shown = match from {
            From::Client => self.secrets.client(octets),
            _ => self.secrets.server(octets),
        };
        if from != self.last {
            self.settle(now);
            self.last = from;
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        if self.in_a_row > LINES_IN_A_ROW_MAX {
            self.left_out += octets.len() + more + 2;
            return;
        }
        let cut = shown.len().min(LINE_OCTETS_MAX);
        let mut text = printable(&shown[..cut]);
        let more = more + shown.len() - cut;
        if more > 0 {
            text.push_str(&format!(" … {more} more octets"));
        }
        self.push(Line {
            at: now,
            from,
            text,
        });
    }

    /// Says how much was left out.
    fn settle(&mut self, now: Millis) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let text = format!("… {left_out} more octets");
            let from = self.last;
            self.push(Line {
                at: now,
                from,
                text,
            });
        }
    }

    fn note(&mut self, text: &str, now: Millis) {
        self.settle(now);
        self.last = From::Note;
        self.push(Line {
            at: now,
            from: From::Note,
            text: text.into(),
        });
    }

    fn push(&self, line: Line) {
        let mut all = self.log.lock();
        let mut newest = all.iter_mut().rev();
        let Some(own) = newest.find(|one| Arc::ptr_eq(&one.token, &self.token)) else {
            return; // it made room
        };
        if own.lines.len() >= LINES_MAX {
            own.lines.pop_front();
            own.lost += 1;
        }
        own.lines.push_back(line);
    }

    /// The connection is over.
    fn end(&mut self, now: Millis) {
        for from in [From::Client, From::Server] {
            let half = match from {
                From::Client => &mut self.client,
                _ => &mut self.server,
            };
            let Half { octets, more } = std::mem::take(half);
            if !octets.is_empty() {
                self.line(from, &octets, more, now);
            }
        }
        self.note("closed", now);
        let mut all = self.log.lock();
        if let Some(own) = all
            .iter_mut()
            .find(|one| Arc::ptr_eq(&one.token, &self.token))
        {
            own.open = false;
        }
    }
}

/// UTF-8 as it is, but for control characters; every other octet as `\x..`.
fn printable(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                letter if letter.is_control() => {
                    text.push_str(&format!("\\x{:02x}", u32::from(letter)));
                }
                letter => text.push(letter),
            }
        }
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
