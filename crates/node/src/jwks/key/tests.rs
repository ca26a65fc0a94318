//! The signature examples of RFC 7515 and RFC 8037, and which published keys are passed over.

use serde_json::{Value, json};

use super::*;

/// Header and payload of RFC 7515 appendices A.2 and A.3 differ in the header alone.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn rsa() -> Value {
    json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    })
}

fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn holds(jwk: &Value, signed: &str, signature: &str) -> bool {
    let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
    let key = PublicKey::from_jwk(jwk).unwrap();
    // A signature that holds for everything would pass the first check alone.
    !key.verify(signed.as_bytes(), &[])
        && !key.verify(b"other", &signature)
        && key.verify(signed.as_bytes(), &signature)
}

#[test]
fn rfc_7515_appendix_a_2() {
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert!(holds(
        &rsa(),
        &format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
        signature
    ));
}

#[test]
fn rfc_7515_appendix_a_3() {
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(holds(
        &p256(),
        &format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"),
        signature
    ));
}

#[test]
fn rfc_8037_appendix_a_4() {
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(holds(
        &ed25519(),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature
    ));
}

#[test]
fn keys_for_something_else_are_passed_over() {
    for (jwk, why) in [
        (with(p256(), "use", "enc"), "for encryption"),
        (
            with(p256(), "key_ops", json!(["encrypt"])),
            "not for verifying",
        ),
        (with(p256(), "alg", "ES384"), "another algorithm"),
        (with(rsa(), "alg", "PS256"), "another algorithm"),
        (with(rsa(), "alg", "RSA-OAEP"), "another algorithm"),
        (with(rsa(), "alg", "HS256"), "another algorithm"),
        (with(p256(), "crv", "P-384"), "another curve"),
        (with(p256(), "crv", "secp256k1"), "another curve"),
        (with(ed25519(), "crv", "Ed448"), "another curve"),
        (with(ed25519(), "crv", "X25519"), "another curve"),
        (with(p256(), "d", "AA"), "gives its private half away"),
        (with(p256(), "x", "AAAA"), "a short coordinate"),
        (with(p256(), "y", Value::Null), "half a point"),
        (with(rsa(), "n", "AQAB"), "a short modulus"),
        (with(rsa(), "e", ""), "no exponent"),
        (json!({ "kty": "oct", "k": "AAAA" }), "a symmetric key"),
        (json!({ "kty": "EC" }), "no curve"),
        (json!(["EC", null, null]), "not an object"),
        (json!("EC"), "not an object"),
    ] {
        assert!(PublicKey::from_jwk(&jwk).is_none(), "{why}");
    }
    for jwk in [
        with(p256(), "use", "sig"),
        with(p256(), "alg", "ES256"),
        with(p256(), "key_ops", json!(["verify"])),
        with(rsa(), "alg", "RS256"),
        with(ed25519(), "alg", "EdDSA"),
    ] {
        assert!(PublicKey::from_jwk(&jwk).is_some(), "{jwk}");
    }
}

#[test]
fn zeros_in_front_of_a_modulus_are_dropped() {
    let modulus = Base64UrlUnpadded::decode_vec(rsa()["n"].as_str().unwrap()).unwrap();
    let padded = Base64UrlUnpadded::encode_string(&[vec![0], modulus].concat());
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert!(holds(
        &with(rsa(), "n", padded),
        &format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
        signature
    ));
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let off = with(p256(), "y", p256()["x"].clone());
    let signature = Base64UrlUnpadded::decode_vec(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    )
    .unwrap();
    let key = PublicKey::from_jwk(&off).unwrap();
    assert!(!key.verify(
        format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}").as_bytes(),
        &signature
    ));
}

#[test]
fn a_key_is_for_one_algorithm() {
    for (jwk, algorithm) in [
        (rsa(), Algorithm::Rs256),
        (p256(), Algorithm::Es256),
        (ed25519(), Algorithm::EdDsa),
    ] {
        assert_eq!(PublicKey::from_jwk(&jwk).unwrap().algorithm(), algorithm);
    }
}
