//! Weights from a real server on this machine that plays the hub, and from files.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[expect(dead_code, reason = "the rest is for data sets")]
#[path = "support/hub.rs"]
mod hub;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use dfr_media::files::{sha256, sha256_of};
use dfr_media::hub::client::{Access, Client, Token};
use dfr_media::hub::patience::Patience;
use dfr_media::weights::fetch::{Fetched, fetch};
use dfr_media::weights::import::{import, in_hub_cache};
use dfr_media::weights::{CHECKPOINTS, Checkpoint, Origin, WeightsError, find, store};

use hub::{Fault, Hub};

const QUICK: Patience =
    Patience { tries: 2, first: Duration::from_millis(1), most: Duration::from_millis(5) };
const SOME: Checkpoint =
    Checkpoint { model: "some", origin: Origin::Hub("org/some"), licence: "free" };
const FILE: &str = "model.safetensors";

/// A file of one tensor of so many bytes.
fn safetensors(bytes: usize) -> Vec<u8> {
    let header =
        format!(r#"{{"w":{{"dtype":"U8","shape":[{bytes}],"data_offsets":[0,{bytes}]}}}}"#);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.into_bytes());
    file.extend((0..bytes).map(|at| (at % 251) as u8));
    file
}

fn client(hub: &Hub) -> Client {
    let token = Some(Token("hf_secret".to_owned()));
    Client::new(Access { endpoint: hub.url.clone(), token }, QUICK)
}

fn get(hub: &Hub, dir: &Path) -> Result<Fetched, WeightsError> {
    fetch(&client(hub), dir, &SOME, &|_, _| ())
}

fn names(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn weights_come_once_with_where_they_are_from() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    let bytes = safetensors(20 << 20);
    hub.put_with_hash("org/some", FILE, &bytes, Some(sha256_of(&bytes)));
    let told = RefCell::new(Vec::new());
    let watch = |here, of| told.borrow_mut().push((here, of));
    let size = bytes.len() as u64;
    let fetched = fetch(&client(&hub), dir.path(), &SOME, &watch).unwrap();
    assert_eq!(fetched, Fetched::Came(size));
    assert_eq!((told.borrow()[0], *told.borrow().last().unwrap()), ((0, size), (size, size)));
    assert_eq!(names(dir.path()), ["some.json", "some.safetensors"]);
    assert_eq!(sha256(&store::path(dir.path(), "some")).unwrap(), sha256_of(&bytes));
    let known = store::provenance(dir.path(), "some").unwrap().unwrap();
    assert!(known.from.ends_with("/org/some/resolve/main/model.safetensors"), "{}", known.from);
    assert_eq!((known.sha256, known.licence), (sha256_of(&bytes), "free".to_owned()));
    hub.sent();
    assert_eq!(get(&hub, dir.path()).unwrap(), Fetched::WasThere);
    assert!(hub.sent() < 1000, "only the listing is asked for");
}

#[test]
fn a_cut_fetch_goes_on_where_it_was() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    let bytes = safetensors(20 << 20);
    hub.put_with_hash("org/some", FILE, &bytes, Some(sha256_of(&bytes)));
    // The first piece comes, the second never does.
    let refused = Fault::Status(503, None);
    let asked = RefCell::new(0);
    let watch = |here: u64, _| {
        *asked.borrow_mut() += 1;
        if here > 0 {
            hub.fail_always("resolve", refused);
        }
    };
    let error = fetch(&client(&hub), dir.path(), &SOME, &watch).unwrap_err();
    assert!(matches!(error, WeightsError::Hub(_)), "{error}");
    assert_eq!(*asked.borrow(), 2);
    assert_eq!(names(dir.path()).len(), 1, "what came stays");
    hub.heal();
    let rest = bytes.len() as u64 - (8 << 20);
    assert_eq!(get(&hub, dir.path()).unwrap(), Fetched::Came(rest));
    assert_eq!(sha256(&store::path(dir.path(), "some")).unwrap(), sha256_of(&bytes));
}

#[test]
fn what_is_not_what_the_hub_lists_is_not_kept() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.put_with_hash("org/some", FILE, &safetensors(1000), Some("0".repeat(64)));
    let error = get(&hub, dir.path()).unwrap_err();
    assert!(matches!(error, WeightsError::Hash { .. }), "{error}");
    assert_eq!(names(dir.path()), [""; 0]);
    hub.put("org/other", FILE, b"not a checkpoint at all");
    let other = Checkpoint { origin: Origin::Hub("org/other"), ..SOME };
    let error = fetch(&client(&hub), dir.path(), &other, &|_, _| ()).unwrap_err();
    assert!(error.to_string().contains("no whole safetensors file"), "{error}");
    assert!(!store::path(dir.path(), "some").exists());
}

#[test]
fn a_pickle_is_told_how_to_be_converted() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.put("org/some", "pytorch_model.bin", b"pickle");
    let file = dir.path().join("old.pth");
    fs::write(&file, b"pickle").unwrap();
    for error in [get(&hub, dir.path()).unwrap_err(), import(dir.path(), &SOME, &file).unwrap_err()]
    {
        let told = error.to_string();
        for word in ["is a pickle", "python3 -c", "dfr weights import some some.safetensors"] {
            assert!(told.contains(word), "{told}");
        }
    }
    hub.put("org/none", "README.md", b"nothing");
    let none = Checkpoint { origin: Origin::Hub("org/none"), ..SOME };
    let error = fetch(&client(&hub), dir.path(), &none, &|_, _| ()).unwrap_err();
    assert!(matches!(error, WeightsError::NoFile { .. }), "{error}");
}

#[test]
fn a_file_of_this_machine_is_copied_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (weights, file) = (dir.path().join("weights"), dir.path().join("x.safetensors"));
    let bytes = safetensors(1000);
    for broken in [&b""[..], &b"1234567"[..], &bytes[..500], &[bytes.clone(), vec![0]].concat()] {
        fs::write(&file, broken).unwrap();
        let error = import(&weights, &SOME, &file).unwrap_err();
        assert!(matches!(error, WeightsError::Malformed { .. }), "{error}");
    }
    assert!(!weights.exists());
    fs::write(&file, &bytes).unwrap();
    import(&weights, &SOME, &file).unwrap();
    assert_eq!(names(&weights), ["some.json", "some.safetensors"]);
    assert_eq!(fs::read(store::path(&weights, "some")).unwrap(), bytes);
}

#[test]
fn the_newest_snapshot_of_the_hub_cache_is_found() {
    let dir = tempfile::tempdir().unwrap();
    assert!(in_hub_cache(dir.path(), &SOME).is_err());
    let snapshots = dir.path().join("models--org--some/snapshots");
    for (revision, age) in [("a", 30), ("b", 10), ("c", 20)] {
        let file = snapshots.join(revision).join(FILE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let file = fs::File::create(&file).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    assert_eq!(in_hub_cache(dir.path(), &SOME).unwrap(), snapshots.join("b").join(FILE));
}

#[test]
fn checkpoints_are_sorted_and_found_by_model() {
    assert!(CHECKPOINTS.is_sorted_by(|a, b| a.model < b.model));
    assert_eq!(find("clip-vit-l14").unwrap().origin.as_str(), "openai/clip-vit-large-patch14");
    let error = find("clip").unwrap_err().to_string();
    assert!(error.contains(r#"for "clip": choose of ast, clip-vit-l14, "#), "{error}");
}
