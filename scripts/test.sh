#!/usr/bin/env bash
# test.sh test|test-slow|test-kernels|double|asan|tsan|coverage: builds the tests of a target of the Makefile, and runs
# them. Called by make.
set -eu
both() { # build in both precisions, then run all tests together
    "$MAKE" build-tests PRECISION=double "$@"
    "$MAKE" build-tests PRECISION=float "$@"
    "$MAKE" -s run-tests runs="double float" "$@"
}
one() { # build and run one variant; $run is a command to run it under
    "$MAKE" build-tests "$@"
    $run "$MAKE" -s run-tests "$@"
}
run=
case $1 in
test) both ;;
test-slow) both SLOW=1 ;;
test-kernels) MAKE=$MAKE scripts/kernel_sets.sh ;;
double) one PRECISION=double ;;
asan)
    export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
    one PRECISION=double SANITIZE=address,undefined
    ;;
tsan)
    export TSAN_OPTIONS=die_after_fork=0
    run="setarch -R"
    one SANITIZE=thread TESTS=test_parallel
    ;;
coverage)
    one PRECISION=double COVERAGE=1
    scripts/coverage.sh build/double-coverage
    ;;
esac
