//! The document's calls about files, and who may see what by any of them (E14).

use headend_wire::xmlrpc::{self, Limits, Response, Value};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Client, Lab, upload};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

async fn call(client: &Client, method: &str, params: &[Value]) -> Vec<Value> {
    let request = client.request(Method::POST, "/").header("content-type", "text/xml");
    let answer = client.send(request.body(xmlrpc::write_call(method, params))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    match xmlrpc::parse_response(answer.text.as_bytes(), &Limits::default()).unwrap() {
        Response::Value(Value::Array(items)) => items,
        other => panic!("{method} gave {other:?}"),
    }
}

fn code(answer: &[Value]) -> i64 {
    answer[0].as_int().unwrap()
}

/// Names and kinds of a listing.
fn rows(answer: &[Value]) -> Vec<String> {
    assert_eq!(code(answer), 0, "{answer:?}");
    let row = |row: &Value| {
        let row = row.as_array().unwrap();
        assert_eq!(row.len(), 4);
        assert!(row[1].as_int().unwrap() > 1_000_000_000);
        format!("{} {} {}", row[0].as_text().unwrap(), row[2].as_int().unwrap(), row[3].as_text().unwrap())
    };
    answer[2].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn files_are_listed_in_the_documents_rows() {
    let lab = Lab::start().await;
    for (path, content) in
        [("tests/test1.py", "1"), ("tests/test2.py", "22"), ("tests/sub/x.py", "333"), ("top.py", "4444")]
    {
        lab.upload(path, content).await;
    }
    let list =
        async |path: &str, dirs: bool| call(&lab.client, "listPublicFiles", &[text(path), Value::Bool(dirs)]).await;
    let tests = ["test1.py 1 File", "test2.py 2 File"];
    for path in ["\\tests", "/tests", "tests", "tests/", "\\tests\\"] {
        assert_eq!(rows(&list(path, false).await), tests, "{path}");
    }
    assert_eq!(rows(&list("tests", true).await), ["sub 0 Dir", tests[0], tests[1]]);
    for root in ["", "\\", "/", "\\\\"] {
        assert_eq!(rows(&list(root, true).await), ["tests 0 Dir", "top.py 4 File"], "{root}");
    }
    assert_eq!(rows(&list("tests\\sub\\x.py", false).await), ["x.py 3 File"]);
    assert_eq!(code(&list("nothing", true).await), 5);
    for bad in ["..", "tests/../top.py", "C:\\tests", "//host/share", "tests/%2e%2e", "a\u{202e}b"] {
        assert_eq!(code(&list(bad, true).await), 29, "{bad}");
    }
    assert_eq!(rows(&call(&lab.client, "listPrivateFiles", &[text("")]).await), Vec::<String>::new());
    let edited = "2013-05-03T09:07:57.000000Z";
    let put = json!([{ "path": "tests/test1.py", "hash": blake3::hash(b"4444").to_hex().to_string(), "size": 4, "edited": edited }]);
    lab.client.post("/api/v1/files/public/commit", &json!({ "put": put })).await.ok(StatusCode::OK);
    let row = list("tests/test1.py", false).await[2].as_array().unwrap()[0].clone();
    assert_eq!(row, Value::Array(vec![text("test1.py"), Value::Int(1_367_572_077), Value::Int(4), text("File")]));
}

#[tokio::test]
async fn files_and_folders_are_deleted_without_wildcards() {
    let lab = Lab::start().await;
    for path in ["a_dir/a_test.py", "a_dir/sub/b.py", "keep.py"] {
        lab.upload(path, "x").await;
    }
    upload(&lab.client, "private", "test3.py", "x").await;
    let delete = async |path: &str| call(&lab.client, "deletePublicFiles", &[text(path)]).await;
    let echoed = vec![Value::Int(0), text("OK"), text("a_dir\\a_test.py")];
    assert_eq!(delete("a_dir\\a_test.py").await, echoed, "the path comes back as it was given");
    assert_eq!(code(&delete("a_dir\\a_test.py").await), 5);
    for bad in ["*.py", "a_dir/*", "", "/", "\\", "..", "a_dir/../keep.py", "C:\\keep.py"] {
        let answer = delete(bad).await;
        assert_eq!(code(&answer), 29, "{bad}");
        assert_eq!(answer[1].as_text().unwrap().contains("wildcards"), bad.contains('*'), "{answer:?}");
    }
    assert_eq!(code(&delete("a_dir").await), 0);
    let left = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK);
    assert_eq!(left["files"].as_array().unwrap().len(), 1);
    let own = call(&lab.client, "deletePrivateFiles", &[text("test3.py")]).await;
    assert_eq!(own, [Value::Int(0), text("OK"), text("test3.py")]);
}

#[tokio::test]
async fn private_files_become_public_and_stay() {
    let lab = Lab::start().await;
    let ann = lab.user("ann").await;
    for (path, content) in [("p/to/one.py", "1"), ("p/to/two.py", "1"), ("p/to/sub/three.py", "1"), ("p/to/x.bmp", "1")]
    {
        upload(&ann, "private", path, content).await;
    }
    let convert = async |from: &str, to: &str, deep: bool| {
        call(&ann, "convertFilesToPublic", &[text(from), text(to), Value::Bool(deep)]).await
    };
    let answer = convert("/p/to/*.py", "/public/path/", true).await;
    let paths = ["\\public\\path\\one.py", "\\public\\path\\sub\\three.py", "\\public\\path\\two.py"].map(text);
    assert_eq!(answer, [Value::Int(0), text("OK"), Value::Array(paths.to_vec())]);
    let public = async || {
        let list = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK);
        let files = list["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned());
        (list["revision"].as_u64().unwrap(), files.collect::<Vec<_>>())
    };
    assert_eq!(
        public().await,
        (1, vec!["public/path/one.py".to_owned(), "public/path/sub/three.py".into(), "public/path/two.py".into()])
    );
    // The latest version becomes public; as one revision, and none when nothing has changed.
    upload(&ann, "private", "p/to/one.py", "2").await;
    convert("p/to/one.py", "public/path", false).await;
    convert("p/to/one.py", "public/path/one.py", false).await;
    let (revision, files) = public().await;
    assert_eq!((revision, files.len()), (2, 3));
    let list = ann.get("/api/v1/files/public?path=public/path/one.py").await.ok(StatusCode::OK);
    assert_eq!(
        (&list["files"][0]["hash"], &list["files"][0]["by"]),
        (&json!(blake3::hash(b"2").to_hex().to_string()), &json!("ann"))
    );
    assert_eq!(ann.get("/api/v1/files/private").await.ok(StatusCode::OK)["files"].as_array().unwrap().len(), 4);

    assert_eq!(code(&convert("p/none*.py", "x", true).await), 5);
    assert_eq!(code(&convert("p/*/one.py", "x", true).await), 29);
    assert_eq!(code(&convert("p/to/*.py", "x/*", true).await), 29);
    assert_eq!(code(&convert("../*", "x", true).await), 29);
    assert_eq!(code(&convert("p/to/x.bmp", "PUBLIC", false).await), 38, "a folder of another spelling is there");
    let rest = json!({ "private": "p", "public": "tree", "include_sub_dirs": true });
    let answer = ann.post("/api/v1/files/convert", &rest).await.ok(StatusCode::OK);
    assert_eq!((&answer["revision"], answer["files"].as_array().unwrap().len()), (&json!(3), 4));
    assert_eq!(
        lab.client.post("/api/v1/files/convert", &rest).await.problem(),
        "not_found",
        "the admin has no such files"
    );
}

/// Every call by which files can be reached, with names of ann's private ones. Says whether anything of them came back:
/// their bytes, or a name that was not asked for.
async fn tries(client: &Client, run: u64) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut note = |what: String, answer: String| {
        found.push((what, answer.contains("another-of-ann") || answer.contains("secret-of-ann")));
    };
    let hash = blake3::hash(b"secret-of-ann").to_hex().to_string();
    let paths =
        ["diary.txt", "private/diary.txt", "ann/diary.txt", "../ann/diary.txt", "..\\1\\diary.txt", "1/diary.txt", ""];
    for path in paths {
        for method in ["listPublicFiles", "listPrivateFiles"] {
            let answer = call(client, method, &[text(path), Value::Bool(true)]).await;
            assert_eq!(code(&answer) > 0, !path.is_empty(), "{method} {path}: {answer:?}");
            note(format!("{method} {path}"), format!("{answer:?}"));
        }
        for method in ["deletePublicFiles", "deletePrivateFiles"] {
            let answer = call(client, method, &[text(path)]).await;
            assert!(code(&answer) > 0, "{method} {path}: {answer:?}");
        }
        let answer = call(client, "convertFilesToPublic", &[text(path), text("stolen"), Value::Bool(true)]).await;
        assert!(code(&answer) > 0, "convert {path}: {answer:?}");
        for area in ["public", "private"] {
            let query = path.replace('\\', "%5C");
            for address in
                [format!("/api/v1/files/{area}?path={query}"), format!("/api/v1/files/{area}/history?path={query}")]
            {
                let answer = client.get(&address).await;
                assert_eq!(answer.status.is_client_error(), !path.is_empty(), "{address}: {}", answer.text);
                note(address, answer.text);
            }
        }
    }
    for name in ["ann", "Ann", "..", "a/b", "CON", "1"] {
        let answer = call(client, "listPrivateFiles", &[text(""), Value::Bool(true), text(name)]).await;
        note(format!("listPrivateFiles of {name}"), format!("{answer:?}"));
        let request = client.request(Method::GET, "/api/v1/files/private").header("x-headend-user", name);
        note(format!("as {name}"), client.send(request).await.text);
    }
    for path in [
        format!("/api/v1/blobs/{hash}"),
        format!("/api/v1/uploads/{hash}?size=13"),
        format!("/api/v1/runs/{run}/files"),
        format!("/api/v1/runs/{run}/files-diff/{run}"),
        format!("/logs/ann/diary_{run}.html"),
        "/api/v1/files/ann".to_owned(),
        "/api/v1/files/1".to_owned(),
    ] {
        note(path.clone(), client.get(&path).await.text);
    }
    found
}

#[tokio::test]
async fn private_files_are_reached_by_no_call_of_another_user() {
    let lab = Lab::start().await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "diary.txt", "secret-of-ann").await;
    upload(&ann, "private", "diary.py", "1").await;
    upload(&ann, "private", "another-of-ann.py", "1").await;
    let mut rack = lab.rack("rack1", 1).await;
    let mut body = crate::support::job("diary.py", &[1]);
    body["tests"][0]["public"] = json!(false);
    ann.post("/api/v1/jobs", &body).await.ok(StatusCode::CREATED);
    let run = rack.take().await.remove(0).lease.run.0;
    rack.pass().await;
    for (what, leaks) in tries(&bob, run).await {
        assert!(!leaks, "{what} told bob about ann's files");
    }
    // Bob's own job with the same name: his area has no such script.
    let warned = bob.post("/api/v1/jobs", &body).await.ok(StatusCode::CREATED);
    assert_eq!(warned["warnings"][0]["code"], json!("script_missing"));
    // The refusal is the same whether or not there is such a user.
    let of = async |name: &str| {
        let answer = call(&bob, "listPrivateFiles", &[text(""), Value::Bool(true), text(name)]).await;
        (code(&answer), answer[1].as_text().unwrap().strip_suffix(name).map(str::to_owned))
    };
    assert_eq!(of("ann").await, of("nobody").await);
    assert_eq!(of("ann").await.0, 4);
    // Ann herself, and whoever may act for her, see them.
    let own = rows(&call(&ann, "listPrivateFiles", &[text("")]).await);
    assert_eq!(own, ["another-of-ann.py 1 File", "diary.py 1 File", "diary.txt 13 File"]);
    let acting = call(&lab.client, "listPrivateFiles", &[text(""), Value::Bool(false), text("ann")]).await;
    assert_eq!(rows(&acting), own);
    assert_eq!(
        rows(&call(&lab.client, "listPrivateFiles", &[text(""), Value::Bool(false), text("Ann")]).await),
        Vec::<String>::new()
    );
    // Neither nobody nor a rack reaches any of it.
    let nobody = Client { token: None, ..lab.client.clone() };
    for client in [&nobody, &rack.client] {
        for (method, path) in [
            (Method::GET, "/api/v1/files/private"),
            (Method::GET, "/api/v1/files/private/history"),
            (Method::POST, "/api/v1/files/convert"),
            (Method::POST, "/api/v1/blobs"),
            (Method::POST, "/"),
        ] {
            let answer = client.send(client.request(method, path)).await;
            assert!(matches!(answer.problem().as_str(), "unauthenticated" | "forbidden"), "{path}");
        }
    }
    let hash = blake3::hash(b"secret-of-ann").to_hex().to_string();
    let answer = rack.client.get(&format!("/api/v1/blobs/{hash}")).await;
    assert_eq!(answer.problem(), "not_found", "the rack holds no run of ann's any more");
}
