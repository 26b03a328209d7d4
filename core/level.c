#include "core/level.h"

/* scripts/levels.sh compiles this file once per instruction set and defines CST_LEVEL as its name. Elsewhere there
 * is only one. */
#ifndef CST_LEVEL
#define CST_LEVEL "baseline"
#endif

const char *cst_level_name(void)
{
    return CST_LEVEL;
}
