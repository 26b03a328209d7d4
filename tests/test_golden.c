/* Reference cases: every *.json below the folders given as arguments (default: ../shared/golden). Their "kind" alone
 * selects the function that compares them. The last line is "N passed, N failed, N skipped"; the exit status is 1 if
 * any case failed or none ran. */
#include "tests/golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the files ----------------------------------------------------------------------------------------------- */

typedef struct files {
    char **paths;
    size_t n, capacity;
    size_t unreadable;
} files;

static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path) exit(EXIT_FAILURE);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static void add_file(files *f, char *path)
{
    if (f->n == f->capacity) {
        f->capacity = 2 * f->capacity + 64;
        f->paths = realloc(f->paths, f->capacity * sizeof *f->paths);
        if (!f->paths) exit(EXIT_FAILURE);
    }
    f->paths[f->n++] = path;
}

static bool ends_in_json(const char *name)
{
    const size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static void find(files *f, const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) {
        printf("FAIL %s: cannot be opened\n", folder);
        f->unreadable++;
        return;
    }
    for (const struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        char *path = join(folder, entry->d_name);
        struct stat about;
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
            find(f, path);
            free(path);
        } else if (ends_in_json(path)) {
            add_file(f, path);
        } else {
            free(path);
        }
    }
    closedir(directory);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the cases ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *kind;
    void (*run)(golden *g); /* NULL: this build lacks what the kind needs */
    bool in_double;         /* in double, whatever `real` is */
} kinds[] = {
    {"layer", golden_layer},
    {"solve", golden_solve},
    {"adjoint", golden_adjoint},
    {"symoden", golden_symoden},
    {"cde", golden_cde},
    {"cnf", golden_cnf},
    {"loss", golden_loss},
    {"optimizer", golden_optimizer},
    {"clip_grad_norm", golden_clip_grad_norm},
    {"schedule", golden_schedule},
    {"train", golden_train},
    {"mfcc", golden_mfcc, true},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct counts {
    size_t passed, failed, skipped;
    size_t left_out; /* as if `real` were float */
} counts;

static void run_kind(golden *g)
{
    const char *kind = golden_read_string(g, g->root, "kind");
    size_t i = 0;
    if (!kind) return;
    while (i < N_KINDS && strcmp(kinds[i].kind, kind) != 0) i++;
    if (i == N_KINDS)
        golden_fail(g, "unknown kind \"%s\"", kind);
    else if (sizeof(real) < sizeof(double) && !kinds[i].in_double)
        g->left_out = true;
    else if (!kinds[i].run)
        golden_skip(g, "kind \"%s\" is not built yet", kind);
    else
        kinds[i].run(g);
}

static void run_case(const char *path, counts *c)
{
    golden g = {.path = path, .field = "field."};
    cst_document *document = NULL;
    if (golden_ok(&g, "reading", cst_document_load(path, &document, &g.error))) {
        g.root = cst_document_root(document);
        run_kind(&g);
    }
    c->left_out += g.left_out;
    c->failed += g.failed;
    c->skipped += !g.failed && g.skipped;
    c->passed += !g.failed && !g.skipped && !g.left_out;
    for (size_t i = 0; i < g.n_kept; i++) free(g.kept[i]);
    free(g.kept);
    cst_document_free(document);
}

int main(int argc, char **argv)
{
    files f = {0};
    counts c = {0};
    for (int i = 1; i < argc; i++) find(&f, argv[i]);
    if (argc < 2) find(&f, "../shared/golden");
    if (f.n > 0) qsort(f.paths, f.n, sizeof *f.paths, compare_paths);
    for (size_t i = 0; i < f.n; i++) {
        run_case(f.paths[i], &c);
        free(f.paths[i]);
    }
    free(f.paths);
    c.failed += f.unreadable;
    if (c.left_out > 0) {
        printf("%zu reference cases are in double precision: build with PRECISION=double\n", c.left_out);
        c.skipped++;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", c.passed, c.failed, c.skipped);
    return c.failed > 0 || c.passed + c.left_out == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
