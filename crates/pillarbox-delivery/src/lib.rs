//! Mail in and out: who a recipient is, what is done to a message's header, and how one accepted message becomes one
//! body and a record for each local recipient, a copy in Sent, or an entry of the captured outbox. And the one resolver ([`dns`]).
//!
//! **Acknowledged means durable.** [`Acceptance::finish`] answers after every commit. If one of several fails, the whole
//! message is refused for now and its text and envelope are remembered, so that the sender's next attempt carries the
//! same dedup keys and whoever has it already does not get it twice. That memory does not outlive the process: after a
//! crash between two commits an unacknowledged message may arrive twice (RFC 1047), never not at all. Keys made of the
//! text alone would also close that gap, and swallow mail that somebody sends twice on purpose.
//!
//! Deliberately absent: replies and their codes (each protocol has its own), outgoing mail (a queue comes later),
//! judging mail (signatures, spam).
#![forbid(unsafe_code)]

mod accept;
pub mod dns;
mod join;
mod line_ends;
mod outbox;
mod top;
mod trace;
mod unfinished;

pub use accept::{Acceptance, Accepted, Letter, Way};
pub use outbox::Captured;
pub use trace::Trace;

use pillarbox_store::mail::{AccountId, Millis, Naming, Store, StoreError};
use pillarbox_wire::smtp::{Address, Domain, ForwardPath};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use unfinished::Unfinished;

/// Fills a slice with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Accounts read at a time when the domains are gathered.
const ACCOUNTS_PER_READ: usize = 500;

/// How this server takes mail.
#[derive(Clone, Debug)]
pub struct Config {
    /// This server's name: in Received, and right of the `@` in Message-IDs we make.
    pub host: String,
    /// The product's name, in Received.
    pub product: String,
    /// Domains whose unknown users do not exist. Those of existing accounts belong to them without being named.
    pub domains: Vec<String>,
    /// What happens to mail for elsewhere.
    pub outbox: Outbox,
    /// Whose mail for `postmaster` is (RFC 5321 §4.5.1) where no such account exists; None is the first account.
    pub postmaster: Option<String>,
    /// See [`Limits`].
    pub limits: Limits,
}

impl Config {
    /// A server of this name that sends nothing elsewhere.
    pub fn new(host: impl Into<String>, product: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            product: product.into(),
            domains: Vec::new(),
            outbox: Outbox::Refuse,
            postmaster: None,
            limits: Limits::default(),
        }
    }
}

/// What happens to submitted mail for elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbox {
    /// It is kept in the inbox of this address, an account of its own, and goes nowhere: for development.
    Captured(String),
    /// It is refused.
    Refuse,
}

/// What a sender can make us hold or do for one message.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the header, which is held in memory while it is looked at. Real ones stay below 50 kB.
    pub header_bytes_max: usize,
    /// Received fields: more is a loop (wire §5.3).
    pub hops_max: usize,
    /// Messages remembered because some of their recipients have them and the sender does not know; a hundred bytes each.
    pub unfinished_max: usize,
    /// For how long. Senders give up after five days (RFC 5321 §4.5.4.1); the store forgets dedup keys after seven.
    pub unfinished_millis: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes_max: 256 * 1024,
            hops_max: 50,
            unfinished_max: 10_000,
            unfinished_millis: 5 * 24 * 3600 * 1000,
        }
    }
}

/// Where a recipient's mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To an account here.
    Local {
        /// Whose.
        account: AccountId,
        /// The address as the sender knows it.
        address: String,
    },
    /// To another server.
    Elsewhere {
        /// The address.
        address: String,
    },
}

impl Destination {
    /// The address as the sender knows it.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Local { address, .. } | Self::Elsewhere { address } => address,
        }
    }
}

/// Why a recipient or a message is not taken. Each protocol turns these into its own replies in one place.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The domain is ours and has no such user.
    #[error("no such user")]
    NoSuchUser,
    /// The account is suspended.
    #[error("the recipient's account is suspended")]
    Suspended,
    /// The sender's own account was suspended meanwhile.
    #[error("the sender's account is suspended")]
    SenderSuspended,
    /// The recipient's mailbox is full.
    #[error("the recipient is over quota")]
    OverQuota,
    /// The sender's own mailbox is full: no copy could be kept in Sent.
    #[error("the sender is over quota")]
    SenderOverQuota,
    /// Mail from outside for elsewhere.
    #[error("this server does not relay")]
    NotRelayed,
    /// Submitted mail for elsewhere, and outgoing mail does not exist here.
    #[error("outgoing mail is not available")]
    NoOutgoing,
    /// A submitted message without an author (wire §5.3).
    #[error("the From header is missing")]
    NoFrom,
    /// A submitted message with several authors (wire §5.3).
    #[error("there are several addresses or From headers")]
    ManyFrom,
    /// A submitted message has a field twice that may be there once (RFC 5322 §3.6, wire §5.3).
    #[error("the {0} header is there more than once")]
    Repeated(&'static str),
    /// More Received fields than [`Limits::hops_max`].
    #[error("too many hops")]
    TooManyHops,
    /// More bytes than [`Limits::header_bytes_max`].
    #[error("the header is too long")]
    HeaderTooLong,
    /// A line feed without its carriage return came from another server.
    #[error("a bare line feed")]
    BareLineFeed,
    /// The store's fault, in its words.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One server's ways of taking mail. Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    store: Store,
    config: Config,
    random: Random,
    domains: Mutex<HashSet<String>>,
    outbox: Option<AccountId>,
    unfinished: Mutex<Unfinished>,
}

impl Delivery {
    /// Opens it: gathers the domains of the accounts, and makes the account of a captured outbox if there is to be one.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn open(
        store: Store,
        config: Config,
        random: Random,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let outbox = match &config.outbox {
            Outbox::Captured(address) => Some(outbox_account(&store, address, now).await?),
            Outbox::Refuse => None,
        };
        let mut domains: HashSet<String> = config
            .domains
            .iter()
            .map(|name| name.to_lowercase())
            .collect();
        let mut after: Option<String> = None;
        loop {
            let accounts = store.accounts(after.as_deref(), ACCOUNTS_PER_READ).await?;
            domains.extend(
                accounts
                    .iter()
                    .filter_map(|(address, _)| domain_of(address)),
            );
            match accounts.into_iter().last() {
                Some((address, _)) => after = Some(address),
                None => break,
            }
        }
        let unfinished = Mutex::new(Unfinished::new(
            config.limits.unfinished_max,
            config.limits.unfinished_millis,
        ));
        let domains = Mutex::new(domains);
        Ok(Self(Arc::new(Inner {
            store,
            config,
            random,
            domains,
            outbox,
            unfinished,
        })))
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Makes a domain ours from now on, as when its first account is made.
    pub fn add_domain(&self, name: &str) {
        self.domains().insert(name.to_lowercase());
    }

    /// Who a recipient is and whether its mail can be taken now. `ada+tag@...` is `ada@...` unless it has an account of
    /// its own (RFC 5233 §1).
    ///
    /// # Errors
    /// [`Refused`], for this recipient alone.
    pub async fn recipient(&self, path: &ForwardPath, way: &Way) -> Result<Destination, Refused> {
        let (account, address) = match path {
            ForwardPath::Postmaster => (self.postmaster(None).await?, "postmaster".to_owned()),
            ForwardPath::Address(address) => (self.find(address).await?, address.to_string()),
        };
        if let Some(account) = account {
            self.may_receive(&account, 0).await?;
            return Ok(Destination::Local { account, address });
        }
        let ours = path
            .address()
            .is_none_or(|address| self.is_ours(address.domain()));
        match (way, self.0.outbox.is_some()) {
            _ if ours => Err(Refused::NoSuchUser),
            (Way::Incoming, _) => Err(Refused::NotRelayed),
            (Way::Submission { .. }, false) => Err(Refused::NoOutgoing),
            (Way::Submission { .. }, true) => Ok(Destination::Elsewhere { address }),
        }
    }

    /// Begins to take a message.
    #[must_use]
    pub fn accept(&self, letter: Letter) -> Acceptance {
        Acceptance::new(self.clone(), letter)
    }

    async fn find(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        let normal = address.normal();
        let store = &self.0.store;
        if let Some(account) = store.account_of(&normal).await? {
            self.domains().extend(domain_of(&normal));
            return Ok(Some(account));
        }
        if let Some(plain) = without_tag(&normal)
            && let Some(account) = store.account_of(&plain).await?
        {
            return Ok(Some(account));
        }
        let Some((local, domain)) = normal.rsplit_once('@') else {
            return Ok(None);
        };
        match local.eq_ignore_ascii_case("postmaster") && self.is_ours(address.domain()) {
            true => self.postmaster(Some(domain)).await,
            false => Ok(None),
        }
    }

    /// RFC 5321 §4.5.1: somebody reads what is sent to postmaster.
    async fn postmaster(&self, domain: Option<&str>) -> Result<Option<AccountId>, StoreError> {
        let store = &self.0.store;
        let named = domain.unwrap_or(&self.0.config.host);
        let candidates = [
            Some(format!("postmaster@{named}")),
            self.0.config.postmaster.clone(),
        ];
        for address in candidates.into_iter().flatten() {
            if let Some(account) = store.account_of(&address).await? {
                return Ok(Some(account));
            }
        }
        let first = store
            .accounts(None, 2)
            .await?
            .into_iter()
            .map(|(_, account)| account);
        Ok(first
            .into_iter()
            .find(|account| Some(account) != self.0.outbox.as_ref()))
    }

    fn is_ours(&self, domain: &Domain) -> bool {
        match domain {
            Domain::Name(name) => self.domains().contains(&name.as_str().to_lowercase()),
            Domain::V4(_) | Domain::V6(_) => false,
        }
    }

    /// Whether an account takes mail and has room for `octets` more.
    async fn may_receive(&self, account: &AccountId, octets: u64) -> Result<(), Refused> {
        let account = self.0.store.account(account);
        let settings = account.settings().await?;
        if settings.suspended {
            return Err(Refused::Suspended);
        }
        if let Some(quota) = settings.quota {
            let (used, _) = account.usage().await?;
            let full = used >= quota || used.saturating_add(octets) > quota;
            return if full {
                Err(Refused::OverQuota)
            } else {
                Ok(())
            };
        }
        Ok(())
    }

    fn domains(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0
            .domains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn unfinished(&self) -> MutexGuard<'_, Unfinished> {
        self.0
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn outbox_account(
    store: &Store,
    address: &str,
    now: Millis,
) -> Result<AccountId, StoreError> {
    match store.account_of(address).await? {
        Some(account) => Ok(account),
        None => store.create_account(address, Naming::Plain, now).await,
    }
}

fn domain_of(address: &str) -> Option<String> {
    address
        .rsplit_once('@')
        .map(|(_, domain)| domain.to_lowercase())
}

/// `ada+tag@...` as `ada@...` (RFC 5233 §1).
fn without_tag(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (user, _) = local.split_once('+').filter(|(user, _)| !user.is_empty())?;
    Some(format!("{user}@{domain}"))
}
