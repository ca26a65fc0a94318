use super::super::{ConfigError, NodeConfig, ProviderConfig, VerifierConfig};
use super::*;
use crate::IdTokenVerifier;

const HEAD: &str = "[[verifier]]\ntenant = \"acme\"\nid = \"login\"\naudiences = [\"web\"]\n";
const GUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const PINNED: &str = "[verifier.keys.pinned]\nkeys = [{ kty = \"OKP\", crv = \"Ed25519\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }]\n";

fn read(fields: &str) -> Result<VerifierConfig, ConfigError> {
    let mut config = NodeConfig::from_toml(&format!("{HEAD}{fields}"))?;
    IdTokenVerifier::new(config.clone())?;
    Ok(config.verifiers.remove(0))
}

fn entry_error(fields: &str) -> EntryError {
    match read(fields) {
        Err(ConfigError::Entry { verifier, source }) => {
            assert_eq!(verifier.to_string(), "acme/login");
            source
        }
        other => panic!("{fields}: {other:?}"),
    }
}

#[test]
fn each_provider_is_what_it_stands_for() {
    for (fields, issuer, user, pairwise) in [
        (
            "provider = \"google\"".to_owned(),
            "https://accounts.google.com".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            "provider = \"apple\"".to_owned(),
            "https://appleid.apple.com".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            // The issuer has it in lower case.
            format!(
                "provider = \"microsoft\"\ndirectory = \"{}\"",
                GUID.to_uppercase()
            ),
            format!("https://login.microsoftonline.com/{GUID}/v2.0"),
            UserClaim::TenantObject,
            true,
        ),
        (
            "provider = \"auth0\"\ndomain = \"Acme.eu.auth0.com\"".to_owned(),
            "https://acme.eu.auth0.com/".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            "provider = \"cognito\"\nregion = \"eu-central-1\"\npool = \"eu-central-1_AbCdEf123\""
                .to_owned(),
            "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            "provider = \"keycloak\"\nbase = \"https://login.example.com/auth/\"\nrealm = \"acme\""
                .to_owned(),
            "https://login.example.com/auth/realms/acme".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            "provider = \"oidc\"\nissuer = \"https://broker.example.com/\"".to_owned(),
            "https://broker.example.com/".to_owned(),
            UserClaim::Subject,
            false,
        ),
        (
            format!("provider = \"jwt\"\nissuer = \"https://app.example.com\"\n{PINNED}"),
            "https://app.example.com".to_owned(),
            UserClaim::Subject,
            false,
        ),
    ] {
        let verifier = read(&fields).unwrap();
        let plain = ProviderConfig::new(&issuer, "web");
        let provider = ProviderConfig {
            pairwise,
            keys: verifier.keys.clone(),
            ..plain
        };
        assert_eq!(
            verifier.providers().collect::<Vec<_>>(),
            [provider],
            "{fields}"
        );
        assert_eq!((verifier.user, verifier.custom), (user, false), "{fields}");
        let pinned = matches!(verifier.keys, KeySource::Pinned(_));
        assert_eq!(pinned, fields.contains("jwt"), "{fields}");
    }
}

#[test]
fn what_may_differ_is_taken_from_the_entry() {
    let verifier = read(
        "provider = \"apple\"\nnonce = \"hex_sha256\"\nuser = \"email\"\ncase = \"lower\"\nmax_age = 120\nskew = 5\npairwise = true",
    )
    .unwrap();
    let mut expected = VerifierConfig::new(
        verifier.tenant.clone(),
        verifier.id.clone(),
        "https://appleid.apple.com",
        "web",
    );
    expected.nonce = trefoil_protocol::social::NonceForm::HexSha256;
    expected.user = UserClaim::Email;
    expected.case = super::super::CaseRule::Lower;
    expected.pairwise = true;
    (expected.max_age, expected.skew) = (120, 5);
    assert_eq!(verifier, expected);

    let microsoft = format!("provider = \"microsoft\"\ndirectory = \"{GUID}\"\n");
    assert_eq!(
        read(&format!("{microsoft}user = \"sub\"")).unwrap().user,
        UserClaim::Subject
    );
    // By `sub`, of which every app sees another, two apps would be two wallets.
    let two = format!("{HEAD}{microsoft}user = \"sub\"").replace("\"web\"", "\"web\", \"phone\"");
    let two = NodeConfig::from_toml(&two).unwrap();
    assert!(matches!(
        IdTokenVerifier::new(two),
        Err(ConfigError::Pairwise(_))
    ));

    let auth0 =
        read("provider = \"auth0\"\ndomain = \"login.example.com\"\ncustom = true\n").unwrap();
    assert!(auth0.custom);
    // Keys can be pinned where the node cannot reach the provider.
    let pinned = read(&format!("provider = \"google\"\n{PINNED}")).unwrap();
    assert!(matches!(pinned.keys, KeySource::Pinned(_)));
}

#[test]
fn contradictions_are_refused() {
    let microsoft = format!("provider = \"microsoft\"\ndirectory = \"{GUID}\"\n");
    let foreign = |preset, field| EntryError::Foreign { preset, field };
    for (fields, error) in [
        (
            "provider = \"google\"\nissuer = \"https://accounts.google.com\"".to_owned(),
            EntryError::FixedIssuer(Preset::Google),
        ),
        (
            format!("{microsoft}issuer = \"https://a.example\""),
            EntryError::FixedIssuer(Preset::Microsoft),
        ),
        (
            "provider = \"google\"\nrealm = \"acme\"".to_owned(),
            foreign(Preset::Google, "realm"),
        ),
        (
            format!("{microsoft}domain = \"a.example\""),
            foreign(Preset::Microsoft, "domain"),
        ),
        (
            "issuer = \"https://a.example\"\nrealm = \"acme\"".to_owned(),
            EntryError::WithoutProvider("realm"),
        ),
        (
            "provider = \"microsoft\"".to_owned(),
            EntryError::Missing("directory"),
        ),
        (
            "provider = \"auth0\"".to_owned(),
            EntryError::Missing("domain"),
        ),
        (
            "provider = \"cognito\"\nregion = \"eu-west-1\"".to_owned(),
            EntryError::Missing("pool"),
        ),
        (
            "provider = \"cognito\"\npool = \"eu-west-1_a\"".to_owned(),
            EntryError::Missing("region"),
        ),
        (
            "provider = \"keycloak\"\nbase = \"https://a.example\"".to_owned(),
            EntryError::Missing("realm"),
        ),
        (
            "provider = \"oidc\"".to_owned(),
            EntryError::Missing("issuer"),
        ),
        (String::new(), EntryError::MissingIssuer),
        (
            "provider = \"jwt\"\nissuer = \"https://a.example\"".to_owned(),
            EntryError::KeysNeeded,
        ),
        (
            "provider = \"jwt\"\nissuer = \"https://a.example\"\nkeys = \"discovery\"".to_owned(),
            EntryError::KeysNeeded,
        ),
        (
            format!("provider = \"oidc\"\nissuer = \"https://a.example\"\n{PINNED}"),
            EntryError::KeysPinned,
        ),
        (
            format!("{microsoft}pairwise = false"),
            EntryError::Pairwise(Preset::Microsoft),
        ),
        (
            format!("{microsoft}user = \"email\""),
            EntryError::UnverifiedEmail(Preset::Microsoft),
        ),
        (
            "provider = \"google\"\nuser = \"tid+oid\"".to_owned(),
            EntryError::NoTenantObject(Preset::Google),
        ),
        (
            "provider = \"apple\"\ncustom = true".to_owned(),
            EntryError::Custom(Preset::Apple),
        ),
    ] {
        assert_eq!(entry_error(&fields), error, "{fields}");
    }
    for (preset, word) in [
        (Preset::Google, "google"),
        (Preset::Microsoft, "microsoft"),
        (Preset::Oidc, "oidc"),
    ] {
        // The message names the provider as the file does.
        assert!(
            EntryError::FixedIssuer(preset)
                .to_string()
                .contains(&format!("provider = \"{word}\""))
        );
    }
    assert!(matches!(
        read("provider = \"facebook\""),
        Err(ConfigError::Toml(_))
    ));
}

#[test]
fn parts_of_an_issuer_are_no_addresses() {
    for directory in [
        "common",
        "organizations",
        "consumers",
        "acme.onmicrosoft.com",
        "",
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "0f8fad5bd9cb469fa16570867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950g",
        "0f8fad5b-d9cb-469f-a165-70867728950e/v2.0",
    ] {
        let fields = format!("provider = \"microsoft\"\ndirectory = \"{directory}\"");
        assert_eq!(entry_error(&fields), EntryError::Directory, "{directory}");
    }
    for domain in [
        "https://acme.auth0.com",
        "acme.auth0.com/",
        "acme.auth0.com:443",
        "eve@acme.auth0.com",
        "acme",
        "",
        "a.example#",
    ] {
        let fields = format!("provider = \"auth0\"\ndomain = \"{domain}\"");
        assert_eq!(entry_error(&fields), EntryError::Domain, "{domain}");
    }
    for (region, pool, error) in [
        ("eu-west-1", "eu-west-2_abc", EntryError::Pool),
        ("eu-west-1", "eu-west-1_", EntryError::Pool),
        ("eu-west-1", "eu-west-1_a/b", EntryError::Pool),
        ("eu-west-1", "abc", EntryError::Pool),
        ("eu.west", "eu.west_abc", EntryError::Region),
        ("", "_abc", EntryError::Region),
        ("cn-north-1", "cn-north-1_abc", EntryError::Region),
    ] {
        let fields = format!("provider = \"cognito\"\nregion = \"{region}\"\npool = \"{pool}\"");
        assert_eq!(entry_error(&fields), error, "{region} {pool}");
    }
    for (base, realm) in [
        ("https://a.example/realms/acme", "acme"),
        ("https://a.example/realms/", "acme"),
        ("https://a.example", "../acme"),
        ("https://a.example", "a b"),
        ("https://a.example", ""),
        ("https://a.example", "acme?x"),
    ] {
        let fields = format!("provider = \"keycloak\"\nbase = \"{base}\"\nrealm = \"{realm}\"");
        assert_eq!(entry_error(&fields), EntryError::Realm, "{base} {realm}");
    }
    // What is left is an issuer like any other.
    let insecure = read("provider = \"keycloak\"\nbase = \"http://a.example\"\nrealm = \"acme\"");
    assert!(matches!(insecure, Err(ConfigError::Issuer { .. })));
}

#[test]
fn an_endpoint_for_many_directories_is_no_issuer_however_it_is_written() {
    for issuer in [
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://LOGIN.microsoftonline.com/Consumers/v2.0",
    ] {
        for provider in ["", "provider = \"oidc\"\n"] {
            let error = read(&format!("{provider}issuer = \"{issuer}\"")).unwrap_err();
            assert!(
                matches!(error, ConfigError::ManyDirectories { .. }),
                "{issuer}"
            );
        }
    }
    let one = format!("issuer = \"https://login.microsoftonline.com/{GUID}/v2.0\"");
    assert!(read(&one).is_ok());
}
