/* The reference of configs, docs/config.md: every name and key in Markdown, made from the catalog (catalog.h), which
 * has the tables that configs are checked by. */
#ifndef CST_CLI_REFERENCE_H
#define CST_CLI_REFERENCE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The reference as Markdown text, without a newline at its end. The caller frees it with free(). NULL if out of
 * memory. */
char *cst_reference_print(void);

#ifdef __cplusplus
}
#endif
#endif
