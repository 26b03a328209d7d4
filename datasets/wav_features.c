#include "datasets/wav_features.h"

#include "core/array.h"
#include "core/file.h"
#include "core/parallel.h"
#include "core/text.h"
#include "formats/npy.h"
#include "formats/wav.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* CST_ENOMEM with a file's name. */
static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

/* One clip, the result of one task. */
typedef struct clip {
    real *values; /* (frames, n_mfcc); NULL: left out */
    size_t frames;
    cst_status status;
} clip;

/* The arguments of cst_wav_features_read and the state of the computation. Each clip is a separate task. */
typedef struct job {
    const char *root, *cache;
    const cst_names *paths;
    const cst_mfcc_options *o;
    size_t samples, rate; /* samples per clip, 0: any; samples per second */
    cst_mfcc *mfcc;
    clip *clips; /* (paths->n) */
} job;

void cst_wav_features_clear(cst_wav_features *features)
{
    free(features->values);
    free(features->frames);
    *features = (cst_wav_features){0};
}

/* ---- a clip -------------------------------------------------------------------------------------------------- */

/* Compute the coefficients of a clip. On failure the caller frees c->values. */
static cst_status compute(const job *j, const char *path, const cst_wav *wav, clip *c, cst_error *error)
{
    const size_t frames = cst_mfcc_frames(j->mfcc, wav->n), n = cst_size_mul(frames, j->o->n_mfcc);
    if (frames == 0)
        return cst_fail(error, CST_EFORMAT, "%s: expected more than %zu samples, half of n_fft, found %zu", path,
                        j->o->n_fft / 2, wav->n);
    double *y = cst_array_new(n, sizeof *y);
    c->values = cst_array_new(n, sizeof *c->values);
    c->frames = frames;
    cst_status status = y && c->values ? CST_OK : no_memory(path, error);
    if (status == CST_OK) status = cst_mfcc_compute(j->mfcc, wav->samples, wav->n, y, error);
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        c->values[i] = (real)y[i];
        /* Samples near the largest float have an infinite power. */
        if (!isfinite(c->values[i]))
            status = cst_fail(error, CST_EFORMAT, "%s: frame %zu: expected samples whose power is a finite number",
                              path, i / j->o->n_mfcc);
    }
    free(y);
    return status;
}

/* Read clip i, and compute its coefficients unless its number of samples is wrong. */
static cst_status read_clip(const job *j, size_t i, cst_error *error)
{
    const char *path = j->paths->name[i];
    clip *c = &j->clips[i];
    cst_wav wav;
    *c = (clip){0};
    CST_TRY(cst_wav_read(path, &wav, error));
    cst_status status = CST_OK;
    /* All clips have the sample rate of the first one. A clip of another length stays empty. */
    if (wav.rate != j->rate)
        status = cst_fail(error, CST_EFORMAT, "%s: expected %zu samples per second like %s, found %zu", path, j->rate,
                          j->paths->name[0], wav.rate);
    else if (j->samples == 0 || wav.n == j->samples)
        status = compute(j, path, &wav, c, error);
    cst_wav_clear(&wav);
    if (status != CST_OK) free(c->values);
    if (status != CST_OK) *c = (clip){0};
    return status;
}

/* A task: statuses only, because messages would depend on the order of the threads. */
static void read_task(void *context, size_t i)
{
    const job *j = context;
    j->clips[i].status = read_clip(j, i, NULL);
}

/* Read all clips in parallel. The first failure in the list is reported, whichever thread failed first: that clip is read
 * again for its message. */
static cst_status read_clips(job *j, cst_error *error)
{
    const size_t n = j->paths->n;
    j->clips = calloc(n > 0 ? n : 1, sizeof *j->clips);
    if (!j->clips) return no_memory(j->root, error);
    cst_parallel(cst_threads_available(), n, read_task, j);
    for (size_t i = 0; i < n; i++) {
        if (j->clips[i].status != CST_OK) CST_TRY(read_clip(j, i, error));
    }
    return CST_OK;
}

/* ---- one array ----------------------------------------------------------------------------------------------- */

/* Copy the coefficients of all clips to one array (n, T, n_mfcc), padded with NaN. */
static cst_status pack(job *j, cst_wav_features *f, cst_error *error)
{
    /* T is the largest number of frames. */
    f->n = j->paths->n;
    f->channels = j->o->n_mfcc;
    for (size_t i = 0; i < f->n; i++) {
        if (j->clips[i].frames > f->steps) f->steps = j->clips[i].frames;
    }
    const size_t row = cst_size_mul(f->steps, f->channels);
    f->frames = cst_array_new(f->n, sizeof *f->frames);
    f->values = cst_array_new(cst_size_mul(f->n, row), sizeof *f->values);
    if (!f->frames || !f->values) return no_memory(j->root, error);
    for (size_t i = 0; i < f->n; i++) {
        clip *c = &j->clips[i];
        const size_t present = c->frames * f->channels;
        real *to = f->values + i * row;
        f->frames[i] = c->frames;
        if (present > 0) memcpy(to, c->values, present * sizeof *to);
        for (size_t k = present; k < row; k++) to[k] = (real)NAN;
        /* All clips together are as large as the array, so each is freed at once. */
        free(c->values);
        c->values = NULL;
    }
    return CST_OK;
}

/* ---- the cache's name ---------------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t h, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)bytes[i]) * 0x100000001b3;
    return h;
}

/* Continue the hash with the name, size and modification time of a file. */
static cst_status hash_file(const job *j, const char *path, uint64_t *h, cst_error *error)
{
    struct stat about;
    char text[100];
    if (stat(path, &about) != 0) return cst_fail_io(error, path, "cannot open", errno);
    const char *name = path + strlen(j->root);
    const int n = snprintf(text, sizeof text, "%lld %lld.%09ld", (long long)about.st_size,
                           (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    *h = hash(*h, name, strlen(name) + 1);
    *h = hash(*h, text, (size_t)n + 1);
    return CST_OK;
}

/* The name of the cache file: a hash of everything that its contents depend on. */
static cst_status name_cache(const job *j, char name[64], cst_error *error)
{
    enum { VERSION = 1 }; /* to be increased when the same options give other numbers */
    /* The options, then all files. */
    cst_text text = {0};
    cst_text_printf(&text, "%d " CST_REAL_NAME " %zu %zu %zu %zu %zu %zu %zu ", VERSION, j->o->n_fft, j->o->hop,
                    j->o->n_mels, j->o->n_mfcc, j->samples, j->rate, j->paths->n);
    cst_text_number(&text, j->o->log_offset);
    cst_status status = text.failed ? no_memory(j->cache, error) : CST_OK;
    uint64_t h = status == CST_OK ? hash(0xcbf29ce484222325, text.data, text.size + 1) : 0;
    free(text.data);
    for (size_t i = 0; status == CST_OK && i < j->paths->n; i++) {
        status = hash_file(j, j->paths->name[i], &h, error);
    }
    snprintf(name, 64, "mfcc-%016llx.npy", (unsigned long long)h);
    return status;
}

/* ---- the cache ----------------------------------------------------------------------------------------------- */

/* Count the frames of a cached clip, (steps, channels): finite numbers, followed by NaN. False if it is not of that form. */
static bool count_frames(const real *values, size_t steps, size_t channels, size_t *frames)
{
    const size_t n = steps * channels;
    size_t i = 0;
    while (i < n && isfinite(values[i])) i++;
    *frames = i / channels;
    if (i % channels != 0) return false;
    while (i < n && isnan(values[i])) i++;
    return i == n;
}

/* Whether the array may have been written by write_cache for these clips: its shape and the numbers of frames are right. Sets
 * f->steps and f->frames. */
static bool accept(const job *j, const cst_npy *array, cst_wav_features *f)
{
    const cst_shape *shape = &array->shape;
    if (array->type != CST_NPY_REAL || shape->rank != 3 || shape->dim[0] != f->n || shape->dim[2] != f->channels)
        return false;
    f->steps = shape->dim[1];
    size_t most = 0;
    for (size_t i = 0; i < f->n; i++) {
        const real *values = (const real *)array->data + i * f->steps * f->channels;
        if (!count_frames(values, f->steps, f->channels, &f->frames[i])) return false;
        if (f->frames[i] > most) most = f->frames[i];
        /* A clip has the frames of `samples` samples, or none if it is left out; without `samples` none is left out. */
        if (f->frames[i] > 0 ? j->samples > 0 && f->frames[i] != cst_mfcc_frames(j->mfcc, j->samples) : j->samples == 0)
            return false;
    }
    /* T is the number of frames of the longest clip. */
    return most > 0 && most == f->steps;
}

/* Take over the numbers of the array if it is acceptable. */
static cst_status take_cache(const job *j, const char *path, cst_npy *array, cst_wav_features *f, bool *found,
                             cst_error *error)
{
    cst_wav_features taken = {.n = j->paths->n, .channels = j->o->n_mfcc};
    taken.frames = cst_array_new(taken.n, sizeof *taken.frames);
    if (!taken.frames) return no_memory(path, error);
    *found = accept(j, array, &taken);
    if (!*found) {
        free(taken.frames);
        return CST_OK;
    }
    taken.values = array->data;
    array->data = NULL;
    *f = taken;
    return CST_OK;
}

/* Read the cache file. *found is false if it does not exist, is damaged or is foreign: it is recomputed then. */
static cst_status read_cache(const job *j, const char *path, cst_wav_features *f, bool *found, cst_error *error)
{
    cst_npy array;
    cst_error damaged; /* not reported for a damaged file */
    *found = false;
    if (!cst_path_exists(path)) return CST_OK;
    cst_status status = cst_npy_read(path, &array, &damaged);
    if (status == CST_EFORMAT) return CST_OK;
    if (status != CST_OK) {
        if (error) *error = damaged;
        return status;
    }
    status = take_cache(j, path, &array, f, found, error);
    cst_npy_clear(&array);
    return status;
}

/* Write the cache file, and create its folder if necessary. */
static cst_status write_cache(const job *j, const char *name, const char *path, const cst_wav_features *f,
                              cst_error *error)
{
    if (f->steps == 0) return CST_OK; /* all clips were left out */
    /* Remove temporary files that an interrupted run has left, then write. */
    const cst_shape shape = {3, {f->n, f->steps, f->channels}};
    CST_TRY(cst_folder_create(j->cache, error));
    cst_folder_tidy(j->cache, (const char *const[]){name, NULL});
    return cst_npy_write(path, CST_NPY_REAL, &shape, f->values, error);
}

/* ---- all clips ----------------------------------------------------------------------------------------------- */

/* Compute all coefficients from the WAV files. */
static cst_status compute_all(job *j, cst_wav_features *features, cst_error *error)
{
    cst_status status = read_clips(j, error);
    if (status == CST_OK) status = pack(j, features, error);
    for (size_t i = 0; j->clips && i < j->paths->n; i++) free(j->clips[i].values);
    free(j->clips);
    return status;
}

/* Read the cache, or compute the coefficients and write it. */
static cst_status read_or_compute(job *j, cst_wav_features *features, cst_error *error)
{
    char name[64];
    bool found;
    if (!j->cache) return compute_all(j, features, error);
    CST_TRY(name_cache(j, name, error));
    char *path = cst_path_join(j->cache, name);
    if (!path) return no_memory(j->cache, error);
    /* Write the cache only after computing. */
    cst_status status = read_cache(j, path, features, &found, error);
    if (status == CST_OK && !found) {
        status = compute_all(j, features, error);
        if (status == CST_OK) status = write_cache(j, name, path, features, error);
    }
    free(path);
    return status;
}

/* The sample rate of the first file, which all others must have. */
static cst_status read_rate(const char *path, size_t *rate, cst_error *error)
{
    cst_wav wav;
    CST_TRY(cst_wav_read(path, &wav, error));
    *rate = wav.rate;
    cst_wav_clear(&wav);
    if (*rate >= 2) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: expected at least 2 samples per second, found %zu", path, *rate);
}

cst_status cst_wav_features_read(const char *root, const cst_names *paths, const cst_mfcc_options *options,
                                 size_t samples, const char *cache, cst_wav_features *features, cst_error *error)
{
    job j = {.root = root, .cache = cache, .paths = paths, .o = options, .samples = samples};
    *features = (cst_wav_features){0};
    if (paths->n == 0) return CST_OK;
    /* The filters depend on the sample rate, so it is read first. */
    CST_TRY(read_rate(paths->name[0], &j.rate, error));
    CST_TRY(cst_mfcc_new(options, j.rate, &j.mfcc, error));
    const cst_status status = read_or_compute(&j, features, error);
    cst_mfcc_free(j.mfcc);
    if (status != CST_OK) cst_wav_features_clear(features);
    return status;
}
