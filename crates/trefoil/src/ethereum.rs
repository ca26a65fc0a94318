//! The Ethereum address of a wallet key.

use core::fmt;

use sha3::{Digest, Keccak256};
use trefoil_shares::PublicPoint;

/// The last 20 bytes of Keccak-256 over the uncompressed public key; shown with the EIP-55 checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EthereumAddress([u8; 20]);

impl EthereumAddress {
    /// The address of a public key.
    #[must_use]
    pub fn of(public_key: &PublicPoint) -> Self {
        let bytes = public_key.to_uncompressed_bytes();
        let hash = Keccak256::digest(bytes.split_first().map_or(&[][..], |(_, xy)| xy));
        let mut address = [0; 20];
        address
            .iter_mut()
            .zip(hash.iter().skip(12))
            .for_each(|(to, from)| *to = *from);
        Self(address)
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for EthereumAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = Keccak256::digest(lower.as_bytes());
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        f.write_str("0x")?;
        for (character, nibble) in lower.chars().zip(nibbles) {
            let shown = if nibble >= 8 {
                character.to_ascii_uppercase()
            } else {
                character
            };
            fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trefoil_shares::KeyScalar;

    use super::*;

    /// EIP-55's own examples, and the well-known address of private key 1.
    #[test]
    fn checksum_and_derivation() {
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let bytes = hex::decode(&text[2..]).unwrap();
            assert_eq!(EthereumAddress(bytes.try_into().unwrap()).to_string(), text);
        }
        let mut one = [0; 32];
        one[31] = 1;
        let address = EthereumAddress::of(&KeyScalar::from_bytes(&one).unwrap().public_point());
        assert_eq!(
            address.to_string(),
            "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
        );
    }
}
