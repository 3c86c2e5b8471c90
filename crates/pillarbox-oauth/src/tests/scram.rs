//! SCRAM over the whole floor, and what refused sign-ins cost.

use super::{ADA, BOB, HOUR, House, NOW, PASSWORD};
use crate::scram::tests::client;
use crate::{Credential, Identity, Passwords, Principal, Refusal, RefusalKind, Service};
use pillarbox_store::mail::Naming;

const SIGNED: &str = "n=ada,r=ab,r=abcd,s=x,i=4096,c=biws,r=abcd";

async fn prove(
    identity: &Identity,
    user: &str,
    letters: &str,
) -> Result<(Principal, bool), Refusal> {
    let challenge = identity.scram_challenge(user, NOW)?;
    let (proof, expected) = client(letters, &challenge.salt, challenge.iterations, SIGNED);
    let (who, signature) = identity
        .scram(user, SIGNED, &proof, Service::Imap, NOW)
        .await?;
    Ok((who, signature == expected))
}

#[tokio::test]
async fn any_app_password_of_the_account_is_a_proof() {
    let house = House::new().await;
    let identity = &house.identity;
    let mut made = Vec::new();
    for name in ["mutt", "phone", "laptop"] {
        made.push(
            identity
                .add_app_password(&house.ada, name, NOW)
                .await
                .unwrap(),
        );
    }
    for (id, letters) in &made {
        let (who, mutual) = prove(identity, "Ada@Example.test", letters.expose())
            .await
            .unwrap();
        assert_eq!(who.credential(), &Credential::AppPassword(id.clone()));
        assert_eq!(who.account(), &house.ada);
        assert!(mutual, "the server proves that it knows the password too");
    }
    let (id, letters) = &made[0];
    assert!(
        prove(identity, BOB, letters.expose()).await.is_err(),
        "it is ada's alone"
    );
    assert!(
        prove(identity, ADA, PASSWORD).await.is_err(),
        "app passwords only"
    );
    identity.revoke_app_password(&house.ada, id).await.unwrap();
    assert!(prove(identity, ADA, letters.expose()).await.is_err());
}

#[tokio::test]
async fn a_challenge_tells_nothing_of_who_exists() {
    let house = House::new().await;
    let ask = |user: &str| house.identity.scram_challenge(user, NOW).unwrap();
    for user in [ADA, "nobody@example.test", "", "not an address"] {
        let (once, again) = (ask(user), ask(&user.to_uppercase()));
        assert_eq!(once.salt, again.salt, "the same at every try: {user}");
        assert_ne!(once.nonce, again.nonce);
        assert_eq!(once.iterations, 4096);
    }
    assert_ne!(ask(ADA).salt, ask(BOB).salt);
    house
        .store
        .add_alias("a.lovelace@example.test", &house.ada)
        .await
        .unwrap();
    assert_ne!(
        ask(ADA).salt,
        ask("a.lovelace@example.test").salt,
        "aliases are not told from strangers"
    );
}

#[tokio::test]
async fn an_unknown_person_costs_what_a_wrong_secret_costs() {
    let house = House::new().await;
    let identity = &house.identity;
    identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    let suspended = "eve@example.test";
    let eve = identity.create_person(suspended, Some(PASSWORD), Naming::Plain, NOW);
    let eve = eve.await.unwrap();
    identity.add_app_password(&eve, "mutt", NOW).await.unwrap();
    identity.set_suspended(&eve, true).await.unwrap();
    let wrong = "aaaabbbbccccdddd";
    let nobody = "nobody@example.test";
    let mut costs = Vec::new();
    for user in [ADA, BOB, nobody, suspended] {
        let mut cost = Vec::new();
        let mut before = identity.inner.work.done();
        let mut spent = |cost: &mut Vec<(u64, u64)>| {
            let now = identity.inner.work.done();
            cost.push((now.0 - before.0, now.1 - before.1));
            before = now;
        };
        let kinds = [
            prove(identity, user, wrong).await.unwrap_err().kind,
            {
                spent(&mut cost);
                let plain = identity.password(user, wrong, Service::Imap, NOW).await;
                plain.unwrap_err().kind
            },
            {
                spent(&mut cost);
                identity
                    .web_sign_in(user, wrong, NOW)
                    .await
                    .unwrap_err()
                    .kind
            },
        ];
        spent(&mut cost);
        assert_eq!(
            kinds,
            [RefusalKind::Invalid; 3],
            "one answer for all: {user}"
        );
        costs.push(cost);
    }
    assert_eq!(costs[0], costs[2]);
    assert_eq!(costs[1], costs[2]);
    assert_eq!(costs[3], costs[2]);
    // One salt and one try; one keyed hash; one slow hash.
    assert_eq!(costs[0], [(0, 3), (0, 1), (1, 0)]);
}

#[tokio::test]
async fn guesses_are_slowed_down_and_never_means_never() {
    let mut config = super::config();
    config.slow_down = true;
    let house = House::with(config).await;
    let (_, letters) = house
        .identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    for _ in 0..5 {
        let refusal = prove(&house.identity, ADA, "aaaabbbbccccdddd")
            .await
            .unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid);
    }
    let refusal = prove(&house.identity, ADA, letters.expose())
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooManyAttempts);
    assert!(house.identity.scram_challenge(ADA, NOW + HOUR).is_ok());

    let mut config = super::config();
    config.passwords = Passwords::Never;
    let house = House::with(config).await;
    assert!(house.identity.scram_challenge(ADA, NOW).is_err());
}
