/* The part of formats/safetensors.h that reads files. */
#include "core/config.h"
#include "core/file.h"
#include "formats/safetensors_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers are copied to and from the file without conversion, and the format is little-endian. */
#if defined(__BYTE_ORDER__)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors.c needs a little-endian machine");
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "float and double must be IEEE 754's");

enum { CHUNK = 4096 }; /* elements converted at a time */

const cst_dtype_info cst_dtypes[CST_N_DTYPES] = {
    [CST_F32] = {"F32", 32},
    [CST_F64] = {"F64", 64},
    [CST_U64] = {"U64", 64},
    {"BOOL", 8},
    {"U8", 8},
    {"I8", 8},
    {"U16", 16},
    {"I16", 16},
    {"F16", 16},
    {"BF16", 16},
    {"U32", 32},
    {"I32", 32},
    {"I64", 64},
    {"C64", 64},
    {"F8_E5M2", 8},
    {"F8_E4M3", 8},
    {"F8_E8M0", 8},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"F4", 4},
};

/* ---- opening ------------------------------------------------------------------------------------------------- */

/* A tensor as the header describes it. */
typedef struct entry {
    const char *name;  /* belongs to the header's document */
    size_t dtype;      /* index in cst_dtypes */
    cst_shape shape;   /* if the rank is larger than CST_MAX_RANK, the dimensions beyond that are not stored */
    size_t begin, end; /* offsets in the data, in bytes */
} entry;

struct cst_safetensors {
    char *path;
    int handle;
    size_t data;   /* offset of the data in the file */
    size_t n_data; /* bytes of data */
    cst_document *header;
    cst_config metadata; /* not present if the header has none */
    size_t n;
    entry *entries; /* in the order of their data */
};

/* Read `size` bytes at `offset`. The position of the descriptor is not used, so that several threads may read. */
static cst_status read_bytes(const cst_safetensors *file, size_t offset, void *bytes, size_t size, cst_error *error)
{
    size_t n = 0;
    while (n < size) {
        const ssize_t got = pread(file->handle, (char *)bytes + n, size - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cst_fail(error, CST_EIO, "%s: cannot read: %s", file->path, strerror(errno));
        if (got == 0)
            return cst_fail(error, CST_EIO, "%s: cannot read: the file became shorter while it was open", file->path);
        n += (size_t)got;
    }
    return CST_OK;
}

/* Read a whole number of the header. Doubles represent whole numbers exactly up to 2^53. Returns false for anything
 * else. */
static bool whole_number(cst_config config, size_t *value)
{
    double number;
    if (!cst_config_number(config, &number) || !(number >= 0 && number <= 9007199254740992.0)) return false;
    *value = (size_t)number;
    return (double)*value == number;
}

static cst_status fail_entry(const cst_safetensors *file, const char *name, const char *why, cst_error *error)
{
    return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": %s", file->path, name, why);
}

/* Read the shape of a tensor. *elements is the product of its dimensions, and saturates. */
static cst_status read_shape(const cst_safetensors *file, entry *e, cst_config shape, size_t *elements,
                             cst_error *error)
{
    if (!cst_config_is_list(shape)) return fail_entry(file, e->name, "expected a shape, a list of integers", error);
    *elements = 1;
    for (cst_config item = cst_config_item(shape, 0); item.node; item = cst_config_next(item)) {
        size_t dim;
        if (!whole_number(item, &dim))
            return fail_entry(file, e->name, "expected non-negative integers in its shape", error);
        if (e->shape.rank < CST_MAX_RANK) e->shape.dim[e->shape.rank] = dim;
        e->shape.rank++;
        *elements = cst_size_mul(*elements, dim);
    }
    return CST_OK;
}

/* Read one entry of the header, and check that its offsets fit its type and shape. */
static cst_status read_entry(const cst_safetensors *file, cst_config member, entry *e, cst_error *error)
{
    /* The type. */
    *e = (entry){.name = cst_config_key(member)};
    if (!cst_config_is_object(member)) return fail_entry(file, e->name, "expected an object", error);
    const char *dtype = cst_config_string(cst_config_get(member, "dtype"));
    if (!dtype) return fail_entry(file, e->name, "expected a dtype, a string", error);
    while (e->dtype < CST_N_DTYPES && strcmp(cst_dtypes[e->dtype].name, dtype) != 0) e->dtype++;
    if (e->dtype == CST_N_DTYPES) {
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": unknown dtype %s", file->path, e->name, dtype);
    }
    /* The shape. */
    size_t elements = 0;
    CST_TRY(read_shape(file, e, cst_config_get(member, "shape"), &elements, error));
    /* The offsets of the data: [begin, end). */
    const cst_config offsets = cst_config_get(member, "data_offsets");
    if (cst_config_length(offsets) != 2 || !cst_config_is_list(offsets) ||
        !whole_number(cst_config_item(offsets, 0), &e->begin) || !whole_number(cst_config_item(offsets, 1), &e->end)) {
        return fail_entry(file, e->name, "expected data_offsets, two integers", error);
    }
    const size_t bits = cst_size_mul(elements, cst_dtypes[e->dtype].bits);
    if (e->begin > e->end || bits == SIZE_MAX || bits % 8 != 0 || e->end - e->begin != bits / 8) {
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": offsets %zu to %zu do not fit %zu elements of %s",
                        file->path, e->name, e->begin, e->end, elements, dtype);
    }
    return CST_OK;
}

/* Order by offset; empty tensors come before others at the same offset. */
static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Check that the tensors, sorted by offset, fill the data without holes or overlaps. */
static cst_status check_layout(const cst_safetensors *file, cst_error *error)
{
    size_t end = 0;
    for (size_t i = 0; i < file->n; i++) {
        const entry *e = &file->entries[i];
        if (e->begin != end) {
            return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\" begins at byte %zu of the data, %s %zu", file->path,
                            e->name, e->begin, e->begin < end ? "inside the tensor that ends at" : "after a hole from",
                            end);
        }
        end = e->end;
    }
    if (end == file->n_data) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: its tensors have %zu bytes, but %zu follow the header", file->path, end,
                    file->n_data);
}

/* Read all entries and the metadata from the header. */
static cst_status read_entries(cst_safetensors *file, cst_error *error)
{
    const cst_config root = cst_document_root(file->header);
    const size_t n = cst_config_length(root);
    file->entries = calloc(n > 0 ? n : 1, sizeof *file->entries);
    if (!file->entries) return cst_fail(error, CST_ENOMEM, "%s: out of memory", file->path);
    for (cst_config member = cst_config_item(root, 0); member.node; member = cst_config_next(member)) {
        if (strcmp(cst_config_key(member), CST_METADATA_KEY) == 0) {
            file->metadata = member;
        } else {
            CST_TRY(read_entry(file, member, &file->entries[file->n], error));
            file->n++;
        }
    }
    if (file->metadata.node && !cst_config_is_object(file->metadata)) {
        return cst_fail(error, CST_EFORMAT, "%s: %s: expected an object of strings", file->path, CST_METADATA_KEY);
    }
    /* All metadata are strings. */
    for (cst_config m = cst_config_item(file->metadata, 0); m.node; m = cst_config_next(m)) {
        if (!cst_config_string(m)) {
            return cst_fail(error, CST_EFORMAT, "%s: %s: \"%s\" is not a string", file->path, CST_METADATA_KEY,
                            cst_config_key(m));
        }
    }
    /* The order of keys in the header is arbitrary: sort by offset. */
    qsort(file->entries, file->n, sizeof *file->entries, compare_entries);
    return check_layout(file, error);
}

/* Read and check the header of a file of `size` bytes. */
static cst_status read_header(cst_safetensors *file, size_t size, cst_error *error)
{
    /* Its length. */
    uint64_t length;
    if (size < CST_LENGTH_BYTES)
        return cst_fail(error, CST_EFORMAT, "%s: expected at least %d bytes, got %zu", file->path, CST_LENGTH_BYTES,
                        size);
    CST_TRY(read_bytes(file, 0, &length, CST_LENGTH_BYTES, error));
    if (length > CST_MAX_HEADER || length > size - CST_LENGTH_BYTES) {
        return cst_fail(error, CST_EFORMAT,
                        "%s: expected a header inside the file of %zu bytes, found one of %" PRIu64 " bytes",
                        file->path, size, length);
    }
    /* Its text, which must be JSON. An error there is one of the file's format, not of a config. */
    char *text = malloc(length > 0 ? length : 1);
    if (!text) return cst_fail(error, CST_ENOMEM, "%s: out of memory", file->path);
    cst_status status = read_bytes(file, CST_LENGTH_BYTES, text, length, error);
    if (status == CST_OK) status = cst_document_parse(file->path, text, length, &file->header, error);
    free(text);
    if (status == CST_ECONFIG) {
        status = CST_EFORMAT;
        if (error) error->status = status;
    }
    CST_TRY(status);
    file->data = CST_LENGTH_BYTES + length;
    file->n_data = size - file->data;
    return read_entries(file, error);
}

cst_status cst_safetensors_open(const char *path, cst_safetensors **file, cst_error *error)
{
    cst_safetensors *f = calloc(1, sizeof *f);
    if (!f) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    f->handle = -1;
    f->path = strdup(path);
    if (!f->path) {
        cst_safetensors_close(f);
        return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    }
    /* Open the file, which must have a size. */
    struct stat about;
    cst_status status = cst_file_open(path, &f->handle, error);
    if (status == CST_OK && (fstat(f->handle, &about) != 0 || !S_ISREG(about.st_mode)))
        status = cst_fail(error, CST_EIO, "%s: cannot open: not a regular file", path);
    if (status == CST_OK) status = read_header(f, (size_t)about.st_size, error);
    if (status != CST_OK) {
        cst_safetensors_close(f);
        return status;
    }
    *file = f;
    return CST_OK;
}

void cst_safetensors_close(cst_safetensors *file)
{
    if (!file) return;
    if (file->handle >= 0) close(file->handle);
    cst_document_free(file->header);
    free(file->entries);
    free(file->path);
    free(file);
}

const char *cst_safetensors_path(const cst_safetensors *file)
{
    return file->path;
}

size_t cst_safetensors_count(const cst_safetensors *file)
{
    return file->n;
}

const char *cst_safetensors_name(const cst_safetensors *file, size_t i)
{
    return file->entries[i].name;
}

const char *cst_safetensors_metadata(const cst_safetensors *file, const char *key)
{
    return cst_config_string(cst_config_get(file->metadata, key));
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Find the tensor of a name, and check that it can be read as `dtype` and has the shape. */
static cst_status find_entry(const cst_safetensors *file, const char *name, cst_dtype dtype, const cst_shape *shape,
                             const entry **found, cst_error *error)
{
    const entry *e = NULL;
    for (size_t i = 0; i < file->n && !e; i++) {
        if (strcmp(file->entries[i].name, name) == 0) e = &file->entries[i];
    }
    if (!e) return cst_fail(error, CST_EFORMAT, "%s: has no tensor \"%s\"", file->path, name);
    if ((dtype == CST_U64) ? e->dtype != CST_U64 : e->dtype != CST_F32 && e->dtype != CST_F64) {
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": expected %s, got %s", file->path, name,
                        dtype == CST_U64 ? "U64" : "F32 or F64", cst_dtypes[e->dtype].name);
    }
    if (!cst_shape_equal(&e->shape, shape)) {
        char wanted[CST_SHAPE_TEXT], got[CST_SHAPE_TEXT];
        snprintf(got, sizeof got, "one of %zu dimensions", e->shape.rank);
        if (e->shape.rank <= CST_MAX_RANK) cst_shape_text(&e->shape, got);
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": expected shape %s, got %s", file->path, name,
                        cst_shape_text(shape, wanted), got);
    }
    *found = e;
    return CST_OK;
}

/* Read n elements of the other floating-point type than `dtype`, and convert them in portions. */
static cst_status read_converted(const cst_safetensors *file, size_t offset, cst_dtype dtype, size_t n, void *data,
                                 cst_error *error)
{
    union {
        float f32[CHUNK];
        double f64[CHUNK];
    } stored;
    const size_t size = dtype == CST_F64 ? sizeof(float) : sizeof(double);
    for (size_t done = 0; done < n; done += CHUNK) {
        const size_t count = n - done < CHUNK ? n - done : CHUNK;
        CST_TRY(read_bytes(file, offset + done * size, &stored, count * size, error));
        for (size_t i = 0; i < count; i++) {
            if (dtype == CST_F64) {
                ((double *)data)[done + i] = (double)stored.f32[i];
            } else {
                ((float *)data)[done + i] = (float)stored.f64[i];
            }
        }
    }
    return CST_OK;
}

cst_status cst_safetensors_read(const cst_safetensors *file, const char *name, cst_dtype dtype, const cst_shape *shape,
                                void *data, cst_error *error)
{
    const entry *e;
    CST_TRY(find_entry(file, name, dtype, shape, &e, error));
    if (!data) return CST_OK;
    if (e->dtype == dtype) return read_bytes(file, file->data + e->begin, data, e->end - e->begin, error);
    return read_converted(file, file->data + e->begin, dtype, cst_shape_size(shape), data, error);
}
