//! Administration. Over a local socket: one JSON object a line in each direction; who may open the socket (the same user)
//! may do everything, and nothing of that is reachable over the network. Over HTTPS: what [`api`] lets programs ask.

pub mod answer;
pub mod api;
pub mod client;
pub mod limits;
pub mod place;
pub mod server;
pub mod sessions;
pub mod tokens;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest request or response, in octets: a list of some hundred thousand accounts.
pub const LINE_OCTETS_MAX: u64 = 64 * 1_024 * 1_024;

/// What a command asks of the running server. It may carry passwords, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The variables of a development server.
    Facts,
    /// Where to sign in as a user, whom to trust there, and how far the clock was moved.
    Issuer,
    /// End the server.
    Stop,
    /// Make a token.
    TokenIssue {
        /// For whom.
        address: String,
        /// In seconds.
        lifetime: Option<u64>,
        /// Already ended.
        expired: bool,
        /// Already revoked.
        revoked: bool,
        /// In place of the mail scope.
        scope: Option<String>,
        /// With a refresh token.
        refresh: bool,
    },
    /// Say what a token is.
    TokenInspect {
        /// The token.
        token: String,
    },
    /// End a token's grant.
    TokenRevoke {
        /// The token.
        token: String,
    },
    /// What time it is.
    ClockShow,
    /// Move the clock.
    ClockAdvance {
        /// By how much.
        seconds: u64,
    },
    /// Back to the system's time.
    ClockReset,
    /// Set a fault.
    FaultSet {
        /// `imap.login`.
        target: String,
        /// `overquota`.
        kind: String,
        /// What some kinds need: `5s`.
        value: Option<String>,
        /// How often.
        times: Option<u32>,
        /// Whose sessions only.
        account: Option<String>,
        /// How likely.
        probability: Option<f64>,
        /// How much later, in milliseconds.
        after: Option<u64>,
    },
    /// All faults.
    FaultList,
    /// Clear faults.
    FaultClear {
        /// A target or a number; all without it.
        which: Option<String>,
    },
    /// Explain a session.
    Why {
        /// Its token.
        session: String,
    },
    /// Every log line from now on, one string a line.
    LogFollow,
    /// Domains whose mail is ours.
    DomainList,
    /// What to publish of one.
    DomainDns {
        /// Its name.
        domain: String,
    },
    /// What is published of it.
    DomainCheck {
        /// Its name.
        domain: String,
    },
    /// Live connections.
    SessionList {
        /// Of this account only.
        #[serde(default)]
        address: Option<String>,
    },
    /// End a session or all of an account.
    SessionEnd {
        /// A session token or an address.
        which: String,
    },
    /// Make an account.
    AccountAdd {
        /// Its address.
        address: String,
        /// Its password, if any.
        password: Option<String>,
        /// May look after the server on the web.
        #[serde(default)]
        administrator: bool,
    },
    /// Make a link to set the password with.
    AccountInvite {
        /// Whose.
        address: String,
    },
    /// Make an administrator, or no longer one.
    AccountAdmin {
        /// Whose.
        address: String,
        /// Which of both.
        administrator: bool,
    },
    /// All accounts.
    AccountList,
    /// One account.
    AccountShow {
        /// Whose.
        address: String,
    },
    /// What happened, newest first.
    Activity {
        /// In whose account; without it, what was changed of the server.
        address: Option<String>,
        /// At most so many.
        limit: usize,
        /// Only this sort, by its name.
        #[serde(default)]
        only: Option<String>,
    },
    /// How the server does.
    Health,
    /// Set a password.
    AccountPassword {
        /// Whose.
        address: String,
        /// The new one.
        password: String,
    },
    /// Remove the second factor.
    AccountResetFactor {
        /// Whose.
        address: String,
        /// Passkeys too.
        passkeys: bool,
    },
    /// Suspend or resume.
    AccountSuspend {
        /// Whose.
        address: String,
        /// Which of both.
        suspended: bool,
    },
    /// Forget who its owner is at external providers.
    AccountUnbind {
        /// Whose.
        address: String,
    },
    /// Remove an account with its mail.
    AccountRemove {
        /// Whose.
        address: String,
    },
    /// Make an app password.
    AppPasswordAdd {
        /// Whose.
        address: String,
        /// What it is for.
        name: String,
        /// Services, as on the command line; empty is all.
        #[serde(default)]
        only: Vec<String>,
        /// Networks; empty is from anywhere.
        #[serde(default)]
        from: Vec<String>,
        /// Its end, in milliseconds since 1970.
        #[serde(default)]
        until: Option<i64>,
    },
    /// Those of an account.
    AppPasswordList {
        /// Whose.
        address: String,
    },
    /// End one.
    AppPasswordRevoke {
        /// Whose.
        address: String,
        /// Which.
        id: String,
    },
    /// Client certificates.
    Certificate {
        /// What about them.
        ask: crate::certificates::Ask,
    },
    /// Those of an account.
    GrantList {
        /// Whose.
        address: String,
    },
    /// End one.
    GrantRevoke {
        /// Whose.
        address: String,
        /// Which.
        id: String,
    },
    /// OAuth clients.
    App {
        /// What about them.
        ask: crate::apps::Ask,
    },
    /// Keys that sign tokens.
    Key {
        /// What about them.
        ask: crate::keys::Ask,
    },
    /// Labels of an account.
    Label {
        /// Whose.
        address: String,
        /// What about them.
        ask: crate::labels::Ask,
    },
    /// Verify everything.
    StoreCheck,
}

/// One line back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Done; what was asked for.
    Ok(Value),
    /// Not done.
    No {
        /// The exit status of the command.
        status: u8,
        /// Why, for people.
        text: String,
    },
}
