use super::*;

fn resolve(flags: &RunFlags, env: &Environment) -> Result<Settings, SettingsError> {
    Settings::resolve(&Places::default(), flags, env)
}

fn flags() -> RunFlags {
    RunFlags { modality: Some(Modality::Video), ..RunFlags::default() }
}

const PLAYBOOK: [(&str, &str); 2] = [("HOME", "/h"), ("DFR_PROPOSER", "playbook")];

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("dfr.toml");
    std::fs::write(&path, "budget_s = 1\nseed = 1\ntask = \"a\"\ngrace_s = 3").unwrap();
    let places = Places { config: Some(path), ..Places::default() };
    let env = Environment::from([
        ("HOME", "/h"),
        ("DFR_PROPOSER", "playbook"),
        ("DFR_BUDGET_S", "2"),
        ("DFR_SEED", "2"),
    ]);
    let flags = RunFlags { budget_s: Some(3), ..RunFlags::default() };
    let settings = Settings::resolve(&places, &flags, &env).unwrap();
    assert_eq!((settings.budget_s, settings.seed), (Some(3), Some(2)));
    assert_eq!((settings.task.as_deref(), settings.grace), (Some("a"), Duration::from_secs(3)));
}

#[test]
fn the_modality_is_the_default_task() {
    let settings = resolve(&flags(), &Environment::from(PLAYBOOK)).unwrap();
    assert_eq!(settings.task.as_deref(), Some("video"));
    assert_eq!(settings.locations.cache, Path::new("/h/.cache/dfresearch"));
    let named = RunFlags { task: Some("x.toml".into()), ..flags() };
    let settings = resolve(&named, &Environment::from(PLAYBOOK)).unwrap();
    assert_eq!(settings.task.as_deref(), Some("x.toml"));
}

#[test]
fn without_a_key_both_ways_out_are_named_and_nothing_is_chosen_silently() {
    let message = resolve(&flags(), &Environment::from([("HOME", "/h")])).unwrap_err().to_string();
    assert!(message.contains("OPENAI_API_KEY") && message.contains("--proposer playbook"));
    let llm = RunFlags { proposer: Some("llm".into()), ..flags() };
    assert!(matches!(
        resolve(&llm, &Environment::from([("HOME", "/h")])),
        Err(SettingsError::Proposer)
    ));
}

#[test]
fn a_key_alone_is_not_enough_to_guess_a_model() {
    let env = Environment::from([("HOME", "/h"), ("OPENAI_API_KEY", "sk-secret")]);
    assert!(matches!(resolve(&flags(), &env), Err(SettingsError::Model)));
    let named = RunFlags { model: Some("m".into()), ..flags() };
    let settings = resolve(&named, &env).unwrap();
    assert!(!format!("{settings:?}").contains("sk-secret"));
    assert!(!settings.child_environment.contains_key("OPENAI_API_KEY"));
}

#[test]
fn what_cannot_be_understood_is_named() {
    let env = |pair| Environment::from([("HOME", "/h"), ("DFR_PROPOSER", "playbook"), pair]);
    for (pair, name) in
        [(("DFR_BUDGET_S", "ten"), "DFR_BUDGET_S"), (("DFR_SEED", "-1"), "DFR_SEED")]
    {
        let message = resolve(&flags(), &env(pair)).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains(pair.1), "{message}");
    }
    let word = RunFlags { proposer: Some("oracle".into()), ..flags() };
    assert!(matches!(
        resolve(&word, &Environment::from(PLAYBOOK)),
        Err(SettingsError::UnknownProposer(_))
    ));
    assert!(matches!(
        resolve(&RunFlags::default(), &Environment::from(PLAYBOOK)),
        Err(SettingsError::Task)
    ));
}

#[test]
fn a_tilde_is_home() {
    let env = Environment::from([("HOME", "/h"), ("DFRESEARCH_CACHE", "~/c")]);
    assert_eq!(Locations::resolve(&Places::default(), &env).unwrap().cache, Path::new("/h/c"));
}
