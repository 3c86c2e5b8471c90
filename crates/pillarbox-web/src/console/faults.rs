//! Faults on purpose, on the console: listed, set and cleared. What there is to go wrong, and where, the program knows.

use super::{Asked, asked, form_answer, wrong};
use crate::control::{Fault, FaultWanted};
use crate::when::{When, rfc3339};
use crate::{App, form};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use pillarbox_store::mail::Millis;
use serde_json::{Value, json};

/// A fault as listed on the page.
pub(super) struct Row {
    pub id: u64,
    pub target: String,
    pub kind: String,
    pub more: Vec<String>,
}

pub(super) fn rows(app: &App) -> Vec<Row> {
    let now = app.now();
    let row = |fault: Fault| {
        let times = |count: u64| match count {
            1 => "1 time".to_owned(),
            many => format!("{many} times"),
        };
        let mut more = vec![match fault.left {
            Some(left) => format!("{} left", times(left.into())),
            None => "until it is cleared".to_owned(),
        }];
        more.push(format!("happened {}", times(fault.struck)));
        more.extend(fault.account.map(|account| format!("only {account}")));
        if fault.probability < 1.0 {
            more.push(format!("probability {}", fault.probability));
        }
        if fault.from > now {
            more.push(format!("not before {}", When::new(fault.from, now).full));
        }
        Row {
            id: fault.id,
            target: fault.target,
            kind: fault.kind,
            more,
        }
    };
    app.web.control.faults().into_iter().map(row).collect()
}

/// Sets what a form or an object asks for.
fn set(app: &App, asked: &Asked<'_>) -> Result<Fault, String> {
    let number = |name: &str, text: String| {
        let wrong = format!("{name} is a number");
        text.parse::<f64>().map_err(|_| wrong)
    };
    let times = match asked.text("times") {
        None => None,
        Some(text) => {
            let wrong = |_| "times is a whole number".to_owned();
            Some(text.parse().map_err(wrong)?)
        }
    };
    let probability = asked.text("probability");
    app.web.control.set_fault(FaultWanted {
        target: asked.text("target").ok_or("target is missing")?,
        kind: asked.text("kind").ok_or("kind is missing")?,
        value: asked.text("value"),
        times,
        account: asked.text("account"),
        probability: probability
            .map(|text| number("probability", text))
            .transpose()?,
        after: asked.text("after"),
    })
}

fn clear(app: &App, asked: &Asked<'_>) -> Result<usize, String> {
    app.web.control.clear_faults(asked.text("which").as_deref())
}

pub(super) async fn change(State(app): State<App>, body: Bytes) -> Response {
    let body = form::read(&body);
    let asked = Asked(&body);
    let done = match asked.text("do").as_deref() {
        Some("clear") => clear(&app, &asked).map(|_| "cleared"),
        _ => match set(&app, &asked) {
            Ok(fault) if is_for_nobody(&app, &fault).await => Ok("nobody"),
            done => done.map(|_| "fault"),
        },
    };
    form_answer(&app, done, "faults").await
}

/// It is only for an account that does not exist, mistyped perhaps, or made later.
async fn is_for_nobody(app: &App, fault: &Fault) -> bool {
    match &fault.account {
        None => false,
        Some(account) => matches!(app.web.store.account_of(account).await, Ok(None)),
    }
}

fn fault_json(fault: &Fault, now: Millis) -> Value {
    json!({"id": fault.id, "target": fault.target, "kind": fault.kind, "left": fault.left, "struck": fault.struck,
           "account": fault.account, "probability": fault.probability, "from": rfc3339(fault.from),
           "waits": now < fault.from})
}

pub(super) async fn api_list(State(app): State<App>) -> Response {
    let (all, now) = (app.web.control.faults(), app.now());
    let all = all.iter().map(|fault| fault_json(fault, now));
    Json(all.collect::<Value>()).into_response()
}

pub(super) async fn api_set(State(app): State<App>, body: Bytes) -> Response {
    let known = [
        "target",
        "kind",
        "value",
        "times",
        "account",
        "probability",
        "after",
    ];
    let done = asked(&body, &known).and_then(|pairs| set(&app, &Asked(&pairs)));
    let fault = match done {
        Ok(fault) => fault,
        Err(error) => return wrong(&error),
    };
    let mut answer = fault_json(&fault, app.now());
    if is_for_nobody(&app, &fault).await {
        let account = fault.account.unwrap_or_default();
        answer["note"] = format!("no account {account}").into();
    }
    Json(answer).into_response()
}

/// Clears those that `which` names, a target or a number, else all.
pub(super) async fn api_clear(State(app): State<App>, body: Bytes) -> Response {
    let done = match body.is_empty() {
        true => Ok(Vec::new()),
        false => asked(&body, &["which"]),
    };
    match done.and_then(|pairs| clear(&app, &Asked(&pairs))) {
        Ok(cleared) => Json(json!({"cleared": cleared})).into_response(),
        Err(error) => wrong(&error),
    }
}
