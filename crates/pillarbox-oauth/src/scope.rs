//! What can be asked for, and how it is spelled.

use std::fmt;

/// Read, write, delete and send mail: the scope clients hard-code (wire §2.1).
pub const MAIL_SCOPE: &str = "https://mail.google.com/";
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
    /// Name and the like.
    Profile,
}

impl Scope {
    /// All of them, in the order they are listed.
    pub const ALL: [Self; 4] = [Self::OpenId, Self::Email, Self::Profile, Self::Mail];

    /// The spelling we send.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => MAIL_SCOPE,
            Self::OpenId => "openid",
            Self::Email => "email",
            Self::Profile => "profile",
        }
    }

    /// Reads one word, Google's long names included.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            MAIL_SCOPE | MAIL_SCOPE_ALIAS => Self::Mail,
            "openid" => Self::OpenId,
            "email" | "https://www.googleapis.com/auth/userinfo.email" => Self::Email,
            "profile" | "https://www.googleapis.com/auth/userinfo.profile" => Self::Profile,
            _ => return None,
        })
    }
}

/// A set of scopes. Prints as it goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

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
