/* What the fuzz targets share: an input becomes a file, which a target reads. A target is one source that includes this
 * header and defines the three things below; libFuzzer (clang -fsanitize=fuzzer) does the rest.
 *
 * An input must be read, or refused with a message that is not empty; anything else is a finding, as is whatever the
 * sanitizers see. Seeds are written by the target itself into the corpus folder, the last argument, where they are not there. */
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

/* ---- a target's own -------------------------------------------------------------------------------------------- */

/* Read the file and whatever is in it, and free it. */
static cst_status fuzz_read(const char *path, cst_error *error);
/* Write good files, each by fuzz_seed or under a path from fuzz_seed_path. */
static void fuzz_seeds(void);

/* ---- shared ---------------------------------------------------------------------------------------------------- */

enum { FUZZ_PATH = 512 };
static char fuzz_path[FUZZ_PATH], fuzz_corpus[FUZZ_PATH], fuzz_seed_name[2 * FUZZ_PATH];

static inline const char *fuzz_seed_path(const char *name)
{
    snprintf(fuzz_seed_name, sizeof fuzz_seed_name, "%s/seed-%s", fuzz_corpus, name);
    return fuzz_seed_name;
}

static inline void fuzz_check(const char *what, cst_status status, const cst_error *error)
{
    if (status == CST_OK) return;
    fprintf(stderr, "%s: %s\n", what, error->message);
    abort();
}

static inline void fuzz_seed(const char *name, const void *bytes, size_t n)
{
    cst_error error;
    fuzz_check(name, cst_file_replace(fuzz_seed_path(name), bytes, n, &error), &error);
}

static void fuzz_remove(void)
{
    unlink(fuzz_path);
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cst_error error = {0};
    FILE *file = fopen(fuzz_path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
    const cst_status status = fuzz_read(fuzz_path, &error);
    if (status != CST_OK && (error.status != status || !error.message[0])) {
        fprintf(stderr, "%s without a message\n", cst_status_name(status));
        abort();
    }
    return 0;
}

#endif
