//! Schemas of what is written as text, for API documents.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::wire::SessionToken;

/// The last character of a text whose bits do not fill it: the others are 0, so that every value has one text.
const LAST_OF_TWO_BITS: &str = "[AQgw]";
const LAST_OF_FOUR_BITS: &str = "[AEIMQUYcgkosw048]";

/// Base64url without padding (RFC 4648) of so many bytes.
pub(crate) fn fixed(length: usize) -> RefOr<Schema> {
    let whole = length * 8 / 6;
    let last = match length % 3 {
        1 => LAST_OF_TWO_BITS,
        2 => LAST_OF_FOUR_BITS,
        _ => "",
    };
    let pattern = format!("^[A-Za-z0-9_-]{{{whole}}}{last}$");
    text(
        format!("{length} bytes, base64url without padding"),
        pattern,
    )
}

/// Base64url without padding of any number of bytes.
pub(crate) fn blob() -> RefOr<Schema> {
    let any = "[A-Za-z0-9_-]";
    let pattern =
        format!("^({any}{{4}})*({any}{LAST_OF_TWO_BITS}|{any}{{2}}{LAST_OF_FOUR_BITS})?$");
    text("bytes, base64url without padding".into(), pattern)
}

fn text(description: String, pattern: String) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern));
    object.build().into()
}

impl PartialSchema for SessionToken {
    fn schema() -> RefOr<Schema> {
        fixed(32)
    }
}

impl ToSchema for SessionToken {
    fn name() -> Cow<'static, str> {
        "SessionToken".into()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn pattern_of(schema: RefOr<Schema>) -> String {
        let json = serde_json::to_value(&schema).unwrap();
        json["pattern"].as_str().unwrap().to_string()
    }

    #[test]
    fn lengths_are_those_of_the_text() {
        assert_eq!(pattern_of(fixed(16)), "^[A-Za-z0-9_-]{21}[AQgw]$");
        assert_eq!(
            pattern_of(fixed(32)),
            "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"
        );
        assert_eq!(pattern_of(fixed(64)), "^[A-Za-z0-9_-]{85}[AQgw]$");
        for length in [16_usize, 32, 64] {
            let text = crate::bytes::encode(&alloc::vec![0xff; length]);
            let whole = text.len() - 1;
            assert!(pattern_of(fixed(length)).contains(&format!("{{{whole}}}")));
            let last = text.chars().last().unwrap();
            assert!(pattern_of(fixed(length)).contains(last));
        }
    }
}
