//! Data sets fetched from a real server on this machine.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "support/hub.rs"]
mod hub;
#[path = "support/png.rs"]
mod png;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dfr_contract::modality::Modality;
use dfr_media::catalogue::{self, Entry};
use dfr_media::files;
use dfr_media::hub::HubError;
use dfr_media::hub::client::{Access, Client, Repository, Token};
use dfr_media::hub::listing;
use dfr_media::hub::patience::Patience;
use dfr_media::source::crew::{self, Plan, Watch};
use dfr_media::source::fetch::{FetchError, Order, Outcome, fetch};
use dfr_media::source::store::FetchedLine;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::basic::Compression as Codec;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use hub::{Fault, Hub};
use png::png;

const SET: Repository = Repository::Dataset("o/set");
const QUICK: Patience =
    Patience { tries: 3, first: Duration::from_millis(1), most: Duration::from_millis(5) };

fn client(hub: &Hub) -> Client {
    let token = Some(Token("hf_test".to_owned()));
    Client::new(Access { endpoint: hub.url.clone(), token }, QUICK)
}

fn entry(format: &str) -> Entry {
    Entry {
        name: "set".into(),
        path: "o/set".into(),
        media_type: Some("real".into()),
        source_format: Some(format.into()),
        media_per_archive: Some(-1),
        archives_per_dataset: Some(-1),
        ..Entry::default()
    }
}

fn get(hub: &Hub, root: &Path, entry: &Entry, wanted: usize) -> Outcome {
    fetch(Order { root, modality: Modality::Image, wanted }, entry, &client(hub), &|| ())
}

/// Names and bytes of the samples.
fn samples(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = catalogue::dataset_dir(root, Modality::Image, "set");
    let names = catalogue::media_names(&folder, Modality::Image).unwrap().unwrap_or_default();
    let read = |name: std::ffi::OsString| {
        (name.to_string_lossy().into_owned(), fs::read(folder.join(name)).unwrap())
    };
    names.into_iter().map(read).collect()
}

fn lines(root: &Path) -> Vec<FetchedLine> {
    let folder = catalogue::dataset_dir(root, Modality::Image, "set");
    let text = fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn raw(count: u32) -> Hub {
    let hub = Hub::start();
    for n in 0..count {
        hub.put("o/set", &format!("data/part {}/{n:05}.png", n / 10), &png(n));
    }
    hub.put("o/set", "README.md", b"# no sample");
    hub
}

/// Puts 4 archives of 150 pictures each, of `kind`.
fn archived(extension: &str, pack: impl Fn(&[(String, Vec<u8>)]) -> Vec<u8>) -> Hub {
    let hub = Hub::start();
    for shard in 0..4 {
        let members: Vec<(String, Vec<u8>)> = (0..150)
            .map(|n| (format!("images/{n:04}.png"), png(shard * 1000 + n)))
            .chain([("images/notes.txt".to_owned(), b"notes".to_vec())])
            .collect();
        hub.put("o/set", &format!("data-{shard}.{extension}"), &pack(&members));
    }
    hub
}

fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // A name too long for a header has one of its own.
        let name = format!("{}/{name}", "long".repeat(30));
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// A table as Hugging Face writes it: pictures as `image {bytes, path}`, a label, and an image_id.
fn table(seed: u32, groups: u32, rows: u32) -> Vec<u8> {
    table_of("label", (seed, groups, rows))
}

/// The same with another name for the label.
fn table_of(label: &str, (seed, groups, rows): (u32, u32, u32)) -> Vec<u8> {
    let schema = format!(
        "message m {{
        required int64 image_id;
        optional group image {{ optional binary bytes; optional binary path (UTF8); }}
        optional binary {label} (UTF8);
    }}"
    );
    // Small pages, so that a choice of rows is a choice of pages.
    let properties = WriterProperties::builder()
        .set_compression(Codec::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(8 << 10)
        .set_write_batch_size(1)
        .build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for group in 0..groups {
        let id = |row: u32| seed + group * rows + row;
        let mut row_group = writer.next_row_group().unwrap();
        let mut column = row_group.next_column().unwrap().unwrap();
        let ids: Vec<i64> = (0..rows).map(|row| i64::from(id(row))).collect();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let pictures = (0..rows).map(|row| ByteArray::from(png(id(row)))).collect();
        let paths = (0..rows).map(|row| ByteArray::from(format!("{row}.png").as_str())).collect();
        // Of each three rows one is real; one row has no label.
        let label = |row: u32| ByteArray::from(if id(row) % 3 == 0 { "real" } else { "fake" });
        let labels = (1..rows).map(label).collect();
        let columns: [(Vec<ByteArray>, i16); 3] = [(pictures, 2), (paths, 2), (labels, 1)];
        for (values, level) in columns {
            let mut column = row_group.next_column().unwrap().unwrap();
            let mut levels = vec![level; values.len()];
            if values.len() < rows as usize {
                levels.insert(0, 0);
            }
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        row_group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn a_listing_has_all_pages_and_the_token_goes_to_the_hub() {
    let hub = raw(30);
    let listing = listing::list(&client(&hub), SET).unwrap();
    assert_eq!(listing.files.len(), 31);
    assert_eq!(listing.files[12].path, "data/part 1/00012.png");
    assert_eq!(listing.files[12].size, png(12).len() as u64);
    let requests = hub.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|r| r.authorization.as_deref() == Some("Bearer hf_test")));
    hub.put_text("/elsewhere", "x");
    let elsewhere = hub.url.replace("127.0.0.1", "localhost");
    client(&hub).text(&format!("{elsewhere}/elsewhere")).unwrap();
    assert_eq!(hub.requests()[0].authorization, None, "another host is told nothing");
}

#[test]
fn a_file_that_lies_elsewhere_is_fetched_there_and_the_token_stays_here() {
    let (hub, storage) = (raw(3), raw(3));
    hub.redirect("/resolve/", &storage.url.replace("127.0.0.1", "localhost"));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(get(&hub, root.path(), &entry("png"), 3).have, 3);
    let told = |hub: &Hub| {
        let requests = hub.requests().into_iter().filter(|r| r.path.contains("/resolve/"));
        requests.map(|r| (r.authorization.is_some(), r.range.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(told(&hub), [(true, true); 3]);
    assert_eq!(told(&storage), [(false, true); 3]);
}

#[test]
fn each_refusal_has_its_kind_and_only_what_may_pass_is_asked_again() {
    let hub = raw(1);
    let url = client(&hub).tree_url(SET);
    let fails = |status, retry| {
        hub.fail_always("/api/", Fault::Status(status, retry));
        let error = client(&hub).text(&url).unwrap_err();
        (error, hub.requests().len())
    };
    assert!(matches!(fails(401, None), (HubError::Gated { .. }, 1)));
    assert!(matches!(fails(403, None), (HubError::Gated { .. }, 1)));
    assert!(matches!(fails(404, None), (HubError::Missing { .. }, 1)));
    assert!(matches!(fails(429, Some(0)), (HubError::RateLimited { .. }, 3)));
    assert!(
        matches!(fails(429, Some(3600)), (HubError::RateLimited { .. }, 1)),
        "nobody waits an hour"
    );
    assert!(matches!(fails(503, None), (HubError::Server { .. }, 3)));
    assert!(matches!(fails(418, None), (HubError::Refused { .. }, 1)));
    hub.heal();
    hub.fail("/api/", &[Fault::Status(429, Some(0)), Fault::Status(500, None)]);
    client(&hub).text(&url).unwrap();
    let nobody = Access { endpoint: "http://127.0.0.1:9".into(), token: None };
    let error = Client::new(nobody, QUICK).text("http://127.0.0.1:9/x").unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn after_a_cut_only_the_rest_is_asked_for() {
    let hub = Hub::start();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    hub.put("o/set", "big.bin", &bytes);
    let url = client(&hub).file_url(SET, "big.bin");
    // More cuts than tries: each connection brings something.
    hub.fail("big.bin", &[Fault::Cut(70_000); 4]);
    assert_eq!(client(&hub).range(&url, 10, 299_000).unwrap(), bytes[10..299_010]);
    let starts: Vec<u64> = hub.requests().iter().map(|r| r.range.unwrap().0).collect();
    assert_eq!(starts, [10, 70_010, 140_010, 210_010, 280_010]);
    assert_eq!(hub.sent(), 299_000, "nothing came twice");
    hub.fail_always("big.bin", Fault::Cut(0));
    let error = client(&hub).range(&url, 0, 1000).unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn raw_files_are_kept_byte_for_byte_spread_over_the_repository_and_no_more_than_needed() {
    let hub = raw(200);
    let root = tempfile::tempdir().unwrap();
    let outcome = get(&hub, root.path(), &entry("png"), 20);
    assert!(outcome.failure.is_none(), "{outcome:?}");
    assert_eq!((outcome.have, outcome.added), (20, 20));
    let (samples, lines) = (samples(root.path()), lines(root.path()));
    assert!(samples.contains_key("000000.png") && samples.contains_key("000019.png"));
    let parts: std::collections::BTreeSet<&str> =
        lines.iter().map(|l| l.source_file.split('/').nth(1).unwrap()).collect();
    assert!(parts.len() >= 8, "from all over the repository: {parts:?}");
    for FetchedLine { line, source_file, .. } in &lines {
        let n: u32 = source_file[source_file.len() - 9..][..5].parse().unwrap();
        assert_eq!(samples[&line.file], png(n), "{source_file}");
        assert_eq!(line.sha256, files::sha256_of(&png(n)));
    }
    let files = hub.requests().iter().filter(|r| r.path.contains("/resolve/")).count();
    assert_eq!(files, 20);
    assert!(outcome.bytes > 0);
}

/// What is chosen first stays when more is asked for, whichever way it was asked.
fn keeps_its_prefix(hub: &Hub, entry: &Entry) {
    let [small, large] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let outcome = get(hub, small.path(), entry, 130);
    assert!(outcome.failure.is_none() && outcome.problems.is_empty(), "{outcome:?}");
    let first = samples(small.path());
    assert_eq!(first.len(), 130);
    assert_eq!(get(hub, large.path(), entry, 310).have, 310);
    let all = samples(large.path());
    assert!(first.iter().all(|(name, bytes)| all[name] == *bytes), "a prefix");
    let again = get(hub, small.path(), entry, 310);
    assert_eq!((again.have, again.added), (310, 180), "a top-up adds");
    assert_eq!(samples(small.path()), all);
    let from: std::collections::BTreeSet<String> =
        lines(large.path()).into_iter().map(|line| line.source_file).collect();
    assert_eq!(from.len(), 4, "all archives gave some");
    hub.requests();
    assert_eq!(get(hub, small.path(), entry, 310).added, 0);
    assert!(hub.requests().is_empty(), "what is complete needs no network");
}

#[test]
fn a_choice_out_of_raw_files_keeps_its_prefix() {
    let hub = Hub::start();
    for n in 0..400 {
        hub.put("o/set", &format!("{}/{n}.png", n % 4), &png(n));
    }
    let [small, large] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    get(&hub, small.path(), &entry("png"), 30);
    // Whatever arrives first.
    hub.fail("/resolve/", &[Fault::Slow(200), Fault::Slow(0), Fault::Slow(100)]);
    get(&hub, large.path(), &entry("png"), 90);
    let (first, all) = (samples(small.path()), samples(large.path()));
    assert_eq!((first.len(), all.len()), (30, 90));
    assert!(first.iter().all(|(name, bytes)| all[name] == *bytes));
    get(&hub, small.path(), &entry("png"), 90);
    assert_eq!(samples(small.path()), all);
}

#[test]
fn a_choice_out_of_zips_keeps_its_prefix() {
    keeps_its_prefix(&archived("zip", zipped), &entry("zip"));
}

#[test]
fn a_choice_out_of_tars_keeps_its_prefix() {
    keeps_its_prefix(&archived("tar", tarred), &entry("tar"));
}

#[test]
fn a_choice_out_of_compressed_tars_keeps_its_prefix() {
    keeps_its_prefix(&archived("tar.gz", |members| gzipped(&tarred(members))), &entry("tar.gz"));
}

#[test]
fn a_choice_out_of_tables_keeps_its_prefix() {
    let hub = Hub::start();
    for shard in 0..4 {
        hub.put("o/set", &format!("data/{shard}.parquet"), &table(shard * 1000, 5, 30));
    }
    keeps_its_prefix(&hub, &entry("parquet"));
}

#[test]
fn of_a_zip_only_its_index_and_the_chosen_members_are_fetched() {
    let hub = Hub::start();
    let big = |n: u32| [png(n), vec![n as u8; 300_000].iter().map(|b| b ^ 0x5a).collect()].concat();
    let members: Vec<(String, Vec<u8>)> = (0..60)
        .map(|n| {
            let noise: Vec<u8> = png(n)
                .iter()
                .cycle()
                .take(200_000)
                .enumerate()
                .map(|(i, b)| b.wrapping_mul((i % 255) as u8 | 1))
                .collect();
            (format!("{n}.png"), [big(n), noise].concat())
        })
        .collect();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in &members {
        writer.start_file(name.as_str(), stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    let archive = writer.finish().unwrap().into_inner();
    hub.put("o/set", "all.zip", &archive);
    let root = tempfile::tempdir().unwrap();
    assert_eq!(get(&hub, root.path(), &entry("zip"), 5).have, 5);
    let kept: usize = samples(root.path()).values().map(Vec::len).sum();
    let sent = hub.sent() as usize;
    assert!(sent < kept + (256 << 10), "{sent} bytes for {kept} of {}", archive.len());
}

#[test]
fn rows_of_one_speaker_are_one_recording() {
    let hub = Hub::start();
    hub.put("o/set", "data.parquet", &table_of("Speaker", (0, 2, 9)));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(get(&hub, root.path(), &entry("parquet"), 100).have, 18);
    let recordings: Vec<String> =
        lines(root.path()).into_iter().map(|line| line.line.recording).collect();
    let of = |word: &str| recordings.iter().filter(|name| name.contains(word)).count();
    // One row of each group has none, and is a recording of its own.
    assert_eq!((of("#speaker "), of("#group ")), (16, 2), "{recordings:?}");
    assert_eq!(recordings.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn of_a_table_only_the_pages_of_chosen_rows_are_fetched() {
    let hub = Hub::start();
    let bytes = table(0, 20, 400);
    hub.put("o/set", "data.parquet", &bytes);
    let root = tempfile::tempdir().unwrap();
    assert_eq!(get(&hub, root.path(), &entry("parquet"), 20).have, 20);
    let sent = hub.sent() as usize;
    assert!(sent * 10 < bytes.len(), "{sent} of {}", bytes.len());
}

#[test]
fn a_stream_ends_when_there_is_enough() {
    for compressed in [false, true] {
        let hub = Hub::start();
        let members: Vec<(String, Vec<u8>)> =
            (0..3000).map(|n| (format!("{n}.png"), png(n))).collect();
        let tar = tarred(&members);
        let archive = if compressed { gzipped(&tar) } else { tar };
        let name = if compressed { "all.tgz" } else { "all.tar" };
        hub.put("o/set", name, &archive);
        let root = tempfile::tempdir().unwrap();
        assert_eq!(get(&hub, root.path(), &entry("tar"), 30).have, 30);
        let sent = hub.sent() as usize;
        assert!(sent < 300_000 && archive.len() > 5_000_000, "{sent} of {}", archive.len());
    }
}

#[test]
fn rows_are_filtered_and_named_columns_taken() {
    let hub = Hub::start();
    hub.put("o/set", "data.parquet", &table(0, 3, 40));
    let filtered = |value: &str| Entry {
        filter_column: Some("label".into()),
        filter_value: Some(value.into()),
        ..entry("parquet")
    };
    let root = tempfile::tempdir().unwrap();
    let outcome = get(&hub, root.path(), &filtered("real"), 500);
    assert!(outcome.failure.is_none(), "{outcome:?}");
    let real: Vec<Vec<u8>> = (0..120).filter(|id| id % 3 == 0 && id % 40 != 0).map(png).collect();
    let found: Vec<Vec<u8>> = samples(root.path()).into_values().collect();
    assert_eq!(found.len(), real.len());
    assert!(found.iter().all(|bytes| real.contains(bytes)), "only real rows");
    let none = tempfile::tempdir().unwrap();
    let outcome = get(&hub, none.path(), &filtered("other"), 500);
    assert!(matches!(outcome.failure, Some(FetchError::Nothing)), "{outcome:?}");
    let missing = Entry { data_columns: Some(vec!["picture".into()]), ..entry("parquet") };
    let outcome = get(&hub, none.path(), &missing, 5);
    assert!(outcome.problems[0].contains("no column picture; there are image_id, image, label"));
}

#[test]
fn limits_of_the_configuration_hold() {
    let hub = archived("zip", zipped);
    let root = tempfile::tempdir().unwrap();
    let limited =
        Entry { media_per_archive: Some(7), archives_per_dataset: Some(2), ..entry("zip") };
    let outcome = get(&hub, root.path(), &limited, 500);
    assert_eq!(outcome.have, 14, "{outcome:?}");
    let mut counts = BTreeMap::new();
    for line in lines(root.path()) {
        *counts.entry(line.source_file).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [7, 7]);
}

#[test]
fn what_is_wrong_is_named_and_left_out_and_the_rest_is_kept() {
    let hub = raw(10);
    let wrong = Some("0".repeat(64));
    hub.put_with_hash("o/set", "data/wrong.png", &png(500), wrong);
    hub.put_with_hash("o/set", "data/right.png", &png(501), Some(files::sha256_of(&png(501))));
    hub.put("o/set", "data/empty.png", b"");
    hub.put("o/set", "data/page.png", b"<!DOCTYPE html><html>sign in</html>");
    hub.put("o/set", "data/twin.png", &png(3));
    hub.fail_always("00004.png", Fault::Status(404, None));
    // Garbled once on the way: the second time it is right.
    hub.fail("right.png", &[Fault::Garbled]);
    let root = tempfile::tempdir().unwrap();
    let outcome = get(&hub, root.path(), &entry("png"), 500);
    assert_eq!(outcome.have, 10, "{outcome:?}");
    assert!(outcome.failure.is_none());
    for word in ["wrong.png: ", "listing says", "empty.png: ", "page.png: it is text/html", "(404)"]
    {
        assert!(outcome.problems.iter().any(|p| p.contains(word)), "{word}: {outcome:?}");
    }
    hub.heal();
    assert_eq!(get(&hub, root.path(), &entry("png"), 500).added, 1, "what failed is tried again");
}

#[test]
fn a_broken_archive_is_named_and_the_others_give_what_is_wanted() {
    let hub = archived("zip", zipped);
    hub.put("o/set", "broken.zip", &[7; 5000]);
    let root = tempfile::tempdir().unwrap();
    let outcome = get(&hub, root.path(), &entry("zip"), 600);
    assert_eq!(outcome.have, 600);
    assert!(outcome.problems[0].starts_with("broken.zip: "), "{outcome:?}");
}

#[test]
fn no_sample_is_a_failure_with_its_reason_and_is_tried_again() {
    let hub = raw(10);
    let root = tempfile::tempdir().unwrap();
    let folder = catalogue::dataset_dir(root.path(), Modality::Image, "set");
    hub.fail_always("/api/", Fault::Status(401, None));
    let outcome = get(&hub, root.path(), &entry("png"), 5);
    let reason = outcome.failure.unwrap().to_string();
    assert!(reason.contains("HF_TOKEN") && outcome.have == 0, "{reason}");
    assert!(!folder.join(".download_complete").exists());
    // The original's mark over an empty folder.
    fs::write(folder.join(".download_complete"), "").unwrap();
    hub.heal();
    assert_eq!(get(&hub, root.path(), &entry("png"), 5).have, 5);
    assert!(folder.join(".download_complete").exists());
    let frames = get(&hub, tempfile::tempdir().unwrap().path(), &entry("frames"), 5);
    assert!(frames.failure.unwrap().to_string().contains("\"frames\" is not supported"));
    let s3 = Entry { source: Some("s3".into()), ..entry("png") };
    let s3 = get(&hub, tempfile::tempdir().unwrap().path(), &s3, 5);
    assert!(s3.failure.unwrap().to_string().contains("only huggingface"));
}

#[test]
fn what_the_original_marked_as_complete_is_used_as_it_is() {
    let hub = raw(10);
    let root = tempfile::tempdir().unwrap();
    let folder = catalogue::dataset_dir(root.path(), Modality::Image, "set");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("000000.png"), png(77)).unwrap();
    fs::write(folder.join(".download_complete"), "").unwrap();
    let outcome = get(&hub, root.path(), &entry("png"), 5);
    assert_eq!((outcome.have, outcome.added), (1, 0));
    assert!(hub.requests().is_empty());
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".download_complete", "000000.png"]);
    // What it did not finish is added to; what is there by its bytes is not fetched twice.
    fs::remove_file(folder.join(".download_complete")).unwrap();
    fs::write(folder.join("000000.png"), png(3)).unwrap();
    assert_eq!(get(&hub, root.path(), &entry("png"), 500).have, 10);
    assert_eq!(samples(root.path())["000000.png"], png(3));
}

#[test]
fn a_run_that_was_ended_anywhere_is_gone_on_with() {
    let hub = raw(40);
    let [whole, torn] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    get(&hub, whole.path(), &entry("png"), 20);
    get(&hub, torn.path(), &entry("png"), 12);
    let folder = catalogue::dataset_dir(torn.path(), Modality::Image, "set");
    // Ended between the line and the name of the last, while the one after it was written.
    fs::rename(folder.join("000011.png"), folder.join(".000011.png.partial")).unwrap();
    fs::write(folder.join(".000012.png.partial"), b"\x89PNG").unwrap();
    let mut manifest =
        fs::OpenOptions::new().append(true).open(folder.join("manifest.jsonl")).unwrap();
    manifest.write_all(b"{\"file\":\"0000").unwrap();
    fs::remove_file(folder.join(".download_complete")).unwrap();
    assert_eq!(get(&hub, torn.path(), &entry("png"), 20).have, 20);
    assert_eq!(samples(torn.path()), samples(whole.path()));
    assert_eq!(lines(torn.path()), lines(whole.path()));
    let hidden = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(hidden.into_iter().all(|name| !name.to_string_lossy().ends_with(".partial")));
}

#[test]
fn a_data_set_of_ones_own_is_never_asked_for() {
    let hub = raw(10);
    let root = tempfile::tempdir().unwrap();
    let own = Entry { path: "local/set".into(), ..entry("png") };
    let outcome = get(&hub, root.path(), &own, 5);
    assert!(outcome.failure.unwrap().to_string().contains("datasets/image/set"));
    let folder = catalogue::dataset_dir(root.path(), Modality::Image, "set");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("holiday.png"), png(1)).unwrap();
    let outcome = get(&hub, root.path(), &own, 5);
    assert!(outcome.failure.is_none() && outcome.have == 1);
    assert!(hub.requests().is_empty());
}

struct Silent;

impl Watch for Silent {
    fn begin(&self, _: &str) {}
    fn advance(&self, _: &str) {}
    fn end(&self, _: &Outcome) {}
}

#[test]
fn a_byte_budget_holds_and_reaches_both_classes() {
    let hub = Hub::start();
    let mut entries = Vec::new();
    for set in 0..4 {
        let path = format!("o/{set}");
        for n in 0..60 {
            hub.put(&path, &format!("{n}.png"), &png(set * 100 + n));
        }
        let media_type = Some(if set < 2 { "real" } else { "synthetic" }.to_owned());
        entries.push(Entry { name: path.replace('/', "-"), path, media_type, ..entry("png") });
    }
    let root = tempfile::tempdir().unwrap();
    let bytes = 120_000;
    let modality = Modality::Image;
    let plan = Plan { root: root.path(), modality, wanted: 60, workers: 2, bytes };
    let outcomes = crew::fetch(&plan, &entries, &client(&hub), &Silent).unwrap();
    let spent = hub.sent();
    assert!(spent <= bytes + 4 * 2 * 8 * 1024, "{spent} with listings");
    for outcome in &outcomes {
        assert!(outcome.have > 5 && outcome.have < 60, "{outcome:?}");
        assert!(matches!(outcome.failure, Some(FetchError::Hub(HubError::Budget))));
    }
    let again = Plan { bytes: u64::MAX, ..plan };
    let outcomes = crew::fetch(&again, &entries, &client(&hub), &Silent).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.have == 60 && outcome.failure.is_none()));
}
