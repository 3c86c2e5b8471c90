//! The browser's way back, and files. What needs an issuer runs against a real one, in the tests of the whole server.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use super::*;
use crate::Tls;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An issuer whose token endpoint nobody answers at: port 1 of this computer.
fn issuer() -> Issuer {
    let metadata = serde_json::json!({
        "issuer": "https://issuer.example",
        "authorization_endpoint": "https://issuer.example/auth?tenant=1",
        "token_endpoint": "https://127.0.0.1:1/token",
        "authorization_response_iss_parameter_supported": true,
    });
    let authority = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    Issuer {
        metadata: Arc::new(serde_json::from_value(metadata).unwrap()),
        tls: Tls::trusting(authority.cert.pem().as_bytes()).unwrap(),
        clock: system_clock(),
    }
}

async fn begun() -> (InBrowser, String, String) {
    let wish = Wish::mail().of("ada@example.org");
    let waiting = issuer().in_browser(&App::public("cli"), &wish).await;
    let waiting = waiting.unwrap();
    let query: std::collections::HashMap<_, _> =
        waiting.address().query_pairs().into_owned().collect();
    (
        waiting,
        query["redirect_uri"].clone(),
        query["state"].clone(),
    )
}

/// What a browser is shown at this address.
async fn visit(redirect: &str, target: &str, host: Option<&str>) -> String {
    let place = redirect.strip_prefix("http://").unwrap();
    let place = place.strip_suffix('/').unwrap();
    let mut stream = TcpStream::connect(place).await.unwrap();
    let host = host.unwrap_or(place);
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut shown = String::new();
    stream.read_to_string(&mut shown).await.unwrap();
    shown
}

#[tokio::test]
async fn the_address_asks_for_what_is_wanted_and_keeps_what_the_issuer_has_there() {
    let (waiting, redirect, state) = begun().await;
    let address = waiting.address().as_str();
    let begin = "https://issuer.example/auth?tenant=1&client_id=cli&redirect_uri=";
    assert!(address.starts_with(begin), "{address}");
    assert!(address.contains("&response_type=code&"));
    assert!(address.contains("&code_challenge_method=S256"));
    assert!(address.ends_with("&login_hint=ada%40example.org"));
    assert!(redirect.starts_with("http://127.0.0.1:"));
    assert_eq!(state.len(), 43);
    let (_, _, another) = begun().await;
    assert_ne!(state, another);
}

#[tokio::test]
async fn only_the_answer_to_our_question_counts() {
    let (waiting, redirect, state) = begun().await;
    let finish = tokio::spawn(waiting.finish());
    let denied = format!("/?state={state}&iss=https%3A%2F%2Fissuer.example&error=access_denied");
    let strays = [
        ("/?state=wrong&code=x".to_owned(), None, "400"),
        ("/?code=x".to_owned(), None, "400"),
        (format!("/?state={state}&state={state}&code=x"), None, "400"),
        ("/favicon.ico".to_owned(), None, "404"),
        (denied.replace("/?", "/other?"), None, "404"),
        // A name that somebody made lead to this computer.
        (denied.clone(), Some("evil.example"), "404"),
    ];
    for (target, host, status) in strays {
        let shown = visit(&redirect, &target, host).await;
        assert!(
            shown.starts_with(&format!("HTTP/1.1 {status}")),
            "{target}: {shown}"
        );
    }
    let shown = visit(&redirect, &denied, None).await;
    assert!(shown.contains("Nothing was allowed") && shown.contains("You can close this window"));
    assert!(shown.contains("Content-Security-Policy: default-src 'none'"));
    let error = finish.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused { ref code, .. } if code == "access_denied"));
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_worth_nothing() {
    for iss in [
        "&iss=https%3A%2F%2Fevil.example",
        "",
        "&iss=https%3A%2F%2Fissuer.example%2F",
    ] {
        let (waiting, redirect, state) = begun().await;
        let finish = tokio::spawn(waiting.finish());
        let shown = visit(&redirect, &format!("/?state={state}{iss}&code=x"), None).await;
        assert!(shown.contains("did not succeed"), "{shown}");
        let error = finish.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("another issuer"), "{error}");
    }
}

#[tokio::test]
async fn a_code_that_cannot_be_redeemed_is_not_called_a_success() {
    let (waiting, redirect, state) = begun().await;
    let finish = tokio::spawn(waiting.finish());
    let answer = format!("/?state={state}&iss=https%3A%2F%2Fissuer.example&code=x");
    let shown = visit(&redirect, &answer, None).await;
    assert!(shown.contains("did not succeed"), "{shown}");
    let error = finish.await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_temporary(),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let (waiting, ..) = begun().await;
    let waiting = waiting.within(Duration::from_millis(20));
    assert!(matches!(waiting.finish().await, Err(Error::TimedOut)));
}

#[tokio::test]
async fn only_https_is_an_issuer() {
    for address in [
        "http://issuer.example",
        "issuer.example",
        "https://user@issuer.example",
        "https://issuer.example/?x=y",
    ] {
        let found = Issuer::discover(address, issuer().tls).await;
        assert!(
            matches!(found, Err(Error::Insecure(_))),
            "{address}: {found:?}"
        );
    }
}

fn sign_in(address: &str) -> SignIn {
    let tokens = Tokens {
        access: Secret::new("access-secret"),
        expires: UNIX_EPOCH + Duration::from_secs(2_000_000_000),
        refresh: Some(Secret::new("refresh-secret")),
    };
    SignIn::new(address, &issuer(), &App::public("cli"), tokens)
}

#[test]
fn a_sign_in_is_kept_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep::open(folder.path().join("a/b")).unwrap();
    assert!(keep.last().unwrap().is_none());
    keep.put(&sign_in("Ada@example.org")).unwrap();
    keep.put(&sign_in("../../bob/x@example.org")).unwrap();
    assert_eq!(keep.last().unwrap().unwrap(), "../../bob/x@example.org");
    let kept = keep.get("ADA@example.org").unwrap();
    assert_eq!(kept.tokens, sign_in("x").tokens);
    assert_eq!(kept.issuer, "https://issuer.example");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder.path().join("a/b")).unwrap() {
        let file = file.unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    let bob = "..%2f..%2fbob%2fx@example.org";
    let expected = [
        format!("{bob}.json"),
        format!("{bob}.lock"),
        "ada@example.org.json".into(),
        "ada@example.org.lock".into(),
        "last".into(),
    ];
    assert_eq!(names, expected);
    keep.remove("../../bob/x@example.org").unwrap();
    assert!(keep.last().unwrap().is_none());
    assert!(matches!(
        keep.remove("bob@example.org"),
        Err(Error::NotSignedIn(_))
    ));
    for bad in ["", "bob", &format!("{}@example.org", "x".repeat(200))] {
        assert!(matches!(keep.get(bad), Err(Error::Address(_))), "{bad}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", sign_in("ada@example.org"));
    assert!(!shown.contains("-secret"), "{shown}");
}

#[tokio::test]
async fn a_token_with_enough_life_is_given_without_asking_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep::open(folder.path()).unwrap();
    keep.put(&sign_in("ada@example.org")).unwrap();
    let at =
        |seconds: u64| -> Clock { Arc::new(move || UNIX_EPOCH + Duration::from_secs(seconds)) };
    let tokens = |seconds| keep.tokens_of("ada@example.org").with_clock(at(seconds));
    let five_minutes_left = tokens(2_000_000_000 - 300).fresh().await.unwrap();
    assert_eq!(five_minutes_left.reveal(), "access-secret");
    // The issuer cannot be reached; what is still good is better than nothing.
    let almost_over = tokens(2_000_000_000 - 299);
    // No authorities of the system are needed to see that nobody answers, so the sign-in names some.
    let mut named = sign_in("ada@example.org");
    let pem = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem.cert.pem()).unwrap();
    named.authorities = Some(file);
    keep.put(&named).unwrap();
    assert_eq!(almost_over.fresh().await.unwrap().reveal(), "access-secret");
    let over = tokens(2_000_000_001).fresh().await.unwrap_err();
    assert!(matches!(over, Error::Unreachable { .. }), "{over}");
    let gone = keep.tokens_of("bob@example.org").fresh().await.unwrap_err();
    assert!(gone.wants_a_sign_in());
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left = left.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(left.count(), 0, "unfinished files");
}
