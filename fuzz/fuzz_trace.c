/* Fuzz target: trace.csv of a run (train/trace.h). */
#include "fuzz/fuzz.h"

#include "train/trace.h"

static void use_row(void *context, const cst_trace_row *row)
{
    *(size_t *)context += strlen(row->block) + strlen(row->method) + strlen(row->decided_by);
}

static cst_status fuzz_read(const char *path, cst_error *error)
{
    size_t n = 0;
    FILE *stream;
    CST_TRY(cst_trace_read(path, use_row, &n, error));
    /* A resumed run drops the rows from iteration 3 on and appends to the others. */
    CST_TRY(cst_trace_open(path, 3, &stream, error));
    fclose(stream);
    return cst_trace_read(path, use_row, &n, error);
}

static void fuzz_seeds(void)
{
    static const char text[] = "iteration,block,direction,method,solve,t,dt,ratio,accepted,decided_by\n"
                               "0,1.field,forward,dopri5,0,0,0.5,1.25,0,z\n3,,backward,tsit5,1,1,-0.1,1e-3,1,a_z\n";
    fuzz_seed("rows", text, sizeof text - 1);
}
