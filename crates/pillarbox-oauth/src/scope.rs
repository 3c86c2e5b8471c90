//! What can be asked for, and how it is spelled.

use crate::Service;
use std::fmt;

/// Read, write, delete and send mail: the scope clients hard-code (wire §2.1).
pub const MAIL_SCOPE: &str = "https://mail.google.com/";
/// IMAP with hidden labels, for service accounts only (wire §7.5).
pub const IMAP_ADMIN_SCOPE: &str = "https://www.googleapis.com/auth/gmail.imap_admin";
/// Our own name for [`MAIL_SCOPE`].
pub const MAIL_SCOPE_ALIAS: &str = "mail";

/// One thing that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All mail, over IMAP, POP and SMTP.
    Mail,
    /// An id token (OpenID Connect Core §3.1.2.1).
    OpenId,
    /// The mail address.
    Email,
    /// What the person calls themselves here: the address they sign in with.
    Profile,
    /// IMAP alone.
    Imap,
    /// POP alone.
    Pop,
    /// Sending alone.
    Smtp,
    /// IMAP and POP, changing nothing.
    Read,
    /// IMAP with hidden labels; never granted by a person, only delegated by the administrator.
    ImapAdmin,
    /// The administration API; for client credentials only.
    Admin,
}

impl Scope {
    /// All of them, in the order they are listed.
    pub const ALL: [Self; 10] = [
        Self::OpenId,
        Self::Email,
        Self::Profile,
        Self::Mail,
        Self::Imap,
        Self::Pop,
        Self::Smtp,
        Self::Read,
        Self::ImapAdmin,
        Self::Admin,
    ];
    /// Those a person can grant, in the same order.
    pub const OF_PEOPLE: [Self; 8] = [
        Self::OpenId,
        Self::Email,
        Self::Profile,
        Self::Mail,
        Self::Imap,
        Self::Pop,
        Self::Smtp,
        Self::Read,
    ];

    /// The spelling we send.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => MAIL_SCOPE,
            Self::OpenId => "openid",
            Self::Email => "email",
            Self::Profile => "profile",
            Self::Imap => "pillarbox:imap",
            Self::Pop => "pillarbox:pop",
            Self::Smtp => "pillarbox:smtp",
            Self::Read => "pillarbox:read",
            Self::ImapAdmin => IMAP_ADMIN_SCOPE,
            Self::Admin => "pillarbox:admin",
        }
    }

    /// Reads one word, Google's long names included.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            MAIL_SCOPE | MAIL_SCOPE_ALIAS => Self::Mail,
            "openid" => Self::OpenId,
            "email" | "https://www.googleapis.com/auth/userinfo.email" => Self::Email,
            "profile" | "https://www.googleapis.com/auth/userinfo.profile" => Self::Profile,
            "pillarbox:imap" => Self::Imap,
            "pillarbox:pop" => Self::Pop,
            "pillarbox:smtp" => Self::Smtp,
            "pillarbox:read" => Self::Read,
            IMAP_ADMIN_SCOPE => Self::ImapAdmin,
            "pillarbox:admin" => Self::Admin,
            _ => return None,
        })
    }
}

/// How far a scope opens a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing may change.
    Read,
    /// Everything the service offers.
    Write,
}

/// A set of scopes. Prints as it goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

impl Scopes {
    /// With one more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }
    /// Whether one is in it.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
    /// Whether all of `other` are in it.
    pub fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// With all of another.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// How far they open a mail service; None is not at all.
    pub fn opens(self, service: Service) -> Option<Access> {
        let any = |scopes: &[Scope]| scopes.iter().any(|scope| self.has(*scope));
        let (write, read): (&[Scope], &[Scope]) = match service {
            Service::Imap => (
                &[Scope::Mail, Scope::Imap, Scope::ImapAdmin],
                &[Scope::Read],
            ),
            Service::Pop3 => (&[Scope::Mail, Scope::Pop], &[Scope::Read]),
            Service::Submission => (&[Scope::Mail, Scope::Smtp], &[]),
            Service::Web => (&[], &[]),
        };
        if any(write) {
            return Some(Access::Write);
        }
        any(read).then_some(Access::Read)
    }
    /// Those in it, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
    /// Reads a list separated by blanks; words that are no scope are passed over.
    pub fn parse_known(text: &str) -> Self {
        text.split(' ')
            .filter_map(Scope::parse)
            .fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scopes_open() {
        use Access::{Read, Write};
        let opens = |text: &str| {
            let scopes = Scopes::parse_known(text);
            [Service::Imap, Service::Pop3, Service::Submission].map(|service| scopes.opens(service))
        };
        for (text, expected) in [
            (
                "https://mail.google.com/",
                [Some(Write), Some(Write), Some(Write)],
            ),
            ("pillarbox:imap", [Some(Write), None, None]),
            ("pillarbox:pop", [None, Some(Write), None]),
            ("pillarbox:smtp", [None, None, Some(Write)]),
            ("pillarbox:read", [Some(Read), Some(Read), None]),
            (
                "pillarbox:read pillarbox:smtp",
                [Some(Read), Some(Read), Some(Write)],
            ),
            (
                "pillarbox:read pillarbox:imap",
                [Some(Write), Some(Read), None],
            ),
            (IMAP_ADMIN_SCOPE, [Some(Write), None, None]),
            ("pillarbox:admin openid email", [None, None, None]),
        ] {
            assert_eq!(opens(text), expected, "{text}");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            let of_people = !matches!(scope, Scope::ImapAdmin | Scope::Admin);
            assert_eq!(Scope::OF_PEOPLE.contains(&scope), of_people);
        }
    }
}
