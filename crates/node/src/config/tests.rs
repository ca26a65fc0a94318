use super::*;
use crate::{AddressError, IdTokenVerifier, KeySetError};

fn google(tenant: &str, id: &str, audience: &str) -> VerifierConfig {
    let (tenant, id) = (Tenant::new(tenant).unwrap(), VerifierId::new(id).unwrap());
    VerifierConfig::new(tenant, id, "https://accounts.example.com", audience)
}

fn refusal(verifiers: Vec<VerifierConfig>) -> ConfigError {
    IdTokenVerifier::new(NodeConfig {
        verifiers,
        fetching: FetchConfig::default(),
        permits: Vec::new(),
    })
    .unwrap_err()
}

#[test]
fn a_whole_configuration() {
    let config = NodeConfig::from_toml(
        r#"
        [[verifier]]
        tenant = "acme"
        id = "google"
        issuer = "https://accounts.example.com"
        audiences = ["web", "phone"]

        [[verifier]]
        tenant = "acme"
        id = "work"
        issuer = "https://login.example.com/0f/v2.0"
        audiences = ["app"]
        keys = "discovery"
        user = "tid+oid"
        case = "lower"
        pairwise = true
        nonce = "hex_sha256"
        max_age = 60
        skew = 0
        custom = true

        [verifier.keys.pinned]
        keys = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }]

        [fetching]
        cool_down = 10
        "#
        .replace("keys = \"discovery\"\n", "")
        .as_str(),
    )
    .unwrap();
    let [google, work] = config.verifiers.as_slice() else {
        panic!("two verifiers")
    };
    let mut plain = VerifierConfig::new(
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
        "https://accounts.example.com",
        "web",
    );
    plain.audiences.push("phone".to_owned());
    assert_eq!(*google, plain);
    assert_eq!(
        (google.max_age, google.skew, google.nonce),
        (600, 60, NonceForm::Plain)
    );
    assert!(matches!(work.keys, KeySource::Pinned(_)) && work.custom && work.pairwise);
    assert_eq!(
        (work.user, work.case, work.nonce),
        (
            UserClaim::TenantObject,
            CaseRule::Lower,
            NonceForm::HexSha256
        )
    );
    assert_eq!(
        config.fetching,
        FetchConfig {
            cool_down: 10,
            ..FetchConfig::default()
        }
    );
    // What a dealer command writes, a node reads.
    let written = toml::to_string(&config).unwrap();
    let again = NodeConfig::from_toml(&written).unwrap();
    assert_eq!(
        (&again.verifiers, again.fetching),
        (&config.verifiers, config.fetching),
        "{written}"
    );
    let verifier = IdTokenVerifier::new(config).unwrap();
    assert_eq!(
        format!("{verifier:?}"),
        r#"IdTokenVerifier {"acme": ["google", "work"]}"#
    );
}

#[test]
fn unknown_fields_and_values_are_refused() {
    let head =
        "[[verifier]]\ntenant = \"a\"\nid = \"b\"\nissuer = \"https://i\"\naudiences = [\"x\"]\n";
    assert!(NodeConfig::from_toml(head).is_ok());
    for tail in [
        "audience = \"y\"",
        "user = \"phone\"",
        "case = \"upper\"",
        "nonce = \"md5\"",
        "max_age = -1",
        "[fetching]\ntimeout = 3",
        "[other]",
    ] {
        let error = NodeConfig::from_toml(&format!("{head}{tail}")).unwrap_err();
        assert!(matches!(error, ConfigError::Toml(_)), "{tail}");
    }
    assert!(NodeConfig::from_toml(&head.replace("\"a\"", "\"A/b\"")).is_err());
}

#[test]
fn permits_are_read_and_bad_ones_refused() {
    let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let permit =
        |tenant: &str, key: &str| format!("[[permit]]\ntenant = \"{tenant}\"\nkey = \"{key}\"\n");
    let read = |text: &str| NodeConfig::from_toml(text);
    assert_eq!(read("").unwrap().permits, []);
    // Two keys of one tenant, while its server changes from one to the other.
    let other = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";
    let both = read(&(permit("acme", key) + &permit("acme", other))).unwrap();
    let keys = both.permits.iter().map(|permit| {
        assert_eq!(permit.tenant.as_str(), "acme");
        permit.key.to_string()
    });
    assert_eq!(keys.collect::<Vec<_>>(), [key, other]);
    for (bad, said) in [
        (permit("Acme", key), "tenant"),
        (permit("", key), "tenant"),
        (permit("acme", ""), "key"),
        (permit("acme", &key[1..]), "key"),
        (permit("acme", &format!("{key}A")), "key"),
        (permit("acme", &key.replace('_', "/")), "key"),
        (
            format!("[[permit]]\nkey = \"{key}\""),
            "missing field `tenant`",
        ),
        (
            "[[permit]]\ntenant = \"acme\"".to_owned(),
            "missing field `key`",
        ),
        (
            permit("acme", key) + "url = \"https://m\"",
            "unknown field `url`",
        ),
        (
            permit("acme", key) + &format!("key = \"{key}\""),
            "duplicate key",
        ),
        (
            permit("acme", key).replace("[[permit]]", "[permit]"),
            "sequence",
        ),
    ] {
        let error = read(&bad).unwrap_err();
        assert!(matches!(error, ConfigError::Toml(_)), "{bad}");
        // The message shows the line.
        let shown = error.to_string();
        assert!(shown.contains(said), "{bad}: {shown}");
    }
}

#[test]
fn a_permit_key_is_one() {
    let with = |key: &str| {
        let toml = format!("[[permit]]\ntenant = \"acme\"\nkey = \"{key}\"");
        IdTokenVerifier::new(NodeConfig::from_toml(&toml).unwrap())
    };
    assert!(with("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").is_ok());
    // One letter wrong; zeros; the neutral element, for which anyone could sign.
    for bad in [
        "12qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        &"A".repeat(43),
        &format!("AQ{}", "A".repeat(41)),
    ] {
        let error = with(bad).unwrap_err();
        assert!(matches!(error, ConfigError::PermitKey(_)), "{bad}: {error}");
        assert!(error.to_string().contains("tenant acme"), "{error}");
    }
}

#[test]
fn an_issuer_and_audience_belong_to_one_verifier_of_the_network() {
    // Another tenant, another name, and even the same audience among others: the error names both.
    let mut second = google("rival", "accounts", "theirs");
    second.audiences.push("web".to_owned());
    let error = refusal(vec![
        google("acme", "google", "web"),
        google("acme", "two", "other"),
        second,
    ]);
    assert!(matches!(&error, ConfigError::SharedAudience { audience, .. } if audience == "web"));
    let text = error.to_string();
    for part in [
        "\"web\"",
        "https://accounts.example.com",
        "acme/google",
        "rival/accounts",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // The same issuer in another spelling is the same issuer.
    for spelling in [
        "https://accounts.example.com/",
        "https://Accounts.Example.com",
        "https://accounts.example.com:443",
        "https://accounts.example.com.",
    ] {
        let mut rival = google("rival", "accounts", "web");
        rival.issuer = spelling.to_owned();
        let error = refusal(vec![google("acme", "google", "web"), rival]);
        assert!(
            matches!(error, ConfigError::SharedAudience { .. }),
            "{spelling}"
        );
    }
    // The same client id at another issuer is another app.
    let mut elsewhere = google("rival", "accounts", "web");
    elsewhere.issuer = "https://other.example.com".to_owned();
    let verifiers = vec![google("acme", "google", "web"), elsewhere];
    assert!(
        IdTokenVerifier::new(NodeConfig {
            verifiers,
            fetching: FetchConfig::default(),
            permits: Vec::new(),
        })
        .is_ok()
    );
}

#[test]
fn one_name_twice() {
    let error = refusal(vec![
        google("acme", "google", "web"),
        google("acme", "google", "phone"),
    ]);
    assert!(matches!(&error, ConfigError::DuplicateVerifier(_)));
    assert_eq!(
        error.to_string(),
        "verifier acme/google is configured twice"
    );
}

#[test]
fn each_rule_of_one_verifier() {
    let with = |change: &dyn Fn(&mut VerifierConfig)| {
        let mut verifier = google("acme", "google", "web");
        change(&mut verifier);
        refusal(vec![verifier])
    };
    assert!(matches!(
        with(&|v| v.audiences.clear()),
        ConfigError::Audience(_)
    ));
    assert!(matches!(
        with(&|v| v.audiences.push(String::new())),
        ConfigError::Audience(_)
    ));
    assert!(matches!(
        with(&|v| v.audiences.push("web".to_owned())),
        ConfigError::SharedAudience { .. }
    ));
    assert!(matches!(with(&|v| v.max_age = 9), ConfigError::Times(_)));
    assert!(matches!(
        with(&|v| v.max_age = 86_401),
        ConfigError::Times(_)
    ));
    assert!(matches!(with(&|v| v.skew = 301), ConfigError::Times(_)));
    assert!(matches!(
        with(&|v| v.issuer = "http://accounts.example.com".to_owned()),
        ConfigError::Issuer {
            source: AddressError::Insecure,
            ..
        }
    ));
    let pinned = |set: &str| KeySource::Pinned(serde_json::from_str(set).unwrap());
    assert!(matches!(
        with(&|v| v.keys = pinned(r#"{"keys":[]}"#)),
        ConfigError::PinnedKeys {
            source: KeySetError::NoKeys,
            ..
        }
    ));
    assert!(matches!(
        with(&|v| v.keys = pinned("[]")),
        ConfigError::PinnedKeys {
            source: KeySetError::NotASet,
            ..
        }
    ));
}

#[test]
fn pairwise_subjects_need_one_audience_or_another_claim() {
    let check = |verifier: &VerifierConfig| {
        IdTokenVerifier::new(NodeConfig {
            verifiers: vec![verifier.clone()],
            fetching: FetchConfig::default(),
            permits: Vec::new(),
        })
    };
    let mut verifier = google("acme", "google", "web");
    verifier.pairwise = true;
    assert!(check(&verifier).is_ok());
    verifier.audiences.push("phone".to_owned());
    assert!(matches!(check(&verifier), Err(ConfigError::Pairwise(_))));
    verifier.user = UserClaim::TenantObject;
    assert!(check(&verifier).is_ok());
}

#[test]
fn fetching_times() {
    let default = FetchConfig::default();
    for bad in [
        FetchConfig {
            time_limit: 0,
            ..default
        },
        FetchConfig {
            fresh_for: 0,
            ..default
        },
        FetchConfig {
            keep_for: default.fresh_for - 1,
            ..default
        },
        FetchConfig {
            retry_pause: 0,
            ..default
        },
        FetchConfig {
            longest_pause: default.retry_pause - 1,
            ..default
        },
    ] {
        assert!(matches!(
            IdTokenVerifier::new(NodeConfig {
                verifiers: Vec::new(),
                permits: Vec::new(),
                fetching: bad
            }),
            Err(ConfigError::Fetching)
        ));
    }
}
