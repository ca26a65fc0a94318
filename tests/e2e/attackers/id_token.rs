//! Somebody who captured an ID token but not the ephemeral key: nothing.

use http::{Method, StatusCode};
use trefoil_client::{HttpTransport, Request, Transport};
use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{
    EphemeralKey, EvaluateRequest, EvaluateResponse, IdToken, VerifierId,
};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::servers::World;
use url::Url;

use super::toolkit::acme;
use crate::common::{Phone, create};

/// Tries the token at every node, with the attacker's key and with the victim's public one.
pub(crate) async fn assert_useless(world: &World, id_token: &str, victims: EnvelopeKey) {
    let transport = HttpTransport::new().unwrap();
    let own = EphemeralKey::random(&mut os_rng());
    for node in &world.nodes {
        let ask = async |key: EnvelopeKey| {
            let google = VerifierId::new("google").unwrap();
            let request =
                EvaluateRequest::new(acme(), google, IdToken::new(id_token.to_owned()), key, 0, 1)
                    .unwrap();
            let url = Url::parse(&format!("{}/v1/evaluate", node.url())).unwrap();
            let body = request.to_json().to_vec();
            transport
                .send(Request::new(Method::POST, url).json(body))
                .await
                .unwrap()
        };
        let refused = ask(own.public()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let problem: Problem = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(problem.code, ProblemCode::TokenWrongNonce);

        let sealed = ask(victims).await;
        assert_eq!(sealed.status, StatusCode::OK);
        let sealed = EvaluateResponse::from_json(&sealed.body).unwrap();
        assert!(sealed.open(&own).is_err());
    }
}

#[tokio::test]
async fn a_captured_token_serves_nobody_else() {
    let world = World::start().await.unwrap();
    create(&Phone::new().app(&world), &world, "alice").await;
    let victims = EphemeralKey::random(&mut os_rng());
    let token = world.id_token("alice", &victims.oidc_nonce()).unwrap();
    assert_useless(&world, &token, victims.public()).await;
}

#[tokio::test]
async fn a_captured_token_gives_the_sdk_nothing_either() {
    let world = World::start().await.unwrap();
    create(&Phone::new().app(&world), &world, "alice").await;
    let victims = EphemeralKey::random(&mut os_rng());
    let token = world.id_token("alice", &victims.oidc_nonce()).unwrap();
    let login = Phone::new().app(&world).begin_login();
    let error = login
        .complete(&crate::common::google(), &token)
        .await
        .unwrap_err();
    match error {
        trefoil::LoginError::Network(error) => {
            assert_eq!(error.code(), Some(ProblemCode::TokenWrongNonce))
        }
        other => panic!("{other}"),
    }
}
