#!/bin/sh
# Compiles a crate of this workspace so that libFuzzer sees which of its branches an input takes: cargo runs it in the place of rustc
# (RUSTC_WORKSPACE_WRAPPER). Dependencies, and what runs within the compiler or cargo, are compiled as always.
case " $* " in
*" --crate-name build_script_build "* | *" --crate-type proc-macro "* | *" --print "*) exec "$@" ;;
*" --crate-name wasmill"*) ;;
*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 \
  -Cdebug-assertions=on -Coverflow-checks=on
