/* Seconds since some moment, by a clock that only goes forward. */
#ifndef CST_CORE_CLOCK_H
#define CST_CORE_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

double cst_clock(void);

#ifdef __cplusplus
}
#endif
#endif
