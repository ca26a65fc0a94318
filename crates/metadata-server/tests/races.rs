//! Two clients at once: one wins, the other is told and can continue.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use support::Server;
use support::backend::Backend;
use support::wallet::{Wallet, factor, upgraded};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::RecordResponse;

on_every_backend!(
    the_loser_of_two_creations_opens_the_winners_account,
    the_loser_of_two_commits_reopens_and_goes_on,
    two_accounts_cannot_enrol_one_factor_at_once,
);

async fn the_loser_of_two_creations_opens_the_winners_account(backend: Backend) {
    let server = Server::start_on(&backend).await;
    for round in 0..10 {
        // The same social login on two devices: one factor, two keys.
        let wallets = [
            Wallet::one_click("acme", 100 + round, round),
            Wallet::one_click("acme", 150 + round, round),
        ];
        let calls = wallets
            .each_ref()
            .map(|wallet| wallet.create_call(&wallet.create_request(&server)));
        let (a, b) = tokio::join!(calls[0].send(&server), calls[1].send(&server));
        let (winner, loser) = if a.status == 201 { (0, b) } else { (1, a) };
        assert_eq!(loser.code(), Code::LocatorTaken);
        let (login, _) = wallets[1 - winner].login(&[1], &server).await;
        assert_eq!(login.account_id, wallets[winner].id());
        assert_eq!(login.sealed_nonce, wallets[winner].nonce);
        // Nothing of the loser stays, its nonce neither.
        let dump = server.dump();
        assert_eq!(
            dump.iter().filter(|row| row.starts_with("nonces ")).count(),
            usize::from(round) + 1
        );
        assert_eq!(
            dump.iter()
                .filter(|row| row.starts_with("accounts "))
                .count(),
            usize::from(round) + 1
        );
    }
}

async fn the_loser_of_two_commits_reopens_and_goes_on(backend: Backend) {
    let server = Server::start_on(&backend).await;
    let (_, mut current, _) = upgraded(&server, "acme", 1).await;
    for round in 0..10 {
        let (_, phone) = current.login(&[1], &server).await;
        let (_, laptop) = current.login(&[2], &server).await;
        let changes = [current.update(10 + round), current.update(100 + round)];
        let (a, b) = tokio::join!(
            changes[0].commit(&current, &phone, &server),
            changes[1].commit(&current, &laptop, &server)
        );
        let (winner, loser) = if a.status == 200 { (0, b) } else { (1, a) };
        let problem = loser.problem();
        assert_eq!(problem.code, Code::StaleRevision);
        assert_eq!(problem.revision, Some(current.payload.revision + 1));

        let session = [&laptop, &phone][winner];
        let read: RecordResponse = current
            .session_call("GET", "/record", session)
            .send(&server)
            .await
            .ok();
        assert_eq!(read.record, changes[winner].record());
        let again = changes[winner].update(200 + round);
        assert_eq!(
            again
                .commit(&changes[winner], session, &server)
                .await
                .status,
            200
        );
        current = again;
    }
}

async fn two_accounts_cannot_enrol_one_factor_at_once(backend: Backend) {
    let server = Server::start_on(&backend).await;
    for round in 0..5 {
        let shared = 200 + round;
        let seeds = [20 + round, 40 + round];
        let wallets = seeds.map(|seed| Wallet::one_click("acme", seed, seed));
        let mut calls = Vec::new();
        for (wallet, seed) in wallets.iter().zip(seeds) {
            let session = wallet.create(&server).await;
            let upgrade = wallet.upgrade(&[(1, seed), (2, shared), (3, seed + 100)]);
            calls.push(upgrade.commit_call(wallet, &session));
        }
        let (a, b) = tokio::join!(calls[0].send(&server), calls[1].send(&server));
        let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
        assert_eq!((won.status, lost.code()), (200, Code::LocatorTaken));
        let request = wallets[0].login_request(&[&factor("acme", shared)], &server);
        assert_eq!(
            wallets[0].login_call(&request).send(&server).await.status,
            200
        );
    }
}
