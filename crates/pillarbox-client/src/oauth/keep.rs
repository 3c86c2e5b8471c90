//! Sign-ins on disk: one file a person, readable by its owner alone.
//!
//! A refresh token is good once, and one that comes twice ends the consent (RFC 9700 §4.14.2). So whoever refreshes holds
//! the person's lock from reading the file until the next token is safely in it; who waited meanwhile finds a fresh token
//! and asks for nothing. Files are replaced whole, so that a reader without the lock sees the old or the new.
//!
//! Deliberately absent: encryption. The key would lie beside the file; what keeps others out is the file's mode.

use super::issuer::{is_refused, refresh, revoke};
use super::{App, Clock, Error, Issuer, Tokens, system_clock};
use crate::credentials::{Ask, BoxError, TokenSource};
use crate::{Secret, Tls};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// A token with less life than this is refreshed: long enough for a program to start, connect and send.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Longest file name of a person, in bytes; file systems have 255.
const NAME_BYTES_MAX: usize = 200;
/// The file that names who signed in last.
const LAST: &str = "last";

/// One person's consent, and where it is good.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Whose mail it opens.
    pub address: String,
    /// Who gave it: [`Issuer::name`].
    pub issuer: String,
    /// Where the next token comes from.
    pub token_endpoint: Option<Url>,
    /// Where it is given back.
    pub revocation_endpoint: Option<Url>,
    /// Where the issuer says whose a token is, if these tokens may ask there: [`KeptTokens::checked`].
    pub person_endpoint: Option<Url>,
    /// To whom it was given.
    pub app: App,
    /// The file of authorities to trust there; none for the system's.
    pub authorities: Option<PathBuf>,
    /// Where the mail is, as far as known: `imaps://mail.example.org:993`.
    pub mail_services: Vec<Url>,
    /// What it gave.
    pub tokens: Tokens,
}

/// A folder of sign-ins.
#[derive(Clone, Debug)]
pub struct Keep {
    folder: PathBuf,
}

/// A sign-in as it lies in its file.
#[derive(Serialize, Deserialize)]
struct Row {
    address: String,
    issuer: String,
    token_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    person_endpoint: Option<Url>,
    client_id: String,
    client_secret: Option<String>,
    authorities: Option<PathBuf>,
    mail_services: Vec<Url>,
    access_token: String,
    /// Seconds since 1970.
    expires: u64,
    refresh_token: Option<String>,
}

impl SignIn {
    /// At this issuer, whose certificate the system's authorities vouch for.
    pub fn new(address: impl Into<String>, issuer: &Issuer, app: &App, tokens: Tokens) -> Self {
        Self {
            address: address.into(),
            issuer: issuer.name().to_owned(),
            token_endpoint: issuer.token_endpoint().ok().cloned(),
            revocation_endpoint: issuer.revocation_endpoint().cloned(),
            person_endpoint: None,
            app: app.clone(),
            authorities: None,
            mail_services: issuer.mail_services().to_vec(),
            tokens,
        }
    }

    /// Whom to trust there.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Trust`].
    pub fn tls(&self) -> Result<Tls, Error> {
        let tls = match &self.authorities {
            None => Tls::system(),
            Some(file) => {
                let pem = fs::read(file).map_err(|cause| failed(file, cause))?;
                Tls::trusting(&pem)
            }
        };
        tls.map_err(|error| Error::Trust(Box::new(error)))
    }

    /// Gives the consent back (RFC 7009), so that its tokens open nothing any more.
    ///
    /// # Errors
    /// What the issuer answers; [`Error::Unsupported`] if it takes nothing back.
    pub async fn revoke(&self) -> Result<(), Error> {
        let endpoint = self.revocation_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| Error::Unsupported {
            host: self.issuer.clone(),
            what: "revocation endpoint",
        })?;
        let token = self.tokens.refresh.as_ref().unwrap_or(&self.tokens.access);
        revoke(endpoint, &self.tls()?, &self.app, token).await
    }

    /// With the next tokens.
    async fn refreshed(&self, clock: &Clock) -> Result<Self, Error> {
        let token = self.tokens.refresh.as_ref().ok_or(Error::NoRefreshToken)?;
        let endpoint = self.token_endpoint.as_ref().ok_or(Error::NoRefreshToken)?;
        let tokens = refresh(endpoint, &self.tls()?, clock, &self.app, token).await?;
        Ok(Self {
            tokens,
            ..self.clone()
        })
    }

    fn is_good_for(&self, time: Duration, now: SystemTime) -> bool {
        self.tokens.expires >= now + time
    }
}

impl Keep {
    /// Opens a folder, and makes it, closed to others, if it is not there.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.create(&folder);
        made.map_err(|cause| failed(&folder, cause))?;
        Ok(Self { folder })
    }

    /// Keeps a sign-in in place of the one before, and remembers that it was the last.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Address`]. Blocks while another process refreshes.
    pub fn put(&self, sign_in: &SignIn) -> Result<(), Error> {
        let _lock = self.lock(&sign_in.address)?;
        self.fresh_file()?
            .put(sign_in, &self.file(&sign_in.address)?)?;
        let mut last = self.fresh_file()?;
        last.write(sign_in.address.as_bytes())?;
        last.become_file(&self.folder.join(LAST))
    }

    /// The sign-in of a person.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`], [`Error::File`], [`Error::Address`].
    pub fn get(&self, address: &str) -> Result<SignIn, Error> {
        let path = self.file(address)?;
        let text = read(&path)?.ok_or_else(|| Error::NotSignedIn(address.to_owned()))?;
        let row: Row = serde_json::from_slice(&text)
            .map_err(|cause| failed(&path, io::Error::new(io::ErrorKind::InvalidData, cause)))?;
        Ok(row.into())
    }

    /// Forgets the sign-in of a person; does not give it back ([`SignIn::revoke`]).
    ///
    /// # Errors
    /// [`Error::NotSignedIn`], [`Error::File`], [`Error::Address`].
    pub fn remove(&self, address: &str) -> Result<(), Error> {
        let _lock = self.lock(address)?;
        let path = self.file(address)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Err(Error::NotSignedIn(address.to_owned()))
            }
            Err(cause) => Err(failed(&path, cause)),
        }
    }

    /// Who signed in last, if still signed in.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn last(&self) -> Result<Option<String>, Error> {
        let text = read(&self.folder.join(LAST))?;
        let last = text.and_then(|text| String::from_utf8(text).ok());
        Ok(last.filter(|last| self.file(last).is_ok_and(|file| file.exists())))
    }

    /// The tokens of a person, refreshed when less than five minutes of their life are left.
    pub fn tokens_of(&self, address: impl Into<String>) -> KeptTokens {
        KeptTokens {
            keep: self.clone(),
            address: address.into(),
            clock: system_clock(),
            given: Mutex::default(),
        }
    }

    /// Addresses are file names, but for what a file name must not hold. Case does not count, as in sign-ins.
    fn file(&self, address: &str) -> Result<PathBuf, Error> {
        Ok(self.folder.join(name(address)? + ".json"))
    }

    /// Held until dropped. The file stays: to remove it while another waits for it would give two locks.
    fn lock(&self, address: &str) -> Result<File, Error> {
        let path = self.folder.join(name(address)? + ".lock");
        let file = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = file.and_then(|file| file.lock().map(|()| file));
        file.map_err(|cause| failed(&path, cause))
    }

    fn fresh_file(&self) -> Result<FreshFile, Error> {
        let path = self.folder.join(format!(".{}", super::random_text(12)?));
        let file = private().write(true).create_new(true).open(&path);
        let file = file.map_err(|cause| failed(&path, cause))?;
        Ok(FreshFile { path, file })
    }
}

/// A file that is not there yet for others; it goes away unless it becomes one.
struct FreshFile {
    path: PathBuf,
    file: File,
}

impl FreshFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(bytes)?;
            self.file.set_len(bytes.len() as u64)?;
            self.file.sync_all()
        };
        write().map_err(|cause| failed(&self.path, cause))
    }

    fn write_sign_in(&mut self, sign_in: &SignIn) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(&Row::from(sign_in))
            .map_err(|cause| failed(&self.path, cause.into()))?;
        self.write(&text)
    }

    fn put(mut self, sign_in: &SignIn, path: &Path) -> Result<(), Error> {
        self.write_sign_in(sign_in)?;
        self.become_file(path)
    }

    fn become_file(self, path: &Path) -> Result<(), Error> {
        let done = fs::rename(&self.path, path).and_then(|()| match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        });
        done.map_err(|cause| failed(path, cause))
    }
}

impl Drop for FreshFile {
    fn drop(&mut self) {
        // Not there any more once it became a file.
        let _ = fs::remove_file(&self.path);
    }
}

/// The [`TokenSource`] of a sign-in in a [`Keep`]. Any number of processes may have one of the same person.
pub struct KeptTokens {
    keep: Keep,
    address: String,
    clock: Clock,
    /// The last one, to know what was refused.
    given: Mutex<Option<Secret>>,
}

impl KeptTokens {
    /// With another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// An access token with at least five minutes of life, or as many as the issuer gives.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`]; [`Error::Refused`] if the consent has ended ([`Error::wants_a_sign_in`]); what else a
    /// request or a file can fail with.
    pub async fn fresh(&self) -> Result<Secret, Error> {
        self.next(None).await
    }

    /// The same for a program that cannot come back when its token is refused: the issuer is asked whether it is still
    /// good, and if not, for another. An issuer that cannot be asked is no reason to withhold it.
    ///
    /// # Errors
    /// As [`KeptTokens::fresh`].
    pub async fn checked(&self) -> Result<Secret, Error> {
        let kept = self.keep.get(&self.address)?;
        let token = self.fresh().await?;
        let endpoint = kept.person_endpoint.as_ref();
        let Some(endpoint) = endpoint.filter(|_| kept.tokens.access == token) else {
            return Ok(token);
        };
        match is_refused(endpoint, &kept.tls()?, &token).await {
            true => self.next(Some(token)).await,
            false => Ok(token),
        }
    }

    async fn next(&self, refused: Option<Secret>) -> Result<Secret, Error> {
        let kept = self.keep.get(&self.address)?;
        if let Some(token) = self.usable(&kept, refused.as_ref()) {
            return Ok(token);
        }
        let (keep, address) = (self.keep.clone(), self.address.clone());
        let lock = tokio::task::spawn_blocking(move || keep.lock(&address)).await;
        // A task that cannot run has a runtime that ends.
        let _lock = lock.map_err(|_| Error::TimedOut)??;
        // Whoever had the lock may have done it.
        let mut kept = self.keep.get(&self.address)?;
        if let Some(token) = self.usable(&kept, refused.as_ref()) {
            return Ok(token);
        }
        if refused.is_some() {
            kept.tokens.expires = UNIX_EPOCH;
        }
        // The place for the next refresh token is made first: one that cannot be kept would cost the consent.
        let mut place = self.keep.fresh_file()?;
        place.write_sign_in(&kept)?;
        let next = match kept.refreshed(&self.clock).await {
            Ok(next) => next,
            Err(error) if error.is_temporary() && refused.is_none() => {
                let good = kept.is_good_for(Duration::ZERO, (self.clock)());
                return good.then_some(kept.tokens.access).ok_or(error);
            }
            Err(error) => {
                // Nobody is given a token that was refused: not those either who come later.
                if refused.is_some() {
                    place.become_file(&self.keep.file(&self.address)?)?;
                }
                return Err(error);
            }
        };
        place.put(&next, &self.keep.file(&self.address)?)?;
        Ok(next.tokens.access)
    }

    fn usable(&self, kept: &SignIn, refused: Option<&Secret>) -> Option<Secret> {
        let token = &kept.tokens.access;
        let good = kept.is_good_for(MARGIN, (self.clock)()) && refused != Some(token);
        good.then(|| token.clone())
    }
}

impl TokenSource for KeptTokens {
    async fn token(&self, ask: Ask) -> Result<Secret, BoxError> {
        let given = || self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match ask {
            Ask::Token => None,
            Ask::Another => given().clone(),
        };
        let token = self.next(refused).await?;
        *given() = Some(token.clone());
        Ok(token)
    }
}

impl From<&SignIn> for Row {
    fn from(it: &SignIn) -> Self {
        let expires = it.tokens.expires.duration_since(UNIX_EPOCH);
        Self {
            address: it.address.clone(),
            issuer: it.issuer.clone(),
            token_endpoint: it.token_endpoint.clone(),
            revocation_endpoint: it.revocation_endpoint.clone(),
            person_endpoint: it.person_endpoint.clone(),
            client_id: it.app.id.clone(),
            client_secret: it.app.secret.as_ref().map(|s| s.reveal().to_owned()),
            authorities: it.authorities.clone(),
            mail_services: it.mail_services.clone(),
            access_token: it.tokens.access.reveal().to_owned(),
            expires: expires.map_or(0, |since| since.as_secs()),
            refresh_token: it.tokens.refresh.as_ref().map(|s| s.reveal().to_owned()),
        }
    }
}

impl From<Row> for SignIn {
    fn from(row: Row) -> Self {
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(row.expires));
        Self {
            address: row.address,
            issuer: row.issuer,
            token_endpoint: row.token_endpoint,
            revocation_endpoint: row.revocation_endpoint,
            person_endpoint: row.person_endpoint,
            app: App {
                id: row.client_id,
                secret: row.client_secret.map(Secret::new),
            },
            authorities: row.authorities,
            mail_services: row.mail_services,
            tokens: Tokens {
                access: Secret::new(row.access_token),
                expires: expires.unwrap_or(UNIX_EPOCH),
                refresh: row.refresh_token.map(Secret::new),
            },
        }
    }
}

fn name(address: &str) -> Result<String, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte);
    let mut name = String::new();
    for byte in address.to_ascii_lowercase().bytes() {
        match byte {
            byte if plain(byte) => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    match address.contains('@') && name.len() <= NAME_BYTES_MAX {
        true => Ok(name),
        false => Err(Error::Address(super::clean(address))),
    }
}

/// `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(path, cause)),
    }
}

/// For files that nobody else may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn failed(path: &Path, cause: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        cause,
    }
}
