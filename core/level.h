/* Which of the processor's instructions the hot loops use. */
#ifndef CST_CORE_LEVEL_H
#define CST_CORE_LEVEL_H

#ifdef __cplusplus
extern "C" {
#endif

/* "baseline", "avx2" or "avx512": the level that was chosen on this processor when the library was loaded; "native" in a build
 * for the processor that it was made on (NATIVE=1). */
const char *cst_level_name(void);

#ifdef __cplusplus
}
#endif
#endif
