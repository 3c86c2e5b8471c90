//! The second factor, over the whole floor.

use super::{ADA, HOUR, House, MINUTE, NOW, PASSWORD};
use crate::{FirstFactor, IdentityError, OwnerProof, RefusalKind, Secret, totp};
use pillarbox_store::mail::Millis;
use std::net::IpAddr;

/// What the phone shows. A base32 reader of its own: what we print must be readable to others.
pub(super) fn phone(secret: &Secret, now: Millis) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bits = 0_u64;
    let (mut held, mut bytes) = (0, Vec::new());
    for letter in secret.expose().chars() {
        bits = bits << 5 | letters.find(letter).unwrap() as u64;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    totp::code(&bytes, now / 30_000)
}

async fn half_way(house: &House, now: Millis) -> Secret {
    match house
        .identity
        .web_first_factor(ADA, PASSWORD, now)
        .await
        .unwrap()
    {
        FirstFactor::HalfWay(ticket) => ticket,
        FirstFactor::Enough(_) => panic!("no code was asked for"),
    }
}

/// Ada's phone is set up; its secret and her recovery codes.
async fn set_up(house: &House) -> (Secret, Vec<Secret>) {
    let setup = house.identity.begin_totp(&house.ada).await.unwrap();
    let code = phone(&setup.secret, NOW);
    let codes = house
        .identity
        .confirm_totp(&house.ada, &code, NOW)
        .await
        .unwrap();
    (setup.secret, codes)
}

#[tokio::test]
async fn nothing_is_asked_for_before_the_first_code() {
    let house = House::new().await;
    let (identity, ada) = (&house.identity, &house.ada);
    let setup = identity.begin_totp(ada).await.unwrap();
    assert_eq!(
        setup.uri.expose(),
        format!(
            "otpauth://totp/localhost:ada@example.test?secret={}&issuer=localhost",
            setup.secret.expose()
        )
    );
    assert_eq!(setup.secret.expose().len(), 32);
    assert_eq!(
        identity.begin_totp(ada).await.unwrap().secret,
        setup.secret,
        "a page may be read twice"
    );
    assert!(identity.confirm_totp(ada, "123", NOW).await.is_err());
    assert_eq!(identity.second_factor(ada).await.unwrap().since, None);
    assert!(matches!(
        identity.web_first_factor(ADA, PASSWORD, NOW).await.unwrap(),
        FirstFactor::Enough(who) if who.account() == ada
    ));
    let codes = identity
        .confirm_totp(ada, &phone(&setup.secret, NOW), NOW)
        .await
        .unwrap();
    assert_eq!(codes.len(), 10);
    let stands = identity.second_factor(ada).await.unwrap();
    assert_eq!((stands.since, stands.recovery_codes), (Some(NOW), 10));
    assert!(matches!(
        identity.begin_totp(ada).await,
        Err(IdentityError::BadPassword(_))
    ));
    assert!(!format!("{setup:?}{codes:?}").contains(setup.secret.expose()));
}

#[tokio::test]
async fn a_code_is_good_once_and_the_password_alone_never() {
    let house = House::new().await;
    let (secret, _) = set_up(&house).await;
    let identity = &house.identity;
    assert!(
        identity.web_sign_in(ADA, PASSWORD, NOW).await.is_err(),
        "one step is not enough"
    );
    let ticket = half_way(&house, NOW).await;
    let used = phone(&secret, NOW);
    let refusal = identity
        .web_second_factor(ticket.expose(), &used, NOW)
        .await
        .unwrap_err();
    assert_eq!(
        refusal.kind,
        RefusalKind::Invalid,
        "it confirmed the setting up"
    );
    let later = NOW + MINUTE;
    let code = phone(&secret, later);
    let spaced = format!(" {} {}", &code[..3], &code[3..]);
    let who = identity
        .web_second_factor(ticket.expose(), &spaced, later)
        .await
        .unwrap();
    assert_eq!(who.account(), &house.ada);
    let again = identity
        .web_second_factor(ticket.expose(), &code, later)
        .await;
    assert!(again.is_err(), "the ticket is used");
    let other = half_way(&house, later).await;
    assert!(
        identity
            .web_second_factor(other.expose(), &code, later)
            .await
            .is_err(),
        "the code is used"
    );
}

#[tokio::test]
async fn recovery_codes_are_good_once_each() {
    let house = House::new().await;
    let (secret, codes) = set_up(&house).await;
    let identity = &house.identity;
    let enter = async |code: &str| {
        let ticket = half_way(&house, NOW).await;
        identity
            .web_second_factor(ticket.expose(), code, NOW)
            .await
            .is_ok()
    };
    assert!(enter(codes[0].expose()).await);
    assert!(!enter(codes[0].expose()).await);
    assert!(enter(&codes[1].expose().to_uppercase().replace('-', " ")).await);
    assert_eq!(
        identity
            .second_factor(&house.ada)
            .await
            .unwrap()
            .recovery_codes,
        8
    );
    let code = phone(&secret, NOW + MINUTE);
    let fresh = identity
        .renew_recovery_codes(&house.ada, OwnerProof::Code(&code), NOW + MINUTE)
        .await
        .unwrap();
    assert!(!enter(codes[2].expose()).await, "the old ones are gone");
    assert!(enter(fresh[0].expose()).await);
}

#[tokio::test]
async fn a_ticket_ends_by_time_tries_and_password_change() {
    let house = House::new().await;
    let (secret, _) = set_up(&house).await;
    let identity = &house.identity;
    let later = NOW + HOUR;
    let right = phone(&secret, later);
    let late = half_way(&house, NOW).await;
    assert!(
        identity
            .web_second_factor(late.expose(), &right, later)
            .await
            .is_err()
    );
    let tried = half_way(&house, later).await;
    for _ in 0..5 {
        assert!(
            identity
                .web_second_factor(tried.expose(), "000000", later)
                .await
                .is_err()
        );
    }
    assert!(
        identity
            .web_second_factor(tried.expose(), &right, later)
            .await
            .is_err(),
        "five tries a password"
    );
    let changed = half_way(&house, later).await;
    identity
        .set_password(&house.ada, PASSWORD, later)
        .await
        .unwrap();
    assert!(
        identity
            .web_second_factor(changed.expose(), &right, later)
            .await
            .is_err()
    );
    for made_up in ["", "h~x~y", "s~b2F1dGg~x"] {
        assert!(
            identity
                .web_second_factor(made_up, &right, later)
                .await
                .is_err()
        );
    }
    assert_eq!(
        identity.second_factor(&house.ada).await.unwrap().since,
        Some(NOW),
        "a new password does not switch it off"
    );
}

/// A house that slows guesses down.
async fn guarded() -> House {
    let mut config = super::config();
    config.slow_down = true;
    House::with(config).await
}

fn network(number: u32) -> IpAddr {
    IpAddr::V4((0xc612_0000 + number).into())
}

/// Both steps from a network.
async fn both_steps(
    house: &House,
    from: IpAddr,
    code: &str,
    now: Millis,
) -> Result<(), RefusalKind> {
    let identity = house.identity.from_peer(from);
    let first = identity.web_first_factor(ADA, PASSWORD, now).await.unwrap();
    let FirstFactor::HalfWay(ticket) = first else {
        panic!("no code was asked for")
    };
    let found = identity.web_second_factor(ticket.expose(), code, now).await;
    found.map(|_| ()).map_err(|refusal| refusal.kind)
}

#[tokio::test]
async fn wrong_codes_elsewhere_keep_no_owner_out() {
    let house = guarded().await;
    let (secret, codes) = set_up(&house).await;
    let (owner, guesser) = (network(1), network(2));
    let mut kinds = Vec::new();
    for _ in 0..6 {
        let tried = both_steps(&house, guesser, "000000", NOW).await;
        kinds.push(tried.unwrap_err());
    }
    assert_eq!(
        kinds[4..],
        [RefusalKind::Invalid, RefusalKind::TooManyAttempts]
    );
    // The owner was never here before: one network cannot use up what all networks have together.
    for hour in 0..24 {
        let now = NOW + hour * HOUR;
        while both_steps(&house, guesser, "000000", now).await != Err(RefusalKind::TooManyAttempts)
        {
        }
    }
    let now = NOW + 23 * HOUR;
    let code = phone(&secret, now);
    both_steps(&house, owner, &code, now).await.unwrap();
    let (identity, ada) = (house.identity.from_peer(guesser), &house.ada);
    let proof = OwnerProof::Code(codes[0].expose());
    assert!(matches!(
        identity
            .remove_second_factor(ada, OwnerProof::Code("000000"), now)
            .await,
        Err(IdentityError::TooMany(_))
    ));
    // Recovery codes have a count of their own.
    identity
        .remove_second_factor(ada, proof, now)
        .await
        .unwrap();
}

#[tokio::test]
async fn codes_are_slow_to_guess_from_everywhere_together() {
    let house = guarded().await;
    let (secret, codes) = set_up(&house).await;
    let home = network(1);
    let at_home = phone(&secret, NOW + 30_000);
    both_steps(&house, home, &at_home, NOW + 30_000)
        .await
        .unwrap();
    let (mut tried, mut number) = (0, 10);
    let day = 24 * HOUR;
    let mut now = NOW + HOUR;
    while now < NOW + HOUR + day {
        match both_steps(&house, network(number), "000000", now).await {
            Err(RefusalKind::Invalid) => tried += 1,
            _ => now += MINUTE,
        }
        number += 1; // the right password from there does not make it a known place
    }
    assert!((60..100).contains(&tried), "{tried} guesses in a day");
    // From a new place the phone has to wait; the place of before and the recovery codes have not.
    let code = phone(&secret, now);
    let elsewhere = both_steps(&house, network(9), &code, now).await;
    assert_eq!(elsewhere, Err(RefusalKind::TooManyAttempts));
    both_steps(&house, network(9), codes[0].expose(), now)
        .await
        .unwrap();
    both_steps(&house, home, &code, now).await.unwrap();
}

#[tokio::test]
async fn sign_ins_begun_elsewhere_push_no_other_network_out() {
    let house = House::new().await;
    let (secret, _) = set_up(&house).await;
    let later = NOW + MINUTE;
    let from = |number: u32| house.identity.from_peer(network(number));
    let begin = async |number: u32, now| {
        let begun = from(number).web_first_factor(ADA, PASSWORD, now).await;
        let FirstFactor::HalfWay(ticket) = begun.unwrap() else {
            panic!("no code was asked for")
        };
        ticket
    };
    let mine = begin(1, NOW).await;
    for _ in 0..30 {
        begin(2, later).await;
    }
    let code = phone(&secret, later);
    let found = from(1).web_second_factor(mine.expose(), &code, later).await;
    assert!(found.is_ok(), "{found:?}");
}

#[tokio::test]
async fn removing_it_takes_a_code_or_an_administrator() {
    let house = House::new().await;
    let (_, codes) = set_up(&house).await;
    let identity = &house.identity;
    assert!(
        identity
            .remove_second_factor(&house.ada, OwnerProof::Code("000000"), NOW)
            .await
            .is_err()
    );
    identity
        .remove_second_factor(&house.ada, OwnerProof::Code(codes[0].expose()), NOW)
        .await
        .unwrap();
    assert!(identity.web_sign_in(ADA, PASSWORD, NOW).await.is_ok());
    assert!(
        identity
            .remove_second_factor(&house.ada, OwnerProof::Code(codes[1].expose()), NOW)
            .await
            .is_err()
    );
    set_up(&house).await;
    identity.clear_second_factor(&house.ada, NOW).await.unwrap();
    assert!(identity.web_sign_in(ADA, PASSWORD, NOW).await.is_ok());
}
