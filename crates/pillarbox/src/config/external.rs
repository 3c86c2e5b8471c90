//! `[oauth.external.NAME]`: providers elsewhere, as many tables as there are. Each key is declared once, in
//! [`EXTERNAL_OPTIONS`], like those of the table of options.

use super::file::Entry;
use super::raw::Raw;
use super::{Origin, wrong_value};
use crate::failure::Failure;
use crate::suggest;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// In front of a provider's name.
const SECTION: &str = "oauth.external";

/// One provider as configured; what may be left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalProvider {
    /// Of the table.
    pub name: String,
    /// On the button.
    pub label: String,
    /// As it calls itself.
    pub issuer: String,
    /// As it calls us.
    pub client_id: String,
    /// Our secret there.
    pub client_secret_file: PathBuf,
    /// Where the address stands.
    pub account_claim: String,
    /// Asked for on the web.
    pub scopes: Vec<String>,
    /// Of access tokens; empty is our issuer.
    pub audience: String,
    /// Opens all mail, beside our own scopes.
    pub mail_scope: String,
    /// Whether its people get accounts.
    pub create: bool,
    /// Whether opaque tokens are asked about.
    pub introspection: bool,
    /// Authorities to trust instead of the system's.
    pub ca_file: PathBuf,
}

/// One key of a provider's table.
pub struct ExternalSpec {
    /// In the table.
    pub key: &'static str,
    /// As it would stand in the file.
    pub default: &'static str,
    /// One sentence for `config show`.
    pub help: &'static str,
    /// More, for `config explain`.
    pub more: &'static str,
    set: fn(&mut ExternalProvider, &Raw) -> Result<(), String>,
}

impl ExternalSpec {
    /// `corp`, `client-id` is `PILLARBOX_OAUTH_EXTERNAL_CORP_CLIENT_ID`.
    pub fn variable(&self, name: &str) -> String {
        format!("PILLARBOX_OAUTH_EXTERNAL_{name}_{}", self.key)
            .replace('-', "_")
            .to_uppercase()
    }
}

/// All keys of a provider, in the order they are shown.
pub const EXTERNAL_OPTIONS: &[ExternalSpec] = &[
    ExternalSpec {
        key: "issuer",
        default: "\"\"",
        help: "the provider's issuer, exactly as its discovery document says it",
        more: "Its discovery document is read at this address and /.well-known/openid-configuration.",
        set: |p, raw| raw.text().map(|text| p.issuer = text.into()),
    },
    ExternalSpec {
        key: "client-id",
        default: "\"\"",
        help: "what the provider calls this server",
        more: "Register this server there as a web application with the redirect address \
               https://HOST/signin/external/NAME/back (NAME is the name of this table).",
        set: |p, raw| raw.text().map(|text| p.client_id = text.into()),
    },
    ExternalSpec {
        key: "client-secret-file",
        default: "\"\"",
        help: "file with this server's secret at the provider",
        more: "Empty is for a provider that gives none.",
        set: |p, raw| raw.text().map(|text| p.client_secret_file = text.into()),
    },
    ExternalSpec {
        key: "account-claim",
        default: "\"email\"",
        help: "the claim that holds the person's mail address here",
        more: "The provider is believed about addresses of this server's domain, existing accounts included. email counts \
               only with email_verified. Never name a claim that people can change there by themselves.",
        set: |p, raw| raw.text().map(|text| p.account_claim = text.into()),
    },
    ExternalSpec {
        key: "label",
        default: "\"\"",
        help: "the provider's name for people, on the button; empty is the issuer's host",
        more: "",
        set: |p, raw| {
            let text = raw.text()?;
            if text.chars().count() > 40 || text.chars().any(char::is_control) {
                return Err("at most 40 characters in one line".into());
            }
            p.label = text.into();
            Ok(())
        },
    },
    ExternalSpec {
        key: "create",
        default: "false",
        help: "whether people whom only the provider knows get an account at their first sign-in",
        more: "Accounts made so have no password; their owners make app passwords for programs that know no OAuth.",
        set: |p, raw| raw.truth().map(|yes| p.create = yes),
    },
    ExternalSpec {
        key: "scopes",
        default: "[\"openid\", \"email\"]",
        help: "what is asked for at a sign-in on the web",
        more: "",
        set: |p, raw| raw.list().map(|list| p.scopes = list),
    },
    ExternalSpec {
        key: "audience",
        default: "\"\"",
        help: "what access tokens for mail must be meant for; empty is this server's issuer address",
        more: "",
        set: |p, raw| raw.text().map(|text| p.audience = text.into()),
    },
    ExternalSpec {
        key: "mail-scope",
        default: "\"\"",
        help: "a scope of the provider that opens all mail, beside this server's own scopes",
        more: "",
        set: |p, raw| raw.text().map(|text| p.mail_scope = text.into()),
    },
    ExternalSpec {
        key: "introspection",
        default: "false",
        help: "whether access tokens that are no RFC 9068 JWTs are asked about at the provider",
        more: "At most one provider: such a token does not say whose it is.",
        set: |p, raw| raw.truth().map(|yes| p.introspection = yes),
    },
    ExternalSpec {
        key: "ca-file",
        default: "\"\"",
        help: "PEM file with the authorities to trust for this provider, in place of the system's",
        more: "",
        set: |p, raw| raw.text().map(|text| p.ca_file = text.into()),
    },
];

/// One key of one provider as it came out.
#[derive(Clone, Debug)]
pub struct ExternalChosen {
    /// The provider.
    pub name: String,
    /// Which key.
    pub key: &'static str,
    /// What it is.
    pub help: &'static str,
    /// As set.
    pub raw: Raw,
    /// By whom.
    pub origin: Origin,
}

/// Whether a key or section of the file belongs here, and if so, whether it is a good one.
pub(super) fn known(key: &str, is_table: bool) -> Option<Result<(), String>> {
    if key == SECTION && is_table {
        return Some(Ok(()));
    }
    let rest = key.strip_prefix(SECTION)?.strip_prefix('.')?;
    Some(match (rest.split_once('.'), is_table) {
        (None, true) => good_name(rest),
        (None, false) => Err(format!(
            "{rest} stands in [oauth.external] itself; give the provider a name: [oauth.external.NAME]"
        )),
        (Some((_, name)), _) => {
            let keys = || EXTERNAL_OPTIONS.iter().map(|spec| spec.key);
            if !is_table && keys().any(|known| known == name) {
                return Some(Ok(()));
            }
            Err(format!(
                "unknown key {name} of an external provider{}",
                suggest::hint(name, keys())
            ))
        }
    })
}

fn good_name(name: &str) -> Result<(), String> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=32).contains(&name.len()) && name.bytes().all(letter);
    good.then_some(()).ok_or_else(|| {
        format!("{name:?} cannot name a provider: small letters, digits and hyphens, at most 32")
    })
}

/// Reads all providers of the file; variables beat it, as everywhere.
pub(super) fn resolve(
    path: Option<&Path>,
    file: &[Entry],
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<(Vec<ExternalProvider>, Vec<ExternalChosen>), Failure> {
    let name_of = |entry: &Entry| {
        let rest = entry.key.strip_prefix(SECTION)?.strip_prefix('.')?;
        rest.split_once('.').map(|(name, _)| name.to_owned())
    };
    let names: BTreeSet<String> = file.iter().filter_map(name_of).collect();
    let (mut providers, mut chosen) = (Vec::new(), Vec::new());
    for name in names {
        let mut provider = ExternalProvider {
            name: name.clone(),
            ..ExternalProvider::default()
        };
        for spec in EXTERNAL_OPTIONS {
            let key = format!("{SECTION}.{name}.{}", spec.key);
            let entry = file.iter().find(|entry| entry.key == key);
            let (raw, origin) = match (variable(&spec.variable(&name)), path, entry) {
                (Some(text), ..) => {
                    let origin = Origin::Variable(spec.variable(&name));
                    (Raw::from_variable(&text), origin)
                }
                (None, Some(path), Some(entry)) => {
                    (entry.raw.clone(), Origin::File(path.to_owned(), entry.line))
                }
                _ => (default_of(spec)?, Origin::Default),
            };
            (spec.set)(&mut provider, &raw)
                .map_err(|why| wrong_value(&key, &raw, &origin, &why))?;
            chosen.push(ExternalChosen {
                name: name.clone(),
                key: spec.key,
                help: spec.help,
                raw,
                origin,
            });
        }
        for (key, value) in [
            ("issuer", &provider.issuer),
            ("client-id", &provider.client_id),
        ] {
            if value.is_empty() {
                return Err(Failure::could_not(format!(
                    "[{SECTION}.{name}] has no {key}; see: pillarbox config explain {SECTION}.NAME.{key}"
                )));
            }
        }
        providers.push(provider);
    }
    Ok((providers, chosen))
}

fn default_of(spec: &ExternalSpec) -> Result<Raw, Failure> {
    let broken = || Failure::could_not(format!("the default of {} cannot be read", spec.key));
    let parsed = DeValue::parse(spec.default).map_err(|_| broken())?;
    Raw::from_toml(parsed.get_ref()).map_err(|_| broken())
}

/// The key that `oauth.external.ANYTHING.KEY` or `oauth.external.KEY` is about.
pub fn spec_of(key: &str) -> Option<&'static ExternalSpec> {
    let rest = key.strip_prefix(SECTION)?.strip_prefix('.')?;
    let name = rest.rsplit('.').next()?;
    EXTERNAL_OPTIONS.iter().find(|spec| spec.key == name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failure is the message")]
mod tests {
    use crate::config::{Layers, Resolved};
    use crate::failure::Failure;
    use std::io::Write;

    fn with_file(text: &str, variable: Option<(&str, &str)>) -> Result<Resolved, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let layers = Layers {
            file: Some(file.path()),
            ..Layers::default()
        };
        let look = |name: &str| {
            let found = variable.filter(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_owned())
        };
        layers.resolve(look)
    }

    #[test]
    fn four_lines_are_a_provider() {
        let text = "[oauth.external.corp]\nissuer = 'https://login.example.org'\nclient-id = 'mail'\n\
                    client-secret-file = '/secret'\naccount-claim = 'email'\n\
                    [oauth.external.other]\nissuer = 'https://other.example'\nclient_id = 'x'\ncreate = true\n";
        let variable = ("PILLARBOX_OAUTH_EXTERNAL_CORP_CLIENT_ID", "pillarbox");
        let resolved = with_file(text, Some(variable)).unwrap();
        let [corp, other] = &resolved.config.external[..] else {
            panic!("two providers");
        };
        assert_eq!(
            (&*corp.name, &*corp.client_id, corp.create),
            ("corp", "pillarbox", false)
        );
        assert_eq!(corp.scopes, ["openid", "email"]);
        assert_eq!(
            (&*other.name, &*other.account_claim, other.create),
            ("other", "email", true)
        );
        let before = with_file(text, None).unwrap();
        assert_eq!(resolved.needing_restart(&before), ["oauth.external"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, want) in [
            (
                "[oauth.external]\nissuer = 'https://a'\n",
                ":2: issuer stands in [oauth.external] itself",
            ),
            (
                "[oauth.external.a]\nisuer = 'x'\n",
                ":2: unknown key isuer of an external provider; did you mean issuer?",
            ),
            (
                "[oauth.external.A]\nissuer = 'x'\n",
                ":1: \"A\" cannot name a provider",
            ),
            ("[oauth.external.a.b]\nissuer = 'x'\n", "unknown key b"),
            (
                "[oauth.external.a]\nissuer = 'https://a'\n",
                "[oauth.external.a] has no client-id",
            ),
            (
                "[oauth.external.a]\ncreate = 'yes'\n",
                ":2: oauth.external.a.create = \"yes\": true or false",
            ),
        ] {
            let failure = with_file(text, None).err().unwrap().to_string();
            assert!(failure.contains(want), "{failure}");
        }
    }
}
