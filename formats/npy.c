#include "formats/npy.h"

#include "core/file.h"
#include "core/text.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Elements go to and from the file as they are in memory. */
#if defined(__BYTE_ORDER__)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "npy.c needs a little-endian machine");
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "float and double must be IEEE 754's");

static const struct {
    const char *name;
    size_t size;
} types[CST_N_NPY_TYPES] = {
#define X(name, text, type) {text, sizeof(type)},
    CST_NPY_TYPES(X)
#undef X
};

enum {
    PREFIX = 8,           /* 0x93 "NUMPY" and the version */
    MAX_HEADER = 1 << 16, /* what is longer describes something else than one array of numbers */
    FIRST_ROOM = 1 << 20, /* bytes, where a file does not tell its size */
    ALIGNMENT = 64,       /* of the first element in a file */
    EXCERPT = 40,         /* characters of a file shown in a message */
};
static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

/* A file being read. */
typedef struct reader {
    const char *path;
    FILE *stream;
    cst_error *error;
    char *header; /* n bytes; i: the next one to look at */
    size_t n, i;
    bool fortran;
} reader;

/* ---- bytes --------------------------------------------------------------------------------------------------- */

/* Up to n bytes; *got is smaller only at the end of the file. */
static cst_status read_bytes(reader *r, void *bytes, size_t n, size_t *got)
{
    *got = fread(bytes, 1, n, r->stream);
    if (*got == n || !ferror(r->stream)) return CST_OK;
    return cst_fail_io(r->error, r->path, "cannot read", errno);
}

static cst_status read_start(reader *r, size_t *length)
{
    uint8_t b[PREFIX + 4];
    size_t got;
    CST_TRY(read_bytes(r, b, PREFIX, &got));
    if (got < PREFIX)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected a NumPy array, found a file of %zu bytes", r->path, got);
    if (memcmp(b, magic, sizeof magic) != 0)
        return cst_fail(r->error, CST_EFORMAT,
                        "%s: expected a NumPy array, which begins with 93 4e 55 4d 50 59, found %02x %02x %02x %02x "
                        "%02x %02x",
                        r->path, b[0], b[1], b[2], b[3], b[4], b[5]);
    const unsigned major = b[6], minor = b[7];
    if (major < 1 || major > 3 || minor != 0)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected format version 1.0, 2.0 or 3.0, found %u.%u", r->path,
                        major, minor);
    const size_t bytes = major == 1 ? 2 : 4;
    CST_TRY(read_bytes(r, b + PREFIX, bytes, &got));
    if (got < bytes)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected the header's length, found the end of the file", r->path);
    *length = 0;
    for (size_t i = bytes; i-- > 0;) *length = *length << 8 | b[PREFIX + i];
    if (*length <= MAX_HEADER) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT, "%s: expected a header of at most %d bytes, found one of %zu", r->path,
                    MAX_HEADER, *length);
}

/* ---- the header ---------------------------------------------------------------------------------------------- */

/* "expected WHAT at byte N of the header, found ..." */
static cst_status unexpected(const reader *r, const char *what)
{
    char found[EXCERPT + 1];
    size_t n = 0;
    for (; n < EXCERPT && r->i + n < r->n; n++) {
        const char c = r->header[r->i + n];
        found[n] = c >= ' ' && c <= '~' ? c : '?';
    }
    found[n] = '\0';
    return cst_fail(r->error, CST_EFORMAT, "%s: expected %s at byte %zu of the header, found %s%s", r->path, what, r->i,
                    n > 0 ? found : "its end", r->i + n < r->n ? "..." : "");
}

/* The next character that is no blank; NUL at the end. */
static char peek(reader *r)
{
    while (r->i < r->n && r->header[r->i] == ' ') r->i++;
    return r->i < r->n ? r->header[r->i] : '\0';
}

static bool take(reader *r, char c)
{
    if (c == '\0' || peek(r) != c) return false;
    r->i++;
    return true;
}

static bool take_word(reader *r, const char *word)
{
    const size_t n = strlen(word);
    (void)peek(r);
    if (r->n - r->i < n || memcmp(r->header + r->i, word, n) != 0) return false;
    r->i += n;
    return true;
}

/* A Python string without escapes: where it begins and its length. */
static bool take_string(reader *r, const char **string, size_t *length)
{
    const size_t start = r->i;
    const char quote = peek(r);
    if (quote != '\'' && quote != '"') return false;
    const char *begin = r->header + r->i + 1;
    const char *end = memchr(begin, quote, r->n - r->i - 1);
    if (!end || memchr(begin, '\\', (size_t)(end - begin))) {
        r->i = start;
        return false;
    }
    *string = begin;
    *length = (size_t)(end - begin);
    r->i += *length + 2;
    return true;
}

static cst_status read_type(reader *r, cst_npy *array)
{
    const char *s;
    size_t n;
    (void)peek(r);
    const size_t start = r->i;
    if (take_string(r, &s, &n) && n == 3) {
        for (int t = 0; t < CST_N_NPY_TYPES; t++) {
            /* NumPy gives a single byte no order, other programs do. */
            const bool order = s[0] == '<' || (s[0] == '|' && types[t].size == 1);
            if (!order || memcmp(s + 1, types[t].name, 2) != 0) continue;
            array->type = (cst_npy_type)t;
            return CST_OK;
        }
    }
    r->i = start;
    return unexpected(r, "a type, little-endian, of b1, i1, u1, i2, u2, i4, u4, i8, u8, f4, f8");
}

static cst_status read_dimension(reader *r, size_t *dim)
{
    const char first = peek(r);
    if (first < '0' || first > '9' ||
        (first == '0' && r->i + 1 < r->n && r->header[r->i + 1] >= '0' && r->header[r->i + 1] <= '9'))
        return unexpected(r, "a dimension");
    size_t value = 0;
    const size_t start = r->i;
    for (; r->i < r->n && r->header[r->i] >= '0' && r->header[r->i] <= '9'; r->i++)
        value = cst_size_add(cst_size_mul(value, 10), (size_t)(r->header[r->i] - '0'));
    *dim = value;
    if (value < PTRDIFF_MAX) return CST_OK;
    r->i = start;
    return unexpected(r, "a dimension that memory can have");
}

/* (), (3,), (3, 4), (3, 4,) */
static cst_status read_shape(reader *r, cst_shape *shape)
{
    *shape = (cst_shape){0};
    if (!take(r, '(')) return unexpected(r, "a shape such as (3, 4)");
    bool comma = true; /* before the next dimension */
    while (!take(r, ')')) {
        if (!comma) return unexpected(r, "a comma or a closing parenthesis");
        if (shape->rank == CST_MAX_RANK) {
            char what[64];
            snprintf(what, sizeof what, "at most %d dimensions", CST_MAX_RANK);
            return unexpected(r, what);
        }
        CST_TRY(read_dimension(r, &shape->dim[shape->rank]));
        shape->rank++;
        comma = take(r, ',');
        if (shape->rank == 1 && !comma) return unexpected(r, "a comma, which makes a tuple");
    }
    return CST_OK;
}

static cst_status read_value(reader *r, size_t key, cst_npy *array)
{
    if (key == 0) return read_type(r, array);
    if (key == 2) return read_shape(r, &array->shape);
    r->fortran = take_word(r, "True");
    return r->fortran || take_word(r, "False") ? CST_OK : unexpected(r, "True or False");
}

static cst_status parse_header(reader *r, cst_npy *array)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    enum { N_KEYS = sizeof keys / sizeof keys[0] };
    bool known[N_KEYS] = {false}, comma = true;
    if (!take(r, '{')) return unexpected(r, "a dict");
    while (!take(r, '}')) {
        if (!comma) return unexpected(r, "a comma or a closing brace");
        const char *s;
        size_t n, key = 0, start;
        (void)peek(r);
        start = r->i;
        if (!take_string(r, &s, &n)) return unexpected(r, "a key");
        while (key < N_KEYS && (strlen(keys[key]) != n || memcmp(keys[key], s, n) != 0)) key++;
        if (key == N_KEYS || known[key]) {
            r->i = start;
            return unexpected(r, "'descr', 'fortran_order' and 'shape', once each,");
        }
        if (!take(r, ':')) return unexpected(r, "a colon");
        CST_TRY(read_value(r, key, array));
        known[key] = true;
        comma = take(r, ',');
    }
    for (size_t key = 0; key < N_KEYS; key++) {
        if (known[key]) continue;
        return cst_fail(r->error, CST_EFORMAT, "%s: expected '%s' in the header, found a dict without it", r->path,
                        keys[key]);
    }
    if (peek(r) != '\n' || r->i + 1 != r->n) return unexpected(r, "blanks and a newline at the end");
    return CST_OK;
}

static cst_status read_header(reader *r, cst_npy *array)
{
    size_t length = 0;
    CST_TRY(read_start(r, &length));
    r->header = malloc(length > 0 ? length : 1);
    if (!r->header) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory", r->path);
    CST_TRY(read_bytes(r, r->header, length, &r->n));
    if (r->n < length)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected a header of %zu bytes, found %zu", r->path, length, r->n);
    return parse_header(r, array);
}

/* ---- the elements -------------------------------------------------------------------------------------------- */

/* Bytes that a file has beside those that have been read, if it tells; 0 otherwise. */
static size_t bytes_left(FILE *stream)
{
    struct stat info;
    const long at = ftell(stream);
    if (at < 0 || fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
    return info.st_size > at ? (size_t)(info.st_size - at) : 0;
}

static cst_status fail_size(const reader *r, const cst_npy *array, size_t expected, const char *found)
{
    char shape[CST_SHAPE_TEXT];
    return cst_fail(r->error, CST_EFORMAT, "%s: expected %zu bytes after the header for %s of shape %s, found %s",
                    r->path, expected, types[array->type].name, cst_shape_text(&array->shape, shape), found);
}

static cst_status read_elements(reader *r, cst_npy *array)
{
    const size_t size = cst_size_mul(cst_shape_size(&array->shape), types[array->type].size);
    char found[32];
    if (size >= PTRDIFF_MAX) return fail_size(r, array, size, "more than memory can have");
    size_t room = bytes_left(r->stream), used = 0, got;
    if (room < FIRST_ROOM) room = FIRST_ROOM;
    do { /* double the room as long as the file fills it */
        if (used > 0) room = cst_size_mul(2, room);
        if (room > size) room = size;
        void *larger = realloc(array->data, room > 0 ? room : 1);
        if (!larger) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory for %zu bytes", r->path, room);
        array->data = larger;
        CST_TRY(read_bytes(r, (char *)array->data + used, room - used, &got));
        used += got;
    } while (used == room && room < size);
    snprintf(found, sizeof found, "%zu", used);
    if (used < size) return fail_size(r, array, size, found);
    char more;
    CST_TRY(read_bytes(r, &more, 1, &got));
    return got == 0 ? CST_OK : fail_size(r, array, size, "more");
}

static cst_status check_bools(const reader *r, const cst_npy *array)
{
    if (array->type != CST_NPY_BOOL) return CST_OK;
    const uint8_t *bytes = array->data;
    const size_t n = cst_shape_size(&array->shape);
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] > 1)
            return cst_fail(r->error, CST_EFORMAT, "%s: element %zu: expected a bool, 0 or 1, found %d", r->path, i,
                            bytes[i]);
    }
    return CST_OK;
}

/* From Fortran order, where the first index runs fastest, to C order, where the last does. */
static cst_status transpose(const reader *r, cst_npy *array)
{
    const cst_shape *shape = &array->shape;
    const size_t n = cst_shape_size(shape), size = types[array->type].size;
    if (!r->fortran || shape->rank < 2 || n == 0) return CST_OK;
    char *to = malloc(n * size);
    if (!to) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory for %zu bytes", r->path, n * size);
    size_t stride[CST_MAX_RANK] = {1}, index[CST_MAX_RANK] = {0}, at = 0;
    for (size_t k = 1; k < shape->rank; k++) stride[k] = stride[k - 1] * shape->dim[k - 1];
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * size, (const char *)array->data + at * size, size);
        for (size_t k = shape->rank; k-- > 0;) { /* the next index, and where it is */
            at += stride[k];
            if (++index[k] < shape->dim[k]) break;
            at -= stride[k] * shape->dim[k];
            index[k] = 0;
        }
    }
    free(array->data);
    array->data = to;
    return CST_OK;
}

/* ---- for callers --------------------------------------------------------------------------------------------- */

cst_status cst_npy_read(const char *path, cst_npy *array, cst_error *error)
{
    *array = (cst_npy){0};
    reader r = {.path = path, .error = error};
    CST_TRY(cst_file_open_stream(path, &r.stream, error));
    cst_status status = read_header(&r, array);
    if (status == CST_OK) status = read_elements(&r, array);
    if (status == CST_OK) status = check_bools(&r, array);
    if (status == CST_OK) status = transpose(&r, array);
    fclose(r.stream);
    free(r.header);
    if (status != CST_OK) cst_npy_clear(array);
    return status;
}

void cst_npy_clear(cst_npy *array)
{
    free(array->data);
    *array = (cst_npy){0};
}

double cst_npy_get(const cst_npy *array, size_t i)
{
    switch (array->type) {
#define X(name, text, type)                                                                                            \
    case CST_NPY_##name:                                                                                               \
        return (double)((const type *)array->data)[i];
        CST_NPY_TYPES(X)
#undef X
    case CST_N_NPY_TYPES:
        break;
    }
    return 0;
}

size_t cst_npy_first_nonfinite(const cst_npy *array)
{
    const size_t n = cst_shape_size(&array->shape);
    size_t i = 0;
    while (i < n && isfinite((real)cst_npy_get(array, i))) i++;
    return i;
}

cst_status cst_npy_take_reals(const char *path, cst_npy *array, real **reals, cst_error *error)
{
    const size_t n = cst_shape_size(&array->shape), bytes = cst_size_mul(n, sizeof **reals);
    if (array->type == CST_NPY_REAL) {
        *reals = array->data;
        *array = (cst_npy){0};
        return CST_OK;
    }
    real *values = bytes < PTRDIFF_MAX ? malloc(bytes > 0 ? bytes : 1) : NULL;
    if (!values) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu numbers", path, n);
    for (size_t i = 0; i < n; i++) values[i] = (real)cst_npy_get(array, i);
    *reals = values;
    return CST_OK;
}

bool cst_npy_is_float(cst_npy_type type)
{
    return type == CST_NPY_F4 || type == CST_NPY_F8;
}

const char *cst_npy_type_name(cst_npy_type type)
{
    return types[type].name;
}

cst_status cst_npy_write(const char *path, cst_npy_type type, const cst_shape *shape, const void *data,
                         cst_error *error)
{
    cst_text header = {0};
    cst_text_printf(&header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", types[type].size == 1 ? '|' : '<',
                    types[type].name);
    for (size_t i = 0; i < shape->rank; i++) cst_text_printf(&header, "%s%zu", i > 0 ? ", " : "", shape->dim[i]);
    cst_text_puts(&header, shape->rank == 1 ? ",), }" : "), }");
    while (!header.failed && (PREFIX + 2 + header.size + 1) % ALIGNMENT != 0) cst_text_puts(&header, " ");
    cst_text_puts(&header, "\n");
    cst_new_file file = {0};
    cst_status status = CST_OK;
    if (header.failed) status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    if (status == CST_OK) status = cst_new_file_create(path, &file, error);
    if (status == CST_OK) {
        const uint8_t after[] = {1, 0, (uint8_t)header.size, (uint8_t)(header.size >> 8)};
        cst_new_file_write(&file, magic, sizeof magic);
        cst_new_file_write(&file, after, sizeof after);
        cst_new_file_write(&file, header.data, header.size);
        cst_new_file_write(&file, data, cst_size_mul(cst_shape_size(shape), types[type].size));
        status = cst_new_file_commit(&file, error);
    }
    free(header.data);
    return status;
}
