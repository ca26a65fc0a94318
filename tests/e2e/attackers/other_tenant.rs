//! The wallet app of another tenant, used by the same user: nothing.

use trefoil::{LoginError, VerifierId};
use trefoil_client::metadata;
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::servers::World;

use super::toolkit::{Loot, acme, raw_client, social_secret};
use crate::common::{Phone, create, no_account, open};

#[tokio::test]
async fn its_own_logins_lead_to_other_wallets_and_open_nothing_here() {
    let world = World::start().await.unwrap();
    let victim = create(&Phone::new().app(&world), &world, "alice").await;
    let loot = Loot::only(world.metadata_directory());

    // The user logs in to the other app as well: the same provider, the same user, verifiers of the same name.
    let phone = Phone::new();
    let other = phone.app_with(&world, |builder| builder.tenant("other"));
    let account = create(&other, &world, "alice").await;
    assert_ne!(account.ethereum_address(), victim.ethereum_address());
    assert_ne!(account.id(), victim.id());

    // What the other app learns, used as this tenant's factor.
    let secret = social_secret(&world, "other", "google", "alice").await;
    let keys = FactorKeys::derive(&acme(), &secret);
    assert!(matches!(
        loot.open(std::slice::from_ref(&keys)),
        Err(OpeningError::NotEnrolled)
    ));
    let error = raw_client(&world, "acme")
        .login(&[keys.auth()])
        .await
        .unwrap_err();
    assert!(matches!(error, metadata::LoginError::NoAccount), "{error}");
}

#[tokio::test]
async fn a_token_made_for_it_does_not_pass_the_nodes_as_this_tenants() {
    let world = World::start().await.unwrap();
    create(&Phone::new().app(&world), &world, "alice").await;
    for (verifier, made_for) in [
        ("google", ("other", "google")),
        ("house", ("other", "google")),
        ("google", ("acme", "house")),
    ] {
        let login = Phone::new().app(&world).begin_login();
        let token = world
            .id_token_for(made_for.0, made_for.1, "alice", &login.oidc_nonce())
            .unwrap();
        let error = login
            .complete(&VerifierId::new(verifier).unwrap(), &token)
            .await
            .unwrap_err();
        match error {
            LoginError::Network(error) => {
                assert_eq!(error.code(), Some(ProblemCode::TokenWrongAudience))
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_true_factor_is_unknown_in_the_other_tenant() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    create(&phone.app(&world), &world, "alice").await;
    // The very same factor secret gives other keys there, and this tenant's statements are refused there.
    let secret = social_secret(&world, "acme", "google", "alice").await;
    let there = FactorKeys::derive(&Tenant::new("other").unwrap(), &secret);
    let here = FactorKeys::derive(&acme(), &secret);
    let other = raw_client(&world, "other");
    for keys in [&there, &here] {
        assert!(matches!(
            other.login(&[keys.auth()]).await,
            Err(metadata::LoginError::NoAccount)
        ));
    }
    let app = phone.app_with(&world, |builder| builder.tenant("other"));
    drop(no_account(open(&app, &world, "alice").await));
}
