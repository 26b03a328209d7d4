/* The part of formats/npy.h that reads files. */
#include "core/file.h"
#include "formats/npy.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PREFIX = 8,                 /* bytes of the magic string and the version */
    MAX_HEADER = 1 << 16,       /* bytes; a longer header does not describe one array of numbers */
    INITIAL_CAPACITY = 1 << 20, /* bytes allocated first where the size of the file is unknown */
    EXCERPT = 40                /* characters of the header shown in a message */
};
static const char magic[] = CST_NPY_MAGIC;

/* A file being read, and the position of the parser in its header. */
typedef struct reader {
    const char *path;
    FILE *stream;
    cst_error *error;
    char *header; /* n bytes, of which byte i is the next one to parse */
    size_t n, i;
    bool fortran; /* whether the elements are in Fortran order */
} reader;

/* ---- bytes --------------------------------------------------------------------------------------------------- */

/* Read n bytes. *got is smaller than n only at the end of the file. */
static cst_status read_bytes(reader *r, void *bytes, size_t n, size_t *got)
{
    *got = fread(bytes, 1, n, r->stream);
    if (*got == n || !ferror(r->stream)) return CST_OK;
    return cst_fail_io(r->error, r->path, "cannot read", errno);
}

/* Read the magic string, the version and the length of the header. */
static cst_status read_start(reader *r, size_t *length)
{
    /* The magic string, then the version. */
    uint8_t b[PREFIX + 4];
    size_t got;
    CST_TRY(read_bytes(r, b, PREFIX, &got));
    if (got < PREFIX)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected a NumPy array, found a file of %zu bytes", r->path, got);
    if (memcmp(b, magic, sizeof magic - 1) != 0)
        return cst_fail(r->error, CST_EFORMAT,
                        "%s: expected a NumPy array, which begins with 93 4e 55 4d 50 59, found %02x %02x %02x %02x "
                        "%02x %02x",
                        r->path, b[0], b[1], b[2], b[3], b[4], b[5]);
    const unsigned major = b[6], minor = b[7];
    if (major < 1 || major > 3 || minor != 0)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected format version 1.0, 2.0 or 3.0, found %u.%u", r->path,
                        major, minor);
    /* The length of the header: 2 bytes in version 1.0, 4 bytes in later ones. */
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

/* Fail with "expected WHAT at byte N of the header, found ...". The excerpt shows unprintable bytes as question
 * marks. */
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

/* Skip blanks and return the next character, or NUL at the end of the header. */
static char peek(reader *r)
{
    while (r->i < r->n && r->header[r->i] == ' ') r->i++;
    return r->i < r->n ? r->header[r->i] : '\0';
}

/* Consume the character c if it is next. */
static bool take(reader *r, char c)
{
    if (c == '\0' || peek(r) != c) return false;
    r->i++;
    return true;
}

/* Consume a word if it is next. */
static bool take_word(reader *r, const char *word)
{
    const size_t n = strlen(word);
    (void)peek(r);
    if (r->n - r->i < n || memcmp(r->header + r->i, word, n) != 0) return false;
    r->i += n;
    return true;
}

/* Consume a Python string without escapes if it is next. *string points into the header. On false the position is
 * unchanged. */
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

/* The value of 'descr': a byte order and the name of a type, '<f4'. */
static cst_status read_type(reader *r, cst_npy *array)
{
    const char *s;
    size_t n;
    (void)peek(r);
    const size_t start = r->i;
    if (take_string(r, &s, &n) && n == 3) {
        for (int t = 0; t < CST_N_NPY_TYPES; t++) {
            /* NumPy writes single bytes without a byte order ('|'); other programs write '<'. */
            const bool order = s[0] == '<' || (s[0] == '|' && cst_npy_type_size((cst_npy_type)t) == 1);
            if (!order || memcmp(s + 1, cst_npy_type_name((cst_npy_type)t), 2) != 0) continue;
            array->type = (cst_npy_type)t;
            return CST_OK;
        }
    }
    r->i = start;
    return unexpected(r, "a type, little-endian, of b1, i1, u1, i2, u2, i4, u4, i8, u8, f4, f8");
}

/* A decimal number without leading zeros. */
static cst_status read_dimension(reader *r, size_t *dim)
{
    const char first = peek(r);
    if (first < '0' || first > '9' ||
        (first == '0' && r->i + 1 < r->n && r->header[r->i + 1] >= '0' && r->header[r->i + 1] <= '9'))
        return unexpected(r, "a dimension");
    /* The value saturates, so that a long number is found to be too large. */
    size_t value = 0;
    const size_t start = r->i;
    for (; r->i < r->n && r->header[r->i] >= '0' && r->header[r->i] <= '9'; r->i++)
        value = cst_size_add(cst_size_mul(value, 10), (size_t)(r->header[r->i] - '0'));
    *dim = value;
    if (value < PTRDIFF_MAX) return CST_OK;
    r->i = start;
    return unexpected(r, "a dimension that fits into memory");
}

/* The value of 'shape': a Python tuple such as (), (3,), (3, 4) or (3, 4,). */
static cst_status read_shape(reader *r, cst_shape *shape)
{
    *shape = (cst_shape){0};
    if (!take(r, '(')) return unexpected(r, "a shape such as (3, 4)");
    bool comma = true; /* whether another dimension may follow */
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

/* The value of key number `key` in the list of parse_header. */
static cst_status read_value(reader *r, size_t key, cst_npy *array)
{
    if (key == 0) return read_type(r, array);
    if (key == 2) return read_shape(r, &array->shape);
    r->fortran = take_word(r, "True");
    return r->fortran || take_word(r, "False") ? CST_OK : unexpected(r, "True or False");
}

/* Parse the dict. Each of the three keys must occur once, in any order. */
static cst_status parse_header(reader *r, cst_npy *array)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    enum { N_KEYS = sizeof keys / sizeof keys[0] };
    bool known[N_KEYS] = {false}, comma = true;
    if (!take(r, '{')) return unexpected(r, "a dict");
    while (!take(r, '}')) {
        if (!comma) return unexpected(r, "a comma or a closing brace");
        /* A key, which must be a known one that has not occurred before. */
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
        /* A colon and the value; then a comma or the end of the dict. */
        if (!take(r, ':')) return unexpected(r, "a colon");
        CST_TRY(read_value(r, key, array));
        known[key] = true;
        comma = take(r, ',');
    }
    /* All keys must have occurred, and only padding may follow. */
    for (size_t key = 0; key < N_KEYS; key++) {
        if (known[key]) continue;
        return cst_fail(r->error, CST_EFORMAT, "%s: expected '%s' in the header, found a dict without it", r->path,
                        keys[key]);
    }
    if (peek(r) != '\n' || r->i + 1 != r->n) return unexpected(r, "blanks and a newline at the end");
    return CST_OK;
}

/* Read the header into memory and parse it. */
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

/* The number of bytes between the current position and the end of a regular file. Returns 0 if the size is unknown. */
static size_t bytes_left(FILE *stream)
{
    struct stat info;
    const long at = ftell(stream);
    if (at < 0 || fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
    return info.st_size > at ? (size_t)(info.st_size - at) : 0;
}

/* Fail with "expected N bytes after the header for TYPE of shape SHAPE, found ...". */
static cst_status fail_size(const reader *r, const cst_npy *array, size_t expected, const char *found)
{
    char shape[CST_SHAPE_TEXT];
    return cst_fail(r->error, CST_EFORMAT, "%s: expected %zu bytes after the header for %s of shape %s, found %s",
                    r->path, expected, cst_npy_type_name(array->type), cst_shape_text(&array->shape, shape), found);
}

/* Read all elements. Memory never grows far beyond what the file contains, whatever its header says. */
static cst_status read_elements(reader *r, cst_npy *array)
{
    const size_t size = cst_size_mul(cst_shape_size(&array->shape), cst_npy_type_size(array->type));
    char found[32];
    if (size >= PTRDIFF_MAX) return fail_size(r, array, size, "more than fits into memory");
    /* Start with the size of the rest of the file, and double the capacity as long as the file fills it. */
    size_t capacity = bytes_left(r->stream), used = 0, got;
    if (capacity < INITIAL_CAPACITY) capacity = INITIAL_CAPACITY;
    do {
        if (used > 0) capacity = cst_size_mul(2, capacity);
        if (capacity > size) capacity = size;
        void *larger = realloc(array->data, capacity > 0 ? capacity : 1);
        if (!larger) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory for %zu bytes", r->path, capacity);
        array->data = larger;
        CST_TRY(read_bytes(r, (char *)array->data + used, capacity - used, &got));
        used += got;
    } while (used == capacity && capacity < size);
    /* The file must end after the last element. */
    snprintf(found, sizeof found, "%zu", used);
    if (used < size) return fail_size(r, array, size, found);
    char more;
    CST_TRY(read_bytes(r, &more, 1, &got));
    return got == 0 ? CST_OK : fail_size(r, array, size, "more");
}

/* Check that an array of bools has no bytes but 0 and 1. */
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

/* Reorder the elements from Fortran order, where the first index varies fastest, to C order, where the last one
 * does. */
static cst_status transpose(const reader *r, cst_npy *array)
{
    const cst_shape *shape = &array->shape;
    const size_t n = cst_shape_size(shape), size = cst_npy_type_size(array->type);
    if (!r->fortran || shape->rank < 2 || n == 0) return CST_OK;
    char *to = malloc(n * size);
    if (!to) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory for %zu bytes", r->path, n * size);
    /* stride[k]: the distance of neighbours along dimension k in Fortran order. at: the position of `index` in that
     * order. */
    size_t stride[CST_MAX_RANK] = {1}, index[CST_MAX_RANK] = {0}, at = 0;
    for (size_t k = 1; k < shape->rank; k++) stride[k] = stride[k - 1] * shape->dim[k - 1];
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * size, (const char *)array->data + at * size, size);
        for (size_t k = shape->rank; k-- > 0;) { /* advance to the next index in C order */
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

/* ---- the whole file ------------------------------------------------------------------------------------------ */

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
