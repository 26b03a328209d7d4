/* Fuzz target: CSV files (formats/csv.h). */
#include "fuzz/fuzz.h"

#include "formats/csv.h"

static cst_status read_records(cst_csv *csv, cst_error *error)
{
    double value;
    volatile double sum = 0; /* volatile: the compiler must not drop the calls */
    do {
        CST_TRY(cst_csv_next(csv, error));
        for (size_t i = 0; i < csv->n; i++)
            if (cst_csv_number(cst_csv_field(csv, i), &value)) sum = sum + value;
    } while (csv->n > 0);
    return CST_OK;
}

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_csv csv = {0};
    cst_status status = cst_csv_open(path, ',', &csv, error);
    if (status == CST_OK) status = read_records(&csv, error);
    cst_csv_close(&csv);
    return status;
}

static void fuzz_seeds(void)
{
    static const char text[] = "a,\"b \"\"c\"\"\",d\r\n1,-2.5e-3,\"x\ny\"\n,,\n";
    fuzz_seed("records", text, sizeof text - 1);
}
