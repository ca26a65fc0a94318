//! secp256k1 points in JSON: 33 bytes, compressed SEC1, base64url.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trefoil_shares::PublicPoint;

use crate::bytes::{decode_array, encode};

struct Text(PublicPoint);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = decode_array::<33>(&text).map_err(D::Error::custom)?;
        PublicPoint::from_bytes(&bytes)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

pub(crate) mod one {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        point: &PublicPoint,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Text(*point).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PublicPoint, D::Error> {
        Text::deserialize(deserializer).map(|text| text.0)
    }
}

pub(crate) mod maybe {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        point: &Option<PublicPoint>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        point.map(Text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PublicPoint>, D::Error> {
        Option::<Text>::deserialize(deserializer).map(|text| text.map(|text| text.0))
    }
}

pub(crate) mod many {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        points: &[PublicPoint],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(points.iter().map(|point| Text(*point)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PublicPoint>, D::Error> {
        Vec::<Text>::deserialize(deserializer)
            .map(|texts| texts.into_iter().map(|text| text.0).collect())
    }
}
