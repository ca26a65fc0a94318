use super::*;
use crate::IdTokenVerifier;

const TWO: &str = r#"
    [[verifier]]
    tenant = "acme"
    id = "mail"
    user = "email"
    case = "lower"
    aggregate = [
        { provider = "google", audiences = ["web", "phone"] },
        { provider = "auth0", domain = "acme.eu.auth0.com", audiences = ["web"], nonce = "hex_sha256", max_age = 60, skew = 0 },
    ]
"#;

fn read(text: &str) -> Result<NodeConfig, ConfigError> {
    let config = NodeConfig::from_toml(text)?;
    IdTokenVerifier::new(config.clone())?;
    Ok(config)
}

#[test]
fn each_provider_of_an_aggregate_has_its_own_rules() {
    let config = read(TWO).unwrap();
    let [verifier] = config.verifiers.as_slice() else {
        panic!("one verifier")
    };
    let google = ProviderConfig {
        audiences: vec!["web".to_owned(), "phone".to_owned()],
        ..ProviderConfig::new("https://accounts.google.com", "")
    };
    let auth0 = ProviderConfig {
        nonce: NonceForm::HexSha256,
        max_age: 60,
        skew: 0,
        ..ProviderConfig::new("https://acme.eu.auth0.com/", "web")
    };
    assert_eq!(verifier.providers().collect::<Vec<_>>(), [google, auth0]);
    assert_eq!(
        (verifier.user, verifier.case, verifier.custom),
        (UserClaim::Email, CaseRule::Lower, false)
    );

    let written = toml::to_string(&config).unwrap();
    assert_eq!(
        read(&written).unwrap().verifiers,
        config.verifiers,
        "{written}"
    );
    // Three of them, and one that stands in the verifier itself.
    let more = TWO.replace(
        "case = ",
        "provider = \"apple\"\naudiences = [\"app\"]\ncase = ",
    );
    assert_eq!(read(&more).unwrap().verifiers[0].providers().count(), 3);
}

#[test]
fn an_aggregate_is_by_verified_email_only() {
    for user in ["user = \"sub\"", "", "user = \"tid+oid\""] {
        let text = TWO
            .replace("user = \"email\"", user)
            // A provider that could have such claims.
            .replace(
                "provider = \"google\"",
                "issuer = \"https://login.example.com\"",
            );
        let error = read(&text).unwrap_err();
        assert!(
            matches!(&error, ConfigError::AggregateUser(name) if name.to_string() == "acme/mail")
        );
        assert!(error.to_string().contains("two people"), "{error}");
    }
    // Nor with one whose addresses anybody could have written.
    let microsoft =
        "provider = \"microsoft\", directory = \"0f8fad5b-d9cb-469f-a165-70867728950e\"";
    let error = read(&TWO.replace("provider = \"google\"", microsoft)).unwrap_err();
    let ConfigError::Entry { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source, EntryError::UnverifiedEmail(Preset::Microsoft));
}

#[test]
fn what_stands_at_the_wrong_place() {
    for (from, to, expected) in [
        (
            "audiences = [\"web\"]",
            "audiences = [\"web\"], case = \"lower\"",
            EntryError::Misplaced("case"),
        ),
        (
            "audiences = [\"web\"]",
            "audiences = [\"web\"], user = \"email\"",
            EntryError::Misplaced("user"),
        ),
        (
            "audiences = [\"web\"]",
            "audiences = [\"web\"], custom = true",
            EntryError::Misplaced("custom"),
        ),
        (
            "audiences = [\"web\"]",
            "audiences = [\"web\"], tenant = \"rival\"",
            EntryError::Misplaced("tenant"),
        ),
        (
            "audiences = [\"web\"]",
            "audiences = [\"web\"], aggregate = []",
            EntryError::Misplaced("aggregate"),
        ),
        (
            "domain = \"acme.eu.auth0.com\", ",
            "",
            EntryError::Missing("domain"),
        ),
        (
            ", audiences = [\"web\"]",
            "",
            EntryError::Missing("audiences"),
        ),
        (
            "provider = \"auth0\", domain = \"acme.eu.auth0.com\", ",
            "",
            EntryError::MissingIssuer,
        ),
        (
            "{ provider = \"google\", audiences = [\"web\", \"phone\"] },",
            "",
            EntryError::LoneProvider,
        ),
        (
            "case = \"lower\"",
            "custom = true",
            EntryError::Custom(Preset::Google),
        ),
        // A field of the verifier's that looks like a default for all of its providers.
        (
            "case = \"lower\"",
            "max_age = 60",
            EntryError::MissingIssuer,
        ),
        ("id = \"mail\"", "", EntryError::Missing("id")),
    ] {
        let text = TWO.replace(from, to);
        assert_ne!(text, TWO);
        match read(&text) {
            Err(ConfigError::Entry { verifier, source }) => {
                assert_eq!(source, expected, "{to}");
                assert!(verifier.to_string().starts_with("acme/"));
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    let empty = TWO.split("aggregate").next().unwrap();
    assert!(matches!(
        read(&format!("{empty}aggregate = []")),
        Err(ConfigError::Entry {
            source: EntryError::LoneProvider,
            ..
        })
    ));
}

#[test]
fn a_pair_of_an_aggregate_belongs_to_no_other_verifier() {
    // Another tenant's verifier, and another tenant's aggregate.
    for rival in [
        "issuer = \"https://acme.eu.auth0.com/\"\naudiences = [\"theirs\", \"web\"]",
        "provider = \"google\"\naudiences = [\"phone\"]",
        "user = \"email\"\naggregate = [{ provider = \"apple\", audiences = [\"theirs\"] }, { provider = \"google\", audiences = [\"phone\"] }]",
        // The same in effect, spelled otherwise.
        "issuer = \"https://acme.eu.auth0.com\"\naudiences = [\"web\"]",
        "issuer = \"https://ACME.eu.auth0.com:443/\"\naudiences = [\"web\"]",
        "issuer = \"https://accounts.google.com/\"\naudiences = [\"phone\"]",
    ] {
        let rival = format!("[[verifier]]\ntenant = \"rival\"\nid = \"login\"\n{rival}\n");
        for text in [format!("{TWO}{rival}"), format!("{rival}{TWO}")] {
            let error = read(&text).unwrap_err();
            assert!(
                matches!(error, ConfigError::SharedAudience { .. }),
                "{text}{error}"
            );
            let error = error.to_string();
            assert!(error.contains("acme/mail") && error.contains("rival/login"));
        }
    }
    let own = "[[verifier]]\ntenant = \"rival\"\nid = \"login\"\nprovider = \"google\"\naudiences = [\"theirs\"]\n";
    assert!(read(&format!("{TWO}{own}")).is_ok());
}

#[test]
fn an_aggregate_names_no_issuer_twice() {
    let with = |second: &str| {
        read(&TWO.replace(
            "provider = \"auth0\", domain = \"acme.eu.auth0.com\", audiences = [\"web\"]",
            second,
        ))
        .unwrap_err()
    };
    assert!(matches!(
        with("provider = \"google\", audiences = [\"web\"]"),
        ConfigError::SharedAudience { first, second, .. } if first == second
    ));
    // The second would never be asked.
    for same in [
        "provider = \"google\", audiences = [\"tablet\"]",
        "issuer = \"https://accounts.google.com/\", audiences = [\"tablet\"]",
        "issuer = \"https://Accounts.Google.com:443\", audiences = [\"tablet\"]",
    ] {
        assert!(
            matches!(with(same), ConfigError::AggregateIssuer { .. }),
            "{same}"
        );
    }
}
