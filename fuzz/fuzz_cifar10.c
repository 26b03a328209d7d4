/* CIFAR-10's binary version. */
#include "fuzz/fuzz.h"

#include "datasets/cifar10.h"
#include "datasets/part.h"

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_part part = {0};
    cst_status status = cst_cifar10_read(path, &part, error);
    if (status == CST_OK) status = cst_cifar10_read(path, &part, error); /* once more, behind what is there */
    cst_part_clear(&part);
    return status;
}

static void fuzz_seeds(void)
{
    static const uint8_t records[2 * 3073] = {3, 255, 128};
    fuzz_seed("two", records, sizeof records);
    fuzz_seed("one", records, sizeof records / 2);
}
