use super::*;

fn identity(seed: &str) -> Identity {
    [("preset", "probe"), ("seed", seed)].map(|(name, value)| (name.into(), value.into())).into()
}

fn open(dir: &Path, seed: &str) -> Checkpoints {
    Checkpoints::open(dir, Duration::from_secs(60), identity(seed)).unwrap()
}

fn save(checkpoints: &mut Checkpoints, steps: u64) {
    let standing = Standing {
        identity: checkpoints.identity().clone(),
        steps,
        epochs: 2,
        spent: Duration::from_millis(60_500 * steps),
        drawn_words: 7,
    };
    let weight = Tensor::from_slice(&[steps as f32, 2.0]);
    checkpoints.save(&standing, [("weights.w".to_owned(), weight)]).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_newest_two_are_kept_and_the_newest_whole_one_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkpoints = open(dir.path(), "1");
    assert!(checkpoints.newest().unwrap().is_none());
    assert!(!checkpoints.is_due(Duration::from_secs(59)));
    assert!(checkpoints.is_due(Duration::from_secs(60)));
    (1..=3).for_each(|steps| save(&mut checkpoints, steps));
    assert!(!checkpoints.is_due(Duration::from_secs(200)));
    let newest = dir.path().join("000000000003.safetensors");
    assert_eq!(
        names(dir.path()),
        [".lock", "000000000002.safetensors", "000000000003.safetensors"]
    );
    drop(checkpoints);

    let mut checkpoints = open(dir.path(), "1");
    let saved = checkpoints.newest().unwrap().unwrap();
    assert_eq!((saved.path.as_path(), saved.standing.steps), (newest.as_path(), 3));
    assert_eq!(saved.standing.spent, Duration::from_millis(181_500));
    assert_eq!(saved.tensors["weights.w"], Tensor::from_slice(&[3f32, 2.0]));
    assert!(!checkpoints.is_due(Duration::from_secs(200)), "it goes on from the one that was read");
    let whole = fs::read(&newest).unwrap();
    for cut in [0, 8, whole.len() / 2, whole.len() - 1] {
        fs::write(&newest, &whole[..cut]).unwrap();
        assert_eq!(checkpoints.newest().unwrap().unwrap().standing.steps, 2, "cut at {cut}");
    }
}

#[test]
fn that_of_another_training_is_refused_by_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkpoints = open(dir.path(), "1");
    save(&mut checkpoints, 1);
    drop(checkpoints);
    let error = open(dir.path(), "2").newest().err().unwrap().to_string();
    assert!(
        error.contains("000000000001.safetensors is of a training with seed 1, not 2"),
        "{error}"
    );
    let mut more = identity("1");
    more.insert("data".into(), "x".into());
    let mut checkpoints = Checkpoints::open(dir.path(), Duration::ZERO, more).unwrap();
    let error = checkpoints.newest().err().unwrap().to_string();
    assert!(error.contains("with data nothing, not x"), "{error}");
}

#[test]
fn two_trainings_do_not_write_to_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path(), "1");
    let second = Checkpoints::open(dir.path(), Duration::ZERO, identity("1"));
    assert!(matches!(second.err().unwrap(), ResumeError::Busy(busy) if busy == dir.path()));
}
