/* Fuzz target: the binary files of CIFAR-10 (datasets/cifar10.h). */
#include "fuzz/fuzz.h"

#include "datasets/cifar10.h"
#include "datasets/split.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_split split = {0};
    cst_status status = cst_cifar10_read(path, &split, error);
    if (status == CST_OK)
        status = cst_cifar10_read(path, &split, error); /* the second call appends to the first one's rows */
    cst_split_clear(&split);
    return status;
}

static void fuzz_seeds(void)
{
    static const uint8_t records[2 * 3073] = {3, 255, 128};
    fuzz_seed("two", records, sizeof records);
    fuzz_seed("one", records, sizeof records / 2);
}
