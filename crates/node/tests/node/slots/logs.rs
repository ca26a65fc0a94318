use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use trefoil_protocol::guess::Count;
use trefoil_protocol::problem::ProblemCode;

use super::fixture::{Owner, Place};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// At the finest level: routes and codes, and nothing of slots, keys or attempts. The same of the counters.
#[tokio::test]
async fn log_and_counters_name_no_slot() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let round = owner.round(1, true);
    let guess = round.request(place.name(), place.now());
    place.guess(&guess).await.unwrap();
    let reused = {
        let mut other = Owner::content(&owner.guess(&place, 1));
        other.attempt = Owner::content(&guess).attempt;
        owner.sign_guess(&other, 1)
    };
    let id = owner.id;
    place
        .refuses(id, "guess", &reused, ProblemCode::AttemptReused)
        .await;
    let unlock = owner.unlock(&place, &round);
    let _: Count = place.post("unlock", &unlock).await.unwrap();
    let _: Value = place.post("delete", &owner.deletion()).await.unwrap();
    place
        .refuses(id, "enrol", &owner.request(&place), ProblemCode::SlotGone)
        .await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/v1/slots/guess") && log.contains("attempt_reused"));
    let counters = place.node.metrics().encode();
    let content = Owner::content(&guess);
    for secret in [
        id.to_string(),
        owner.admin().auth_key().to_string(),
        guess.key.to_string(),
        content.attempt.to_string(),
        content.blinded.to_string(),
    ] {
        assert!(secret.len() > 20);
        assert!(
            !log.contains(&secret) && !counters.contains(&secret),
            "{secret}"
        );
    }
}
