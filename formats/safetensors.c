#include "formats/safetensors.h"

#include "core/config.h"
#include "core/file.h"
#include "core/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers go to and from the file as they are in memory, and the format is little-endian. */
#if defined(__BYTE_ORDER__)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors.c needs a little-endian machine");
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "float and double must be IEEE 754's");

enum {
    LENGTH_BYTES = 8,       /* the file begins with the header's length */
    MAX_HEADER = 100000000, /* the format's limit */
    CHUNK = 4096            /* elements converted at a time */
};

static const char metadata_key[] = "__metadata__";

/* The format's types, ours first and in the order of cst_dtype. Sizes are in bits as some have less than a byte. */
typedef struct dtype_info {
    const char *name;
    size_t bits;
} dtype_info;

static const dtype_info dtypes[] = {
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
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

/* ---- saving -------------------------------------------------------------------------------------------------- */

/* Tensors of 8-byte elements come first, so that every tensor is aligned to its elements in the file: the header is
 * padded for that. Whether tensor i belongs to pass 0 or 1. */
static int write_pass(const cst_save_tensor *tensor)
{
    return dtypes[tensor->dtype].bits == 64 ? 0 : 1;
}

static size_t tensor_bytes(const cst_save_tensor *tensor)
{
    return cst_size_mul(cst_shape_size(&tensor->shape), dtypes[tensor->dtype].bits / 8);
}

static void put_entry(cst_text *header, const cst_save_tensor *tensor, size_t begin)
{
    cst_text_quote(header, tensor->name);
    cst_text_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[tensor->dtype].name);
    for (size_t i = 0; i < tensor->shape.rank; i++) {
        cst_text_printf(header, "%s%zu", i > 0 ? "," : "", tensor->shape.dim[i]);
    }
    cst_text_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, cst_size_add(begin, tensor_bytes(tensor)));
}

static void put_header(cst_text *header, const cst_save_tensor *tensors, size_t n, const char *const *metadata)
{
    const char *separator = "";
    cst_text_puts(header, "{");
    if (metadata) {
        cst_text_printf(header, "\"%s\":{", metadata_key);
        for (size_t i = 0; metadata[i]; i += 2) {
            if (i > 0) cst_text_puts(header, ",");
            cst_text_quote(header, metadata[i]);
            cst_text_puts(header, ":");
            cst_text_quote(header, metadata[i + 1]);
        }
        cst_text_puts(header, "}");
        separator = ",";
    }
    size_t begin = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            if (write_pass(&tensors[i]) != pass) continue;
            cst_text_puts(header, separator);
            separator = ",";
            put_entry(header, &tensors[i], begin);
            begin = cst_size_add(begin, tensor_bytes(&tensors[i]));
        }
    }
    cst_text_puts(header, "}");
    while (!header->failed && header->size % 8 != 0) cst_text_puts(header, " ");
}

/* What could not be read again is not written: names that are no UTF-8 or occur twice show when the header is
 * parsed. */
static cst_status check_header(const char *path, const cst_text *header, cst_error *error)
{
    if (header->failed) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    if (header->size > MAX_HEADER)
        return cst_fail(error, CST_EARG, "%s: the names are longer than the format allows", path);
    cst_document *document;
    cst_error why;
    const cst_status status = cst_document_parse("header", header->data, header->size, &document, &why);
    if (status == CST_OK) cst_document_free(document);
    if (status == CST_ENOMEM) return cst_fail(error, status, "%s: out of memory", path);
    if (status != CST_OK) return cst_fail(error, CST_EARG, "%s: names cannot be written: %s", path, why.message);
    return CST_OK;
}

static cst_status check_tensors(const char *path, const cst_save_tensor *tensors, size_t n, cst_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const cst_save_tensor *tensor = &tensors[i];
        if ((unsigned)tensor->dtype > CST_U64 || tensor->shape.rank > CST_MAX_RANK ||
            strcmp(tensor->name, metadata_key) == 0) {
            return cst_fail(error, CST_EARG, "%s: tensor \"%s\" has a name, type or rank that cannot be written", path,
                            tensor->name);
        }
        total = cst_size_add(total, tensor_bytes(tensor));
    }
    if (total >= SIZE_MAX / 2) return cst_fail(error, CST_EARG, "%s: the tensors are too large", path);
    return CST_OK;
}

cst_status cst_safetensors_save(const char *path, const cst_save_tensor *tensors, size_t n, const char *const *metadata,
                                cst_error *error)
{
    CST_TRY(check_tensors(path, tensors, n, error));
    cst_text header = {0};
    put_header(&header, tensors, n, metadata);
    cst_new_file file = {0};
    cst_status status = check_header(path, &header, error);
    if (status == CST_OK) status = cst_new_file_create(path, &file, error);
    if (status == CST_OK) {
        const uint64_t length = header.size;
        cst_new_file_write(&file, &length, LENGTH_BYTES);
        cst_new_file_write(&file, header.data, header.size);
        for (int pass = 0; pass < 2; pass++) {
            for (size_t i = 0; i < n; i++) {
                const cst_save_tensor *tensor = &tensors[i];
                if (write_pass(tensor) == pass) cst_new_file_write(&file, tensor->data, tensor_bytes(tensor));
            }
        }
        status = cst_new_file_commit(&file, error);
    }
    free(header.data);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

typedef struct entry {
    const char *name; /* the document's */
    size_t dtype;     /* index in dtypes */
    cst_shape shape;  /* its rank may be larger than CST_MAX_RANK; then without the dimensions beyond */
    size_t begin, end;
} entry;

struct cst_safetensors {
    char *path;
    int handle;
    size_t data;   /* where it begins in the file */
    size_t n_data; /* its bytes */
    cst_document *header;
    cst_config metadata;
    size_t n;
    entry *entries; /* in the order of their data */
};

/* Up to `size` bytes from `offset`; less only at the end of the file. */
static cst_status read_bytes(const cst_safetensors *file, size_t offset, void *bytes, size_t size, cst_error *error)
{
    size_t n = 0;
    while (n < size) {
        const ssize_t got = pread(file->handle, (char *)bytes + n, size - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cst_fail(error, CST_EIO, "%s: cannot read: %s", file->path, strerror(errno));
        if (got == 0) return cst_fail(error, CST_EIO, "%s: cannot read: it has become shorter", file->path);
        n += (size_t)got;
    }
    return CST_OK;
}

/* A header's value that must be a whole number; a double holds those up to 2^53. */
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

static cst_status read_entry(const cst_safetensors *file, cst_config member, entry *e, cst_error *error)
{
    *e = (entry){.name = cst_config_key(member)};
    if (!cst_config_is_object(member)) return fail_entry(file, e->name, "expected an object", error);
    const char *dtype = cst_config_string(cst_config_get(member, "dtype"));
    if (!dtype) return fail_entry(file, e->name, "expected a dtype, a string", error);
    while (e->dtype < N_DTYPES && strcmp(dtypes[e->dtype].name, dtype) != 0) e->dtype++;
    if (e->dtype == N_DTYPES) {
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": unknown dtype %s", file->path, e->name, dtype);
    }
    size_t elements = 0;
    CST_TRY(read_shape(file, e, cst_config_get(member, "shape"), &elements, error));
    const cst_config offsets = cst_config_get(member, "data_offsets");
    if (cst_config_length(offsets) != 2 || !cst_config_is_list(offsets) ||
        !whole_number(cst_config_item(offsets, 0), &e->begin) || !whole_number(cst_config_item(offsets, 1), &e->end)) {
        return fail_entry(file, e->name, "expected data_offsets, two integers", error);
    }
    const size_t bits = cst_size_mul(elements, dtypes[e->dtype].bits);
    if (e->begin > e->end || bits == SIZE_MAX || bits % 8 != 0 || e->end - e->begin != bits / 8) {
        return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\": offsets %zu to %zu do not fit %zu elements of %s",
                        file->path, e->name, e->begin, e->end, elements, dtype);
    }
    return CST_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Each byte of the data belongs to one tensor. */
static cst_status check_layout(const cst_safetensors *file, cst_error *error)
{
    size_t end = 0;
    for (size_t i = 0; i < file->n; i++) {
        const entry *e = &file->entries[i];
        if (e->begin != end) {
            return cst_fail(error, CST_EFORMAT, "%s: tensor \"%s\" begins at byte %zu of the data, %s %zu", file->path,
                            e->name, e->begin, e->begin < end ? "inside the one that ends at" : "after a hole from",
                            end);
        }
        end = e->end;
    }
    if (end == file->n_data) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: its tensors have %zu bytes, but %zu follow the header", file->path, end,
                    file->n_data);
}

static cst_status read_entries(cst_safetensors *file, cst_error *error)
{
    const cst_config root = cst_document_root(file->header);
    const size_t n = cst_config_length(root);
    file->entries = calloc(n > 0 ? n : 1, sizeof *file->entries);
    if (!file->entries) return cst_fail(error, CST_ENOMEM, "%s: out of memory", file->path);
    for (cst_config member = cst_config_item(root, 0); member.node; member = cst_config_next(member)) {
        if (strcmp(cst_config_key(member), metadata_key) == 0) {
            file->metadata = member;
        } else {
            CST_TRY(read_entry(file, member, &file->entries[file->n], error));
            file->n++;
        }
    }
    if (file->metadata.node && !cst_config_is_object(file->metadata)) {
        return cst_fail(error, CST_EFORMAT, "%s: %s: expected an object of strings", file->path, metadata_key);
    }
    for (cst_config m = cst_config_item(file->metadata, 0); m.node; m = cst_config_next(m)) {
        if (!cst_config_string(m)) {
            return cst_fail(error, CST_EFORMAT, "%s: %s: \"%s\" is not a string", file->path, metadata_key,
                            cst_config_key(m));
        }
    }
    qsort(file->entries, file->n, sizeof *file->entries, compare_entries);
    return check_layout(file, error);
}

static cst_status read_header(cst_safetensors *file, size_t size, cst_error *error)
{
    uint64_t length;
    if (size < LENGTH_BYTES) return cst_fail(error, CST_EFORMAT, "%s: only %zu bytes long", file->path, size);
    CST_TRY(read_bytes(file, 0, &length, LENGTH_BYTES, error));
    if (length > MAX_HEADER || length > size - LENGTH_BYTES) {
        return cst_fail(error, CST_EFORMAT, "%s: a header of %" PRIu64 " bytes in a file of %zu", file->path, length,
                        size);
    }
    char *text = malloc(length > 0 ? length : 1);
    if (!text) return cst_fail(error, CST_ENOMEM, "%s: out of memory", file->path);
    cst_status status = read_bytes(file, LENGTH_BYTES, text, length, error);
    if (status == CST_OK) status = cst_document_parse(file->path, text, length, &file->header, error);
    free(text);
    if (status == CST_ECONFIG) {
        status = CST_EFORMAT;
        if (error) error->status = status;
    }
    CST_TRY(status);
    file->data = LENGTH_BYTES + length;
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

/* The tensor of that name, if it can be read as `dtype` and has that shape. */
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
                        dtype == CST_U64 ? "U64" : "F32 or F64", dtypes[e->dtype].name);
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

/* n elements, single to double or the other way, through a buffer of the stored type. */
static cst_status read_converted(const cst_safetensors *file, size_t offset, cst_dtype dtype, size_t n, void *data,
                                 cst_error *error)
{
    union {
        float single[CHUNK];
        double twice[CHUNK];
    } stored;
    const size_t size = dtype == CST_F64 ? sizeof(float) : sizeof(double);
    for (size_t done = 0; done < n; done += CHUNK) {
        const size_t count = n - done < CHUNK ? n - done : CHUNK;
        CST_TRY(read_bytes(file, offset + done * size, &stored, count * size, error));
        for (size_t i = 0; i < count; i++) {
            if (dtype == CST_F64) {
                ((double *)data)[done + i] = (double)stored.single[i];
            } else {
                ((float *)data)[done + i] = (float)stored.twice[i];
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
