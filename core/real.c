#include "core/real.h"

/* The symbol of this precision: see core/real.h. */
const char CST_PRECISION = 1;
