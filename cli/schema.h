/* A JSON Schema (draft 2020-12) of configs, made from the tables that check them: for editors that complete and check
 * while one types. It accepts whatever costate accepts as far as that can be told from a config alone: not shapes, files,
 * or what keys say about each other. */
#ifndef CST_CLI_SCHEMA_H
#define CST_CLI_SCHEMA_H

#ifdef __cplusplus
extern "C" {
#endif

/* As indented JSON text, to be freed with free(); NULL if out of memory. */
char *cst_schema_print(void);

#ifdef __cplusplus
}
#endif
#endif
