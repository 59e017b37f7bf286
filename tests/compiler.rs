//! Plugins are compiled in a process of their own, which may take only so much and do nothing else.

mod program;
mod wasm_bytes;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wasm_bytes::{component_of, long_module};
use wasmill_cli::sandbox::compiler;
use wasmill_plugin::{Compiler, CompilerProcess, Sandbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wasmill");

/// Some 5 MB that take several seconds to compile, within all that is looked at before.
fn long() -> Vec<u8> {
    component_of(&long_module(200, 4_000))
}

fn refusal(process: CompilerProcess, component: &[u8]) -> String {
    let sandbox = Sandbox::start(None, Compiler::Process(process)).expect("an engine");
    sandbox.load_bytes("p.wasm", component).expect_err("refused").to_string()
}

#[test]
fn what_takes_too_long_to_compile_is_refused() {
    let process = CompilerProcess { program: PROGRAM.into(), cpu_seconds: 1, ..compiler() };
    assert_eq!(
        refusal(process, &long()),
        "plugin p.wasm: can't be compiled: it took more than 1 s of CPU time, or was killed for its memory"
    );
}

#[test]
fn what_takes_too_much_memory_to_compile_is_refused() {
    let process = CompilerProcess { program: PROGRAM.into(), memory_bytes: 100 << 20, ..compiler() };
    let refused = refusal(process, &long());
    let expected = "plugin p.wasm: can't be compiled: it took more than 100 MiB of memory, or made the compiler crash (signal ";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn what_is_wrong_is_said_by_the_compiler() {
    let process = CompilerProcess { program: PROGRAM.into(), ..compiler() };
    // A function without a type.
    let refused = refusal(process, &component_of(&wasm_bytes::module(&[(3, vec![1, 0]), (10, vec![1, 2, 0, 0x0b])])));
    assert!(refused.starts_with("plugin p.wasm: can't be compiled: "), "{refused}");
    assert!(refused.contains("unknown type 0"), "{refused}");
}

#[test]
fn a_compiler_that_cannot_be_started_is_named() {
    let process = CompilerProcess { program: "/no/such/compiler".into(), ..compiler() };
    assert_eq!(
        refusal(process, &component_of(&long_module(1, 1))),
        "plugin p.wasm: can't be compiled: the compiler can't be started: /no/such/compiler: No such file or directory (os error 2)"
    );
}

#[test]
fn a_compiler_at_work_may_make_no_other_calls_and_keep_nothing() {
    let mut child = Command::new(PROGRAM)
        .args(compiler().arguments)
        .args(["10", "1073741824"])
        .env_clear()
        .envs(compiler().environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("piped").write_all(&long()).expect("taken");
    let process = format!("/proc/{}", child.id());
    let read = |name: &str| fs::read_to_string(format!("{process}/{name}")).expect("it is there");
    let began = Instant::now();
    // 2: a filter is set.
    while !read("status").contains("Seccomp:\t2\n") {
        assert!(began.elapsed() < Duration::from_secs(20), "no filter was set:\n{}", read("status"));
        sleep(Duration::from_millis(5));
    }
    let (status, limits) = (read("status"), read("limits"));
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    for (limit, soft) in
        [("Max cpu time", "10"), ("Max address space", "1073741824"), ("Max file size", "0"), ("Max core file size", "0")]
    {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit)).expect("a limit");
        assert_eq!(line.split_whitespace().next(), Some(soft), "{limit}: {line}");
    }
}

/// C40: types that nest twenty thousand deep, as a component and within a core module's metadata.
#[test]
fn types_that_nest_deeper_than_a_stack_end_the_compiler_and_not_this_process() {
    let types = [[0x41, 1, 1].repeat(20_000), vec![0x41, 0]].concat();
    let component = [&b"\0asm\x0d\0\x01\0"[..], &wasm_bytes::section(7, &[vec![1], types].concat())].concat();
    let custom = [&b"\x10component-type:x"[..], &component].concat();
    let module = wasm_bytes::module(&[(0, custom)]);
    for file in [component, module] {
        let process = CompilerProcess { program: PROGRAM.into(), ..compiler() };
        let refused = refusal(process, &file);
        assert!(refused.starts_with("plugin p.wasm: can't be compiled: "), "{refused}");
        let folder = program::Folder::new();
        folder.write("deep.wasm", &file);
        let ended = folder.run(&["plugin", "inspect", "deep.wasm"]);
        ended.says(2, &["plugin deep.wasm: can't be compiled: "]);
    }
}
