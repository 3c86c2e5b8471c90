//! What this floor keeps in an account: row types, their keys, their form (JSON, so that members can be added).
//!
//! All keys begin with [`SPACE`]; the second byte says what the row is.

use crate::assertion::VerifyKey;
use crate::client::{ClientKind, Status};
use crate::principal::SignedIn;
use crate::registration::Method;
use crate::{IdentityError, Result};
use pillarbox_store::mail::{Millis, Rows};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The first byte of every key of this floor.
const SPACE: u8 = b'o';

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The account's own password; one row.
    Password,
    /// App passwords by the first half of their hash: one is found by what was offered, however many there are.
    App,
    /// Grants by id.
    Grant,
    /// Authorization codes by hash.
    Code,
    /// Web sessions by hash.
    Session,
    /// Signing keys by id (issuer's account only).
    Key,
    /// Codes of devices by user code (an account of their own).
    Device,
    /// Entries of the audit trail by slot.
    Activity,
    /// Where its next entry goes; one row.
    ActivityHead,
    /// Last uses of credentials.
    Use,
    /// What the person may do beyond their own account; one row.
    Role,
    /// An invitation to set the password; one row.
    Invite,
    /// The second factor; one row.
    Factor,
    /// Sign-ins that wait for their second factor, by hash.
    Half,
    /// Who the person is at providers elsewhere, by the digest of the issuer.
    External,
    /// Passkeys by the hash of their credential id.
    Passkey,
    /// Registered clients by id (an account of their own).
    Client,
    /// Pushed authorization requests by hash (an account of their own).
    Pushed,
    /// Keys of client certificates by hash; in an account of their own, whose they are.
    Certificate,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Password => b'p',
            Self::App => b'b',
            Self::Grant => b'g',
            Self::Code => b'c',
            Self::Session => b's',
            Self::Key => b'k',
            Self::Device => b'd',
            Self::Activity => b'v',
            Self::ActivityHead => b'w',
            Self::Use => b'u',
            Self::Role => b'r',
            Self::Invite => b'i',
            Self::Factor => b'f',
            Self::Half => b'h',
            Self::External => b'e',
            Self::Passkey => b'y',
            Self::Client => b'l',
            Self::Pushed => b'q',
            Self::Certificate => b't',
        }
    }

    /// The key of one row; with an empty `id`, the prefix of all of its kind.
    pub(crate) fn key(self, id: impl AsRef<[u8]>) -> Vec<u8> {
        let mut key = vec![SPACE, self.byte()];
        key.extend_from_slice(id.as_ref());
        key
    }

    /// The prefix of all rows of its kind.
    pub(crate) fn all(self) -> Vec<u8> {
        self.key([])
    }
}

/// The id part of a row's key.
pub(crate) fn id_of(key: &[u8]) -> String {
    String::from_utf8_lossy(key.get(2..).unwrap_or_default()).into_owned()
}

/// Reads a row.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T> {
    serde_json::from_slice(value).map_err(|_| IdentityError::Broken("row"))
}

/// Reads the row at `key` within an update.
pub(crate) fn read<T: DeserializeOwned>(rows: &Rows, key: &[u8]) -> Result<Option<T>> {
    rows.get(key).map(|value| decode(&value)).transpose()
}

/// Writes a row within an update.
pub(crate) fn write<T: Serialize>(rows: &mut Rows, key: &[u8], row: &T) -> Result<()> {
    let value = serde_json::to_vec(row).map_err(|_| IdentityError::Broken("row"))?;
    rows.put(key, value);
    Ok(())
}

/// The account's own password.
#[derive(Serialize, Deserialize)]
pub(crate) struct PasswordRow {
    /// PHC string.
    pub phc: String,
    pub changed: Millis,
}

/// An app password.
#[derive(Serialize, Deserialize)]
pub(crate) struct AppRow {
    pub id: String,
    pub name: String,
    pub hash: [u8; 32],
    pub created: Millis,
    #[serde(default)]
    pub scram: Option<ScramRow>,
    #[serde(default)]
    pub limits: crate::limits::LimitsRow,
}

/// What SCRAM keeps of an app password (RFC 5802 §3): neither opens anything by itself.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct ScramRow {
    pub iterations: u32,
    /// `StoredKey`.
    pub stored: [u8; 32],
    /// `ServerKey`.
    pub server: [u8; 32],
}

/// One approval, and all tokens it gave.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GrantRow {
    pub client: String,
    /// As it goes over the wire.
    pub scope: String,
    pub created: Millis,
    /// When a token was last issued.
    pub used: Millis,
    /// The end of the last access token issued.
    pub ends: Millis,
    /// Hash of the one refresh token that is good now.
    pub refresh: Option<[u8; 32]>,
    /// The one before it, if it was used: it may come again when the answer was lost.
    #[serde(default)]
    pub rotated: Option<RotatedRow>,
    /// When refresh tokens end even if they are used.
    #[serde(default)]
    pub refresh_ends: Option<Millis>,
    /// The thumbprint of the key that refresh tokens are bound to (RFC 9449 §5).
    #[serde(default)]
    pub key: Option<String>,
    pub revoked: Option<Millis>,
}

/// A refresh token whose successor nobody has used yet.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RotatedRow {
    pub hash: [u8; 32],
    /// When it was used first.
    pub at: Millis,
    /// How often since.
    pub again: u8,
}

impl GrantRow {
    /// Whether it still gives anything at `now`.
    pub(crate) fn is_live(&self, now: Millis) -> bool {
        self.revoked.is_none() && (self.refresh.is_some() || self.ends > now)
    }
}

/// A code on its way to becoming tokens. Kept after use until it would have expired, to notice reuse.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CodeRow {
    pub client: String,
    pub redirect_uri: String,
    pub scope: String,
    pub challenge: Option<String>,
    /// The thumbprint of the key that must come with it (RFC 9449 §10).
    #[serde(default)]
    pub key: Option<String>,
    pub nonce: Option<String>,
    /// When the person signed in, if it is known.
    #[serde(default)]
    pub auth_time: Option<Millis>,
    /// Whether it gives a refresh token.
    pub refresh: bool,
    /// When the person signed in or agreed.
    pub approved: Millis,
    pub ends: Millis,
    /// The grant it became.
    pub used: Option<String>,
}

/// A web session.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionRow {
    pub created: Millis,
    pub ends: Millis,
    /// What the browser said of itself.
    #[serde(default)]
    pub browser: String,
    #[serde(default)]
    pub peer: Option<std::net::IpAddr>,
    /// When it was last used, about; None is not since it began.
    #[serde(default)]
    pub used: Option<Millis>,
    /// Whether `created` is when the person came from a provider that did not say when they signed in there.
    #[serde(default)]
    pub unsaid: bool,
}

/// The second factor.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct FactorRow {
    /// Of the phone that shows codes; empty is none.
    pub secret: Vec<u8>,
    /// Of a phone that has not shown its first code yet.
    #[serde(default)]
    pub fresh: Vec<u8>,
    /// When it was switched on; None is not yet.
    pub since: Option<Millis>,
    /// The last step that matched: none up to it is good again.
    pub used: i64,
    /// Hashes of the recovery codes that were not used.
    pub recovery: Vec<[u8; 32]>,
}

impl FactorRow {
    /// Whether the password alone is not enough.
    pub(crate) fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Whether codes of a phone are good; if not, passkeys and recovery codes are.
    pub(crate) fn has_phone(&self) -> bool {
        self.is_on() && !self.secret.is_empty()
    }
}

/// A passkey. Binary members are base64url.
#[derive(Serialize, Deserialize)]
pub(crate) struct PasskeyRow {
    pub name: String,
    /// Credential id.
    pub id: String,
    /// COSE key.
    pub key: String,
    pub counter: u32,
    pub may_sync: bool,
    pub synced: bool,
    pub created: Millis,
    pub used: Option<Millis>,
}

/// A sign-in between password and code.
#[derive(Serialize, Deserialize)]
pub(crate) struct HalfRow {
    pub ends: Millis,
    pub tries: u32,
    /// When the first step was taken, if that was elsewhere.
    #[serde(default)]
    pub signed_in: SignedIn,
    /// The network it was begun from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl HalfRow {
    /// Codes that may be tried after one password.
    const TRIES_MAX: u32 = 5;

    /// Whether it still waits at `now`.
    pub(crate) fn is_open(&self, now: Millis) -> bool {
        self.ends > now && self.tries < Self::TRIES_MAX
    }
}

/// Who the person is at one provider elsewhere.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExternalRow {
    pub issuer: String,
    /// What never names another person there.
    pub subject: String,
    pub since: Millis,
}

/// A signing key, private part included.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    pub alg: String,
    /// Ed25519: the seed. RS256: PKCS#8 DER. HS256: the key.
    pub private: String,
    pub created: Millis,
    /// From when it signs, if not from the first: until then it is announced.
    #[serde(default)]
    pub signs: Option<Millis>,
    /// The longest life of what it signed, in milliseconds.
    #[serde(default)]
    pub life: Millis,
    /// It took the place of keys that were withdrawn: what they signed is not good any more.
    #[serde(default)]
    pub at_once: bool,
}

impl KeyRow {
    /// From when it signs.
    pub(crate) fn signs(&self) -> Millis {
        self.signs.unwrap_or(self.created)
    }
}

/// What a device asked for, until somebody answers and it was told. Kept until its end, to notice a second use.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DeviceRow {
    /// Of the device code.
    pub hash: [u8; 32],
    pub client: String,
    pub scope: String,
    /// The network it came from.
    pub peer: Option<String>,
    pub ends: Millis,
    pub state: DeviceState,
}

/// See [`DeviceRow`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum DeviceState {
    Waiting,
    Denied,
    Allowed { account: String },
    Used,
}

impl DeviceRow {
    /// Whether somebody may still answer at `now`.
    pub(crate) fn is_waiting(&self, now: Millis) -> bool {
        self.ends > now && matches!(self.state, DeviceState::Waiting)
    }
}

/// A registered client.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    pub name: String,
    pub kind: ClientKind,
    pub secrets: Vec<SecretRow>,
    pub redirects: Vec<String>,
    pub registered_by: String,
    pub registered: Millis,
    /// If only some may use it.
    pub testers: Option<Vec<String>>,
    pub keys: Vec<VerifyKey>,
    /// As scopes go over the wire.
    pub delegated: String,
    pub introspects: bool,
    pub status: Status,
    /// What its tokens for administration rest on, as a person's rest on a grant; another one after they were revoked.
    #[serde(default)]
    pub administration: Option<String>,
    /// If it registered itself.
    #[serde(default)]
    pub own: Option<OwnRow>,
}

/// What a client that registered itself may look at and change, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnRow {
    /// Hash of the token by which it does.
    pub token: [u8; 32],
    pub method: Method,
    pub grant_types: Vec<String>,
    /// What it asks for at most, as scopes go over the wire.
    pub scope: Option<String>,
    /// Its keys as it sent them.
    pub jwks: Option<serde_json::Value>,
    /// Whether it asks for tokens with a proof of possession only, because it said so.
    #[serde(default)]
    pub proves: bool,
    /// Whether it pushes every authorization request, because it said so.
    #[serde(default)]
    pub pushes: bool,
    /// Whether an administrator has looked at it as it is now.
    pub approved: bool,
    /// When somebody let it in for the first time.
    pub used: Option<Millis>,
}

impl OwnRow {
    /// Whether nobody ever let it in, and no administrator wanted it.
    pub(crate) fn is_unused(&self) -> bool {
        self.used.is_none() && !self.approved
    }
}

/// One secret of a client: random, so a plain hash is enough.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SecretRow {
    pub hash: [u8; 32],
    pub created: Millis,
    /// When it ends, if another has taken over.
    pub until: Option<Millis>,
}

/// A pushed authorization request.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PushedRow {
    pub client: String,
    /// Among whose it counts.
    #[serde(default)]
    pub whose: String,
    pub params: Vec<(String, String)>,
    pub ends: Millis,
}
