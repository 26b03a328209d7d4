/* Fuzz target: JPEG and PNG images (formats/image.h), decoded as grey and as color. */
#include "fuzz/fuzz.h"

#include "formats/image.h"
#include "tests/image_bytes.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    char *bytes;
    size_t size;
    uint8_t *planes;
    cst_shape shape;
    CST_TRY(cst_file_read(path, (size_t)1 << 20, &bytes, &size, error));
    cst_status status = CST_OK;
    for (size_t channels = 1; status == CST_OK && channels <= 3; channels += 2) {
        status = cst_image_decode(path, (const uint8_t *)bytes, size, channels, &planes, &shape, error);
        if (status == CST_OK) free(planes);
    }
    free(bytes);
    return status;
}

static void fuzz_seeds(void)
{
    fuzz_seed("rgb.png", rgb_png, sizeof rgb_png);
    fuzz_seed("grey.png", grey_png, sizeof grey_png);
    fuzz_seed("flat.jpg", flat_jpeg, sizeof flat_jpeg);
}
