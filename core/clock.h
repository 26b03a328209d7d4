/* A clock for measuring intervals. */
#ifndef CST_CORE_CLOCK_H
#define CST_CORE_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the seconds since a fixed but unspecified moment. The clock is monotonic: changes of the system time do not
 * affect it. */
double cst_clock(void);

#ifdef __cplusplus
}
#endif
#endif
