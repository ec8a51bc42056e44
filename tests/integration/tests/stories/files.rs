//! Files from upload to script: which bytes a run sees, and whose (document 4.8 to 4.10, 6.1).

use std::process::Command;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::repository;
use headend_integration::{Client, Lab};
use headend_wire::api::{RunItem, TestRequest};
use headend_wire::files::CommitRequest;

use super::scripts::{PASS, python};

async fn run(client: &Client, script: &str, public: bool) -> RunItem {
    let one = TestRequest { public, ..test(script) };
    let job = client.submit(&request("files", &slots("rack1", [1]), [one])).await.job;
    client.finished(job).await.run_list.remove(0)
}

#[tokio::test]
async fn a_script_sees_what_was_uploaded_before_it_was_leased() {
    let lab = Lab::start(1).await;
    for (word, code) in [("PASS", 111), ("FAIL", 100), ("PARTIAL_PASS", 110)] {
        let script = python(&format!("StormTest.ReturnTestResult(TM.{word})"));
        lab.client.upload("public", &[("a.py", script.as_bytes())]).await;
        let run = run(&lab.client, "a.py", true).await;
        assert_eq!(run.result, code, "{}\n{}", run.comment, lab.logs());
    }
}

#[tokio::test]
async fn a_script_deleted_while_its_test_waits_is_incomplete() {
    let lab = Lab::start(1).await;
    lab.client.upload("public", &[("a.rhai", PASS.as_bytes()), ("b.rhai", PASS.as_bytes())]).await;
    let drain = |on: bool| serde_json::json!({ "on": on });
    let answer = lab.client.post("/racks/rack1/drain", &drain(true)).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let job = lab.client.submit(&request("waits", &slots("rack1", [1]), [test("a.rhai")])).await.job;
    let delete = CommitRequest { put: Vec::new(), delete: vec!["a.rhai".to_owned()] };
    assert!(lab.client.post("/files/public/commit", &delete).await.status.is_success());
    assert!(lab.client.post("/racks/rack1/drain", &drain(false)).await.status.is_success());
    let run = lab.client.finished(job).await.run_list.remove(0);
    assert_eq!(run.result, 1);
    assert!(run.comment.starts_with("Incomplete (script deleted at revision 2 by "), "{}", run.comment);
}

#[tokio::test]
async fn a_private_script_reaches_public_files_and_a_public_one_no_private_ones() {
    let lab = Lab::start(1).await;
    lab.client.upload("public", &[("images/one.txt", b"for everybody".as_slice())]).await;
    let reads = python(
        "from stormtest.ClientAPI import STORMTEST_PUBLIC\n\
         text = open(os.path.join(STORMTEST_PUBLIC, 'images', 'one.txt')).read() + open('diary.txt').read()\n\
         StormTest.ReturnTestResult(TM.PASS if text == 'for everybody, secret-of-ann' else TM.FAIL)",
    );
    lab.client.upload("private", &[("mine.py", reads.as_bytes()), ("diary.txt", b", secret-of-ann")]).await;
    let private = run(&lab.client, "mine.py", false).await;
    assert_eq!(private.result, 111, "{}\n{}", private.comment, lab.logs());
    // The rack has the private files by now. A public script looks through all that it can open around its own.
    let looks = python(
        "from stormtest.ClientAPI import STORMTEST_PUBLIC\n\
         root, seen = os.path.abspath(STORMTEST_PUBLIC), 0\n\
         for up in range(6):\n\
         \x20   for folder, _, names in os.walk(root):\n\
         \x20       for name in names:\n\
         \x20           try:\n\
         \x20               text = open(os.path.join(folder, name), 'rb').read(1 << 20)\n\
         \x20           except (IOError, OSError):\n\
         \x20               continue\n\
         \x20           seen += 1\n\
         \x20           if b'secret-' + b'of-ann' in text:\n\
         \x20               StormTest.ReturnTestResult(TM.FAIL)\n\
         \x20   root = os.path.dirname(root)\n\
         StormTest.ReturnTestResult(TM.PASS if seen else TM.NOT_RUN)",
    );
    lab.client.upload("public", &[("looks.py", looks.as_bytes())]).await;
    let public = run(&lab.client, "looks.py", true).await;
    assert_eq!(public.result, 111, "{}", public.comment);
}

/// What a person with only the document types.
const SESSION: &str = r"
import os, sys
from stormtest.JobConfigurator import CJobConfigurator
here, server = sys.argv[1], sys.argv[2]
cfg = CJobConfigurator(server)
def expect(found, wanted):
    assert found == wanted, '%r is not %r' % (found, wanted)
samples = os.path.join(here, 'samples')
os.makedirs(os.path.join(samples, 'test1'))
for name, size in (('image_one.bmp', 700000), ('script_one.py', 9)):
    with open(os.path.join(samples, 'test1', name), 'wb') as out:
        out.write(os.urandom(size))
expect(cfg.uploadFiles(samples, 'samples', makePublic=True, includeSubDirs=True),
       [0, 'OK', ['\\samples', '\\samples\\test1', '\\samples\\test1\\image_one.bmp', '\\samples\\test1\\script_one.py'],
        [os.path.join(samples, 'test1', 'image_one.bmp'), os.path.join(samples, 'test1', 'script_one.py')], []])
many = os.path.join(here, 'many')
os.makedirs(many)
for n in range(1500):
    with open(os.path.join(many, 'f%d.txt' % n), 'w') as out:
        out.write('file %d' % n)
answer = cfg.uploadFiles(many, 'many')
expect((answer[0], len(answer[3])), (0, 1500))
expect(cfg.uploadFiles(many, 'many')[0], 0)
with open(os.path.join(many, 'F1.txt'), 'w') as out:
    out.write('clashes')
answer = cfg.uploadFiles(os.path.join(many, 'F1.txt'), 'many')
expect((answer[0], len(answer[4])), (38, 1))
rows = cfg.listPublicFiles('\\samples\\test1')
expect([[row[0], row[2], row[3]] for row in rows[2]], [['image_one.bmp', 700000, 'File'], ['script_one.py', 9, 'File']])
expect(cfg.listPublicFiles('samples', includeDirs=True)[2][0][3], 'Dir')
expect(len(cfg.listPrivateFiles('many')[2]), 1500)
expect(cfg.convertFilesToPublic('/many/f1*.txt', '/public/path/', includeSubDirs=True)[0], 0)
expect(len(cfg.listPublicFiles('public/path')[2]), 611)
expect(cfg.deletePublicFiles('public\\path'), [0, 'OK', 'public\\path'])
expect(cfg.deletePrivateFiles('many/f7.txt'), [0, 'OK', 'many/f7.txt'])
assert cfg.deletePrivateFiles('many/*.txt')[0] > 0
print('all as written')
";

#[tokio::test]
async fn the_documents_calls_about_files_work_from_the_package() {
    let lab = Lab::start(1).await;
    let credentials = lab.server_data().join("credentials.toml");
    let folder = lab.folder.path().join("person");
    std::fs::create_dir(&folder).unwrap();
    let script = folder.join("session.py");
    std::fs::write(&script, SESSION).unwrap();
    let python = std::env::var_os("HEADEND_PYTHON3").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg(&script).arg(&folder).arg(format!("127.0.0.1:{}", lab.port));
    command.env("PYTHONPATH", repository().join("sdk/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("HEADEND_CONFIG", credentials);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "all as written", "{said}\n{}", lab.logs());
}
