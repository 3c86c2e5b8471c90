//! Pushed authorization requests (RFC 9126): the client sends its request here first, proves itself if it can, and the browser
//! carries nothing but a reference. What was pushed is checked at once, and once more when the browser comes with it.

use crate::attempts::network;
use crate::authorize::Params;
use crate::client::Client;
use crate::client_auth::is_proof;
use crate::rows::{self, Kind, PushedRow};
use crate::server::{BasicAuth, ErrorCode, TokenError};
use crate::token::checked;
use crate::{Identity, IdentityError, Result as Done, opaque};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Account, AccountId, Millis, Rows};
use serde::Serialize;
use std::collections::BTreeMap;

/// The system account of requests on their way.
const ACCOUNT: &str = "oauth/pushed";
/// What every reference begins with (RFC 9126 §2.2).
pub(crate) const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:";
/// Life of a reference, in milliseconds: signing in with a second factor fits in; the most that RFC 9126 §2.2 names.
const LIFE_MS: Millis = 10 * 60 * 1000;
/// Most requests on their way.
const PUSHED_MAX: usize = 1_000;
/// Most of one client that an administrator knows and that proved itself; for all others, of one network.
const OF_ONE_MAX: usize = 200;
/// Most parameters of one, and their longest sum in bytes.
const PARAMS_MAX: usize = 32;
const PARAMS_BYTES_MAX: usize = 8 * 1024;

/// What the client is told (RFC 9126 §2.2). Serializes to what is sent.
#[derive(Clone, Debug, Serialize)]
pub struct PushedResponse {
    /// For the browser.
    pub request_uri: String,
    /// Its life in seconds.
    pub expires_in: i64,
}

/// What is behind a `request_uri`.
pub(crate) enum Pulled {
    /// It is no reference of ours, or there is none.
    Nothing,
    /// A request that waited.
    Request {
        /// Its row.
        key: Vec<u8>,
        /// Its parameters.
        params: Vec<(String, String)>,
    },
    /// It was used, or it is older than its life: rows of both go.
    Over,
    /// Another program pushed it.
    Anothers,
}

impl Identity {
    /// The endpoint for pushed authorization requests.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn push_request(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<PushedResponse, TokenError> {
        let read = checked(params)?;
        let client = self.authenticate(basic, &read, now).await?;
        if read.get("request_uri").is_some() {
            let text = "request_uri cannot be pushed.";
            return Err(TokenError::new(ErrorCode::InvalidRequest, text));
        }
        // The id may have come in the header only; the secret goes no further than this.
        let mut kept: Vec<_> = params
            .iter()
            .filter(|(name, _)| name != "client_id" && !is_proof(name))
            .cloned()
            .collect();
        kept.push(("client_id".into(), client.id.to_string()));
        // RFC 9449 §10.1: a proof here says which key the code is for, as anybody may with `dpop_jkt` and no proof at all. It
        // opens nothing, so it is not remembered: the name of a program without a secret is all it takes to come here.
        if let Some(key) = self.proven_key() {
            if read.get("dpop_jkt").is_some_and(|named| named != key) {
                let text = "dpop_jkt is not the key of the proof.";
                return Err(TokenError::new(ErrorCode::InvalidDpopProof, text));
            }
            kept.retain(|(name, _)| name != "dpop_jkt");
            kept.push(("dpop_jkt".into(), key.into()));
        }
        let bytes: usize = kept
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if kept.len() > PARAMS_MAX || bytes > PARAMS_BYTES_MAX {
            return Err(TokenError::new(
                ErrorCode::InvalidRequest,
                "The request is too long.",
            ));
        }
        let good = self.check_request(&kept, now).await;
        good.map_err(|error| error.told(None))?;
        let text = opaque::random_text(&self.inner.random, 24);
        let row = PushedRow {
            client: client.id.to_string(),
            whose: self.share_of(&client),
            params: kept,
            ends: now.saturating_add(LIFE_MS),
        };
        let of_one = match self.inner.config.slow_down {
            true => OF_ONE_MAX,
            false => PUSHED_MAX,
        };
        let (key, all) = (key_of(&text), Kind::Pushed.all());
        let add = move |rows: &mut Rows| {
            make_room(rows, &row.whose, of_one, now)?;
            rows::write(rows, &key, &row)
        };
        self.pushed().update(&[&all], add).await?;
        Ok(PushedResponse {
            request_uri: format!("{REFERENCE}{text}"),
            expires_in: LIFE_MS / 1000,
        })
    }

    /// Whose share of the room a request takes. Anybody can use the name of a program without a secret, and anybody may
    /// register one with a secret, so only a name that proves something has a share of its own.
    fn share_of(&self, client: &Client) -> String {
        match (client.is_confidential() && client.is_vetted(), self.peer) {
            (true, _) => format!("client {}", client.id),
            (false, Some(peer)) => format!("network {}", network(peer)),
            (false, None) => "network".into(),
        }
    }

    /// What is behind the reference that a request brings.
    pub(crate) async fn pulled(&self, params: &Params<'_>, now: Millis) -> Done<Pulled> {
        let reference = params
            .get("request_uri")
            .and_then(|uri| uri.strip_prefix(REFERENCE));
        let Some(text) = reference else {
            return Ok(Pulled::Nothing);
        };
        let row = self.pushed().get(&key_of(text)).await?;
        let row: Option<PushedRow> = row.map(|row| rows::decode(&row)).transpose()?;
        Ok(match row {
            Some(row) if params.get("client_id") != Some(&row.client) => Pulled::Anothers,
            Some(row) if row.ends > now => Pulled::Request {
                key: key_of(text),
                params: row.params,
            },
            Some(_) | None => Pulled::Over,
        })
    }

    /// A request that was granted is over; until then a browser may load it again (RFC 9126 §4).
    pub(crate) async fn pushed_is_over(&self, key: Vec<u8>) -> Done<()> {
        let prefix = key.clone();
        let remove = move |rows: &mut Rows| {
            rows.delete(&key);
            Ok::<_, IdentityError>(())
        };
        self.pushed().update(&[&prefix], remove).await
    }

    fn pushed(&self) -> Account {
        self.inner.store.account(&AccountId(ACCOUNT.into()))
    }
}

/// Room for one more: nobody is refused. Those that ended go; then the oldest of whoever has a full share, or, if there are too
/// many in all, the most.
fn make_room(rows: &mut Rows, whose: &str, of_one: usize, now: Millis) -> Done<()> {
    let (mut count, mut shares) = (0, BTreeMap::<String, Vec<(Millis, Vec<u8>)>>::new());
    for (key, value) in rows.scan(&Kind::Pushed.all()) {
        let row: PushedRow = rows::decode(&value)?;
        if row.ends <= now {
            rows.delete(&key);
            continue;
        }
        count += 1;
        shares
            .entry(row.whose)
            .or_default()
            .push((row.ends, key.to_vec()));
    }
    let own = shares.get(whose).filter(|own| own.len() >= of_one);
    let greediest = || shares.values().max_by_key(|share| share.len());
    let from = own.or_else(|| greediest().filter(|_| count >= PUSHED_MAX));
    if let Some((_, oldest)) = from.and_then(|share| share.iter().min()) {
        rows.delete(oldest);
    }
    Ok(())
}

fn key_of(text: &str) -> Vec<u8> {
    Kind::Pushed.key(BASE64.encode(opaque::hash(text)))
}
