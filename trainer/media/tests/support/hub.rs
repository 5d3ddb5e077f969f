//! A hub on this machine: listings in pages, ranges of files, and every way to fail. It counts what it
//! sends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How an answer goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Another status, with the seconds of a Retry-After.
    Status(u16, Option<u64>),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The first byte of the body is another one.
    Garbled,
    /// So many milliseconds before the body.
    Slow(u64),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub range: Option<(u64, u64)>,
    pub authorization: Option<String>,
}

/// Path, bytes, SHA-256 of the listing.
type Stored = (String, Vec<u8>, Option<String>);

#[derive(Default)]
struct State {
    /// Files by repository, in the order of its listing.
    repositories: BTreeMap<String, Vec<Stored>>,
    /// Where paths that contain a word are sent on to.
    redirects: HashMap<String, String>,
    /// Other texts by path.
    texts: HashMap<String, String>,
    /// What goes wrong with the next requests whose path contains a word.
    faults: HashMap<String, VecDeque<Fault>>,
    /// What goes wrong with every such request.
    always: HashMap<String, Fault>,
    requests: Vec<Request>,
}

pub struct Hub {
    pub url: String,
    state: Arc<Mutex<State>>,
    sent: Arc<AtomicU64>,
}

/// Files on one page of a listing.
const PAGE: usize = 7;

impl Hub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, sent) = (Arc::<Mutex<State>>::default(), Arc::<AtomicU64>::default());
        let (seen, count) = (Arc::clone(&state), Arc::clone(&sent));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, count) = (Arc::clone(&seen), Arc::clone(&count));
                thread::spawn(move || answer(&stream.unwrap(), &seen, &count));
            }
        });
        Self { url, state, sent }
    }

    pub fn put(&self, repository: &str, path: &str, bytes: &[u8]) {
        self.put_with_hash(repository, path, bytes, None);
    }

    pub fn put_with_hash(
        &self,
        repository: &str,
        path: &str,
        bytes: &[u8],
        sha256: Option<String>,
    ) {
        let mut state = self.state.lock().unwrap();
        let files = state.repositories.entry(repository.to_owned()).or_default();
        files.push((path.to_owned(), bytes.to_vec(), sha256));
    }

    pub fn put_text(&self, path: &str, text: &str) {
        self.state.lock().unwrap().texts.insert(path.to_owned(), text.to_owned());
    }

    /// Paths that contain `word` are sent on to another place.
    pub fn redirect(&self, word: &str, to: &str) {
        self.state.lock().unwrap().redirects.insert(word.to_owned(), to.to_owned());
    }

    /// The next requests whose path contains `word` go wrong, one after the other.
    pub fn fail(&self, word: &str, faults: &[Fault]) {
        let mut state = self.state.lock().unwrap();
        state.faults.insert(word.to_owned(), faults.iter().copied().collect());
    }

    /// All of them do.
    pub fn fail_always(&self, word: &str, fault: Fault) {
        self.state.lock().unwrap().always.insert(word.to_owned(), fault);
    }

    pub fn heal(&self) {
        let mut state = self.state.lock().unwrap();
        state.faults.clear();
        state.always.clear();
    }

    /// Bytes of bodies that were sent since it was asked last.
    pub fn sent(&self) -> u64 {
        self.sent.swap(0, Ordering::SeqCst)
    }

    /// Requests since it was asked last.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>, sent: &AtomicU64) -> Option<()> {
    let request = read(stream)?;
    let (response, fault) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        let fault = fault(&mut state, &request.path);
        (respond(&state, &request), fault)
    };
    let (mut status, mut headers, mut body) = response;
    let mut length = body.len();
    match fault {
        Some(Fault::Status(other, retry)) => {
            (status, body, length) = (other, Vec::new(), 0);
            headers =
                retry.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        }
        Some(Fault::Cut(bytes)) => body.truncate(bytes),
        Some(Fault::Garbled) => body[0] ^= 0xff,
        Some(Fault::Slow(milliseconds)) => thread::sleep(Duration::from_millis(milliseconds)),
        None => length = body.len(),
    }
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    for piece in body.chunks(16 << 10) {
        stream.write_all(piece).ok()?;
        sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
    }
    Some(())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut range, mut authorization) = (None, None);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "range" => {
                let (start, end) = value.strip_prefix("bytes=")?.split_once('-')?;
                range = Some((start.parse().ok()?, end.parse().ok()?));
            }
            "authorization" => authorization = Some(value.to_owned()),
            _ => (),
        }
    }
    Some(Request { path, range, authorization })
}

fn fault(state: &mut State, path: &str) -> Option<Fault> {
    let next =
        state.faults.iter_mut().find(|(word, faults)| path.contains(*word) && !faults.is_empty());
    if let Some((_, faults)) = next {
        return faults.pop_front();
    }
    state.always.iter().find(|(word, _)| path.contains(*word)).map(|(_, fault)| *fault)
}

fn respond(state: &State, request: &Request) -> (u16, String, Vec<u8>) {
    let missing = (404, String::new(), b"not found".to_vec());
    let path = request.path.replace("%20", " ");
    if let Some((_, to)) = state.redirects.iter().find(|(word, _)| path.contains(*word)) {
        return (302, format!("location: {to}{}\r\n", request.path), Vec::new());
    }
    if let Some(text) = state.texts.get(&path) {
        return (200, String::new(), text.clone().into_bytes());
    }
    let api = ["/api/datasets/", "/api/models/"];
    if let Some(rest) = api.iter().find_map(|api| path.strip_prefix(api)) {
        let Some((repository, query)) = rest.split_once("/tree/main") else { return missing };
        let Some(files) = state.repositories.get(repository) else { return missing };
        let from = query.split_once("cursor=").map_or(0, |(_, at)| at.parse().unwrap());
        return listing(repository, files, from);
    }
    let place = path.strip_prefix("/datasets/").or_else(|| path.strip_prefix('/'));
    let Some((repository, file)) = place.and_then(|place| place.split_once("/resolve/main/"))
    else {
        return missing;
    };
    let files = state.repositories.get(repository);
    let Some((_, bytes, _)) = files.and_then(|files| files.iter().find(|(path, ..)| path == file))
    else {
        return missing;
    };
    match request.range {
        Some((start, end)) if (end as usize) < bytes.len() => {
            (206, String::new(), bytes[start as usize..=end as usize].to_vec())
        }
        Some(_) => (416, String::new(), Vec::new()),
        None => (200, String::new(), bytes.clone()),
    }
}

fn listing(repository: &str, files: &[Stored], from: usize) -> (u16, String, Vec<u8>) {
    let item = |(path, bytes, sha256): &Stored| {
        let lfs = sha256.as_ref().map_or_else(String::new, |oid| {
            format!(r#","lfs":{{"oid":"{oid}","size":{},"pointerSize":134}}"#, bytes.len())
        });
        format!(r#"{{"type":"file","oid":"0","size":{},"path":"{path}"{lfs}}}"#, bytes.len())
    };
    let mut items = vec![r#"{"type":"directory","oid":"0","size":0,"path":"data"}"#.to_owned()];
    items.extend(files.iter().skip(from).take(PAGE).map(item));
    let next = from + PAGE;
    // As the hub: the whole address, of the hub itself.
    let link = format!(
        "link: <https://huggingface.co/api/datasets/{repository}/tree/main?recursive=true&cursor={next}>; rel=\"next\"\r\n"
    );
    let link = if next < files.len() { link } else { String::new() };
    (200, link, format!("[{}]", items.join(",")).into_bytes())
}
