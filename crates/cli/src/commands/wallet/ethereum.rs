//! Messages as Ethereum wallets sign them.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};
use trefoil::{Account, EthereumAddress, PublicPoint};

use crate::failure::{Exit, Failure};

/// A signed message, and whose signature it is.
#[derive(Debug)]
pub(crate) struct Signed {
    /// `0x`, then `r`, `s` and 27 or 28, in hexadecimal.
    pub(crate) signature: String,
    /// Computed from the signature alone.
    pub(crate) recovered_address: String,
}

/// Signs with the prefix of EIP-191, version 0x45 (`personal_sign`), and recovers the signer as a verifier would.
pub(crate) fn sign(account: &Account, message: &[u8]) -> Result<Signed, Failure> {
    let hash = message_hash(message);
    let signed = account.sign_prehash(&hash);
    let recovered_address = recover(&hash, &signed.bytes, signed.recovery_id)
        .ok_or_else(|| Failure::new(Exit::Other, "unexpected", "the signature does not verify"))?;
    let mut bytes = signed.bytes.to_vec();
    bytes.push(27 + signed.recovery_id);
    Ok(Signed {
        signature: format!("0x{}", hex::encode(bytes)),
        recovered_address,
    })
}

fn message_hash(message: &[u8]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    hash.update(format!("\x19Ethereum Signed Message:\n{}", message.len()));
    hash.update(message);
    hash.finalize().into()
}

fn recover(hash: &[u8; 32], signature: &[u8; 64], recovery_id: u8) -> Option<String> {
    let signature = Signature::from_slice(signature).ok()?;
    let key =
        VerifyingKey::recover_from_prehash(hash, &signature, RecoveryId::from_byte(recovery_id)?)
            .ok()?;
    let compressed = key.to_sec1_point(true);
    let point = PublicPoint::from_bytes(compressed.as_bytes().try_into().ok()?).ok()?;
    Some(EthereumAddress::of(&point).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of web3.js, `eth.accounts.hashMessage` and `sign`: "Some data" by the key
    /// 4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318.
    #[test]
    fn hash_and_recovery_agree_with_another_wallet() {
        let hash = message_hash(b"Some data");
        assert_eq!(
            hex::encode(hash),
            "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
        );
        let signature = hex::decode(
            "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd\
             6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029",
        )
        .unwrap();
        let recovered = recover(&hash, &signature.try_into().unwrap(), 1).unwrap();
        assert_eq!(recovered, "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23");
    }
}
