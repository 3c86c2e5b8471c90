//! Answers to refreshes that were lost on their way, and what must not pass for one.

use super::authorization::request;
use super::tokens::redeem;
use super::*;
use crate::{Secret, Service, TokenError, TokenResponse};
use tokio::sync::broadcast::error::TryRecvError;

const SECOND: Millis = 1_000;

/// A program without a secret and what it was given; each member of `house` is the server's.
struct Program {
    house: House,
    first: Secret,
}

type Answer = Result<TokenResponse, TokenError>;

impl Program {
    async fn new() -> Self {
        let house = House::new().await;
        let person = house.ada_signed_in().await;
        let asked = house
            .identity
            .authorization_request(&request(&[]), NOW)
            .await
            .unwrap();
        let given = redeem(&house, &asked, &person, NOW).await.unwrap();
        let first = given.refresh_token.unwrap();
        Self { house, first }
    }

    async fn refresh(&self, token: &Secret, at: Millis) -> Answer {
        let form = params(&[
            ("grant_type", "refresh_token"),
            ("client_id", "desktop"),
            ("refresh_token", token.expose()),
        ]);
        self.house.identity.token(None, &form, at).await
    }

    /// Refreshes; the next token, and the access token beside it.
    async fn good(&self, token: &Secret, at: Millis) -> (Secret, Secret) {
        let answer = self.refresh(token, at).await.unwrap();
        (answer.refresh_token.unwrap(), answer.access_token)
    }

    async fn opens(&self, token: &Secret, at: Millis) -> bool {
        let identity = &self.house.identity;
        let opened = identity.bearer(ADA, token.expose(), Service::Imap, at);
        opened.await.is_ok()
    }

    /// This token counts as stolen: it is refused, and its family is over.
    async fn ends_the_family(&self, token: &Secret, at: Millis) {
        let mut told = self.house.identity.revocations();
        let refused = self.refresh(token, at).await.unwrap_err();
        assert_eq!(refused.code.name(), "invalid_grant");
        told.try_recv().unwrap();
        let grants = self.house.identity.grants(&self.house.ada).await.unwrap();
        assert_eq!(grants[0].revoked, Some(at));
    }
}

#[tokio::test]
async fn a_lost_answer_costs_nobody_the_consent() {
    let program = Program::new().await;
    let mut told = program.house.identity.revocations();
    program.good(&program.first, NOW).await; // lost
    let (second, access) = program.good(&program.first, NOW + 60 * SECOND).await;
    assert!(program.opens(&access, NOW + 60 * SECOND).await);
    let (third, _) = program.good(&second, NOW + HOUR).await;
    // And so it goes on: each token has a minute of its own.
    let (third_again, _) = program.good(&second, NOW + HOUR + SECOND).await;
    assert_ne!(third, third_again);
    program.good(&third_again, NOW + 2 * HOUR).await;
    assert_eq!(told.try_recv().unwrap_err(), TryRecvError::Empty);
}

#[tokio::test]
async fn of_two_successors_only_the_later_lives() {
    let program = Program::new().await;
    let (dead, its_access) = program.good(&program.first, NOW).await;
    let (alive, access) = program.good(&program.first, NOW + SECOND).await;
    program.ends_the_family(&dead, NOW + 2 * SECOND).await;
    let late = program.refresh(&alive, NOW + 3 * SECOND).await;
    assert_eq!(late.unwrap_err().code.name(), "invalid_grant");
    for token in [its_access, access] {
        assert!(!program.opens(&token, NOW + 3 * SECOND).await);
    }
}

#[tokio::test]
async fn of_two_who_ask_at_once_both_are_answered_and_one_goes_on() {
    let program = Program::new().await;
    let (one, other) = tokio::join!(
        program.good(&program.first, NOW),
        program.good(&program.first, NOW)
    );
    assert_ne!(one.0, other.0);
    // Which came later nobody knows; exactly one of them is good.
    let hour = NOW + HOUR;
    let goes_on = program.refresh(&one.0, hour).await.is_ok();
    let other = program.refresh(&other.0, hour).await;
    assert!(
        other.is_err() || !goes_on,
        "two holders must not both go on"
    );
    let grants = program.house.identity.grants(&program.house.ada).await;
    assert_eq!(grants.unwrap()[0].revoked, Some(hour));
}

#[tokio::test]
async fn after_a_minute_it_is_theft() {
    let program = Program::new().await;
    program.good(&program.first, NOW).await;
    program
        .ends_the_family(&program.first, NOW + 60 * SECOND + 1)
        .await;
}

#[tokio::test]
async fn the_minute_counts_from_the_first_use() {
    let program = Program::new().await;
    for again in 0..3 {
        program
            .good(&program.first, NOW + again * 25 * SECOND)
            .await;
    }
    program
        .ends_the_family(&program.first, NOW + 61 * SECOND)
        .await;
}

#[tokio::test]
async fn it_is_repeated_five_times_at_most() {
    let program = Program::new().await;
    for _ in 0..6 {
        program.good(&program.first, NOW).await;
    }
    program.ends_the_family(&program.first, NOW).await;
}

#[tokio::test]
async fn who_uses_the_successor_had_the_answer() {
    let program = Program::new().await;
    let (second, _) = program.good(&program.first, NOW).await;
    program.good(&second, NOW).await;
    program.ends_the_family(&program.first, NOW).await;
}

#[tokio::test]
async fn who_uses_the_access_token_had_the_answer() {
    let program = Program::new().await;
    program.good(&program.first, NOW).await; // lost
    let (second, access) = program.good(&program.first, NOW).await;
    assert!(program.opens(&access, NOW).await);
    program.ends_the_family(&program.first, NOW).await;
    let refused = program.refresh(&second, NOW).await;
    assert_eq!(refused.unwrap_err().code.name(), "invalid_grant");
}

#[tokio::test]
async fn an_older_access_token_says_nothing_about_the_answer() {
    let program = Program::new().await;
    let (second, before) = program.good(&program.first, NOW).await;
    program.good(&second, NOW).await; // lost
    assert!(program.opens(&before, NOW).await);
    program.good(&second, NOW).await;
}

#[tokio::test]
async fn the_next_but_one_is_theft_at_once() {
    let program = Program::new().await;
    let (second, _) = program.good(&program.first, NOW).await;
    program.good(&second, NOW).await;
    program.good(&second, NOW).await;
    program.ends_the_family(&program.first, NOW).await;
}
