//! Each kind opens together with one other factor, on a device that never saw the account.

use trefoil::{Draft, FactorKind};

use crate::user::*;

fn all(draft: &mut Draft<'_>) {
    draft.pin("phone PIN", &pin(PIN)).unwrap();
    draft.password("password", &password(PASSWORD)).unwrap();
    draft.security_questions("questions", &questions()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_opens_with_the_social_login_and_with_the_phrase() {
    let user = User::with(all).await;
    let app = user.app();
    for by_phrase in [false, true] {
        let begin = async || {
            if by_phrase {
                user.pending_by_phrase(&app).await
            } else {
                user.pending(&app).await
            }
        };
        let mut pending = begin().await;
        pending.guess(pin(PIN)).await.unwrap();
        user.same(pending.open().await.unwrap());

        let mut pending = begin().await;
        pending.guess(password(PASSWORD)).await.unwrap();
        user.same(pending.open().await.unwrap());

        let mut pending = begin().await;
        let (needed, asked) = pending.security_questions().unwrap();
        assert_eq!((needed, asked.len()), (3, 5));
        pending.guess(answers([2, 3, 5])).await.unwrap();
        let account = user.same(pending.open().await.unwrap());
        let kinds: Vec<_> = account.factors().iter().map(|note| note.kind).collect();
        assert_eq!(
            kinds,
            [
                FactorKind::Social,
                FactorKind::RecoveryPhrase,
                FactorKind::Pin,
                FactorKind::Password,
                FactorKind::SecurityQuestions
            ]
        );
        assert_eq!(account.revision(), 2, "nothing had to be set up anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_to_four_nodes_may_be_gone() {
    let mut user = User::with(all).await;
    for place in [0, 3, 4, 8] {
        user.world.nodes[place].kill().await;
    }
    let mut pending = user.pending(&user.app()).await;
    pending.guess(pin(PIN)).await.unwrap();
    user.same(pending.open().await.unwrap());
}
