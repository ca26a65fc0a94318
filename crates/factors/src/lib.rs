//! One adapter per factor kind: how a social login, device, phrase or dApp share yields its 32-byte factor secret.
