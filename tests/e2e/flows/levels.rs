//! How users are asked to turn on MFA.

use trefoil::{MfaLevel, MfaPrompt, Opened};
use trefoil_testkit::servers::World;

use crate::common::{Phone, needs_mfa, no_account, open, ready};

async fn prompts(world: &World, level: MfaLevel, user: &str) -> Vec<MfaPrompt> {
    let phone = Phone::new();
    let mut prompts = Vec::new();
    for _ in 0..6 {
        let app = phone.app_with(world, |builder| builder.mfa_level(level));
        let account = match open(&app, world, user).await {
            Opened::NoAccount(new) => ready(new.create().await.unwrap()),
            opened => ready(opened),
        };
        prompts.push(account.mfa_prompt());
    }
    prompts
}

#[tokio::test]
async fn each_level_asks_as_often_as_it_should() {
    use MfaPrompt::{None, Optional};
    let world = World::start().await.unwrap();
    assert_eq!(prompts(&world, MfaLevel::None, "never").await, [None; 6]);
    assert_eq!(
        prompts(&world, MfaLevel::Optional, "always").await,
        [Optional; 6]
    );
    assert_eq!(
        prompts(&world, MfaLevel::Default, "thirds").await,
        [None, None, Optional, None, None, Optional]
    );
}

#[tokio::test]
async fn dont_ask_again_is_kept_on_this_phone() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let optional = |builder: trefoil::TrefoilBuilder| builder.mfa_level(MfaLevel::Optional);
    let app = phone.app_with(&world, optional);
    let mut account = ready(
        no_account(open(&app, &world, "alice").await)
            .create()
            .await
            .unwrap(),
    );
    assert_eq!(account.mfa_prompt(), MfaPrompt::Optional);
    account.dont_ask_again().unwrap();
    assert_eq!(account.mfa_prompt(), MfaPrompt::None);
    let again = ready(open(&phone.app_with(&world, optional), &world, "alice").await);
    assert_eq!(again.mfa_prompt(), MfaPrompt::None);
    let elsewhere = ready(open(&Phone::new().app_with(&world, optional), &world, "alice").await);
    assert_eq!(elsewhere.mfa_prompt(), MfaPrompt::Optional);
}

#[tokio::test]
async fn mandatory_hands_out_no_key_before_mfa_is_on() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let mandatory = |builder: trefoil::TrefoilBuilder| builder.mfa_level(MfaLevel::Mandatory);
    let new = no_account(open(&phone.app_with(&world, mandatory), &world, "alice").await);
    // The app stops here: the next login demands again.
    let required = needs_mfa(new.create().await.unwrap());
    let address = required.ethereum_address();
    let required = required.into_account().unwrap_err();
    drop(required);

    let mut required = needs_mfa(open(&phone.app_with(&world, mandatory), &world, "alice").await);
    let mut draft = required.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    let account = required.into_account().unwrap();
    assert_eq!(account.ethereum_address(), address);
    assert_eq!(account.mfa_prompt(), MfaPrompt::None);
    let again = ready(open(&phone.app_with(&world, mandatory), &world, "alice").await);
    assert_eq!(again.ethereum_address(), address);
}
