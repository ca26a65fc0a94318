//! The server's part of counted guesses over HTTP: what an owner does with it, and what becomes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::collections::HashSet;

use support::http::call;
use support::slot::{TestSlot, attempt, multiple};
use support::wallet::{Session, Wallet, upgraded};
use support::{Server, permit_key, tenant};
use trefoil_protocol::guess::{
    Count, EnrolResponse, GuessAnswer, ListAnswer, PERMIT_SECONDS, PermitKeyResponse, SlotsResponse,
};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::CommitRequest;

async fn owner(server: &Server) -> (Wallet, Session) {
    let (_, wallet, session) = upgraded(server, "acme", 1).await;
    (wallet, session)
}

async fn held(wallet: &Wallet, session: &Session, server: &Server) -> SlotsResponse {
    wallet
        .session_call("GET", "/slots", session)
        .send(server)
        .await
        .ok()
}

fn with_lists(wallet: &Wallet, base: &Wallet, slots: &[(&TestSlot, u64, &[u8])]) -> CommitRequest {
    CommitRequest {
        guess_lists: slots
            .iter()
            .map(|(slot, number, keys)| slot.list(*number, keys))
            .collect(),
        ..wallet.commit_request(base)
    }
}

#[tokio::test]
async fn a_slot_from_its_enrolment_to_its_end() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let slot = TestSlot::new(1, &[1, 2]);
    let enrolled: EnrolResponse = slot.enrol(&wallet, &session, &server).await.ok();
    let shown: PermitKeyResponse = call("GET", "/v1/permit_key").send(&server).await.ok();
    assert_eq!(shown.permit_key, permit_key().auth_key());
    let (acme, admin) = (tenant("acme"), slot.admin.auth_key());
    let permit = enrolled.permit.unwrap();
    let check = |now| permit.check(&shown.permit_key, &acme, &slot.id, &admin, now);
    check(server.now() + PERMIT_SECONDS).unwrap();
    check(server.now() + PERMIT_SECONDS + 1).unwrap_err();
    let listed = held(&wallet, &session, &server).await;
    assert_eq!((listed.slots.len(), listed.slots[0].slot), (1, slot.id));
    assert_eq!(listed.slots[0].list, slot.list(1, &[1, 2]));

    // Later the same again: nothing but a fresh permit.
    server.advance(600);
    let before = server.dump();
    let again: EnrolResponse = slot.enrol(&wallet, &session, &server).await.ok();
    assert_eq!(server.dump(), before);
    let permit = again.permit.unwrap();
    let now = server.now() + PERMIT_SECONDS;
    permit
        .check(&shown.permit_key, &acme, &slot.id, &admin, now)
        .unwrap();

    // The key is 2.
    let first = attempt();
    let answer: GuessAnswer = slot.guess(1, first, &server).await.ok();
    assert_eq!(answer.evaluation, multiple(2));
    let expected = |used| Count {
        used,
        allowed: 3,
        list: 1,
        live: true,
        spent: false,
    };
    assert_eq!(answer.count, expected(1));
    let unlocked: Count = slot.unlock(1, first, &server).await.ok();
    assert_eq!(unlocked, expected(0));
    // Once for each attempt.
    slot.guess(1, attempt(), &server).await.ok::<GuessAnswer>();
    let again: Count = slot.unlock(1, first, &server).await.ok();
    assert_eq!(again, expected(1));

    let newer: ListAnswer = slot
        .list_call(slot.list(5, &[1, 3]))
        .send(&server)
        .await
        .ok();
    assert_eq!(newer.list, 5);
    let older: ListAnswer = slot.list_call(slot.list(4, &[2])).send(&server).await.ok();
    assert_eq!(older.list, 5);
    let code = slot.guess(2, attempt(), &server).await.code();
    assert_eq!(code, Code::UnknownGuessKey);
    let answer: GuessAnswer = slot.guess(3, attempt(), &server).await.ok();
    assert_eq!((answer.count.used, answer.count.list), (1, 5));

    for _ in 0..2 {
        let reply = slot.delete_call(&slot.deletion()).send(&server).await;
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (200, b"{}".as_slice())
        );
    }
    assert!(held(&wallet, &session, &server).await.slots.is_empty());
    for reply in [
        slot.guess(1, attempt(), &server).await,
        slot.unlock(1, first, &server).await,
        slot.list_call(slot.list(6, &[1])).send(&server).await,
        slot.enrol(&wallet, &session, &server).await,
    ] {
        assert_eq!((reply.status, reply.code()), (410, Code::SlotGone));
    }
}

/// A lost answer costs one guess, also where the server dies between its count and its answer.
#[tokio::test]
async fn a_repeated_attempt_is_answered_again_without_a_count() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let slot = TestSlot::new(1, &[1, 2]);
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let lost = attempt();
    let before = server.dump();
    let unheard = slot.guess_call(1, &slot.a_guess(lost, server.now()));
    let connection = unheard.send_unheard(&server).await;
    while server.dump() == before {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    drop(connection);
    let server = server.restart().await;
    let first: GuessAnswer = slot.guess(1, lost, &server).await.ok();
    assert_eq!((first.evaluation, first.count.used), (multiple(2), 1));
    assert_eq!(
        slot.guess(1, lost, &server).await.ok::<GuessAnswer>(),
        first
    );
    let mut other = slot.a_guess(lost, server.now());
    other.blinded = multiple(3);
    let reply = slot.guess_call(1, &other).send(&server).await;
    assert_eq!(reply.code(), Code::AttemptReused);

    // Up to the last guess, and then no more but for what was counted.
    for _ in 0..2 {
        slot.guess(1, attempt(), &server).await.ok::<GuessAnswer>();
    }
    let code = slot.guess(1, attempt(), &server).await.code();
    assert_eq!(code, Code::GuessesSpent);
    let again: GuessAnswer = slot.guess(1, lost, &server).await.ok();
    assert_eq!((again.evaluation, again.count.used), (first.evaluation, 3));
    // The thief of one factor has spent nothing of another.
    let answer: GuessAnswer = slot.guess(2, attempt(), &server).await.ok();
    assert_eq!(answer.count.used, 1);
}

/// Once every counter is exhausted the key is gone, from the disk too; the last guess was answered.
#[tokio::test]
async fn spent_counters_destroy_the_key() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let mut slot = TestSlot::new(1, &[1, 2]);
    slot.share = [[0x5a; 31].as_slice(), &[1]].concat();
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let mut last = attempt();
    for key in [1, 2] {
        for used in 1..=3 {
            last = attempt();
            let answer: GuessAnswer = slot.guess(key, last, &server).await.ok();
            let live = key == 1 || used < 3;
            assert_eq!((answer.count.used, answer.count.live), (used, live));
        }
    }
    for key in [1, 2] {
        assert_eq!(
            slot.guess(key, attempt(), &server).await.code(),
            Code::SlotGone
        );
    }
    let again: GuessAnswer = slot.guess(2, last, &server).await.ok();
    assert!(!again.count.live);
    // It was the right one: the counter is set back, the key stays gone.
    let count: Count = slot.unlock(2, last, &server).await.ok();
    assert!(!count.live);
    assert_eq!(
        slot.guess(2, attempt(), &server).await.code(),
        Code::SlotGone
    );
    assert_eq!(
        slot.enrol(&wallet, &session, &server).await.code(),
        Code::SlotGone
    );
    let files = ["records.db", "records.db-wal"];
    for tries in 0.. {
        let gone = files.iter().all(|file| {
            let bytes = std::fs::read(server.directory.path().join(file)).unwrap_or_default();
            !bytes.windows(32).any(|window| window == slot.share)
        });
        if gone {
            break;
        }
        assert!(tries < 100, "the key is still in the files");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Many clients with many attempts: each guess key gets as many answers as are allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_guesses_get_no_more_answers_than_are_allowed() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let mut slot = TestSlot::new(1, &[1, 2, 3]);
    slot.allowed = 7;
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let attempts: Vec<_> = (0..40).map(|_| attempt()).collect();
    let guesses = attempts.iter().map(|attempt| async {
        // Each of them twice, for one count.
        let twice = tokio::join!(
            slot.guess(1, *attempt, &server),
            slot.guess(1, *attempt, &server)
        );
        let other = slot.guess(2, *attempt, &server).await;
        (<[_; 2]>::from(twice), other)
    });
    let mut answered: [HashSet<usize>; 2] = Default::default();
    let replies = futures_join(guesses.collect()).await;
    for (at, (twice, other)) in replies.into_iter().enumerate() {
        let own = twice.into_iter().map(|reply| (0, reply));
        for (key, reply) in own.chain([(1, other)]) {
            match reply.status {
                200 => {
                    let answer: GuessAnswer = reply.ok();
                    assert!(answer.count.used <= 7 && answer.count.live);
                    answered[key].insert(at);
                }
                _ => assert_eq!(reply.code(), Code::GuessesSpent),
            }
        }
    }
    assert_eq!(answered.map(|attempts| attempts.len()), [7, 7]);
    let answer: GuessAnswer = slot.guess(3, attempt(), &server).await.ok();
    assert_eq!(answer.count.used, 1);
}

/// Polls them all at once.
async fn futures_join<T>(mut futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.drain(..).map(Box::pin).collect();
    let mut done: Vec<Option<T>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in pinned.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// The removed factor's guess key is out from the commit on; a refused commit leaves it in.
#[tokio::test]
async fn a_commit_that_removes_a_factor_ends_its_guesses() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let slots = [1, 2].map(|number| TestSlot::new(number, &[1, 2, 3]));
    for slot in &slots {
        slot.enrol(&wallet, &session, &server)
            .await
            .ok::<EnrolResponse>();
    }
    let used = attempt();
    slots[0].guess(2, used, &server).await.ok::<GuessAnswer>();
    slots[0].guess(3, used, &server).await.ok::<GuessAnswer>();
    let smaller = wallet.with_factors(&[(1, 1), (2, 2), (4, 4)]);
    let commit = |request: &CommitRequest| {
        smaller
            .commit_call(&wallet, &session)
            .without("content-type")
            .json(request)
    };
    let absent = TestSlot::new(9, &[1]);
    let lists: [(&TestSlot, u64, &[u8]); 3] = [
        (&slots[0], 3, &[1, 2]),
        (&slots[1], 3, &[1, 2]),
        (&absent, 3, &[1]),
    ];

    // One list of another key, envelopes missing, an old revision: none of the lists is taken.
    let forged = TestSlot {
        admin: support::slot::guess_key(66),
        ..slots[1].clone()
    };
    let bad_list = with_lists(
        &smaller,
        &wallet,
        &[(&slots[0], 3, &[1, 2]), (&forged, 3, &[1])],
    );
    let mut missing = with_lists(&smaller, &wallet, &lists);
    missing.envelopes.clear();
    let good = with_lists(&smaller, &wallet, &lists);
    let stale = commit(&good)
        .without("if-match")
        .header("if-match", "\"1\"");
    for (call, code) in [
        (commit(&bad_list), Code::BadSignature),
        (commit(&missing), Code::BadEnvelopes),
        (stale, Code::StaleRevision),
    ] {
        let before = server.dump();
        assert_eq!(call.send(&server).await.code(), code);
        assert_eq!(server.dump(), before);
        slots[0].guess(3, used, &server).await.ok::<GuessAnswer>();
    }

    let reply = commit(&good).send(&server).await;
    assert_eq!(reply.status, 200);
    for slot in &slots {
        let code = slot.guess(3, attempt(), &server).await.code();
        assert_eq!(code, Code::UnknownGuessKey);
    }
    // What it had been answered is gone with it; the others keep their counts.
    assert_eq!(
        slots[0].guess(3, used, &server).await.code(),
        Code::UnknownGuessKey
    );
    assert_eq!(
        slots[0].unlock(3, used, &server).await.code(),
        Code::UnknownGuessKey
    );
    let answer: GuessAnswer = slots[0].guess(2, attempt(), &server).await.ok();
    assert_eq!((answer.count.used, answer.count.list), (2, 3));
    // Again, when the answer was lost.
    let before = server.dump();
    assert_eq!(commit(&good).send(&server).await.status, 200);
    assert_eq!(server.dump(), before);
}

/// Guesses of a factor while it is removed: whichever is answered was counted before the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_races_the_commit_that_removes_its_factor() {
    let server = Server::start().await;
    let (mut wallet, session) = owner(&server).await;
    for round in 0..8_u8 {
        let mut slot = TestSlot::new(100 + round, &[1, 2]);
        slot.allowed = 20;
        slot.enrol(&wallet, &session, &server)
            .await
            .ok::<EnrolResponse>();
        let next = wallet.update(round);
        let number = next.payload.revision;
        let request = with_lists(&next, &wallet, &[(&slot, number, &[1])]);
        let commit = next
            .commit_call(&wallet, &session)
            .without("content-type")
            .json(&request);
        let guess = async {
            let mut answered = 0;
            loop {
                let reply = slot.guess(2, attempt_of(round, answered), &server).await;
                if reply.status != 200 {
                    break (answered, reply.code());
                }
                let answer: GuessAnswer = reply.ok();
                answered += 1;
                assert_eq!((answer.count.used, answer.count.list), (answered, 1));
            }
        };
        let ((answered, code), committed) = tokio::join!(guess, commit.send(&server));
        assert_eq!(committed.status, 200);
        let spent = answered == 20 && code == Code::GuessesSpent;
        assert!(spent || code == Code::UnknownGuessKey, "{answered}: {code}");
        // From now on, whatever it was before.
        let code = slot.guess(2, attempt_of(round, 99), &server).await.code();
        assert_eq!(code, Code::UnknownGuessKey);
        let answer: GuessAnswer = slot.guess(1, attempt_of(round, 0), &server).await.ok();
        assert_eq!((answer.count.used, answer.count.list), (1, number));
        wallet = next;
    }
}

fn attempt_of(round: u8, number: u8) -> trefoil_protocol::bytes::AttemptId {
    let mut bytes = [round; 16];
    bytes[0] = number;
    trefoil_protocol::bytes::AttemptId::try_from(bytes.as_slice()).unwrap()
}

#[tokio::test]
async fn deleting_the_account_ends_its_slots() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let slot = TestSlot::new(1, &[1]);
    slot.enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    let (_, others, other_session) = upgraded(&server, "acme", 30).await;
    let kept = TestSlot::new(2, &[1]);
    kept.enrol(&others, &other_session, &server)
        .await
        .ok::<EnrolResponse>();
    let reply = wallet.delete_call(&session, &server).send(&server).await;
    assert_eq!(reply.status, 204);
    assert_eq!(
        slot.guess(1, attempt(), &server).await.code(),
        Code::SlotGone
    );
    let list = wallet.session_call("GET", "/slots", &session);
    assert_eq!(list.send(&server).await.code(), Code::UnknownSession);
    let code = slot.enrol(&others, &other_session, &server).await.code();
    assert_eq!(code, Code::SlotTaken);
    kept.guess(1, attempt(), &server).await.ok::<GuessAnswer>();
}

#[tokio::test]
async fn an_account_has_64_slots_at_once() {
    let server = Server::start().await;
    let (wallet, session) = owner(&server).await;
    let slots: Vec<_> = (1..=65).map(|number| TestSlot::new(number, &[1])).collect();
    for slot in &slots[..64] {
        slot.enrol(&wallet, &session, &server)
            .await
            .ok::<EnrolResponse>();
    }
    let before = server.dump();
    let reply = slots[64].enrol(&wallet, &session, &server).await;
    assert_eq!((reply.status, reply.code()), (403, Code::TooManySlots));
    slots[0]
        .enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
    assert_eq!(server.dump(), before);
    assert_eq!(held(&wallet, &session, &server).await.slots.len(), 64);
    let end = slots[0].delete_call(&slots[0].deletion());
    assert_eq!(end.send(&server).await.status, 200);
    slots[64]
        .enrol(&wallet, &session, &server)
        .await
        .ok::<EnrolResponse>();
}

/// Nothing is taken in that no node would.
#[tokio::test]
async fn a_server_without_a_permit_key_enrols_no_slot() {
    let server = Server::start_without_permit_key().await;
    let (wallet, session) = owner(&server).await;
    let before = server.dump();
    for reply in [
        TestSlot::new(1, &[1])
            .enrol(&wallet, &session, &server)
            .await,
        call("GET", "/v1/permit_key").send(&server).await,
    ] {
        let problem = reply.problem();
        assert_eq!((reply.status, problem.code), (503, Code::Unavailable));
        assert!(problem.to_string().contains("permit key"), "{problem}");
    }
    assert_eq!(server.dump(), before);
    assert!(held(&wallet, &session, &server).await.slots.is_empty());
}
