//! What can be set, and which of flag, variable, file and default won. Each option is declared once, in
//! [`options::OPTIONS`]; the file, the variables, `config show` and `config explain` follow from that.

pub mod external;
mod file;
pub mod options;
mod raw;
pub mod show;

use crate::failure::Failure;
use crate::journal::{Format, Level};
use crate::listen::Wanted;
use options::{OPTIONS, Spec};
pub use raw::{Raw, parse_duration};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `init` writes and `serve` looks when nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/pillarbox/pillarbox.toml";
/// The largest file that is read as configuration.
const FILE_OCTETS_MAX: u64 = 1_024 * 1_024;

/// How the certificate comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Fetched from a public authority.
    Acme,
    /// Read from files.
    Files,
    /// Issued by an authority of our own.
    Private,
}

/// Which passwords mail programs may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// App passwords only.
    App,
    /// The account's own as well.
    Account,
    /// None.
    Never,
}

/// Whether programs may register themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// No.
    Off,
    /// They wait for an administrator.
    Approval,
    /// They may begin.
    Open,
}

/// A SASL mechanism that can be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Mechanism {
    XOAuth2,
    OAuthBearer,
    Plain,
    Login,
    ScramSha256,
    ScramSha256Plus,
    External,
}

/// Everything that can be set, read and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The mail domain.
    pub domain: String,
    /// This server's name.
    pub host: String,
    /// Where everything durable lives. Empty: nowhere.
    pub data: PathBuf,
    /// Every listener.
    pub listen: Vec<Wanted>,
    /// See [`TlsMode`].
    pub tls_mode: TlsMode,
    /// PEM chain, for [`TlsMode::Files`].
    pub certificate_file: PathBuf,
    /// PEM key, for [`TlsMode::Files`].
    pub key_file: PathBuf,
    /// Offered on every service without a list of its own.
    pub mechanisms: Vec<Mechanism>,
    /// Offered on IMAP.
    pub imap_mechanisms: Option<Vec<Mechanism>>,
    /// Offered on POP.
    pub pop_mechanisms: Option<Vec<Mechanism>>,
    /// Offered on submission.
    pub smtp_mechanisms: Option<Vec<Mechanism>>,
    /// See [`Passwords`].
    pub passwords: Passwords,
    /// Longest life of an IMAP connection.
    pub imap_session: Duration,
    /// Longest life of a POP connection.
    pub pop_session: Duration,
    /// Longest life of an SMTP connection.
    pub smtp_session: Duration,
    /// Life of an access token.
    pub token: Duration,
    /// IMAP connections an account may have at once.
    pub imap_per_account: usize,
    /// The issuer's address; empty follows from `host`.
    pub issuer: String,
    /// See [`Registration`].
    pub registration: Registration,
    /// Providers elsewhere whose people may sign in here.
    pub external: Vec<external::ExternalProvider>,
    /// Name servers to ask; empty: this machine's.
    pub dns_servers: Vec<SocketAddr>,
    /// Largest message taken, in octets.
    pub message_octets: u64,
    /// Recipients of one message.
    pub recipients: usize,
    /// Log lines for people or for programs.
    pub log_format: Format,
    /// The least important event that is logged.
    pub log_level: Level,
}

/// Who set an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A line of the file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// The command line, or what `dev` fixes.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One option as it came out.
pub struct Chosen {
    /// Which option.
    pub spec: &'static Spec,
    /// As set.
    pub raw: Raw,
    /// By whom.
    pub origin: Origin,
}

/// The configuration with, for each option, who decided.
pub struct Resolved {
    /// Read and checked.
    pub config: Config,
    /// In the order of the table.
    pub chosen: Vec<Chosen>,
    /// Every key of every external provider.
    pub external: Vec<external::ExternalChosen>,
}

/// What the layers above the defaults say.
#[derive(Default)]
pub struct Layers<'a> {
    /// A file, if there is one.
    pub file: Option<&'a Path>,
    /// Defaults of `dev`, in place of those of the table.
    pub defaults: &'a [(&'static str, Raw)],
    /// The command line.
    pub flags: &'a [(&'static str, &'static str, Raw)],
}

impl Layers<'_> {
    /// Flag beats variable beats file beats default.
    pub fn resolve(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Resolved, Failure> {
        let from_file = match self.file {
            Some(path) => file::read(path)?,
            None => Vec::new(),
        };
        let mut config = Config::blank();
        let mut chosen = Vec::with_capacity(OPTIONS.len());
        for spec in OPTIONS {
            let (raw, origin) = self.choose(spec, &from_file, &variable)?;
            (spec.set)(&mut config, &raw).map_err(|why| wrong(spec, &raw, &origin, &why))?;
            chosen.push(Chosen { spec, raw, origin });
        }
        let (providers, external) = external::resolve(self.file, &from_file, &variable)?;
        config.external = providers;
        Ok(Resolved {
            config,
            chosen,
            external,
        })
    }

    fn choose(
        &self,
        spec: &'static Spec,
        file: &[file::Entry],
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<(Raw, Origin), Failure> {
        if let Some((_, flag, raw)) = self.flags.iter().find(|(key, ..)| *key == spec.key) {
            return Ok((raw.clone(), Origin::Flag(flag)));
        }
        let name = spec.variable();
        if let Some(text) = variable(&name) {
            return Ok((Raw::from_variable(&text), Origin::Variable(name)));
        }
        if let (Some(path), Some(entry)) =
            (self.file, file.iter().find(|entry| entry.key == spec.key))
        {
            return Ok((entry.raw.clone(), Origin::File(path.to_owned(), entry.line)));
        }
        if let Some((_, raw)) = self.defaults.iter().find(|(key, _)| *key == spec.key) {
            return Ok((raw.clone(), Origin::Default));
        }
        Ok((spec.default_raw()?, Origin::Default))
    }
}

fn wrong(spec: &Spec, raw: &Raw, origin: &Origin, why: &str) -> Failure {
    wrong_value(spec.key, raw, origin, why)
}

fn wrong_value(key: &str, raw: &Raw, origin: &Origin, why: &str) -> Failure {
    Failure::could_not(format!("{origin}: {key} = {raw}: {why}"))
}

impl Config {
    /// Before any option is set; every field is set from the table.
    fn blank() -> Self {
        Self {
            domain: String::new(),
            host: String::new(),
            data: PathBuf::new(),
            listen: Vec::new(),
            tls_mode: TlsMode::Acme,
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            mechanisms: Vec::new(),
            imap_mechanisms: None,
            pop_mechanisms: None,
            smtp_mechanisms: None,
            passwords: Passwords::App,
            imap_session: Duration::ZERO,
            pop_session: Duration::ZERO,
            smtp_session: Duration::ZERO,
            token: Duration::ZERO,
            imap_per_account: 0,
            issuer: String::new(),
            registration: Registration::Off,
            external: Vec::new(),
            dns_servers: Vec::new(),
            message_octets: 0,
            recipients: 0,
            log_format: Format::Text,
            log_level: Level::Info,
        }
    }

    /// The issuer's address.
    pub fn issuer(&self) -> String {
        if self.issuer.is_empty() {
            format!("https://{}", self.host)
        } else {
            self.issuer.clone()
        }
    }

    /// Whether any service offers a mechanism.
    pub fn offers(&self, mechanism: Mechanism) -> bool {
        let own = [
            &self.imap_mechanisms,
            &self.pop_mechanisms,
            &self.smtp_mechanisms,
        ];
        let mut all = own.into_iter().flatten().chain([&self.mechanisms]);
        all.any(|list| list.contains(&mechanism))
    }

    /// Checks what no option alone can tell, for a real installation.
    pub fn check_installation(&self) -> Result<(), Failure> {
        let missing = [
            ("domain", self.domain.is_empty()),
            ("host", self.host.is_empty()),
            ("data", self.data.as_os_str().is_empty()),
        ];
        if let Some((key, _)) = missing.iter().find(|(_, missing)| *missing) {
            return Err(Failure::could_not(format!(
                "{key} is not set; see: pillarbox config explain {key}"
            )));
        }
        match self.tls_mode {
            TlsMode::Acme => Err(Failure::could_not(
                "tls.mode = \"acme\": fetching certificates from a public authority is not built yet; \
                 use \"files\" (with tls.certificate-file and tls.key-file) or \"private\"",
            )),
            TlsMode::Files
                if self.certificate_file.as_os_str().is_empty()
                    || self.key_file.as_os_str().is_empty() =>
            {
                Err(Failure::could_not(
                    "tls.mode = \"files\" needs tls.certificate-file and tls.key-file",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Resolved {
    /// Keys that are not as they were, and that only a restart takes.
    pub fn needing_restart(&self, before: &Self) -> Vec<&'static str> {
        let pairs = self.chosen.iter().zip(&before.chosen);
        let keys = pairs
            .filter(|(now, then)| !now.spec.reload && now.raw != then.raw)
            .map(|(now, _)| now.spec.key);
        let external = self.config.external != before.config.external;
        keys.chain(external.then_some("oauth.external")).collect()
    }
}

/// A variable of the environment; an empty one is none.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Which file to read: the flag, the variable, or the usual place if something is there.
pub fn file_to_read(flag: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("PILLARBOX_CONFIG").map(PathBuf::from));
    Ok(match named {
        Some(path) => Some(path),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failure is the message")]
mod tests {
    use super::*;
    use crate::listen::Service;
    use std::io::Write;

    fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Resolved, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let layers = Layers {
            file: Some(file.path()),
            ..Layers::default()
        };
        let look = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        layers.resolve(look)
    }

    #[test]
    fn three_lines_are_enough() {
        let resolved = with_file(
            "domain = 'example.org'\nhost = 'mail.example.org'\ndata = '/var/lib/pillarbox'\n",
            &[],
        );
        let config = resolved.unwrap().config;
        assert_eq!(config.issuer(), "https://mail.example.org");
        assert_eq!(config.imap_session, Duration::from_secs(86_400));
        assert_eq!(config.message_octets, 25 * 1_024 * 1_024);
        let submission = config
            .listen
            .iter()
            .filter(|one| one.service == Service::Submission);
        assert_eq!(
            submission.map(|one| one.address.port()).collect::<Vec<_>>(),
            [587]
        );
    }

    #[test]
    fn an_unknown_key_names_line_and_nearest() {
        let failure = with_file("domain = 'a'\n[session]\ntokn = '1h'\n", &[])
            .err()
            .unwrap();
        assert_eq!(failure.status, 3);
        assert!(
            failure
                .text
                .contains(":3: unknown key session.tokn; did you mean session.token?"),
            "{failure}"
        );
    }

    #[test]
    fn a_wrong_value_names_line_and_key() {
        for (text, want) in [
            ("[session]\ntoken = 3600\n", ":2: session.token = 3600: "),
            (
                "[limits]\nmessage = '25 MB of mail'\n",
                ":2: limits.message = ",
            ),
            ("[log]\nlevel = 'infos'\n", "did you mean info?"),
            ("[listen]\nimap = ['localhost']\n", ":2: listen.imap = "),
            (
                "[sign-in]\nmechanisms = ['CRAM-MD5']\n",
                "sign-in.mechanisms",
            ),
            ("[dns]\nservers = ['dns.example']\n", ":2: dns.servers = "),
        ] {
            let failure = with_file(text, &[]).err().unwrap();
            assert!(failure.text.contains(want), "{failure}");
        }
    }

    #[test]
    fn a_variable_beats_the_file_and_says_so() {
        let set = [
            ("PILLARBOX_SIGN_IN_PASSWORDS", "account"),
            ("PILLARBOX_SIGN_IN_IMAP_MECHANISMS", "XOAUTH2, PLAIN"),
        ];
        let resolved = with_file(
            "[sign-in]\npasswords = 'never'\nimap.mechanisms = ['PLAIN']\n",
            &set,
        )
        .unwrap();
        assert_eq!(resolved.config.passwords, Passwords::Account);
        assert_eq!(
            resolved.config.imap_mechanisms,
            Some(vec![Mechanism::XOAuth2, Mechanism::Plain])
        );
        let chosen = resolved
            .chosen
            .iter()
            .find(|chosen| chosen.spec.key == "sign-in.passwords")
            .unwrap();
        assert_eq!(
            chosen.origin,
            Origin::Variable("PILLARBOX_SIGN_IN_PASSWORDS".into())
        );
    }

    #[test]
    fn name_servers_listen_on_port_53_unless_said_otherwise() {
        let text = "[dns]\nservers = ['192.0.2.53', '::1', '127.0.0.1:5353', '[::1]:5353']\n";
        let config = with_file(text, &[]).unwrap().config;
        let all: Vec<_> = config
            .dns_servers
            .iter()
            .map(SocketAddr::to_string)
            .collect();
        assert_eq!(
            all,
            ["192.0.2.53:53", "[::1]:53", "127.0.0.1:5353", "[::1]:5353"]
        );
    }

    #[test]
    fn keys_may_be_spelled_with_underscores() {
        let config = with_file(
            "[tls]\nmode = 'files'\ncertificate_file = '/a'\nkey-file = '/b'\n",
            &[],
        )
        .unwrap()
        .config;
        assert_eq!(
            (config.certificate_file, config.key_file),
            ("/a".into(), "/b".into())
        );
    }

    #[test]
    fn every_default_can_be_read() {
        assert!(Layers::default().resolve(|_| None).is_ok());
    }
}
