/* The reference of configs in Markdown, made from the tables that check them: docs/config.md. */
#ifndef CST_CLI_REFERENCE_H
#define CST_CLI_REFERENCE_H

#ifdef __cplusplus
extern "C" {
#endif

/* To be freed with free(); NULL if out of memory. */
char *cst_reference_print(void);

#ifdef __cplusplus
}
#endif
#endif
