use super::*;

const CONFIG: &str = "gasbench_configs/video_datasets.yaml";
/// As the original's files: more fields than are read here.
const UPSTREAM: &str = "\
datasets:
  - name: a
    path: owner/a
    modality: video
    media_type: real
    source: huggingface
    media_per_archive: -1
    include_paths: [train]
  - name: b
    path: owner/b
    media_type: semisynthetic
";

fn root_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn read(root: &Path, local: Option<&Path>) -> Result<Vec<Entry>, CatalogueError> {
    read_entries(root, Modality::Video, local)
}

#[test]
fn a_local_entry_replaces_the_one_of_its_name_in_place_and_others_are_added() {
    let local = "datasets:\n  - {name: a, path: x, media_type: synthetic}\n  - {name: c, path: y, media_type: real}\n";
    let root = root_with(&[(CONFIG, UPSTREAM), ("local.yaml", local)]);
    let entries = read(root.path(), Some(&root.path().join("local.yaml"))).unwrap();
    let seen: Vec<_> =
        entries.iter().map(|e| (e.name.as_str(), e.media_type(), e.label())).collect();
    assert_eq!(seen, [("a", "synthetic", 1), ("b", "semisynthetic", 1), ("c", "real", 0)]);
}

#[test]
fn an_empty_configuration_is_one_without_data_sets() {
    for text in ["", "\n", "# only a comment\n", "datasets:\n", "datasets: []\n"] {
        let root = root_with(&[(CONFIG, text)]);
        assert_eq!(read(root.path(), None).unwrap(), [], "{text:?}");
    }
}

#[test]
fn no_configuration_and_a_broken_one_are_named() {
    let empty = root_with(&[]);
    let error = read(empty.path(), Some(Path::new("/no/such.yaml"))).unwrap_err().to_string();
    assert!(error.contains(CONFIG) && error.contains("datasets/video"), "{error}");
    let broken = root_with(&[(CONFIG, "datasets: [{name: a}]")]);
    let error = read(broken.path(), None).unwrap_err().to_string();
    assert!(error.contains(CONFIG) && error.contains("path"), "{error}");
}

#[test]
fn a_class_that_is_unknown_or_missing_and_a_name_twice_are_named_with_the_way_out() {
    let cases = [
        ("{name: a, path: p, media_type: Real}", "a has media_type \"Real\""),
        ("{name: a, path: p, media_type: fake}", "a has media_type \"fake\""),
        ("{name: a, path: p}", "a has media_type missing"),
        ("{name: b, path: p, media_type: real}", "b is there twice"),
    ];
    for (entry, words) in cases {
        let text = format!("datasets: [{{name: b, path: p, media_type: real}}, {entry}]");
        let root = root_with(&[(CONFIG, &text)]);
        let error = read(root.path(), None).unwrap_err().to_string();
        assert!(error.contains(CONFIG) && error.contains(words), "{error}");
        assert!(error.contains("real, synthetic or semisynthetic") || words.contains("twice"));
    }
}

#[test]
fn entries_are_read_back_as_written() {
    let root = root_with(&[(CONFIG, UPSTREAM)]);
    let entries = read(root.path(), None).unwrap();
    let copy = root_with(&[]);
    write_entries(copy.path(), Modality::Video, &entries).unwrap();
    assert_eq!(read(copy.path(), None).unwrap(), entries);
}

#[test]
fn media_files_are_those_with_a_known_extension_at_the_top_level() {
    let folder = "datasets/video/a";
    let names = ["000001.MP4", "000000.webm", ".000002.mp4", "notes.txt", "deeper/000003.mp4"];
    let files = names.map(|name| format!("{folder}/{name}"));
    let mut files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "x")).collect();
    files.push((CONFIG, UPSTREAM));
    let root = root_with(&files);
    let entries = read(root.path(), None).unwrap();
    let found = |entry| media_files(root.path(), Modality::Video, entry).unwrap();
    let ids: Vec<String> = found(&entries[0]).iter().map(MediaFile::id).collect();
    assert_eq!(ids, ["a/000000.webm", "a/000001.MP4"]);
    assert_eq!(found(&entries[0])[0].recording, "a/000000.webm");
    assert_eq!(found(&entries[1]), []);
}

#[test]
fn a_manifest_names_recordings_and_a_broken_line_is_named() {
    let root = root_with(&[(CONFIG, UPSTREAM), ("datasets/video/a/000000.mp4", "x")]);
    let entry = &read(root.path(), None).unwrap()[0];
    let folder = dataset_dir(root.path(), Modality::Video, "a");
    let line = ManifestLine {
        file: "000000.mp4".into(),
        recording: "scene/7".into(),
        sha256: "00".into(),
        media_type: "real".into(),
    };
    write_manifest(&folder, &[line]).unwrap();
    let files = media_files(root.path(), Modality::Video, entry).unwrap();
    assert_eq!(files[0].recording, "scene/7");
    fs::write(folder.join(MANIFEST), "{}\n").unwrap();
    let error = media_files(root.path(), Modality::Video, entry).unwrap_err().to_string();
    assert!(error.contains("manifest.jsonl line 1"), "{error}");
}

const PAIR: [&str; 2] =
    ["gasbench_configs/real_videos.yaml", "gasbench_configs/synthetic_videos.yaml"];

#[test]
fn the_pair_of_now_goes_before_the_single_file_real_first_and_a_half_of_it_does_not_count() {
    let synthetic = "datasets:\n  - {name: s, path: o/s, media_type: synthetic}\n";
    let real = "datasets:\n  - {name: r, path: o/r, media_type: real}\n";
    let names = |root: &Path| -> Vec<String> {
        read(root, None).unwrap().into_iter().map(|entry| entry.name).collect()
    };
    let both = root_with(&[(CONFIG, UPSTREAM), (PAIR[0], real), (PAIR[1], synthetic)]);
    assert_eq!(names(both.path()), ["r", "s"]);
    let half = root_with(&[(CONFIG, UPSTREAM), (PAIR[0], real)]);
    assert_eq!(names(half.path()), ["a", "b"]);
    let twice = root_with(&[(PAIR[0], real), (PAIR[1], real)]);
    let error = read(twice.path(), None).unwrap_err().to_string();
    assert!(error.contains("r is there twice"), "{error}");
}

#[test]
fn every_field_of_a_configuration_is_read() {
    let text = "\
datasets:
  - name: openfake-fake
    path: ComplexDataLab/OpenFake
    modality: image
    media_type: synthetic
    source: huggingface
    source_format: parquet
    media_per_archive: 1000
    archives_per_dataset: -1
    include_paths: [core/, data]
    exclude_paths: [test]
    data_columns: [src_img, tgt_img]
    filter_column: label
    filter_value: fake
    generator_family: mixed-generation
    generator_variant: flux-dev
    content_category: diverse
    notes: streamed with row filter
    benchmark_size: 3
";
    let root = root_with(&[(CONFIG, text)]);
    let entry = read(root.path(), None).unwrap().remove(0);
    let words = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect());
    let word = |text: &str| Some(text.to_owned());
    let expected = Entry {
        name: "openfake-fake".into(),
        path: "ComplexDataLab/OpenFake".into(),
        modality: word("image"),
        media_type: word("synthetic"),
        source: word("huggingface"),
        source_format: word("parquet"),
        media_per_archive: Some(1000),
        archives_per_dataset: Some(-1),
        include_paths: words(&["core/", "data"]),
        exclude_paths: words(&["test"]),
        data_columns: words(&["src_img", "tgt_img"]),
        filter_column: word("label"),
        filter_value: Some("fake".into()),
        generator_family: word("mixed-generation"),
        generator_variant: word("flux-dev"),
        content_category: word("diverse"),
        notes: word("streamed with row filter"),
    };
    assert_eq!(entry, expected);
}

#[test]
fn a_name_that_leads_out_of_its_folder_is_refused() {
    for name in ["../x", "a/b", ".hidden", ""] {
        let text = format!("datasets: [{{name: '{name}', path: p, media_type: real}}]");
        let root = root_with(&[(CONFIG, &text)]);
        let error = read(root.path(), None).unwrap_err().to_string();
        assert!(error.contains("cannot be the folder"), "{name}: {error}");
    }
}
