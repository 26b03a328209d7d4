/* The harness of the fuzz targets. libFuzzer (clang -fsanitize=fuzzer) makes inputs; the harness writes each one to
 * a file, and the target reads that file. A target is one source file that includes this header and defines
 * fuzz_read and fuzz_seeds.
 *
 * A target must read an input, or refuse it with an error message that is not empty. Anything else is a finding, and
 * so is every report of the sanitizers. The last argument of the program is the corpus folder; seeds are written
 * into it at the start. */
#ifndef CST_FUZZ_FUZZ_H
#define CST_FUZZ_FUZZ_H

#include "core/file.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what a target defines ----------------------------------------------------------------------------------- */

/* Read the file with everything in it, and free what was read. CST_OK, or an error with its message. */
static cst_status fuzz_read(const char *path, cst_error *error);
/* Write valid files as seeds: by fuzz_seed, or to a path from fuzz_seed_path. */
static void fuzz_seeds(void);

/* ---- the harness --------------------------------------------------------------------------------------------- */

/* The file of the current input, the corpus folder ("": there is none), and the path of the last seed. */
enum { FUZZ_PATH = 512 };
static char fuzz_path[FUZZ_PATH], fuzz_corpus[FUZZ_PATH], fuzz_seed_name[2 * FUZZ_PATH];

/* The path of a seed called `name`; valid until the next call. */
static inline const char *fuzz_seed_path(const char *name)
{
    snprintf(fuzz_seed_name, sizeof fuzz_seed_name, "%s/seed-%s", fuzz_corpus, name);
    return fuzz_seed_name;
}

/* End the program with the message if the status is an error: for steps that must not fail. */
static inline void fuzz_check(const char *what, cst_status status, const cst_error *error)
{
    if (status == CST_OK) return;
    fprintf(stderr, "%s: %s\n", what, error->message);
    abort();
}

/* Write n bytes as a seed. */
static inline void fuzz_seed(const char *name, const void *bytes, size_t n)
{
    cst_error error;
    fuzz_check(name, cst_file_replace(fuzz_seed_path(name), bytes, n, &error), &error);
}

static void fuzz_remove(void)
{
    unlink(fuzz_path);
}

/* libFuzzer calls this once, before the first input. The file is kept in memory where that is possible. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = cst_path_exists("/dev/shm") ? "/dev/shm" : "/tmp";
    snprintf(fuzz_path, sizeof fuzz_path, "%s/costate-fuzz-%ld", folder, (long)getpid());
    atexit(fuzz_remove);
    if (*argc > 1 && (*argv)[*argc - 1][0] != '-') {
        snprintf(fuzz_corpus, sizeof fuzz_corpus, "%s", (*argv)[*argc - 1]);
        fuzz_seeds();
    }
    return 0;
}

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cst_error error = {0};
    FILE *file = fopen(fuzz_path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
    const cst_status status = fuzz_read(fuzz_path, &error);
    if (status != CST_OK && (error.status != status || !error.message[0])) {
        fprintf(stderr, "status %s without a message\n", cst_status_name(status));
        abort();
    }
    return 0;
}

#endif
