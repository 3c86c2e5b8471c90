//! The table of options: each is declared here and nowhere else.

use super::raw::Raw;
use super::{Config, Passwords, Registration, TlsMode};
use crate::failure::Failure;
use crate::journal::{Format, Level};
use crate::listen::{Service, Wanted};

/// One option.
pub struct Spec {
    /// As in the file, sections joined by dots.
    pub key: &'static str,
    /// As it would stand in the file.
    pub default: &'static str,
    /// One sentence for `config show`.
    pub help: &'static str,
    /// More, for `config explain`.
    pub more: &'static str,
    /// Whether SIGHUP is enough.
    pub reload: bool,
    /// Reads a value.
    pub set: fn(&mut Config, &Raw) -> Result<(), String>,
}

impl Spec {
    /// `session.imap-per-account` is `PILLARBOX_SESSION_IMAP_PER_ACCOUNT`.
    pub fn variable(&self) -> String {
        format!(
            "PILLARBOX_{}",
            self.key.replace(['.', '-'], "_").to_uppercase()
        )
    }

    /// The default, read like a line of the file.
    pub(super) fn default_raw(&self) -> Result<Raw, Failure> {
        let broken = || Failure::could_not(format!("the default of {} cannot be read", self.key));
        let parsed = toml::de::DeValue::parse(self.default).map_err(|_| broken())?;
        Raw::from_toml(parsed.get_ref()).map_err(|_| broken())
    }
}

/// All options, in the order `config show` prints them.
pub const OPTIONS: &[Spec] = &[
    Spec {
        key: "domain",
        default: "\"\"",
        help: "the mail domain",
        more: "Addresses of this domain are delivered here.",
        reload: false,
        set: |c, raw| host_name(raw).map(|text| c.domain = text),
    },
    Spec {
        key: "host",
        default: "\"\"",
        help: "the name of this server, as clients and other servers know it",
        more: "It stands in greetings, in the certificate of tls.mode = \"private\", and in the issuer's address.",
        reload: false,
        set: |c, raw| host_name(raw).map(|text| c.host = text),
    },
    Spec {
        key: "data",
        default: "\"\"",
        help: "folder of everything durable",
        more: "Accounts, mail, keys. Belongs to one server at a time, and to its user alone: others must not look into it.",
        reload: false,
        set: |c, raw| raw.text().map(|text| c.data = text.into()),
    },
    Spec {
        key: "listen.imap",
        default: "[\"[::]:993\"]",
        help: "addresses for IMAP over TLS; an empty list closes the service",
        more: "",
        reload: false,
        set: |c, raw| listen(c, raw, Service::Imap),
    },
    Spec {
        key: "listen.pop",
        default: "[\"[::]:995\"]",
        help: "addresses for POP over TLS",
        more: "",
        reload: false,
        set: |c, raw| listen(c, raw, Service::Pop),
    },
    Spec {
        key: "listen.submission",
        default: "[\"[::]:465\", \"[::]:587\"]",
        help: "addresses where mail programs send; 587 is STARTTLS",
        more: "Ports 587 and 1587 begin in clear and need STARTTLS, all others begin with TLS. \
               Write \"[::]:2525/starttls\" or \"[::]:587/tls\" to say otherwise.",
        reload: false,
        set: |c, raw| listen(c, raw, Service::Smtps),
    },
    Spec {
        key: "listen.incoming",
        default: "[\"[::]:25\"]",
        help: "addresses where other servers deliver",
        more: "",
        reload: false,
        set: |c, raw| listen(c, raw, Service::Incoming),
    },
    Spec {
        key: "listen.web",
        default: "[\"[::]:443\"]",
        help: "addresses of pages and endpoints, HTTPS",
        more: "",
        reload: false,
        set: |c, raw| listen(c, raw, Service::Web),
    },
    Spec {
        key: "tls.mode",
        default: "\"acme\"",
        help: "where the certificate comes from: acme, files or private",
        more: "acme is not built yet. files needs tls.certificate-file and tls.key-file. private makes an authority of \
               its own in the data folder (authority/ca.pem), which clients must be told to trust.",
        reload: true,
        set: |c, raw| {
            let modes = [
                ("acme", TlsMode::Acme),
                ("files", TlsMode::Files),
                ("private", TlsMode::Private),
            ];
            raw.choice(&modes).map(|mode| c.tls_mode = mode)
        },
    },
    Spec {
        key: "tls.certificate-file",
        default: "\"\"",
        help: "PEM file with the certificate and its chain, for tls.mode = \"files\"",
        more: "Read again on SIGHUP.",
        reload: true,
        set: |c, raw| raw.text().map(|text| c.certificate_file = text.into()),
    },
    Spec {
        key: "tls.key-file",
        default: "\"\"",
        help: "PEM file with the private key, for tls.mode = \"files\"",
        more: "Read again on SIGHUP. Its owner reads it, and at most a group.",
        reload: true,
        set: |c, raw| raw.text().map(|text| c.key_file = text.into()),
    },
    Spec {
        key: "sign-in.mechanisms",
        default: "[\"XOAUTH2\", \"OAUTHBEARER\", \"PLAIN\"]",
        help: "SASL mechanisms offered: XOAUTH2, OAUTHBEARER, PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS, EXTERNAL",
        more: "What passwords PLAIN and LOGIN take is decided by sign-in.passwords; the SCRAM mechanisms prove app passwords, under the account's own address. \
               Where EXTERNAL is listed, clients are asked for a certificate in TLS, and those whose key was registered \
               (pillarbox client-certificate) may sign in with it.",
        reload: false,
        set: |c, raw| raw.mechanisms().map(|list| c.mechanisms = list),
    },
    Spec {
        key: "sign-in.imap.mechanisms",
        default: "[]",
        help: "the same for IMAP alone; empty means sign-in.mechanisms",
        more: "",
        reload: false,
        set: |c, raw| {
            raw.mechanisms()
                .map(|list| c.imap_mechanisms = Some(list).filter(|list| !list.is_empty()))
        },
    },
    Spec {
        key: "sign-in.pop.mechanisms",
        default: "[]",
        help: "the same for POP alone; empty means sign-in.mechanisms",
        more: "",
        reload: false,
        set: |c, raw| {
            raw.mechanisms()
                .map(|list| c.pop_mechanisms = Some(list).filter(|list| !list.is_empty()))
        },
    },
    Spec {
        key: "sign-in.smtp.mechanisms",
        default: "[]",
        help: "the same for submission alone; empty means sign-in.mechanisms",
        more: "Where it is empty, LOGIN is offered beside PLAIN, because old programs know nothing else.",
        reload: false,
        set: |c, raw| {
            raw.mechanisms()
                .map(|list| c.smtp_mechanisms = Some(list).filter(|list| !list.is_empty()))
        },
    },
    Spec {
        key: "sign-in.passwords",
        default: "\"app\"",
        help: "passwords mail programs may use: app, account or never",
        more: "app: app passwords only. account: the account's own as well, for programs that know nothing else. \
               never: tokens only.",
        reload: false,
        set: |c, raw| {
            let kinds = [
                ("app", Passwords::App),
                ("account", Passwords::Account),
                ("never", Passwords::Never),
            ];
            raw.choice(&kinds).map(|kind| c.passwords = kind)
        },
    },
    Spec {
        key: "session.imap",
        default: "\"24h\"",
        help: "longest life of one IMAP connection signed in with a password",
        more: "",
        reload: false,
        set: |c, raw| raw.duration().map(|span| c.imap_session = span),
    },
    Spec {
        key: "session.pop",
        default: "\"7d\"",
        help: "longest life of one POP connection signed in with a password",
        more: "",
        reload: false,
        set: |c, raw| raw.duration().map(|span| c.pop_session = span),
    },
    Spec {
        key: "session.smtp",
        default: "\"24h\"",
        help: "longest life of one SMTP connection signed in with a password",
        more: "",
        reload: false,
        set: |c, raw| raw.duration().map(|span| c.smtp_session = span),
    },
    Spec {
        key: "session.token",
        default: "\"1h\"",
        help: "life of an access token, and so of any connection that used it",
        more: "",
        reload: false,
        set: |c, raw| raw.duration().map(|span| c.token = span),
    },
    Spec {
        key: "session.imap-per-account",
        default: "15",
        help: "IMAP connections one account may have at once",
        more: "",
        reload: false,
        set: |c, raw| raw.count(10_000).map(|count| c.imap_per_account = count),
    },
    Spec {
        key: "oauth.issuer",
        default: "\"\"",
        help: "the issuer's address; empty means https:// and the host",
        more: "Tokens name it, and clients check it: keep it once tokens are out.",
        reload: false,
        set: |c, raw| issuer(raw).map(|text| c.issuer = text),
    },
    Spec {
        key: "oauth.registration",
        default: "\"off\"",
        help: "whether programs may register themselves: off, approval or open",
        more: "approval: each waits for pillarbox app approve. open: they may begin, and people are told that nobody looked at them.",
        reload: false,
        set: |c, raw| {
            let kinds = [
                ("off", Registration::Off),
                ("approval", Registration::Approval),
                ("open", Registration::Open),
            ];
            raw.choice(&kinds).map(|kind| c.registration = kind)
        },
    },
    Spec {
        key: "dns.servers",
        default: "[]",
        help: "name servers to ask, with a port where it is not 53; empty means those of /etc/resolv.conf",
        more: "They must answer for the whole internet (recursive). Asked whether the records of a domain are published \
               (pillarbox domain check). A development server asks nobody unless this is set.",
        reload: false,
        set: |c, raw| raw.name_servers().map(|servers| c.dns_servers = servers),
    },
    Spec {
        key: "limits.message",
        default: "\"25 MiB\"",
        help: "size of attachments a message may have",
        more: "What is announced is this after base64, with room for headers: 25 MiB is SIZE 35882577.",
        reload: false,
        set: |c, raw| {
            let octets = raw.octets()?;
            if octets > 1 << 30 {
                return Err("at most \"1 GiB\"".into());
            }
            c.message_octets = octets;
            Ok(())
        },
    },
    Spec {
        key: "limits.recipients",
        default: "100",
        help: "recipients one message may have",
        more: "",
        reload: false,
        set: |c, raw| raw.count(10_000).map(|count| c.recipients = count),
    },
    Spec {
        key: "log.format",
        default: "\"text\"",
        help: "text for people, json for programs",
        more: "",
        reload: true,
        set: |c, raw| {
            raw.choice(&[("text", Format::Text), ("json", Format::Json)])
                .map(|format| c.log_format = format)
        },
    },
    Spec {
        key: "log.level",
        default: "\"info\"",
        help: "the least important event that is logged: error, warn, info or debug",
        more: "",
        reload: true,
        set: |c, raw| {
            let levels = [
                ("error", Level::Error),
                ("warn", Level::Warn),
                ("info", Level::Info),
                ("debug", Level::Debug),
            ];
            raw.choice(&levels).map(|level| c.log_level = level)
        },
    },
];

fn host_name(raw: &Raw) -> Result<String, String> {
    let text = raw.text()?.to_ascii_lowercase();
    let legal = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    if text.chars().all(legal) && text.len() <= 253 {
        Ok(text)
    } else {
        Err("a host name is expected".into())
    }
}

fn issuer(raw: &Raw) -> Result<String, String> {
    let text = raw.text()?.trim_end_matches('/');
    if text.is_empty() || text.starts_with("https://") {
        Ok(text.into())
    } else {
        Err("an https:// address is expected".into())
    }
}

/// Submission's two ways share one list; a port says which.
fn listen(config: &mut Config, raw: &Raw, service: Service) -> Result<(), String> {
    for (address, word) in raw.addresses()? {
        let starttls = match word.as_deref() {
            None => matches!(address.port(), 587 | 1587),
            Some("starttls") => true,
            Some("tls") => false,
            Some(other) => return Err(format!("/{other}: /tls or /starttls is expected")),
        };
        let service = if service == Service::Smtps && starttls {
            Service::Submission
        } else {
            service
        };
        config.listen.push(Wanted { service, address });
    }
    Ok(())
}
