/* The part of formats/safetensors.h that writes files. */
#include "core/config.h"
#include "core/file.h"
#include "core/text.h"
#include "formats/safetensors_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The pass, 0 or 1, in which a tensor is written. Tensors with elements of 8 bytes come first, and the header is
 * padded to 8 bytes, so that every tensor in the file is aligned to its elements. */
static int write_pass(const cst_save_tensor *tensor)
{
    return cst_dtypes[tensor->dtype].bits == 64 ? 0 : 1;
}

/* Bytes of a tensor's data. Saturates. */
static size_t tensor_bytes(const cst_save_tensor *tensor)
{
    return cst_size_mul(cst_shape_size(&tensor->shape), cst_dtypes[tensor->dtype].bits / 8);
}

/* Append a tensor's entry to the header. `begin` is the offset of its first byte in the data. */
static void put_entry(cst_text *header, const cst_save_tensor *tensor, size_t begin)
{
    cst_text_quote(header, tensor->name);
    cst_text_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", cst_dtypes[tensor->dtype].name);
    for (size_t i = 0; i < tensor->shape.rank; i++) {
        cst_text_printf(header, "%s%zu", i > 0 ? "," : "", tensor->shape.dim[i]);
    }
    cst_text_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, cst_size_add(begin, tensor_bytes(tensor)));
}

/* Compose the header: metadata, then the tensors in the order in which they are written. */
static void put_header(cst_text *header, const cst_save_tensor *tensors, size_t n, const char *const *metadata)
{
    const char *separator = "";
    cst_text_puts(header, "{");
    if (metadata) {
        cst_text_puts(header, "\"" CST_METADATA_KEY "\":{");
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
    /* Pad with blanks, which the format allows. */
    cst_text_puts(header, "}");
    while (!header->failed && header->size % 8 != 0) cst_text_puts(header, " ");
}

/* Check that the header can be read: parsing it finds names that are not UTF-8 or occur twice. */
static cst_status check_header(const char *path, const cst_text *header, cst_error *error)
{
    if (header->failed) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    if (header->size > CST_MAX_HEADER)
        return cst_fail(error, CST_EARG, "%s: expected a header of at most %d bytes, got %zu", path, CST_MAX_HEADER,
                        header->size);
    cst_document *document;
    cst_error why;
    const cst_status status = cst_document_parse("header", header->data, header->size, &document, &why);
    if (status == CST_OK) cst_document_free(document);
    if (status == CST_ENOMEM) return cst_fail(error, status, "%s: out of memory", path);
    if (status != CST_OK) return cst_fail(error, CST_EARG, "%s: names cannot be written: %s", path, why.message);
    return CST_OK;
}

/* Check what the header's text does not show: types, ranks, the reserved name, and the total size. */
static cst_status check_tensors(const char *path, const cst_save_tensor *tensors, size_t n, cst_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const cst_save_tensor *tensor = &tensors[i];
        if ((unsigned)tensor->dtype > CST_U64 || tensor->shape.rank > CST_MAX_RANK ||
            strcmp(tensor->name, CST_METADATA_KEY) == 0) {
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
        /* The header's length, the header, and the data in the same order as in the header. */
        const uint64_t length = header.size;
        cst_new_file_write(&file, &length, CST_LENGTH_BYTES);
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
