//! `pillarbox serve` and `pillarbox config`.

use crate::stage::{DEADLINE, Home, finish, lines, signal, stderr, stdout, wait};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

fn write(home: &Home, more: &str) -> PathBuf {
    let file = home.path().join("pillarbox.toml");
    let data = home.path().join("data");
    let head = format!(
        "domain = 'example.org'\nhost = 'mail.example.org'\ndata = '{}'\n",
        data.display()
    );
    std::fs::write(&file, head + more).unwrap();
    file
}

fn until(log: &Receiver<String>, wanted: &str) -> String {
    loop {
        let line = log
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|_| panic!("the log never said {wanted:?}"));
        if line.contains(wanted) {
            return line;
        }
    }
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let home = Home::new();
    let file = write(&home, "[session]\ntokn = '1h'\n");
    for (command, status) in [(&["config", "check"][..], 1), (&["serve"], 3)] {
        let mut program = home.program(command);
        program.arg("--config").arg(&file);
        let refused = finish(program, "");
        assert_eq!(refused.status.code(), Some(status), "{command:?}");
        let text = stderr(&refused);
        assert!(
            text.contains(
                "pillarbox.toml:5: unknown key session.tokn; did you mean session.token?"
            ),
            "{text}"
        );
    }
}

#[test]
fn show_says_who_won() {
    let home = Home::new();
    let file = write(&home, "[session]\ntoken = '2h'\n");
    let mut program = home.program(&["config", "show", "--origin"]);
    program
        .env("PILLARBOX_CONFIG", &file)
        .env("PILLARBOX_SIGN_IN_PASSWORDS", "account");
    let shown = stdout(&finish(program, ""));
    let line = |key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("token").contains("\"2h\"") && line("token").ends_with("pillarbox.toml:5"),
        "{shown}"
    );
    assert!(
        line("passwords").ends_with("# PILLARBOX_SIGN_IN_PASSWORDS"),
        "{shown}"
    );
    assert!(line("pop = \"7d\"").ends_with("# default"), "{shown}");
    let explained = home.run(&["config", "explain", "session.tokn"]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(stderr(&explained).contains("did you mean session.token?"));
}

#[test]
fn acme_is_refused_in_words() {
    let home = Home::new();
    let file = write(&home, "");
    let mut program = home.program(&["serve", "--config"]);
    program.arg(&file);
    let refused = finish(program, "");
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("not built yet"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn what_others_may_read_is_not_served() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let file = write(&home, "[tls]\nmode = 'private'\n");
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (command, status) in [(&["config", "check"][..], 1), (&["serve"], 3)] {
        let mut program = home.program(command);
        program.arg("--config").arg(&file);
        let refused = finish(program, "");
        assert_eq!(refused.status.code(), Some(status), "{command:?}");
        let remedy = format!("chmod 700 {}", data.display());
        assert!(stderr(&refused).contains(&remedy), "{}", stderr(&refused));
    }
    let left = std::fs::read_dir(&data).unwrap().count();
    assert_eq!(left, 0, "nothing was made in it");
}

/// Every file and folder under `folder` with a mode that lets anybody else in.
fn open_to_others(folder: &std::path::Path) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.metadata().unwrap().permissions().mode() & 0o077 != 0 {
                found.push(entry.path());
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn it_serves_reloads_and_has_no_default_secret() {
    let home = Home::new();
    // Free at this moment; another program would have to be quick to take them.
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let free: Vec<TcpListener> = (0..5)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let listen = format!(
        "[listen]\nimap = ['127.0.0.1:{}']\npop = ['127.0.0.1:{}']\nsubmission = ['127.0.0.1:{}']\n\
         incoming = ['127.0.0.1:{}']\nweb = ['127.0.0.1:{}']\n[tls]\nmode = 'private'\n",
        port(&free[0]),
        port(&free[1]),
        port(&free[2]),
        port(&free[3]),
        port(&free[4])
    );
    drop(free);
    let file = write(&home, &listen);
    let command = |arguments: &[&str], input: &str| {
        let mut program = home.program(arguments);
        program.env("PILLARBOX_CONFIG", &file);
        finish(program, input)
    };
    let mut program = home.program(&["serve"]);
    program
        .env("PILLARBOX_CONFIG", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let log = lines(child.stderr.take().unwrap());
    until(&log, "is ready");
    assert_eq!(
        stdout(&command(&["account", "list"], "")),
        "",
        "nobody is there by default"
    );
    let added = command(
        &["account", "add", "ada@example.org"],
        "a long pass phrase\n",
    );
    assert!(added.status.success(), "{}", stderr(&added));
    for (refused, words) in [
        (&["token", "ada@example.org"][..], "real server"),
        (&["clock", "advance", "1h"], "real server"),
        (&["fault", "list"], "real server"),
        (&["fault", "set", "imap.login", "drop"], "real server"),
    ] {
        let refused = command(refused, "");
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
    assert_eq!(command(&["dev", "env"], "").status.code(), Some(3));
    let open = open_to_others(&home.path().join("data"));
    assert!(open.is_empty(), "{open:?}");

    std::fs::write(
        &file,
        std::fs::read_to_string(&file).unwrap()
            + "[log]\nformat = 'json'\n[limits]\nrecipients = 7\n",
    )
    .unwrap();
    signal(child.id(), "HUP");
    let reloaded = until(&log, "read again");
    assert!(
        reloaded.starts_with('{') && reloaded.contains("limits.recipients"),
        "{reloaded}"
    );
    signal(child.id(), "TERM");
    assert_eq!(wait(&mut child).code(), Some(0));
}
