//! Which accounts have no nonce though their record names one.

use tokio::sync::mpsc;
use trefoil_store::{DumpEntry, StoreError, StoreReader};

use super::{AccountName, NamedNonce};

/// Questions in one call.
pub(super) const AT_ONCE: usize = 1000;
/// Entries that may wait between the store and whoever looks at them.
pub(super) const WAITING: usize = 64;

/// Those of `named` that the nonce store lacks.
pub(super) async fn missing(
    reader: &(impl StoreReader + ?Sized),
    named: Vec<NamedNonce>,
) -> Result<Vec<NamedNonce>, StoreError> {
    let held = reader.hold_nonces(named.clone()).await?;
    let lacking = named.into_iter().zip(held).filter(|(_, held)| !held);
    Ok(lacking.map(|(named, _)| named).collect())
}

/// Goes through the store and gives the accounts that lack their nonce, and how many records name one.
///
/// Beside a running server an account may get another nonce between two looks. So whoever seems to lack one is looked at
/// again, and counts only where the same nonce is still named and still missing.
pub(super) async fn without_nonce(
    reader: &(impl StoreReader + ?Sized),
) -> Result<(Vec<AccountName>, u64), StoreError> {
    let (named, first) = look(reader, None).await?;
    if first.is_empty() {
        return Ok((Vec::new(), named));
    }
    let (_, again) = look(reader, Some(&first)).await?;
    Ok((names(again), named))
}

/// As [`without_nonce`], for those that seemed to lack theirs at a first look.
pub(super) async fn still_missing(
    reader: &(impl StoreReader + ?Sized),
    first: &[NamedNonce],
) -> Result<Vec<AccountName>, StoreError> {
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let (_, again) = look(reader, Some(first)).await?;
    Ok(names(again))
}

async fn look(
    reader: &(impl StoreReader + ?Sized),
    only: Option<&[NamedNonce]>,
) -> Result<(u64, Vec<NamedNonce>), StoreError> {
    let only: Option<std::collections::BTreeSet<&NamedNonce>> =
        only.map(|only| only.iter().collect());
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let gather = async {
        let (mut count, mut asked, mut lacking) = (0, Vec::new(), Vec::new());
        while let Some(entry) = receiver.recv().await {
            let DumpEntry::Account(account) = entry else {
                continue;
            };
            let Some(hash) = account.nonce_hash else {
                continue;
            };
            count += 1;
            let named = (account.tenant, account.account_id, hash);
            if only.as_ref().is_none_or(|only| only.contains(&named)) {
                asked.push(named);
            }
            if asked.len() >= AT_ONCE {
                lacking.extend(missing(reader, std::mem::take(&mut asked)).await?);
            }
        }
        lacking.extend(missing(reader, asked).await?);
        Ok((count, lacking))
    };
    let (done, looked) = tokio::join!(reader.dump(sender), gather);
    done?;
    looked
}

fn names(nonces: Vec<NamedNonce>) -> Vec<AccountName> {
    let mut names: Vec<AccountName> = nonces
        .into_iter()
        .map(|(tenant, account_id, _)| AccountName { tenant, account_id })
        .collect();
    names.sort();
    names
}
