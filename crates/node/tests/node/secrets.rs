//! What a node keeps to itself: loading it, and showing it to nobody.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use trefoil_node::{Clock, IdTokenVerifier, LoadSecretsError, Node, NodeConfig, load_secrets};
use trefoil_protocol::social::{
    DealtNetwork, EphemeralKey, NodeSecretsError, VerifiedManifest, deal_network,
};
use trefoil_testkit::oidc::Fault;

use crate::world::{START, World, acme, rng, tenant, verifier_id};

fn dealt(seed: u64) -> (DealtNetwork, VerifiedManifest) {
    let urls: Vec<String> = (1..=3)
        .map(|i| format!("https://node-{i}.example.com"))
        .collect();
    let dealt = deal_network(&urls, 2, &mut rng(seed)).unwrap();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    (dealt, manifest)
}

fn write(path: &Path, contents: &[u8]) {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).unwrap().write_all(contents).unwrap();
}

#[test]
fn the_dealers_file_loads_and_damage_is_told() {
    let (network, manifest) = dealt(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node-2.json");
    let json = network.nodes[1].expose_json();
    write(&path, json.as_bytes());
    let secrets = load_secrets(&path, &manifest).unwrap();
    assert_eq!(
        (secrets.index().get(), secrets.share()),
        (2, network.nodes[1].share())
    );

    let refusal = |contents: &[u8]| {
        write(&path, contents);
        match load_secrets(&path, &manifest) {
            Err(LoadSecretsError::Secrets(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal(b""), NodeSecretsError::Malformed);
    assert_eq!(
        refusal(&json.as_bytes()[..100]),
        NodeSecretsError::Malformed
    );
    assert_eq!(
        refusal(&[json.as_bytes(), &vec![b' '; 10_000]].concat()),
        NodeSecretsError::Malformed
    );
    // Another node's index, another network, another share.
    let swapped = json.replace("\"index\":2", "\"index\":1");
    assert!(matches!(
        refusal(swapped.as_bytes()),
        NodeSecretsError::WrongKeys(_)
    ));
    assert_eq!(
        refusal(dealt(3).0.nodes[1].expose_json().as_bytes()),
        NodeSecretsError::WrongNetwork
    );

    let missing = load_secrets(&folder.path().join("none.json"), &manifest);
    assert!(matches!(missing, Err(LoadSecretsError::Read(_))));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let (network, manifest) = dealt(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node-1.json");
    write(&path, network.nodes[0].expose_json().as_bytes());
    for mode in [0o640, 0o604, 0o620, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(
            matches!(
                load_secrets(&path, &manifest),
                Err(LoadSecretsError::Exposed)
            ),
            "{mode:o}"
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(load_secrets(&path, &manifest).is_ok());
}

#[test]
fn a_node_does_not_start_with_keys_that_the_manifest_does_not_name() {
    let (network, _) = dealt(2);
    let (_, other) = dealt(3);
    let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
    let node = Node::new(
        network.nodes[0].clone(),
        &other,
        verifier,
        Clock::system(),
        rng(1),
    );
    assert_eq!(node.unwrap_err(), NodeSecretsError::WrongNetwork);
}

#[test]
fn debug_shows_no_secret() {
    let (network, manifest) = dealt(2);
    let secrets = network.nodes[0].clone();
    assert_eq!(
        format!("{secrets:?}"),
        "NodeSecrets(redacted, index 1, epoch 1)"
    );
    let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
    let public = secrets.key().identity_key();
    let node = Node::new(secrets, &manifest, verifier, Clock::system(), rng(1)).unwrap();
    assert_eq!(
        format!("{node:?}"),
        format!(
            "Node {{ key: NodeKey(redacted, public {public}), epoch: Some(1), verifier: IdTokenVerifier {{}}, .. }}"
        )
    );
}

#[tokio::test]
async fn debug_shows_no_user() {
    let world = World::small().await;
    let config = NodeConfig {
        permits: Vec::new(),
        verifiers: vec![acme(&world.provider)],
        ..NodeConfig::default()
    };
    let key = EphemeralKey::random(&mut rng(10));
    let user = IdTokenVerifier::new(config)
        .unwrap()
        .verify(
            &tenant("acme"),
            &verifier_id("google"),
            &world.token("ada", &key),
            &key.public(),
            START,
        )
        .await
        .unwrap();
    assert_eq!(user.as_str(), "ada");
    assert_eq!(format!("{user:?}"), "VerifiedUser(redacted)");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that any crate of the process logs, at the finest level.
#[tokio::test]
async fn nothing_about_tokens_or_users_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // One runtime thread serves test, node and provider, so that the subscriber sees them all.
    let _guard = tracing::subscriber::set_default(subscriber);

    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let user = "marker-ada-lovelace";
    let token = world.token(user, &key);
    world.provider.set_fault(Fault::Down);
    assert_eq!(world.refusal(&token, &key).await, "provider_unreachable");
    world.provider.set_fault(Fault::None);
    world.advance(5);
    let answer = world.ask(&token, &key.public()).await.unwrap();
    assert_eq!(
        world
            .refusal(
                &world.token(user, &EphemeralKey::random(&mut rng(11))),
                &key
            )
            .await,
        "token_wrong_nonce"
    );

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // The operator does learn that keys could not be fetched, and from whom.
    assert!(
        text.contains("could not be fetched") && text.contains(world.provider.issuer()),
        "{text}"
    );
    let [_, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let key_text = key.public().to_string();
    for secret in [
        user,
        payload,
        signature,
        key.oidc_nonce().as_str(),
        &key_text,
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
    assert_eq!(answer.open(&key).unwrap().user(), user);
}
