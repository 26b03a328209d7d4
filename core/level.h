/* The instruction set that the hot loops use. scripts/levels.sh compiles the files of the Makefile's list `hot` once
 * per instruction set; the loader chooses one when the program starts. */
#ifndef CST_CORE_LEVEL_H
#define CST_CORE_LEVEL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the instruction set in use: "baseline", "avx2" or "avx512". A build for one machine only (NATIVE=1) returns
 * "native". The string is static. */
const char *cst_level_name(void);

#ifdef __cplusplus
}
#endif
#endif
