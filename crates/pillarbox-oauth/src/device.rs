//! The device authorization grant (RFC 8628): a program without a browser shows a short code, a person types it on another
//! device and agrees there, and the program, which keeps asking, gets its tokens. What it asked for waits in rows of a
//! system account of its own, because whose it will be is not known before somebody agrees.
//!
//! Deliberately absent: Google's HTTP 428 and 403 (wire §7.4), and its refusal to let devices read mail.

use crate::attempts::{Guess, network};
use crate::authorize::Params;
use crate::client::Client;
use crate::grant_type::GrantType;
use crate::grants::{add_grant, after};
use crate::opaque;
use crate::rows::{self, DeviceRow, DeviceState, GrantRow, Kind};
use crate::server::{BasicAuth, ErrorCode, TokenError, TokenResponse};
use crate::token::{Issue, checked, invalid_grant, read_scopes, required, used_before};
use crate::{Act, Deed, Identity, IdentityError, Principal, Scopes, Secret};
use pillarbox_store::mail::{Account, AccountId, Millis, Rows};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The system account of codes on their way.
const ACCOUNT: &str = "oauth/device";
/// Letters of user codes: no vowels, so no words; nothing that looks like a digit (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of one user code, shown as two groups of four: 25,600,000,000 codes.
const CODE_LETTERS: usize = 8;
/// Life of a code, in milliseconds.
const LIFE_MS: Millis = 15 * 60 * 1000;
/// What a device waits between two questions, in seconds (RFC 8628 §3.2).
const INTERVAL_S: u64 = 5;
/// What each hasty question adds, in seconds (RFC 8628 §3.5).
const SLOW_DOWN_S: u64 = 5;
/// A question may come so much early, in milliseconds: networks hurry one packet and delay another.
const EARLY_MS: Millis = 500;
/// Most codes on their way: so one guess hits one with a chance of 1 in 12,800,000.
const CODES_MAX: usize = 2_000;
/// Most codes on their way that one network asked for: an address, or a /64 of IPv6.
const CODES_OF_A_PEER_MAX: usize = 50;
/// Wrong codes typed by everybody together within [`GUESSES_MS`]; beyond it everybody waits (RFC 8628 §5.1).
const GUESSES_MAX: u32 = 300;
/// See [`GUESSES_MAX`], in milliseconds.
const GUESSES_MS: Millis = 10 * 60 * 1000;
/// Under this name wrong codes of one address are counted; no account can have it.
const GUESSER: &str = "\0device code";

/// What the device is told (RFC 8628 §3.2). Serializes to what is sent.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceResponse {
    /// For the device.
    pub device_code: Secret,
    /// For the person, as `WDJB-MJHT`.
    pub user_code: String,
    /// The page to visit.
    pub verification_uri: String,
    /// The same: Google's clients read only this name (wire §7.4). Others take either name and refuse both at once, so it is
    /// left out where the answer is to be the RFC's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_url: Option<String>,
    /// The page with the code filled in, for a QR code.
    pub verification_uri_complete: String,
    /// Life of both codes in seconds.
    pub expires_in: u64,
    /// Seconds between two questions.
    pub interval: u64,
}

/// A code somebody typed, and what waits behind it. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    client: Arc<Client>,
    scopes: Scopes,
    user_code: String,
}

impl DeviceRequest {
    /// Which program asks.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
    /// For what.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
    /// The code as the device shows it.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }
    /// The refusal if the program is being tried out and the person is not on its list.
    pub fn not_admitted(&self, person: &Principal) -> Option<TokenError> {
        let admitted = self.client.admits(&person.address);
        let error = TokenError::new(ErrorCode::AccessDenied, crate::authorize::NOT_ON_THE_LIST);
        (!admitted).then(|| {
            error
                .of_client(Some(&self.client.id))
                .about(&person.account)
        })
    }
}

/// Why a typed code leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRefusal {
    /// Mistyped, over, or answered already: one answer for all.
    Unknown,
    /// Too many wrong ones, from this address or from everywhere; come back later.
    TooMany,
    /// Our fault.
    Failed,
}

impl DeviceRefusal {
    /// As one of the endpoints'; of somebody who is signed in.
    #[must_use]
    pub fn told(self, person: Option<&Principal>) -> TokenError {
        let (code, text) = match self {
            Self::Unknown => (
                ErrorCode::InvalidGrant,
                "a code was typed that is not there: mistyped, over, or answered already",
            ),
            Self::TooMany => (ErrorCode::SlowDown, "too many wrong codes were typed"),
            Self::Failed => (ErrorCode::ServerError, "the server failed"),
        };
        let mut error = TokenError::new(code, text);
        error.why.person = person.map(|person| person.account.clone());
        error
    }
}

/// What is remembered while devices wait. In memory: a restart forgives.
#[derive(Default)]
pub(crate) struct Waiting {
    /// By user code: when the device asked last, and how many milliseconds it has to wait.
    asked: Mutex<HashMap<String, (Millis, Millis)>>,
    /// When the window of wrong codes began, and how many there were.
    wrong: Mutex<(Millis, u32)>,
}

impl Waiting {
    /// Whether the device may ask at `now`; a hasty one has to wait longer from now on.
    fn may_ask(&self, code: &str, now: Millis) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() > CODES_MAX {
            asked.retain(|_, (last, _)| *last > now.saturating_sub(LIFE_MS));
        }
        let Some((last, interval)) = asked.get_mut(code) else {
            let interval = INTERVAL_S.cast_signed() * 1000;
            // Full of codes that are all on their way: only possible after a flood, and then nobody is slowed down.
            if asked.len() <= CODES_MAX {
                asked.insert(code.to_owned(), (now, interval));
            }
            return true;
        };
        let hasty = now < last.saturating_add(*interval - EARLY_MS);
        *last = now;
        if hasty {
            *interval = interval.saturating_add(SLOW_DOWN_S.cast_signed() * 1000);
        }
        !hasty
    }

    fn forget(&self, code: &str) {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(code);
    }

    fn too_many_wrong(&self, now: Millis) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.1 >= GUESSES_MAX && now < wrong.0.saturating_add(GUESSES_MS)
    }

    fn count_wrong(&self, now: Millis) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= wrong.0.saturating_add(GUESSES_MS) {
            *wrong = (now, 0);
        }
        wrong.1 = wrong.1.saturating_add(1);
    }
}

type Result<T, E = TokenError> = std::result::Result<T, E>;

impl Identity {
    /// The device authorization endpoint (RFC 8628 §3.1).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn device_code(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<DeviceResponse> {
        let params = checked(params)?;
        let client = self.authenticate(basic, &params, now).await?;
        client.check_grant(GrantType::DeviceCode)?;
        self.check_resource(&params)?;
        let scopes = read_scopes(params.get("scope").unwrap_or_default())?;
        if !client.may_ask_for(scopes) {
            let text = "The program registered for less than this scope.";
            return Err(TokenError::new(ErrorCode::InvalidScope, text));
        }
        let code = self.random_code();
        let device_code = self.new_device_code(&code);
        let row = DeviceRow {
            hash: opaque::hash(device_code.expose()),
            client: client.id.to_string(),
            scope: scopes.to_string(),
            peer: self.peer.map(|peer| network(peer).to_string()),
            ends: now.saturating_add(LIFE_MS),
            state: DeviceState::Waiting,
        };
        let bounded = self.inner.config.slow_down;
        let key = Kind::Device.key(&code);
        let all = Kind::Device.all();
        let add = move |rows: &mut Rows| add_code(rows, &key, &row, bounded, now);
        self.devices().update(&[&all], add).await.map_err(refused)?;
        let user_code = shown(&code);
        let page = format!("{}/device", self.inner.config.issuer);
        Ok(DeviceResponse {
            verification_uri_complete: format!("{page}?user_code={user_code}"),
            verification_url: Some(page.clone()),
            verification_uri: page,
            device_code,
            user_code,
            expires_in: LIFE_MS.unsigned_abs() / 1000,
            interval: INTERVAL_S,
        })
    }

    /// What waits behind a code that a person typed: case, blanks and hyphens do not matter. Wrong codes are counted, for
    /// the peer and for all.
    ///
    /// # Errors
    /// [`DeviceRefusal`].
    pub async fn device_request(
        &self,
        typed: &str,
        now: Millis,
    ) -> Result<DeviceRequest, DeviceRefusal> {
        let inner = &self.inner;
        let slow_down = inner.config.slow_down;
        let paused = inner
            .attempts
            .wait(Guess::Code, self.peer, GUESSER, now)
            .is_some();
        if slow_down && (paused || inner.device.too_many_wrong(now)) {
            return Err(DeviceRefusal::TooMany);
        }
        let found = match read_code(typed) {
            Some(code) => self.waiting_for_an_answer(&code, now).await?,
            None => None,
        };
        if found.is_none() && slow_down {
            inner.attempts.failed(Guess::Code, self.peer, GUESSER, now);
            inner.device.count_wrong(now);
        }
        found.ok_or(DeviceRefusal::Unknown)
    }

    /// The person allows it or not; whoever may not use a program that is tried out does not allow it. False: meanwhile it was answered, or is over.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn device_answer(
        &self,
        request: &DeviceRequest,
        person: &Principal,
        allow: bool,
        now: Millis,
    ) -> Result<bool, IdentityError> {
        let said = allow;
        let allow = allow && request.client.admits(&person.address);
        let key = Kind::Device.key(read_code(&request.user_code).unwrap_or_default());
        let prefix = key.clone();
        let (client, scope) = (request.client.id.to_string(), request.scopes.to_string());
        let account = person.account.0.to_string();
        let answer = move |rows: &mut Rows| {
            let row = rows::read::<DeviceRow>(rows, &key)?;
            // What is allowed must be what the page said.
            let same = |row: &DeviceRow| row.client == client && row.scope == scope;
            let Some(mut row) = row.filter(|row| row.is_waiting(now) && same(row)) else {
                return Ok(false);
            };
            row.state = match allow {
                true => DeviceState::Allowed {
                    account: account.clone(),
                },
                false => DeviceState::Denied,
            };
            rows::write(rows, &key, &row)?;
            Ok::<_, IdentityError>(true)
        };
        let answered = self.devices().update(&[&prefix], answer).await?;
        // Whoever was not admitted has heard so, and said no to nothing.
        if answered && said == allow {
            let deed = match allow {
                true => Deed::Granted,
                false => Deed::Denied,
            };
            let act = Act::new(deed, now).app(Arc::clone(&request.client.name));
            self.record(&person.account, act.detail(request.scopes.to_string()));
        }
        Ok(answered)
    }

    /// The token endpoint's side (RFC 8628 §3.4, §3.5).
    pub(crate) async fn redeem_device(
        &self,
        client: &Client,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let text = required(params, "device_code")?;
        let code = self.read_device_code(text);
        let code =
            code.ok_or_else(|| invalid_grant("this server never gave such a device code"))?;
        let key = Kind::Device.key(&code);
        let row = self.devices().get(&key).await?;
        let row: Option<DeviceRow> = row.map(|row| rows::decode(&row)).transpose()?;
        // Ours, but no longer kept: it ended some time ago.
        let Some(row) = row.filter(|row| opaque::same(&row.hash, &opaque::hash(text))) else {
            return Err(expired());
        };
        if row.client != *client.id {
            let cause = "the device code was given to another program";
            return Err(invalid_grant(cause));
        }
        if matches!(row.state, DeviceState::Used) {
            return Err(used_before());
        }
        if row.ends <= now {
            return Err(expired());
        }
        let account = match row.state {
            DeviceState::Waiting => return Err(self.not_yet(&code, now)),
            DeviceState::Denied => {
                let text = "The person did not allow it.";
                return Err(TokenError::new(ErrorCode::AccessDenied, text));
            }
            DeviceState::Used => return Err(used_before()),
            DeviceState::Allowed { account } => AccountId(account.into()),
        };
        let answer = self.give(client, &account, &row.scope, &code, now).await;
        answer.map_err(|error| error.about(&account))
    }

    /// Marks an allowed code as used: of two questions at once only one goes on.
    async fn take(&self, code: &str) -> Result<()> {
        let key = Kind::Device.key(code);
        let prefix = key.clone();
        let take = move |rows: &mut Rows| {
            let row = rows::read::<DeviceRow>(rows, &key)?;
            let allowed = |row: &DeviceRow| matches!(row.state, DeviceState::Allowed { .. });
            let Some(mut row) = row.filter(allowed) else {
                return Ok(false);
            };
            row.state = DeviceState::Used;
            rows::write(rows, &key, &row)?;
            Ok::<_, IdentityError>(true)
        };
        match self.devices().update(&[&prefix], take).await? {
            true => {
                self.inner.device.forget(code);
                Ok(())
            }
            false => Err(used_before()),
        }
    }

    /// Everything that can be refused or fail comes before the code is spent, its grant included: that is another account's.
    async fn give(
        &self,
        client: &Client,
        account: &AccountId,
        scope: &str,
        code: &str,
        now: Millis,
    ) -> Result<TokenResponse> {
        let grant = self.new_grant_id();
        let keys = &self.inner.keys;
        let refresh = opaque::new_refresh(keys, account, &grant, &self.inner.random);
        let row = GrantRow {
            client: client.id.to_string(),
            scope: scope.to_owned(),
            created: now,
            used: now,
            ends: after(now, self.inner.config.token_lifetime),
            refresh: Some(opaque::hash(refresh.expose())),
            rotated: None,
            refresh_ends: client.refresh_ends(now),
            key: self.refresh_key(client),
            revoked: None,
        };
        let issue = Issue {
            account,
            client,
            grant: &grant,
            scopes: Scopes::parse_known(scope),
            nonce: None,
            auth_time: None,
            refresh: Some(refresh),
        };
        let answer = self.issue(issue, now).await?;
        let (prefix, id) = (Kind::Grant.all(), grant.clone());
        let add = move |rows: &mut Rows| add_grant(rows, &id, &row, now);
        let account_rows = self.inner.store.account(account);
        let evicted = account_rows.update(&[&prefix], add).await?;
        self.announce_evicted(account, &client.id, evicted, now);
        let Err(refused) = self.take(code).await else {
            return Ok(answer);
        };
        // Nobody has seen this grant: another question was faster, or the next one gets its own.
        let key = Kind::Grant.key(&grant);
        let prefix = key.clone();
        let drop_it = move |rows: &mut Rows| {
            rows.delete(&key);
            Ok::<_, IdentityError>(())
        };
        account_rows.update(&[&prefix], drop_it).await?;
        Err(refused)
    }

    fn not_yet(&self, code: &str, now: Millis) -> TokenError {
        match self.inner.device.may_ask(code, now) {
            true => TokenError::new(
                ErrorCode::AuthorizationPending,
                "The person has not answered yet.",
            ),
            false => TokenError::new(ErrorCode::SlowDown, "Wait 5 seconds longer."),
        }
    }

    async fn waiting_for_an_answer(
        &self,
        code: &str,
        now: Millis,
    ) -> Result<Option<DeviceRequest>, DeviceRefusal> {
        let failed = |fault: &dyn std::fmt::Display| {
            tracing::error!(%fault, "device code");
            DeviceRefusal::Failed
        };
        let row = self.devices().get(&Kind::Device.key(code)).await;
        let Some(row) = row.map_err(|fault| failed(&fault))? else {
            return Ok(None);
        };
        let row: DeviceRow = rows::decode(&row).map_err(|fault| failed(&fault))?;
        self.know_clients().await.map_err(|fault| failed(&fault))?;
        let client = self.client(&row.client).filter(|_| row.is_waiting(now));
        Ok(client.map(|client| DeviceRequest {
            client,
            scopes: Scopes::parse_known(&row.scope),
            user_code: shown(code),
        }))
    }

    /// Whose mail a device code that was allowed opens.
    pub(crate) async fn device_account(&self, text: &str) -> Option<AccountId> {
        let key = Kind::Device.key(&self.read_device_code(text)?);
        let row = self.devices().get(&key).await.ok()??;
        match rows::decode::<DeviceRow>(&row).ok()?.state {
            DeviceState::Allowed { account } => Some(AccountId(account.into())),
            _ => None,
        }
    }

    fn devices(&self) -> Account {
        self.inner.store.account(&AccountId(ACCOUNT.into()))
    }

    fn random_code(&self) -> String {
        let mut code = String::with_capacity(CODE_LETTERS);
        while code.len() < CODE_LETTERS {
            let mut bytes = [0; 2 * CODE_LETTERS];
            (self.inner.random)(&mut bytes);
            // Bytes of 240 and more would favour the first letters.
            let fair = bytes.into_iter().filter(|byte| *byte < 240);
            let letters = fair.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            code.extend(letters.take(CODE_LETTERS - code.len()));
        }
        code
    }

    /// It names its user code, so that one row serves both, and bears our mark, so that a code that is over can be told
    /// from one that never was.
    fn new_device_code(&self, code: &str) -> Secret {
        let body = format!("d~{code}~{}", opaque::random_text(&self.inner.random, 32));
        Secret::new(format!("{body}~{}", self.device_mark(&body)))
    }

    /// The user code of a device code that we made.
    fn read_device_code(&self, text: &str) -> Option<String> {
        let (body, mark) = text.rsplit_once('~').filter(|_| text.len() <= 256)?;
        opaque::same(self.device_mark(body).as_bytes(), mark.as_bytes()).then_some(())?;
        body.split('~').nth(1).map(str::to_owned)
    }

    fn device_mark(&self, body: &str) -> String {
        use base64::Engine as _;
        let mark = self.inner.keys.mark("device code", body);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&mark[..16])
    }
}

/// Adds a code; drops those that are over.
fn add_code(
    rows: &mut Rows,
    key: &[u8],
    row: &DeviceRow,
    bounded: bool,
    now: Millis,
) -> crate::Result<()> {
    let (mut all, mut of_peer) = (0, 0);
    for (key, value) in rows.scan(&Kind::Device.all()) {
        let other: DeviceRow = rows::decode(&value)?;
        if other.ends <= now {
            rows.delete(&key);
            continue;
        }
        all += 1;
        of_peer += usize::from(other.peer == row.peer);
    }
    // A code that exists already, one time in many millions, would lead the wrong device on.
    let taken = rows.get(key).is_some();
    if taken || all >= CODES_MAX || (bounded && of_peer >= CODES_OF_A_PEER_MAX) {
        return Err(IdentityError::TooMany("device codes"));
    }
    rows::write(rows, key, row)
}

fn refused(fault: IdentityError) -> TokenError {
    match fault {
        IdentityError::TooMany(_) => {
            let text = "Too many codes are on their way. Try again later.";
            TokenError::new(ErrorCode::TemporarilyUnavailable, text)
        }
        fault => fault.into(),
    }
}

fn expired() -> TokenError {
    TokenError::new(
        ErrorCode::ExpiredToken,
        "The code is over. Ask for another.",
    )
}

/// As people read it.
fn shown(code: &str) -> String {
    let (one, two) = code.split_at(code.len() / 2);
    format!("{one}-{two}")
}

/// As it is kept, if it can be a code at all.
fn read_code(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let letters = typed.chars().filter(|letter| letter.is_alphanumeric());
    let code: String = letters.flat_map(char::to_uppercase).collect();
    let legal = code.len() == CODE_LETTERS && code.bytes().all(|byte| LETTERS.contains(&byte));
    legal.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_type_codes_in_many_ways() {
        for typed in [
            "WDJB-MJHT",
            "wdjbmjht",
            " wdjb mjht ",
            "W.D.J.B.M.J.H.T",
            "WDJB–MJHT",
        ] {
            assert_eq!(read_code(typed).as_deref(), Some("WDJBMJHT"), "{typed}");
        }
        for typed in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTX",
            "WDJB-MJHA",
            "ＷDJBMJHT",
            "WDJB/../MJHT1",
        ] {
            assert_eq!(read_code(typed), None, "{typed}");
        }
        assert_eq!(read_code(&"-".repeat(100)), None);
        assert_eq!(shown("WDJBMJHT"), "WDJB-MJHT");
    }

    #[test]
    fn hasty_devices_wait_longer_each_time() {
        let waiting = Waiting::default();
        assert!(waiting.may_ask("A", 0));
        assert!(waiting.may_ask("A", 4_600), "a little early is fine");
        assert!(!waiting.may_ask("A", 6_000), "10 seconds from now on");
        assert!(!waiting.may_ask("A", 12_000), "15 seconds from now on");
        assert!(waiting.may_ask("A", 27_000));
        assert!(waiting.may_ask("B", 27_000), "others are not concerned");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let waiting = Waiting::default();
        for number in 0..CODES_MAX + 100 {
            waiting.may_ask(&number.to_string(), 0);
        }
        assert!(
            waiting
                .asked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len()
                <= CODES_MAX + 1
        );
        for _ in 0..GUESSES_MAX {
            assert!(!waiting.too_many_wrong(1));
            waiting.count_wrong(1);
        }
        assert!(waiting.too_many_wrong(GUESSES_MS - 1));
        assert!(!waiting.too_many_wrong(GUESSES_MS));
    }
}
