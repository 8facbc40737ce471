//! Who may read and write an attribute ([Vol 3] Part F, 3.2.5, and [Vol 3] Part C, 10.3.1).

use crate::att::AttError;

/// What a link must have for one kind of access to an attribute.
///
/// ```
/// use baretooth::gatt::server::Access;
/// let private = Access::ENCRYPTED.key_size(16).authorized();
/// assert_ne!(private, Access::OPEN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    allowed: bool,
    encryption: bool,
    authentication: bool,
    authorization: bool,
    key_size: u8,
}

impl Access {
    /// Nobody.
    pub const NONE: Self =
        Self { allowed: false, encryption: false, authentication: false, authorization: false, key_size: 0 };
    /// Everybody.
    pub const OPEN: Self = Self { allowed: true, ..Self::NONE };
    /// Whoever is on an encrypted link.
    pub const ENCRYPTED: Self = Self { encryption: true, ..Self::OPEN };
    /// Whoever is on a link encrypted by a key that was exchanged with protection against a man in the middle.
    pub const AUTHENTICATED: Self = Self { authentication: true, ..Self::ENCRYPTED };

    /// The same, and the user must have authorized the peer ([`Security::authorized`]).
    #[must_use]
    pub const fn authorized(self) -> Self {
        Self { authorization: true, ..self }
    }

    /// The same, and the key must have so many octets, 7 to 16.
    #[must_use]
    pub const fn key_size(self, octets: u8) -> Self {
        Self { encryption: true, key_size: octets, ..self }
    }

    /// Whether there is anybody who may.
    pub const fn is_allowed(self) -> bool {
        self.allowed
    }

    /// `not_permitted` is the code where nobody may.
    pub(super) fn check(self, security: Security, not_permitted: AttError) -> Result<(), AttError> {
        if !self.allowed {
            Err(not_permitted)
        } else if self.encryption && !security.encrypted {
            // With a key the client need only encrypt, without one it has to pair.
            Err(if security.bonded {
                AttError::InsufficientEncryption
            } else {
                AttError::InsufficientAuthentication
            })
        } else if self.authentication && !security.authenticated {
            Err(AttError::InsufficientAuthentication)
        } else if self.encryption && security.key_size < self.key_size {
            Err(AttError::EncryptionKeySizeTooShort)
        } else if self.authorization && !security.authorized {
            Err(AttError::InsufficientAuthorization)
        } else {
            Ok(())
        }
    }
}

/// What each kind of access to an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Read requests of every kind.
    pub read: Access,
    /// Write requests, prepared writes included.
    pub write: Access,
    /// Write commands.
    pub write_without_response: Access,
    /// Signed write commands: a signature is as good as encryption, and as authenticated as its key.
    pub signed_write: Access,
}

impl Permissions {
    /// What declarations have: everybody may read, nobody may write.
    pub const READ_ONLY: Self = Self {
        read: Access::OPEN,
        write: Access::NONE,
        write_without_response: Access::NONE,
        signed_write: Access::NONE,
    };
    /// Nobody may do anything.
    pub const NONE: Self = Self { read: Access::NONE, ..Self::READ_ONLY };
}

/// What a link has, as whoever owns the link knows it at the time of a request. The default is a link without
/// encryption to a peer that nothing is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// The link is encrypted now.
    pub encrypted: bool,
    /// Its key was exchanged with protection against a man in the middle.
    pub authenticated: bool,
    /// Octets of its key, 7 to 16.
    pub key_size: u8,
    /// There is a key that the link could be encrypted by.
    pub bonded: bool,
    /// The user has authorized the peer.
    pub authorized: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_first_is_the_answer() {
        let open = Security::default();
        let bonded = Security { bonded: true, ..open };
        let encrypted = Security { encrypted: true, key_size: 7, ..bonded };
        let authenticated = Security { authenticated: true, key_size: 16, ..encrypted };
        let authorized = Security { authorized: true, ..authenticated };
        let all = Access::AUTHENTICATED.key_size(16).authorized();
        for (access, security, expected) in [
            (Access::NONE, authorized, Err(AttError::ReadNotPermitted)),
            (Access::OPEN, open, Ok(())),
            (Access::OPEN.authorized(), encrypted, Err(AttError::InsufficientAuthorization)),
            (Access::ENCRYPTED, open, Err(AttError::InsufficientAuthentication)),
            (Access::ENCRYPTED, bonded, Err(AttError::InsufficientEncryption)),
            (Access::ENCRYPTED, encrypted, Ok(())),
            (Access::AUTHENTICATED, encrypted, Err(AttError::InsufficientAuthentication)),
            (Access::ENCRYPTED.key_size(16), encrypted, Err(AttError::EncryptionKeySizeTooShort)),
            (Access::OPEN.key_size(7), open, Err(AttError::InsufficientAuthentication)),
            (all, authenticated, Err(AttError::InsufficientAuthorization)),
            (all, authorized, Ok(())),
        ] {
            let result = access.check(security, AttError::ReadNotPermitted);
            assert_eq!(result, expected, "{access:?} on {security:?}");
        }
    }
}
