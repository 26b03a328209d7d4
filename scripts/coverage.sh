#!/usr/bin/env bash
# coverage.sh BUILD: share of executed lines per file. BUILD was built with --coverage, and its tests have run. Called
# by `make coverage`.
set -eu
find "$1" -name '*.gcda' | sort | xargs gcov -n 2>/dev/null |
    awk -F"'" '/^File/ { file = $2 }
        /^Lines executed/ && file ~ /^(core|formats|layers|ode|adjoint|models|datasets|train|analysis|cli)\/.*\.c$/ {
            split($0, part, /[:% ]+/)
            lines = $0; sub(/.* of /, "", lines)
            share = $0; sub(/.*:/, "", share); sub(/%.*/, "", share)
            if (!(file in seen)) { printf "%6.1f%% of %4d  %s\n", share, lines, file; seen[file] = 1; all += lines; ran += lines * share / 100 }
        }
        END { if (all) printf "%6.1f%% of %d lines\n", 100 * ran / all, all }'
