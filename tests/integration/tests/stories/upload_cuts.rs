//! Uploads that break off: the client's connection is cut at a random byte, the client dies, the server dies. An area shows one
//! revision whole, the old one or the new one; what was acknowledged stays; the next try goes on where the last one stopped.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headend_integration::{Client, Lab, eventually, lab};
use headend_wire::files::{
    CommitAnswer, CommitRequest, FileList, MissingAnswer, MissingRequest, PutItem, UploadAnswer,
};
use reqwest::{Method, StatusCode};

use super::upload_proxy::Proxy;

/// Cuts of the connection, kills of the client and of the server.
const CUTS: usize = 1_000;
const CLIENT_KILLS: usize = 40;
const SERVER_KILLS: usize = 36;

/// The files of a revision: two that go in a pack, and one that goes in parts.
const FILES: [(&str, usize); 3] = [("suite/a.py", 700), ("suite/b.py", 5_000), ("suite/images/c.bmp", 90_000)];

/// Numbers without a pattern, the same in each life of a test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A file of a revision. Every byte depends on both.
fn bytes(path: &str, size: usize, revision: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(format!("{path} {revision}").as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

struct Revision {
    files: Vec<(PutItem, Vec<u8>)>,
}

impl Revision {
    fn new(revision: u64) -> Self {
        let file = |(path, size): (&str, usize)| {
            let bytes = bytes(path, size, revision);
            let hash = blake3::hash(&bytes).to_hex().to_string();
            (PutItem { path: path.to_owned(), hash, size: size as u64, edited: None }, bytes)
        };
        Self { files: FILES.into_iter().map(file).collect() }
    }

    fn put(&self) -> Vec<PutItem> {
        self.files.iter().map(|(item, _)| item.clone()).collect()
    }
}

/// Why an upload has not come to its end.
#[derive(Debug)]
enum Stopped {
    /// The connection was.
    Cut,
    /// The server still has the former request, or has forgotten what it was sent.
    Again,
}

/// One try; `resumed` counts those that begin in the middle of a file. Gives the number of the new revision.
async fn upload(client: &Client, revision: &Revision, resumed: &AtomicU64) -> Result<u64, Stopped> {
    let put = revision.put();
    let ask =
        MissingRequest { hashes: put.iter().map(|item| item.hash.clone()).collect(), ..MissingRequest::default() };
    let missing: MissingAnswer =
        tried(client, client.request(Method::POST, "/files/public/missing").json(&ask)).await?;
    let lacking = |item: &PutItem| missing.missing.contains(&item.hash);
    let mut pack = Vec::new();
    for (item, bytes) in revision.files.iter().filter(|(item, _)| item.size < 10_000 && lacking(item)) {
        pack.extend_from_slice(format!("{} {}\n", item.hash, item.size).as_bytes());
        pack.extend_from_slice(bytes);
    }
    if !pack.is_empty() {
        let request = client.request(Method::POST, "/blobs").header("content-type", "application/x-headend-pack");
        tried::<serde_json::Value>(client, request.body(pack)).await?;
    }
    for (item, bytes) in revision.files.iter().filter(|(item, _)| item.size >= 10_000 && lacking(item)) {
        let path = format!("/uploads/{}?size={}", item.hash, item.size);
        let have: UploadAnswer = tried(client, client.request(Method::GET, &path)).await?;
        resumed.fetch_add(u64::from(have.received > 0), Ordering::Relaxed);
        let rest = bytes[usize::try_from(have.received).unwrap()..].to_vec();
        let request = client.request(Method::PUT, &format!("{path}&offset={}", have.received)).body(rest);
        let done: UploadAnswer = tried(client, request).await?;
        assert!(done.complete && done.received == item.size, "{done:?}");
    }
    let request = client.request(Method::POST, "/files/public/commit").json(&CommitRequest { put, delete: Vec::new() });
    tried::<CommitAnswer>(client, request).await.map(|answer| answer.revision)
}

async fn tried<T: serde::de::DeserializeOwned>(
    client: &Client,
    request: reqwest::RequestBuilder,
) -> Result<T, Stopped> {
    let Ok(answer) = client.send(request).await else { return Err(Stopped::Cut) };
    match answer.status {
        StatusCode::OK => Ok(answer.json()),
        _ if ["conflict", "missing_blobs", "unavailable"].contains(&answer.problem().code.as_str()) => {
            Err(Stopped::Again)
        }
        // A server that still reads says so on what is left of the connection.
        StatusCode::REQUEST_TIMEOUT => Err(Stopped::Cut),
        _ => panic!("{}: {}", answer.status, answer.text()),
    }
}

/// Which revision the area shows. All of its files are of that one, and their bytes are whole.
async fn shown(client: &Client) -> u64 {
    let list: FileList = client.get("/files/public").await.json();
    if list.revision == 0 {
        assert!(list.files.is_empty(), "{list:?}");
        return 0;
    }
    assert_eq!(list.files.len(), FILES.len(), "{list:?}");
    for (file, (path, size)) in list.files.iter().zip(FILES) {
        let wanted = bytes(path, size, list.revision);
        assert_eq!((file.path.as_str(), file.size), (path, size as u64));
        assert_eq!(
            file.hash,
            blake3::hash(&wanted).to_hex().as_str(),
            "{path} is not that of revision {}",
            list.revision
        );
        let answer = client.get(&format!("/blobs/{}", file.hash)).await;
        // A newer revision may have come meanwhile; its files are looked at the next time.
        assert!(answer.status == StatusCode::NOT_FOUND || answer.body == wanted, "{path} is not whole");
    }
    list.revision
}

/// Looks at the area all the time until told to stop: it never shows a mixture, and never goes back.
async fn look(client: Client, stop: Arc<AtomicBool>) -> u64 {
    let (mut last, mut looks) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let now = shown(&client).await;
        assert!(now >= last, "revision {now} after {last}");
        (last, looks) = (now, looks + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    looks
}

/// No half of an upload is left on the server's disk.
async fn nothing_left(lab: &Lab) {
    for folder in ["tmp", "parts"] {
        let root = lab.server_data().join("blobs").join(folder);
        eventually(&format!("{folder} to be empty"), || {
            let left = walk(&root);
            std::future::ready((left == 0).then_some(()))
        })
        .await;
    }
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cut_connections_leave_whole_revisions_alone() {
    let lab = Lab::start(1).await;
    let proxy = Proxy::start(lab.port).await;
    let client = Client::new(&proxy.base(), lab.client.token());
    let stop = Arc::new(AtomicBool::new(false));
    let looker = tokio::spawn(look(lab.client.clone(), stop.clone()));
    let (mut dice, resumed) = (Dice(0x5eed_0001), AtomicU64::new(0));
    // What one whole upload sends and gets, with heads and answers: counted at the first one.
    proxy.arm(u64::MAX);
    assert_eq!(upload(&client, &Revision::new(1), &resumed).await.unwrap(), 1);
    let whole = proxy.passed();
    let (mut acknowledged, mut cuts, mut again) = (1, 0, 0);
    while cuts < CUTS {
        let next = Revision::new(acknowledged + 1);
        let room = dice.below(whole + whole / 8);
        proxy.arm(room);
        let done = upload(&client, &next, &resumed).await;
        cuts += usize::from(proxy.has_cut());
        match done {
            Ok(revision) => {
                assert_eq!(revision, acknowledged + 1);
                acknowledged = revision;
            }
            Err(Stopped::Cut) => {}
            Err(Stopped::Again) => again += 1,
        }
        if cuts % 50 == 0 {
            let now = shown(&lab.client).await;
            assert!(now == acknowledged || now == acknowledged + 1, "{now} is shown, {acknowledged} was acknowledged");
        }
    }
    proxy.arm(u64::MAX);
    let last = Revision::new(acknowledged + 1);
    eventually("the last upload", || async { upload(&client, &last, &resumed).await.ok() }).await;
    assert_eq!(shown(&lab.client).await, acknowledged + 1, "{}", lab.logs());
    stop.store(true, Ordering::Relaxed);
    let looks = looker.await.unwrap();
    let resumed = resumed.into_inner();
    println!(
        "{cuts} cuts, {acknowledged} revisions, {resumed} went on in the middle, {again} tries too early, {looks} looks"
    );
    assert!(looks > 20 && resumed > 50, "{looks} looks, {resumed} went on");
    nothing_left(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_amid_uploads_shows_whole_revisions_alone() {
    let mut lab = Lab::start(1).await;
    let (mut dice, resumed) = (Dice(0x5eed_0002), Arc::new(AtomicU64::new(0)));
    let mut took = Duration::from_millis(40);
    let mut acknowledged = 0;
    for _ in 0..SERVER_KILLS {
        let (client, counter) = (lab.client.clone(), resumed.clone());
        // Uploads follow each other until the server is gone.
        let uploads = tokio::spawn(async move {
            let mut newest = acknowledged;
            loop {
                let (began, next) = (Instant::now(), Revision::new(newest + 1));
                match upload(&client, &next, &counter).await {
                    Ok(revision) => {
                        assert_eq!(revision, newest + 1);
                        newest = revision;
                    }
                    Err(Stopped::Again) => {}
                    Err(Stopped::Cut) => return (newest, began.elapsed()),
                }
            }
        });
        let longest = u64::try_from(took.as_micros()).unwrap() * 3;
        tokio::time::sleep(Duration::from_micros(dice.below(longest.max(1)))).await;
        lab.server.as_mut().unwrap().kill();
        let (newest, last) = uploads.await.unwrap();
        took = took.max(last.min(Duration::from_millis(200)));
        lab.start_server(&[]);
        lab.server_ready().await;
        let now = shown(&lab.client).await;
        assert!(now == newest || now == newest + 1, "{now} is shown, {newest} was acknowledged\n{}", lab.logs());
        acknowledged = now;
    }
    let last = Revision::new(acknowledged + 1);
    let client = lab.client.clone();
    eventually("the last upload", || async { upload(&client, &last, &resumed).await.ok() }).await;
    assert_eq!(shown(&lab.client).await, acknowledged + 1);
    println!(
        "{SERVER_KILLS} kills, {acknowledged} revisions, {} went on in the middle",
        resumed.load(Ordering::Relaxed)
    );
    nothing_left(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_dies_amid_its_upload_leaves_whole_revisions_alone() {
    let lab = Lab::start(1).await;
    let config = lab.server_data().join("credentials.toml");
    let folder = lab.folder.path().join("upload");
    let start = |revision: u64| {
        for (path, size) in FILES {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes(path, size, revision)).unwrap();
        }
        let mut command = Command::new(lab::program());
        command.args(["files", "upload"]).arg(&folder).env("HEADEND_CONFIG", &config);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let began = Instant::now();
    assert!(start(1).wait().unwrap().success());
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap();
    let (mut dice, mut revision) = (Dice(0x5eed_0003), 1);
    for _ in 0..CLIENT_KILLS {
        let mut child = start(revision + 1);
        tokio::time::sleep(Duration::from_micros(dice.below(whole))).await;
        let _ = child.kill();
        let acknowledged = child.wait().unwrap().success();
        let now = shown(&lab.client).await;
        assert!(now == revision + 1 || (now == revision && !acknowledged), "{now} is shown after {revision}");
        revision = now;
    }
    eventually("an upload to come to its end", || async {
        start(revision + 1).wait().unwrap().success().then_some(())
    })
    .await;
    assert_eq!(shown(&lab.client).await, revision + 1, "{}", lab.logs());
    println!("{CLIENT_KILLS} kills, {revision} revisions");
    nothing_left(&lab).await;
}
