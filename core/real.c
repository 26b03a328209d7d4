#include "core/real.h"

const char CST_PRECISION = 1;
