//! Python's own libraries and this one understand each other.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::{
    Call, Limits, Response, Value, parse_call, parse_response, write_call, write_fault, write_response,
};

/// Speaks lines of hex: writes its own call and fault, then reads ours and tells by `repr` what it understood.
const SCRIPT: &str = r#"
import binascii, datetime, sys
try:
    import xmlrpclib as x
except ImportError:
    import xmlrpc.client as x
def tell(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    print(binascii.hexlify(data).decode("ascii"))
EVERY = (7, -2147483648, True, u"a<b>&\u00e9\U0001f600 \n]]>", "", 1.5, -1e300, x.DateTime("20130917T10:00:39"),
         x.Binary(b"\x00\xff" * 60), [1, [u"x", []]], {u"k\u00e9 <": [None]}, None)
tell(x.dumps(EVERY, "submitBatchJob", encoding="utf-8", allow_none=True))
tell(x.dumps((), "GetServerList"))
tell(x.dumps(([0, "OK", 38407, []],), methodresponse=True))
tell(x.dumps(x.Fault(1, "no <call>"), methodresponse=True))
def shown(value):
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (shown(k), shown(value[k])) for k in sorted(value))
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(shown(item) for item in value)
    if isinstance(value, x.Binary):
        return "bytes " + binascii.hexlify(value.data).decode("ascii")
    if isinstance(value, x.DateTime):
        return "time " + value.value
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return "double %r" % value
    if isinstance(value, bytes):
        value = value.decode("ascii")
    return "text " + value.encode("unicode_escape").decode("ascii") if isinstance(value, type(u"")) else "int %d" % value
for line in sys.stdin:
    data = binascii.unhexlify(line.strip())
    try:
        values, method = x.loads(data)
        tell("%s %s" % (method, shown(values)))
    except x.Fault as fault:
        tell("fault %d %s" % (fault.faultCode, fault.faultString))
"#;

/// The interpreters that the environment names, else those on the path.
fn interpreters() -> Vec<PathBuf> {
    let named: Vec<PathBuf> =
        ["HEADEND_PYTHON2", "HEADEND_PYTHON3"].iter().filter_map(std::env::var_os).map(PathBuf::from).collect();
    if !named.is_empty() {
        return named;
    }
    let works = |python: &&str| Command::new(*python).arg("-V").output().is_ok_and(|done| done.status.success());
    ["python2.7", "python3"].into_iter().filter(works).map(PathBuf::from).collect()
}

/// What the script tells when it is given these texts.
fn ask(python: &PathBuf, texts: &[String]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for text in texts {
        for byte in text.bytes() {
            write!(input, "{byte:02x}").unwrap();
        }
        writeln!(input).unwrap();
    }
    drop(input);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", python.display());
    String::from_utf8(done.stdout).unwrap().lines().map(from_hex).collect()
}

fn from_hex(line: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    String::from_utf8((0..line.len()).step_by(2).map(byte).collect()).unwrap()
}

fn every_kind() -> Vec<Value> {
    let bytes = [0_u8, 0xff].repeat(60);
    vec![
        7.into(),
        i32::MIN.into(),
        true.into(),
        "a<b>&\u{e9}\u{1f600} \n]]>".into(),
        "".into(),
        Value::Double(1.5),
        Value::Double(-1e300),
        jiff::civil::date(2013, 9, 17).at(10, 0, 39, 0).into(),
        Value::Bytes(bytes),
        Value::Array(vec![1.into(), Value::Array(vec!["x".into(), Value::Array(Vec::new())])]),
        Value::Struct(BTreeMap::from([("k\u{e9} <".to_owned(), Value::Array(vec![Value::Nil]))])),
        Value::Nil,
    ]
}

#[test]
fn both_sides_agree() {
    let wide = Value::Array(vec![0.into(), "OK\r".into(), 1_257_767_625_000_i64.into(), Value::Nil]);
    let texts = [write_call("submitBatchJob", &every_kind()), write_response(&wide), write_fault(1, "no <call>")];
    for python in interpreters() {
        let told = ask(&python, &texts);
        let limits = Limits::default();
        let call = |at: usize| parse_call(told[at].as_bytes(), &limits).unwrap();
        let response = |at: usize| parse_response(told[at].as_bytes(), &limits).unwrap();
        assert_eq!(call(0), Call { method: "submitBatchJob".to_owned(), params: every_kind() }, "{}", python.display());
        assert_eq!(call(1), Call { method: "GetServerList".to_owned(), params: Vec::new() });
        let submitted = Value::Array(vec![0.into(), "OK".into(), 38407.into(), Value::Array(Vec::new())]);
        assert_eq!(response(2), Response::Value(submitted));
        assert_eq!(response(3), Response::Fault { code: 1, text: "no <call>".to_owned() });
        let bytes = "00ff".repeat(60);
        let every = format!(
            "submitBatchJob [int 7,int -2147483648,True,text a<b>&\\xe9\\U0001f600 \\n]]>,text ,double 1.5,\
             double -1e+300,time 20130917T10:00:39,bytes {bytes},[int 1,[text x,[]]],{{text k\\xe9 <:[None]}},None]"
        );
        assert_eq!(told[4], every, "{}", python.display());
        assert_eq!(told[5], "None [[int 0,text OK\\r,int 1257767625000,None]]");
        assert_eq!(told[6], "fault 1 no <call>");
    }
}
