//! Feeds the audit trails of people from what mail sessions report, and writes them.

use crate::house::House;
use pillarbox_oauth::{Act, Deed, Identity, Service};
use pillarbox_protocols::events::{Event, What};
use pillarbox_protocols::sessions::Protocol;
use std::sync::Arc;
use std::time::Duration;

/// How often trails are written: one commit an account, however much happened meanwhile. Earlier if much has come together.
const WRITE_EVERY: Duration = Duration::from_secs(3);

/// Records what concerns a person. Never waits.
pub fn feed(identity: &Identity, event: &Event) {
    let service = match event.protocol {
        Protocol::Imap => Service::Imap,
        Protocol::Pop3 => Service::Pop3,
        Protocol::Submission => Service::Submission,
        // Other servers are nobody of ours.
        Protocol::Incoming => return,
    };
    let act = |deed, method: &'static str| Act {
        service: Some(service),
        method: Some(method.into()),
        ..Act::new(deed, event.at).from(Some(event.peer))
    };
    match &event.what {
        What::SignedIn {
            address,
            mechanism,
            app,
            credential,
            ..
        } => {
            let act = Act {
                app: app.clone(),
                credential: Some(credential.clone()),
                ..act(Deed::SignedIn, mechanism)
            };
            identity.record_for(address, act);
        }
        What::Refused {
            offered,
            mechanism,
            cause,
            ..
        } => identity.record_for(
            offered,
            act(Deed::Refused, mechanism).detail(cause.as_str()),
        ),
        _ => {}
    }
}

/// Writes for ever.
pub async fn keep(house: Arc<House>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WRITE_EVERY) => {}
            () = house.identity.much_activity() => {}
        }
        house.identity.write_activity().await;
    }
}
