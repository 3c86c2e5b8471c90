//! What is told of user names that were offered.

use super::*;

#[tokio::test]
async fn only_names_of_accounts_are_told() {
    let house = House::new().await;
    for (offered, told) in [
        (ADA, ADA),
        ("ADA@Example.Test", "ADA@Example.Test"),
        ("", ""),
        ("Hunter2!", "an unknown name"),
        ("Hunter2!@example.test", "an unknown address"),
        ("ada@example.test ", "an unknown address"),
    ] {
        assert_eq!(house.identity.offered(offered).await, told);
    }
}
