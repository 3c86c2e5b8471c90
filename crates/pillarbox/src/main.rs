//! The one program: configuration, listeners, TLS, the clocks, the loop that drives every conversation, the command
//! line. It connects the floors and has no rule of its own about mail.
#![forbid(unsafe_code)]

mod admin;
mod apps;
mod at_rest;
mod binding;
mod certificates;
mod cli;
mod client_certificates;
mod clock;
mod commands;
mod config;
mod dev;
mod dns;
mod doors;
mod driver;
mod external;
mod failure;
mod faults;
mod house;
mod journal;
mod keys;
mod labels;
mod listen;
mod offline;
mod pages;
mod random;
mod serve;
mod services;
mod suggest;
mod tls;
mod traces;
mod trail;
mod upkeep;
mod user;
mod web;
mod wire_log;

use clap::Parser;
use cli::{Cli, Command, StoreVerb};
use commands::Where;
use failure::Failure;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// What is still running after the orderly end gets this long before the process goes.
const AFTER_THE_END: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let (status, text) = match error.downcast_ref::<Failure>() {
                Some(failure) => (failure.status, failure.in_full()),
                None => (3, format!("{error:#}")),
            };
            if !text.is_empty() {
                // Without a standard error there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            ExitCode::from(status)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<u8> {
    let file = cli
        .config
        .as_deref()
        .filter(|path| !path.as_os_str().is_empty());
    let admin = cli
        .admin
        .as_deref()
        .filter(|path| !path.as_os_str().is_empty());
    let server = Where {
        admin,
        config: file,
    };
    match cli.command {
        Command::Dev(dev) => match dev.verb {
            Some(verb) => commands::dev_verb(&verb, &server)?,
            None => return in_runtime(dev::run(&dev.run)),
        },
        Command::Store(StoreVerb::Check {
            json,
            data: Some(folder),
        }) => in_runtime(offline::check(&folder, json))?,
        Command::Serve => in_runtime(serve::serve(file))?,
        Command::Config(verb) => config::show::run(&verb, file)?,
        Command::Login(login) => in_runtime(user::login(login, &server))?,
        Command::Logout(logout) => in_runtime(user::logout(logout))?,
        Command::Mail(verb) => in_runtime(user::mail(verb, &server))?,
        Command::Token(cli::Token {
            for_person: Some(address),
            ..
        }) => in_runtime(user::token_for(address, &server))?,
        command => commands::run(command, &server)?,
    }
    Ok(0)
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Both libraries panic at first use if two providers are compiled in and none was chosen. An error means that one
    // was chosen before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(AFTER_THE_END);
    result
}
