#include "core/level.h"

/* scripts/levels.sh compiles this file once per level, with the level's name. */
#ifndef CST_LEVEL
#define CST_LEVEL "baseline"
#endif

const char *cst_level_name(void)
{
    return CST_LEVEL;
}
