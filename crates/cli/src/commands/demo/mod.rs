//! `trefoil demo`: every server on this machine, and a wallet app that goes from one click to two of three.

mod factors;
mod offline;
mod parties;

use std::path::{Path, PathBuf};

use serde_json::json;
use trefoil::device::{DeviceStore, FileDeviceStore, MemoryDeviceStore};
use trefoil::{
    Account, DappShare, Environment, Factor, FactorKind, LoginError, Opened, RecoveryPhrase,
    SocialLogin, Tenant, Trefoil, VerifierId,
};
use trefoil_testkit::oidc::OpenIdProvider;

use crate::args::{Demo, DemoFactors, NetworkSize};
use crate::commands::wallet::ethereum;
use crate::failure::{Exit, Failure};
use crate::local::{APP_FILE, LocalNetwork, NodeProcesses};
use crate::ui::Ui;

/// The user's factors at the time of the pairs.
const FACTORS: [FactorKind; 3] = [
    FactorKind::Social,
    FactorKind::Device,
    FactorKind::RecoveryPhrase,
];
/// Nodes of the network unless said otherwise.
const NODES: u16 = 9;
const MESSAGE: &str = "Hello from Trefoil";

/// The user, with everything the user has.
struct User {
    network: LocalNetwork,
    subject: String,
    /// Where the user's own device keeps its state.
    device: PathBuf,
    phrase: Option<RecoveryPhrase>,
    address: String,
}

pub(crate) async fn run(ui: Ui, arguments: Demo) -> Result<(), Failure> {
    let temporary = match &arguments.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|source| {
            Failure::io("create", Path::new("a temporary directory"), &source)
        })?),
    };
    let data = match (&arguments.data, &temporary) {
        (Some(kept), _) => kept.clone(),
        (None, Some(temporary)) => temporary.path().join("demo"),
        (None, None) => return Err(broken("no directory")),
    };
    let tenant = Tenant::new("demo").map_err(broken)?;
    let fresh = !data.join(APP_FILE).exists();
    let size = if fresh {
        arguments.size.or(NODES)
    } else {
        arguments.size
    };
    check(size, arguments.kill)?;
    let starting = LocalNetwork::start_processes(&data, &tenant, size);
    let (network, mut nodes) = ui.busy("starting the servers", starting).await?;
    show(ui, &network, fresh)?;

    // A new user each time, so that the demo can run again on data that were kept.
    let mut random = [0; 4];
    rand_core::Rng::fill_bytes(&mut Environment::system().rng(), &mut random);
    let subject = format!("alice-{}", hex::encode(random));
    let device = data.join("devices").join(&subject);
    let mut user = User {
        network,
        subject,
        device,
        phrase: None,
        address: String::new(),
    };

    one_click(ui, &mut user).await?;
    login_again(ui, &user).await?;
    enable_mfa(ui, &mut user).await?;
    for (i, first) in FACTORS.iter().enumerate() {
        for second in FACTORS.iter().skip(i + 1) {
            reconstruct(ui, &user, *first, *second).await?;
        }
    }
    below_threshold(ui, &user).await?;
    remove_factor(ui, &user).await?;
    removed_factor_refused(ui, &user).await?;
    sign(ui, &user).await?;
    let kept = match arguments.factors {
        Some(DemoFactors::All) => {
            let kept = factors::run(ui, &user).await?;
            Some((kept, offline::kit(&user).await?))
        }
        None => None,
    };
    if let Some(count) = arguments.kill {
        login_with_nodes_down(ui, &user, &mut nodes, count).await?;
    }
    if let Some((factors, kit)) = kept {
        offline::recover(ui, user, nodes, factors, &kit).await?;
    }
    if let Some(kept) = &arguments.data {
        ui.note(format_args!(
            "\nWhat the servers and the device keep lies in {}.",
            kept.display()
        ));
    }
    Ok(())
}

/// What can be told before anything is started.
fn check(size: NetworkSize, kill: Option<u16>) -> Result<(), Failure> {
    if size.needed() < 2 || size.needed() > size.count() {
        return Err(Failure::usage(format!(
            "{} of {} nodes is no network that makes its own key: at least 2 must answer, and no more than there are",
            size.needed(),
            size.count()
        )));
    }
    match kill {
        Some(kill) if kill > size.count() => Err(Failure::usage(format!(
            "--kill {kill}: there are {} nodes",
            size.count()
        ))),
        _ => Ok(()),
    }
}

/// What is running, and whose key it is.
fn show(ui: Ui, network: &LocalNetwork, fresh: bool) -> Result<(), Failure> {
    let manifest = network.app.manifest.trust_pinned().map_err(broken)?;
    let (nodes, threshold, group_key) = (
        manifest.nodes().len(),
        manifest.threshold(),
        manifest.network(),
    );
    let made = if fresh {
        "made among themselves"
    } else {
        "made earlier"
    };
    ui.step(
        "network",
        json!({ "nodes": nodes, "threshold": threshold, "group_key": group_key }),
        format!(
            "Network        {nodes} node processes, of which {threshold} must answer\n               key {group_key}, {made}; nobody has it whole"
        ),
    );
    Ok(())
}

/// A new user logs in and has a wallet.
async fn one_click(ui: Ui, user: &mut User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let opened = ui.busy("logging in", user.social_login(&app)).await?;
    let Opened::NoAccount(new) = opened else {
        return Err(broken("a new user has an account"));
    };
    let account = ready(ui.busy("creating the wallet", new.create()).await?)?;
    user.address = account.ethereum_address().to_string();
    let trips = app.round_trips().count();
    let nonce = nonce_at_the_server(&account).await?;
    ui.step(
        "one_click",
        json!({ "address": user.address, "round_trips": trips, "nonce": nonce }),
        format!(
            "One click      {}\n               created in {trips} round trips; the key is the login's half plus the server's nonce, which is {nonce}",
            user.address
        ),
    );
    Ok(())
}

/// What the server still has of the nonce: the kit is everything that it holds of an account.
async fn nonce_at_the_server(account: &Account) -> Result<&'static str, Failure> {
    let held = account.recovery_kit().await?.sealed_nonce().is_some();
    Ok(if held { "stored" } else { "deleted" })
}

/// The same login opens the same wallet.
async fn login_again(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let account = ready(ui.busy("logging in", user.social_login(&app)).await?)?;
    let (address, trips) = (user.same_address(&account)?, app.round_trips().count());
    ui.step(
        "login_again",
        json!({ "address": address, "round_trips": trips }),
        format!("Login again    {address}\n               opened in {trips} round trips: nodes, then metadata server"),
    );
    Ok(())
}

/// The same key, spread over three factors; the nonce goes in the same write.
async fn enable_mfa(ui: Ui, user: &mut User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let mut account = ready(user.social_login(&app).await?)?;
    let mut upgrade = account.enable_mfa();
    upgrade
        .device("laptop")?
        .recovery_phrase("paper in the drawer")?;
    let words = upgrade
        .recovery_phrase_words()
        .ok_or_else(|| broken("no phrase was drafted"))?;
    // The drill: a real user types this back from the paper.
    upgrade.prove_recovery_phrase(&words)?;
    ui.busy("turning MFA on", upgrade.commit()).await?;
    user.phrase = Some(RecoveryPhrase::parse(&words)?);

    let address = user.same_address(&account)?;
    let factors: Vec<_> = account
        .factors()
        .iter()
        .map(|note| note.kind.as_str())
        .collect();
    let threshold = account.threshold();
    let nonce = nonce_at_the_server(&account).await?;
    ui.step(
        "enable_mfa",
        json!({ "address": address, "threshold": threshold, "factors": factors, "nonce": nonce }),
        format!(
            "MFA on         {address}\n               any {threshold} of: {}; the server's nonce is {nonce}",
            factors.join(", ")
        ),
    );
    Ok(())
}

/// Two factors, nothing else: a device that never saw the account unless the device is one of the two.
async fn reconstruct(
    ui: Ui,
    user: &User,
    first: FactorKind,
    second: FactorKind,
) -> Result<(), Failure> {
    let pair = [first, second];
    let app = user.app_for(&pair)?;
    let opening = async {
        let opened = if pair.contains(&FactorKind::Social) {
            user.social_login(&app).await?
        } else {
            app.log_in_with([user.phrase()?]).await?.open().await?
        };
        match opened {
            // The device's own factor has joined by itself.
            Opened::Ready(account) => Ok(account),
            Opened::NeedsFactors(mut pending) => {
                pending.provide(user.phrase()?).await?;
                ready(pending.open().await?)
            }
            _ => Err(broken("the pair does not open")),
        }
    };
    let account = ui.busy("opening", opening).await?;
    let address = user.same_address(&account)?;
    let factors = pair.map(FactorKind::as_str);
    ui.step(
        "reconstruct",
        json!({ "factors": factors, "address": address }),
        format!(
            "Any two        {address}\n               {}",
            factors.join(" + ")
        ),
    );
    Ok(())
}

/// One factor is not enough.
async fn below_threshold(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_new_device()?;
    let Opened::NeedsFactors(pending) = user.social_login(&app).await? else {
        return Err(broken("one factor opens the wallet"));
    };
    let missing = pending.missing();
    ui.step(
        "below_threshold",
        json!({ "factors": ["social"], "error": "needs_factors", "missing": missing }),
        format!("One alone      refused: social alone needs {missing} more factor"),
    );
    Ok(())
}

/// A fourth factor is added, then one is removed: all others get new shares.
async fn remove_factor(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let mut account = ready(user.social_login(&app).await?)?;
    let mut adding = account.change();
    adding.dapp_share("kept by the app")?;
    let words = adding
        .dapp_share_words()
        .ok_or_else(|| broken("no dApp share was drafted"))?;
    adding.prove_dapp_share(&words)?;
    ui.busy("adding a dApp share", adding.commit()).await?;
    let share = DappShare::parse(&words)?;

    let phrase = account
        .factors()
        .iter()
        .find(|note| note.kind == FactorKind::RecoveryPhrase)
        .map(|note| note.index);
    let phrase = phrase.ok_or_else(|| broken("the phrase is not listed"))?;
    let mut removing = account.change();
    removing.remove(phrase)?;
    ui.busy("removing the recovery phrase", removing.commit())
        .await?;
    let (address, epoch) = (user.same_address(&account)?, account.epoch());

    // The one added takes part like any other.
    let app = user.on_new_device()?;
    let Opened::NeedsFactors(mut pending) = user.social_login(&app).await? else {
        return Err(broken("one factor opens the wallet"));
    };
    pending.provide(share).await?;
    user.same_address(&ready(pending.open().await?)?)?;
    let factors: Vec<_> = account
        .factors()
        .iter()
        .map(|note| note.kind.as_str())
        .collect();
    ui.step(
        "remove_factor",
        json!({ "factor": "recovery_phrase", "epoch": epoch, "added": "dapp_share", "factors": factors, "address": address }),
        format!(
            "Replaced       {address}\n               dapp_share added, recovery_phrase removed; epoch {epoch}: {}",
            factors.join(", ")
        ),
    );
    Ok(())
}

/// What was removed opens nothing any more.
async fn removed_factor_refused(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_new_device()?;
    let refused = match app.log_in_with([user.phrase()?]).await {
        Ok(_) => return Err(broken("a removed factor logs in")),
        Err(refused) => refused,
    };
    if !matches!(
        &refused,
        LoginError::Metadata(trefoil_client::metadata::LoginError::FactorRemoved)
    ) {
        return Err(refused.into());
    }
    let failure = Failure::from(refused);
    ui.step(
        "removed_factor_refused",
        json!({ "factor": "recovery_phrase", "error": failure.code(), "message": failure.message() }),
        format!("Removed one    refused: {}", failure.message()),
    );
    Ok(())
}

/// The key is an ordinary one.
async fn sign(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let account = ready(user.social_login(&app).await?)?;
    user.same_address(&account)?;
    let signed = ethereum::sign(&account, MESSAGE.as_bytes())?;
    if signed.recovered_address != user.address {
        return Err(broken("the signature is another key's"));
    }
    ui.step(
        "sign",
        json!({ "message": MESSAGE, "signature": signed.signature, "recovered_address": signed.recovered_address }),
        format!(
            "Signed         {}\n               recovered from the signature of {MESSAGE:?}",
            signed.recovered_address
        ),
    );
    Ok(())
}

/// Some nodes are gone; the same login opens the same wallet.
async fn login_with_nodes_down(
    ui: Ui,
    user: &User,
    nodes: &mut NodeProcesses,
    count: u16,
) -> Result<(), Failure> {
    let killed = nodes.kill(usize::from(count)).await?;
    let app = user.on_own_device()?;
    let opened = ui.busy("logging in", user.social_login(&app)).await;
    let account = ready(opened.map_err(|failure| nodes_missing(&killed, &failure))?)?;
    let address = user.same_address(&account)?;
    ui.step(
        "login_with_nodes_down",
        json!({ "killed": killed.len(), "killed_nodes": killed, "address": address }),
        format!(
            "Nodes down     {address}\n               {} nodes were killed: {}",
            killed.len(),
            killed.join(", ")
        ),
    );
    Ok(())
}

fn nodes_missing(killed: &[String], failure: &Failure) -> Failure {
    Failure::new(
        Exit::Other,
        "too_few_nodes",
        format!(
            "with {} nodes down nobody can log in: {} ({}); the wallet is not lost, it opens again when enough of them are \
             back",
            killed.len(),
            failure.message(),
            killed.join(", ")
        ),
    )
}

impl User {
    /// The app on the user's own device.
    fn on_own_device(&self) -> Result<Trefoil, Failure> {
        self.app(FileDeviceStore::in_directory(&self.device))
    }

    /// The app on a device that never saw the account.
    fn on_new_device(&self) -> Result<Trefoil, Failure> {
        self.app(MemoryDeviceStore::new())
    }

    fn app_for(&self, factors: &[FactorKind]) -> Result<Trefoil, Failure> {
        if factors.contains(&FactorKind::Device) {
            self.on_own_device()
        } else {
            self.on_new_device()
        }
    }

    fn app(&self, devices: impl DeviceStore + 'static) -> Result<Trefoil, Failure> {
        Ok(self.network.app.builder().device_store(devices).build()?)
    }

    /// The user goes to the login provider and comes back with an ID token.
    async fn social_login(&self, app: &Trefoil) -> Result<Opened, Failure> {
        let (verifier, provider) = self.provider()?;
        let login = app.begin_login();
        let address = format!("{}@example.com", self.subject);
        let claims = provider.claims(&self.subject).email(&address, true);
        let id_token = provider
            .id_token(&claims.nonce(&login.oidc_nonce()))
            .map_err(broken)?;
        Ok(login.complete(verifier, &id_token).await?.open().await?)
    }

    /// The user's other login, at the other provider.
    async fn second_login(&self, app: &Trefoil) -> Result<SocialLogin, Failure> {
        let mut providers = self.network.providers.iter();
        let (own, _) = self.provider()?;
        let (verifier, provider) = providers
            .find(|(id, _)| id != own)
            .ok_or_else(|| broken("no second provider"))?;
        let login = app.begin_login();
        let subject = format!("{}-at-{verifier}", self.subject);
        // Another person's, as far as can be told: a second login of the same identity would be no second factor.
        let claims = provider
            .claims(&subject)
            .email(&format!("{subject}@example.com"), true);
        let id_token = provider
            .id_token(&claims.nonce(&login.oidc_nonce()))
            .map_err(broken)?;
        Ok(login.factor(verifier, &id_token, 0).await?)
    }

    /// The one that the app runs itself: only such logins may have a dApp share.
    fn provider(&self) -> Result<(&VerifierId, &OpenIdProvider), Failure> {
        let custom = self
            .network
            .app
            .verifiers
            .iter()
            .find(|verifier| verifier.custom);
        let custom = custom.ok_or_else(|| broken("no custom verifier"))?;
        let found = self
            .network
            .providers
            .iter()
            .find(|(id, _)| *id == custom.id);
        found
            .map(|(id, provider)| (id, provider))
            .ok_or_else(|| broken("no provider"))
    }

    fn phrase(&self) -> Result<Factor, Failure> {
        self.phrase
            .clone()
            .map(Factor::from)
            .ok_or_else(|| broken("no phrase yet"))
    }

    /// Where another device of the story keeps its state.
    fn place(&self, device: &str) -> PathBuf {
        self.device
            .with_file_name(format!("{}-{device}", self.subject))
    }

    /// One factor's step.
    fn show(&self, ui: Ui, kind: &str, account: &Account) -> Result<(), Failure> {
        let address = self.same_address(account)?;
        ui.step(
            "factor",
            json!({ "kind": kind, "address": address }),
            format!("Factor         {address}\n               social + {kind}"),
        );
        Ok(())
    }

    /// The wallet must be the same throughout.
    fn same_address(&self, account: &Account) -> Result<String, Failure> {
        let address = account.ethereum_address().to_string();
        if address == self.address {
            Ok(address)
        } else {
            Err(broken("the address has changed"))
        }
    }
}

fn ready(opened: Opened) -> Result<Account, Failure> {
    match opened {
        Opened::Ready(account) => Ok(account),
        _ => Err(broken("the wallet does not open")),
    }
}

fn broken(what: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Other,
        "demo_failed",
        format!("the demo went wrong: {what}"),
    )
}
