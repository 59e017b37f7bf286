//! WebAssembly at the level of its sections: to make modules that no toolchain makes.
#![allow(dead_code, reason = "each test target uses some of it")]

const TYPES: u8 = 1;
const IMPORTS: u8 = 2;
const FUNCTIONS: u8 = 3;
const START: u8 = 8;
const CODE: u8 = 10;
/// Within a component: a core module.
const CORE_MODULE: u8 = 1;

/// A type without parameters and results.
const NOTHING_TO_NOTHING: [u8; 3] = [0x60, 0, 0];
/// No locals, `(loop (br 0))`.
const ENDLESS: [u8; 7] = [0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b];

/// A number as WebAssembly writes it (LEB128).
pub fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Reads a number; returns what follows.
fn read_number(bytes: &[u8]) -> (usize, &[u8]) {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).expect("a number ends") + 1;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &bytes[length..])
}

/// A section.
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// A module of these sections.
pub fn module(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend(sections.iter().flat_map(|(id, content)| section(*id, content)));
    bytes
}

/// A component that holds a module and does nothing with it.
pub fn component_of(module: &[u8]) -> Vec<u8> {
    [&b"\0asm\x0d\0\x01\0"[..], &section(CORE_MODULE, module)].concat()
}

/// A module of so many functions, each of which adds so many numbers.
pub fn long_module(functions: usize, additions: usize) -> Vec<u8> {
    let mut body = vec![0, 0x20, 0];
    for _ in 0..additions {
        // local.get 0, i64.mul, local.get 0, i64.add
        body.extend([0x20, 0, 0x7e, 0x20, 0, 0x7c]);
    }
    body.push(0x0b);
    let code = [number(body.len()), body].concat();
    let one = vec![1, 0x60, 1, 0x7e, 1, 0x7e];
    let of_each = |each: &[u8]| [number(functions), each.repeat(functions)].concat();
    module(&[(TYPES, one), (FUNCTIONS, of_each(&[0])), (CODE, of_each(&code))])
}

/// The sections after a preamble.
fn sections(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &bytes[8..];
    let mut sections = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = read_number(after);
        sections.push((id, after[..length].to_vec()));
        rest = &after[length..];
    }
    sections
}

/// One more item at the end of a section that is a list.
fn push(content: &mut Vec<u8>, item: &[u8]) -> usize {
    let (count, items) = read_number(content);
    *content = [number(count + 1), items.to_vec(), item.to_vec()].concat();
    count
}

/// How many functions a module imports: its imports are all functions, as those of a plugin's main module are.
fn imported_functions(sections: &[(u8, Vec<u8>)]) -> usize {
    sections.iter().find(|(id, _)| *id == IMPORTS).map_or(0, |(_, content)| read_number(content).0)
}

/// The component with a start function in its first core module that never returns.
pub fn with_endless_start(component: &[u8]) -> Vec<u8> {
    let mut outer = sections(component);
    let (_, main) = outer.iter_mut().find(|(id, _)| *id == CORE_MODULE).expect("a core module");
    let mut inner = sections(main);
    let imported = imported_functions(&inner);
    let mut list = |wanted: u8, item: &[u8]| {
        let (_, content) = inner.iter_mut().find(|(id, _)| *id == wanted).expect("a section");
        push(content, item)
    };
    let signature = list(TYPES, &NOTHING_TO_NOTHING);
    let function = list(FUNCTIONS, &number(signature));
    list(CODE, &[number(ENDLESS.len()), ENDLESS.to_vec()].concat());
    // A start section follows types, imports, functions, tables, memories, globals and exports; custom sections (0) may be anywhere.
    let place = inner.iter().rposition(|(id, _)| (1..START).contains(id)).expect("a section before it") + 1;
    inner.insert(place, (START, number(imported + function)));
    *main = module(&inner);
    let mut bytes = component[..8].to_vec();
    bytes.extend(outer.iter().flat_map(|(id, content)| section(*id, content)));
    bytes
}
