//! The command tree: noun, then verb; the commonest verb may be left out. Only shapes and help, no behaviour.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
#[command(
    name = "pillarbox",
    version,
    about = "Mail with IMAP, POP, SMTP and OAuth, as Gmail speaks them.",
    after_help = "Examples:\n  pillarbox dev                            a throw-away server on this machine\n  \
                  pillarbox token ada@example.test         an access token for it",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Address of the running server's local socket [default: found by itself]
    #[arg(
        long,
        global = true,
        env = "PILLARBOX_ADMIN",
        value_name = "SOCKET",
        hide_env_values = true
    )]
    pub admin: Option<PathBuf>,
    /// Configuration file of the server
    #[arg(
        long,
        global = true,
        env = "PILLARBOX_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Throw-away server on loopback, for development and tests
    Dev(Dev),
    /// Run the configured server
    Serve,
    /// Check, show or explain the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// People and their mailboxes
    #[command(subcommand)]
    Account(AccountVerb),
    /// Passwords for programs that know no OAuth
    #[command(subcommand)]
    AppPassword(AppPasswordVerb),
    /// Certificates that mail programs may sign in with
    #[command(subcommand)]
    ClientCertificate(crate::certificates::CertificateVerb),
    /// OAuth clients: apps that may ask people for access
    #[command(subcommand)]
    App(crate::apps::AppVerb),
    /// The keys this server signs tokens with
    #[command(subcommand)]
    Key(crate::keys::KeyVerb),
    /// Which app may do what for whom
    #[command(subcommand)]
    Grant(GrantVerb),
    /// Make, inspect or revoke a token
    Token(Token),
    /// What of a person's mail programs see over IMAP
    #[command(subcommand)]
    Label(crate::labels::LabelVerb),
    /// Domains whose mail is ours
    #[command(subcommand)]
    Domain(DomainVerb),
    /// Live mail connections
    #[command(subcommand)]
    Session(SessionVerb),
    /// What is on disk
    #[command(subcommand)]
    Store(StoreVerb),
    /// What happened
    #[command(subcommand)]
    Log(LogVerb),
    /// Why a session was refused or ended (short for: log why)
    Why(Why),
    /// How the server does
    Health {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Sign in as a user, by the browser or on another device
    Login(crate::user::Login),
    /// Forget a sign-in, and give it back
    Logout(crate::user::Logout),
    /// Send and read mail as a user
    #[command(subcommand)]
    Mail(crate::user::MailVerb),
    /// The wall clock of a development server
    #[command(subcommand)]
    Clock(ClockVerb),
    /// What goes wrong on purpose, in a development server
    #[command(subcommand)]
    Fault(FaultVerb),
    /// Version of this program
    Version,
}

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  pillarbox dev\n  pillarbox dev --ports auto --trust -- pytest"
)]
pub struct Dev {
    #[command(subcommand)]
    pub verb: Option<DevVerb>,
    #[command(flatten)]
    pub run: DevRun,
}

#[derive(Args)]
pub struct DevRun {
    /// `auto` takes free ports
    #[arg(long, value_name = "auto", value_parser = ["auto"], conflicts_with = "offset")]
    pub ports: Option<String>,
    /// Added to the usual ports
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=64_000))]
    pub offset: u16,
    /// Keep mail in this folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Read further settings from this file, [oauth.external.NAME] for example
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Print one JSON object when ready
    #[arg(long)]
    pub json: bool,
    /// Write that object to a file when every listener accepts
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Also make COMMAND trust the private CA (SSL_CERT_FILE and the like)
    #[arg(long, requires = "command")]
    pub trust: bool,
    /// Run this when ready, stop when it ends, return its status
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Subcommand)]
pub enum DevVerb {
    /// Print `export` lines for a shell
    Env,
    /// Stop the running development server
    Stop,
}

#[derive(Subcommand)]
pub enum ConfigVerb {
    /// Read everything without starting
    Check,
    /// All keys as they are
    Show {
        /// Who set each: flag, variable, line of the file, or default
        #[arg(long)]
        origin: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// What a key does
    Explain {
        /// As in the file, with dots: session.token
        key: String,
    },
}

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  pillarbox account add ada@example.org < password.txt\n  pillarbox account list --json"
)]
pub enum AccountVerb {
    /// Make an account; the password is read from standard input
    Add {
        /// The new address
        address: String,
        /// May look after the server on the web
        #[arg(long)]
        administrator: bool,
    },
    /// Make a link by which its owner sets the password; it works once, for a week
    Invite {
        /// Whose
        address: String,
    },
    /// What happened in it: sign-ins, refusals with their cause, changes
    Activity {
        /// Whose
        address: String,
        /// Only one sort
        #[arg(long, value_parser = ["changes", "sign-ins", "refused"])]
        only: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Let a person look after the server on the web, or no longer
    Admin {
        /// Whose
        address: String,
        /// on or off
        #[arg(value_parser = ["on", "off"])]
        switch: String,
    },
    /// All accounts
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// One account
    Show {
        /// Whose
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Set the password, read from standard input
    Password {
        /// Whose
        address: String,
    },
    /// Ask for the password alone again: for somebody who lost phone, passkeys and recovery codes
    ResetFactor {
        /// Whose
        address: String,
        /// Remove all passkeys too
        #[arg(long)]
        passkeys: bool,
    },
    /// Let nobody in, end its sessions, keep its mail
    Suspend {
        /// Whose
        address: String,
    },
    /// Let it in again
    Resume {
        /// Whose
        address: String,
    },
    /// Forget who its owner is at external providers: the next one they send with its address will be
    Unbind {
        /// Whose
        address: String,
    },
    /// Remove the account and all its mail
    Remove {
        /// Whose
        address: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub enum AppPasswordVerb {
    /// Make one; it is printed once
    Add {
        /// Whose
        address: String,
        /// What it is for
        #[arg(long, default_value = "app password")]
        name: String,
        /// Only for these services: imap, pop, smtp
        #[arg(long, value_delimiter = ',', value_parser = ["imap", "pop", "smtp"])]
        only: Vec<String>,
        /// Only from these networks, such as 192.0.2.0/24
        #[arg(long, value_delimiter = ',')]
        from: Vec<pillarbox_oauth::Network>,
        /// Ends with the beginning of this day, UTC, such as 2027-01-01
        #[arg(long)]
        until: Option<jiff::civil::Date>,
    },
    /// Those of an account
    List {
        /// Whose
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End one, and the sessions it opened
    Revoke {
        /// Whose
        address: String,
        /// As listed
        id: String,
    },
}

#[derive(Subcommand)]
pub enum GrantVerb {
    /// Those of an account
    List {
        /// Whose
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End one, its tokens and the sessions they opened
    Revoke {
        /// Whose
        address: String,
        /// As listed
        id: String,
    },
}

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  TOKEN=$(pillarbox token ada@example.test)\n  pillarbox token --for ada@example.org    # after: pillarbox login ada@example.org"
)]
pub struct Token {
    /// A fresh token of a person who signed in here (pillarbox login), on any server
    #[arg(long = "for", value_name = "ADDRESS", conflicts_with_all = ["address", "lifetime", "expired", "revoked", "scope", "refresh"])]
    pub for_person: Option<String>,
    #[command(subcommand)]
    pub verb: Option<TokenVerb>,
    #[command(flatten)]
    pub issue: Option<Issue>,
}

#[derive(Subcommand)]
pub enum TokenVerb {
    /// Make an access token and print it (development server only)
    Issue(Issue),
    /// Say what a token is and whether it is good; it is read from standard input
    Inspect {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End a token's grant and its sessions; it is read from standard input
    Revoke,
}

#[derive(Args)]
pub struct Issue {
    /// Whose mail it opens
    pub address: Option<String>,
    /// How long it lives, as 60s or 10m
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub lifetime: Option<Duration>,
    /// One that has already ended
    #[arg(long, conflicts_with = "lifetime")]
    pub expired: bool,
    /// One whose grant was revoked
    #[arg(long)]
    pub revoked: bool,
    /// Another scope than that of mail
    #[arg(long)]
    pub scope: Option<String>,
    /// Print a refresh token instead
    #[arg(long)]
    pub refresh: bool,
}

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  pillarbox domain dns example.org > zone.txt\n  pillarbox domain check example.org"
)]
pub enum DomainVerb {
    /// All of them, with their accounts
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// What to publish in the DNS, as lines of a zone file
    Dns {
        /// As listed
        domain: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Whether that is published
    Check {
        /// As listed
        domain: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub enum SessionVerb {
    /// All of them, with what opened each and why it will end
    List {
        /// Of this account only
        address: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End one by its id, or all of an account
    End {
        /// A session's id, as listed, or an address
        which: String,
    },
}

#[derive(Subcommand)]
pub enum StoreVerb {
    /// Verify every record and every body
    Check {
        /// The data folder of a server that does not run; without it the running server checks itself
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub enum LogVerb {
    /// Every line as it comes
    Follow,
    /// What administrators and their programs changed of the server
    Changes {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Why a session was refused or ended
    Why(Why),
}

#[derive(Args)]
pub struct Why {
    /// The session's id, as in the log and in greetings
    pub id: String,
}

#[derive(Subcommand)]
#[command(after_help = "Examples:\n  pillarbox clock advance 1h\n  pillarbox clock reset")]
pub enum ClockVerb {
    /// What time it is there
    Show,
    /// Move it forward, and say what that ended: mail sessions, and access tokens issued since the server started
    Advance {
        /// As 90s, 1h, 7d
        #[arg(value_parser = duration)]
        by: Duration,
    },
    /// Back to the system's time
    Reset,
}

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  pillarbox fault set imap.login overquota --times 1\n  pillarbox fault set oauth.refresh revoked"
)]
pub enum FaultVerb {
    /// All of them, in the order in which they are asked
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Set one
    Set(FaultSet),
    /// Clear all, or those that are named
    Clear {
        /// A target or a number, as listed
        which: Option<String>,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  pillarbox fault set imap.fetch delay 5s --account ada@example.test\n  pillarbox fault set 'smtp.*' drop --probability 0.1"
)]
pub struct FaultSet {
    /// SERVICE.COMMAND, or SERVICE.* (imap, pop, smtp, mx, oauth)
    pub target: String,
    /// refuse, overquota, too-many-connections, delay, drop, throttle, expired, half, revoked, invalid_grant, server_error, temporarily_unavailable, 500, 503
    pub kind: String,
    /// A duration for delay and expired, octets a second for throttle
    pub value: Option<String>,
    /// Only so often
    #[arg(long, value_name = "N")]
    pub times: Option<u32>,
    /// Only for sessions of this address
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Only this part of the times, above 0 and at most 1
    #[arg(long, value_name = "P")]
    pub probability: Option<f64>,
    /// Only when the server's clock has gone on so far
    #[arg(long, value_parser = short_duration, value_name = "DURATION")]
    pub after: Option<Duration>,
}

fn short_duration(text: &str) -> Result<Duration, String> {
    crate::faults::duration(text).ok_or_else(|| "write it with its unit, as 500ms, 5s or 1m".into())
}

/// `60s`, `30m`, `1h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text)
        .ok_or_else(|| "write it with its unit, as 60s, 30m, 1h or 7d".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen() {
        fn check(command: &mut clap::Command) {
            let lines = command.render_help().to_string().lines().count();
            assert!(
                lines <= 40,
                "{} has {lines} lines of help",
                command.get_name()
            );
            command.get_subcommands_mut().for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&mut command);
    }
}
