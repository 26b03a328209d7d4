#include "datasets/wav_dataset.h"

#include "core/array.h"
#include "datasets/locate.h"
#include "datasets/series.h"
#include "datasets/wav_features.h"

#include <stdlib.h>
#include <string.h>

/* The values of the keys below. */
typedef struct wav_options {
    cst_series_options series; /* first */
    const char *path, *cache;
    cst_config classes;
    size_t samples;
    cst_mfcc_options mfcc;
} wav_options;

#define FIELD(name) offsetof(wav_options, name)

static const cst_key keys[] = {
    CST_PATH_KEY("path", FIELD(path), NULL, "folder with train/ and test/, or with the class folders"),
    {.name = "classes",
     .kind = CST_KEY_LIST,
     .offset = FIELD(classes),
     .fallback = "",
     .help = "the class folders to use, in the order of their labels; if absent, all of them",
     .holds = "strings"},
    {.name = "samples",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(samples),
     .fallback = "",
     .range = CST_BETWEEN(1, 1e9),
     .help = "leave out clips with another number of samples; if absent, lengths may differ"},
    {.name = "n_fft",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(mfcc.n_fft),
     .fallback = "200",
     .range = CST_BETWEEN(2, 1 << 20),
     .help = "samples per frame, even"},
    {.name = "hop_length",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(mfcc.hop),
     .fallback = "100",
     .range = CST_BETWEEN(1, 1e9),
     .help = "samples from one frame to the next"},
    {.name = "n_mels",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(mfcc.n_mels),
     .fallback = "64",
     .range = CST_BETWEEN(1, 4096),
     .help = "filters on the mel scale"},
    {.name = "n_mfcc",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(mfcc.n_mfcc),
     .fallback = "20",
     .range = CST_BETWEEN(1, 4096),
     .help = "coefficients kept, at most n_mels"},
    {.name = "log_offset",
     .kind = CST_KEY_REAL,
     .offset = FIELD(mfcc.log_offset),
     .fallback = "1e-6",
     .range = CST_POSITIVE,
     .help = "added to a filter's energy before its logarithm is taken"},
    CST_PATH_KEY("cache", FIELD(cache), "", "folder where the coefficients are cached; if absent, there is no cache"),
    CST_SERIES_KEYS,
    {.name = NULL},
};

/* The names of the class folders, without duplicates. */
static cst_status read_classes(cst_config list, cst_names *classes, cst_error *error)
{
    if (cst_config_length(list) == 0) return cst_config_expected(list, "at least one name of a folder", error);
    for (size_t i = 0; i < cst_config_length(list); i++) {
        const cst_config item = cst_config_item(list, i);
        const char *name = cst_config_string(item);
        if (!name || !*name || strchr(name, '/')) return cst_config_expected(item, "the name of a folder", error);
        /* Each class occurs once. */
        for (size_t k = 0; k < i; k++) {
            if (strcmp(classes->name[k], name) == 0)
                return cst_config_expected(item, "another class than before", error);
        }
        CST_TRY(cst_names_add(classes, name, error));
    }
    return CST_OK;
}

/* The paths of a data set's folders; load() frees them. */
typedef struct wav_folders {
    char *all;          /* the folder of the data set */
    char *train, *test; /* of the splits, with the class folders; test may be NULL */
} wav_folders;

/* ---- series -------------------------------------------------------------------------------------------------- */

/* Copy the clips of a split to a series. The split has the clips from index `first` of the features on. */
static cst_status fill(const wav_options *o, const char *folder, const cst_class_files *files,
                       const cst_wav_features *f, size_t first, cst_series *series, cst_error *error)
{
    /* Count the clips that are not left out. */
    size_t n = 0, n_times = 0;
    for (size_t i = first; i < first + files->paths.n; i++) {
        n += f->frames[i] > 0;
        n_times += f->frames[i];
    }
    if (n == 0)
        return cst_fail(error, CST_EFORMAT, "%s: expected clips of %zu samples, but all %zu clips have another number",
                        folder, o->samples, files->paths.n);
    *series = (cst_series){.path = folder, .channels = f->channels, .labelled = true};
    CST_TRY(cst_series_reserve(series, n, n_times, error));
    /* Copy the frames without the padding. */
    real *values = series->values;
    for (size_t i = 0; i < files->paths.n; i++) {
        const size_t frames = f->frames[first + i];
        if (frames == 0) continue;
        series->lengths[series->n] = frames;
        series->labels[series->n++] = files->labels[i];
        memcpy(values, f->values + (first + i) * f->steps * f->channels, frames * f->channels * sizeof *values);
        values += frames * f->channels;
    }
    return CST_OK;
}

/* List the files of both splits, training first. The strings belong to the folders, which must outlive the list. */
static cst_status join(const cst_class_folders *folders, cst_names *all, cst_error *error)
{
    /* Copy the pointers, not the strings. */
    const cst_names *train = &folders->train.paths, *test = &folders->test.paths;
    all->name = cst_array_new(train->n + test->n, sizeof *all->name);
    if (!all->name) return cst_fail(error, CST_ENOMEM, "out of memory for the names of %zu files", train->n + test->n);
    all->n = train->n + test->n;
    memcpy(all->name, train->name, train->n * sizeof *all->name);
    if (test->n > 0) memcpy(all->name + train->n, test->name, test->n * sizeof *all->name);
    return CST_OK;
}

/* Read the clips of both splits, whose files are given, at once. */
static cst_status read_series(const wav_options *o, const wav_folders *folders, const cst_class_folders *files,
                              cst_series splits[3], cst_error *error)
{
    /* One call for both splits, so that there is one cache file. */
    cst_names all = {0};
    cst_wav_features features;
    CST_TRY(join(files, &all, error));
    cst_status status = cst_wav_features_read(folders->all, &all, &o->mfcc, o->samples, o->cache, &features, error);
    free(all.name);
    CST_TRY(status);
    status = fill(o, folders->train, &files->train, &features, 0, &splits[0], error);
    if (status == CST_OK && folders->test)
        status = fill(o, folders->test, &files->test, &features, files->train.paths.n, &splits[2], error);
    cst_wav_features_clear(&features);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* Load the data set from its folders. */
static cst_status load_folders(cst_config section, const wav_options *o, const wav_folders *folders,
                               const cst_names *classes, uint64_t seed, cst_dataset *data, cst_error *error)
{
    cst_class_folders files;
    const cst_class_kind kind = {"WAV files", ".wav", classes->n > 0 ? classes : NULL};
    CST_TRY(cst_class_folders_read(folders->train, folders->test, &kind, &files, error));
    /* There is never a validation folder. */
    cst_series splits[3] = {{0}};
    cst_status status = read_series(o, folders, &files, splits, error);
    if (status == CST_EARG) status = cst_config_place(section, error); /* options that contradict each other */
    data->n_classes = files.classes.n;
    cst_class_folders_clear(&files);
    if (status == CST_OK) status = cst_series_finish(section, &o->series, seed, splits, data, error);
    for (size_t p = 0; p < 3; p++) cst_series_clear(&splits[p]);
    return status;
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    wav_options o = {0};
    cst_names classes = {0};
    wav_folders folders = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* The first frame is centred at sample 0 and mirrored there, which needs more than half a frame. */
    if (o.samples > 0 && o.samples <= o.mfcc.n_fft / 2)
        return cst_config_fail(cst_config_get(section, "samples"), error,
                               "expected more than %zu, half of n_fft, got %zu", o.mfcc.n_fft / 2, o.samples);
    /* Find the class folders, then read them. */
    cst_status status = CST_OK;
    if (cst_config_present(o.classes)) status = read_classes(o.classes, &classes, error);
    if (status == CST_OK) status = cst_locate(&(cst_data_location){.path = o.path}, &folders.all, error);
    if (status == CST_OK) status = cst_class_folders_find(folders.all, &folders.train, &folders.test, error);
    if (status == CST_OK) status = load_folders(section, &o, &folders, &classes, seed, data, error);
    cst_names_clear(&classes);
    free(folders.train);
    free(folders.test);
    free(folders.all);
    return status;
}

const cst_dataset_type cst_wav_dataset_type = {
    "wav", "sound in WAV files, one folder per class, as cepstral coefficients", keys, load};
