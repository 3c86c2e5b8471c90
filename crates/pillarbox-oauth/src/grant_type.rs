//! The grants of RFC 6749 and its extensions, and which of them a client may use: by what kind of program it is, and if it
//! registered itself, by what it registered for (RFC 7591 §2).

use crate::client::{Client, ClientKind};
use crate::server::{ErrorCode, TokenError};

/// The grants, as far as this server has heard of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    AuthorizationCode,
    RefreshToken,
    /// RFC 8628.
    DeviceCode,
    /// RFC 7523 (service accounts).
    JwtBearer,
    /// Administration.
    ClientCredentials,
}

impl GrantType {
    const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::DeviceCode,
        Self::JwtBearer,
        Self::ClientCredentials,
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.wire() == text)
    }

    /// `grant_type`.
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// In the log, and in people's trails.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "a code",
            Self::RefreshToken => "a refresh token",
            Self::DeviceCode => "a device code",
            Self::JwtBearer => "an assertion",
            Self::ClientCredentials => "its own credentials",
        }
    }

    fn is_for(self, kind: ClientKind) -> bool {
        use ClientKind::{Device, Native, Service, Web};
        match self {
            Self::AuthorizationCode => matches!(kind, Native | Web),
            Self::RefreshToken => matches!(kind, Native | Web | Device),
            // A program on a server has a browser in front of it.
            Self::DeviceCode => matches!(kind, Native | Device),
            Self::JwtBearer | Self::ClientCredentials => kind == Service,
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "This program is not registered for authorization codes.",
            Self::RefreshToken => "This program is not registered for refresh tokens.",
            Self::DeviceCode => "This program is not registered for the device flow.",
            Self::JwtBearer => "This program is not a service account.",
            Self::ClientCredentials => {
                "Only a service account with a secret or key acts in its own name."
            }
        }
    }
}

impl Client {
    /// Whether it may use a grant.
    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        let own = self.own.as_ref().map(|own| &own.grant_types);
        let registered = own.is_none_or(|own| own.iter().any(|one| one == grant.wire()));
        grant.is_for(self.kind) && registered
    }

    /// The error if it may not use a grant (RFC 6749 §5.2).
    pub(crate) fn check_grant(&self, grant: GrantType) -> Result<(), TokenError> {
        match self.may_use(grant) {
            true => Ok(()),
            false => Err(TokenError::new(
                ErrorCode::UnauthorizedClient,
                grant.refusal(),
            )),
        }
    }
}
