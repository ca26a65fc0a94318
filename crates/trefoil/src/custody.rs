//! What follows from the account's factors that the user may not expect: factors which are not as independent as they look,
//! and factors which others can have (protocol section 12).

use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::state::FactorNote;

use crate::account::Account;

/// What follows from the account's factors. Shown in plain words, by index as [`Account::factors`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consequence {
    /// Two social logins of one identity, by the user that the nodes name or by the e-mail address.
    SameIdentity {
        /// The earlier one.
        index: u32,
        /// The later one.
        other: u32,
    },
    /// Two social logins of which at least one was enrolled without what would tell.
    UnknownIdentity {
        /// The earlier one.
        index: u32,
        /// The later one.
        other: u32,
    },
    /// Two logins of one provider, not known to be of one identity.
    SameProvider {
        /// The earlier one.
        index: u32,
        /// The later one.
        other: u32,
    },
    /// A factor that passes through the hands of others.
    Custodial {
        /// Which one.
        index: u32,
    },
}

impl Consequence {
    /// Its name as shown to machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameIdentity { .. } => "same_identity",
            Self::UnknownIdentity { .. } => "unknown_identity",
            Self::SameProvider { .. } => "same_provider",
            Self::Custodial { .. } => "custodial",
        }
    }

    /// Indices of the factors that it is about.
    #[must_use]
    pub fn factors(self) -> Vec<u32> {
        match self {
            Self::SameIdentity { index, other }
            | Self::UnknownIdentity { index, other }
            | Self::SameProvider { index, other } => vec![index, other],
            Self::Custodial { index } => vec![index],
        }
    }
}

impl core::fmt::Display for Consequence {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::SameIdentity { index, other } => write!(
                f,
                "factors {index} and {other} are logins of one identity: whoever takes it has both factors"
            ),
            Self::UnknownIdentity { index, other } => write!(
                f,
                "whether factors {index} and {other} are logins of one identity cannot be told: if they are, whoever takes \
                 it has both factors"
            ),
            Self::SameProvider { index, other } => write!(
                f,
                "factors {index} and {other} are logins of one provider: whoever controls it has both factors"
            ),
            Self::Custodial { index } => write!(
                f,
                "factor {index} was e-mailed: whoever reads the mailbox, the sender and the mail provider have this factor"
            ),
        }
    }
}

impl Account {
    /// What follows from the factors as they are, by index; empty where there is nothing to tell the user.
    #[must_use]
    pub fn consequences(&self) -> Vec<Consequence> {
        consequences(&self.traits())
    }

    /// What counts for the consequences of each factor.
    pub(crate) fn traits(&self) -> Vec<Traits> {
        self.factors().iter().map(Traits::of).collect()
    }
}

/// What counts for the consequences of a factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) index: u32,
    pub(crate) kind: FactorKind,
    pub(crate) verifier: Option<String>,
    pub(crate) identity: Option<String>,
    pub(crate) email: Option<String>,
}

impl Traits {
    pub(crate) fn of(note: &FactorNote) -> Self {
        Self::new(note.index, note.kind, &note.hints)
    }

    pub(crate) fn new(
        index: u32,
        kind: FactorKind,
        hints: &std::collections::BTreeMap<String, String>,
    ) -> Self {
        let hint = |name| hints.get(name).cloned();
        Self {
            index,
            kind,
            verifier: hint("verifier"),
            identity: hint("identity"),
            email: hint("email"),
        }
    }
}

/// How the identities of two social logins stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Unknown,
    Different,
}

fn same_verifier(one: &Traits, other: &Traits) -> bool {
    one.verifier.is_some() && one.verifier == other.verifier
}

fn relation(one: &Traits, other: &Traits) -> Relation {
    let equal = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => Some(one == other),
        _ => None,
    };
    // Users of different verifiers have nothing to do with each other, whatever they are called.
    let identity = if same_verifier(one, other) {
        equal(&one.identity, &other.identity)
    } else {
        None
    };
    match (identity, equal(&one.email, &other.email)) {
        (Some(true), _) | (_, Some(true)) => Relation::Same,
        (None, None) => Relation::Unknown,
        _ => Relation::Different,
    }
}

/// Each pair once, the earlier factor first.
fn pairs(traits: &[Traits]) -> impl Iterator<Item = (&Traits, &Traits)> {
    let social = |traits: &&Traits| traits.kind == FactorKind::Social;
    traits
        .iter()
        .filter(social)
        .enumerate()
        .flat_map(move |(at, one)| {
            let later = traits.iter().filter(social).skip(at + 1);
            later.map(move |other| (one, other))
        })
}

pub(crate) fn consequences(traits: &[Traits]) -> Vec<Consequence> {
    let mut all = Vec::new();
    for (one, other) in pairs(traits) {
        let (relation, provider) = (relation(one, other), same_verifier(one, other));
        let (index, other) = (one.index, other.index);
        match relation {
            Relation::Same => all.push(Consequence::SameIdentity { index, other }),
            Relation::Unknown => all.push(Consequence::UnknownIdentity { index, other }),
            Relation::Different => {}
        }
        if provider && relation != Relation::Same {
            all.push(Consequence::SameProvider { index, other });
        }
    }
    let custodial = |traits: &&Traits| traits.kind == FactorKind::EmailBackup;
    all.extend(
        traits
            .iter()
            .filter(custodial)
            .map(|traits| Consequence::Custodial {
                index: traits.index,
            }),
    );
    all.sort_by_key(|consequence| consequence.factors());
    all
}

/// Social logins that one identity may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Known to be of one identity.
    known: Vec<u32>,
    /// Those, and others of which it cannot be told; by index.
    all: Vec<u32>,
}

impl Group {
    fn around(first: &Traits, social: &[&Traits]) -> Self {
        let mut known = vec![first];
        let mut looked_at = 0;
        // Also over others: one by the user, the next by the e-mail address.
        while let Some(from) = known.get(looked_at).copied() {
            looked_at += 1;
            let new = |other: &&&Traits| known.iter().all(|known| known.index != other.index);
            let same = social.iter().filter(new).copied();
            let same: Vec<&Traits> = same
                .filter(|other| relation(from, other) == Relation::Same)
                .collect();
            known.extend(same);
        }
        let perhaps = |other: &&&Traits| {
            let mut relations = known.iter().map(|known| relation(known, other));
            known.iter().all(|known| known.index != other.index)
                && relations.any(|relation| relation == Relation::Unknown)
        };
        let perhaps = social.iter().filter(perhaps).map(|other| other.index);
        let perhaps: Vec<u32> = perhaps.collect();
        let mut known: Vec<u32> = known.iter().map(|known| known.index).collect();
        let mut all = [known.clone(), perhaps].concat();
        known.sort_unstable();
        all.sort_unstable();
        Self { known, all }
    }

    /// Whether it is known that one identity has so many of them.
    pub(crate) fn is_certain(&self, threshold: u8) -> bool {
        self.known.len() >= usize::from(threshold)
    }

    /// What reaches the threshold: no more than is known, where that is enough.
    pub(crate) fn factors(&self, threshold: u8) -> &[u32] {
        if self.is_certain(threshold) {
            &self.known
        } else {
            &self.all
        }
    }
}

/// All groups that reach the threshold, those first of which it is known. What cannot be told counts as the same.
pub(crate) fn reaching(traits: &[Traits], threshold: u8) -> Vec<Group> {
    let social: Vec<&Traits> = traits
        .iter()
        .filter(|traits| traits.kind == FactorKind::Social)
        .collect();
    let mut groups: Vec<Group> = social
        .iter()
        .map(|first| Group::around(first, &social))
        .filter(|group| group.all.len() >= usize::from(threshold))
        .collect();
    groups.sort_by_key(|group| !group.is_certain(threshold));
    groups.dedup();
    groups
}

/// What [`crate::CommitError::OneIdentity`] says.
pub(crate) fn one_identity(factors: &[u32], threshold: u8, certain: bool) -> String {
    let names: Vec<String> = factors.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let what = if certain {
        "are logins of one identity"
    } else {
        "may be logins of one identity, which cannot be told"
    };
    let then = if certain { "would" } else { "could then" };
    format!(
        "factors {names} {what}, and any {threshold} factors open the wallet: whoever takes that identity {then} open it \
         alone; use another login, raise the threshold, or accept it"
    )
}

#[cfg(test)]
mod tests;
