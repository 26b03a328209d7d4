/* Declarations shared by the files that read and write safetensors: constants of the format and its table of types. */
#ifndef CST_FORMATS_SAFETENSORS_INTERNAL_H
#define CST_FORMATS_SAFETENSORS_INTERNAL_H

#include "formats/safetensors.h"

enum {
    CST_LENGTH_BYTES = 8,       /* size of the header's length, which begins the file */
    CST_MAX_HEADER = 100000000, /* the format's limit of that length */
    CST_N_DTYPES = 20
};

/* The key of the header that holds metadata in place of a tensor. */
#define CST_METADATA_KEY "__metadata__"

/* A type of elements: its name in the header, and its size in bits, because some types have less than a byte. */
typedef struct cst_dtype_info {
    const char *name;
    size_t bits;
} cst_dtype_info;

/* All types of the format. Those of cst_dtype come first and have its values as indices; the others are recognized, but
 * not read. */
extern const cst_dtype_info cst_dtypes[CST_N_DTYPES];

#endif
