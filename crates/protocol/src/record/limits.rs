/// Bytes of a payload at most.
pub const MAX_PAYLOAD: usize = 160 * 1024;
/// Bytes of an envelope at most; ours have at most [`crate::envelope::LEN`].
pub const MAX_ENVELOPE: usize = 512;
/// Bytes of a sealed nonce at most; ours have 72.
pub const MAX_SEALED_NONCE: usize = 256;
/// Factors of an account at most.
pub const MAX_FACTORS: usize = 255;
