//! Commands on a data folder whose server does not run. The store's lock keeps the two apart.

use crate::admin::answer::report_json;
use crate::commands::store_report;
use crate::failure::Failure;
use crate::{random, serve};
use anyhow::Result;
use pillarbox_store::mail::Store;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// `store check --data DIR`
pub async fn check(folder: &Path, json: bool) -> Result<()> {
    let store = folder.join("store");
    if !store.is_dir() {
        let text = format!(
            "{} is not a data folder: it holds no store",
            folder.display()
        );
        return Err(Failure::could_not(text).into());
    }
    let (engine, blobs) = serve::open_store(Some(store)).await?;
    let store = Store::open(engine, blobs, random::source()).await?;
    let shows = std::io::stderr().is_terminal();
    let mut progress = |accounts: u64, problems: u64| {
        if shows {
            // Who does not want to see it has closed it.
            let _ = write!(
                std::io::stderr(),
                "\r{accounts} accounts, {problems} problems"
            );
        }
    };
    let report = store.check(&mut progress).await?;
    if shows {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Ok(store_report(&report_json(&report), json)?)
}
