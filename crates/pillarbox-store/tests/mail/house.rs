//! A store with one account, and short words for what tests do with it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use pillarbox_message::{Facts, Limits};
use pillarbox_store::{
    Account, AccountId, Appended, Flags, Mailbox, MailboxId, Naming, NewMessage, Random, Role, Row,
    Store, SystemFlags, Uid,
    blob::{BlobId, Blobs, MemoryBlobs},
    engine::{Engine, MemoryEngine},
};

pub const NOW: i64 = 1_800_000_000_000;

/// Numbers that look random and are the same in every run.
pub fn random(seed: u64) -> Random {
    let state = AtomicU64::new(seed);
    Arc::new(move |out: &mut [u8]| {
        for byte in out {
            let n = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (n >> 40) as u8;
        }
    })
}

pub struct House {
    pub engine: Arc<dyn Engine>,
    pub blobs: Arc<dyn Blobs>,
    pub store: Store,
    pub id: AccountId,
    pub ada: Account,
}

impl House {
    pub async fn new() -> Self {
        Self::over(
            Arc::new(MemoryEngine::default()),
            Arc::new(MemoryBlobs::new()),
        )
        .await
    }

    pub async fn over(engine: Arc<dyn Engine>, blobs: Arc<dyn Blobs>) -> Self {
        let store = Store::open(engine.clone(), blobs.clone(), random(1))
            .await
            .unwrap();
        let made = store.create_account("Ada@Example.org", Naming::Plain, NOW);
        let id = made.await.unwrap();
        Self {
            ada: store.account(&id),
            engine,
            blobs,
            store,
            id,
        }
    }

    /// A message to be stored, its body already in the blobs.
    pub async fn mail(&self, head: &str, at: i64) -> NewMessage {
        mail(&self.store, head, at).await
    }

    /// A message of its own in `role`'s mailbox.
    pub async fn put(&self, role: Role, name: &str) -> Appended {
        let head = format!("Message-ID: <{name}@t>\r\nSubject: {name}\r\n");
        let mail = self.mail(&head, NOW).await;
        self.ada.append(self.of(role).await, mail).await.unwrap()
    }

    pub async fn of(&self, role: Role) -> MailboxId {
        self.ada.mailbox_of(role).await.unwrap().id
    }

    pub async fn label(&self, name: &str) -> Mailbox {
        self.ada.create(name, None, NOW).await.unwrap()
    }

    pub async fn uids(&self, role: Role) -> Vec<u32> {
        uids(&self.ada, self.of(role).await).await
    }

    /// Nothing is wrong with what is stored.
    pub async fn is_sound(&self) {
        let report = self.store.check(&mut |_, _| {}).await.unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

pub async fn uids(account: &Account, mailbox: MailboxId) -> Vec<u32> {
    let (_, _, uids) = account.uids(mailbox).await.unwrap();
    uids.into_iter().map(|uid| uid.0).collect()
}

pub async fn row(account: &Account, mailbox: MailboxId, uid: Uid) -> Row {
    let (_, mut rows) = account.rows(mailbox, &[uid.0..=uid.0]).await.unwrap();
    rows.pop().unwrap()
}

pub async fn mail(store: &Store, head: &str, at: i64) -> NewMessage {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let body = Bytes::from(format!("{head}\r\nHello.\r\n"));
    let mut unique = [0; 10];
    unique[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let blob = BlobId::new(at as u64, unique);
    store.blobs().put(blob, vec![body.clone()]).await.unwrap();
    NewMessage {
        blob,
        size: body.len() as u32,
        facts: Facts::parse(&body, &Limits::default()).into_bytes().into(),
        digest: *blake3::hash(&body).as_bytes(),
        flags: Flags::default(),
        received: at,
    }
}

pub fn flags(system: u8, keywords: &[&str]) -> Flags {
    Flags {
        system: SystemFlags(system),
        keywords: keywords.iter().map(|name| (*name).into()).collect(),
    }
}
