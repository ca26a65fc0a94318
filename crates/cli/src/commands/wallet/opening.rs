//! From the factors at hand to an open account.

use serde_json::{Value, json};
use trefoil::{
    Account, DappShare, Factor, FactorKind, Known, Login, NewAccount, Opened, Pending,
    RecoveryPhrase, RolledBack, SocialLogin, Trefoil,
};
use trefoil_client::{HttpTransport, Request, Transport as _};
use trefoil_protocol::bytes::AccountId;
use url::Url;
use zeroize::Zeroizing;

use super::browser::BrowserLogin;
use super::knowledge;
use super::setup::Setup;
use crate::app::{AppFile, Verifier};
use crate::args::Factors;
use crate::failure::{Exit, Failure, rollback};
use crate::secrets::Source;
use crate::ui::Ui;

/// What a login led to.
pub(super) enum Outcome {
    Open(Box<Account>),
    /// Nobody has an account under this login.
    New(Box<NewAccount>),
    RolledBack(Box<RolledBack>, Vec<Factor>),
}

/// The factors that were brought along and not used yet.
pub(super) struct Brought {
    factors: Vec<Factor>,
    known: Vec<Known>,
}

/// The app, what a login with the first of the given factors led to, and the others.
pub(super) async fn begin(
    setup: &Setup,
    given: &Factors,
) -> Result<(AppFile, Trefoil, Opened, Brought), Failure> {
    let app = setup.app()?;
    let trefoil = setup.trefoil(&app)?;
    let ui = setup.ui;
    let mut factors = bring(ui, given)?;
    let known = knowledge::bring(ui, given)?;
    let opened = match IdTokenSource::of(given) {
        Some(source) => {
            let verifier = app.verifier(given.verifier.as_ref())?;
            let login = trefoil.begin_login();
            let id_token = source.fetch(ui, &login, verifier).await?;
            let locked = ui
                .busy("logging in", login.complete(&verifier.id, &id_token))
                .await?;
            ui.busy("opening", locked.open()).await?
        }
        None => {
            let locked = if factors.is_empty() {
                let account = only_account(&trefoil)?;
                ui.busy("logging in", trefoil.log_in_with_device(&account))
                    .await?
            } else {
                ui.busy("logging in", trefoil.log_in_with([factors.remove(0)]))
                    .await?
            };
            ui.busy("opening", locked.open()).await?
        }
    };
    Ok((app, trefoil, opened, Brought { factors, known }))
}

/// The app, and what a login with the given factors led to.
pub(super) async fn log_in(
    setup: &Setup,
    given: &Factors,
) -> Result<(AppFile, Trefoil, Outcome), Failure> {
    let (app, trefoil, opened, brought) = begin(setup, given).await?;
    let outcome = match opened {
        Opened::Ready(account) => Outcome::Open(account.into()),
        Opened::NoAccount(new) => Outcome::New(new.into()),
        Opened::RolledBack(old) => Outcome::RolledBack(old.into(), brought.factors),
        Opened::NeedsFactors(pending) => {
            Outcome::Open(provide(setup.ui, pending, brought).await?.into())
        }
        Opened::NeedsMfa(_) => {
            return Err(Failure::new(
                Exit::Refused,
                "mfa_required",
                "this app demands that MFA is on",
            ));
        }
        _ => {
            return Err(Failure::new(
                Exit::Other,
                "unexpected",
                "the wallet is in a state that this version does not know",
            ));
        }
    };
    Ok((app, trefoil, outcome))
}

/// An open account, or what is in the way.
pub(super) async fn open(
    setup: &Setup,
    given: &Factors,
) -> Result<(AppFile, Trefoil, Account), Failure> {
    match log_in(setup, given).await? {
        (app, trefoil, Outcome::Open(account)) => Ok((app, trefoil, *account)),
        (_, _, Outcome::New(_)) => Err(no_account()),
        (_, _, Outcome::RolledBack(old, _)) => Err(rolled_back(&old)),
    }
}

pub(super) fn no_account() -> Failure {
    Failure::new(
        Exit::Refused,
        "no_account",
        "there is no wallet for this login; `trefoil wallet login` creates one, unless you logged in differently before",
    )
}

pub(super) fn rolled_back(old: &RolledBack) -> Failure {
    match old.reason() {
        Some(reason) => {
            let (exit, code) = rollback(&reason);
            let message = format!(
                "{reason}. Nothing was opened. If you are sure that it lost data: `trefoil wallet open --restore` puts \
                 this device's newer record back"
            );
            Failure::new(exit, code, message)
        }
        None => Failure::new(
            Exit::Alarm,
            "rolled_back",
            "the server shows an older wallet than this device has seen",
        ),
    }
}

/// The factors that need no provider, in the order of their options.
pub(super) fn bring(ui: Ui, given: &Factors) -> Result<Vec<Factor>, Failure> {
    let mut factors = Vec::new();
    if let Some(source) = Source::of(given.phrase_file.as_deref(), given.phrase) {
        factors.push(RecoveryPhrase::parse(&source.read(ui, "recovery phrase")?)?.into());
    }
    if let Some(source) = Source::of(given.dapp_share_file.as_deref(), given.dapp_share) {
        factors.push(DappShare::parse(&source.read(ui, "dApp share")?)?.into());
    }
    Ok(factors)
}

/// The account that this device knows, where nothing else says which one is meant.
fn only_account(trefoil: &Trefoil) -> Result<AccountId, Failure> {
    const GIVE: &str = "log in (--issuer and --client-id, --id-token-file, --dev-user), or give a recovery phrase (--phrase) or a dApp share";
    match trefoil.known_accounts()?.as_slice() {
        [account] => Ok(*account),
        [] => Err(Failure::new(
            Exit::MoreFactors,
            "needs_factors",
            format!("no factor is at hand: {GIVE}"),
        )),
        _ => Err(Failure::usage(format!(
            "this device knows several wallets; say which one is meant: {GIVE}"
        ))),
    }
}

/// Gives the factors that were brought, as far as they are needed.
pub(super) async fn give(
    ui: Ui,
    mut pending: Pending,
    brought: Brought,
) -> Result<Pending, Failure> {
    for factor in brought.factors {
        if pending.missing() == 0 {
            break;
        }
        ui.busy("opening", pending.provide(factor)).await?;
    }
    for known in brought.known {
        if pending.missing() == 0 {
            break;
        }
        ui.busy("guessing", pending.guess(known)).await?;
    }
    Ok(pending)
}

/// Gives the factors that were brought, then asks for more where somebody is there to answer.
async fn provide(ui: Ui, pending: Pending, brought: Brought) -> Result<Account, Failure> {
    let mut pending = give(ui, pending, brought).await?;
    while pending.missing() > 0 {
        if !ui.interactive() {
            return Err(needs_factors(&pending));
        }
        ask(ui, &mut pending).await?;
    }
    match ui.busy("opening", pending.open()).await? {
        Opened::Ready(account) => Ok(account),
        _ => Err(Failure::new(
            Exit::Other,
            "unexpected",
            "the factors were accepted but the wallet did not open",
        )),
    }
}

fn needs_factors(pending: &Pending) -> Failure {
    Failure::needs_factors(pending.missing(), pending.available())
}

/// Asks for the words of one more factor.
async fn ask(ui: Ui, pending: &mut Pending) -> Result<(), Failure> {
    ui.note(needs_factors(pending).message());
    let has = |kind| pending.available().any(|note| note.kind == kind);
    let factor: Factor = if has(FactorKind::RecoveryPhrase) {
        RecoveryPhrase::parse(&Source::Prompt.read(ui, "recovery phrase")?)?.into()
    } else if has(FactorKind::DappShare) {
        DappShare::parse(&Source::Prompt.read(ui, "dApp share")?)?.into()
    } else {
        let mut kinds = pending.available().map(|note| note.kind);
        let kind = kinds.find(|kind| !kind.is_primary());
        drop(kinds);
        let Some(kind) = kind else {
            return Err(needs_factors(pending));
        };
        let known = knowledge::ask(ui, kind, pending)?;
        ui.busy("guessing", pending.guess(known)).await?;
        return Ok(());
    };
    ui.busy("opening", pending.provide(factor)).await?;
    Ok(())
}

/// What is shown of an open account.
pub(super) fn shown(account: &Account) -> Value {
    json!({
        "address": account.ethereum_address().to_string(),
        "account": account.id(),
        "custody": account.custody(),
        "mfa": account.mfa_is_on(),
        "threshold": account.threshold(),
        "factors": account.factors().len(),
        "revision": account.revision(),
        "epoch": account.epoch(),
    })
}

/// Where an ID token comes from.
pub(super) enum IdTokenSource {
    DevUser(String),
    Given(Source),
    Browser(Box<BrowserLogin>),
}

impl IdTokenSource {
    fn of(given: &Factors) -> Option<Self> {
        let user = given.dev_user.clone().map(Self::DevUser);
        user.or_else(|| Source::of(given.id_token_file.as_deref(), given.id_token).map(Self::Given))
            .or_else(|| BrowserLogin::of(given).map(Self::browser))
    }

    pub(super) fn browser(login: BrowserLogin) -> Self {
        Self::Browser(Box::new(login))
    }

    /// The ID token for this login. Where the user is to bring it, the nonce that it must carry is shown first.
    pub(super) async fn fetch(
        self,
        ui: Ui,
        login: &Login,
        verifier: &Verifier,
    ) -> Result<Zeroizing<String>, Failure> {
        let nonce = login.oidc_nonce();
        let token = match self {
            Self::DevUser(user) => {
                ui.busy(
                    "logging in at the development provider",
                    dev_token(verifier, &user, &nonce),
                )
                .await?
            }
            Self::Browser(browser) => browser.id_token(ui, nonce).await?,
            Self::Given(source) => {
                ui.step(
                    "oidc_nonce",
                    json!({ "verifier": verifier.id, "oidc_nonce": nonce }),
                    format_args!(
                        "Log in at {} with this OpenID Connect nonce:\n{nonce}",
                        verifier.id
                    ),
                );
                tokio::task::spawn_blocking(move || source.read(ui, "ID token"))
                    .await
                    .map_err(|error| Failure::new(Exit::Other, "unexpected", error))??
            }
        };
        Ok(Zeroizing::new(token.trim().to_owned()))
    }
}

/// A social login that is to become a factor of an account that is open already.
pub(super) async fn new_social(
    ui: Ui,
    trefoil: &Trefoil,
    verifier: &Verifier,
    source: IdTokenSource,
) -> Result<SocialLogin, Failure> {
    let login = trefoil.begin_login();
    let id_token = source.fetch(ui, &login, verifier).await?;
    Ok(ui
        .busy("logging in", login.factor(&verifier.id, &id_token, 0))
        .await?)
}

/// A development provider signs in whoever is named.
async fn dev_token(
    verifier: &Verifier,
    user: &str,
    nonce: &str,
) -> Result<Zeroizing<String>, Failure> {
    let address = verifier.dev_token_url.as_ref().ok_or_else(|| {
        Failure::usage(format!(
            "{} is no development provider: give an ID token (--id-token)",
            verifier.id
        ))
    })?;
    let failed = |reason: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Offline,
            "offline",
            format!("the development login provider at {address}: {reason}"),
        )
    };
    let url = Url::parse(address).map_err(|error| failed(&error))?;
    let body = json!({ "sub": user, "nonce": nonce }).to_string();
    let transport = HttpTransport::new().map_err(|error| failed(&error))?;
    let answer = transport
        .send(Request::new(http::Method::POST, url).json(body))
        .await
        .map_err(|error| failed(&error))?;
    if !answer.status.is_success() {
        return Err(failed(&format!("it answers {}", answer.status)));
    }
    let answer: Value =
        serde_json::from_slice(&answer.body).map_err(|_| failed(&"its answer is not JSON"))?;
    let token = answer.get("id_token").and_then(Value::as_str);
    token
        .map(|token| Zeroizing::new(token.to_owned()))
        .ok_or_else(|| failed(&"its answer has no ID token"))
}
