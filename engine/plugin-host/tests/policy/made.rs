//! Code that is too much of something, made here because files of it would be large.

use std::fmt::Write;

/// So much of that.
pub(crate) fn make(what: &str, count: usize) -> Vec<u8> {
    match what {
        "functions" => component(&many_functions(count)),
        "blocks" => component(&one_function(&[b"\x02\x40".repeat(count), b"\x0b".repeat(count)].concat())),
        "branches" => component(&one_function(&branches(count))),
        "types" => component(&core(&[section(1, &[leb(count), b"\x60\0\0".repeat(count)].concat())])),
        "locals" => component(&core(&[
            section(1, b"\x01\x60\0\0"),
            section(3, b"\x01\0"),
            section(10, &[vec![1], sized(&[vec![1], leb(count), vec![0x7e, 0x0b]].concat())].concat()),
        ])),
        "exports" => component(&exports(count)),
        "data" => component(&core(&[
            section(5, &[vec![1, 0], leb(count.div_ceil(65536))].concat()),
            section(11, &[b"\x01\x00\x41\x00\x0b".to_vec(), sized(&vec![7; count])].concat()),
        ])),
        "pieces" => component(&core(&[
            section(5, b"\x01\0\x01"),
            section(11, &[leb(count), b"\x00\x41\x00\x0b\x01\x07".repeat(count)].concat()),
        ])),
        "custom" => [COMPONENT.to_vec(), section(0, &[b"\x01x".to_vec(), vec![0; count]].concat())].concat(),
        "promise" => [COMPONENT.to_vec(), vec![1], leb(count)].concat(),
        "components" => {
            (0..count).fold(COMPONENT.to_vec(), |inner, _| [COMPONENT.to_vec(), section(4, &inner)].concat())
        }
        "instances" => wat::parse_str(instances(count)).unwrap(),
        "tuples" => wat::parse_str(tuples(count)).unwrap(),
        "zeros" => vec![0; count],
        "not-text" => vec![0xff; count],
        _ => script(what, count).into_bytes(),
    }
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component that holds a core module, and no more.
fn component(module: &[u8]) -> Vec<u8> {
    [COMPONENT.to_vec(), section(1, module)].concat()
}

fn core(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn one_function(body: &[u8]) -> Vec<u8> {
    let function = sized(&[b"\0".to_vec(), body.to_vec(), vec![0x0b]].concat());
    core(&[section(1, b"\x01\x60\0\0"), section(3, b"\x01\0"), section(10, &[vec![1], function].concat())])
}

fn many_functions(count: usize) -> Vec<u8> {
    let function = sized(b"\0\x20\0\x20\0\x6a\x0b");
    core(&[
        section(1, b"\x01\x60\x01\x7f\x01\x7f"),
        section(3, &[leb(count), vec![0; count]].concat()),
        section(10, &[leb(count), function.repeat(count)].concat()),
    ])
}

fn branches(count: usize) -> Vec<u8> {
    [b"\x02\x40\x41\0\x0e".to_vec(), leb(count), vec![0; count + 1], vec![0x0b]].concat()
}

fn exports(count: usize) -> Vec<u8> {
    let one = |n: usize| [sized(format!("{n:x}").as_bytes()), vec![0, 0]].concat();
    let all: Vec<u8> = (0..count).flat_map(one).collect();
    core(&[
        section(1, b"\x01\x60\0\0"),
        section(3, b"\x01\0"),
        section(7, &[leb(count), all].concat()),
        section(10, b"\x01\x02\0\x0b"),
    ])
}

fn instances(count: usize) -> String {
    let mut text = "(component (core module $m (memory 1))".to_owned();
    (0..count).for_each(|_| text.push_str("(core instance (instantiate $m))"));
    text + ")"
}

fn tuples(count: usize) -> String {
    let mut text = "(component (type $t0 (tuple u8 u8))".to_owned();
    for n in 1..count {
        let _ = write!(text, "(type $t{n} (tuple $t{0} $t{0}))", n - 1);
    }
    text + ")"
}

fn script(what: &str, count: usize) -> String {
    let propose = |body: String| format!("fn propose(plan, free) {{ {body} [] }}");
    match what {
        "statements" => propose("1;".repeat(count)),
        "variables" => propose(numbered(count, |text, n| write!(text, "let x{n}=0;"))),
        "script-functions" => {
            numbered(count, |text, n| writeln!(text, "fn f{n}(){{}}")) + propose(String::new()).as_str()
        }
        "parentheses" => propose("(".repeat(count)),
        "braces" => propose("{".repeat(count)),
        "brackets" => propose("[".repeat(count)),
        "minuses" => propose("-".repeat(count)),
        _ => panic!("{what} is not known here"),
    }
}

fn numbered(count: usize, write: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut text = String::new();
    (0..count).try_for_each(|n| write(&mut text, n)).unwrap();
    text
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

fn sized(content: &[u8]) -> Vec<u8> {
    [leb(content.len()), content.to_vec()].concat()
}

/// A number as WebAssembly writes it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}
