//! `trefoil wallet recover`: the wallet from its recovery kit, with every server gone. Nothing here makes a connection, and
//! the network file is not read.

use std::path::{Path, PathBuf};

use serde_json::json;
use trefoil::device::{DeviceStore as _, DeviceStoreError, FileDeviceStore};
use trefoil::{
    Factor, FactorKind, FactorNote, OfflineError, OfflineWallet, RecoveryKit, RecoveryPhrase,
    open_kit,
};
use trefoil_protocol::bytes::Locator;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};

use super::export::write_key;
use super::setup::Setup;
use crate::args::Recover;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::secrets::Source;

pub(crate) fn run(setup: &Setup, arguments: &Recover) -> Result<(), Failure> {
    if let Some(path) = &arguments.key_out {
        files::refuse_existing(path)?;
    }
    let kit = RecoveryKit::parse(&files::read(&arguments.kit)?)?;
    let mut hand = Hand::new(&kit);
    for path in &arguments.words_files {
        let source = Source::of(Some(path), false).unwrap_or(Source::Stdin);
        hand.words(setup, &source, &path.display().to_string())?;
    }
    for directory in &arguments.other_device_dirs {
        hand.other_device(directory)?;
    }
    // Words alone may do: a device file that cannot be read is a reason only when something is missing.
    let own = hand.own_device(setup);

    let wallet = loop {
        let (failure, known) = match open_kit(&kit, hand.factors()) {
            Ok(wallet) => break wallet,
            Err(OfflineError::NoFactor) => (no_factor(&kit), Vec::new()),
            Err(OfflineError::NeedsFactors { missing, known }) => {
                (hand.too_few(missing, &known), known)
            }
            Err(error) => return Err(error.into()),
        };
        if !setup.ui.interactive() || !(known.is_empty() || hand.has_more_words(&known)) {
            return Err(own.err().map_or(failure, Failure::from));
        }
        setup.ui.note(failure.message());
        hand.words(setup, &Source::Prompt, "what you typed")?;
    };
    if let Some(path) = &arguments.key_out {
        write_key(path, &wallet.wallet_key())?;
    }
    show(setup, &kit, &wallet, arguments.key_out.as_ref());
    Ok(())
}

fn show(setup: &Setup, kit: &RecoveryKit, wallet: &OfflineWallet, key_out: Option<&PathBuf>) {
    let address = wallet.ethereum_address().to_string();
    let revision = kit.record().revision;
    let factors: Vec<_> = wallet.factors().collect();
    let mut human = format!(
        "Your wallet: {address}\nOpened from the recovery kit of revision {revision} with {}, without any server.",
        names(factors.iter().copied())
    );
    human.push('\n');
    human.push_str(&match key_out {
        Some(path) => format!(
            "Private key in {}: whoever reads it has the wallet.",
            path.display()
        ),
        None => "--key-out FILE writes its private key, for another wallet.".to_owned(),
    });
    let shown =
        |note: &&FactorNote| json!({ "index": note.index, "kind": note.kind, "label": note.label });
    setup.ui.step(
        "recover",
        json!({
            "address": address,
            "offline": true,
            "revision": revision,
            "factors": factors.iter().map(shown).collect::<Vec<_>>(),
            "key_file": key_out,
        }),
        human,
    );
}

/// The factors at hand that the kit lists, each once.
struct Hand<'a> {
    kit: &'a RecoveryKit,
    factors: Vec<(Locator, Factor)>,
}

impl<'a> Hand<'a> {
    const fn new(kit: &'a RecoveryKit) -> Self {
        let factors = Vec::new();
        Self { kit, factors }
    }

    fn factors(&self) -> impl Iterator<Item = Factor> {
        self.factors.iter().map(|(_, factor)| factor.clone())
    }

    /// Whether the kit lists it. The same one twice counts once.
    fn take(&mut self, kind: FactorKind, secret: &FactorSecret) -> bool {
        let locator = FactorKeys::derive(&self.kit.record().tenant, secret).locator();
        let listed = self.kit.record().factor_at(&locator).is_some();
        if listed && !self.factors.iter().any(|(held, _)| *held == locator) {
            self.factors
                .push((locator, Factor::new(kind, secret.clone())));
        }
        listed
    }

    /// Words of a recovery phrase, a dApp share or a backup mail: the words of all three are the same secret.
    fn words(&mut self, setup: &Setup, source: &Source, from: &str) -> Result<(), Failure> {
        let text = source.read(
            setup.ui,
            "words of a recovery phrase, dApp share or backup mail",
        )?;
        let phrase =
            RecoveryPhrase::parse(&text).map_err(|error| Failure::from(error).of_setting(from))?;
        if self.take(FactorKind::RecoveryPhrase, &phrase.factor_secret()) {
            return Ok(());
        }
        let message = format!(
            "{from}: these words belong to no factor of this recovery kit. They are another wallet's, or were removed from \
             this one before the kit was written, or added after"
        );
        Err(Failure::new(Exit::Refused, "not_this_account", message))
    }

    /// What another device or its copy keeps. It must be of use: it was named.
    fn other_device(&mut self, directory: &Path) -> Result<(), Failure> {
        let store = FileDeviceStore::in_directory(directory);
        if !store.path().exists() {
            let message = format!("there is no device file in {}", directory.display());
            return Err(Failure::new(Exit::Usage, "no_device_file", message));
        }
        if self.device(&store)? {
            return Ok(());
        }
        let message = format!(
            "{}: this device keeps no factor of this recovery kit. What it keeps belongs to another wallet, or was removed \
             from this one before the kit was written, or added after",
            directory.display()
        );
        Err(Failure::new(Exit::Refused, "not_this_account", message))
    }

    fn own_device(&mut self, setup: &Setup) -> Result<(), DeviceStoreError> {
        // Who names no directory and has no home has no device file.
        match setup.devices() {
            Ok(store) => self.device(&store).map(|_| ()),
            Err(_) => Ok(()),
        }
    }

    /// Takes all that the kit lists, among them what the device keeps for others.
    fn device(&mut self, store: &FileDeviceStore) -> Result<bool, DeviceStoreError> {
        let state = store.read()?;
        let mut any = false;
        for secret in state.secrets(&self.kit.record().tenant) {
            any |= self.take(FactorKind::Device, secret.factor_secret());
        }
        Ok(any)
    }

    /// Factors that are not at hand and that can be brought here without any server.
    fn others<'n>(&self, known: &'n [FactorNote]) -> impl Iterator<Item = &'n FactorNote> {
        let held = |locator: &Locator| self.factors.iter().any(|(held, _)| held == locator);
        let entries = self.kit.record().factors.iter();
        let held: Vec<u32> = entries
            .filter(|entry| held(&entry.locator))
            .map(|entry| entry.index)
            .collect();
        known
            .iter()
            .filter(move |note| !held.contains(&note.index))
            .filter(|note| is_words(note.kind) || is_on_a_device(note.kind))
    }

    fn has_more_words(&self, known: &[FactorNote]) -> bool {
        self.others(known).any(|note| is_words(note.kind))
    }

    fn too_few(&self, missing: usize, known: &[FactorNote]) -> Failure {
        let failure = Failure::needs_factors(missing, known);
        let others: Vec<_> = self.others(known).collect();
        let more = if others.is_empty() {
            "none of the others can be used here without servers".to_owned()
        } else {
            let names = names(others.iter().copied());
            let only = if others.len() < missing { "only " } else { "" };
            format!("without servers {only}these can still be used: {names}")
        };
        let message = format!("{}; {more}", failure.message());
        Failure::new(Exit::MoreFactors, "needs_factors", message)
    }
}

fn no_factor(kit: &RecoveryKit) -> Failure {
    let message = format!(
        "no factor of this wallet is at hand, and {} are needed: give words (--words-file FILE) or another device's \
         directory (--other-device-dir DIR)",
        kit.record().threshold
    );
    Failure::new(Exit::MoreFactors, "needs_factors", message)
}

const fn is_words(kind: FactorKind) -> bool {
    matches!(
        kind,
        FactorKind::RecoveryPhrase | FactorKind::DappShare | FactorKind::EmailBackup
    )
}

const fn is_on_a_device(kind: FactorKind) -> bool {
    matches!(
        kind,
        FactorKind::Device | FactorKind::OtherDevice | FactorKind::TrustedContact
    )
}

fn names<'n>(notes: impl Iterator<Item = &'n FactorNote>) -> String {
    let names: Vec<String> = notes
        .map(|note| format!("{} \u{201c}{}\u{201d}", note.kind, note.label))
        .collect();
    names.join(", ")
}
