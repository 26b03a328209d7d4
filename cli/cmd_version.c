/* costate version: which build of the program this is. */
#include "cli/cli.h"

#include "core/blas.h"
#include "core/level.h"
#include "core/real.h"
#include "core/version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const cli_option options[] = {{0}};

static int version(const cli_line *line)
{
    (void)line;
    cli_print("costate %s, %s precision\n", CST_VERSION, CST_REAL_NAME);
    cli_print("compiler: %s\nlevel: %s\nBLAS: %s\n", COMPILER, cst_level_name(), cst_blas_name());
    return CLI_DONE;
}

const cli_command cli_version = {
    .name = "version",
    .arguments = "",
    .summary = "print version, precision, compiler, instruction set and BLAS",
    .example = "costate version",
    .options = options,
    .run = version,
};
