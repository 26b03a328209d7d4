/* Fuzz target: NumPy arrays (formats/npy.h). */
#include "fuzz/fuzz.h"

#include "formats/npy.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_npy array;
    CST_TRY(cst_npy_read(path, &array, error));
    volatile double sum = 0; /* volatile: the compiler must not drop the reads */
    for (size_t i = 0; i < cst_shape_size(&array.shape); i++) sum = sum + cst_npy_get(&array, i);
    cst_npy_clear(&array);
    return CST_OK;
}

static void fuzz_seeds(void)
{
    static const double numbers[6] = {1, -2, 0.5};
    const cst_shape matrix = {2, {2, 3}}, bytes = {3, {2, 2, 2}};
    cst_error error;
    fuzz_check("seed", cst_npy_write(fuzz_seed_path("f8"), CST_NPY_F8, &matrix, numbers, &error), &error);
    fuzz_check("seed", cst_npy_write(fuzz_seed_path("u1"), CST_NPY_U1, &bytes, numbers, &error), &error);
    /* The column-major order, which costate does not write. */
    static const char fortran[] = "\x93NUMPY\x01\x00\x46\x00{'descr': '<i2', 'fortran_order': True, 'shape': (2, 1), }"
                                  "           \n\x01\x02\x03\x04";
    fuzz_seed("fortran", fortran, sizeof fortran - 1);
}
