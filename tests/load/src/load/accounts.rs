//! Real accounts, 2 of 3, of which the driver keeps what it needs to go on.

use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::change::{Change, NewFactor, Prepared, create as create_account};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::record::{Custody, Payload, SignedPayload};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{CreateRequest, LoginResponse};

use super::requests;
use crate::http::Connection;
use crate::server::ServerProcess;
use crate::{Failure, fresh_rng, now, tenant};

/// One account as the driver goes on from it.
pub struct LoadAccount {
    /// Its name space.
    pub tenant: Tenant,
    /// Signs its records.
    pub auth: AuthPrivateKey,
    /// With which it logs in.
    pub factor: FactorKeys,
    /// The current record.
    pub payload: Payload,
    /// The same, signed.
    pub signed: SignedPayload,
    /// The text of the `Authorization` header.
    pub bearer: String,
    /// What statements name.
    pub audience: String,
    /// Logs in by turns with it.
    pub one_click: OneClick,
    /// Whether it is the other's turn.
    pub turn: bool,
}

/// An account that logins get a sealed nonce for.
pub struct OneClick {
    /// With which it logs in.
    pub factor: FactorKeys,
    /// Its only record.
    pub signed: SignedPayload,
    /// Its name.
    pub id: AccountId,
}

impl std::fmt::Debug for LoadAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadAccount({})", self.payload.account_id)
    }
}

/// Creates so many, over so many connections, and gives each connection its own.
pub(super) async fn create(
    server: &ServerProcess,
    count: usize,
    connections: usize,
) -> Result<Vec<Vec<LoadAccount>>, Failure> {
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let share = count / connections + usize::from(connection < count % connections);
        let (address, audience) = (server.address(), server.url());
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut accounts = Vec::new();
            for _ in 0..share {
                accounts.push(LoadAccount::create(&mut connection, &audience).await?);
            }
            Ok::<_, Failure>(accounts)
        }));
    }
    let mut shares = Vec::new();
    for task in tasks {
        shares.push(task.await??);
    }
    Ok(shares)
}

impl LoadAccount {
    /// Creates it as one-click and upgrades it to 2 of 3, as an app would; beside it another that stays one-click.
    async fn create(connection: &mut Connection, audience: &str) -> Result<Self, Failure> {
        let (tenant, mut rng, now) = (tenant()?, fresh_rng(), now());
        let (other, other_factor, _) = create_one_click(connection, audience).await?;
        let (first, factor, created) = create_one_click(connection, audience).await?;
        let mut phrase = |label: &str| {
            let keys = FactorKeys::derive(&tenant, &FactorSecret::random(&mut rng));
            NewFactor::present(FactorKind::RecoveryPhrase, label, keys)
        };
        let change = Change {
            add: vec![phrase("a phone"), phrase("a recovery phrase")],
            threshold: Some(2),
            custody: Some(Custody::SelfCustody),
            ..Change::default()
        };
        let second = first.account.prepare(&change, now, &mut fresh_rng())?;
        let account = Self {
            auth: AuthPrivateKey::clone(first.account.keys().auth()),
            factor,
            payload: second.record().payload().clone(),
            signed: second.record().signed().clone(),
            bearer: format!("Bearer {}", *created.session.token.expose_text()),
            audience: audience.to_owned(),
            one_click: OneClick {
                factor: other_factor,
                signed: other.record().signed().clone(),
                id: other.record().account_id,
            },
            turn: false,
            tenant,
        };
        let request = requests::put(&account, 1, &second.commit_request())?;
        connection.send(&request).await?.success()?;
        Ok(account)
    }
}

/// An account that its owner's social login opens, with the nonce.
async fn create_one_click(
    connection: &mut Connection,
    audience: &str,
) -> Result<(Prepared, FactorKeys, LoginResponse), Failure> {
    let (tenant, mut rng, now) = (tenant()?, fresh_rng(), now());
    let factor = FactorKeys::derive(&tenant, &FactorSecret::random(&mut rng));
    let first = create_account(
        &tenant,
        factor.clone(),
        "a social login".to_owned(),
        [("verifier".to_owned(), "google".to_owned())].into(),
        None,
        now,
        &mut rng,
    )?;
    let payload_hash = first.record().hash();
    let statement = SignedStatement::sign(
        StatementBody::Create { payload_hash },
        factor.auth(),
        Context {
            aud: audience,
            tenant: &tenant,
            now,
        },
        &mut rng,
    );
    let request = CreateRequest {
        statement,
        record: first.record().signed().clone(),
        envelopes: first.envelopes.clone(),
        sealed_nonce: first.sealed_nonce.clone(),
    };
    let answer = connection
        .send(&requests::post(&tenant, "accounts", &request)?)
        .await?
        .success()?;
    let created: LoginResponse = serde_json::from_slice(answer)?;
    Ok((first, factor, created))
}
