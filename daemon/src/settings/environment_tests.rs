use super::*;
use tempfile::TempDir;

/// An environment as a service manager makes it, with this text as the credential.
fn service(text: Option<&str>) -> (TempDir, Environment) {
    let directory = TempDir::new().unwrap();
    if let Some(text) = text {
        std::fs::write(directory.path().join("openai_api_key"), text).unwrap();
    }
    let at = directory.path().to_str().unwrap();
    let environment = Environment::from([
        ("CREDENTIALS_DIRECTORY", at),
        ("NOTIFY_SOCKET", "/run/systemd/notify"),
        ("PATH", "/bin"),
        ("WATCHDOG_PID", "1"),
        ("WATCHDOG_USEC", "60000000"),
    ]);
    (directory, environment)
}

#[test]
fn a_credential_is_the_key_when_no_variable_is() {
    for (text, key) in [
        ("sk-1\n", Some("sk-1")),
        ("# of the team\n\n  sk-2  \nsk-3\n", Some("sk-2")),
        ("# Put the key below this line.\n", None),
        ("", None),
    ] {
        let (_directory, environment) = service(Some(text));
        let environment = environment.with_credential().unwrap();
        assert_eq!(environment.get(KEY).as_deref(), key, "{text:?}");
    }
    let (_directory, environment) = service(None);
    assert_eq!(environment.with_credential().unwrap().get(KEY), None);
}

#[test]
fn a_variable_wins_over_the_credential_and_an_empty_one_does_not() {
    for (variable, key) in [("sk-mine", "sk-mine"), ("", "sk-1")] {
        let (_directory, mut environment) = service(Some("sk-1"));
        environment.0.insert(KEY.to_owned(), variable.to_owned());
        assert_eq!(environment.with_credential().unwrap().get(KEY).as_deref(), Some(key));
    }
}

#[test]
fn a_credential_that_cannot_be_read_is_named() {
    let (directory, environment) = service(None);
    std::fs::create_dir(directory.path().join("openai_api_key")).unwrap();
    let error = environment.with_credential().err().unwrap().to_string();
    assert!(error.contains("openai_api_key"), "{error}");
}

#[test]
fn children_see_nothing_of_the_service_manager() {
    let (_directory, environment) = service(Some("sk-1"));
    let seen = environment.with_credential().unwrap().for_children();
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["PATH"]);
}

#[test]
fn a_watchdog_is_ours_when_it_names_us_or_nobody() {
    let us = std::process::id().to_string();
    let minute = Some(Duration::from_secs(60));
    for (pid, interval) in [("1", None), ("", minute), (us.as_str(), minute)] {
        let (_directory, mut environment) = service(None);
        environment.0.insert("WATCHDOG_PID".to_owned(), pid.to_owned());
        assert_eq!(environment.watchdog().unwrap(), interval, "{pid:?}");
        assert_eq!(environment.notify_socket().as_deref(), Some("/run/systemd/notify"));
    }
    for interval in ["0", ""] {
        let environment = Environment::from([("WATCHDOG_USEC", interval)]);
        assert_eq!(environment.watchdog().unwrap(), None);
    }
    let wrong = Environment::from([("WATCHDOG_USEC", "a minute")]);
    assert!(wrong.watchdog().unwrap_err().to_string().contains("WATCHDOG_USEC"));
}
